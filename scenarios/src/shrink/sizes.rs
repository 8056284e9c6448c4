//! Smaller and rounder places and sizes.

use super::{passes::Candidates, steps};
use crate::model::{Action, Request, Scenario};
use quorate_faults::{
    alteration::Flip,
    fault::{Amount, Damage, Fault, Stuck},
    text::SectorRange,
};
use quorate_reports::Run;

/// All requests the same, all at sectors, or all nearer to the beginning.
pub(super) fn all_at_once(scenario: &Scenario, _: &Run) -> Candidates {
    let changed = |change: &dyn Fn(&mut u64, &mut u64)| {
        let mut other = scenario.clone();
        for action in other.scripts_mut().flatten() {
            if let Some((offset, bytes)) = range_mut(action) {
                change(offset, bytes);
            }
        }
        other
    };
    let mut all = vec![
        changed(&|offset, bytes| (*offset, *bytes) = (0, SECTOR)),
        changed(&|offset, bytes| (*offset, *bytes) = (0, (*bytes).max(1).next_multiple_of(SECTOR))),
        changed(&|_, bytes| *bytes = SECTOR),
        changed(&|offset, bytes| {
            let end = (*offset + *bytes).next_multiple_of(SECTOR);
            *offset -= *offset % SECTOR;
            *bytes = end - *offset;
        }),
    ];
    let mut ranges: Vec<(u64, u64)> = scenario.scripts().flatten().filter_map(range).collect();
    ranges.sort_unstable();
    ranges.dedup();
    all.extend(ranges.iter().map(|&range| changed(&|offset, bytes| (*offset, *bytes) = range)));
    let shift = ranges.first().map_or(0, |range| range.0 - range.0 % SECTOR);
    if shift > 0 {
        all.push(nearer(scenario, shift));
    }
    // Each place at the sector of its rank: what overlaps only by name stays apart.
    let mut starts: Vec<u64> = ranges.iter().map(|range| range.0).collect();
    starts.dedup();
    all.push(changed(&|offset, bytes| {
        let rank = starts.iter().position(|start| start == offset).unwrap_or(0);
        (*offset, *bytes) = (rank as u64 * SECTOR, SECTOR);
    }));
    all
}

/// Each place and each size.
pub(super) fn one_by_one(scenario: &Scenario, _: &Run) -> Candidates {
    let ranges: Vec<(u64, u64)> = scenario.scripts().flatten().filter_map(range).collect();
    steps::each(scenario, |action| {
        let Some((offset, bytes)) = range(action) else { return Vec::new() };
        let end = offset + bytes;
        let half = offset / 2;
        let mut places = vec![
            (0, SECTOR),
            (offset, SECTOR),
            (0, bytes),
            (1, SECTOR),
            (1, bytes),
            (half - half % SECTOR, bytes),
            (offset - offset % SECTOR, bytes),
            (offset, (bytes / 2).next_multiple_of(SECTOR)),
            (offset, bytes.next_multiple_of(SECTOR)),
            (offset - offset % SECTOR, end.next_multiple_of(SECTOR) - (offset - offset % SECTOR)),
            (offset.saturating_sub(SECTOR), bytes),
            (offset, bytes.saturating_sub(SECTOR)),
            (offset, 1),
        ];
        places.extend(ranges.iter().copied());
        let moved = |(new_offset, new_bytes): (u64, u64)| {
            let mut moved = action.clone();
            let (offset, bytes) = range_mut(&mut moved)?;
            (*offset, *bytes) = (new_offset, new_bytes);
            Some(moved)
        };
        places.into_iter().filter(|place| place.1 > 0).filter_map(moved).collect()
    })
}

/// Everything that has a place on the disks nearer to their beginning.
fn nearer(scenario: &Scenario, shift: u64) -> Scenario {
    let mut other = scenario.clone();
    for action in other.scripts_mut().flatten() {
        if let Some((offset, _)) = range_mut(action) {
            *offset = offset.saturating_sub(shift);
        }
    }
    let at = |at: &mut u64| *at = at.saturating_sub(shift);
    let flips = |flips: &mut Vec<Flip>| flips.iter_mut().for_each(|flip| at(&mut flip.at));
    for rule in &mut other.rules {
        if let Some(SectorRange { start, end }) = &mut rule.r#where.sectors {
            *start = start.saturating_sub(shift / SECTOR);
            *end = end.saturating_sub(shift / SECTOR).max(*start + 1);
        }
        match &mut rule.r#do {
            Fault::Corrupt { damage, .. } | Fault::Rot { damage, .. } => {
                let Damage { amount, at: place } = damage;
                place.as_mut().map(at);
                if let Amount::Flips(list) = amount {
                    flips(list);
                }
            }
            Fault::Stuck { stuck: Stuck::Flips(list), .. } => flips(list),
            Fault::Unreadable { at: Some(place), .. } => at(place),
            _ => {}
        }
    }
    other
}

fn range(action: &Action) -> Option<(u64, u64)> {
    let mut action = action.clone();
    range_mut(&mut action).map(|(offset, bytes)| (*offset, *bytes))
}

/// Offset and length of what a step is about.
fn range_mut(action: &mut Action) -> Option<(&mut u64, &mut u64)> {
    match action {
        Action::Corrupt { offset, bytes, .. }
        | Action::Request {
            request:
                Request::Read { offset, bytes }
                | Request::Write { offset, bytes, .. }
                | Request::WriteZeroes { offset, bytes, .. }
                | Request::Discard { offset, bytes }
                | Request::BlockStatus { offset, bytes },
            ..
        } => Some((offset, bytes)),
        _ => None,
    }
}

const SECTOR: u64 = quorate_engine::event::SECTOR_BYTES;
