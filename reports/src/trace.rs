//! What happened in a run, in order, and the digest that two equal runs share.
//!
//! Times are device time in microseconds; nothing here knows the wall clock.

use bytes::Bytes;
use quorate_engine::{Errno, Event, Extent, Flags, NodeName, Result};
use quorate_faults::{
    host::Firing,
    rule::{OpKind, Origin},
};
use std::{fmt, str::FromStr, sync::Arc};
use thiserror::Error;
use twox_hash::XxHash3_64;

mod recorder;

pub use recorder::Recorder;

/// A client's request: the client's number and the number of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Which client, from 0.
    pub client: u16,
    /// Which of its steps, from 0.
    pub step: u32,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.client, self.step)
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in microseconds of device time.
    pub at: u64,
    /// On behalf of which request, if of any.
    pub request: Option<RequestId>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The array refuses to open.
    NotOpened(String),
    /// A client asks the array.
    Invoke(GuestOp),
    /// The array answers.
    Complete(Outcome),
    /// A client gives up on its request, which is detached.
    Dropped,
    /// The array asks a child.
    Submit(ChildCall),
    /// A fault rule fires on the operation that was just submitted.
    Injected {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// The rule and its effect.
        firing: Box<Firing>,
    },
    /// A fault rule would have fired on the operation that was just submitted, but for the budget.
    Spared {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// The name of the rule.
        rule: Arc<str>,
    },
    /// A child answers the array.
    Reply {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// What it answered.
        answer: Answer,
    },
    /// The array reports something.
    Event(Event),
    /// An event that got through a throttled sink.
    Heard(Event),
    /// A child joins or leaves the array.
    Membership(Change),
    /// A step of the scenario that is no request.
    Control(String),
}

/// A request to the array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestOp {
    /// Read.
    Read {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Write.
    Write {
        /// Where.
        offset: u64,
        /// What.
        data: Bytes,
        /// How.
        flags: Flags,
    },
    /// Write zeroes.
    WriteZeroes {
        /// Where.
        offset: u64,
        /// How many.
        bytes: u64,
        /// How.
        flags: Flags,
    },
    /// Discard.
    Discard {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Flush.
    Flush,
    /// Query the block status.
    BlockStatus {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Query the length.
    Length,
    /// Resize.
    Truncate {
        /// The new length.
        bytes: u64,
    },
    /// Drop caches.
    Invalidate,
    /// Close.
    Close,
}

/// The array's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To a read.
    Data(Result<Bytes>),
    /// To whatever gives back nothing.
    Done(Result<()>),
    /// To a length query.
    Length(Result<u64>),
    /// To a status query.
    Status(Result<Extent>),
}

impl Outcome {
    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<Errno> {
        match self {
            Self::Data(r) => r.as_ref().err().copied(),
            Self::Done(r) => r.err(),
            Self::Length(r) => r.err(),
            Self::Status(r) => r.err(),
        }
    }
}

/// An operation that the array asks of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCall {
    /// The child: its device's number, which it keeps whatever joins or leaves.
    pub child: u32,
    /// The child's operations are numbered from 1.
    pub ordinal: u64,
    /// What kind.
    pub kind: OpKind,
    /// Where.
    pub offset: u64,
    /// How much.
    pub bytes: u64,
    /// How.
    pub flags: Flags,
    /// On whose behalf.
    pub origin: Origin,
    /// The hash of the data to be written.
    pub payload: Payload,
}

/// Data by their hash: equal hashes are equal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payload {
    /// How many bytes.
    pub bytes: u64,
    /// Their hash.
    pub hash: u64,
}

impl Payload {
    /// The length and the hash of some data.
    #[must_use]
    pub fn of(data: &Bytes) -> Self {
        Self { bytes: data.len() as u64, hash: XxHash3_64::oneshot(data) }
    }
}

/// A child's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a read.
    Data(Result<Payload>),
    /// To a write or a flush.
    Done(Result<()>),
    /// To a length query.
    Length(Result<u64>),
    /// To a status query.
    Status(Result<Extent>),
    /// None: the child was removed, or whoever asked has gone.
    Abandoned,
}

/// A change of the array's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A child was added as the last.
    Added {
        /// Its device's number.
        child: u32,
        /// Its name in the array.
        name: NodeName,
    },
    /// A child was removed.
    Removed {
        /// Its device's number.
        child: u32,
        /// Its name in the array.
        name: NodeName,
    },
    /// A change was refused.
    Refused(String),
}

/// What happened in one run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In order.
    pub entries: Vec<Entry>,
    /// The digest of the entries and of the final media.
    pub digest: Digest,
    /// The payloads of the entries that carry data, by the entry's number.
    payloads: Vec<(usize, Payload)>,
}

impl Trace {
    /// The payload of the data that a client's request or the answer to it carries; nothing's, if
    /// the entry carries none.
    #[must_use]
    pub fn payload(&self, entry: usize) -> Payload {
        let at = self.payloads.binary_search_by_key(&entry, |(number, _)| *number);
        at.map_or_else(|_| Payload::default(), |at| self.payloads[at].1)
    }
}

/// The name of everything observable in a run: requests and answers, the children's operations and
/// replies, events, final media. Not rule names, notes, or anything of the machine.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a digest is 32 hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseDigestError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseDigestError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| ParseDigestError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
