//! What a failure is shrunk to: the least that fails in the same way, whoever shrinks it and how often.

mod emitted;

use crate::oracle::{Bug, naive::Naive};
use quorate_reports::{Run, Verdict, card};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::attempt,
    load,
    model::{Action, Scenario},
    runner::{Engine, Opening, Parts, Scratch},
    shrink::{Apart, Cost, NotShrunk, Shrink, Shrunk},
};
use std::{
    collections::BTreeSet,
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

fn run(scenario: &Scenario, engine: Option<&dyn Engine>) -> Run {
    attempt::run(scenario, "shrink", engine, &mut Scratch::default(), None)
}

fn with(engine: Option<Arc<dyn Engine>>, scenario: &Scenario) -> Result<Shrunk, NotShrunk> {
    let shrink = Shrink { engine, judge: None, watchdog: Duration::from_secs(30), apart: None };
    shrink.shrink(scenario, &AtomicBool::new(false), &mut |_, _| {})
}

fn shrink(scenario: &Scenario, bug: Bug) -> Shrunk {
    let shrunk = with(Some(Arc::new(Naive(bug))), scenario).expect("it fails");
    assert!(shrunk.is_minimal);
    shrunk
}

/// The first failures of a bug in each random profile whose clients wait for their requests.
fn failures(bug: Bug) -> Vec<Scenario> {
    let (seeds, most) = if cfg!(debug_assertions) { (2, 1) } else { (40, usize::MAX) };
    let profiles = catalog::all()
        .filter(|s| s.random.as_ref().is_some_and(|random| random.dropped == 0))
        .filter(|s| s.child.is_empty() && s.disk.max_transfer.is_none());
    let failing = |profile: Scenario| {
        let drawn = (0..seeds).map(move |seed| expand(&profile, seed));
        drawn.filter(|s| run(s, Some(&Naive(bug))).verdict != Verdict::Held).take(2)
    };
    profiles.flat_map(failing).take(most).collect()
}

fn steps(scenario: &Scenario) -> usize {
    scenario.scripts().flatten().count()
}

/// Wrong arrays, of many kinds: votes, repairs, reports, turns, flushes, data.
const BUGS: &[Bug] = &[
    Bug::AcknowledgesAnything,
    Bug::AnswersByTurns,
    Bug::AnswersEarly,
    Bug::BlamesTheInnocent,
    Bug::FlushCountsSuccesses,
    Bug::HidesTheFailure,
    Bug::IgnoresTurns,
    Bug::KeepsSilent,
    Bug::MakesDataUp,
    Bug::NeverAnswersAFlush,
    Bug::RepairsTheWrongChild,
    Bug::RepairsWithRubbish,
    Bug::SeesZeroes,
    Bug::SparesTheLastChild,
    Bug::TiesGoToTheFirst,
    Bug::WritesBeside,
];

/// Each is as small as the goal has it, fails as it did, holds on an array that does its work, and is what
/// its own text says.
#[test]
fn failures_shrink_to_what_is_understood_at_a_glance() {
    let (mut sizes, mut children, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for &bug in BUGS {
        let failing = failures(bug);
        assert!(!failing.is_empty(), "{bug:?} is found");
        for before in failing {
            let Shrunk { scenario, run: shown, runs: tried, .. } = shrink(&before, bug);
            let told = format!("{bug:?}, {}:{}", before.name, before.seed);
            let text = load::write(&scenario);
            let first = run(&before, Some(&Naive(bug)));
            let again = run(&scenario, Some(&Naive(bug)));
            assert_eq!(again.verdict, first.verdict, "{told}\n{text}");
            assert_eq!(card::class(&again), card::class(&first), "{told}\n{text}");
            assert_eq!(again.trace.digest, shown.trace.digest, "{told}\n{text}");
            let honest = run(&scenario, Some(&Naive(Bug::None)));
            assert_eq!(honest.verdict, Verdict::Held, "{told} {:?}\n{text}", honest.violations);
            let ours = run(&scenario, None);
            assert_eq!(ours.verdict, Verdict::Held, "{told} {:?}\n{text}", ours.violations);
            assert!(Cost::of(&scenario) < Cost::of(&before), "{told}\n{text}");
            assert_eq!(load::parse(&text, "shrunk").expect("it is read"), scenario, "{told}");
            sizes.push(steps(&scenario));
            children.push(scenario.child_names().len());
            runs.push(tried);
        }
    }
    for list in [&mut sizes, &mut children] {
        list.sort_unstable();
    }
    runs.sort_unstable();
    let middle = sizes.len() / 2;
    println!(
        "{} failures of {} bugs: median {} steps, {} children, {} runs; most {} steps, {} children, {} runs",
        sizes.len(),
        BUGS.len(),
        sizes[middle],
        children[middle],
        runs[middle],
        sizes[sizes.len() - 1],
        children[sizes.len() - 1],
        runs[sizes.len() - 1],
    );
    assert!(sizes[middle] <= 5 && children[middle] <= 3);
}

#[test]
fn what_is_shrunk_stays_as_it_is_and_comes_out_the_same_each_time() {
    let profiles = ["random-any", "random-power", "random-overlap", "swarm", "random-dropped"];
    let (bugs, seeds) = if cfg!(debug_assertions) { (8, 1) } else { (1, 20) };
    let mut seen = BTreeSet::new();
    for &bug in BUGS.iter().step_by(bugs) {
        for name in profiles {
            let profile = catalog::scenario(name).expect("it is in the catalog");
            for before in (0..seeds).map(|seed| expand(&profile, seed)) {
                if run(&before, Some(&Naive(bug))).verdict == Verdict::Held {
                    continue;
                }
                let told = format!("{bug:?}, {name}:{}", before.seed);
                let once = shrink(&before, bug);
                assert_eq!(once.scenario, shrink(&before, bug).scenario, "{told}");
                let again = shrink(&once.scenario, bug);
                assert_eq!(again.scenario, once.scenario, "{told}");
                assert_eq!(again.property.check, once.property.check, "{told}");
                seen.insert(name);
            }
        }
    }
    assert_eq!(seen.len(), profiles.len());
}

#[test]
fn a_run_that_holds_cannot_be_shrunk() {
    for name in ["read-corrupt", "hung-child-stalls-a-read", "random-any"] {
        let scenario = expand(&catalog::scenario(name).expect("it is in the catalog"), 1);
        assert_eq!(with(None, &scenario).err(), Some(NotShrunk::Holds), "{name}");
    }
}

/// Panics with this message if it is asked for so much.
fn panics(said: &'static str) -> Arc<dyn Engine> {
    Arc::new(move |scenario: &Scenario, _: Parts| -> Opening {
        let requests = steps(scenario);
        assert!(requests < 3, "{requests} {said}");
        assert!(requests < 2, "another panic");
        Box::pin(future::ready(Err("nothing is opened".into())))
    })
}

/// An array that panics otherwise when less is asked of it: that panic is another failure.
#[test]
fn a_panic_is_shrunk_to_the_same_panic() {
    let before = expand(&catalog::scenario("random-any").expect("it is in the catalog"), 1);
    let shrunk = with(Some(panics("are too many")), &before).expect("it panics");
    assert_eq!(shrunk.property.verdict, Verdict::Panicked);
    assert_eq!(steps(&shrunk.scenario), 3);
    assert!(shrunk.run.violations[0].reason.starts_with("3 are too many, at "));
    assert!(shrunk.scenario.rules.is_empty() && shrunk.scenario.clients.is_empty());
}

/// An array that never comes back when it is asked for so much. It sleeps, as its thread cannot be ended.
#[test]
fn a_run_that_does_not_come_back_is_tried_where_it_can_be_ended() {
    let engine = |scenario: &Scenario, parts: Parts| -> Opening {
        while steps(scenario) >= 2 {
            thread::sleep(Duration::from_secs(60));
        }
        Naive(Bug::None).open(scenario, parts)
    };
    let before = expand(&catalog::scenario("random-any").expect("it is in the catalog"), 1);
    let watchdog = Duration::from_millis(200);
    let shrink = Shrink { engine: Some(Arc::new(engine)), judge: None, watchdog, apart: None };
    let shrunk = |shrink: &Shrink| shrink.shrink(&before, &AtomicBool::new(false), &mut |_, _| {});
    assert_eq!(shrunk(&shrink).err(), Some(NotShrunk::Endless));
    let comes_back: Apart = Arc::new(|scenario| steps(scenario) < 2);
    let shrunk = shrunk(&Shrink { apart: Some(comes_back), ..shrink }).expect("it fails");
    assert_eq!(shrunk.property.verdict, Verdict::Timeout);
    assert_eq!((steps(&shrunk.scenario), shrunk.scenario.disks()), (2, 1));
}

/// An array that asks for a length once more, every second time that it is opened.
#[test]
fn a_run_that_comes_out_otherwise_is_shrunk_to_one_that_does() {
    let opened = AtomicU64::new(0);
    let engine = move |scenario: &Scenario, parts: Parts| -> Opening {
        let asks_again = opened.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let first = parts.children[0].1.clone();
        let opening = Naive(Bug::None).open(scenario, parts);
        Box::pin(async move {
            if asks_again {
                first.length().await.map_err(|error| error.to_string())?;
            }
            opening.await
        })
    };
    let before = expand(&catalog::scenario("random-healthy").expect("it is in the catalog"), 1);
    let shrunk = with(Some(Arc::new(engine)), &before).expect("it fails");
    assert_eq!(shrunk.property.check, "determinism");
    assert_eq!((steps(&shrunk.scenario), shrunk.scenario.disks()), (0, 1));
}

/// What was written before the read is needed for the byte that is found.
#[test]
fn a_wrong_expectation_is_shrunk_to_the_same_wrong_byte() {
    let before = load::parse(WRONG, "wrong").expect("a scenario");
    let shrunk = with(None, &before).expect("it fails");
    assert_eq!(load::write(&shrunk.scenario), WRONG_SHRUNK);
    let kept: Vec<bool> = shrunk.scenario.steps.iter().map(is_write).collect();
    assert_eq!(kept, [true, false]);
}

fn is_write(action: &Action) -> bool {
    format!("{action:?}").contains("Write")
}

/// A disk that never answers is no reason to stall where the file allows for it; an array that never
/// answers is.
#[test]
fn a_stall_is_not_shrunk_to_one_that_a_fault_explains() {
    let swarm = catalog::scenario("swarm-any").expect("it is in the catalog");
    let mut shrunk = 0;
    for seed in 0..60 {
        let before = expand(&swarm, seed);
        let first = run(&before, Some(&Naive(Bug::NeverAnswersAFlush)));
        if first.verdict != Verdict::Stalled {
            continue;
        }
        let after = shrink(&before, Bug::NeverAnswersAFlush).scenario;
        let ours = run(&after, None);
        assert_eq!(ours.verdict, Verdict::Held, "swarm-any:{seed}\n{}", load::write(&after));
        shrunk += 1;
        if shrunk == 4 {
            return;
        }
    }
    panic!("only {shrunk} stalls");
}

const WRONG: &str = r#"
version = 1
name = "wrong"
title = "The last read expects another byte than was written"
array = { children = 3, vote-threshold = 2, rewrite-corrupted = true }
disk = { bytes = "64KiB", latency = "1ms..2ms" }
rule = [{ name = "late", on = ["read", "flush"], child = 1, do = { fault = "delay", dist = "fixed", min = "1ms" } }]
step = [
    { do = "write", bytes = "8KiB", fill = 0x31, expect = "ok" },
    { do = "write", offset = "4KiB", bytes = "4KiB", fill = 0x32, expect = "ok", events = [] },
    { do = "flush", expect = "ok" },
    { do = "read", offset = "6KiB", bytes = "1KiB", expect = "ok", holds = 0x33, events = [] },
]
client = [{ step = [{ do = "read", bytes = "1KiB", expect = "ok" }] }]
"#;

const WRONG_SHRUNK: &str = r#"version = 1
name = "wrong"

[array]
children = 3
vote-threshold = 2
rewrite-corrupted = true

[[step]]
do = "write"
bytes = 512
fill = 0x32

[[step]]
do = "read"
bytes = 512
holds = 0x33
"#;
