//! Faults that could not do anything.

use super::{Complaint, SECTOR_BYTES};
use crate::{
    alteration::Flip,
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Earlier, Fault, Keep, Kept, Stuck, Survivors,
        Target,
    },
    rule::Rule,
    text::{SectorRange, SectorShift},
};

/// Why the fault of a rule can do nothing, if it cannot.
pub(super) fn do_fault(rule: &Rule) -> Option<Complaint> {
    let nothing = "does nothing";
    let complaint = match &rule.r#do {
        Fault::Corrupt { damage, .. } | Fault::Rot { damage, .. } => damage_fault(rule, damage),
        Fault::Stuck { stuck, .. } => stuck_fault(rule, stuck),
        Fault::Unreadable { sectors: 0, .. } => Some(("do.sectors", nothing, "count from 1")),
        Fault::Unreadable { at: Some(at), .. } => place_fault(rule, *at),
        Fault::Unreadable { radius, .. } if *radius > u64::MAX / SECTOR_BYTES => {
            Some(("do.radius", "lies beyond every device", "count in sectors of 512 bytes"))
        }
        Fault::Delay(Delaying::Uniform { min, max }) if min > max => {
            Some(("do.max", "is below `min`", "put the smaller time in `min`"))
        }
        Fault::Delay(Delaying::Exp { min, mean, .. }) if mean <= min => {
            Some(("do.mean", "is not above `min`", "the mean includes `min`"))
        }
        Fault::Delay(Delaying::Exp { min, max: Some(max), .. }) if max < min => {
            Some(("do.max", "is below `min`", "put the smaller time in `min`"))
        }
        Fault::Torn { unit: 0, .. } | Fault::Widen { unit: 0 } => {
            Some(("do.unit", "is 0", "write 512 or 4096"))
        }
        Fault::Misdirect { target: Target::By(SectorShift(0)), .. } => {
            Some(("do.by", nothing, "name a distance, such as \"+8\""))
        }
        Fault::Misdirect { target: Target::To(to), .. } if *to > u64::MAX / SECTOR_BYTES => {
            Some(("do.to", "lies beyond every device", "count in sectors of 512 bytes"))
        }
        Fault::Stale { versions: 0, .. } | Fault::Rollback(Earlier::Back(0)) => {
            Some(("do.versions", nothing, "count from 1"))
        }
        Fault::Replay(Earlier::Back(0)) => Some(("do.lag", nothing, "count from 1")),
        Fault::Replay(Earlier::Write(0)) => {
            Some(("do.write", "is no operation", "operations of a disk count from 1"))
        }
        Fault::Crash(Crash { keep: Survivors::Runs { flips, .. }, .. }) if !flips.is_empty() => {
            flips_fault("do.flips", flips, None)
        }
        _ => None,
    };
    let keep = match &rule.r#do {
        Fault::Torn { keep, .. }
        | Fault::Status { applied: Applied::Part(keep), .. }
        | Fault::Hang { applied: Applied::Part(keep) }
        | Fault::Flush { keep: Some(keep), .. } => Some(keep),
        Fault::Crash(Crash { keep: Survivors::Drawn { keep: Kept::Part(keep), .. }, .. }) => {
            Some(keep)
        }
        _ => None,
    };
    let is_void = |keep: &Keep| matches!(keep, Keep::Mask(mask) if mask.is_empty());
    let void = keep.is_some_and(is_void);
    complaint.or(void.then_some(("do", "has an empty mask", "write one digit for each unit")))
}

fn damage_fault(rule: &Rule, damage: &Damage) -> Option<Complaint> {
    match &damage.amount {
        Amount::Bits(0) | Amount::Bytes(0) | Amount::Sectors(0) => {
            let remedy = "count `bits`, `bytes` or `sectors` from 1";
            Some(("do", "damages nothing", remedy))
        }
        Amount::Flips(flips) => flips_fault("do.flips", flips, rule.r#where.sectors),
        _ => place_fault(rule, damage.at?),
    }
}

fn stuck_fault(rule: &Rule, stuck: &Stuck) -> Option<Complaint> {
    match stuck {
        Stuck::Bits(0) => Some(("do.bits", "does nothing", "count from 1")),
        Stuck::Bits(_) => None,
        Stuck::Flips(flips) => flips_fault("do.flips", flips, rule.r#where.sectors),
        Stuck::Wire(wire) => flips_fault("do.wire", wire, None),
    }
}

/// Whether a byte of the device lies where the rule applies.
fn place_fault(rule: &Rule, at: u64) -> Option<Complaint> {
    let sectors = rule.r#where.sectors?;
    let at = at / SECTOR_BYTES;
    let is_outside = at < sectors.start || sectors.end <= at;
    let remedy = "`at` counts bytes from the start of the device, `sectors` sectors of 512";
    is_outside.then_some(("do.at", "lies outside of `where.sectors`", remedy))
}

fn flips_fault(
    key: &'static str,
    flips: &[Flip],
    sectors: Option<SectorRange>,
) -> Option<Complaint> {
    if flips.is_empty() || flips.iter().any(|flip| flip.mask == 0) {
        let remedy = "write pairs of an offset and a mask from 1 to 255, such as [[600, 4]]";
        return Some((key, "has no bits", remedy));
    }
    if flips.windows(2).any(|pair| pair[0].at >= pair[1].at) {
        return Some((key, "is out of order", "list each byte once, in ascending order"));
    }
    let sectors = sectors?;
    let is_inside = |flip: &Flip| (sectors.start..sectors.end).contains(&(flip.at / SECTOR_BYTES));
    let remedy = "`flips` counts bytes from the start of the device, `sectors` sectors of 512";
    let is_outside = !flips.iter().all(is_inside);
    is_outside.then_some((key, "lies outside of `where.sectors`", remedy))
}
