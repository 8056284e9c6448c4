//! Every scenario of the catalog ends as its file says, and the catalog covers what it should.

use quorate_reports::{Colour, Verdict, timeline};
use quorate_scenarios::{
    catalog, expand::expand, fuzz::attempt, load, model::Scenario, runner::Scratch,
};
use std::collections::BTreeSet;

fn run(scenario: &Scenario, token: &str) -> quorate_reports::Run {
    attempt::run(scenario, token, None, &mut Scratch::default(), None)
}

#[test]
fn every_scenario_holds() {
    let mut failed = Vec::new();
    for scenario in catalog::all() {
        let seeds = if scenario.random.is_some() { 40 } else { 1 };
        for seed in 0..seeds {
            let token = format!("{}:{seed}", scenario.name);
            let run = run(&expand(&scenario, seed), &token);
            if run.verdict != Verdict::Held {
                let story = timeline::render(&run, Colour::Off);
                failed.push(format!("{story}\nquorate replay {token}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn a_seed_that_comes_from_the_commit_holds() {
    let given = std::env::var("QUORATE_SEED").ok();
    let commit = quorate_scenarios::cli::COMMIT;
    let digits: String = commit.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let seed = match &given {
        Some(text) => text.parse().expect("QUORATE_SEED is a number"),
        None => u64::from_str_radix(&digits, 16).unwrap_or_default(),
    };
    println!("seed {seed} of commit {commit}; QUORATE_SEED={seed} cargo test repeats it");
    for scenario in catalog::all().filter(|scenario| scenario.random.is_some()) {
        for seed in seed..seed + 10 {
            let token = format!("{}:{seed}", scenario.name);
            let run = run(&expand(&scenario, seed), &token);
            let story = || timeline::render(&run, Colour::Off);
            assert_eq!(run.verdict, Verdict::Held, "{}\nquorate replay {token}", story());
        }
    }
}

#[test]
fn explain_knows_every_word_of_covers() {
    for scenario in catalog::all() {
        for word in &scenario.covers {
            assert!(catalog::meaning(word).is_some(), "'{word}' of '{}'", scenario.name);
        }
    }
}

#[test]
fn every_file_is_named_as_its_scenario_and_tells_its_story() {
    for scenario in catalog::all() {
        let name = &scenario.name;
        assert!(catalog::text(name).is_some(), "the file of '{name}' has another name");
        assert!(!scenario.title.is_empty(), "'{name}' has no title");
        assert!(!scenario.explain.is_empty(), "'{name}' explains nothing");
        assert!(scenario.title.len() <= 110, "the title of '{name}' is no line");
    }
}

#[test]
fn a_scenario_written_and_read_again_is_the_same() {
    for profile in catalog::all() {
        for scenario in [profile.clone(), expand(&profile, 7)] {
            let text = load::write(&scenario);
            let again = load::parse(&text, "written").unwrap_or_else(|e| panic!("{e:?}\n{text}"));
            assert_eq!(again, scenario);
        }
    }
}

/// What the catalog says it covers: the rows of the verified table, the bugs of the drivers' history
/// that an array can show, and QEMU's tests.
#[test]
fn rules_and_bugs_are_covered() {
    let covered: BTreeSet<String> = catalog::all().flat_map(|s| s.covers).collect();
    let rules = (1..=28).map(|row| format!("rule {row}"));
    let tests = ["041", "071", "081", "099", "148", "312"].map(|test| format!("iotest {test}"));
    let bugs = (1..=17).filter(|bug| !NOT_OBSERVABLE.contains(bug)).map(|bug| format!("Q{bug:02}"));
    let missing: Vec<String> =
        rules.chain(tests).chain(bugs).filter(|id| !covered.contains(id)).collect();
    assert!(missing.is_empty(), "not covered by any scenario: {missing:?}");
}

/// The hazards of the design, each with a scenario that is marked as one and explained; those that
/// turns cure, also with the cure.
#[test]
fn hazards_are_pinned() {
    let numbers = [1..=6, 9..=14, 16..=16, 20..=20, 22..=22, 26..=28];
    for number in numbers.into_iter().flatten() {
        let id = format!("S{number:02}");
        let covering: Vec<_> = catalog::all().filter(|s| s.covers.contains(&id)).collect();
        let pinned: Vec<_> = covering.iter().filter(|scenario| scenario.hazard).collect();
        assert!(!pinned.is_empty(), "{id} is not pinned");
        for scenario in pinned {
            assert!(scenario.explain.len() > 150, "'{}' is hardly explained", scenario.name);
        }
        if [3, 5].contains(&number) {
            let settings: BTreeSet<String> =
                covering.iter().map(|s| format!("{:?}", s.array.overlap)).collect();
            assert_eq!(settings.len(), 2, "{id} is to be seen under both settings of `overlap`");
        }
    }
}

/// The tables of the catalog's README have a row for whatever is covered, with every scenario that
/// covers it.
#[test]
fn the_readme_of_the_catalog_is_up_to_date() {
    let readme = include_str!("../../scenarios/catalog/README.md");
    let mut missing = Vec::new();
    for scenario in catalog::all() {
        let name = format!("`{}`", scenario.name);
        for id in &scenario.covers {
            let kinds = ["rule ", "iotest ", "fault "];
            let key = kinds.iter().find_map(|kind| id.strip_prefix(kind)).unwrap_or(id);
            let in_a_row =
                |line: &str| line.starts_with(&format!("| {key} |")) && line.contains(&name);
            // What has no number has no row.
            let in_a_line = |line: &str| line.contains(&format!("{id} by {name}"));
            if !readme.lines().any(|line| in_a_row(line) || in_a_line(line)) {
                missing.push(format!("{id}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in scenarios/catalog/README.md: {missing:#?}");
}

/// Bugs of the form of an event (a field's name or its kind), which no scenario sees but the tests of
/// QAPI's JSON do: Q13, Q15; and of a name that scenarios always give: Q14.
const NOT_OBSERVABLE: [u32; 3] = [13, 14, 15];
