//! What a rule does to an operation, as data.

use crate::{
    alteration::Flip,
    rule::OpKind,
    text::{SectorShift, Text},
};
use quorate_engine::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

mod fields;
mod words;

use fields::Fields;

/// A fault.
///
/// In a file it is a table whose `fault` names the kind, the variant's name in kebab case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails; whether it is applied is another matter.
    Status {
        /// The error.
        errno: Errno,
        /// How much of a write or a flush takes place all the same.
        applied: Applied,
    },
    /// The answer comes later.
    Delay(Delaying),
    /// The answer never comes.
    Hang {
        /// How much of a write or a flush takes place all the same, at once.
        applied: Applied,
    },
    /// The reply of a read is altered, or the data of a write on their way; the medium is sound.
    Corrupt {
        /// Which bytes, and how many.
        damage: Damage,
        /// Whether a retry of the same range sees the same wrong bytes.
        stability: Stability,
    },
    /// The medium itself holds wrong bytes from now on.
    Rot {
        /// Which bytes, and how many.
        damage: Damage,
        /// What puts them right.
        heal: Heal,
    },
    /// A write or a flush is acknowledged and does not take place.
    Lost,
    /// A write takes place in part.
    Torn {
        /// The part.
        keep: Keep,
        /// The size of what is kept or lost as a whole, in bytes.
        unit: u64,
        /// The error that the write answers; `None` for success.
        then: Option<Errno>,
    },
    /// A read answers with another place's bytes; a write lands in another place.
    Misdirect(Target),
    /// A read succeeds with fewer bytes than were asked for.
    Short {
        /// How many.
        bytes: u64,
    },
    /// A read answers with what the range held before its last writes.
    Stale {
        /// How many writes to go back.
        versions: u64,
    },
    /// A read answers with zeroes.
    Zero,
    /// The operation fails with `ENOTSUP`.
    Unsupported,
    /// A query of the length answers this.
    Length {
        /// The length.
        bytes: u64,
    },
    /// A query of the status says that the range reads as zeroes.
    FalseZero,
    /// A query of the status says that the range holds data.
    FalseData,
}

/// How much of an operation takes place, whatever it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Applied {
    /// Nothing.
    #[default]
    None,
    /// Everything.
    All,
    /// A part, in sectors.
    Part(Keep),
}

/// The part of a write that takes place, in units aligned to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As many units from the first on.
    Prefix(u64),
    /// As many units up to the last.
    Suffix(u64),
    /// Each unit by a coin of its own.
    Drawn,
    /// The units marked `true`, from the first on; none behind the last mark.
    Mask(Vec<bool>),
}

/// How long an answer is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delaying {
    /// By exactly this.
    Fixed(Duration),
    /// By a time of this range, both ends inside.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// By `min` and an exponentially distributed time that make `mean` on average.
    Exp {
        /// The shortest.
        min: Duration,
        /// The average.
        mean: Duration,
        /// The longest, if the tail is to be cut.
        max: Option<Duration>,
    },
}

/// Which bytes become wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// How many.
    pub amount: Amount,
    /// The first of them as an offset on the device; drawn where it is not given. A rule with it
    /// befalls only operations that touch this byte.
    pub at: Option<u64>,
}

/// How much becomes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// As many single bits, spread.
    Bits(u64),
    /// As many bytes, in one run; each of them differs from the right one.
    Bytes(u64),
    /// All bytes of as many sectors, in one run; each of them differs from the right one.
    Sectors(u64),
    /// Exactly these, as far as the operation touches them. A rule with them befalls only operations
    /// that touch one of these bytes.
    Flips(Vec<Flip>),
}

/// Whether a retry sees the same wrong bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stability {
    /// Others each time.
    #[default]
    Fresh,
    /// The same for the same range.
    Stable,
}

/// What puts rotten bytes right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// Writing them.
    #[default]
    Overwrite,
    /// Nothing: what is written there reads wrong.
    Never,
}

/// Where a misdirected operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// As many sectors further on, or back.
    By(SectorShift),
    /// To this sector.
    To(u64),
}

impl Fault {
    /// The word that rule files write.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay(_) => "delay",
            Self::Hang { .. } => "hang",
            Self::Corrupt { .. } => "corrupt",
            Self::Rot { .. } => "rot",
            Self::Lost => "lost",
            Self::Torn { .. } => "torn",
            Self::Misdirect(_) => "misdirect",
            Self::Short { .. } => "short",
            Self::Stale { .. } => "stale",
            Self::Zero => "zero",
            Self::Unsupported => "unsupported",
            Self::Length { .. } => "length",
            Self::FalseZero => "false-zero",
            Self::FalseData => "false-data",
        }
    }

    /// The kinds of operation that this fault can befall.
    #[must_use]
    pub fn befalls(&self) -> &'static [OpKind] {
        use OpKind::{
            BlockStatus, Close, Discard, Flush, Length, Open, Read, Truncate, Write, WriteZeroes,
        };
        match self {
            Self::Status { applied: Applied::Part(_), .. }
            | Self::Hang { applied: Applied::Part(_) }
            | Self::Torn { .. } => &[Write, WriteZeroes, Discard],
            Self::Status { applied: Applied::All, .. } | Self::Hang { applied: Applied::All } => {
                &[Write, WriteZeroes, Flush, Discard, Truncate]
            }
            Self::Status { .. } | Self::Hang { .. } | Self::Delay(_) => &[
                Read,
                Write,
                WriteZeroes,
                Flush,
                BlockStatus,
                Length,
                Open,
                Close,
                Discard,
                Truncate,
            ],
            Self::Corrupt { .. } => &[Read, Write],
            Self::Rot { .. } => &[Read, Write, WriteZeroes, Discard],
            Self::Misdirect(_) => &[Read, Write, WriteZeroes],
            Self::Lost => &[Write, WriteZeroes, Flush, Discard, Truncate],
            Self::Short { .. } | Self::Stale { .. } | Self::Zero => &[Read],
            Self::Unsupported => &[WriteZeroes, Flush, BlockStatus, Discard, Truncate],
            Self::Length { .. } => &[Length],
            Self::FalseZero | Self::FalseData => &[BlockStatus],
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Fields::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(Fields::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl Delaying {
    fn fields(self) -> (Dist, [Option<Text<Duration>>; 3]) {
        let text = |time| Some(Text(time));
        match self {
            Self::Fixed(time) => (Dist::Fixed, [text(time), None, None]),
            Self::Uniform { min, max } => (Dist::Uniform, [text(min), text(max), None]),
            Self::Exp { min, mean, max } => (Dist::Exp, [text(min), max.map(Text), text(mean)]),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Dist {
    Fixed,
    Uniform,
    Exp,
}
