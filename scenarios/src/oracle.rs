//! Judges a finished run by what a client and an auditor may rely on, with nothing of the engine's
//! own code.
//!
//! Each check is a function over the same arranged run; [`checks`] names them all. A violation names the
//! check that found it.

mod attribution;
mod case;
mod conformance;
mod expectations;
mod members;
mod promises;
mod turns;
mod waits;
mod walk;

use crate::{
    model::{Scenario, Stall},
    runner::Finished,
};
use case::Case;
use quorate_reports::{Run, Verdict, Violation, summary::Summary};
use quorate_sim::End;

/// A check over a finished run: its name, what it asks for, how it does.
type Check = (&'static str, &'static str, fn(&Case<'_>, &mut Vec<Violation>));

/// Every check, by name, with what it asks for.
pub fn checks() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKS.iter().map(|&(name, words, _)| (name, words))
}

/// Judges a run. The summary counts what it was about, unless nobody asks.
#[must_use]
pub fn judge(
    scenario: &Scenario,
    token: &str,
    finished: Finished,
    summary: Option<&mut Summary>,
) -> Run {
    let case = Case::new(scenario, &finished);
    let mut violations = Vec::new();
    for (_, _, check) in CHECKS {
        check(&case, &mut violations);
    }
    let may_stall = match scenario.expect.stall {
        Stall::Never => false,
        Stall::Hung => waits::is_explained(&case),
        Stall::Must => true,
    };
    let verdict = match (finished.end, violations.is_empty()) {
        (End::Stalled | End::OverBudget, _) if !may_stall => Verdict::Stalled,
        (_, true) => Verdict::Held,
        (_, false) => Verdict::Violated,
    };
    if let Some(summary) = summary {
        conformance::count(&case, summary);
    }
    let waits = waits::waits(&case).iter().map(|wait| wait.words()).collect();
    Run {
        name: scenario.name.clone(),
        token: token.into(),
        devices: (0..scenario.disks()).map(|n| format!("c{n}").into()).collect(),
        trace: finished.trace,
        media: finished.media,
        verdict,
        violations,
        waits,
        child_ios: finished.child_ios,
    }
}

const CHECKS: &[Check] = &[
    (
        "conformance",
        "each request does what the rules say with what its children answer",
        conformance::conformance,
    ),
    (
        "completion",
        "each request is answered exactly once, unless its caller gives up on it",
        members::completion,
    ),
    (
        "attribution",
        "whatever the array does is done on behalf of a request",
        attribution::attribution,
    ),
    ("turns", "overlapping requests take turns, where the array says so", turns::turns),
    ("untouched", "bytes that nobody asked to change do not change", promises::untouched),
    (
        "promise",
        "no more children misbehave than the threshold tolerates, if the scenario says so",
        promises::promise,
    ),
    ("availability", "within the promised tolerance each request succeeds", promises::availability),
    (
        "freshness",
        "within the promised tolerance a read gives what was last acknowledged",
        promises::freshness,
    ),
    (
        "blame",
        "only children are reported, within the promised tolerance only those that misbehaved",
        promises::blame,
    ),
    (
        "replicas",
        "within the promised tolerance sound disks hold what was acknowledged",
        promises::replicas,
    ),
    ("expectations", "the scenario ends as its file says", expectations::expectations),
    ("idle rule", "each fault rule of a scenario file fires", expectations::idle_rules),
];
