//! The table of a fault: one flat struct with the keys of every kind.
//!
//! A tagged enum of serde's own would read the table into a buffer first and lose the positions of
//! what is wrong inside it. A flat struct keeps them; which key belongs to which kind is checked
//! here.

mod write;

use super::{
    Amount, Applied, Crash, CrashFields, Damage, Delaying, Dirty, Dist, Earlier, Fault, Heal, Keep,
    Kept, Level, Rest, Shows, Stability, Stuck, Target, Torn,
    words::{AppliedText, Then},
};
use crate::{
    alteration::{Flip, Run},
    text::{SectorShift, Size, Text},
};
use quorate_engine::Errno;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A table that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FaultError {
    /// The key belongs to another kind.
    #[error("`{key}` is not a key of fault \"{fault}\", which takes {takes}")]
    Foreign {
        /// The word of the fault.
        fault: &'static str,
        /// The key.
        key: &'static str,
        /// The keys that it takes.
        takes: String,
    },
    /// A key is missing.
    #[error("fault \"{fault}\" wants {wants}")]
    Missing {
        /// The word of the fault.
        fault: &'static str,
        /// The key, and what to write there.
        wants: &'static str,
    },
}

macro_rules! fields {
    ($($(#[$attribute:meta])* $key:ident: $kind:ty,)+) => {
        /// Every key of every fault.
        #[derive(Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table such as { fault = \"zero\" }")]
        pub(super) struct Fields {
            fault: Word,
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $(#[$attribute])*
                $key: Option<$kind>,
            )+
        }

        impl Fields {
            /// The keys that the table has.
            fn given(&self) -> impl Iterator<Item = &'static str> {
                [$(self.$key.is_some().then_some(stringify!($key))),+].into_iter().flatten()
            }
        }
    };
}

fields! {
    errno: Text<Errno>,
    applied: AppliedText,
    dist: Dist,
    min: Text<Duration>,
    max: Text<Duration>,
    mean: Text<Duration>,
    bits: u64,
    bytes: Size,
    sectors: u64,
    flips: Vec<Flip>,
    wire: Vec<Flip>,
    at: u64,
    radius: u64,
    stability: Stability,
    level: Level,
    heal: Heal,
    keep: Kept,
    torn: Torn,
    rest: Rest,
    reorder: bool,
    runs: Vec<Run>,
    down: Text<Duration>,
    unit: Size,
    then: Text<Then>,
    shows: Shows,
    by: SectorShift,
    to: u64,
    lag: u64,
    versions: u64,
    write: u64,
    fill: u8,
    dirty: Dirty,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    Status,
    Delay,
    Hang,
    Corrupt,
    Rot,
    Stuck,
    Unreadable,
    Lost,
    Torn,
    Misdirect,
    Replay,
    Short,
    Stale,
    #[default]
    Zero,
    Flush,
    Crash,
    Rollback,
    Unsupported,
    ReadOnly,
    Widen,
    Length,
    FalseZero,
    FalseData,
    Extent,
}

impl Word {
    /// That of a fault.
    pub(super) fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Status { .. } => Self::Status,
            Fault::Delay(_) => Self::Delay,
            Fault::Hang { .. } => Self::Hang,
            Fault::Corrupt { .. } => Self::Corrupt,
            Fault::Rot { .. } => Self::Rot,
            Fault::Stuck { .. } => Self::Stuck,
            Fault::Unreadable { .. } => Self::Unreadable,
            Fault::Lost { .. } => Self::Lost,
            Fault::Torn { .. } => Self::Torn,
            Fault::Misdirect { .. } => Self::Misdirect,
            Fault::Replay(_) => Self::Replay,
            Fault::Short { .. } => Self::Short,
            Fault::Stale { .. } => Self::Stale,
            Fault::Zero { .. } => Self::Zero,
            Fault::Flush { .. } => Self::Flush,
            Fault::Crash(_) => Self::Crash,
            Fault::Rollback(_) => Self::Rollback,
            Fault::Unsupported => Self::Unsupported,
            Fault::ReadOnly => Self::ReadOnly,
            Fault::Widen { .. } => Self::Widen,
            Fault::Length { .. } => Self::Length,
            Fault::FalseZero => Self::FalseZero,
            Fault::FalseData => Self::FalseData,
            Fault::Extent { .. } => Self::Extent,
        }
    }

    /// The word itself and the keys that go with it.
    pub(super) fn row(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Status => ("status", &["errno", "applied"]),
            Self::Delay => ("delay", &["dist", "min", "max", "mean"]),
            Self::Hang => ("hang", &["applied"]),
            Self::Corrupt => ("corrupt", &["bits", "bytes", "sectors", "flips", "at", "stability"]),
            Self::Rot => ("rot", &["bits", "bytes", "sectors", "flips", "at", "heal"]),
            Self::Stuck => ("stuck", &["bits", "flips", "wire", "level"]),
            Self::Unreadable => ("unreadable", &["sectors", "at", "radius", "errno", "heal"]),
            Self::Lost => ("lost", &["shows"]),
            Self::Torn => ("torn", &["keep", "unit", "then", "rest"]),
            Self::Misdirect => ("misdirect", &["by", "to", "heal"]),
            Self::Replay => ("replay", &["lag", "write"]),
            Self::Short => ("short", &["bytes"]),
            Self::Stale => ("stale", &["versions", "heal"]),
            Self::Zero => ("zero", &["fill", "heal"]),
            Self::Flush => ("flush", &["errno", "dirty", "keep"]),
            Self::Crash => {
                ("crash", &["keep", "torn", "rest", "reorder", "runs", "flips", "down", "errno"])
            }
            Self::Rollback => ("rollback", &["versions", "write"]),
            Self::Unsupported => ("unsupported", &[]),
            Self::ReadOnly => ("read-only", &[]),
            Self::Widen => ("widen", &["unit"]),
            Self::Length => ("length", &["bytes"]),
            Self::FalseZero => ("false-zero", &[]),
            Self::FalseData => ("false-data", &[]),
            Self::Extent => ("extent", &["bytes"]),
        }
    }
}

