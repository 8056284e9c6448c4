//! Judges a finished run by what a client and an auditor may rely on, with nothing of the engine's
//! own code.
//!
//! Each check is a function over the same arranged run; [`checks`] names them all. A violation names the
//! check that found it.

mod answer;
mod answers;
mod calls;
mod case;
mod cells;
mod classified;
mod conformance;
mod coverage;
mod events;
mod expectations;
mod ledger;
mod limits;
mod members;
mod promises;
mod repairs;
mod turns;
mod waits;
mod walk;
mod way;

pub use classified::Classified;

use crate::{
    model::{Scenario, Stall},
    runner::Finished,
};
use case::Case;
use quorate_reports::{Run, Verdict, Violation, summary::Summary};
use quorate_sim::End;

/// A check over a finished run: its name, the number of its property, what it asks for, how it does.
type Check = (&'static str, u8, &'static str, fn(&Case<'_>, &mut Vec<Violation>));

/// Every check, by name, with the number of its property and what it asks for. Where the number is 0,
/// it is none of the 25.
pub fn checks() -> impl Iterator<Item = (&'static str, u8, &'static str)> {
    CHECKS.iter().map(|&(name, property, words, _)| (name, property, words))
}

/// Judges a run. The summary counts what it was about, unless nobody asks.
#[must_use]
pub fn judge(
    scenario: &Scenario,
    token: &str,
    finished: Finished,
    summary: Option<&mut Summary>,
) -> Run {
    let mut case = Case::new(scenario, &finished);
    case.ballots = events::ballots(&case);
    let mut violations = Vec::new();
    for (_, _, _, check) in CHECKS {
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
        coverage::count(&case, summary);
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

/// How many operations of children a run is about: found as the oracle arranges it for its checks, but
/// before it keeps account of what may be wrong. Whoever measures [`classify`] beside this knows what
/// that account costs.
#[must_use]
pub fn count_operations(scenario: &Scenario, finished: &Finished) -> usize {
    Case::arranged(scenario, finished).calls.all.len()
}

/// The checks, with the numbers of the properties that they hold; 0 for what is none of these.
const CHECKS: &[Check] = &[
    ("backing", 1, "what a read gives is what enough children answered", answers::backing),
    (
        "conformance",
        2,
        "each request does what the rules say with what its children answer",
        conformance::conformance,
    ),
    (
        "in-budget",
        3,
        "within what the threshold tolerates each request succeeds, and reads are right",
        |case, found| case.ledger.report("in-budget", found),
    ),
    (
        "fail-safe",
        4,
        "a read gives no wrong bytes that fewer children answered than the threshold asks for",
        |case, found| case.ledger.report("fail-safe", found),
    ),
    (
        "acknowledgement",
        5,
        "a write or a flush succeeds if and only if it did on enough children",
        answers::acknowledgement,
    ),
    (
        "read-your-writes",
        6,
        "within what the threshold tolerates a read gives what was last acknowledged, or newer",
        |case, found| case.ledger.report("read-your-writes", found),
    ),
    (
        "monotonic-reads",
        7,
        "within what is tolerated reads give the same as long as nobody writes",
        answers::monotonic_reads,
    ),
    (
        "durability",
        8,
        "what was acknowledged and flushed is there after a power cut",
        |case, found| case.ledger.report("durability", found),
    ),
    (
        "replicas",
        8,
        "where a disk is sound it holds in the end what was acknowledged",
        |case, found| {
            case.ledger.report("replicas", found);
        },
    ),
    ("closure", 9, "a byte that a failed write was about is old or new", |case, found| {
        case.ledger.report("closure", found);
    }),
    (
        "fan-out",
        10,
        "all that is done is done for a request, and what it writes goes to every child once",
        limits::fan_out,
    ),
    ("rewrites", 11, "those who lost a vote are repaired, and nobody else", repairs::rewrites),
    ("repair-harm", 12, "a repair takes right bytes away from nobody", repairs::repair_harm),
    ("buffers", 13, "bytes that nobody asked to change do not change", promises::untouched),
    (
        "unanimity",
        14,
        "a length is what all children say, and zeroes are what none of them denies",
        answers::unanimity,
    ),
    (
        "completion",
        15,
        "each request is answered once, after its children, unless its caller gives up on it",
        members::completion,
    ),
    ("quiescence", 16, "the run ends, or stalls where its file says so", members::quiescence),
    ("healing", 17, "bytes that were overwritten or repaired are right again", |case, found| {
        case.ledger.report("healing", found);
    }),
    ("reports", 21, "failures and lost votes are reported, exactly and at once", events::reports),
    (
        "failure-events",
        22,
        "each vote that failed is told once, and nothing else",
        events::failure_events,
    ),
    (
        "blame",
        23,
        "only children are reported, within what is tolerated only for parts that went wrong",
        promises::blame,
    ),
    (
        "bounds",
        24,
        "a read holds no more than its children answer, and nothing is left",
        limits::bounds,
    ),
    (
        "lifecycle",
        25,
        "children are asked for what they take, while the array is open",
        limits::lifecycle,
    ),
    (
        "prediction",
        0,
        "each vote comes to what the laws say, and no child is wrong without a fault",
        |case, found| case.ledger.report("prediction", found),
    ),
    ("conservation", 0, "every fault comes to an end that is known", ledger::account::conservation),
    (
        "promise",
        0,
        "no request meets more suspects than the threshold tolerates, if the scenario says so",
        promises::promise,
    ),
    ("turns", 0, "overlapping requests take turns, where the array says so", turns::turns),
    ("expectations", 0, "the scenario ends as its file says", expectations::expectations),
    ("idle rule", 0, "each fault rule of a scenario file fires", expectations::idle_rules),
];
