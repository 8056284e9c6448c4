//! The bug museum is in order. Whether its bugs are caught, `cargo run -p quorate-museum` shows.

use quorate_museum::{
    bug::{self, Bug, Shows},
    patch,
    workspace::Workspace,
};
use std::{collections::BTreeSet, fs, path::Path};

fn workspace() -> Workspace {
    Workspace::find(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the tests are part of it")
}

fn bugs() -> Vec<Bug> {
    workspace().bugs().expect("the list is well-formed")
}

#[test]
fn every_patch_applies_to_the_engine_as_it_is() {
    let workspace = workspace();
    let mut broken = Vec::new();
    for bug in bugs().iter().filter(|bug| bug.is_expressed()) {
        let path = workspace.patch(bug);
        let patch = fs::read_to_string(&path).unwrap_or_default();
        match patch::apply(&patch, &workspace.root) {
            Err(error) => broken.push(format!("{}: {error}", path.display())),
            Ok(files) => {
                for file in files {
                    let before = fs::read_to_string(workspace.root.join(&file.path));
                    assert_ne!(before.expect("it was patched"), file.text, "{}", path.display());
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_patch_is_of_a_bug() {
    let named: BTreeSet<String> =
        bugs().into_iter().filter(Bug::is_expressed).map(|bug| bug.name).collect();
    let there = workspace().patches().expect("there are some");
    assert_eq!(there, named.into_iter().collect::<Vec<_>>());
}

/// The numbers of the list that the history of QEMU's two drivers gave rise to; those that are missing are
/// of other drivers, or hazards that no commit mended.
#[test]
fn every_bug_of_the_history_is_there_once() {
    let ids: Vec<String> = bugs().into_iter().map(|bug| bug.id).collect();
    for (letter, last, missing) in [('Q', 46, &[28, 33, 35, 36, 42][..]), ('G', 30, &[7, 27])] {
        let numbers = (1..=last).filter(|number| !missing.contains(number));
        let expected: Vec<String> = numbers.map(|number| format!("{letter}{number:02}")).collect();
        let history: Vec<_> = ids.iter().filter(|id| id.starts_with(letter)).collect();
        assert_eq!(history, expected.iter().collect::<Vec<_>>());
    }
    let others = ["agree-skips-threshold", "copy-last-member-of-wrong-version"];
    for name in others.into_iter().chain(["early-ack-at-threshold", "count-wraps"]) {
        assert_eq!(bugs().iter().filter(|bug| bug.name == name).count(), 1, "{name}");
    }
}

#[test]
fn every_bug_tells_its_story() {
    for bug in bugs() {
        assert!(bug.story.trim().len() > 30, "{} says nothing", bug.id);
        if let Shows::Impossible(why) = &bug.shows {
            assert!(why.trim().len() > 30, "{} does not say why it cannot be had", bug.id);
        }
    }
}

#[test]
fn every_bug_has_a_row_in_the_readme() {
    let path = workspace().root.join("tests/museum/README.md");
    let readme = fs::read_to_string(path).expect("it is there");
    for bug in bugs() {
        let row = format!("| {} | `{}` | ", bug.id, bug.name);
        let rows = readme.lines().filter(|line| line.starts_with(&row)).count();
        assert_eq!(rows, 1, "rows of {} {} in tests/museum/README.md", bug.id, bug.name);
    }
}

#[test]
fn every_test_that_shows_a_bug_is_there() {
    let root = workspace().root.join("tests");
    for bug in bugs() {
        let Shows::Tests(tests) = &bug.shows else { continue };
        for test in tests {
            let source = match test.program.as_str() {
                "engine" => root.join("engine").join("src"),
                "gfapi" => root.join("gfapi").join("src"),
                "it" => root.join("src"),
                other => panic!("{}: there is no program {other}", bug.id),
            };
            let (module, name) = test.name.rsplit_once("::").expect("a test is in a module");
            let path = source.join(module.replace("::", "/")).with_extension("rs");
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {}: {error}", bug.id, path.display()));
            assert!(text.contains(&format!("\n#[test]\nfn {name}(")), "{}: no test {test}", bug.id);
        }
    }
}

#[test]
fn every_check_that_shows_a_bug_is_there() {
    let verdicts = quorate_reports::Verdict::ALL.map(|verdict| verdict.word());
    let checks = quorate_scenarios::oracle::checks().map(|(name, ..)| name);
    let laws = quorate_scenarios::metamorphic::laws().map(|(name, ..)| name);
    let there: BTreeSet<&str> = checks.chain(verdicts).chain(laws).collect();
    for bug in bugs() {
        if let Shows::Seeds(classes) = &bug.shows {
            let unknown: Vec<_> = classes.iter().filter(|c| !there.contains(c.as_str())).collect();
            assert!(unknown.is_empty(), "{}: nothing is called {unknown:?}", bug.id);
        }
    }
}

/// Each is a change of the file or the list that must not go unnoticed, with a word of the complaint.
#[test]
fn what_is_wrong_is_refused() {
    let root = workspace().root;
    for (text, complaint) in [
        ("", "no unified diff"),
        ("--- a/sim/src/run.rs\n+++ b/sim/src/run.rs\n@@ -1 +1 @@\n-a\n+b\n", "sim/src/run.rs"),
        ("--- a/engine/src/vote.rs\n+++ b/engine/src/vote.rs\n@@ -1 +1 @@\n-a\n+b\n", "git diff"),
        ("--- a/engine/src/x.rs\n+++ b/engine/src/x.rs\n@@ -1 +1 @@\n-a\n+b\n", "cannot be read"),
    ] {
        let error = patch::apply(text, &root).expect_err("it is refused").to_string();
        assert!(error.contains(complaint), "{error}");
    }
    let entry = |rest: &str| format!("[[bug]]\nid = \"A\"\nname = \"a\"\nstory = \"s\"\n{rest}\n");
    for (text, complaint) in [
        (entry(""), "exactly one"),
        (entry("test = \"t::u\"\nimpossible = \"i\""), "exactly one"),
        (entry("seeds = []"), "exactly one"),
        (entry("test = []"), "exactly one"),
        (entry("test = \"t::u\"\nyear = 2014"), "both commit and year"),
        (entry("tset = \"t\""), "tset"),
        (entry("test = \"t\""), "engine::vote::t"),
        (entry("test = \"t::u\"").repeat(2), "'A' is there twice"),
    ] {
        let error = bug::parse(&text).expect_err("it is refused").to_string();
        assert!(error.contains(complaint), "{error}");
    }
}
