//! A fault as the table that says it, without what goes without saying.

use super::{
    super::words::{AppliedText, Then},
    Amount, Applied, Crash, CrashFields, Damage, Earlier, Fault, Fields, Kept, Stuck, Target,
    UNIT_BYTES, Word,
};
use crate::text::{Size, Text};
use quorate_engine::Errno;

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
                Self { stability: unless_default(*stability), ..of }.with_damage(damage)
            }
            Fault::Rot { damage, heal } => {
                Self { heal: unless_default(*heal), ..of }.with_damage(damage)
            }
            Fault::Stuck { stuck, level } => {
                let of = Self { level: unless_default(*level), ..of };
                match stuck {
                    Stuck::Bits(bits) => Self { bits: Some(*bits), ..of },
                    Stuck::Flips(flips) => Self { flips: Some(flips.clone()), ..of },
                    Stuck::Wire(wire) => Self { wire: Some(wire.clone()), ..of },
                }
            }
            Fault::Unreadable { sectors, at, radius, errno, heal } => Self {
                sectors: (*sectors != 1).then_some(*sectors),
                at: *at,
                radius: unless_default(*radius),
                errno: (*errno != Errno::EIO).then_some(Text(*errno)),
                heal: unless_default(*heal),
                ..of
            },
            Fault::Lost { shows } => Self { shows: unless_default(*shows), ..of },
            Fault::Torn { keep, unit, then, rest } => Self {
                keep: Some(part(keep)),
                unit: (*unit != UNIT_BYTES).then_some(Size(*unit)),
                then: then.map(|errno| Text(Then(Some(errno)))),
                rest: unless_default(*rest),
                ..of
            },
            Fault::Misdirect { target, heal } => match target {
                Target::By(by) => Self { by: Some(*by), heal: *heal, ..of },
                Target::To(to) => Self { to: Some(*to), heal: *heal, ..of },
            },
            Fault::Replay(Earlier::Back(lag)) => Self { lag: (*lag != 1).then_some(*lag), ..of },
            Fault::Replay(Earlier::Write(write)) => Self { write: Some(*write), ..of },
            Fault::Short { bytes } | Fault::Length { bytes } | Fault::Extent { bytes } => {
                Self { bytes: Some(Size(*bytes)), ..of }
            }
            Fault::Stale { versions, heal } => {
                Self { versions: (*versions != 1).then_some(*versions), heal: *heal, ..of }
            }
            Fault::Zero { fill, heal } => Self { fill: unless_default(*fill), heal: *heal, ..of },
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

fn unless_default<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}
