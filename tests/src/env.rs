//! Scenarios on other disks than memory: real files, and simulated gluster volumes.

use quorate_reports::{Run, Verdict};
use quorate_scenarios::{
    catalog,
    conform::{Likeness, compare, known},
    env::{Environment, EnvironmentError, Files, Simulated},
    expand,
    fuzz::attempt,
    model::Scenario,
    runner::Scratch,
};
use std::{fs, io::ErrorKind, path::PathBuf, thread};

const DOCUMENT: &str = include_str!("../../scenarios/CONFORMANCE.md");
const ON_BRICKS: Simulated = Simulated { on_bricks: true };

fn simulated(scenario: &Scenario) -> Run {
    attempt::run(scenario, &scenario.name, None, &mut Scratch::default(), None)
}

/// What does not come out the same there, by scenario. Half of them each, on two threads.
fn others(environment: &dyn Environment) -> Vec<(String, Likeness)> {
    let half = |part: usize| {
        let names = catalog::names().into_iter().skip(part).step_by(2);
        let scenarios =
            names.map(|name| expand::expand(&catalog::scenario(name).expect("a name"), 0));
        let compared = scenarios.map(|scenario| {
            let likeness = compare(&scenario, &simulated(&scenario), environment);
            (scenario.name, likeness.expect("there are disks"))
        });
        compared.filter(|(_, likeness)| *likeness != Likeness::Same).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let other =
            thread::Builder::new().spawn_scoped(scope, || half(1)).expect("a second thread");
        [half(0), other.join().expect("nothing panics")].concat()
    })
}

#[test]
fn every_scenario_has_the_same_digest_on_files() {
    let directory = tempfile::tempdir().unwrap();
    let others = others(&Files::below(directory.path().into()));
    assert!(others.len() > 10, "those on gluster are left out");
    for (name, likeness) in others {
        let on_gluster = catalog::scenario(&name).unwrap().gluster.is_some();
        let on_gluster = on_gluster || name == "random-gluster";
        assert!(on_gluster && matches!(likeness, Likeness::Unsuited(_)), "{name}: {likeness:?}");
    }
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        0,
        "what a run made is gone with it"
    );
}

#[test]
fn every_scenario_comes_out_the_same_on_simulated_volumes() {
    for (name, likeness) in others(&ON_BRICKS) {
        let excused = match likeness {
            Likeness::Alike => name == "misdirected-read-is-rewritten",
            Likeness::Other(what, _) => known::reason("bricks", &name, what).is_some(),
            _ => false,
        };
        assert!(excused, "{name}: {likeness:?}");
    }
}

#[test]
fn every_difference_that_is_known_is_one_of_a_scenario() {
    for (environment, name, _, reason) in known::KNOWN {
        assert!(["bricks", "files", "gluster"].contains(environment), "{environment}");
        assert!(catalog::scenario(name).is_some(), "there is no scenario {name}");
        let line = format!("- `{name}`, on {environment}: {reason}.");
        assert!(DOCUMENT.contains(&line), "scenarios/CONFORMANCE.md lacks the line\n{line}");
    }
}

#[test]
fn a_run_with_bricks_is_the_same_in_every_thread() {
    let profile = catalog::scenario("random-gluster").unwrap();
    for seed in 0..20 {
        let scenario = expand::expand(&profile, seed);
        let token = format!("random-gluster:{seed}");
        let run = || attempt::run(&scenario, &token, None, &mut Scratch::default(), None);
        let first = run();
        assert_eq!(first.verdict, Verdict::Held, "`quorate replay {token}` shows why");
        let other = thread::scope(|scope| {
            thread::Builder::new().spawn_scoped(scope, run).unwrap().join().unwrap()
        });
        assert_eq!(first.trace.digest, other.trace.digest, "`quorate replay {token} --verify`");
    }
}

#[test]
fn a_brick_in_trouble_is_in_none_for_nothing() {
    // What befalls bricks shows: a fuzz in which nothing fails would prove nothing.
    let profile = catalog::scenario("random-gluster").unwrap();
    let runs = (0..40).map(|seed| simulated(&expand::expand(&profile, seed)));
    let failed: usize =
        runs.map(|run| run.trace.entries.iter().filter(|e| is_error(e)).count()).sum();
    assert!(failed > 40, "{failed} operations of children failed");
}

fn is_error(entry: &quorate_reports::Entry) -> bool {
    use quorate_reports::{Answer, What};
    let What::Reply { answer, .. } = &entry.what else { return false };
    matches!(answer, Answer::Data(Err(_)) | Answer::Done(Err(_)))
}

#[test]
fn a_directory_that_is_not_there_is_an_error_that_names_it() {
    let scenario = catalog::scenario("read-corrupt").unwrap();
    let files = Files::below(PathBuf::from("/nowhere/at/all"));
    let run =
        attempt::run_on(&files, &scenario, "read-corrupt", None, &mut Scratch::default(), None);
    let Err(EnvironmentError::System { place, source }) = run else { panic!("{run:?}") };
    assert_eq!((place.as_str(), source.kind()), ("/nowhere/at/all", ErrorKind::NotFound));
}

#[test]
fn a_disk_on_gluster_is_no_file() {
    let scenario = catalog::scenario("brick-killed-is-outvoted").unwrap();
    let files = Files::below(std::env::temp_dir());
    let run = attempt::run_on(&files, &scenario, "", None, &mut Scratch::default(), None);
    let Err(EnvironmentError::Unsuited { why, remedy }) = run else { panic!("{run:?}") };
    assert_eq!(why, "the disks of 'brick-killed-is-outvoted' are on gluster");
    assert_eq!(remedy, "run it with --env sim or --env gluster");
}
