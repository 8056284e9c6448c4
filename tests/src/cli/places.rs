//! Where disks are: what is said of places that are of no use.

use super::quorate;
use quorate_scenarios::cli::exit;
use std::fs;

#[test]
fn a_place_that_nobody_asks_for_is_refused_with_a_remedy() {
    for (args, why, remedy) in [
        (
            &["run", "read-corrupt", "--directory", "/tmp"][..],
            "--directory is for disks that are files",
            "add --env files, or leave it out",
        ),
        (
            &["run", "read-corrupt", "--gluster", "10.0.0.1"],
            "--gluster is for disks on a real gluster",
            "add --env gluster, or leave it out",
        ),
        (
            &["conform", "read-corrupt", "--env", "bricks", "--directory", "/tmp"],
            "--directory is for disks that are files",
            "add --env files, or leave it out",
        ),
        (
            &["trace", "read-corrupt", "--env", "files", "--directory", "/nowhere/at/all"],
            "/nowhere/at/all: No such file or directory",
            "name it with --directory",
        ),
        (
            &["run", "brick-killed-is-outvoted", "--env", "files"],
            "the disks of 'brick-killed-is-outvoted' are on gluster",
            "run it with --env sim or --env gluster",
        ),
    ] {
        let answer = quorate(args);
        assert_eq!((answer.code, answer.out.as_str()), (exit::USAGE, ""), "{args:?}");
        assert!(answer.err.contains(why) && answer.err.contains(remedy), "{}", answer.err);
    }
}

#[test]
fn what_is_no_place_is_told_from_what_is() {
    let answer = quorate(&["run", "read-corrupt", "--env", "gluster", "--gluster", "a:b"]);
    assert_eq!(answer.code, exit::USAGE);
    assert!(answer.err.contains("namespace|container|HOST[:PORT]"), "{}", answer.err);
}

/// Where libgfapi is missing that is said, and where it is there, that nobody listens.
#[test]
fn a_cluster_that_is_not_there_is_an_error_and_no_verdict() {
    let nobody = ["run", "read-corrupt", "--env", "gluster", "--gluster", "127.0.0.1:1"];
    let answer = quorate(&nobody);
    assert_eq!((answer.code, answer.out.as_str()), (exit::USAGE, ""));
    assert!(answer.err.contains("help: "), "{}", answer.err);
}

#[test]
fn a_run_on_files_leaves_nothing_and_is_the_simulated_one() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let on_files = quorate(&["run", "read-corrupt", "--env", "files", "--directory", place]);
    assert_eq!(on_files.code, exit::HELD, "{}", on_files.err);
    assert_eq!(on_files.out, quorate(&["run", "read-corrupt"]).out);
    assert_eq!(on_files.out, quorate(&["run", "read-corrupt", "--env", "bricks"]).out);
    assert_eq!(fs::read_dir(place).unwrap().count(), 0);
}

#[test]
fn conform_says_what_is_the_same_and_counts_it() {
    let args = ["conform", "--env", "bricks,files", "read-corrupt", "brick-killed-is-outvoted"];
    let answer = quorate(&args);
    assert_eq!(answer.code, exit::HELD, "{}", answer.err);
    assert!(answer.out.contains("bricks same  files same\n"), "{}", answer.out);
    assert!(
        answer.out.ends_with("  bricks   2 same\n  files    1 same, 1 left out\n"),
        "{}",
        answer.out
    );
    let json = quorate(&[&args[..], &["--format", "json"]].concat()).json();
    assert_eq!(json[0]["compared"]["files"]["likeness"], "same");
    assert_eq!(json[1]["compared"]["files"]["likeness"], "left out");
}
