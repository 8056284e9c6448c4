//! `quorate diff`.

use super::quorate;
use crate::iotests::qemu;
use quorate_reports::{Run, Verdict};
use quorate_scenarios::{
    catalog,
    cli::exit,
    diff::{Pace, Twin, script, suited},
    expand,
    fuzz::{self, Ended, Failed, Fuzz, Judge, Observer, OnFailure, Shard, Source, attempt},
    load,
    model::Scenario,
    runner::{self, Opening, Parts, Scratch},
    shrink::Shrink,
};
use std::{
    fs,
    num::NonZeroU64,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

#[test]
fn without_qemu_nothing_is_compared_and_it_is_said_what_to_install() {
    let empty = tempfile::tempdir().expect("there is room");
    let answer = quorate(&["diff", "--qemu", &empty.path().to_string_lossy()]);
    assert_eq!((answer.code, &*answer.out), (exit::USAGE, ""));
    for said in ["0 compared", "qemu-storage-daemon does not start", "apt-get install qemu-utils"] {
        assert!(answer.err.contains(said), "{}", answer.err);
    }
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is() {
    let Some(_) = qemu() else { return };
    for (args, said) in [
        (["--layer", "errno", "read-corrupt"].as_slice(), "draws cases of its own"),
        (&["--layer", "votes"], "possible values: ordered, fast, errno, options"),
        (&["no-such-scenario"], "there is no scenario 'no-such-scenario'"),
        (&["--seeds", "9..3"], "there is no seed in it"),
        (&["--output", "/dev/null/failures", "read-corrupt"], "/dev/null"),
        (&["brick-cut-off-comes-back"], "0 compared: both sides can run none of it"),
    ] {
        let answer = quorate(&[&["diff"], args].concat());
        assert_eq!(answer.code, exit::USAGE, "{args:?}: {}", answer.err);
        assert!(answer.err.contains(said), "{args:?}: {}", answer.err);
    }
}

#[test]
fn every_layer_says_how_much_it_has_compared() {
    let Some(_) = qemu() else { return };
    let answer = quorate(&["diff", "--seeds", "40", "--jobs", "2"]);
    assert_eq!((answer.code, &*answer.err), (exit::HELD, ""), "{}", answer.out);
    for layer in ["ordered", "fast", "errno", "options"] {
        let line = answer.out.lines().find(|line| line.starts_with(layer));
        let line = line.unwrap_or_else(|| panic!("no {layer}: {}", answer.out));
        assert!(line.ends_with(": no difference") && !line.contains(" 0 cases"), "{line}");
    }
    let one = quorate(&["diff", "--format", "json", "--layer", "fast", "read-corrupt"]).json();
    assert_eq!(one["layers"][0]["requests"], 2);
}

#[test]
fn a_qemu_that_was_never_compared_with_is_told() {
    let Some(_) = qemu() else { return };
    let place = tempfile::tempdir().expect("there is room");
    program(place.path(), "qemu-io", "exec qemu-io \"$@\"");
    let daemon = "case $1 in --version) echo qemu-storage-daemon version 99.1.2;; *) exec qemu-storage-daemon \"$@\";; esac";
    program(place.path(), "qemu-storage-daemon", daemon);
    let directory = place.path().to_string_lossy();
    let answer = quorate(&["diff", "--qemu", &directory, "--layer", "ordered", "read-corrupt"]);
    assert_eq!(answer.code, exit::HELD, "{}", answer.err);
    assert!(answer.err.contains("QEMU 99.1.2 was never compared with before"), "{}", answer.err);
}

#[test]
fn a_qemu_that_dies_is_a_difference_and_one_that_does_not_start_is_none() {
    let Some(_) = qemu() else { return };
    let place = tempfile::tempdir().expect("there is room");
    let (directory, kept) = (place.path().to_string_lossy(), place.path().join("kept"));
    program(place.path(), "qemu-io", "exec qemu-io \"$@\"");
    program(
        place.path(),
        "qemu-storage-daemon",
        "[ \"$1\" = --version ] && exec qemu-storage-daemon --version; exit 3",
    );
    let answer = quorate(&["diff", "--qemu", &directory, "read-corrupt"]);
    assert_eq!(answer.code, exit::USAGE);
    assert!(answer.err.contains("0 compared: qemu-storage-daemon is gone"), "{}", answer.err);
    // It lives for the first look, and is killed in the middle of a case.
    let mortal = "[ \"$1\" = --version ] && exec qemu-storage-daemon --version\n\
        if [ -e \"$0.seen\" ]; then (sleep 0.5; kill -9 $$) & fi; touch \"$0.seen\"; exec qemu-storage-daemon \"$@\"";
    program(place.path(), "qemu-storage-daemon", mortal);
    let kept = kept.to_string_lossy();
    let args = [
        "diff", "--qemu", &directory, "--output", &kept, "--layer", "ordered", "--seeds", "2000",
        "--jobs", "1",
    ];
    let answer = quorate(&args);
    assert_eq!(answer.code, exit::VIOLATED, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("qemu-storage-daemon is gone (signal: 9"), "{}", answer.out);
}

/// A program of a shell's.
fn program(directory: &Path, name: &str, script: &str) {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("there is room");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn a_difference_is_shrunk_and_shown_with_qemus_own_tools() {
    let Some(program) = qemu() else { return };
    // An array that wants one vote more than it was told.
    let greedy = |scenario: &Scenario, parts: Parts| -> Opening {
        let mut array = scenario.array.clone();
        array.vote_threshold = (array.vote_threshold + 1).min(parts.children.len());
        Box::pin(async move { Ok(runner::quorum(&array, parts).await? as Arc<_>) })
    };
    let twin = Arc::new(Twin::new(&program, Pace::Ordered).of_engine(Arc::new(greedy)));
    let votes = catalog::scenario("random-votes").expect("it is in the catalog");
    let mut scratch = Scratch::default();
    let differs = |scenario: &Scenario| {
        twin.judge(scenario, "votes", &mut scratch).verdict == Verdict::Violated
    };
    let scenario = (0..1000).map(|seed| expand::expand(&votes, seed)).find(differs);
    let scenario = scenario.expect("it does not take a thousand cases");
    let judge: Arc<dyn Judge> = twin;
    let watchdog = Duration::from_secs(30);
    let shrink = Shrink { engine: None, judge: Some(judge), watchdog, apart: None };
    let shrunk = shrink.shrink(&scenario, &AtomicBool::new(false), &mut |_, _| {});
    let shrunk = shrunk.expect("it differs");
    let steps = shrunk.scenario.scripts().flatten().count();
    assert!(shrunk.is_minimal && steps <= 2, "{}", load::write(&shrunk.scenario));
    let both_run = suited(&shrunk.scenario).expect("it was run on both sides");
    let script = script::script(&both_run, &shrunk.run).expect("it is a simple one");
    let said = Command::new("bash").arg("-c").arg(&script).output().expect("there is bash");
    let text = String::from_utf8_lossy(&said.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(said.status.code(), Some(0), "{text}\n{script}");
    assert!(last.starts_with("differs from quorate in"), "{text}");
}

/// Somebody who judges, and panics at one seed.
struct Careless;

impl Judge for Careless {
    fn judge(&self, scenario: &Scenario, token: &str, scratch: &mut Scratch) -> Run {
        assert_ne!(scenario.seed, 3, "this one is too much");
        attempt::run(scenario, token, None, scratch, None)
    }
}

#[test]
fn a_judge_that_panics_is_told_and_the_others_are_judged() {
    let mut heard = Panics::default();
    let healthy = catalog::scenario("random-healthy").expect("it is in the catalog");
    let fuzz = Fuzz {
        sources: vec![Source { name: "healthy".into(), scenario: healthy }],
        seeds: 0..8,
        time: None,
        jobs: 1,
        shard: Shard { number: 1, count: NonZeroU64::MIN },
        on_failure: OnFailure::KeepGoing,
        failures_max: 10,
        watchdog: Duration::from_secs(60),
        samples: 0,
        engine: None,
        judge: Some(Arc::new(Careless)),
    };
    let outcome = fuzz::run(fuzz, &AtomicBool::new(false), &mut heard);
    assert_eq!((outcome.ended, outcome.summary.runs()), (Ended::Complete, 8));
    assert_eq!(heard.0, ["healthy:3 panicked"]);
}

/// What failed.
#[derive(Default)]
struct Panics(Vec<String>);

impl Observer for Panics {
    fn progressed(&mut self, _: u64, _: u64) {}

    fn failed(&mut self, failed: &Failed) -> Option<String> {
        self.0.push(format!("{} {}", failed.token, failed.run.verdict.word()));
        None
    }
}
