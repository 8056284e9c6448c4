//! Judges a finished run by what a client and an auditor may rely on, with nothing of the engine's
//! own code.
//!
//! Each check is a function over the same arranged run; [`CHECKS`] names them all. A violation names the
//! check that found it.

mod case;
mod conformance;
mod expectations;
mod members;
mod promises;
mod walk;

use crate::{model::Scenario, runner::Finished};
use case::Case;
use quorate_reports::{Run, Verdict, Violation, summary::Summary};
use quorate_sim::End;

/// A check over a finished run.
type Check = fn(&Case<'_>, &mut Vec<Violation>);

/// Every check, by name, with what it asks for.
pub const CHECKS: &[(&str, &str)] = &[
    ("conformance", "each request does what the rules say with what its children answer"),
    ("completion", "each request is answered exactly once, unless its caller gives up on it"),
    ("untouched", "bytes that nobody asked to change do not change"),
    ("availability", "within the promised tolerance each request succeeds"),
    ("freshness", "within the promised tolerance a read gives what was last acknowledged"),
    ("blame", "within the promised tolerance only children that misbehaved are reported"),
    ("replicas", "within the promised tolerance sound disks hold what was acknowledged"),
    ("expectations", "the scenario ends as its file says"),
    ("idle rule", "each fault rule of a scenario file fires"),
];

const FUNCTIONS: &[Check] = &[
    conformance::conformance,
    members::completion,
    promises::untouched,
    promises::availability,
    promises::freshness,
    promises::blame,
    expectations::expectations,
    expectations::idle_rules,
];

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
    for check in FUNCTIONS {
        check(&case, &mut violations);
    }
    let verdict = match (finished.end, violations.is_empty()) {
        (End::Stalled | End::OverBudget, _) if !scenario.expect.stall => Verdict::Stalled,
        (_, true) => Verdict::Held,
        (_, false) => Verdict::Violated,
    };
    if let Some(summary) = summary {
        conformance::count(&case, summary);
    }
    Run {
        name: scenario.name.clone(),
        token: token.into(),
        devices: (0..scenario.disks()).map(|n| format!("c{n}").into()).collect(),
        trace: finished.trace,
        media: finished.media,
        verdict,
        violations,
        child_ios: finished.child_ios,
    }
}
