//! Each check of the oracle is passed by what is right, and fails what is wrong.

mod laws;
pub(crate) mod naive;

use naive::Naive;
use quorate_reports::{Answer, Colour, Verdict, What, card, timeline};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::{self, Failed, Fuzz, Observer, OnFailure, Shard, Source, attempt},
    load, oracle,
    runner::{self, Engine, Finished, Scratch},
};
use std::{
    collections::BTreeSet,
    num::NonZeroU64,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// What is wrong with an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    AcknowledgesAnything,
    AlwaysFails,
    AnswersAtTheThreshold,
    AnswersByTurns,
    AnswersEarly,
    AnswersSevens,
    AsksUnasked,
    BlamesAStranger,
    BlamesTheInnocent,
    FailsShortReads,
    FlushCountsSuccesses,
    HidesTheFailure,
    IgnoresTheClose,
    IgnoresTurns,
    KeepsSilent,
    LeaksAChild,
    MakesDataUp,
    MiscountsTheDifference,
    NeverAnswersAFlush,
    RepairsTheWrongChild,
    RepairsWithRubbish,
    ReportsInChildOrder,
    SeesZeroes,
    SparesTheLastChild,
    TiesGoToTheFirst,
    WritesBeside,
}

/// Three children, a write, and a read of it, under full promises.
const PLAIN: &str = r#"
version = 1
name = "plain"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
step = [
    { do = "write", bytes = 4096, fill = 7, events = [] },
    { do = "flush", expect = "ok" },
    { do = "read", bytes = 4096, holds = 7 },
]
"#;

/// Child 1 fails its first read.
const FAILING: &str = r#"
version = 1
name = "failing"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
rule = [{ name = "fails", on = ["read"], child = 1, when = { nth = [1] }, do = { fault = "status", errno = "EIO" } }]
step = [{ do = "read", bytes = 4096, holds = 0 }]
"#;

/// Two writes to the same bytes at the same time.
const OVERLAPPING: &str = r#"
version = 1
name = "overlapping"
array = { children = 3, vote-threshold = 2 }
step = [{ do = "write", bytes = 4096 }]
client = [{ step = [{ do = "write", bytes = 4096 }] }]
"#;

/// Two children that are compared, and differ from byte 100 on.
const COMPARED: &str = r#"
version = 1
name = "compared"
array = { children = 2, vote-threshold = 2, blkverify = true }
step = [
    { do = "corrupt", child = 1, offset = 100, bytes = 8, fill = 1 },
    { do = "read", bytes = 512, expect = "EIO" },
]
"#;

/// Child 1 alters its first answer.
const ALTERED: &str = r#"
version = 1
name = "altered"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
rule = [{ name = "alters", on = ["read"], child = 1, when = { nth = [1] }, do = { fault = "corrupt", bits = 1 } }]
step = [{ do = "read", bytes = 4096, holds = 0 }]
"#;

/// Bytes are written twice, and read.
const TWICE: &str = r#"
version = 1
name = "twice"
array = { children = 3, vote-threshold = 2 }
expect.promises = "within"
step = [
    { do = "write", bytes = 4096, fill = 7 },
    { do = "write", bytes = 4096, fill = 8 },
    { do = "read", bytes = 4096 },
]
"#;

/// The same, with a power cut behind a flush.
const CUT: &str = r#"
version = 1
name = "cut"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
step = [
    { do = "write", bytes = 4096, fill = 7 },
    { do = "write", bytes = 4096, fill = 8 },
    { do = "flush" },
    { do = "cut-power" },
    { do = "read", bytes = 4096 },
]
"#;

/// A write that was given up, and a read of the same bytes.
const GIVEN_UP: &str = r#"
version = 1
name = "given-up"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
step = [
    { do = "write", bytes = 4096, fill = 7, as = "gone" },
    { do = "drop", name = "gone" },
    { do = "sleep", time = "1ms" },
    { do = "read", bytes = 4096 },
]
"#;

