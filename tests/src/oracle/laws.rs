//! The laws that relate runs to one another hold for our engine, and each of them is broken by an array
//! that is made to.

use super::{Bug, naive::Naive, profiles};
use quorate_scenarios::{
    expand::expand,
    load, metamorphic,
    model::{Order, Scenario},
    runner::{Engine, Opening, Parts},
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A write and reads, of three children.
const PLAIN: &str = r#"
version = 1
name = "plain"
array = { children = 3, vote-threshold = 3 }
step = [{ do = "write", bytes = 512 }, { do = "read", bytes = 512 }]
"#;

type Made = Box<dyn Fn(&Scenario, Parts) -> Opening + Send + Sync>;

/// An honest array, but where a scenario is as said.
fn but(wrong: impl Fn(&Scenario, &Parts) -> bool + Send + Sync + 'static) -> Made {
    Box::new(move |scenario, parts| {
        let bug = if wrong(scenario, &parts) { Bug::AlwaysFails } else { Bug::None };
        Naive(bug).open(scenario, parts)
    })
}

/// An array that fails in every second run.
fn moody() -> Made {
    let runs = AtomicUsize::new(0);
    but(move |_, _| runs.fetch_add(1, Ordering::Relaxed) % 2 == 1)
}

/// For each law an array that breaks it.
fn breakers() -> Vec<(&'static str, Made)> {
    vec![
        ("determinism", moody()),
        ("neutrality", but(|scenario, _| scenario.rules.iter().any(|rule| rule.name == "never"))),
        ("observation", but(|scenario, _| scenario.budget.is_some())),
        ("scripting", but(|scenario, _| !scenario.child.is_empty())),
        ("threshold", but(|scenario, _| scenario.array.vote_threshold < 3)),
        (
            "splitting",
            Box::new(|scenario, parts| Naive(Bug::FailsShortReads).open(scenario, parts)),
        ),
        ("permutation", but(|_, parts| parts.children[0].0.as_str() != "c0")),
        ("masking", but(|scenario, _| scenario.disk.fill.is_some())),
        ("one-more", but(|_, parts| parts.children.len() > 3)),
        ("order", but(|scenario, _| scenario.schedule.order == Order::Uniform)),
    ]
}

#[test]
fn each_law_is_broken_by_an_array_that_is_made_to() {
    let scenario = load::parse(PLAIN, "laws").expect("it is a scenario");
    for (number, (law, ..)) in metamorphic::laws().enumerate() {
        let honest = Naive(Bug::None);
        assert_eq!(metamorphic::broken(&scenario, Some(&honest), number), None, "{law}");
        let (_, wrong) = breakers().into_iter().find(|(name, _)| *name == law).expect(law);
        let found = metamorphic::broken(&scenario, Some(&wrong), number);
        assert_eq!(found.map(|violation| violation.check), Some(law));
    }
}

#[test]
fn the_laws_hold_for_the_profiles() {
    for source in profiles() {
        for seed in 0..6 {
            let scenario = expand(&source.scenario, seed);
            for number in 0..metamorphic::laws().count() {
                let broken = metamorphic::broken(&scenario, None, number);
                assert_eq!(broken, None, "{}:{seed}", source.name);
            }
        }
    }
}

/// One seed in 64 tries a law, and all laws have their turn.
#[test]
fn laws_are_chosen_by_the_seed() {
    let chosen: Vec<usize> = (0..64_000).filter_map(metamorphic::chosen).collect();
    assert!((800..1200).contains(&chosen.len()), "{}", chosen.len());
    let all: BTreeSet<usize> = chosen.into_iter().collect();
    assert_eq!(all.len(), metamorphic::laws().count());
}
