//! Faults with nothing left to be drawn: what each did in one firing.

use quorate_engine::SECTOR_BYTES;
use quorate_faults::{
    alteration::{Alteration, Flip},
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Fault, Keep, Rest, Stability, Stuck, Survivors,
    },
    host::{ChildOp, Delay, Firing},
};
use std::ops::Range;

/// One firing of a rule: on an operation, unless it struck by itself.
pub(super) struct Struck<'a> {
    pub(super) child: u32,
    pub(super) op: Option<&'a ChildOp>,
    /// When, in microseconds.
    pub(super) at: u64,
    pub(super) firing: &'a Firing,
}

/// The faults that do the same in this place and draw nothing.
pub(super) fn faults(fault: &Fault, struck: &Struck<'_>) -> Vec<Fault> {
    let firing = struck.firing;
    let one = match fault {
        Fault::Status { errno, applied } => {
            Fault::Status { errno: *errno, applied: part(applied, struck) }
        }
        Fault::Hang { applied } => Fault::Hang { applied: part(applied, struck) },
        Fault::Torn { rest: Rest::Garbage, .. } => return garbage(firing),
        Fault::Torn { keep, unit, then, rest } => {
            let keep = kept(keep, *unit, struck);
            Fault::Torn { keep, unit: *unit, then: *then, rest: *rest }
        }
        Fault::Delay(_) => match firing.delay {
            Delay::After(time) => Fault::Delay(Delaying::Fixed(time)),
            Delay::Never => unreachable!("a delay has an end"),
        },
        Fault::Corrupt { .. } => {
            Fault::Corrupt { damage: damage(firing), stability: Stability::Fresh }
        }
        Fault::Rot { heal, .. } => Fault::Rot { damage: damage(firing), heal: *heal },
        Fault::Stuck { stuck: Stuck::Bits(_), level } => {
            Fault::Stuck { stuck: Stuck::Flips(bits(firing)), level: *level }
        }
        Fault::Unreadable { at: None, errno, heal, .. } => {
            let range = unreadable(firing);
            let (sectors, at) = ((range.end - range.start) / SECTOR_BYTES, Some(range.start));
            Fault::Unreadable { sectors, at, radius: 0, errno: *errno, heal: *heal }
        }
        Fault::Flush { dirty, errno, keep: Some(Keep::Drawn) } => {
            Fault::Flush { dirty: *dirty, errno: *errno, keep: Some(flushed(firing)) }
        }
        Fault::Crash(crash) => Fault::Crash(left(crash, firing)),
        // These draw nothing, or nothing any more.
        Fault::Stuck { .. }
        | Fault::Unreadable { .. }
        | Fault::Flush { .. }
        | Fault::Lost { .. }
        | Fault::Misdirect { .. }
        | Fault::Replay(_)
        | Fault::Short { .. }
        | Fault::Stale { .. }
        | Fault::Zero { .. }
        | Fault::Rollback(_)
        | Fault::ReadOnly
        | Fault::Widen { .. }
        | Fault::Unsupported
        | Fault::Length { .. }
        | Fault::FalseZero
        | Fault::FalseData
        | Fault::Extent { .. } => fault.clone(),
    };
    vec![one]
}

/// A power cut that leaves exactly what this one left.
pub(super) fn left(crash: &Crash, firing: &Firing) -> Crash {
    let keep = firing.alterations.iter().find_map(|alteration| match alteration {
        Alteration::Crash { kept, flips, .. } => {
            Some(Survivors::Runs { runs: kept.clone(), flips: flips.clone() })
        }
        _ => None,
    });
    Crash { keep: keep.unwrap_or_else(|| crash.keep.clone()), ..crash.clone() }
}

fn part(applied: &Applied, struck: &Struck<'_>) -> Applied {
    match applied {
        Applied::None | Applied::All => applied.clone(),
        Applied::Part(keep) => Applied::Part(kept(keep, SECTOR_BYTES, struck)),
    }
}

/// The units that took place.
fn kept(keep: &Keep, unit: u64, struck: &Struck<'_>) -> Keep {
    let (Keep::Drawn, Some(op)) = (keep, struck.op) else { return keep.clone() };
    let applied = struck.firing.applied.as_deref().unwrap_or_default();
    let first = op.offset / unit;
    let count = op.range().end.div_ceil(unit) - first;
    let is_kept = |number: u64| {
        let at = ((first + number) * unit).max(op.offset);
        applied.iter().any(|range| range.contains(&at))
    };
    // A mask has a digit, also where the operation is about nothing.
    Keep::Mask((0..count.max(1)).map(is_kept).collect())
}

/// What a torn write is that leaves garbage: one that is altered, and its answer.
fn garbage(firing: &Firing) -> Vec<Fault> {
    let damage = damage(firing);
    let is_altered = !matches!(&damage.amount, Amount::Flips(flips) if flips.is_empty());
    let altered = Fault::Corrupt { damage, stability: Stability::Fresh };
    let status = firing.status.map(|errno| Fault::Status { errno, applied: Applied::All });
    status.into_iter().chain(is_altered.then_some(altered)).collect()
}

/// The bytes that were altered.
fn damage(firing: &Firing) -> Damage {
    let flips = firing.alterations.iter().flat_map(|alteration| match alteration {
        Alteration::Flip(flips) | Alteration::Rot { flips, .. } => flips.clone(),
        _ => Vec::new(),
    });
    Damage { amount: Amount::Flips(flips.collect()), at: None }
}

/// The bits that are stuck from then on.
fn bits(firing: &Firing) -> Vec<Flip> {
    let stuck = firing.alterations.iter().flat_map(|alteration| match alteration {
        Alteration::Stuck { bits, .. } => bits.clone(),
        _ => Vec::new(),
    });
    stuck.collect()
}

/// The bytes that cannot be read any more.
fn unreadable(firing: &Firing) -> Range<u64> {
    let range = firing.alterations.iter().find_map(|alteration| match alteration {
        Alteration::Unreadable { range, .. } => Some(range.clone()),
        _ => None,
    });
    range.expect("it says what became unreadable")
}

/// The writes that a flush made durable, from the oldest on.
fn flushed(firing: &Firing) -> Keep {
    let marks = firing.alterations.iter().find_map(|alteration| match alteration {
        Alteration::Flush { marks, .. } => Some(marks.clone()),
        _ => None,
    });
    // A mask has a digit, also where nothing is to be made durable.
    let marks = marks.filter(|marks| !marks.is_empty());
    Keep::Mask(marks.unwrap_or_else(|| vec![false]))
}
