//! Rules and scenarios as text: whatever they hold survives being written and read, and whatever text
//! there is becomes a scenario or an error that says what is wrong and where.

use arbitrary::Unstructured;
use proptest::{
    prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof},
    proptest,
    sample::{Index, select},
    test_runner::{Config, RngSeed, TestError, TestRunner},
};
use quorate_engine::{BlockDevice, Event};
use quorate_faults::rule::Rule;
use quorate_laws::{
    draw,
    run::{self, Held},
    text,
};
use quorate_scenarios::{
    catalog,
    expand::expand,
    load,
    model::Scenario,
    runner::{self, Engine, Opening, Parts},
};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
};

static CATALOG: LazyLock<Vec<Scenario>> = LazyLock::new(|| catalog::all().collect());

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
        let profiles: Vec<&Scenario> = CATALOG.iter().filter(|s| s.random.is_some()).collect();
        let scenario = expand(profiles[number.index(profiles.len())], seed >> 1);
        text::survives(&scenario);
    }

    #[test]
    fn a_mutated_file_is_loaded_or_the_error_says_what_and_where(
        number in any::<Index>(),
        edits in prop::collection::vec(edits(), 1..4),
    ) {
        let scenario = number.get(&CATALOG);
        let mut text = catalog::text(&scenario.name).expect("it has a file").to_owned();
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
    let (refused, judged) = (Cell::new(0), Cell::new(0));
    let runs = tried(Config::with_cases(CASES), |scenario| {
        match run::held(scenario) {
            Held::Refused => refused.set(refused.get() + 1),
            Held::Yes | Held::Stalled => judged.set(judged.get() + 1),
            Held::Unjudged => {}
        }
        let _: Option<Scenario> = text::load(&load::write(scenario));
    });
    assert!(runs.is_ok(), "{runs:?}");
    assert!(refused.get() < CASES / 2, "{} of {CASES} scenarios are none", refused.get());
    assert!(judged.get() > CASES / 3, "{} of {CASES} scenarios are judged", judged.get());
}

/// The laws of text and runs notice what is wrong.
#[test]
fn what_does_not_survive_or_hold_is_noticed() {
    let forgotten = tried(planted(), |scenario| {
        let mut scenario = scenario.clone();
        // Files do not have it.
        scenario.rules.iter_mut().for_each(|rule| rule.when.operations = vec![1]);
        if load::parse(&load::write(&scenario), "x").is_ok() {
            text::survives(&scenario);
        }
    });
    assert!(matches!(forgotten, Err(TestError::Fail(..))), "nobody misses what is not written");
    let by = |array: Bent| {
        tried(planted(), |scenario| {
            let _: Held = run::held_by(scenario, Some(&array));
        })
    };
    let honest = Bent { threshold: |threshold| threshold, hears: |_| true };
    let held = by(honest);
    assert!(held.is_ok(), "an array without a mistake does not hold: {held:?}");
    for (what, wrong) in [
        ("one less must agree", Bent { threshold: |t| t.saturating_sub(1).max(1), ..honest }),
        (
            "failures are not told",
            Bent { hears: |e| !matches!(e, Event::Failure { .. }), ..honest },
        ),
        ("losers are not told", Bent { hears: |e| !is_loser(e), ..honest }),
    ] {
        assert!(matches!(by(wrong), Err(TestError::Fail(..))), "nobody notices that {what}");
    }
    let error = load::parse("version = 2", "x").expect_err("there is no version 2");
    let elsewhere = catch_unwind(AssertUnwindSafe(|| text::explained("", &error)));
    assert!(elsewhere.is_err(), "nobody notices a place outside of the text");
}

/// Our own engine, with something bent.
#[derive(Clone, Copy)]
struct Bent {
    /// How many must agree, where so many should.
    threshold: fn(usize) -> usize,
    /// Which events are told.
    hears: fn(&Event) -> bool,
}

impl Engine for Bent {
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening {
        let mut array = scenario.array.clone();
        array.vote_threshold = (self.threshold)(array.vote_threshold);
        let (hears, Parts { children, events }) = (self.hears, parts);
        let heard = move |event| {
            if hears(&event) {
                events.emit(event)
            }
        };
        let parts = Parts { children, events: Arc::new(heard) };
        Box::pin(async move {
            runner::quorum(&array, parts).await.map(|quorum| quorum as Arc<dyn BlockDevice>)
        })
    }
}

fn is_loser(event: &Event) -> bool {
    matches!(event, Event::ReportBad { error: None, .. })
}

/// Puts scenarios out of raw bytes to a law.
fn tried(config: Config, law: impl Fn(&Scenario)) -> Result<(), TestError<Vec<u8>>> {
    let config = Config { source_file: Some(file!()), ..config };
    TestRunner::new(config).run(&bytes(400), |bytes| {
        let drawn = draw::scenario(&mut Unstructured::new(&bytes));
        law(&drawn.expect("bytes end in zeroes"));
        Ok(())
    })
}

/// For what is to fail, always in the same way, and to leave nothing behind.
fn planted() -> Config {
    let rng_seed = RngSeed::Fixed(20_140_221);
    Config { rng_seed, failure_persistence: None, max_shrink_iters: 0, ..Config::with_cases(CASES) }
}

/// How many scenarios are drawn.
const CASES: u32 = 300;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
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
