//! What the array may ask of a child at all: within its limits, while it is open, for somebody, and
//! not more at once than a read needs.

use super::{calls::writes, case::Case};
use crate::model::Action;
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, Violation, What, qapi, trace::ChildCall};

/// Whether whatever the array does is done on somebody's behalf, and asked of each child once.
pub(super) fn fan_out(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let first_request = case.requests.first().map_or(usize::MAX, |asked| asked.invoked);
    for (place, call) in case.calls.all.iter().enumerate() {
        let (at, asked) = (call.submitted, call.call);
        let opens = matches!(asked.kind, OpKind::Open | OpKind::Length);
        // An array that does not open after all closes what was opened.
        let is_first = at < first_request && (opens || asked.kind == OpKind::Close);
        let nobodys = case.ledger.owners[place].is_none();
        if nobodys && !is_first && !(opens && is_added(case, asked)) {
            let reason = format!(
                "On nobody's behalf c{} is asked for a {}.",
                asked.child,
                asked.kind.word()
            );
            violations.push(Case::violation("fan-out", None, Some(at), reason));
        }
    }
    spared(case, violations);
    // What was given up goes on while others are polled, and nobody then.
    for (at, entry) in case.entries().iter().enumerate().take(case.first_drop()) {
        if let (None, What::Event(event)) = (entry.request, &entry.what) {
            let reason = format!("On nobody's behalf '{}' is reported.", qapi::text(event));
            violations.push(Case::violation("fan-out", None, Some(at), reason));
        }
    }
}

/// Whether a write goes to every child, where all are asked at once for the same.
fn spared(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let padded = case
        .disks
        .iter()
        .any(|disk| disk.limits.request_alignment > 1 || disk.bytes != case.disks[0].bytes);
    if padded || !case.scenario.array.inner.is_empty() {
        return;
    }
    for round in &case.calls.rounds {
        let calls = &case.calls.all[round.clone()];
        let owner = case.ledger.owners[round.start].map(|owner| &case.requests[owner]);
        let Some(owner) = owner.filter(|owner| matches!(owner.op, GuestOp::Write { .. })) else {
            continue;
        };
        if !case.ledger.sure[round.start] {
            continue;
        }
        if !writes(calls[0].call.kind) {
            continue;
        }
        let at = calls[0].submitted;
        let members = case.members_at(at);
        let asked = calls.iter().map(|call| call.call.child);
        if !asked.clone().eq(members.iter().copied()) {
            let list: Vec<String> = asked.map(|child| format!("c{child}")).collect();
            let reason = format!(
                "A write goes to {}, and not to all of the {} children once.",
                list.join(", "),
                members.len()
            );
            violations.push(Case::violation("fan-out", Some(owner.id), Some(at), reason));
        }
    }
}

/// Whether it is asked of a child that a step adds.
fn is_added(case: &Case<'_>, call: &ChildCall) -> bool {
    let adds =
        |action: &Action| matches!(action, Action::Add { child, .. } if *child == call.child);
    case.scenario.scripts().flatten().any(adds)
}

/// Whether a read holds more bytes at once than its children's answers take, or something is left when
/// all is over.
pub(super) fn bounds(case: &Case<'_>, violations: &mut Vec<Violation>) {
    case.ledger.report("bounds", violations);
    for child in &case.finished.leaked {
        let reason = format!("The array is gone, and somebody still holds c{child}.");
        violations.push(Case::violation("bounds", None, None, reason));
    }
}

/// Whether children are asked only for what they take, and only while the array is open.
pub(super) fn lifecycle(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let mut fail = |at: usize, reason: String| {
        violations.push(Case::violation("lifecycle", None, Some(at), reason));
    };
    let closed = case.closed.unwrap_or(usize::MAX);
    for call in &case.calls.all {
        let (at, asked) = (call.submitted, call.call);
        let (disk, name) = (&case.disks[asked.child as usize], asked.child);
        if at > closed {
            fail(at, format!("The array is closed, and c{name} is asked for something."));
        }
        let over = call.answered.is_some_and(|(answered, _)| answered < closed);
        if at < closed && closed < usize::MAX && !over && !case.removed_before(name, closed) {
            fail(closed, format!("The array is closed, and c{name} has not answered yet."));
        }
        let (limits, end) = (disk.limits, call.range().end);
        let unit = u64::from(limits.request_alignment.max(1));
        let data = matches!(asked.kind, OpKind::Read | OpKind::Write);
        let aligned = asked.offset.is_multiple_of(unit)
            && (asked.bytes.is_multiple_of(unit) || end == disk.bytes);
        if !aligned {
            fail(at, format!("c{name} takes only multiples of {unit} bytes."));
        }
        if let Some(most) = limits.max_transfer.filter(|most| data && asked.bytes > (*most).into())
        {
            fail(at, format!("c{name} takes no more than {most} bytes at once."));
        }
        if end > disk.bytes {
            fail(at, format!("c{name} ends at {}, and is asked for bytes behind.", disk.bytes));
        }
    }
    let threshold = case.scenario.array.vote_threshold;
    for (at, count) in case.member_counts() {
        // An array that does not open has no children.
        let opened = case.scenario.expect.open.is_none() && case.scenario.array.inner.is_empty();
        if count < threshold && opened {
            fail(at, format!("There are {count} children left, and {threshold} must agree."));
        }
    }
}
