//! Rules and scenarios as text: whatever they hold survives being written and read, and whatever text
//! there is becomes a scenario or an error that says what is wrong and where.

use crate::oracle::{Bug, naive::Naive};
use arbitrary::Unstructured;
use proptest::{
    prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof},
    proptest,
    sample::{Index, select},
    test_runner::{
        Config, FailurePersistence, FileFailurePersistence, RngSeed, TestError, TestRunner,
    },
};
use quorate_faults::rule::Rule;
use quorate_laws::{
    draw,
    run::{self, Held},
    text,
};
use quorate_scenarios::{catalog, expand::expand, load, model::Scenario};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

proptest! {
    #[test]
    fn any_rule_survives_its_text(bytes in bytes(200)) {
        let rule = draw::rule(&mut Unstructured::new(&bytes), 0, 5).expect("bytes end in zeroes");
        let text = toml::to_string(&rule).expect("a rule is a table");
        let again: Rule = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(again, rule);
    }

    #[test]
    fn what_a_profile_draws_survives_its_text(number in any::<Index>(), seed in any::<u64>()) {
        // TOML's numbers end at half of these.
        let scenario = expand(&number.get(&profiles()), seed >> 1);
        text::survives(&scenario);
    }

    #[test]
    fn a_mutated_file_is_loaded_or_the_error_says_what_and_where(
        number in any::<Index>(),
        edits in prop::collection::vec(edits(), 1..4),
    ) {
        let files: Vec<&str> = catalog::all().filter_map(|s| catalog::text(&s.name)).collect();
        let mut text = (*number.get(&files)).to_owned();
        for edit in &edits {
            edit.make(&mut text);
        }
        // Either is right.
        let _: Option<Scenario> = text::load(&text);
    }
}

/// What raw bytes come to: text that survives, and mostly a run, in which the array keeps to its rules.
#[test]
fn any_drawn_scenario_survives_its_text_and_holds() {
    let refused = Cell::new(0_u32);
    let runs = tried(400, Some(Box::new(FileFailurePersistence::default())), |scenario| {
        if let Held::Refused = run::held(scenario) {
            refused.set(refused.get() + 1);
        } else {
            text::survives(scenario);
        }
    });
    if let Err(TestError::Fail(why, bytes)) = runs {
        panic!("{why}\n{bytes:?}");
    }
    assert!(refused.get() < 200, "{} of 400 scenarios are none", refused.get());
}

/// The laws of text and runs notice what is wrong.
#[test]
fn what_does_not_survive_or_hold_is_noticed() {
    let forgotten = tried(100, None, |scenario| {
        let mut scenario = scenario.clone();
        // Files do not have it.
        scenario.rules.iter_mut().for_each(|rule| rule.when.operations = vec![1]);
        if load::parse(&load::write(&scenario), "x").is_ok() {
            text::survives(&scenario);
        }
    });
    assert!(matches!(forgotten, Err(TestError::Fail(..))), "nobody misses what is not written");
    for bug in [Bug::TiesGoToTheFirst, Bug::KeepsSilent, Bug::HidesTheFailure] {
        let wrong = tried(400, None, |scenario| {
            let _: Held = run::held_by(scenario, Some(&Naive(bug)));
        });
        assert!(matches!(wrong, Err(TestError::Fail(..))), "nobody notices {bug:?}");
    }
    let error = load::parse("version = 2", "x").expect_err("there is no version 2");
    let elsewhere = catch_unwind(AssertUnwindSafe(|| text::explained("", &error)));
    assert!(elsewhere.is_err(), "nobody notices a place outside of the text");
}

/// Puts scenarios out of raw bytes to a law.
fn tried(
    cases: u32,
    failure_persistence: Option<Box<dyn FailurePersistence>>,
    law: impl Fn(&Scenario),
) -> Result<(), TestError<Vec<u8>>> {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(20_140_221),
        source_file: Some(file!()),
        failure_persistence,
        ..Config::default()
    };
    TestRunner::new(config).run(&bytes(400), |bytes| {
        let drawn = draw::scenario(&mut Unstructured::new(&bytes));
        law(&drawn.expect("bytes end in zeroes"));
        Ok(())
    })
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

fn profiles() -> Vec<Scenario> {
    catalog::all().filter(|scenario| scenario.random.is_some()).collect()
}

/// Something that a hand on a keyboard does to a file.
#[derive(Clone, Debug)]
enum Edit {
    /// A stretch of so many characters is gone.
    Cut(Index, usize),
    /// A word is put in.
    Insert(Index, &'static str),
    /// A line comes twice.
    Again(Index),
    /// A line goes elsewhere.
    Move(Index, Index),
    /// A number becomes another one.
    Number(Index, &'static str),
}

impl Edit {
    fn make(&self, text: &mut String) {
        if text.is_empty() {
            return;
        }
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        match self {
            Self::Cut(at, count) => {
                let at = place(text, at);
                *text = text[..at].chars().chain(text[at..].chars().skip(*count)).collect();
                return;
            }
            Self::Insert(at, word) => {
                let at = place(text, at);
                text.insert_str(at, word);
                return;
            }
            Self::Number(at, other) => {
                let digits = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
                let digits: Vec<usize> = digits.collect();
                if !digits.is_empty() {
                    let at = *at.get(&digits);
                    text.replace_range(at..=at, other);
                }
                return;
            }
            Self::Again(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
            }
            Self::Move(from, to) => {
                let line = lines.remove(from.index(lines.len()));
                lines.insert(to.index(lines.len() + 1), line);
            }
        }
        *text = lines.join("\n");
    }
}

/// A place between two characters.
fn place(text: &str, at: &Index) -> usize {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    *at.get(&places)
}

fn edits() -> impl Strategy<Value = Edit> {
    let words = [
        "\"",
        "=",
        "[",
        "]",
        "{",
        "}",
        "#",
        "\n",
        "\\",
        "é",
        "\u{0}",
        "-",
        "..",
        "1e9",
        "true",
        "=1\n",
        "[[step]]\n",
        "[[rule]]\n",
        "[random]\n",
        "[budget]\n",
        "child = 9\n",
        "bytes = 0\n",
        "\"\"\"",
    ];
    let numbers = [
        "0",
        "-1",
        "9",
        "00",
        "18446744073709551615",
        "9223372036854775807",
        "1.5",
        "0x10",
        "",
        "4294967296",
    ];
    prop_oneof![
        (any::<Index>(), 1..30_usize).prop_map(|(at, count)| Edit::Cut(at, count)),
        (any::<Index>(), select(words.to_vec())).prop_map(|(at, word)| Edit::Insert(at, word)),
        any::<Index>().prop_map(Edit::Again),
        any::<(Index, Index)>().prop_map(|(from, to)| Edit::Move(from, to)),
        (any::<Index>(), select(numbers.to_vec())).prop_map(|(at, other)| Edit::Number(at, other)),
    ]
}
