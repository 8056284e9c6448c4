//! Whether every request was answered, and once.

use super::case::Case;
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
    stall(case, violations);
}

/// Whether the run came to its end, or did not where it must not.
fn stall(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let end = case.finished.end;
    let may = case.scenario.expect.stall;
    let reason = match end {
        End::Finished if may => "The run came to its end; it was expected to stall.".into(),
        End::Finished => return,
        End::Stalled | End::OverBudget if may => return,
        End::Stalled => format!("Nothing can go on. {}", waiting(case)),
        End::OverBudget => format!("The budget of steps or time is used up. {}", waiting(case)),
    };
    let open = case.requests.iter().find(|asked| asked.over().is_none());
    let id = open.map(|asked| asked.id);
    violations.push(Case::violation("completion", id, open.map(|asked| asked.invoked), reason));
}

fn waiting(case: &Case<'_>) -> String {
    let open: Vec<String> = case
        .requests
        .iter()
        .filter(|asked| asked.over().is_none())
        .map(|asked| asked.id.to_string())
        .collect();
    let mut disks = case.finished.waiting.clone();
    disks.sort();
    disks.dedup();
    match (open.is_empty(), disks.is_empty()) {
        (true, _) => "No request is open.".into(),
        (false, true) => {
            format!("Requests {} wait, and no disk has anything to do.", open.join(", "))
        }
        (false, false) => format!("Requests {} wait for {}.", open.join(", "), disks.join(", ")),
    }
}
