//! Whether answers are backed by what children answered, counted from the record without following
//! any request: reads by equal answers, writes and flushes by successes, lengths and zeroes by all.

use super::{
    calls::{Call, writes},
    case::{Asked, Case},
    cells::index,
};
use quorate_engine::{ExtentKind, quorum::options::ReadPattern};
use quorate_faults::rule::OpKind;
use quorate_reports::{Answer, GuestOp, Outcome, Violation, trace::Payload};
use std::ops::Range;

/// Whether the disks take every request of the array as it is.
fn unpadded(case: &Case<'_>) -> bool {
    let length = case.disks[0].bytes;
    let as_is = |disk: &crate::model::DiskSpec| {
        disk.limits.request_alignment == 1 && disk.bytes == length && length.is_multiple_of(512)
    };
    case.scenario.array.inner.is_empty() && case.disks.iter().all(as_is)
}

/// What children were asked between the beginning of a request and its answer.
fn window<'c, 'a>(
    case: &'c Case<'a>,
    asked: &Asked<'_>,
    answered: usize,
) -> impl Iterator<Item = &'c Call<'a>> + Clone + use<'c, 'a> {
    let all = &case.calls.all;
    let first = all.partition_point(|call| call.submitted < asked.invoked);
    let in_time = move |call: &&Call<'_>| call.answered.is_some_and(|(at, _)| at < answered);
    let asked_for = all[first..].iter().take_while(move |call| call.submitted < answered);
    asked_for.filter(in_time)
}

pub(super) fn backing(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if !unpadded(case) || case.scenario.array.read_pattern != ReadPattern::Quorum {
        return;
    }
    let threshold = case.scenario.array.vote_threshold;
    for (place, asked) in case.requests.iter().enumerate() {
        let (GuestOp::Read { offset, bytes }, Some((at, Outcome::Data(Ok(data))))) =
            (asked.op, asked.completed)
        else {
            continue;
        };
        // Where others were given up, nobody can say whose a read was.
        let own = |call: &&Call<'_>| {
            let whole = (call.call.offset, call.call.bytes) == (*offset, *bytes);
            case.ledger.owners[call.place] == Some(place) && case.ledger.sure[call.place] || whole
        };
        let reads = window(case, asked, at).filter(|call| call.call.kind == OpKind::Read);
        let reads = reads.filter(own);
        let mut from = *offset;
        while from < offset + bytes {
            let piece = reads.clone().find(|call| call.call.offset == from && call.call.bytes > 0);
            let end = piece.map_or(offset + bytes, |call| call.range().end).min(offset + bytes);
            let part = index(from - offset)..index(end - offset).min(data.len());
            let payload = match part == (0..data.len()) {
                true => case.finished.trace.payload(at),
                false => Payload::of(&data.slice(part.start.min(part.end)..part.end)),
            };
            let same = reads
                .clone()
                .filter(|call| call.call.offset == from && call.reply() == Some(Ok(payload)));
            let same = same.count();
            if same < threshold {
                let reason = format!(
                    "The {} bytes from {from} on are what {same} children answered; {threshold} \
                     must.",
                    end - from
                );
                violations.push(Case::violation("backing", Some(asked.id), Some(at), reason));
                break;
            }
            from = end;
        }
    }
}

pub(super) fn acknowledgement(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if !unpadded(case) {
        return;
    }
    let threshold = case.scenario.array.vote_threshold;
    for (place, asked) in case.requests.iter().enumerate() {
        let (forced, range) = match asked.op {
            GuestOp::Write { offset, data, flags } => {
                (flags.fua, *offset..offset.saturating_add(data.len() as u64))
            }
            GuestOp::WriteZeroes { offset, bytes, flags } if !flags.no_fallback => {
                (false, *offset..offset.saturating_add(*bytes))
            }
            GuestOp::Flush => (true, 0..0),
            _ => continue,
        };
        // Of a write of nothing no child can be said to hold it.
        if range.is_empty() && !matches!(asked.op, GuestOp::Flush) {
            continue;
        }
        let Some((at, outcome)) = asked.completed else { continue };
        let quiet = case.scenario.array.read_only || case.refused(asked).is_some();
        if quiet {
            continue;
        }
        let own =
            window(case, asked, at).filter(|call| case.ledger.owners[call.place] == Some(place));
        // What one that was given up still does may look like what this one does.
        let sure = own.clone().all(|call| case.ledger.sure[call.place]);
        let own = own.filter(|call| counts(case, call));
        let applied = fewest(own.clone(), range);
        let flushes = own.clone().filter(|call| call.call.kind == OpKind::Flush);
        // Zeroes may be asked for twice, the second time as a write, and flushed, too: each has a vote of its own.
        let zeroes = matches!(asked.op, GuestOp::WriteZeroes { .. });
        let may_fail = zeroes && !own.clone().all(|call| call.call.kind == OpKind::WriteZeroes);
        let flushed = flushes.filter(|call| call.reply().is_some_and(|r| r.is_ok())).count();
        let enough = applied >= threshold && (!forced || flushed >= threshold);
        let least = if forced { applied.min(flushed) } else { applied };
        let reason = match (outcome.error(), enough) {
            (None, false) => {
                format!("Acknowledged, though only {least} children succeeded, of {threshold}.")
            }
            (Some(errno), true) if sure && !may_fail && asked.entries.len() > 1 => {
                format!("Failed with {errno}, though {least} children succeeded.")
            }
            _ => continue,
        };
        violations.push(Case::violation("acknowledgement", Some(asked.id), Some(at), reason));
    }
}

