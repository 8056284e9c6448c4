//! Faults with nothing left to be drawn: what each did in one firing.

use quorate_engine::event::SECTOR_BYTES;
use quorate_faults::{
    alteration::{Alteration, Flip},
    fault::{Amount, Applied, Damage, Delaying, Fault, Keep, Stability},
    host::{ChildOp, Delay, Firing},
};

/// The fault that does the same to this operation and draws nothing.
pub(super) fn fault(fault: &Fault, op: &ChildOp, firing: &Firing) -> Fault {
    match fault {
        Fault::Status { errno, applied } => {
            Fault::Status { errno: *errno, applied: part(applied, op, firing) }
        }
        Fault::Hang { applied } => Fault::Hang { applied: part(applied, op, firing) },
        Fault::Torn { keep, unit, then } => {
            Fault::Torn { keep: kept(keep, *unit, op, firing), unit: *unit, then: *then }
        }
        Fault::Delay(_) => match firing.delay {
            Delay::After(time) => Fault::Delay(Delaying::Fixed(time)),
            Delay::Never => unreachable!("a delay has an end"),
        },
        Fault::Corrupt { .. } => {
            Fault::Corrupt { damage: damage(firing), stability: Stability::Fresh }
        }
        Fault::Rot { heal, .. } => Fault::Rot { damage: damage(firing), heal: *heal },
        // These draw nothing.
        Fault::Lost
        | Fault::Misdirect(_)
        | Fault::Short { .. }
        | Fault::Stale { .. }
        | Fault::Zero
        | Fault::Unsupported
        | Fault::Length { .. }
        | Fault::FalseZero
        | Fault::FalseData => fault.clone(),
    }
}

fn part(applied: &Applied, op: &ChildOp, firing: &Firing) -> Applied {
    match applied {
        Applied::None | Applied::All => applied.clone(),
        Applied::Part(keep) => Applied::Part(kept(keep, SECTOR_BYTES, op, firing)),
    }
}

/// The units that took place.
fn kept(keep: &Keep, unit: u64, op: &ChildOp, firing: &Firing) -> Keep {
    if *keep != Keep::Drawn {
        return keep.clone();
    }
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
            Alteration::Flip(flips) | Alteration::Rot { flips, .. } => flips.clone(),
            _ => Vec::new(),
        })
        .collect();
    Damage { amount: Amount::Flips(flips), at: None }
}
