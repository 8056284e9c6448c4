//! Scripts that show a case with QEMU's tools alone.

use crate::{qemu, say};
use quorate_engine::Errno;
use quorate_reports::{Outcome, Run, What};
use quorate_scenarios::{
    catalog, diff::script::script, fuzz::attempt, model::Scenario, runner::Scratch,
};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A scenario of the catalog, and its run.
fn case(name: &str) -> (Scenario, Run) {
    let scenario = catalog::scenario(name).expect("it is in the catalog");
    let run = attempt::run(&scenario, name, None, &mut Scratch::default(), None);
    (scenario, run)
}

/// Runs a script, which finds its tools in `path`, and room in a directory of its own.
fn run(script: &str, path: Option<&Path>) -> Output {
    let place = tempfile::tempdir().expect("it can be made");
    let (file, room) = (place.path().join("case.sh"), place.path().join("room"));
    fs::write(&file, script).expect("there is room");
    fs::create_dir(&room).expect("it is free");
    let mut bash = Command::new("/bin/bash");
    bash.arg(&file).env("TMPDIR", &room);
    if let Some(path) = path {
        bash.env("PATH", path);
    }
    let output = bash.output().expect("there is a bash");
    assert_eq!(fs::read_dir(room).expect("it is there").count(), 0, "it cleans up after itself");
    output
}

/// What the script of a run says, and its exit code.
#[track_caller]
fn shown(scenario: &Scenario, of: &Run) -> (String, Option<i32>) {
    let script = script(scenario, of).unwrap_or_else(|error| panic!("{}: {error}", of.name));
    let output = run(&script, None);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "", "{script}");
    (String::from_utf8(output.stdout).expect("it is text"), output.status.code())
}

/// The verdict of the script of a run in which something was changed.
#[track_caller]
fn verdict_after(name: &str, change: impl FnOnce(&mut Run)) -> String {
    let (scenario, mut run) = case(name);
    change(&mut run);
    let (text, code) = shown(&scenario, &run);
    assert_eq!(code, Some(0), "{text}");
    text.lines().last().expect("it has a verdict").into()
}

/// The last answer in a run.
fn answer(run: &mut Run) -> &mut Outcome {
    let mut last = run.trace.entries.iter_mut().rev();
    let found = last.find_map(|entry| match &mut entry.what {
        What::Complete(outcome) => Some(outcome),
        _ => None,
    });
    found.expect("there is an answer")
}

/// Each of these scripts says that there is no difference, and this line.
#[track_caller]
fn check(agreed: &[(&str, &str)]) {
    let Some(_) = qemu() else { return };
    for (name, line) in agreed {
        let (scenario, run) = case(name);
        let (text, code) = shown(&scenario, &run);
        assert_eq!((text.lines().last(), code), (Some("no difference"), Some(1)), "{name}\n{text}");
        assert!(text.lines().any(|said| said.trim() == *line), "{name}: no '{line}' in\n{text}");
    }
}

#[test]
fn where_qemu_agrees_on_reads_the_script_of_a_case_says_so() {
    check(READS);
}

#[test]
fn where_qemu_agrees_on_writes_and_flushes_the_script_of_a_case_says_so() {
    check(WRITES);
}

#[test]
fn another_answer_is_a_difference() {
    let Some(_) = qemu() else { return };
    let verdict = verdict_after("errno-tie-of-two", |run| {
        *answer(run) = Outcome::Data(Err(Errno::EPERM));
    });
    assert_eq!(verdict, "differs from quorate in: answer of 0.1");
    let verdict = verdict_after("read-corrupt", |run| {
        *answer(run) = Outcome::Data(Ok(vec![0x33; 10240].into()));
    });
    assert_eq!(verdict, "differs from quorate in: answer of 0.2");
}

#[test]
fn another_report_is_a_difference() {
    let Some(_) = qemu() else { return };
    let verdict = verdict_after("read-corrupt", |run| {
        run.trace.entries.retain(|entry| !matches!(entry.what, What::Event(_)));
    });
    assert_eq!(verdict, "differs from quorate in: events of 0.2");
}

#[test]
fn other_bytes_on_a_child_are_a_difference() {
    let Some(_) = qemu() else { return };
    let verdict = verdict_after("read-corrupt", |run| run.media[2].write(5000, b"x"));
    assert_eq!(verdict, "differs from quorate in: c2 after the end");
}

#[test]
fn a_defect_of_qemu_is_a_difference() {
    let Some(_) = qemu() else { return };
    let verdict = verdict_after("failed-read-around-a-write-fails-the-write", |_| {});
    assert_eq!(verdict, "differs from quorate in: events of 0.0, c1 after 0.0");
    let verdict = verdict_after("threshold-is-not-narrowed", |_| {});
    assert_eq!(verdict, "differs from quorate in: opening");
}

