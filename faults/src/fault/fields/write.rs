//! A fault as the table that says it.

use super::{
    super::words::{AppliedText, Then},
    Amount, Applied, Crash, CrashFields, Damage, Earlier, Fault, Fields, Kept, Stuck, Target, Word,
};
use crate::text::{Size, Text};

impl From<&Fault> for Fields {
    fn from(fault: &Fault) -> Self {
        let applied =
            |applied: &Applied| (*applied != Applied::None).then(|| AppliedText(applied.clone()));
        let part = |keep: &_| Kept::Part(Clone::clone(keep));
        let of = Self { fault: Word::of(fault), ..Self::default() };
        match fault {
            Fault::Status { errno, applied: part } => {
                Self { errno: Some(Text(*errno)), applied: applied(part), ..of }
            }
            Fault::Delay(delaying) => {
                let (dist, [min, max, mean]) = delaying.fields();
                Self { dist: Some(dist), min, max, mean, ..of }
            }
            Fault::Hang { applied: part } => Self { applied: applied(part), ..of },
            Fault::Corrupt { damage, stability } => {
                Self { stability: Some(*stability), ..of }.with_damage(damage)
            }
            Fault::Rot { damage, heal } => Self { heal: Some(*heal), ..of }.with_damage(damage),
            Fault::Stuck { stuck, level } => {
                let of = Self { level: Some(*level), ..of };
                match stuck {
                    Stuck::Bits(bits) => Self { bits: Some(*bits), ..of },
                    Stuck::Flips(flips) => Self { flips: Some(flips.clone()), ..of },
                    Stuck::Wire(wire) => Self { wire: Some(wire.clone()), ..of },
                }
            }
            Fault::Unreadable { sectors, at, radius, errno, heal } => Self {
                sectors: Some(*sectors),
                at: *at,
                radius: Some(*radius),
                errno: Some(Text(*errno)),
                heal: Some(*heal),
                ..of
            },
            Fault::Lost { shows } => Self { shows: Some(*shows), ..of },
            Fault::Torn { keep, unit, then, rest } => Self {
                keep: Some(part(keep)),
                unit: Some(Size(*unit)),
                then: Some(Text(Then(*then))),
                rest: Some(*rest),
                ..of
            },
            Fault::Misdirect { target, heal } => match target {
                Target::By(by) => Self { by: Some(*by), heal: *heal, ..of },
                Target::To(to) => Self { to: Some(*to), heal: *heal, ..of },
            },
            Fault::Replay(Earlier::Back(lag)) => Self { lag: Some(*lag), ..of },
            Fault::Replay(Earlier::Write(write)) => Self { write: Some(*write), ..of },
            Fault::Short { bytes } | Fault::Length { bytes } | Fault::Extent { bytes } => {
                Self { bytes: Some(Size(*bytes)), ..of }
            }
            Fault::Stale { versions, heal } => {
                Self { versions: Some(*versions), heal: *heal, ..of }
            }
            Fault::Zero { fill, heal } => {
                Self { fill: (*fill != 0).then_some(*fill), heal: *heal, ..of }
            }
            Fault::Flush { dirty, errno, keep } => Self {
                dirty: Some(*dirty),
                errno: errno.map(Text),
                keep: keep.as_ref().map(part),
                ..of
            },
            Fault::Crash(crash) => of.with_crash(crash),
            Fault::Rollback(Earlier::Back(versions)) => Self { versions: Some(*versions), ..of },
            Fault::Rollback(Earlier::Write(write)) => Self { write: Some(*write), ..of },
            Fault::Widen { unit } => Self { unit: Some(Size(*unit)), ..of },
            Fault::Unsupported | Fault::ReadOnly | Fault::FalseZero | Fault::FalseData => of,
        }
    }
}

impl Fields {
    fn with_damage(self, damage: &Damage) -> Self {
        let with = Self { at: damage.at, ..self };
        match &damage.amount {
            Amount::Bits(bits) => Self { bits: Some(*bits), ..with },
            Amount::Bytes(bytes) => Self { bytes: Some(Size(*bytes)), ..with },
            Amount::Sectors(sectors) => Self { sectors: Some(*sectors), ..with },
            Amount::Flips(flips) => Self { flips: Some(flips.clone()), ..with },
        }
    }

    fn with_crash(self, crash: &Crash) -> Self {
        let CrashFields { keep, torn, rest, reorder, runs, flips, down, errno } = crash.into();
        let (down, errno) = (down.map(Text), errno.map(Text));
        Self { keep, torn, rest, reorder, runs, flips, down, errno, ..self }
    }
}
