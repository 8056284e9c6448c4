//! Faults of every kind, with every key.

use super::{DISK_BYTES, bytes, count, errno, perhaps, pick, some, time};
use arbitrary::{Result, Unstructured};
use quorate_faults::{
    alteration::{Flip, Run},
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Dirty, Earlier, Fault, Heal, Keep, Kept, Level,
        Rest, Shows, Stability, Stuck, Survivors, Target, Torn,
    },
    text::SectorShift,
};

/// A draw of some part.
type Draw<T> = fn(&mut Unstructured<'_>) -> Result<T>;

pub(super) fn fault(from: &mut Unstructured<'_>) -> Result<Fault> {
    let kind: Draw<Fault> = pick(from, KINDS)?;
    kind(from)
}

/// Every kind of fault, the simplest first.
const KINDS: &[Draw<Fault>] = &[
    |from| Ok(Fault::Status { errno: errno(from)?, applied: applied(from)? }),
    |from| Ok(Fault::Corrupt { damage: damage(from)?, stability: pick(from, STABILITIES)? }),
    |from| Ok(Fault::Lost { shows: pick(from, &[Shows::Old, Shows::New])? }),
    |from| Ok(Fault::Zero { fill: from.arbitrary()?, heal: perhaps(from, heal)? }),
    |from| Ok(Fault::Delay(delaying(from)?)),
    |from| Ok(Fault::Rot { damage: damage(from)?, heal: heal(from)? }),
    |from| Ok(Fault::Stuck { stuck: stuck(from)?, level: pick(from, &[Level::High, Level::Low])? }),
    |from| {
        Ok(Fault::Unreadable {
            sectors: count(from)?,
            at: perhaps(from, place)?,
            radius: from.int_in_range(0..=2)?,
            errno: errno(from)?,
            heal: heal(from)?,
        })
    },
    |from| {
        Ok(Fault::Torn {
            keep: keep(from)?,
            unit: pick(from, &[512, 1, 4096])?,
            then: perhaps(from, errno)?,
            rest: rest(from)?,
        })
    },
    |from| {
        let shift = SectorShift(pick(from, &[1, -1, 8, -8])?);
        let target = match perhaps(from, |from| from.int_in_range(0..=15))? {
            None => Target::By(shift),
            Some(sector) => Target::To(sector),
        };
        Ok(Fault::Misdirect { target, heal: perhaps(from, heal)? })
    },
    |from| Ok(Fault::Replay(earlier(from)?)),
    |from| Ok(Fault::Short { bytes: bytes(from, DISK_BYTES)? }),
    |from| Ok(Fault::Stale { versions: count(from)?, heal: perhaps(from, heal)? }),
    flush,
    |from| Ok(Fault::Crash(crash(from)?)),
    |from| Ok(Fault::Rollback(earlier(from)?)),
    |_| Ok(Fault::Unsupported),
    |_| Ok(Fault::FalseZero),
    |_| Ok(Fault::FalseData),
    |from| Ok(Fault::Extent { bytes: bytes(from, DISK_BYTES)? }),
    |from| Ok(Fault::Widen { unit: pick(from, &[512, 4096])? }),
    |from| Ok(Fault::Length { bytes: bytes(from, 2 * DISK_BYTES)? }),
    |_| Ok(Fault::ReadOnly),
    |from| Ok(Fault::Hang { applied: applied(from)? }),
];

fn flush(from: &mut Unstructured<'_>) -> Result<Fault> {
    let dirty = pick(
        from,
        &[
            Dirty::MarkClean,
            Dirty::Retain,
            Dirty::Revert,
            Dirty::Latch,
            Dirty::Eject,
            Dirty::Lie,
            Dirty::Deferred,
        ],
    )?;
    let errno = if dirty == Dirty::Lie { None } else { Some(errno(from)?) };
    Ok(Fault::Flush { dirty, errno, keep: perhaps(from, keep)? })
}

/// A power cut; in a step it has no error of its own.
pub(super) fn crash(from: &mut Unstructured<'_>) -> Result<Crash> {
    let keep = match perhaps(from, |from| some(from, 3, run))? {
        Some(runs) => {
            let flips = perhaps(from, flips)?.unwrap_or_default();
            Survivors::Runs { runs, flips }
        }
        None => Survivors::Drawn {
            keep: match from.int_in_range(0..=3)? {
                0 => Kept::None,
                1 => Kept::All,
                2 => Kept::Prefix,
                _ => Kept::Part(keep(from)?),
            },
            torn: perhaps(from, keep)?.map_or(Torn::Whole, Torn::Part),
            rest: rest(from)?,
            reorder: from.arbitrary()?,
        },
    };
    Ok(Crash { keep, down: time(from)?, errno: errno(from)? })
}

fn run(from: &mut Unstructured<'_>) -> Result<Run> {
    let (write, start) = (from.int_in_range(1..=9)?, place(from)?);
    Ok(Run { write, range: start..start + from.int_in_range(1..=1024)? })
}

fn applied(from: &mut Unstructured<'_>) -> Result<Applied> {
    Ok(match from.int_in_range(0..=3)? {
        0 | 1 => Applied::None,
        2 => Applied::All,
        _ => Applied::Part(keep(from)?),
    })
}

fn keep(from: &mut Unstructured<'_>) -> Result<Keep> {
    Ok(match from.int_in_range(0..=3)? {
        0 => Keep::Prefix(from.int_in_range(0..=4)?),
        1 => Keep::Suffix(from.int_in_range(0..=4)?),
        2 => Keep::Drawn,
        _ => Keep::Mask(some(from, 6, |from| from.arbitrary())?),
    })
}

fn rest(from: &mut Unstructured<'_>) -> Result<Rest> {
    pick(from, &[Rest::Old, Rest::Garbage])
}

fn heal(from: &mut Unstructured<'_>) -> Result<Heal> {
    pick(from, &[Heal::Overwrite, Heal::Never])
}

fn delaying(from: &mut Unstructured<'_>) -> Result<Delaying> {
    let (min, more) = (time(from)?, time(from)?);
    Ok(match from.int_in_range(0..=2)? {
        0 => Delaying::Fixed(min),
        1 => Delaying::Uniform { min, max: min + more },
        _ => Delaying::Exp { min, mean: min + more, max: perhaps(from, |_| Ok(min + 4 * more))? },
    })
}

fn damage(from: &mut Unstructured<'_>) -> Result<Damage> {
    let amount = match from.int_in_range(0..=3)? {
        0 => Amount::Bits(count(from)?),
        1 => Amount::Bytes(count(from)?),
        2 => Amount::Sectors(count(from)?),
        _ => return Ok(Damage { amount: Amount::Flips(flips(from)?), at: None }),
    };
    Ok(Damage { amount, at: perhaps(from, place)? })
}

fn stuck(from: &mut Unstructured<'_>) -> Result<Stuck> {
    Ok(match from.int_in_range(0..=2)? {
        0 => Stuck::Bits(count(from)?),
        1 => Stuck::Flips(flips(from)?),
        _ => Stuck::Wire(flips(from)?),
    })
}

/// Some bits, in the order of their bytes.
fn flips(from: &mut Unstructured<'_>) -> Result<Vec<Flip>> {
    let mut at = place(from)?;
    some(from, 3, |from| {
        let mask = from.int_in_range(1..=255)?;
        at += from.int_in_range(1..=600)?;
        Ok(Flip { at, mask })
    })
}

fn earlier(from: &mut Unstructured<'_>) -> Result<Earlier> {
    Ok(match perhaps(from, count)? {
        Some(write) => Earlier::Write(write),
        None => Earlier::Back(count(from)?),
    })
}

fn place(from: &mut Unstructured<'_>) -> Result<u64> {
    from.int_in_range(0..=DISK_BYTES - 1)
}

const STABILITIES: &[Stability] = &[Stability::Fresh, Stability::Stable];
