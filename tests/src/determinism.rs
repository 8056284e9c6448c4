//! The same scenario is the same run.

use quorate_reports::{Digest, Verdict};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::attempt,
    model::{Action, Scenario},
    runner::Scratch,
};
use std::{collections::BTreeSet, env, process::Command, thread};

mod elsewhere;
mod planted;

fn digest(scenario: &Scenario, scratch: &mut Scratch) -> Digest {
    let run = attempt::run(scenario, "determinism", None, scratch, None);
    let digest = run.trace.digest;
    scratch.reclaim(run.trace);
    digest
}

/// A process of its own for one test of this binary, which finds in its environment what to do.
fn process(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this binary is a file"));
    command.args(["--exact", test]);
    command
}

fn cases() -> Vec<Scenario> {
    catalog::all().flat_map(|s| (0..3).map(move |seed| expand(&s, seed))).collect()
}

#[test]
fn a_reused_thread_and_a_fresh_one_agree() {
    let mut scratch = Scratch::default();
    for scenario in cases() {
        let here = digest(&scenario, &mut scratch);
        let there = thread::scope(|scope| {
            scope.spawn(|| digest(&scenario, &mut Scratch::default())).join().unwrap()
        });
        assert_eq!(here, there, "{} with seed {}", scenario.name, scenario.seed);
    }
}

#[test]
fn seeds_differ() {
    let profile = catalog::scenario("random-budget").unwrap();
    let mut scratch = Scratch::default();
    let digests: BTreeSet<Digest> =
        (0..200).map(|seed| digest(&expand(&profile, seed), &mut scratch)).collect();
    assert_eq!(digests.len(), 200);
}

/// Draws are keyed: what is taken away shifts nothing else.
#[test]
fn taking_a_request_away_leaves_the_others_as_they_were() {
    let profile = catalog::scenario("random-any").unwrap();
    let mut fewer = profile.clone();
    fewer.random.as_mut().unwrap().requests -= 1;
    for seed in 0..50 {
        let (all, fewer) = (expand(&profile, seed), expand(&fewer, seed));
        assert_eq!(all.rules, fewer.rules);
        for (all, fewer) in all.scripts().zip(fewer.scripts()) {
            assert!(all.starts_with(fewer), "seed {seed}");
        }
    }
}

/// The golden digests of a few scenarios. They change with the engine's behaviour, with the order of
/// anything observable, and with the record's form; nothing else may change them: not the build, not the
/// machine.
#[test]
fn digests_are_the_same_on_every_machine() {
    let mut scratch = Scratch::default();
    let mut lines = String::new();
    for name in ["read-corrupt", "tie-goes-to-the-newest-version", "event-rate-limit"] {
        let scenario = expand(&catalog::scenario(name).unwrap(), 0);
        lines += &format!("{name} {}\n", digest(&scenario, &mut scratch));
    }
    for name in ["random-budget", "random-any", "random-dropped"] {
        for seed in [0, 1, u64::MAX] {
            let scenario = expand(&catalog::scenario(name).unwrap(), seed);
            lines += &format!("{name}:{seed} {}\n", digest(&scenario, &mut scratch));
        }
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn rule_names_do_not_change_a_run_that_draws_nothing() {
    let scenario = catalog::scenario("every-third-read-fails").unwrap();
    let run = attempt::run(&scenario, "a", None, &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Held);
    let mut renamed = scenario.clone();
    renamed.name = "another".into();
    assert!(!renamed.rules.is_empty());
    for rule in &mut renamed.rules {
        rule.name += " by another name";
    }
    let again = attempt::run(&renamed, "b", None, &mut Scratch::default(), None);
    assert_eq!(run.trace.digest, again.trace.digest);
    renamed.rules.clear();
    let other = attempt::run(&renamed, "c", None, &mut Scratch::default(), None);
    assert_ne!(run.trace.digest, other.trace.digest);
}

/// A step that is no request is no part of the digest, what it does is.
#[test]
fn what_a_step_does_changes_the_digest() {
    let scenario = catalog::scenario("read-corrupt").unwrap();
    let mut scratch = Scratch::default();
    let mut sound = scenario.clone();
    sound.steps.retain(|step| !matches!(step, Action::Corrupt { .. }));
    assert!(sound.steps.len() < scenario.steps.len());
    assert_ne!(digest(&scenario, &mut scratch), digest(&sound, &mut scratch));
}
