//! What an array reports beside its answers.

use crate::errno::Errno;
use std::{borrow::Borrow, fmt, sync::Arc};

mod throttle;

pub use throttle::Throttle;

/// The name of a node: an array or a child.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for NodeName {
    fn from(name: T) -> Self {
        Self(name.as_ref().into())
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The kind of operation that an accusation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpType {
    /// A read, or a block status query.
    Read,
    /// A write, of data or of zeroes.
    Write,
    /// A flush.
    Flush,
}

/// A range in sectors of 512 bytes, as events carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sectors {
    /// The first sector.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl Sectors {
    /// What events of a flush carry.
    pub const NONE: Self = Self { first: 0, count: 0 };

    /// The smallest run of sectors that covers the bytes: rounded down at the start, up at the end.
    #[must_use]
    pub fn covering(offset: u64, bytes: u64) -> Self {
        let first = offset / SECTOR_BYTES;
        Self { first, count: (offset + bytes).div_ceil(SECTOR_BYTES) - first }
    }
}

/// Bytes in a sector.
pub const SECTOR_BYTES: u64 = 512;

/// Something that whoever looks after the array should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `QUORUM_REPORT_BAD`: a child failed an operation, or was outvoted.
    ReportBad {
        /// The operation.
        op: OpType,
        /// The child's node.
        node_name: NodeName,
        /// What it answered; `None` where it answered with data that lost the vote.
        error: Option<Errno>,
        /// Where.
        sectors: Sectors,
    },
    /// `QUORUM_FAILURE`: a read or a write found no quorum.
    Failure {
        /// The array's node.
        reference: NodeName,
        /// Where.
        sectors: Sectors,
    },
    /// The two children of a blkverify array differ. QEMU prints a line and exits.
    Mismatch {
        /// The array's node.
        reference: NodeName,
        /// Where the request began.
        offset: u64,
        /// How long it was.
        bytes: u64,
        /// The first byte that differs, counted from the start of the device.
        first_difference: u64,
    },
}

/// Where events go.
///
/// Called while a request runs, often from several threads; must not block.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: Event) {
        self(event);
    }
}

/// Drops every event.
impl EventSink for () {
    fn emit(&self, _: Event) {}
}