/// Child 1 loses a write, and gets the next.
const LOST: &str = r#"
version = 1
name = "lost"
array = { children = 3, vote-threshold = 2 }
expect.promises = "correct"
rule = [{ name = "loses", on = ["write"], child = 1, when = { nth = [1] }, do = { fault = "lost" } }]
step = [
    { do = "write", bytes = 4096, fill = 7 },
    { do = "write", bytes = 4096, fill = 8 },
    { do = "read", bytes = 4096, holds = 8 },
]
"#;

/// Every child fails its reads and writes.
const BROKEN: &str = r#"
version = 1
name = "broken"
array = { children = 3, vote-threshold = 2 }
rule = [{ name = "fails", on = ["read", "write"], child = "any", do = { fault = "status", errno = "EIO" } }]
step = [{ do = "write", bytes = 512 }, { do = "read", bytes = 512 }]
"#;

/// Child 1 alters its first answer, and is repaired.
const REPAIRED: &str = r#"
version = 1
name = "repaired"
array = { children = 3, vote-threshold = 2, rewrite-corrupted = true }
expect.promises = "correct"
rule = [{ name = "alters", on = ["read"], child = 1, when = { nth = [1] }, do = { fault = "corrupt", bits = 1 } }]
step = [{ do = "write", bytes = 512, fill = 3 }, { do = "read", bytes = 512 }, { do = "read", bytes = 512 }]
"#;

/// Bytes are read twice.
const LOOKED_AT: &str = r#"
version = 1
name = "looked-at"
array = { children = 3, vote-threshold = 2 }
step = [{ do = "read", bytes = 512 }, { do = "read", bytes = 512 }]
"#;

/// Data, and a question what there is; then the array is closed, and asked all the same.
const ASKED: &str = r#"
version = 1
name = "asked"
array = { children = 3, vote-threshold = 2 }
step = [
    { do = "write", bytes = 512, fill = 3 },
    { do = "block-status", bytes = 512 },
    { do = "close" },
    { do = "read", bytes = 512 },
]
"#;

/// The checks that a run of the text fails, on such an array.
#[track_caller]
fn failed(text: &str, bug: Bug) -> BTreeSet<&'static str> {
    let scenario = load::parse(text, "oracle").unwrap_or_else(|e| panic!("{e}\n{text}"));
    let run = attempt::run(&scenario, "oracle", Some(&Naive(bug)), &mut Scratch::default(), None);
    let checks: BTreeSet<&str> = run.violations.iter().map(|v| v.check).collect();
    let story = || timeline::render(&run, Colour::Off);
    assert_eq!(checks.is_empty(), run.verdict == Verdict::Held, "{}", story());
    checks
}

/// For each check a scenario that an honest array passes, and a bug that it finds there.
const BUGS: &[(&str, &str, Bug)] = &[
    ("backing", PLAIN, Bug::MakesDataUp),
    ("conformance", PLAIN, Bug::MakesDataUp),
    ("conformance", COMPARED, Bug::MiscountsTheDifference),
    ("acknowledgement", BROKEN, Bug::AcknowledgesAnything),
    ("monotonic-reads", LOOKED_AT, Bug::AnswersByTurns),
    ("fan-out", PLAIN, Bug::AsksUnasked),
    ("fan-out", PLAIN, Bug::SparesTheLastChild),
    ("rewrites", REPAIRED, Bug::RepairsTheWrongChild),
    ("repair-harm", REPAIRED, Bug::RepairsWithRubbish),
    ("unanimity", ASKED, Bug::SeesZeroes),
    ("completion", PLAIN, Bug::AnswersEarly),
    ("quiescence", PLAIN, Bug::NeverAnswersAFlush),
    ("reports", FAILING, Bug::KeepsSilent),
    ("failure-events", BROKEN, Bug::HidesTheFailure),
    ("bounds", PLAIN, Bug::LeaksAChild),
    ("lifecycle", ASKED, Bug::IgnoresTheClose),
    ("turns", OVERLAPPING, Bug::IgnoresTurns),
    ("buffers", PLAIN, Bug::WritesBeside),
    ("in-budget", PLAIN, Bug::AlwaysFails),
    ("in-budget", PLAIN, Bug::MakesDataUp),
    ("fail-safe", PLAIN, Bug::MakesDataUp),
    ("prediction", PLAIN, Bug::MakesDataUp),
    ("read-your-writes", TWICE, Bug::AnswersSevens),
    ("durability", CUT, Bug::AnswersSevens),
    ("closure", GIVEN_UP, Bug::MakesDataUp),
    ("conservation", ALTERED, Bug::KeepsSilent),
    ("blame", PLAIN, Bug::BlamesTheInnocent),
    ("blame", OVERLAPPING_READ, Bug::BlamesAStranger),
    ("replicas", PLAIN, Bug::SparesTheLastChild),
    ("expectations", PLAIN, Bug::AlwaysFails),
    ("expectations", PLAIN, Bug::NeverAnswersAFlush),
];

