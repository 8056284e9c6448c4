//! Which operations a rule is about, and which sectors its fault leaves in doubt: pure questions.

use crate::{
    alteration::{Alteration, Flip, Run},
    effect::Effect,
    fault::{Amount, Fault, Stuck, Target},
    host::ChildOp,
    rule::{OpKind, Origin, Origins, Place, Rule, When},
    seen::Seen,
};
use quorate_engine::{Sectors, event::SECTOR_BYTES};
use std::{ops::Range, time::Duration};

/// The bytes of the operation that lie where the rule applies, or nothing where it does not.
pub(crate) fn touched(rule: &Rule, op: &ChildOp, seen: &Seen) -> Option<Range<u64>> {
    let Place { sectors, origin, bytes } = &rule.r#where;
    let is_origin = match origin {
        Origins::Any => true,
        Origins::Guest => op.origin == Origin::Guest,
        Origins::Rewrite => op.origin == Origin::Rewrite,
    };
    if !is_origin || bytes.is_some_and(|sizes| op.bytes < sizes.min || sizes.max < op.bytes) {
        return None;
    }
    let mut range = match op.kind {
        // What it adds.
        OpKind::Truncate => seen.length..op.bytes.max(seen.length),
        _ => op.range(),
    };
    if let Some(sectors) = sectors {
        range.start = range.start.max(sectors.start * SECTOR_BYTES);
        range.end = range.end.min(sectors.end * SECTOR_BYTES);
        if range.start >= range.end {
            return None;
        }
    }
    let is_possible = match &rule.r#do {
        Fault::Corrupt { damage, .. } | Fault::Rot { damage, .. } => {
            let is_hit = match &damage.amount {
                Amount::Flips(flips) => flips.iter().any(|flip| range.contains(&flip.at)),
                _ => damage.at.is_none_or(|at| range.contains(&at)),
            };
            !range.is_empty() && is_hit
        }
        Fault::Misdirect { target, .. } => {
            let end = |to: u64| to.checked_add(range.end - range.start);
            let fits = |to: u64| to != range.start && end(to).is_some_and(|end| end <= seen.length);
            !range.is_empty() && displaced(target, &range).is_some_and(fits)
        }
        Fault::Stuck { stuck, .. } => match stuck {
            Stuck::Bits(_) => !range.is_empty(),
            Stuck::Flips(bits) => bits.iter().any(|bit| range.contains(&bit.at)),
            Stuck::Wire(bits) => {
                let place = |bit: &Flip| op.offset.saturating_add(bit.at);
                bits.iter().any(|bit| range.contains(&place(bit)))
            }
        },
        Fault::Unreadable { at, sectors, .. } => {
            let place = at.map(|at| sectors_from(at, *sectors));
            let is_hit = |place: Range<u64>| place.start < range.end && range.start < place.end;
            !range.is_empty() && place.is_none_or(is_hit)
        }
        Fault::Replay(earlier) => !seen.replayed(*earlier, &range).is_empty(),
        Fault::Rollback(earlier) => seen.rolled_back(*earlier).is_some(),
        Fault::Widen { unit } => widened(*unit, &range, seen.length) != range,
        Fault::Stale { .. } | Fault::Zero { .. } | Fault::Torn { .. } => !range.is_empty(),
        Fault::Short { bytes } => *bytes < op.bytes,
        _ => true,
    };
    is_possible.then_some(range)
}

/// The bytes of a device that a rule strikes, or nothing where it does not.
pub(crate) fn struck(rule: &Rule, seen: &Seen) -> Option<Range<u64>> {
    let sectors = rule.r#where.sectors;
    let range = sectors.map_or(0..seen.length, |sectors| {
        let end = (sectors.end * SECTOR_BYTES).min(seen.length);
        (sectors.start * SECTOR_BYTES).min(end)..end
    });
    let is_possible = match &rule.r#do {
        Fault::Crash(_) => true,
        Fault::Rollback(earlier) => seen.rolled_back(*earlier).is_some(),
        _ => !range.is_empty(),
    };
    is_possible.then_some(range)
}

/// The bytes of as many sectors, from that of a byte on.
pub(crate) fn sectors_from(at: u64, sectors: u64) -> Range<u64> {
    let start = at / SECTOR_BYTES * SECTOR_BYTES;
    start..start.saturating_add(sectors.saturating_mul(SECTOR_BYTES))
}

/// The range, rounded outwards.
pub(crate) fn widened(unit: u64, range: &Range<u64>, length: u64) -> Range<u64> {
    let end = range.end.checked_next_multiple_of(unit).unwrap_or(u64::MAX);
    range.start / unit * unit..end.min(length.max(range.end))
}

