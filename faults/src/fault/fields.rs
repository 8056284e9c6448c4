//! The table of a fault: one flat struct with the keys of every kind.
//!
//! A tagged enum of serde's own would read the table into a buffer first and lose the positions of
//! what is wrong inside it. A flat struct keeps them; which key belongs to which kind is checked
//! here.

use super::{
    Amount, Applied, Damage, Delaying, Dist, Fault, Heal, Stability, Target,
    words::{AppliedText, KeepText, Then},
};
use crate::{
    alteration::Flip,
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
    at: u64,
    stability: Stability,
    heal: Heal,
    keep: KeepText,
    unit: Size,
    then: Text<Then>,
    by: SectorShift,
    to: u64,
    versions: u64,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Status,
    Delay,
    Hang,
    Corrupt,
    Rot,
    Lost,
    Torn,
    Misdirect,
    Short,
    Stale,
    #[default]
    Zero,
    Unsupported,
    Length,
    FalseZero,
    FalseData,
}

impl Word {
    /// The word itself and the keys that go with it.
    fn row(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Status => ("status", &["errno", "applied"]),
            Self::Delay => ("delay", &["dist", "min", "max", "mean"]),
            Self::Hang => ("hang", &["applied"]),
            Self::Corrupt => ("corrupt", &["bits", "bytes", "sectors", "flips", "at", "stability"]),
            Self::Rot => ("rot", &["bits", "bytes", "sectors", "flips", "at", "heal"]),
            Self::Lost => ("lost", &[]),
            Self::Torn => ("torn", &["keep", "unit", "then"]),
            Self::Misdirect => ("misdirect", &["by", "to"]),
            Self::Short => ("short", &["bytes"]),
            Self::Stale => ("stale", &["versions"]),
            Self::Zero => ("zero", &[]),
            Self::Unsupported => ("unsupported", &[]),
            Self::Length => ("length", &["bytes"]),
            Self::FalseZero => ("false-zero", &[]),
            Self::FalseData => ("false-data", &[]),
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
        let delaying = fields.delaying();
        let applied = fields.applied.map_or(Applied::None, |text| text.0);
        let bytes = fields.bytes.map(|size| size.0);
        let damage = || {
            let amounts = [
                fields.bits.map(Amount::Bits),
                bytes.map(Amount::Bytes),
                fields.sectors.map(Amount::Sectors),
                fields.flips.clone().map(Amount::Flips),
            ];
            let mut given = amounts.into_iter().flatten();
            match (given.next(), given.next()) {
                (Some(Amount::Flips(_)), _) if fields.at.is_some() => {
                    Err(missing("no `at` beside `flips`, which says where"))
                }
                (Some(amount), None) => Ok(Damage { amount, at: fields.at }),
                _ => Err(missing("exactly one of `bits`, `bytes`, `sectors` and `flips`")),
            }
        };
        Ok(match fields.fault {
            Word::Status => {
                let errno = fields.errno.ok_or(missing("`errno`, a name such as \"EIO\""))?;
                Self::Status { errno: errno.0, applied }
            }
            Word::Delay => Self::Delay(delaying?),
            Word::Hang => Self::Hang { applied },
            Word::Corrupt => {
                Self::Corrupt { damage: damage()?, stability: fields.stability.unwrap_or_default() }
            }
            Word::Rot => Self::Rot { damage: damage()?, heal: fields.heal.unwrap_or_default() },
            Word::Lost => Self::Lost,
            Word::Torn => Self::Torn {
                keep: fields.keep.ok_or(missing("`keep`, such as { prefix = 1 }"))?.into(),
                unit: fields.unit.map_or(UNIT_BYTES, |size| size.0),
                then: fields.then.and_then(|text| text.0.0),
            },
            Word::Misdirect => Self::Misdirect(match (fields.by, fields.to) {
                (Some(by), None) => Target::By(by),
                (None, Some(to)) => Target::To(to),
                _ => return Err(missing("exactly one of `by` and `to`, in sectors")),
            }),
            Word::Short => Self::Short { bytes: bytes.ok_or(missing("`bytes`"))? },
            Word::Stale => Self::Stale { versions: fields.versions.unwrap_or(1) },
            Word::Zero => Self::Zero,
            Word::Unsupported => Self::Unsupported,
            Word::Length => Self::Length { bytes: bytes.ok_or(missing("`bytes`"))? },
            Word::FalseZero => Self::FalseZero,
            Word::FalseData => Self::FalseData,
        })
    }
}

impl Fields {
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

    fn of(fault: Word) -> Self {
        Self { fault, ..Self::default() }
    }

    fn with_damage(self, damage: &Damage) -> Self {
        let with = Self { at: damage.at, ..self };
        match &damage.amount {
            Amount::Bits(bits) => Self { bits: Some(*bits), ..with },
            Amount::Bytes(bytes) => Self { bytes: Some(Size(*bytes)), ..with },
            Amount::Sectors(sectors) => Self { sectors: Some(*sectors), ..with },
            Amount::Flips(flips) => Self { flips: Some(flips.clone()), ..with },
        }
    }
}

impl From<&Fault> for Fields {
    fn from(fault: &Fault) -> Self {
        let applied =
            |applied: &Applied| (*applied != Applied::None).then(|| AppliedText(applied.clone()));
        match fault {
            Fault::Status { errno, applied: part } => {
                Self { errno: Some(Text(*errno)), applied: applied(part), ..Self::of(Word::Status) }
            }
            Fault::Delay(delaying) => {
                let (dist, [min, max, mean]) = delaying.fields();
                Self { dist: Some(dist), min, max, mean, ..Self::of(Word::Delay) }
            }
            Fault::Hang { applied: part } => {
                Self { applied: applied(part), ..Self::of(Word::Hang) }
            }
            Fault::Corrupt { damage, stability } => {
                Self { stability: Some(*stability), ..Self::of(Word::Corrupt) }.with_damage(damage)
            }
            Fault::Rot { damage, heal } => {
                Self { heal: Some(*heal), ..Self::of(Word::Rot) }.with_damage(damage)
            }
            Fault::Lost => Self::of(Word::Lost),
            Fault::Torn { keep, unit, then } => Self {
                keep: Some(keep.clone().into()),
                unit: Some(Size(*unit)),
                then: Some(Text(Then(*then))),
                ..Self::of(Word::Torn)
            },
            Fault::Misdirect(Target::By(by)) => Self { by: Some(*by), ..Self::of(Word::Misdirect) },
            Fault::Misdirect(Target::To(to)) => Self { to: Some(*to), ..Self::of(Word::Misdirect) },
            Fault::Short { bytes } => Self { bytes: Some(Size(*bytes)), ..Self::of(Word::Short) },
            Fault::Stale { versions } => {
                Self { versions: Some(*versions), ..Self::of(Word::Stale) }
            }
            Fault::Zero => Self::of(Word::Zero),
            Fault::Unsupported => Self::of(Word::Unsupported),
            Fault::Length { bytes } => Self { bytes: Some(Size(*bytes)), ..Self::of(Word::Length) },
            Fault::FalseZero => Self::of(Word::FalseZero),
            Fault::FalseData => Self::of(Word::FalseData),
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