impl TryFrom<Fields> for Fault {
    type Error = FaultError;

    fn try_from(fields: Fields) -> Result<Self, FaultError> {
        let (fault, keys) = fields.fault.row();
        if let Some(key) = fields.given().find(|key| !keys.contains(key)) {
            return Err(FaultError::Foreign { fault, key, takes: listed(keys) });
        }
        let missing = |wants| FaultError::Missing { fault, wants };
        let bytes = || fields.bytes.map(|size| size.0).ok_or(missing("`bytes`"));
        let errno = fields.errno.map(|errno| errno.0);
        let heal = fields.heal.unwrap_or_default();
        let applied = || fields.applied.clone().map_or(Applied::None, |text| text.0);
        Ok(match fields.fault {
            Word::Status => {
                let errno = errno.ok_or(missing("`errno`, a name such as \"EIO\""))?;
                Self::Status { errno, applied: applied() }
            }
            Word::Delay => Self::Delay(fields.delaying()?),
            Word::Hang => Self::Hang { applied: applied() },
            Word::Corrupt => {
                let stability = fields.stability.unwrap_or_default();
                Self::Corrupt { damage: fields.damage()?, stability }
            }
            Word::Rot => Self::Rot { damage: fields.damage()?, heal },
            Word::Stuck => {
                let stuck = match (fields.bits, &fields.flips, &fields.wire) {
                    (Some(bits), None, None) => Stuck::Bits(bits),
                    (None, Some(flips), None) => Stuck::Flips(flips.clone()),
                    (None, None, Some(wire)) => Stuck::Wire(wire.clone()),
                    _ => return Err(missing("exactly one of `bits`, `flips` and `wire`")),
                };
                Self::Stuck { stuck, level: fields.level.unwrap_or_default() }
            }
            Word::Unreadable => Self::Unreadable {
                sectors: fields.sectors.unwrap_or(1),
                at: fields.at,
                radius: fields.radius.unwrap_or(0),
                errno: errno.unwrap_or(Errno::EIO),
                heal,
            },
            Word::Lost => Self::Lost { shows: fields.shows.unwrap_or_default() },
            Word::Torn => Self::Torn {
                keep: fields.part()?.ok_or(missing("`keep`, such as { prefix = 1 }"))?,
                unit: fields.unit.map_or(UNIT_BYTES, |size| size.0),
                then: fields.then.and_then(|text| text.0.0),
                rest: fields.rest.unwrap_or_default(),
            },
            Word::Misdirect => Self::Misdirect {
                target: match (fields.by, fields.to) {
                    (Some(by), None) => Target::By(by),
                    (None, Some(to)) => Target::To(to),
                    _ => return Err(missing("exactly one of `by` and `to`, in sectors")),
                },
                heal: fields.heal,
            },
            Word::Replay => Self::Replay(match (fields.lag, fields.write) {
                (lag, None) => Earlier::Back(lag.unwrap_or(1)),
                (None, Some(write)) => Earlier::Write(write),
                _ => return Err(missing("at most one of `lag` and `write`")),
            }),
            Word::Short => Self::Short { bytes: bytes()? },
            Word::Stale => {
                Self::Stale { versions: fields.versions.unwrap_or(1), heal: fields.heal }
            }
            Word::Zero => Self::Zero { fill: fields.fill.unwrap_or(0), heal: fields.heal },
            Word::Flush => fields.flush()?,
            Word::Crash => Self::Crash(fields.crash()?),
            Word::Rollback => Self::Rollback(match (fields.versions, fields.write) {
                (Some(versions), None) => Earlier::Back(versions),
                (None, Some(write)) => Earlier::Write(write),
                _ => return Err(missing("exactly one of `versions` and `write`")),
            }),
            Word::Unsupported => Self::Unsupported,
            Word::ReadOnly => Self::ReadOnly,
            Word::Widen => {
                Self::Widen { unit: fields.unit.ok_or(missing("`unit`, such as \"4KiB\""))?.0 }
            }
            Word::Length => Self::Length { bytes: bytes()? },
            Word::FalseZero => Self::FalseZero,
            Word::FalseData => Self::FalseData,
            Word::Extent => Self::Extent { bytes: bytes()? },
        })
    }
}

