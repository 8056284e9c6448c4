//! Whether whatever the array does is done on somebody's behalf.

use super::case::Case;
use crate::model::Action;
use quorate_faults::rule::OpKind;
use quorate_reports::{Violation, What, qapi, trace::ChildCall};

/// Nobody asks for the opening and the length queries of an array that opens, or takes in a child, or
/// for the closes of one that does not open after all, and for nothing else is there nobody to ask. What a request goes on doing that was given up is done by others.
pub(super) fn attribution(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let first_request = case.requests.first().map_or(usize::MAX, |asked| asked.invoked);
    let nobodys = |(_, entry): &(usize, &quorate_reports::Entry)| entry.request.is_none();
    let until = case.entries().iter().enumerate().take(case.first_drop());
    for (at, entry) in until.filter(nobodys) {
        let what = match &entry.what {
            What::Submit(call) if at < first_request && (opens(call) || closes(call)) => continue,
            What::Submit(call) if is_added(case, call) => continue,
            What::Submit(call) => format!("c{} is asked for a {}", call.child, call.kind.word()),
            What::Event(event) => format!("'{}' is reported", qapi::text(event)),
            _ => continue,
        };
        let reason = format!("On nobody's behalf {what}.");
        violations.push(Case::violation("attribution", None, Some(at), reason));
    }
}

/// What a child is asked that an array takes in.
fn opens(call: &ChildCall) -> bool {
    matches!(call.kind, OpKind::Open | OpKind::Length)
}

/// What a child is asked that was opened for nothing.
fn closes(call: &ChildCall) -> bool {
    call.kind == OpKind::Close
}

/// Whether it is what a child is asked that a step adds.
fn is_added(case: &Case<'_>, call: &ChildCall) -> bool {
    let adds =
        |action: &Action| matches!(action, Action::Add { child, .. } if *child == call.child);
    opens(call) && case.scenario.scripts().flatten().any(adds)
}
