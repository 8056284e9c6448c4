//! What is tried, in which order; and what follows from what was taken out.

use super::{Property, array, disks, rules, sizes, steps};
use crate::model::{Action, Children, Expect, Expected, Promises, Scenario, Stall};
use quorate_faults::rule;
use quorate_reports::Run;
use std::{collections::BTreeSet, ops::Range};

/// Smaller scenarios than this one, or such as may be smaller; the run is that of this one.
pub(super) type Pass = fn(&Scenario, &Run) -> Candidates;

/// What is to be tried, in this order.
pub(super) type Candidates = Vec<Scenario>;

/// Of what a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Of every failure.
    All,
    /// Of those that break a law.
    Laws,
    /// Of those that break what the file claims, which it claims of this array and this budget, and of
    /// what is asked there.
    Claims,
}

/// All passes for a failure, the coarse ones first.
pub(super) fn all(property: &Property) -> Vec<Pass> {
    let other = if property.is_claim() { Of::Laws } else { Of::Claims };
    PASSES.iter().filter(|(of, _)| *of != other).map(|(_, pass)| *pass).collect()
}

/// Without what is there for people only, and says something else by now.
fn words(scenario: &Scenario, _: &Run) -> Candidates {
    let none = String::new;
    vec![Scenario {
        title: none(),
        explain: none(),
        covers: Vec::new(),
        hazard: false,
        drawn: none(),
        ..scenario.clone()
    }]
}

/// Without what the file says of how it ends: a law is broken whatever the file says.
fn claims(scenario: &Scenario, run: &Run) -> Candidates {
    let mut none = scenario.clone();
    for action in none.scripts_mut().flatten() {
        if let Action::Request { expected, .. } = action {
            *expected = Expected::default();
        }
    }
    let Expect { promises, stall, idle_rules, .. } = scenario.expect;
    none.expect = Expect { promises, stall, idle_rules, ..Expect::default() };
    let mut all = other_claims(&none, run);
    all.push(none);
    all
}

/// With less said that is not what fails: rules that never fire, promises, that it may stall.
fn other_claims(scenario: &Scenario, _: &Run) -> Candidates {
    let Expect { promises, stall, idle_rules, .. } = scenario.expect;
    let mut all = Vec::new();
    for promises in [Promises::Conforming, Promises::Within, promises] {
        for stall in [Stall::Never, stall] {
            for idle_rules in [false, idle_rules] {
                let expect = Expect { promises, stall, idle_rules, ..scenario.expect.clone() };
                all.push(Scenario { expect, ..scenario.clone() });
            }
        }
    }
    all
}

/// Less, and with another seed: what is taken out shifts draws, and with them what meets what.
fn otherwise_drawn(scenario: &Scenario, run: &Run) -> Candidates {
    let passes: &[Pass] = &[steps::fewer, rules::fewer, steps::fewer_clients];
    with_seeds(passes, scenario, run)
}

fn fewer_children_otherwise_drawn(scenario: &Scenario, run: &Run) -> Candidates {
    with_seeds(&[array::fewer_children], scenario, run)
}

fn with_seeds(passes: &[Pass], scenario: &Scenario, run: &Run) -> Candidates {
    if scenario.scripts().flatten().count() > steps::PAIRS_MAX {
        return Vec::new();
    }
    passes.iter().flat_map(|pass| disks::with_seeds(pass(scenario, run))).collect()
}

/// With less expected of each request.
fn expectations(scenario: &Scenario, _: &Run) -> Candidates {
    steps::each(scenario, |action| {
        let Action::Request { request, background, expected } = action else { return Vec::new() };
        let own = || expected.clone();
        let less = [
            Expected::default(),
            Expected { result: None, ..own() },
            Expected { holds: None, ..own() },
            Expected { length: None, ..own() },
            Expected { extent: None, ..own() },
            Expected { events: None, ..own() },
        ];
        let with = |expected| {
            let (request, background) = (request.clone(), background.clone());
            Action::Request { request, background, expected }
        };
        less.map(with).into()
    })
}

/// The halves of a list, its quarters and so on, each from the last to the first; the whole before them.
pub(super) fn chunks(length: usize) -> impl Iterator<Item = Range<usize>> {
    let sizes = std::iter::successors(Some(length), |size| (*size > 1).then(|| size.div_ceil(2)));
    sizes.filter(|size| *size > 0).flat_map(move |size| {
        let starts = (0..length.div_ceil(size)).rev();
        starts.map(move |number| number * size..length.min((number + 1) * size))
    })
}

/// Takes out what has lost its meaning with something else.
pub(super) fn tidy(scenario: &mut Scenario) {
    for steps in scenario.scripts_mut() {
        settle(steps);
    }
    scenario.clients.retain(|client| !client.steps.is_empty());
    if scenario.steps.is_empty() && !scenario.clients.is_empty() {
        scenario.steps = scenario.clients.remove(0).steps;
    }
    let named = |name: &String| {
        let uses = |rule: &rule::Rule| match &rule.child {
            rule::Children::Drawn { members: rule::Members::Group(group), .. } => group == name,
            _ => false,
        };
        scenario.rules.iter().any(uses)
    };
    let kept: BTreeSet<String> =
        scenario.groups.iter().map(|group| group.name.clone()).filter(named).collect();
    scenario.groups.retain(|group| kept.contains(&group.name));
    let names = scenario.child_names();
    if matches!(scenario.array.children, Children::Named(_))
        && (0..).zip(&names).all(|(number, name): (u32, _)| *name == format!("c{number}"))
    {
        let count = u32::try_from(names.len()).expect("a list of names is short");
        scenario.array.children = Children::Count(count);
    }
    let disks = scenario.array.disks.take();
    if disks.is_some_and(|disks| disks > scenario.disks()) {
        scenario.array.disks = disks;
    }
    let count = scenario.disks();
    scenario.child.retain(|number, disk| number.0 < count && *disk != Default::default());
}

/// Takes out waits for requests that are not running there.
fn settle(steps: &mut Vec<Action>) {
    let mut running: Vec<String> = Vec::new();
    steps.retain(|action| match action {
        Action::Request { background: Some(name), .. } => {
            running.push(name.clone());
            true
        }
        Action::Wait { name } | Action::Drop { name } => {
            let at = running.iter().position(|other| other == name);
            at.map(|at| running.remove(at)).is_some()
        }
        _ => true,
    });
}

/// In this order, again and again.
const PASSES: &[(Of, Pass)] = &[
    (Of::All, words),
    (Of::Laws, claims),
    (Of::Claims, other_claims),
    (Of::Claims, expectations),
    (Of::All, rules::fewer),
    (Of::All, steps::fewer),
    (Of::All, steps::fewer_clients),
    (Of::All, disks::plainer),
    (Of::Laws, disks::budgets),
    (Of::Laws, array::fewer_children),
    (Of::Laws, array::plainer),
    (Of::Laws, array::thresholds),
    (Of::All, disks::around),
    (Of::All, rules::freer),
    (Of::All, rules::narrower),
    (Of::All, rules::milder),
    (Of::All, rules::merged),
    (Of::All, steps::plainer),
    (Of::All, sizes::all_at_once),
    (Of::All, sizes::one_by_one),
    (Of::All, steps::rests),
    (Of::All, steps::pairs),
    (Of::All, disks::other_draws),
    (Of::All, otherwise_drawn),
    (Of::Laws, fewer_children_otherwise_drawn),
    (Of::All, rules::plain_names),
    (Of::All, steps::plain_names),
];
