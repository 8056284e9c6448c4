//! What holds of every run.

use quorate_reports::{Colour, Verdict, timeline};
use quorate_scenarios::{
    fuzz::attempt,
    load,
    model::{Action, Expect, Scenario, Stall},
    runner::{Engine, Scratch},
};

/// How a run was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It came to its end, and every check held.
    Yes,
    /// It waits for what the scenario itself holds back.
    Stalled,
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
        // Whether a child may be added or removed is not foreseen.
        Verdict::Violated if run.violations.iter().all(|v| v.check == "expectations") => Held::Yes,
        verdict => {
            panic!("{verdict}\n{}\n{}", timeline::render(&run, Colour::Off), load::write(scenario))
        }
    }
}

/// The end of a run of which nothing is known beforehand.
#[must_use]
pub fn nothing_expected() -> Expect {
    Expect { stall: Stall::Hung, idle_rules: true, ..Expect::default() }
}
