//! Errors: what a request to an array comes to whose children fail, for every errno there is.

use super::{given_seed, qemu, say};
use quorate_engine::quorum::options::ReadPattern;
use quorate_faults::rule::Children;
use quorate_qemu::Program;
use quorate_scenarios::{
    diff::errno::{Errnos, case, difference, small},
    model::{Action, Request, Scenario},
};
use std::collections::BTreeMap;

const CASES: u64 = 1500;
const SEED: u64 = 1;
/// The most cases that it may take to notice a mistake.
const CASES_MAX: u64 = 1000;

/// What it is, and a change of a case that comes to the same.
type Mistake = (&'static str, fn(&mut Scenario));

const MISTAKES: [Mistake; 4] = [
    ("errors that are tied go to the first that was seen", |scenario| {
        if !is_fifo_read(scenario) {
            mirror(scenario);
        }
    }),
    ("a vote that asks for one more", |scenario| {
        let most = scenario.disks() as usize;
        scenario.array.vote_threshold = (scenario.array.vote_threshold + 1).min(most);
    }),
    ("fifo reads come to the first error", |scenario| {
        if is_fifo_read(scenario) {
            mirror(scenario);
        }
    }),
    ("fifo reads that are voted on", |scenario| {
        scenario.array.read_pattern = ReadPattern::Quorum;
    }),
];

fn is_fifo_read(scenario: &Scenario) -> bool {
    let reads =
        |step: &Action| matches!(step, Action::Request { request: Request::Read { .. }, .. });
    scenario.array.read_pattern == ReadPattern::Fifo && scenario.steps.iter().any(reads)
}

/// The children in the opposite order.
fn mirror(scenario: &mut Scenario) {
    let last = scenario.disks() - 1;
    for rule in &mut scenario.rules {
        if let Children::Index(child) = &mut rule.child {
            *child = last - *child;
        }
    }
}

#[test]
fn small_arrays_come_to_the_errors_of_qemu() {
    let Some(program) = qemu() else { return };
    compare(&program, "every array of at most 2 children", small(2));
}

#[test]
#[ignore = "it takes half a minute"]
fn every_small_array_comes_to_the_errors_of_qemu() {
    let Some(program) = qemu() else { return };
    compare(&program, "every array of at most 4 children", small(4));
}

#[test]
fn drawn_arrays_come_to_the_errors_of_qemu() {
    let Some(program) = qemu() else { return };
    for seed in [Some(SEED), given_seed()].into_iter().flatten() {
        compare(&program, &format!("from seed {seed} on"), (seed..seed + CASES).map(case));
    }
}

#[test]
fn wrong_errors_are_noticed() {
    let Some(program) = qemu() else { return };
    let mut errnos = Errnos::start(&program).expect("it starts");
    let mut noticed = BTreeMap::new();
    for seed in SEED..SEED + CASES_MAX {
        let scenario = case(seed);
        let theirs = errnos.theirs(&scenario).expect("qemu-io lives");
        for (name, make) in MISTAKES {
            let mut mistaken = scenario.clone();
            make(&mut mistaken);
            let ours = errnos.ours(&mistaken).expect("the run holds by its own rules");
            if difference(&ours, &theirs).is_some() {
                noticed.entry(name).or_insert(seed - SEED);
            }
        }
        if noticed.len() == MISTAKES.len() {
            break;
        }
    }
    for (name, cases) in &noticed {
        say(&format!("{name}: noticed in case {cases}"));
    }
    let missed = MISTAKES.iter().filter(|(name, _)| !noticed.contains_key(name));
    let missed: Vec<_> = missed.map(|(name, _)| name).collect();
    assert!(missed.is_empty(), "{CASES_MAX} cases were no answer to {missed:?}");
}

/// Compares these cases.
fn compare(program: &Program, which: &str, cases: impl Iterator<Item = Scenario>) {
    let mut errnos = Errnos::start(program).expect("it starts");
    let mut operations = 0;
    for scenario in cases {
        let compared = errnos.compare(&scenario).expect("qemu-io lives");
        assert!(compared.known.is_empty(), "nothing is known to differ");
        operations += compared.operations;
        if let Some(difference) = compared.difference {
            panic!(
                "QEMU {}, {which}: {difference}\n{}\nQUORATE_SEED={} cargo test -p quorate-qemu-tests errors_of_qemu",
                program.version(),
                quorate_scenarios::load::write(&scenario),
                scenario.seed,
            );
        }
    }
    say(&format!("qemu {}: {operations} errors compared, {which}", program.version()));
}