/// Nothing is promised of the data.
const OVERLAPPING_READ: &str = r#"
version = 1
name = "read"
array = { children = 3, vote-threshold = 2 }
step = [{ do = "read", bytes = 512 }]
"#;

/// Scenarios that fail a check, each made of one that holds by putting one text for another.
const EDITS: &[(&str, &str, &str, &str)] = &[
    ("expectations", PLAIN, "holds = 7", "holds = 8"),
    ("expectations", PLAIN, "holds = 7", "expect = \"EIO\""),
    ("idle rule", FAILING, "nth = [1]", "nth = [2]"),
    ("quiescence", PLAIN, "promises = \"correct\"", "stall = true"),
    (
        "promise",
        FAILING,
        "step = [",
        "child = { 0 = { fill = 1 } }\nstep = [{ do = \"corrupt\", child = 2, bytes = 512, fill = 9 },",
    ),
    ("promise", FAILING, "child = 1", "child = \"any\""),
    // A request that fails cannot hold what it should.
    ("expectations", FAILING, "child = 1", "child = \"any\""),
    // A request that is never begun, as an earlier one never ends.
    (
        "expectations",
        FAILING,
        "do = { fault = \"status\", errno = \"EIO\" } }]\nstep = [",
        "do = { fault = \"hang\" } }]\nexpect.stall = true\nstep = [{ do = \"read\", bytes = 512 },",
    ),
];

/// A defect that no array could have, as it is the disks' or the record's: made by editing the
/// finished run.
type Edit = fn(&mut Finished);

/// For each check a scenario that holds, and a change of its record that it finds there.
const RECORDS: &[(&str, &str, Edit)] = &[
    // A disk that forgets what it was given is a fault of the simulator's.
    ("healing", LOST, |run| alter_answer(run, 1, 3)),
    ("prediction", PLAIN, |run| alter_answer(run, 1, 3)),
];

/// Gives another payload to the answer to a child's operation of this number.
fn alter_answer(run: &mut Finished, of: u32, number: u64) {
    for entry in &mut run.trace.entries {
        if let What::Reply { child, ordinal, answer: Answer::Data(Ok(payload)) } = &mut entry.what
            && (*child, *ordinal) == (of, number + 1)
        {
            payload.hash ^= 1;
        }
    }
}

#[test]
fn wrong_records_are_found_by_the_check_that_is_there_for_them() {
    for (check, text, edit) in RECORDS {
        let scenario = load::parse(text, "oracle").unwrap_or_else(|e| panic!("{e}\n{text}"));
        let engine = Naive(Bug::None);
        let run = || runner::run(&scenario, Some(&engine), &mut Scratch::default());
        let honest = run().expect("its rules can fire");
        let mut edited = honest.clone();
        edit(&mut edited);
        let judged = |finished| oracle::judge(&scenario, "oracle", finished, None);
        assert_eq!(judged(honest).violations, [], "{check}");
        let found = judged(edited).violations;
        assert!(found.iter().any(|v| v.check == *check), "{check}: {found:?}");
    }
}

#[test]
fn bugs_are_found_by_the_check_that_is_there_for_them() {
    for (check, text, bug) in BUGS {
        assert_eq!(failed(text, Bug::None), BTreeSet::new(), "{check}");
        let found = failed(text, *bug);
        assert!(found.contains(check), "{bug:?}: {found:?}, not {check}");
    }
}

