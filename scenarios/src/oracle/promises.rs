//! What may be relied on as long as faults stay within what the threshold tolerates, and what nobody
//! may do in any case: change bytes that nobody asked to change.

use super::{
    calls::writes,
    case::Case,
    cells::{changes, common, index, only},
    way::Way,
};
use crate::model::{Action, Promises};
use quorate_engine::Event;
use quorate_faults::alteration::Alteration;
use quorate_reports::{GuestOp, Violation, What};
use std::ops::Range;

/// Whether every request is inside of what the threshold tolerates, where the scenario says so.
pub(super) fn promise(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if case.scenario.expect.promises != Promises::Correct {
        return;
    }
    let outside = case.requests.iter().zip(&case.ledger.standings);
    let outside = outside.filter_map(|(asked, standing)| Some((asked, standing.outside?)));
    // Behind a request that was given up some operations may be anybody's, and count for everybody.
    let outside = outside.filter(|(_, outside)| outside.at < case.first_drop());
    if let Some((asked, outside)) = outside.min_by_key(|(_, outside)| outside.at) {
        let threshold = case.scenario.array.vote_threshold;
        let reason = format!(
            "The scenario promises more than it keeps: {} of {} children have a part in this \
             request that failed or may be wrong, and {threshold} must agree.",
            outside.suspects, outside.children
        );
        let (id, at) = (Some(asked.id), Some(outside.at));
        violations.push(Case::violation("promise", id, at, reason));
    }
}

pub(super) fn blame(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let nested = &case.scenario.array.inner;
    for (at, entry) in case.notable() {
        let What::Event(Event::ReportBad { node_name: name, .. }) = &entry.what else { continue };
        let reason = match case.disk(name) {
            None if nested.iter().any(|inner| inner.name == name.as_str()) => continue,
            Some(disk) if !nested.is_empty() || case.belonged(disk, at) => {
                let place = entry.request.and_then(|id| case.place(id));
                let promised = match case.scenario.expect.promises {
                    Promises::Conforming => false,
                    Promises::Correct => true,
                    // Behind a request that was given up the report may be another one's.
                    Promises::Within => {
                        let inside = |place: usize| case.ledger.standings[place].outside.is_none();
                        at < case.first_drop() && place.is_none_or(inside)
                    }
                };
                if !promised || guilty(case, disk, at, place) {
                    continue;
                }
                format!("{name} was reported, and nothing was wrong with its part.")
            }
            _ => format!("{name} was reported, and is no child of the array."),
        };
        violations.push(Case::violation("blame", entry.request, Some(at), reason));
    }
}

/// Whether something was wrong with a part that this disk had in the request, or it was removed.
fn guilty(case: &Case<'_>, disk: u32, at: usize, place: Option<usize>) -> bool {
    let before = case.calls.all.partition_point(|call| call.submitted < at);
    let ledger = &case.ledger;
    // Whose request it was that helped one that was given up, nobody can say.
    let any = case.first_drop() < at;
    let guilty = (0..before).rev().any(|call| {
        ledger.suspects[call]
            && case.calls.all[call].call.child == disk
            && (any || ledger.owners[call] == place)
    });
    guilty || case.removed_before(disk, at)
}

/// Bytes outside every write, on every disk and but for where faults may have led them.
pub(super) fn untouched(case: &Case<'_>, violations: &mut Vec<Violation>) {
    // Whose bytes were read around a write nobody can say where requests were given up.
    let is_padded = case.disks.iter().any(|disk| disk.limits.request_alignment > 1);
    if is_padded && case.first_drop() < usize::MAX {
        return;
    }
    let asked: Vec<Range<u64>> =
        case.requests.iter().filter_map(|asked| changes(case, asked.op)).collect();
    let mut touched = vec![asked; case.disks.len()];
    for (place, call) in case.calls.all.iter().enumerate() {
        if !writes(call.call.kind) {
            continue;
        }
        let own = &mut touched[call.call.child as usize];
        // Which repairs there must be, and with which bytes, is for others to say.
        if let Some(GuestOp::Read { offset, bytes }) =
            case.ledger.owners[place].map(|owner| case.requests[owner].op)
        {
            let whole = call.range();
            // Where another may have asked for it, that one's bytes may be meant.
            own.push(match case.ledger.sure[place] {
                true => common(&whole, &(*offset..offset + bytes)),
                false => whole,
            });
        }
        if case.ledger.spoils(place) {
            own.push(call.range());
        }
        for (_, firing) in call.faults(case) {
            for alteration in &firing.alterations {
                // What lies over the medium is not seen in the end; answers change nothing; and what comes
                // again or is lost was written there once.
                match Way::of(alteration) {
                    Way::Astray(range, to) => own.push(to..to + (range.end - range.start)),
                    Way::Altered(flips) => {
                        own.extend(flips.iter().map(|flip| flip.at..flip.at + 1));
                    }
                    Way::None => {}
                }
            }
        }
    }
    // A power cut may leave garbage of what was written around a request, too.
    for (_, entry) in case.notable() {
        let What::Injected { child, firing, .. } = &entry.what else { continue };
        for alteration in &firing.alterations {
            if let Alteration::Crash { flips, .. } = alteration {
                let garbage = flips.iter().map(|flip| flip.at..flip.at + 1);
                touched[*child as usize].extend(garbage);
            }
        }
    }
    for action in case.scenario.scripts().flatten() {
        if let Action::Corrupt { child, offset, bytes, .. } = action {
            touched[*child as usize].push(*offset..offset + bytes);
        }
    }
    for ((disk, image), touched) in (0..).zip(&case.finished.media).zip(touched) {
        let fill = case.disks[disk].fill;
        if let Some(at) = changed_outside(image, touched, fill) {
            let reason = format!("Byte {at} of c{disk} has changed, and nobody asked for that.");
            violations.push(Case::violation("buffers", None, None, reason));
        }
    }
}

/// The first byte outside the ranges that is not `fill`. Where nothing takes memory, nothing changed.
fn changed_outside(
    image: &quorate_engine::Image,
    mut touched: Vec<Range<u64>>,
    fill: u8,
) -> Option<u64> {
    touched.sort_by_key(|range| (range.start, range.end));
    let mut ranges = touched.into_iter().peekable();
    let mut touched_to = 0;
    for (start, page) in image.pages() {
        let end = image.bytes().min(start + page.len() as u64);
        let mut at = start;
        while at < end {
            while let Some(range) = ranges.next_if(|range| range.start <= at.max(touched_to)) {
                touched_to = touched_to.max(range.end);
            }
            if at < touched_to {
                at = touched_to;
                continue;
            }
            let stop = ranges.peek().map_or(end, |range| range.start.min(end));
            let bytes = &page[index(at - start)..index(stop - start)];
            if !only(fill, bytes) {
                let found = bytes.iter().position(|byte| *byte != fill).unwrap_or_default();
                return Some(at + found as u64);
            }
            at = stop;
        }
    }
    None
}