/// Whether an answer came while somebody waited for it: nobody does once the child has left.
fn counts(case: &Case<'_>, call: &Call<'_>) -> bool {
    let answered = call.answered.map_or(usize::MAX, |(at, _)| at);
    !case.removed_within(call.call.child, call.submitted..answered)
}

/// On how many children each byte was written with success, at the least.
fn fewest<'c>(own: impl Iterator<Item = &'c Call<'c>> + Clone, range: Range<u64>) -> usize {
    let mut fewest = usize::MAX;
    let mut from = range.start;
    while from < range.end {
        let (mut children, mut to) = (Vec::new(), range.end);
        for call in own.clone().filter(|call| writes(call.call.kind)) {
            let all = call.range();
            if from < all.start {
                to = to.min(all.start);
            } else if from < all.end {
                to = to.min(all.end);
                let good = call.reply().is_some_and(|reply| reply.is_ok());
                if good && !children.contains(&call.call.child) {
                    children.push(call.call.child);
                }
            }
        }
        fewest = fewest.min(children.len());
        from = to;
    }
    fewest
}

pub(super) fn unanimity(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if !case.scenario.array.inner.is_empty() {
        return;
    }
    for asked in &case.requests {
        let Some((at, outcome)) = asked.completed else { continue };
        let (kind, what) = match (asked.op, outcome) {
            (GuestOp::Length, Outcome::Length(Ok(bytes))) => {
                (OpKind::Length, format!("a length of {bytes}"))
            }
            (GuestOp::BlockStatus { bytes: 1.., .. }, Outcome::Status(Ok(extent)))
                if extent.kind == ExtentKind::Zero =>
            {
                (OpKind::BlockStatus, format!("zeroes for {} bytes", extent.bytes))
            }
            _ => continue,
        };
        let says = |call: &Call<'_>| match (asked.op, outcome, call.answered) {
            (_, Outcome::Length(Ok(want)), Some((_, Answer::Length(Ok(found))))) => {
                found.checked_next_multiple_of(512) == Some(*want)
            }
            (
                GuestOp::BlockStatus { offset, .. },
                Outcome::Status(Ok(want)),
                Some((_, Answer::Status(Ok(found)))),
            ) => {
                let known = (call.call.offset + found.bytes).saturating_sub(*offset);
                found.kind == ExtentKind::Zero && known >= want.bytes
            }
            _ => false,
        };
        let from = if let GuestOp::BlockStatus { offset, .. } = asked.op { *offset } else { 0 };
        for &member in case.members_at(asked.invoked) {
            // Behind its end a child has nothing but zeroes.
            let short = case.disks[member as usize].bytes <= from;
            let stays = case.members_at(at).contains(&member);
            let mut own = window(case, asked, at)
                .filter(|call| (call.call.child, call.call.kind) == (member, kind) && says(call));
            if stays && !short && own.next().is_none() {
                let reason = format!("The answer is {what}, and c{member} has not said so.");
                violations.push(Case::violation("unanimity", Some(asked.id), Some(at), reason));
            }
        }
    }
}

/// Reads of the same bytes, inside of what is tolerated, with nothing written between them.
pub(super) fn monotonic_reads(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let array = &case.scenario.array;
    if 2 * array.vote_threshold <= case.members_at(0).len() || !array.inner.is_empty() {
        return;
    }
    let mut seen = std::collections::BTreeMap::<(u64, u64), (usize, usize)>::new();
    for (place, asked) in case.requests.iter().enumerate() {
        let GuestOp::Read { offset, bytes } = asked.op else { continue };
        let Some((at, Outcome::Data(Ok(_)))) = asked.completed else { continue };
        if case.ledger.standings[place].outside.is_some() {
            continue;
        }
        let Some((began, before)) = seen.insert((*offset, *bytes), (asked.invoked, at)) else {
            continue;
        };
        let payload = |at| case.finished.trace.payload(at);
        if before > asked.invoked || payload(before) == payload(at) {
            continue;
        }
        let range = *offset..offset + bytes;
        let writes = case.calls.all.iter().any(|call| {
            let over = call.answered.is_none_or(|(answered, _)| answered > began);
            writes(call.call.kind)
                && call.submitted < at
                && over
                && super::cells::overlaps(&call.range(), &range)
        });
        let damaged = case.finished.damages.iter().any(|d| began < d.entry && d.entry < at);
        if !writes && !damaged {
            let reason = "The read gives other bytes than one before it, and nobody has written \
                          there since.";
            let violation =
                Case::violation("monotonic-reads", Some(asked.id), Some(at), reason.into());
            violations.push(violation);
        }
    }
}
