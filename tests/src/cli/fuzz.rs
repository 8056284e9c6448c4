//! `quorate fuzz` and `quorate merge`.

use super::{answer, path_text, quorate, temporary, wrong_file};
use quorate_scenarios::cli::exit;
use serde_json::Value;
use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
};

/// What does not depend on the clock.
fn timeless(mut record: Value) -> Value {
    let summary = record["summary"].as_object_mut().expect("an object");
    assert!(summary.remove("elapsed").is_some());
    assert!(summary.remove("cpu").is_some());
    record
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let with = |jobs| {
        let args = ["fuzz", "--seeds", "150..451", "--format", "json", "--jobs", jobs];
        let fuzz = quorate(&args);
        assert_eq!((fuzz.code, fuzz.err.as_str()), (exit::HELD, ""));
        timeless(fuzz.json())
    };
    let one = with("1");
    assert_eq!(one["summary"]["verdicts"]["held"], 301);
    assert_eq!(one, with("4"));
    assert_eq!(one["complete"], true);
}

#[test]
fn shards_add_up_to_the_whole() {
    let directory = temporary();
    let path = |name: &str| path_text(&directory.path().join(name));
    let fuzz = |shard: &str, name: &str| {
        let save = path(name);
        let args = ["fuzz", "--seeds", "3..100", "--shard", shard, "--save-summary", &save];
        assert_eq!(quorate(&args).code, exit::HELD);
        save
    };
    let shards = [fuzz("1/3", "1"), fuzz("2/3", "2"), fuzz("3/3", "3")];
    let args: Vec<&str> = ["merge", "--format", "json"]
        .into_iter()
        .chain(shards.iter().map(String::as_str))
        .collect();
    let mut merged = timeless(quorate(&args).json());
    let whole = fs::read_to_string(fuzz("1/1", "whole")).expect("it was saved");
    let mut whole = timeless(whole.parse().expect("an object"));
    assert_eq!(merged["parts"].as_array().map(Vec::len), Some(3));
    merged["parts"] = Value::Null;
    whole["parts"] = Value::Null;
    assert_eq!(merged, whole);

    let twice = quorate(&["merge", &shards[0], &shards[0]]);
    assert_eq!(twice.code, exit::USAGE);
    assert!(twice.err.contains("its runs would count twice"), "{}", twice.err);
}

#[test]
fn a_failure_is_saved_and_replays() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let output = path_text(&directory.path().join("failures"));
    let args = ["fuzz", "--scenario", &wrong, "--seeds", "5..9", "--output", &output];
    let fuzz = quorate(&args);
    assert_eq!((fuzz.code, fuzz.err.as_str()), (exit::VIOLATED, ""));
    let saved = format!("{output}/expectations-wrong-5.toml");
    assert_eq!(fuzz.out.matches(&format!("  bin/quorate replay {saved}\n")).count(), 1);
    let files = fs::read_dir(&output).expect("it was made");
    assert_eq!(files.count(), 1, "one of each class");
    let text = fs::read_to_string(&saved).expect("it was saved");
    for (word, value) in [("class", "expectations"), ("verdict", "violated"), ("seed", &wrong)] {
        assert!(text.contains(&format!("# {word:<8} {value}")), "{text}");
    }
    let digest = text.lines().find_map(|line| line.strip_prefix("# digest   "));
    let digest = digest.expect("the header has the digest");

    let replay = quorate(&["replay", &saved, "--check-digest", digest]);
    assert_eq!(replay.code, exit::VIOLATED);
    assert!(replay.out.contains("\nEXPECTATIONS  wrong\n"), "{}", replay.out);
    assert!(!replay.out.contains("the digest should be"), "{}", replay.out);

    let every = [&args[..], &["--keep-going", "--format", "json"]].concat();
    let every = quorate(&every);
    assert_eq!(every.code, exit::VIOLATED);
    assert_eq!(every.json()["summary"]["failures"].as_array().map(Vec::len), Some(4));
    assert_eq!(fs::read_dir(&output).expect("it was made").count(), 4);
}

#[test]
fn a_fuzz_without_failures_leaves_nothing_behind() {
    let directory = temporary();
    let output = path_text(&directory.path().join("failures"));
    let fuzz = quorate(&["fuzz", "--seeds", "5", "--output", &output]);
    assert_eq!(fuzz.code, exit::HELD);
    assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0);
}

#[test]
fn an_interrupted_fuzz_says_what_it_has_so_far() {
    let stop = Arc::new(AtomicBool::new(true));
    let fuzz = answer(&["fuzz", "--time", "1h"], &stop);
    assert_eq!(fuzz.code, exit::INTERRUPTED);
    assert!(fuzz.out.contains("interrupted: this is what was run so far"), "{}", fuzz.out);
}

#[test]
fn a_fuzz_ends_when_its_time_is_up() {
    let fuzz = quorate(&["fuzz", "--time", "100ms", "--format", "json"]);
    assert_eq!(fuzz.code, exit::HELD);
    assert_eq!(fuzz.json()["complete"], false);
}
