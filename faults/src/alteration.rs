//! What a fault alters, with nothing left to chance: the concrete form of a firing.

use crate::fault::{Dirty, Heal, Level};
use quorate_engine::{Errno, ExtentKind};
use serde::{Deserialize, Serialize};
use std::{ops::Range, time::Duration};

/// A change of data, medium or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Bits of a reply, or of the data of a write on their way, are inverted.
    Flip(Vec<Flip>),
    /// Bits of a reply, or of the data of a write on their way, are forced to a level.
    Force {
        /// Which.
        bits: Vec<Flip>,
        /// To what.
        level: Level,
    },
    /// Bits of the medium are inverted from now on.
    Rot {
        /// Which.
        flips: Vec<Flip>,
        /// What puts them right.
        heal: Heal,
    },
    /// Bits of the medium read at this level from now on, whatever is written there.
    Stuck {
        /// Which.
        bits: Vec<Flip>,
        /// At what.
        level: Level,
    },
    /// Reads that touch these bytes fail from now on; they are whole sectors.
    Unreadable {
        /// The bytes.
        range: Range<u64>,
        /// How the reads fail.
        errno: Errno,
        /// What makes a sector readable again, if it is written whole.
        heal: Heal,
    },
    /// Reads see something else in the place of these bytes from now on.
    Ghost {
        /// The bytes.
        range: Range<u64>,
        /// What they see.
        view: View,
        /// What ends it.
        heal: Heal,
    },
    /// Bytes of a read come from another place, or those of a write go there.
    Misdirect {
        /// The bytes that the operation is about.
        range: Range<u64>,
        /// Where the place begins.
        to: u64,
    },
    /// A reply holds what was there some writes ago.
    Stale {
        /// The bytes that are old.
        range: Range<u64>,
        /// How many writes to go back.
        versions: u64,
    },
    /// A reply holds nothing but this byte.
    Fill {
        /// The bytes that are.
        range: Range<u64>,
        /// The byte.
        byte: u8,
    },
    /// What an earlier operation wrote lands once more, behind this one.
    Replay(Vec<Run>),
    /// What the operation writes is seen until the power goes, and never becomes durable.
    Volatile,
    /// A discard takes these bytes with it.
    Widen(Range<u64>),
    /// What a flush leaves of the writes that it was to make durable.
    Flush {
        /// The policy for what does not become durable.
        dirty: Dirty,
        /// The error, if the policy has one.
        errno: Option<Errno>,
        /// What becomes durable all the same.
        kept: Vec<Run>,
        /// What does not.
        left: Vec<Run>,
        /// Which of the writes that it was to make durable do become so, from the oldest on.
        marks: Vec<bool>,
    },
    /// The power goes, at once: nothing else of what was not durable remains.
    Crash {
        /// What becomes durable, in the order in which it lands.
        kept: Vec<Run>,
        /// What is lost.
        lost: Vec<Run>,
        /// What is wrong afterwards in what was kept.
        flips: Vec<Flip>,
        /// How long the child fails whatever it is asked, after the operations in flight.
        down: Duration,
        /// How they fail.
        errno: Errno,
    },
    /// The child holds from now on what it held behind this operation, durably.
    Rollback {
        /// The operation; 0 for what it held at first.
        write: u64,
        /// The bytes that are old again.
        ranges: Vec<Range<u64>>,
    },
    /// The child takes no writes from now on, and says so.
    ReadOnly,
    /// A reply ends early.
    Short {
        /// After so many bytes.
        bytes: u64,
    },
    /// A length query answers this.
    Length {
        /// The length.
        bytes: u64,
    },
    /// A status query answers this kind.
    Kind(ExtentKind),
    /// A status query says that its answer holds for so many bytes.
    Extent {
        /// How many.
        bytes: u64,
    },
}

/// What is seen in the place of bytes that hold something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What another place holds.
    Elsewhere {
        /// Where it begins.
        to: u64,
    },
    /// What was there some writes ago.
    Past {
        /// How many.
        versions: u64,
    },
    /// Nothing but this byte.
    Fill(u8),
}

/// A byte of the device and the bits of it that are inverted, or forced.
///
/// In a file it is a list of the two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u8)", into = "(u64, u8)")]
pub struct Flip {
    /// The byte, as an offset on the device.
    pub at: u64,
    /// Its bits.
    pub mask: u8,
}

/// Bytes of the device that an operation wrote.
///
/// In a file it is a list of three numbers: the operation, the offset, how many bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct Run {
    /// The number of the operation among those of its child.
    pub write: u64,
    /// The bytes.
    pub range: Range<u64>,
}

impl From<(u64, u8)> for Flip {
    fn from((at, mask): (u64, u8)) -> Self {
        Self { at, mask }
    }
}

impl From<Flip> for (u64, u8) {
    fn from(flip: Flip) -> Self {
        (flip.at, flip.mask)
    }
}

impl TryFrom<(u64, u64, u64)> for Run {
    type Error = &'static str;

    fn try_from((write, offset, bytes): (u64, u64, u64)) -> Result<Self, Self::Error> {
        let end = offset.checked_add(bytes).filter(|_| bytes > 0);
        let end = end.ok_or(
            "a run is the number of an operation, an offset and how many bytes, at least one",
        )?;
        Ok(Self { write, range: offset..end })
    }
}

impl From<Run> for (u64, u64, u64) {
    fn from(run: Run) -> Self {
        (run.write, run.range.start, run.range.end - run.range.start)
    }
}
