//! `quorate fuzz` and `quorate merge`.

use super::{answer, file, path_text, quorate, temporary, wrong_file};
use quorate_scenarios::{
    cli::exit,
    fuzz::part::{self, Part},
};
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

    let partly = quorate(&["merge", &shards[2], &shards[0]]);
    assert_eq!((partly.code, partly.err.as_str()), (exit::HELD, "warning: shards missing: 2/3\n"));
    for (one, other) in
        [(&shards[0], &shards[0]), (&shards[0], &fuzz("1/2", "half")), (&shards[1], &path("whole"))]
    {
        let twice = quorate(&["merge", one, other]);
        assert_eq!((twice.code, twice.out.as_str()), (exit::USAGE, ""));
        assert!(twice.err.contains("would count twice"), "{}", twice.err);
    }
}

/// What a fuzz was asked to run, from text: seeds, shard, scenarios.
fn part(text: &str) -> Part {
    let [seeds, shard, sources] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("seeds, shard, scenarios: {text}")
    };
    let (start, end) = seeds.split_once("..").expect("a range");
    let number = |text: &str| text.parse::<u64>().expect("a seed");
    Part {
        seeds: number(start)..number(end),
        shard: shard.parse().expect("a shard"),
        sources: sources.split(',').map(String::from).collect(),
    }
}

#[test]
fn runs_in_common_are_found_and_no_others() {
    for (one, other, run) in [
        ("0..100 1/1 a", "0..200 1/1 a", Some("a:0")),
        ("0..100 1/1 a", "100..200 1/1 a", None),
        ("0..100 1/2 a,b", "0..100 2/2 a,b", None),
        ("0..100 1/2 a,b", "50..200 1/2 a,b", Some("a:52")),
        ("0..100 1/2 a", "0..100 2/4 a", None),
        ("0..100 1/2 a", "0..100 3/4 a", Some("a:2")),
        ("0..5 1/3 a", "0..100 2/4 a", None),
        ("0..100 1/3 a", "0..100 2/4 a", Some("a:9")),
        ("0..100 1/1 a", "0..100 1/1 b", None),
        ("0..100 1/1 a,b", "0..100 1/1 b,a", None),
        ("0..100 1/1 a,b", "0..100 1/1 b", Some("b:1")),
        ("0..18446744073709551615 1/1 a", "7..8 1/1 a", Some("a:7")),
        ("0..100 1/18446744073709551615 a", "0..100 1/18446744073709551614 a", Some("a:0")),
    ] {
        let (a, b) = (part(one), part(other));
        assert_eq!(a.common(&b).as_deref(), run, "{one} and {other}");
        assert_eq!(b.common(&a).as_deref(), run, "{other} and {one}");
    }
}

#[test]
fn missing_shards_are_named_for_each_fuzz() {
    for (parts, missing) in [
        (&["0..9 1/1 a"][..], &[][..]),
        (&["0..9 1/2 a"], &["2/2"]),
        (&["0..9 3/3 a", "0..9 1/3 a"], &["2/3"]),
        (&["0..9 1/2 a", "0..9 2/2 b"], &["2/2", "1/2"]),
        (&["0..9 1/2 a", "0..9 2/2 a", "9..12 2/2 a"], &["1/2"]),
    ] {
        let of: Vec<Part> = parts.iter().map(|text| part(text)).collect();
        let named: Vec<String> = part::missing(&of).iter().map(|s| s.to_string()).collect();
        assert_eq!(named, missing, "{parts:?}");
    }
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
    for (word, value) in [("class", "expectations"), ("verdict", "violated"), ("run", &wrong)] {
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

/// Votes that were declared reachable and never seen fail a fuzz in which all runs hold.
#[test]
fn a_blind_spot_fails_the_fuzz() {
    let directory = temporary();
    let path = file(
        &directory,
        "blind.toml",
        "version = 1\nname = \"blind\"\n[array]\nchildren = 3\nvote-threshold = 2\n[disk]\n\
         bytes = \"8KiB\"\n[random]\nchildren = [3]\nrequests = 4\nbytes-max = 512\nreach = 3\n",
    );
    let fuzz = |seeds| quorate(&["fuzz", "--scenario", &path, "--seeds", seeds]);
    assert_eq!(fuzz("2").code, exit::HELD, "too early to say");
    let blind = fuzz("3");
    assert_eq!(blind.code, exit::VIOLATED);
    assert!(blind.out.contains("3 runs, all held"), "{}", blind.out);
    assert!(blind.out.contains("of the 87 votes that are declared reachable"), "{}", blind.out);
    assert!(blind.out.contains("never reached: "), "{}", blind.out);
}
