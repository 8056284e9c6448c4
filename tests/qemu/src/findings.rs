//! What is wrong with the real QEMU: what `FINDINGS.md` says is what there is to see.

use super::{qemu, say};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    process::{Command, Output},
};

const FINDINGS: &str = include_str!("../FINDINGS.md");

/// The command, with nothing of this process's that it could leave things in.
fn reproduce(arguments: &[&str], place: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce"));
    command.args(arguments).current_dir(place).env("TMPDIR", place);
    command.output().expect("it was built with this test")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("it writes text")
}

/// The cells of each row of the document's table, by the first of them; that of its head is `id`.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = FINDINGS.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    rows.map(|row| (row[0], row[1..].to_vec())).collect()
}

#[test]
fn what_is_in_the_findings_is_what_is_seen() {
    let Some(program) = qemu() else { return };
    let place = tempfile::tempdir().expect("it can be made");
    let shown = reproduce(&["all"], place.path());
    let (said, failed) = (text(&shown.stdout), text(&shown.stderr));
    assert!(shown.status.success() && failed.is_empty(), "{said}{failed}");
    let left: Vec<_> = fs::read_dir(place.path()).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?} is left behind");
    let version = program.version().to_string();
    let table = table();
    let column = table["id"].iter().position(|head| *head == version);
    let mut verdicts = BTreeMap::new();
    for line in said.lines() {
        let Some((verdict, on)) = line.split_once(" on QEMU ") else { continue };
        let (id, verdict) = verdict.split_once(' ').expect("a verdict begins with what it is on");
        assert_eq!(on, version);
        assert_eq!(verdicts.insert(id, verdict), None, "one verdict each");
    }
    let expected = table.keys().copied().filter(|id| *id != "id");
    assert!(verdicts.keys().copied().eq(expected), "{:?} are shown", verdicts.keys());
    let Some(column) = column else {
        return say(&format!("QEMU {version} has no column in FINDINGS.md: {verdicts:?}"));
    };
    for (id, verdict) in &verdicts {
        assert_eq!(*verdict, table[id][column], "FINDINGS.md has something else of {id}:\n{said}");
    }
    let seen = verdicts.values().filter(|verdict| **verdict == "reproduced").count();
    say(&format!("qemu {version}: {} findings shown, {seen} reproduced, as known", verdicts.len()));
}

#[test]
fn every_finding_is_listed_and_described() {
    let place = tempfile::tempdir().expect("it can be made");
    let listed = reproduce(&[], place.path());
    assert!(listed.status.success());
    let ids = text(&listed.stdout).lines().filter_map(|line| line.split_whitespace().next());
    let ids: Vec<_> = ids.collect();
    let table = table();
    let expected: BTreeSet<_> = table.keys().copied().filter(|id| *id != "id").collect();
    assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(ids.len(), expected.len(), "each once: {ids:?}");
    for id in ids {
        assert!(FINDINGS.contains(&format!("\n## {id}: ")), "{id} has no section");
    }
}

/// The hazards of voting without memory that touch quorum, and the defects, by one number or another.
#[test]
fn every_known_hazard_is_shown_by_its_number() {
    let place = tempfile::tempdir().expect("it can be made");
    let listed = reproduce(&[], place.path());
    let listed = text(&listed.stdout);
    let hazards = (1..=20).chain(26..=28).map(|number| format!("S{number:02}"));
    for id in hazards.chain((1..=13).map(|number| format!("D{number}"))) {
        let first = listed.lines().any(|line| line.split_whitespace().next() == Some(&id));
        let same = listed.lines().find(|line| line.ends_with(&format!("({id})")));
        assert!(first || same.is_some(), "{id} cannot be shown:\n{listed}");
        if let Some(of) = same.and_then(|line| line.split_whitespace().next()) {
            assert!(FINDINGS.contains(&format!("{id} is {of}")), "FINDINGS.md has nothing of {id}");
        }
    }
}

#[test]
fn another_number_shows_the_same() {
    if qemu().is_none() {
        return;
    }
    let place = tempfile::tempdir().expect("it can be made");
    let shown = reproduce(&["s15"], place.path());
    let last = text(&shown.stdout).lines().last().unwrap_or_default();
    assert!(last.starts_with("D7 reproduced on QEMU "), "{last}");
}

#[test]
fn every_scenario_that_a_finding_names_is_in_the_catalog() {
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/catalog");
    let named = FINDINGS.split("`quorate run ").skip(1);
    let named: Vec<_> = named.filter_map(|rest| rest.split('`').next()).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(catalog.join(format!("{name}.toml")).exists(), "there is no scenario {name}");
    }
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_remedy() {
    let place = tempfile::tempdir().expect("it can be made");
    let unknown = reproduce(&["D1", "D99"], place.path());
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown.stderr).starts_with("there is no 'D99': without arguments all are listed")
    );
    assert!(unknown.stdout.is_empty(), "nothing is shown before");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce"));
    let without = command.arg("D1").env("PATH", place.path()).output().expect("it was built");
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("apt-get install qemu-utils"));
}
