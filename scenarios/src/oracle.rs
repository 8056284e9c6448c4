//! Judges a finished run by what a client and an auditor may rely on, with nothing of the engine's
//! own code.
//!
//! Each check is a function over the same arranged run; [`checks`] names them all. A violation names the
//! check that found it.

mod attribution;
mod calls;
mod case;
mod cells;
mod classified;
mod conformance;
mod expectations;
mod ledger;
mod members;
mod promises;
mod turns;
mod waits;
mod walk;

pub use classified::Classified;

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
        ledger::account::count(&case, summary);
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

/// The classes of the answers of every vote of a run that could be followed: those over the same bytes
/// of all children first, each in order, then flushes, and reads of one child after the other.
#[must_use]
pub fn classify(scenario: &Scenario, finished: &Finished) -> Vec<Classified> {
    Case::new(scenario, finished).ledger.classified().collect()
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
    ("buffers", "bytes that nobody asked to change do not change", promises::untouched),
    (
        "promise",
        "no request meets more suspects than the threshold tolerates, if the scenario says so",
        promises::promise,
    ),
    (
        "in-budget",
        "within what the threshold tolerates each request succeeds, and reads are right",
        |case, found| case.ledger.report("in-budget", found),
    ),
    (
        "fail-safe",
        "a read gives no wrong bytes that fewer children answered than the threshold asks for",
        |case, found| case.ledger.report("fail-safe", found),
    ),
    (
        "prediction",
        "each vote comes to what the laws say, and no child is wrong without a fault",
        |case, found| case.ledger.report("prediction", found),
    ),
    (
        "read-your-writes",
        "within what the threshold tolerates a read gives what was last acknowledged, or newer",
        |case, found| case.ledger.report("read-your-writes", found),
    ),
    (
        "durability",
        "what was acknowledged and flushed is there after a power cut",
        |case, found| case.ledger.report("durability", found),
    ),
    ("closure", "a byte that a failed write was about is old or new", |case, found| {
        case.ledger.report("closure", found)
    }),
    ("healing", "bytes that were overwritten or repaired are right again", |case, found| {
        case.ledger.report("healing", found)
    }),
    ("conservation", "every fault comes to an end that is known", ledger::account::conservation),
    (
        "blame",
        "only children are reported, within what is tolerated only for parts that went wrong",
        promises::blame,
    ),
    (
        "replicas",
        "where a disk is sound it holds in the end what was acknowledged",
        |case, found| case.ledger.report("replicas", found),
    ),
    ("expectations", "the scenario ends as its file says", expectations::expectations),
    ("idle rule", "each fault rule of a scenario file fires", expectations::idle_rules),
];
