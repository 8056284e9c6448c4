//! The fuzz driver itself: which failures it reports, and what it survives.

use quorate_faults::text::Size;
use quorate_reports::Verdict;
use quorate_scenarios::{
    catalog,
    fuzz::{
        self, BLOCK_SEEDS, Ended, Failed, Fuzz, Observer, OnFailure, Outcome, Shard, Source,
        attempt,
    },
    load,
    model::{Media, Scenario},
    runner::{Engine, Opening, Parts, Scratch},
};
use std::{
    future,
    num::NonZeroU64,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Takes down what it hears.
#[derive(Default)]
struct Heard {
    failed: Vec<(String, String, Verdict)>,
    runs: u64,
}

impl Observer for Heard {
    fn progressed(&mut self, runs: u64, _: u64) {
        assert!(runs >= self.runs, "progress only goes on");
        self.runs = runs;
    }

    fn failed(&mut self, failed: &Failed) -> Option<String> {
        let class = failed.class().to_owned();
        self.failed.push((class, failed.token.clone(), failed.run.verdict));
        None
    }
}

/// Three children that may disagree, and promises that they cannot keep.
fn careless() -> Source {
    let text = "version = 1\nname = \"careless\"\n\
        [array]\nchildren = 3\nvote-threshold = 2\n\
        [disk]\nbytes = \"64KiB\"\n\
        [random]\nchildren = [3]\nthreshold = \"any\"\nrequests = 10\nbytes-max = \"2KiB\"\n\
        faults = [\"corrupt\", \"lost\", \"collude\"]\nrate = \"1:16\"\n\
        [expect]\npromises = \"correct\"\n";
    let scenario = load::parse(text, "careless.toml").expect("it is well formed");
    Source { name: "careless".into(), scenario }
}

fn fuzz(seeds: Range<u64>, engine: Option<Arc<dyn Engine>>) -> Fuzz {
    Fuzz {
        sources: vec![careless()],
        seeds,
        time: None,
        jobs: 2,
        shard: Shard { number: 1, count: NonZeroU64::MIN },
        on_failure: OnFailure::Stop,
        failures_max: 100,
        watchdog: Duration::from_secs(60),
        samples: 2,
        engine,
        judge: None,
    }
}

fn run(fuzz: Fuzz) -> (Outcome, Heard) {
    let mut heard = Heard::default();
    let outcome = fuzz::run(fuzz, &AtomicBool::new(false), &mut heard);
    (outcome, heard)
}

/// An engine of which no array opens, and which does this first.
fn refusing(act: impl Fn(&Scenario) -> String + Send + Sync + 'static) -> Option<Arc<dyn Engine>> {
    Some(Arc::new(move |scenario: &Scenario, _: Parts| -> Opening {
        Box::pin(future::ready(Err(act(scenario))))
    }))
}

#[test]
fn failures_are_the_same_with_any_number_of_jobs() {
    for on_failure in [OnFailure::Stop, OnFailure::KeepGoing] {
        let with = |jobs| {
            run(Fuzz { jobs, on_failure, failures_max: 7, ..fuzz(100..BLOCK_SEEDS * 3, None) })
        };
        let (one, heard) = with(1);
        let (four, heard_by_four) = with(4);
        assert!(!heard.failed.is_empty(), "the profile fails now and then");
        assert_eq!(heard.failed, heard_by_four.failed);
        assert_eq!((one.digest, one.ended), (four.digest, four.ended));
        assert_eq!(one.ended, Ended::Failures);
        assert_eq!(one.summary.verdicts, four.summary.verdicts);
        assert_eq!(one.summary.failures, four.summary.failures);
        assert_eq!(one.samples, four.samples);
        match on_failure {
            OnFailure::Stop => assert_eq!(one.summary.runs() % BLOCK_SEEDS, 0),
            OnFailure::KeepGoing => assert_eq!(heard.failed.len(), 7),
        }
    }
}

#[test]
fn shards_share_the_seeds_out() {
    for sources in [1, 2, 3] {
        let of = |number| Fuzz {
            sources: vec![careless(); sources],
            shard: Shard { number, count: NonZeroU64::new(4).expect("not zero") },
            ..fuzz(5..103, None)
        };
        let runs: Vec<u64> = (1..=4).map(|number| of(number).runs()).collect();
        assert_eq!(runs.iter().sum::<u64>(), 98, "{runs:?}");
        let fuzz = Fuzz { on_failure: OnFailure::KeepGoing, failures_max: 1000, ..of(3) };
        assert_eq!(run(fuzz).0.summary.runs(), runs[2]);
    }
}

#[test]
fn a_panic_is_a_verdict() {
    let engine = refusing(|scenario| match scenario.seed {
        5 => panic!("five is too much"),
        _ => "no array today".into(),
    });
    let (outcome, _) = run(fuzz(0..16, engine));
    assert_eq!(outcome.summary.verdicts.get(&Verdict::Panicked), Some(&1));
    assert_eq!(outcome.summary.runs(), 16);
    let failures = outcome.summary.failures;
    let failure = failures.iter().find(|failure| failure.class == "panicked");
    let failure = failure.expect("it is kept");
    assert_eq!(failure.token, "careless:5");
    assert!(failure.reason.contains("five is too much, at tests/src/cli/jobs.rs:"), "{failure:?}");
}

/// What the panic or the refusal of a run that was not read from a file comes to.
#[track_caller]
fn is_internal(scenario: &Scenario, said: &str) {
    let run = attempt::run(scenario, "broken", None, &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Internal);
    assert_eq!(run.violations[0].check, "internal");
    assert!(run.violations[0].reason.contains(said), "{}", run.violations[0].reason);
}

#[test]
fn what_the_program_gets_wrong_is_not_blamed_on_the_array() {
    let mut unjudged = catalog::scenario("read-corrupt").expect("it is in the catalog");
    // A file that says so is refused.
    unjudged.expect.media = vec![Media { child: 9, offset: Size(0), bytes: Size(1), fill: 0 }];
    is_internal(&unjudged, "the oracle panicked, not the array: index out of bounds");
    let mut unplanned = catalog::scenario("rack-fails-together").expect("it is in the catalog");
    unplanned.groups.clear();
    is_internal(&unplanned, "nothing ran: rule 'power': child.group: there is no group");
}

#[test]
fn a_run_that_comes_out_differently_is_a_verdict() {
    let count = AtomicU64::new(0);
    let engine = refusing(move |_| count.fetch_add(1, Ordering::Relaxed).to_string());
    let (outcome, heard) = run(Fuzz { jobs: 1, ..fuzz(0..2, engine) });
    assert_eq!(outcome.summary.verdicts.get(&Verdict::Nondeterministic), Some(&1));
    let (class, token, _) = &heard.failed[0];
    assert_eq!((class.as_str(), token.as_str()), ("nondeterministic", "careless:0"));
}

#[test]
fn a_run_that_does_not_come_back_is_a_verdict() {
    let engine = refusing(|scenario| {
        if scenario.seed == 3 {
            loop {
                thread::park();
            }
        }
        "no array today".into()
    });
    let patience = Duration::from_millis(300);
    let (outcome, heard) = run(Fuzz { watchdog: patience, ..fuzz(0..16, engine) });
    assert_eq!(outcome.ended, Ended::Stuck);
    assert_eq!(heard.failed, [("timeout".into(), "careless:3".into(), Verdict::Timeout)]);
}