#[test]
fn wrong_scenarios_are_found_by_the_check_that_is_there_for_them() {
    for (check, text, from, to) in EDITS {
        assert_eq!(failed(text, Bug::None), BTreeSet::new(), "{check}");
        let found = failed(&text.replacen(from, to, 1), Bug::None);
        assert!(found.contains(check), "{from} → {to}: {found:?}, not {check}");
    }
}

#[test]
fn every_check_has_an_example() {
    let named = BUGS.iter().map(|(check, ..)| *check).chain(EDITS.iter().map(|(check, ..)| *check));
    let named = named.chain(RECORDS.iter().map(|(check, ..)| *check));
    let named: BTreeSet<&str> = named.collect();
    assert_eq!(named, oracle::checks().map(|(name, ..)| name).collect());
}

/// A late but right child is guilty of nothing, and nobody may report it.
#[test]
fn delays_excuse_no_report() {
    let late = FAILING.replace(
        "fault = \"status\", errno = \"EIO\"",
        "fault = \"delay\", dist = \"fixed\", min = \"1ms\"",
    );
    assert_eq!(failed(&late, Bug::None), BTreeSet::new());
    assert!(failed(&late, Bug::BlamesTheInnocent).contains("blame"));
}

/// Hears the first failure.
struct First(Option<Failed>);

impl Observer for First {
    fn progressed(&mut self, _: u64, _: u64) {}

    fn failed(&mut self, failed: &Failed) -> Option<String> {
        self.0.get_or_insert_with(|| failed.clone());
        None
    }
}

/// The random profiles of the catalog whose disks take any request, and whose clients wait for theirs.
fn profiles() -> Vec<Source> {
    catalog::all()
        .filter(|s| s.random.as_ref().is_some_and(|random| random.dropped == 0))
        .filter(|s| s.child.is_empty() && s.disk.max_transfer.is_none())
        .map(|scenario| Source { name: scenario.name.clone(), scenario })
        .collect()
}

/// The first failure of a thousand seeds, and what was found.
fn fuzz(bug: Bug) -> Option<Failed> {
    let mut first = First(None);
    let engine: Arc<dyn Engine> = Arc::new(Naive(bug));
    let fuzz = Fuzz {
        sources: profiles(),
        seeds: 0..1000,
        time: None,
        jobs: 2,
        shard: Shard { number: 1, count: NonZeroU64::MIN },
        on_failure: OnFailure::Stop,
        failures_max: 1,
        watchdog: Duration::from_secs(60),
        samples: 0,
        engine: Some(engine),
        judge: None,
    };
    let _ = fuzz::run(fuzz, &AtomicBool::new(false), &mut first);
    first.0
}

/// Another array than ours holds, through the door that is there for it.
#[test]
fn an_array_of_another_make_conforms() {
    assert!(profiles().len() > 5);
    if let Some(failed) = fuzz(Bug::None) {
        panic!("{}\n{}", failed.token, timeline::render(&failed.run, Colour::Off));
    }
}

/// The three slips that the project's oracle must not miss.
#[test]
fn three_mutations_are_found_within_a_thousand_seeds() {
    for bug in [Bug::TiesGoToTheFirst, Bug::RepairsTheWrongChild, Bug::FlushCountsSuccesses] {
        let failed = fuzz(bug).unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: {} by {}", failed.token, card::class(&failed.run));
        let there_for_it = ["conformance", "prediction", "reports", "rewrites", "acknowledgement"];
        assert!(there_for_it.contains(&failed.class()), "{bug:?}: {}", failed.class());
        let again =
            expand(&catalog::scenario(&failed.scenario.name).unwrap(), failed.scenario.seed);
        let honest =
            attempt::run(&again, "again", Some(&Naive(Bug::None)), &mut Scratch::default(), None);
        assert_eq!(honest.verdict, Verdict::Held, "{bug:?}: it is not the bug that was found");
    }
}
