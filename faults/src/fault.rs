//! What a rule does to an operation, as data.

use crate::{rule::OpKind, text::Text};
use quorate_engine::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

mod fields;
mod parts;
mod words;

pub use parts::{
    Amount, Applied, Crash, CrashFields, Damage, Delaying, Dirty, Earlier, Heal, Keep, Kept, Level,
    Rest, Shows, Stability, Stuck, Survivors, Target, Torn,
};

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
    /// Bits read as one or as zero, whatever is written there.
    Stuck {
        /// Which.
        stuck: Stuck,
        /// As what.
        level: Level,
    },
    /// Sectors cannot be read from now on; behind a write, those that it has written.
    Unreadable {
        /// How many, in one run.
        sectors: u64,
        /// A byte of the first of them, as an offset on the device; drawn where it is not given. A
        /// rule with it befalls only operations that touch one of them.
        at: Option<u64>,
        /// How many sectors on either side go with them.
        radius: u64,
        /// How reads fail that touch them.
        errno: Errno,
        /// What makes a sector readable again, if it is written whole.
        heal: Heal,
    },
    /// What changes the device, or a flush, is acknowledged and does not take place.
    Lost {
        /// What is seen of it.
        shows: Shows,
    },
    /// A write takes place in part.
    Torn {
        /// The part.
        keep: Keep,
        /// The size of what is kept or lost as a whole, in bytes.
        unit: u64,
        /// The error that the write answers; `None` for success.
        then: Option<Errno>,
        /// What comes of what is not kept.
        rest: Rest,
    },
    /// A read answers with another place's bytes; a write lands in another place.
    Misdirect {
        /// The place.
        target: Target,
        /// Whether reads go on to see that place, and what ends it.
        heal: Option<Heal>,
    },
    /// An earlier write lands once more behind this one, of which it had something to say.
    Replay(Earlier),
    /// A read succeeds with fewer bytes than were asked for.
    Short {
        /// How many.
        bytes: u64,
    },
    /// A read answers with what the range held before its last writes.
    Stale {
        /// How many writes to go back.
        versions: u64,
        /// Whether reads go on to see that, and what ends it.
        heal: Option<Heal>,
    },
    /// A read answers with zeroes, or another byte all over.
    Zero {
        /// The byte.
        fill: u8,
        /// Whether reads go on to see that, and what ends it.
        heal: Option<Heal>,
    },
    /// A flush does not make everything durable, and leaves the rest in some state.
    Flush {
        /// What becomes of the rest.
        dirty: Dirty,
        /// The error, at once or, with `deferred`, later; none with `lie`.
        errno: Option<Errno>,
        /// The writes that become durable all the same, from the oldest on.
        keep: Option<Keep>,
    },
    /// The power goes.
    Crash(Crash),
    /// The child goes back to what it held before.
    Rollback(Earlier),
    /// The child takes no writes from now on.
    ReadOnly,
    /// A discard is rounded outwards.
    Widen {
        /// To multiples of so many bytes.
        unit: u64,
    },
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
    /// A query of the status says that its answer holds for so many bytes.
    Extent {
        /// How many.
        bytes: u64,
    },
}

impl Fault {
    /// The word that rule files write.
    #[must_use]
    pub fn word(&self) -> &'static str {
        fields::Word::of(self).row().0
    }

    /// The kinds of operation that this fault can befall.
    #[must_use]
    pub fn befalls(&self) -> &'static [OpKind] {
        use OpKind::{BlockStatus, Discard, Flush, Length, Open, Read};
        use OpKind::{Truncate, Write, WriteZeroes};
        match self {
            Self::Status { applied: Applied::Part(_), .. }
            | Self::Hang { applied: Applied::Part(_) }
            | Self::Torn { rest: Rest::Old, .. } => &[Write, WriteZeroes, Discard],
            Self::Torn { rest: Rest::Garbage, .. } => &[Write],
            Self::Status { applied: Applied::All, .. } | Self::Hang { applied: Applied::All } => {
                &[Write, WriteZeroes, Flush, Discard, Truncate]
            }
            Self::Status { .. }
            | Self::Hang { .. }
            | Self::Delay(_)
            | Self::Crash(_)
            | Self::Rollback(_) => OpKind::ALL,
            Self::Corrupt { .. } | Self::Stuck { stuck: Stuck::Wire(_), .. } => &[Read, Write],
            Self::Misdirect { heal: None, .. } => &[Read, Write, WriteZeroes],
            Self::Rot { .. } => &[Read, Write, WriteZeroes, Discard, Truncate],
            Self::Stuck { .. } | Self::Unreadable { .. } => &[Read, Write, WriteZeroes, Discard],
            Self::Lost { shows: Shows::Old } => &[Write, WriteZeroes, Flush, Discard, Truncate],
            Self::Lost { shows: Shows::New } => &[Write, WriteZeroes, Discard],
            Self::Misdirect { .. }
            | Self::Short { .. }
            | Self::Stale { .. }
            | Self::Zero { .. } => &[Read],
            Self::Replay(_) => &[Write, WriteZeroes, Discard],
            Self::Unsupported => &[WriteZeroes, Flush, BlockStatus, Discard, Truncate],
            Self::Flush { .. } => &[Flush],
            Self::ReadOnly => &[Open],
            Self::Widen { .. } => &[Discard],
            Self::Length { .. } => &[Length],
            Self::FalseZero | Self::FalseData | Self::Extent { .. } => &[BlockStatus],
        }
    }

    /// Whether it can strike by itself, at a time, where a rule names no operation.
    #[must_use]
    pub fn strikes(&self) -> bool {
        match self {
            Self::Crash(_) | Self::Rollback(_) | Self::Rot { .. } | Self::Unreadable { .. } => true,
            Self::Stuck { stuck, .. } => !matches!(stuck, Stuck::Wire(_)),
            _ => false,
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