#[test]
fn what_qemus_tools_cannot_do_has_no_script_and_a_reason() {
    for (name, why) in [
        ("hung-child-stalls-a-read", "c2 does not answer everything"),
        ("overlapping-writes-diverge", "request 0.1 is made while another one runs"),
        ("dropped-write-still-takes-place", "a request is given up"),
        ("last-child-comes-and-goes", "no request is made"),
        ("child-that-does-not-open", "the open of c1 does not come out as it should"),
        ("length-that-is-a-lie", "the length of c2 does not come out as it should"),
        ("request-beyond-the-end-is-refused", "qemu-io itself refuses what reaches beyond the end"),
    ] {
        let (scenario, run) = case(name);
        let refused = script(&scenario, &run).expect_err(name).to_string();
        assert_eq!(refused, format!("QEMU's tools alone cannot show it: {why}"), "{name}");
    }
}

#[test]
fn without_a_tool_the_script_names_it_and_ends() {
    let (scenario, run_of_it) = case("read-corrupt");
    let text = script(&scenario, &run_of_it).expect("it can be shown");
    let empty = tempfile::tempdir().expect("it can be made");
    let output = run(&text, Some(empty.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("cannot be tried: there is no qemu-storage-daemon"), "{said}");
}

/// Every scenario of the catalog that can be shown: only those may differ in which that is known.
#[test]
#[ignore = "some minutes"]
fn the_whole_catalog_is_shown() {
    let Some(_) = qemu() else { return };
    let mut differing = Vec::new();
    let (mut all, mut mute) = (0, 0);
    for scenario in catalog::all() {
        if scenario.random.is_some() || scenario.gluster.is_some() {
            continue;
        }
        all += 1;
        let (scenario, run) = case(&scenario.name);
        if let Err(error) = script(&scenario, &run) {
            mute += 1;
            say(&format!("{}: {error}", scenario.name));
            continue;
        }
        let (text, code) = shown(&scenario, &run);
        if code != Some(1) {
            say(&format!("{}\n{text}", scenario.name));
            differing.push(scenario.name);
        }
    }
    say(&format!("{all} scenarios, {mute} without a script, {} differ", differing.len()));
    assert_eq!(differing, DIFFERENT);
}

/// By name, and a line that the script says.
const READS: &[(&str, &str)] = &[
    ("read-corrupt", "events: QEMU and quorate: bad c1 read 0+20"),
    ("errno-tie-of-two", "answer: QEMU and quorate: No space left on device"),
    ("rewrite-repairs-every-loser", "answer: QEMU and quorate: ok, 4096 x 41"),
    (
        "fifo-goes-on-to-the-next-child",
        "events: QEMU and quorate: bad c0 read 0+1 Input/output error; bad c1 read 0+1 No space left on device",
    ),
    (
        "fragments-are-voted-by-themselves",
        "events: QEMU and quorate: bad c0 read 0+128; bad c1 read 128+128; bad c2 read 256+128",
    ),
    (
        "nested-quorum-fails-and-is-reported",
        "events: QEMU and quorate: failure in 0+8; bad in read 0+8 Input/output error",
    ),
    (
        "failures-are-reported-as-they-arrive",
        "here children fail in their order: that of reports is not compared",
    ),
];

/// The same.
const WRITES: &[(&str, &str)] = &[
    ("flush-errors-are-voted-on", "answer: QEMU and quorate: No space left on device"),
    (
        "fua-write-fails-with-its-flush",
        "events: QEMU and quorate: bad c0 flush 0+0 Input/output error; bad c2 flush 0+0 No space left on device",
    ),
    ("write-below-threshold-is-not-rolled-back", "events: QEMU and quorate: bad c2 read 0+1"),
    ("zeroes-voted-unsupported-fail-twice", "answer: QEMU and quorate: Operation not supported"),
    ("torn-write-is-outvoted", "events: QEMU and quorate: bad c1 read 0+8"),
    ("added-child-votes-at-once", "events: QEMU and quorate: bad c2 read 0+1"),
];

/// Refused by the engine and taken by QEMU, or the other way round; `ARCHITECTURE.md` says why.
const DIFFERENT: [&str; 6] = [
    "blkverify-mismatch-from-the-start",
    "blkverify-names-the-first-difference",
    "failed-read-around-a-write-fails-the-write",
    "fifo-refuses-rewriting",
    "fifo-refuses-verification",
    "threshold-is-not-narrowed",
];
