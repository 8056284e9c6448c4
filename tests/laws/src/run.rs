//! What holds of every run.

use quorate_faults::{
    fault::Fault,
    rule::{OpKind, Rule},
};
use quorate_reports::{Colour, Verdict, timeline};
use quorate_scenarios::{
    fuzz::attempt,
    load,
    model::{Action, Expect, Request, Scenario, Stall},
    runner::{Engine, Scratch},
};

/// How a run was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It came to its end, and every check held.
    Yes,
    /// It waits for what the scenario itself holds back.
    Stalled,
    /// Nothing panicked; what else came of it the oracle cannot be asked.
    Unjudged,
    /// The scenario cannot be run.
    Refused,
}

/// Runs a concrete scenario and asserts that the array kept to its rules.
///
/// # Panics
/// If it did not, or panicked itself.
#[must_use]
pub fn held(scenario: &Scenario) -> Held {
    held_by(scenario, None)
}

/// The same of another engine.
///
/// # Panics
/// If it did not keep to the rules, or panicked itself.
#[must_use]
pub fn held_by(scenario: &Scenario, engine: Option<&dyn Engine>) -> Held {
    if load::parse(&load::write(scenario), "drawn").is_err() {
        return Held::Refused;
    }
    let run = attempt::run(scenario, "drawn", engine, &mut Scratch::default(), None);
    let holds_back = |action: &Action| matches!(action, Action::Hold(_) | Action::Order(_));
    let may_stall = scenario.scripts().flatten().any(holds_back);
    match run.verdict {
        Verdict::Held => Held::Yes,
        Verdict::Stalled if may_stall => Held::Stalled,
        // Whether the array opens over such disks is not foreseen.
        Verdict::Violated if run.violations.iter().all(|v| v.check == "expectations") => Held::Yes,
        Verdict::Stalled | Verdict::Violated if !is_judged(scenario) => Held::Unjudged,
        verdict => {
            panic!("{verdict}\n{}\n{}", timeline::render(&run, Colour::Off), load::write(scenario))
        }
    }
}

/// Whether the oracle is known to judge such runs. Arrays in arrays, larger blocks, children that join, leave or
/// never answer, false lengths, requests of nothing and behind the close are judged where the catalog or a profile
/// has them; among anything else the oracle's account of them has gaps.
fn is_judged(scenario: &Scenario) -> bool {
    let is_usual = |action: &Action| match action {
        Action::Request { request: Request::Close, .. }
        | Action::Freeze { .. }
        | Action::CutPower { .. }
        | Action::Add { .. }
        | Action::Remove { .. } => false,
        Action::Request { request: Request::Read { bytes, .. }, .. }
        | Action::Request { request: Request::Write { bytes, .. }, .. }
        | Action::Request { request: Request::WriteZeroes { bytes, .. }, .. } => *bytes > 0,
        _ => true,
    };
    let is_known = |rule: &Rule| {
        !matches!(rule.r#do, Fault::Hang { .. } | Fault::Length { .. })
            && !rule.on.iter().any(|kind| matches!(kind, OpKind::Length | OpKind::Open))
    };
    scenario.array.inner.is_empty()
        && (0..scenario.disks()).all(|n| scenario.disk(n).limits.request_alignment == 1)
        && scenario.scripts().flatten().all(is_usual)
        && scenario.rules.iter().all(is_known)
}

/// The end of a run of which nothing is known beforehand.
#[must_use]
pub fn nothing_expected() -> Expect {
    Expect { stall: Stall::Hung, idle_rules: true, ..Expect::default() }
}
