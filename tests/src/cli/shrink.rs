//! `quorate shrink`.

use super::{answer, file, path_text, quorate, temporary, wrong_file};
use quorate_scenarios::{cli::exit, load};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

/// A profile whose every seed fails: a disk answers something else, and all must be right.
const FAILING: &str = "version = 1\nname = \"failing\"\n[array]\nchildren = 3\nvote-threshold = 2\n\
    [[rule]]\nname = \"lies\"\non = \"read\"\nchild = \"any\"\nwhen = { rate = \"1:2\" }\n\
    do = { fault = \"corrupt\", bytes = 64 }\n\
    [random]\nchildren = [5]\nrequests = 30\nclients = 3\nbytes-max = \"4KiB\"\n\
    [expect]\npromises = \"correct\"\n";

#[test]
fn a_failure_is_shrunk_saved_and_shown() {
    let directory = temporary();
    let profile = file(&directory, "failing.toml", FAILING);
    let to = path_text(&directory.path().join("small.toml"));
    let test = path_text(&directory.path().join("small.rs"));
    let shrunk = quorate(&["shrink", &format!("{profile}:7"), "-o", &to, "--test", &test]);
    assert_eq!((shrunk.code, shrunk.err.as_str()), (exit::HELD, ""), "{}", shrunk.out);
    for part in [
        "µs  guest",
        "\nPROMISE  promise-failing-7\n",
        "clients         3       1\n",
        "steps          30       1\n",
        " scenarios were run, in ",
        &format!("saved as {to}; read back, it fails in the same way\n"),
        &format!("and as a test in {test}\n"),
        &format!("\nreplay\n  bin/quorate replay {to}\n"),
    ] {
        assert!(shrunk.out.contains(part), "'{part}' in\n{}", shrunk.out);
    }
    assert!(!shrunk.out.contains("bin/quorate shrink"), "{}", shrunk.out);
    let text = fs::read_to_string(&to).expect("it was saved");
    for (word, value) in [("fails", "promise"), ("of", &*format!("{profile}:7"))] {
        assert!(text.contains(&format!("# {word:<8} {value}\n")), "{text}");
    }
    let digest = text.lines().find_map(|line| line.strip_prefix("# digest   "));
    let replay = quorate(&["replay", &to, "--check-digest", digest.expect("a digest")]);
    assert_eq!(replay.code, exit::VIOLATED);
    assert!(!replay.out.contains("the digest should be"), "{}", replay.out);
    let test = fs::read_to_string(&test).expect("it was saved");
    assert!(test.contains("#[test]\nfn promise_failing_7_holds() {"), "{test}");
    let scenario = load::file(Path::new(&to)).expect("a scenario");
    assert!(test.contains(&load::write(&scenario)), "{test}");
}

#[test]
fn a_file_is_shrunk_beside_it_and_once_only() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let beside = path_text(&directory.path().join("wrong.min.toml"));
    let first = quorate(&["shrink", &wrong]);
    assert_eq!((first.code, first.err.as_str()), (exit::HELD, ""), "{}", first.out);
    assert!(first.out.contains(&format!("saved as {beside}; read back")), "{}", first.out);
    let text = fs::read_to_string(&beside).expect("it was saved");
    let again = quorate(&["shrink", &wrong]);
    let replaced = format!("saved as {beside}, in the place of an older one; read back");
    assert!(again.out.contains(&replaced), "{}", again.out);
    assert_eq!(fs::read_to_string(&beside).expect("it was saved"), text);

    let to = path_text(&directory.path().join("smaller.toml"));
    let twice = quorate(&["shrink", &beside, "-o", &to]);
    assert_eq!(twice.code, exit::HELD);
    let [once, twice] = [&beside, &to].map(|path| load::file(Path::new(path)).expect("it is read"));
    let name = twice.name.clone();
    assert_eq!(twice, quorate_scenarios::model::Scenario { name, ..once });
}

#[test]
fn a_run_that_holds_is_refused_and_leaves_nothing() {
    let directory = temporary();
    let to = path_text(&directory.path().join("small.toml"));
    for run in ["read-corrupt", "random-any:3"] {
        let refused = quorate(&["shrink", run, "-o", &to]);
        assert_eq!((refused.code, refused.out.as_str()), (exit::USAGE, ""));
        let said = format!("'{run}' cannot be shrunk: its run holds");
        assert!(refused.err.contains(&said), "{}", refused.err);
        assert!(!Path::new(&to).exists());
    }
}

#[test]
fn files_that_are_needed_are_left_alone() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let profile = file(&directory, "failing.toml", FAILING);
    let one = path_text(&directory.path().join("one"));
    for (arguments, option) in [
        (vec!["shrink", &wrong, "-o", &wrong], "--output"),
        (vec!["shrink", &wrong, "--test", &wrong], "--test"),
        (vec!["shrink", &format!("{profile}:7"), "-o", &profile], "--output"),
        (vec!["shrink", &wrong, "-o", &one, "--test", &one], "--output"),
    ] {
        let refused = quorate(&arguments);
        assert_eq!((refused.code, refused.out.as_str()), (exit::USAGE, ""), "{arguments:?}");
        assert!(refused.err.contains(&format!("{option} names '")), "{}", refused.err);
        assert!(!Path::new(&one).exists());
    }
    assert_eq!(fs::read_to_string(&profile).expect("it is there"), FAILING);
}

/// Such as a pipe, and above all a device.
#[test]
fn what_is_no_file_is_written_and_not_replaced() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
    assert!(made.success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn();
    let shrunk = quorate(&["shrink", &wrong, "-o", &path_text(&pipe)]);
    assert_eq!(shrunk.code, exit::HELD, "{}", shrunk.err);
    let read = reader.and_then(Child::wait_with_output).expect("there is cat").stdout;
    assert!(String::from_utf8_lossy(&read).contains("version = 1"));
    assert!(!fs::metadata(&pipe).expect("it is there").is_file());
}

#[test]
fn an_interrupted_shrink_keeps_what_it_has() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let stop = Arc::new(AtomicBool::new(true));
    let stopped = answer(&["shrink", &wrong], &stop);
    assert_eq!(stopped.code, exit::INTERRUPTED);
    assert!(stopped.out.ends_with("interrupted: it may get smaller yet\n"), "{}", stopped.out);
    let beside = directory.path().join("wrong.min.toml");
    let (kept, wrong) = (load::file(&beside), load::file(Path::new(&wrong)));
    let (kept, wrong) = (kept.expect("it was saved"), wrong.expect("it is there"));
    assert_eq!(kept.steps, wrong.steps);
}
