//! Faults with nothing left to be drawn: what each did in one firing.

use quorate_engine::event::SECTOR_BYTES;
use quorate_faults::{
    alteration::{Alteration, Flip, Run},
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Earlier, Fault, Keep, Rest, Stability, Stuck,
        Survivors,
    },
    host::{ChildOp, Delay, Firing},
};

/// Faults that together do the same to this operation, or by themselves, and draw nothing. `landed` says
/// of a write of the disk how many entries of the record came before its end.
pub(super) fn faults(
    fault: &Fault,
    op: Option<&ChildOp>,
    firing: &Firing,
    landed: impl Fn(u64) -> usize,
) -> Vec<Fault> {
    let fixed = match fault {
        Fault::Status { errno, applied } => {
            Fault::Status { errno: *errno, applied: part(applied, op, firing) }
        }
        Fault::Hang { applied } => Fault::Hang { applied: part(applied, op, firing) },
        Fault::Torn { then, rest: Rest::Garbage, .. } => {
            let garbage = Fault::Corrupt { damage: damage(firing), stability: Stability::Fresh };
            let failed = then.map(|errno| Fault::Status { errno, applied: Applied::All });
            return [garbage].into_iter().chain(failed).collect();
        }
        Fault::Torn { keep, unit, then, rest } => {
            let keep = kept(keep, *unit, op, firing);
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
            let Amount::Flips(bits) = damage(firing).amount else { unreachable!("as it is made") };
            Fault::Stuck { stuck: Stuck::Flips(bits), level: *level }
        }
        Fault::Unreadable { sectors, at: None, radius, errno, heal } => Fault::Unreadable {
            sectors: *sectors,
            at: Some(first_unreadable(*radius, op, firing)),
            radius: *radius,
            errno: *errno,
            heal: *heal,
        },
        Fault::Flush { dirty, errno, keep: Some(Keep::Drawn) } => {
            let keep = Some(flushed(firing, landed));
            Fault::Flush { dirty: *dirty, errno: *errno, keep }
        }
        Fault::Crash(crash) => Fault::Crash(Crash { keep: survivors(firing), ..crash.clone() }),
        Fault::Replay(_) | Fault::Rollback(_) => earlier(fault, firing),
        // These draw nothing.
        Fault::Stuck { .. }
        | Fault::Unreadable { .. }
        | Fault::Flush { .. }
        | Fault::Lost { .. }
        | Fault::Misdirect { .. }
        | Fault::Short { .. }
        | Fault::Stale { .. }
        | Fault::Zero { .. }
        | Fault::ReadOnly
        | Fault::Widen { .. }
        | Fault::Unsupported
        | Fault::Length { .. }
        | Fault::FalseZero
        | Fault::FalseData
        | Fault::Extent { .. } => fault.clone(),
    };
    vec![fixed]
}

/// A byte of the first unreadable sector that is not there for its neighbour's sake.
fn first_unreadable(radius: u64, op: Option<&ChildOp>, firing: &Firing) -> u64 {
    let struck = firing.alterations.iter().find_map(|alteration| match alteration {
        Alteration::Unreadable { range, .. } => Some(range.start),
        _ => None,
    });
    // Below the start of the device there is no neighbour.
    let first = match struck.unwrap_or(0) {
        0 => 0,
        start => start + radius * SECTOR_BYTES,
    };
    op.map_or(first, |op| first.max(op.offset))
}

/// Which of the writes became durable, in the order in which they landed.
fn flushed(firing: &Firing, landed: impl Fn(u64) -> usize) -> Keep {
    let mut units: Vec<(&Run, bool)> = Vec::new();
    for alteration in &firing.alterations {
        if let Alteration::Flush { kept, left, .. } = alteration {
            units.extend(kept.iter().map(|run| (run, true)));
            units.extend(left.iter().map(|run| (run, false)));
        }
    }
    units.sort_by_key(|(run, _)| (landed(run.write), run.range.start));
    let mask = units.into_iter().map(|(_, kept)| kept);
    // A mask has a digit, also where there was nothing to flush.
    let mask: Vec<bool> = mask.collect();
    Keep::Mask(if mask.is_empty() { vec![true] } else { mask })
}

fn survivors(firing: &Firing) -> Survivors {
    let left = firing.alterations.iter().find_map(|alteration| match alteration {
        Alteration::Crash { kept, flips, .. } => Some((kept.clone(), flips.clone())),
        _ => None,
    });
    let (runs, flips) = left.unwrap_or_default();
    Survivors::Runs { runs, flips }
}

/// The same write, by its number.
fn earlier(fault: &Fault, firing: &Firing) -> Fault {
    let of = |alteration: &Alteration| match alteration {
        Alteration::Replay(runs) => Some(Fault::Replay(Earlier::Write(runs.first()?.write))),
        Alteration::Rollback { write, .. } => Some(Fault::Rollback(Earlier::Write(*write))),
        _ => None,
    };
    firing.alterations.iter().find_map(of).unwrap_or_else(|| fault.clone())
}

fn part(applied: &Applied, op: Option<&ChildOp>, firing: &Firing) -> Applied {
    match applied {
        Applied::None | Applied::All => applied.clone(),
        Applied::Part(keep) => Applied::Part(kept(keep, SECTOR_BYTES, op, firing)),
    }
}

/// The units that took place.
fn kept(keep: &Keep, unit: u64, op: Option<&ChildOp>, firing: &Firing) -> Keep {
    let (Keep::Drawn, Some(op)) = (keep, op) else { return keep.clone() };
    let applied = firing.applied.as_deref().unwrap_or_default();
    let first = op.offset / unit;
    let count = op.range().end.div_ceil(unit) - first;
    let is_kept = |number: u64| {
        let at = ((first + number) * unit).max(op.offset);
        applied.iter().any(|range| range.contains(&at))
    };
    // A mask has a digit, also where the operation is about nothing.
    Keep::Mask((0..count.max(1)).map(is_kept).collect())
}

/// The bytes that were altered.
fn damage(firing: &Firing) -> Damage {
    let flips: Vec<Flip> = firing
        .alterations
        .iter()
        .flat_map(|alteration| match alteration {
            Alteration::Flip(flips)
            | Alteration::Rot { flips, .. }
            | Alteration::Stuck { bits: flips, .. } => flips.clone(),
            _ => Vec::new(),
        })
        .collect();
    Damage { amount: Amount::Flips(flips), at: None }
}
