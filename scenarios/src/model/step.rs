//! What a client does, step by step.
//!
//! In a file a step is a table whose `do` names what is done (`fields`).

mod fields;

use super::{gluster::Disturbance, words::EventLine};
use bytes::Bytes;
use quorate_engine::{Errno, Extent, Flags};
use quorate_faults::{
    device::Frozen,
    fault::Crash,
    rule::OpKind,
    text::{Time, TimeRange},
};
use quorate_reports::GuestOp;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Asks the array, and waits for the answer unless the request runs in the background.
    Request {
        /// What is asked.
        request: Request,
        /// The name of a request that runs beside the following steps.
        background: Option<String>,
        /// What must come of it.
        expected: Expected,
    },
    /// Waits for a background request.
    Wait {
        /// Its name.
        name: String,
    },
    /// Gives up on a background request, which is then detached.
    Drop {
        /// Its name.
        name: String,
    },
    /// Lets device time go by.
    Sleep(Time),
    /// Keeps matching operations of disks from completing.
    Hold(Selection),
    /// Lets held operations complete: the oldest `count`, or all and those to come.
    Release {
        /// Which.
        which: Selection,
        /// How many.
        count: Option<usize>,
    },
    /// Lets the next operations complete in this order of disks.
    Order(Vec<u32>),
    /// Changes how long a disk takes from now on.
    Latency {
        /// Which disk.
        child: u32,
        /// How long.
        time: TimeRange,
    },
    /// Changes what a disk holds, behind the array's back.
    Corrupt {
        /// Which disk.
        child: u32,
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
        /// What every byte becomes.
        fill: u8,
    },
    /// Cuts the power of disks for a moment: what they had not flushed is lost.
    CutPower {
        /// Which disks; all, if not given.
        children: Option<Vec<u32>>,
        /// What remains.
        crash: Crash,
        /// Whether operations in flight fail.
        fails: bool,
    },
    /// Waits until all other clients are done, at most for this time.
    Join(Option<Time>),
    /// Ends for good whatever is wrong with disks, and their rules.
    Heal {
        /// Which disks; all, if not given.
        children: Option<Vec<u32>>,
    },
    /// Has disks go on in one way for good, whatever their rules say.
    Freeze {
        /// Which disks.
        children: Vec<u32>,
        /// In which way.
        how: Frozen,
    },
    /// Something befalls the gluster brick of a disk, or is over again.
    Brick {
        /// Which disk.
        child: u32,
        /// What.
        what: Disturbance,
    },
    /// Adds a disk to the array.
    Add {
        /// Which disk.
        child: u32,
        /// The refusal, if it must be refused.
        refused: Option<String>,
    },
    /// Removes a child from the array.
    Remove {
        /// Its name in the array, such as `children.1`.
        name: String,
        /// The refusal, if it must be refused.
        refused: Option<String>,
    },
}

/// What is asked of the array.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
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
        /// How much.
        bytes: u64,
        /// What.
        payload: Payload,
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
    /// Close the array.
    Close,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The same byte all over.
    Fill(u8),
    /// Bytes that no other write of the scenario writes.
    Stamp,
}

/// Some operations of disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only of this disk.
    pub child: Option<u32>,
    /// Only of this kind.
    pub on: Option<OpKind>,
}

/// What must come of a request; what is not said may be anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The result.
    pub result: Option<Awaited>,
    /// What every byte of a read is.
    pub holds: Option<u8>,
    /// The answer to a length query.
    pub length: Option<u64>,
    /// The answer to a status query.
    pub extent: Option<Extent>,
    /// The events on its behalf, in order.
    pub events: Option<Vec<EventLine>>,
}

/// The result that a request must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Success.
    Success,
    /// This error.
    Failure(Errno),
}

impl Request {
    /// The request as the array gets it; `stamp` says what a stamped write writes.
    pub fn op(&self, stamp: impl FnOnce(u64, u64) -> Bytes) -> GuestOp {
        match *self {
            Self::Read { offset, bytes } => GuestOp::Read { offset, bytes },
            Self::Write { offset, bytes, payload, flags } => {
                let length = usize::try_from(bytes).expect("a payload fits into memory");
                let data = match payload {
                    Payload::Fill(byte) => Bytes::from(vec![byte; length]),
                    Payload::Stamp => stamp(offset, bytes),
                };
                GuestOp::Write { offset, data, flags }
            }
            Self::WriteZeroes { offset, bytes, flags } => {
                GuestOp::WriteZeroes { offset, bytes, flags }
            }
            Self::Discard { offset, bytes } => GuestOp::Discard { offset, bytes },
            Self::Flush => GuestOp::Flush,
            Self::BlockStatus { offset, bytes } => GuestOp::BlockStatus { offset, bytes },
            Self::Length => GuestOp::Length,
            Self::Truncate { bytes } => GuestOp::Truncate { bytes },
            Self::Invalidate => GuestOp::Invalidate,
            Self::Close => GuestOp::Close,
        }
    }
}
