//! Whether every request was answered, and once.

use super::{case::Case, waits};
use crate::model::Stall;
use quorate_reports::Violation;
use quorate_sim::End;

pub(super) fn completion(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for asked in &case.requests {
        let reason = match (asked.answers, asked.dropped) {
            (1, None) | (0, Some(_)) => continue,
            (0, None) if case.finished.end != End::Finished => continue,
            (0, None) => "The request was never answered.".into(),
            (count, None) => format!("The request was answered {count} times."),
            (_, Some(_)) => "The request was answered although its caller had gone.".into(),
        };
        let entry = Some(asked.over().unwrap_or(asked.invoked));
        violations.push(Case::violation("completion", Some(asked.id), entry, reason));
    }
    for call in &case.calls.all {
        let Some(owner) = case.ledger.owners[call.place].filter(|_| case.ledger.sure[call.place])
        else {
            continue;
        };
        let asked = &case.requests[owner];
        let Some((at, _)) = asked.completed else { continue };
        let over = call.answered.is_some_and(|(answered, _)| answered < at);
        let child = call.call.child;
        if call.submitted < at && !over && !case.removed_before(child, at) {
            let reason = format!(
                "The request is answered, and operation {} of c{child} for it goes on.",
                call.call.ordinal
            );
            violations.push(Case::violation("completion", Some(asked.id), Some(at), reason));
        }
    }
}

/// Whether the run came to its end, or did not where it must not.
pub(super) fn quiescence(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let reason = match (case.finished.end, case.scenario.expect.stall) {
        (End::Finished, Stall::Must) => {
            "The run came to its end; it was expected to stall.".to_owned()
        }
        (End::Finished, _) | (_, Stall::Must) => return,
        (_, Stall::Hung) if waits::is_explained(case) => return,
        (End::Stalled, _) => format!("Nothing can go on. {}", waiting(case)),
        (End::OverBudget, _) => {
            format!("The budget of steps or time is used up. {}", waiting(case))
        }
    };
    let open = case.requests.iter().find(|asked| asked.over().is_none());
    let id = open.map(|asked| asked.id);
    violations.push(Case::violation("quiescence", id, open.map(|asked| asked.invoked), reason));
}

fn waiting(case: &Case<'_>) -> String {
    let waits = waits::waits(case);
    let words: Vec<String> = waits.iter().map(|wait| wait.words()).collect();
    let mut disks = case.finished.waiting.clone();
    disks.sort();
    disks.dedup();
    match (words.is_empty(), disks.is_empty()) {
        (true, _) => "No request is open.".into(),
        (false, true) => format!("{}. No disk has anything to do.", words.join("; ")),
        (false, false) => format!("{}.", words.join("; ")),
    }
}