/// Where the bytes of the range are misdirected to; nothing below the start of the device.
pub(crate) fn displaced(target: &Target, range: &Range<u64>) -> Option<u64> {
    match target {
        Target::By(shift) => {
            let bytes = shift.0.checked_mul(i64::try_from(SECTOR_BYTES).ok()?)?;
            range.start.checked_add_signed(bytes)
        }
        Target::To(sector) => Some(sector * SECTOR_BYTES + range.start % SECTOR_BYTES),
    }
}

/// Whether the fault is nothing but an answer, of which an operation has one.
pub(crate) fn is_status(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Status { .. } | Fault::Hang { .. } | Fault::Unsupported | Fault::Flush { .. }
    )
}

/// Whether the time is right.
pub(crate) fn is_open(when: &When, now: Duration) -> bool {
    when.window.is_none_or(|window| {
        let Some(since) = now.checked_sub(window.start) else { return false };
        let Some(end) = window.end else { return true };
        let since = match when.period {
            Some(period) => Duration::from_nanos(nanos(since) % nanos(period)),
            None => since,
        };
        since < end - window.start
    })
}

/// Whether the rule is about this very operation, if it is about single ones.
pub(crate) fn is_named(when: &When, op: &ChildOp) -> bool {
    when.operations.is_empty() || when.operations.contains(&op.ordinal)
}

/// Whether the match of this number is one that fires.
pub(crate) fn is_counted(when: &When, matched: u64) -> bool {
    (when.nth.is_empty() || when.nth.contains(&matched))
        && when.every.is_none_or(|every| matched.is_multiple_of(every))
        && when.first.is_none_or(|first| matched <= first)
}

/// The sectors that may be wrong because of this effect.
pub(crate) fn taint(effect: &Effect, op: Option<&ChildOp>, range: &Range<u64>) -> Vec<Sectors> {
    let mut taint = Vec::new();
    if let (Some(applied), Some(op)) = (&effect.applied, op) {
        let mut start = op.offset;
        for piece in applied {
            taint.extend(covering(start..piece.start));
            start = piece.end;
        }
        taint.extend(covering(start..op.range().end));
    }
    for alteration in &effect.alterations {
        tainted(alteration, &mut taint);
        match alteration {
            Alteration::Misdirect { range, to } => {
                let writes = |op: &ChildOp| op.data.is_some() || op.kind == OpKind::WriteZeroes;
                if op.is_some_and(writes) {
                    taint.extend(covering(*to..*to + (range.end - range.start)));
                }
            }
            Alteration::Kind(_) | Alteration::Volatile => taint.extend(covering(range.clone())),
            _ => {}
        }
    }
    taint
}

/// The sectors that may be wrong because of what befell a child by itself.
pub(crate) fn taint_of(alterations: &[Alteration]) -> Vec<Sectors> {
    let mut taint = Vec::new();
    alterations.iter().for_each(|alteration| tainted(alteration, &mut taint));
    taint
}

fn tainted(alteration: &Alteration, taint: &mut Vec<Sectors>) {
    let covered = |runs: &[Run]| -> Vec<Sectors> {
        runs.iter().filter_map(|run| covering(run.range.clone())).collect()
    };
    match alteration {
        Alteration::Flip(flips)
        | Alteration::Rot { flips, .. }
        | Alteration::Force { bits: flips, .. }
        | Alteration::Stuck { bits: flips, .. } => taint.extend(runs(flips)),
        Alteration::Replay(runs) | Alteration::Flush { left: runs, .. } => {
            taint.extend(covered(runs));
        }
        Alteration::Crash { kept, lost, .. } => {
            // What was kept may have landed over what is newer.
            taint.extend(covered(kept));
            taint.extend(covered(lost));
        }
        Alteration::Rollback { ranges, .. } => {
            taint.extend(ranges.iter().cloned().filter_map(covering));
        }
        Alteration::Misdirect { range, .. }
        | Alteration::Stale { range, .. }
        | Alteration::Fill { range, .. }
        | Alteration::Unreadable { range, .. }
        | Alteration::Ghost { range, .. }
        | Alteration::Widen(range) => taint.extend(covering(range.clone())),
        Alteration::Volatile
        | Alteration::Kind(_)
        | Alteration::Short { .. }
        | Alteration::Length { .. }
        | Alteration::Extent { .. }
        | Alteration::ReadOnly => {}
    }
}

fn covering(range: Range<u64>) -> Option<Sectors> {
    (!range.is_empty()).then(|| Sectors::covering(range.start, range.end - range.start))
}

/// The runs of sectors that hold the bytes.
fn runs(flips: &[Flip]) -> Vec<Sectors> {
    let mut runs = Vec::<Sectors>::new();
    for sector in flips.iter().map(|flip| flip.at / SECTOR_BYTES) {
        match runs.last_mut() {
            Some(run) if sector < run.first + run.count => {}
            Some(run) if sector == run.first + run.count => run.count += 1,
            _ => runs.push(Sectors { first: sector, count: 1 }),
        }
    }
    runs
}

/// Simulated time ends after five centuries.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
