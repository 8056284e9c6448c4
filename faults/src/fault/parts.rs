//! What the faults are made of.

use crate::{
    alteration::{Flip, Run},
    text::SectorShift,
};
use quorate_engine::Errno;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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

/// The part of a write that takes place, in units aligned to the device; or the part of what was not
/// flushed that a crash or a failed flush keeps, in writes from the oldest on.
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

/// What comes of the units of a torn write that do not take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// They hold what they held.
    #[default]
    Old,
    /// They hold what nobody has written; each byte differs from what was to be written.
    Garbage,
}

/// What is seen of a write that does not take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// Nothing.
    #[default]
    Old,
    /// All of it, until the power goes: it never becomes durable.
    New,
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

/// Which bits are stuck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// As many bits of the medium, spread over what the operation touches.
    Bits(u64),
    /// These bits of the medium. A rule with them befalls only operations that touch one of these
    /// bytes, and concerns those that are touched.
    Flips(Vec<Flip>),
    /// These bits of each request, by their offset in it: a wire, not a place.
    Wire(Vec<Flip>),
}

/// What a stuck bit reads as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// One.
    #[default]
    High,
    /// Zero.
    Low,
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

/// What ends a fault that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// Writing there.
    #[default]
    Overwrite,
    /// Nothing: what is written there reads wrong, or not at all.
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

/// An earlier write of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// As many back.
    Back(u64),
    /// The one of this number among the operations of the child.
    Write(u64),
}

/// What a flush leaves of the writes that do not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dirty {
    /// They wait for the next flush.
    Retain,
    /// They are seen until the power goes, and no flush makes them durable.
    MarkClean,
    /// They are gone: what was durable is seen again.
    Revert,
    /// As with `mark-clean`, and every later flush fails.
    Latch,
    /// As with `mark-clean`, and every later operation fails with `ENOMEDIUM`.
    Eject,
    /// The flush succeeds. They wait for one that does what it says.
    Lie,
    /// The flush succeeds. As with `mark-clean`, and the next flush fails, or the close.
    Deferred,
}

/// A power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// What remains of the writes that were not flushed, and of those in flight.
    pub keep: Survivors,
    /// How long the child fails whatever it is asked.
    pub down: Duration,
    /// How the operations fail that are in flight or come while it is down.
    pub errno: Errno,
}

/// What a power cut leaves of the writes that were not flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Some of them, as is drawn when it happens.
    Drawn {
        /// Which writes.
        keep: Kept,
        /// The part of each of these that lands.
        torn: Torn,
        /// Whether sectors that do not land hold garbage.
        rest: Rest,
        /// Whether they land in another order than they were written.
        reorder: bool,
    },
    /// Exactly these bytes, in this order.
    Runs {
        /// What lands.
        runs: Vec<Run>,
        /// What is wrong in it afterwards.
        flips: Vec<Flip>,
    },
}

/// Which of the writes that were not flushed a power cut leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// As many of the oldest as are drawn.
    Prefix,
    /// These.
    Part(Keep),
}

/// The part of each write that lands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Torn {
    /// All of it.
    #[default]
    Whole,
    /// This, in sectors.
    Part(Keep),
}

/// The keys of a power cut, as files have them.
#[derive(Clone, Debug, Default)]
pub struct CrashFields {
    /// Which writes remain.
    pub keep: Option<Kept>,
    /// The part of each that lands.
    pub torn: Option<Torn>,
    /// What comes of the rest of it.
    pub rest: Option<Rest>,
    /// Whether they land in another order.
    pub reorder: Option<bool>,
    /// Exactly what lands, instead of those.
    pub runs: Option<Vec<Run>>,
    /// What is wrong in it.
    pub flips: Option<Vec<Flip>>,
    /// How long the child is down.
    pub down: Option<Duration>,
    /// How operations fail meanwhile.
    pub errno: Option<Errno>,
}

impl TryFrom<CrashFields> for Crash {
    /// What is wanted instead.
    type Error = &'static str;

    fn try_from(fields: CrashFields) -> Result<Self, &'static str> {
        let CrashFields { keep, torn, rest, reorder, runs, flips, down, errno } = fields;
        let is_drawn = keep.is_some() || torn.is_some() || rest.is_some() || reorder.is_some();
        let keep = match runs {
            Some(_) if is_drawn => {
                return Err("no `keep`, `torn`, `rest` or `reorder` beside `runs`");
            }
            Some(runs) => Survivors::Runs { runs, flips: flips.unwrap_or_default() },
            None if flips.is_some() => {
                return Err("`runs` beside `flips`, which are in what lands");
            }
            None => Survivors::Drawn {
                keep: keep.unwrap_or_default(),
                torn: torn.unwrap_or_default(),
                rest: rest.unwrap_or_default(),
                reorder: reorder.unwrap_or_default(),
            },
        };
        let (down, errno) = (down.unwrap_or_default(), errno.unwrap_or(Errno::EIO));
        Ok(Self { keep, down, errno })
    }
}

impl From<&Crash> for CrashFields {
    fn from(crash: &Crash) -> Self {
        let of = Self {
            down: (!crash.down.is_zero()).then_some(crash.down),
            errno: (crash.errno != Errno::EIO).then_some(crash.errno),
            ..Self::default()
        };
        match crash.keep.clone() {
            Survivors::Drawn { keep, torn, rest, reorder } => Self {
                keep: (keep != Kept::None).then_some(keep),
                torn: (torn != Torn::Whole).then_some(torn),
                rest: (rest != Rest::Old).then_some(rest),
                reorder: reorder.then_some(true),
                ..of
            },
            Survivors::Runs { runs, flips } => {
                Self { runs: Some(runs), flips: (!flips.is_empty()).then_some(flips), ..of }
            }
        }
    }
}