impl Fields {
    fn missing<T>(&self, wants: &'static str) -> Result<T, FaultError> {
        Err(FaultError::Missing { fault: self.fault.row().0, wants })
    }

    fn damage(&self) -> Result<Damage, FaultError> {
        let amounts = [
            self.bits.map(Amount::Bits),
            self.bytes.map(|bytes| Amount::Bytes(bytes.0)),
            self.sectors.map(Amount::Sectors),
            self.flips.clone().map(Amount::Flips),
        ];
        let mut given = amounts.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(Amount::Flips(_)), _) if self.at.is_some() => {
                self.missing("no `at` beside `flips`, which says where")
            }
            (Some(amount), None) => Ok(Damage { amount, at: self.at }),
            _ => self.missing("exactly one of `bits`, `bytes`, `sectors` and `flips`"),
        }
    }

    /// What is kept, where only a part can be.
    fn part(&self) -> Result<Option<Keep>, FaultError> {
        match self.keep.clone() {
            None => Ok(None),
            Some(Kept::Part(keep)) => Ok(Some(keep)),
            Some(_) => self.missing("a table for `keep`, such as { prefix = 1 }"),
        }
    }

    fn flush(&self) -> Result<Fault, FaultError> {
        let errno = self.errno.map(|errno| errno.0);
        let Some(dirty) = self.dirty else {
            return self.missing("`dirty`, what becomes of the writes, such as \"mark-clean\"");
        };
        match (dirty, errno) {
            (Dirty::Lie, Some(_)) => self.missing("no `errno` with dirty \"lie\""),
            (Dirty::Lie, None) | (_, Some(_)) => {
                Ok(Fault::Flush { dirty, errno, keep: self.part()? })
            }
            (_, None) => self.missing("`errno`, a name such as \"EIO\""),
        }
    }

    fn crash(&self) -> Result<Crash, FaultError> {
        let fields = CrashFields {
            keep: self.keep.clone(),
            torn: self.torn.clone(),
            rest: self.rest,
            reorder: self.reorder,
            runs: self.runs.clone(),
            flips: self.flips.clone(),
            down: self.down.map(|time| time.0),
            errno: self.errno.map(|errno| errno.0),
        };
        Crash::try_from(fields).or_else(|wants| self.missing(wants))
    }

    fn delaying(&self) -> Result<Delaying, FaultError> {
        let [min, max, mean] = [&self.min, &self.max, &self.mean].map(|time| time.map(|t| t.0));
        let missing = |wants| FaultError::Missing { fault: "delay", wants };
        match (
            self.dist.ok_or(missing("`dist`: \"fixed\", \"uniform\" or \"exp\""))?,
            min,
            max,
            mean,
        ) {
            (Dist::Fixed, Some(min), None, None) => Ok(Delaying::Fixed(min)),
            (Dist::Fixed, ..) => Err(missing("`min` and no other time with dist \"fixed\"")),
            (Dist::Uniform, Some(min), Some(max), None) => Ok(Delaying::Uniform { min, max }),
            (Dist::Uniform, ..) => Err(missing("`min` and `max` with dist \"uniform\"")),
            (Dist::Exp, min, max, Some(mean)) => {
                Ok(Delaying::Exp { min: min.unwrap_or_default(), mean, max })
            }
            (Dist::Exp, ..) => Err(missing("`mean` with dist \"exp\"")),
        }
    }
}

fn listed(keys: &[&str]) -> String {
    match keys {
        [] => "no further key".into(),
        keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
    }
}

const UNIT_BYTES: u64 = 512;
