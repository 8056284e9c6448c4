//! Runs scenarios for many seeds, on every core.
//!
//! Seeds are handed out in chunks, in order, and what comes of the chunks is put together in the same
//! order. So the outcome is a function of the scenarios and of how many seeds were run, whatever the
//! number of jobs; and whoever ends a fuzz early gets what a shorter one would have given.
//!
//! A run cannot take the others down: a panic is caught, a run that does not come back is reported by
//! a watchdog, and one run in [`REPEAT_EVERY`] is repeated elsewhere and must come out the same.
//! Nothing is printed and no file is written: an [`Observer`] does that.

use crate::{
    expand,
    model::Scenario,
    runner::{Engine, Scratch},
};
use quorate_reports::{
    Digest, Run, Verdict, card,
    summary::{Failure, Reach, Summary},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU64,
    ops::Range,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use twox_hash::XxHash3_128;

pub mod attempt;
mod driver;
pub(crate) mod guard;
pub mod part;
pub mod record;
pub(crate) mod repeat;
mod worker;

/// A scenario to run for seeds.
#[derive(Clone, Debug)]
pub struct Source {
    /// What stands before the colon of its tokens: its name in the catalog, or its file.
    pub name: String,
    /// The scenario, mostly a profile.
    pub scenario: Scenario,
}

/// The part of a fuzz that one of several machines does; as text `1/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which part, from 1.
    pub number: u64,
    /// Of how many.
    pub count: NonZeroU64,
}

/// What a failure means for the runs to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The fuzz ends with the block of [`BLOCK_SEEDS`] seeds in which the first failure lies, and keeps
    /// the first failure of each class.
    Stop,
    /// The fuzz goes on, and keeps every failure.
    KeepGoing,
}

/// What to run, and how.
pub struct Fuzz {
    /// The scenarios; seed `s` is run on number `s` modulo their count.
    pub sources: Vec<Source>,
    /// The seeds.
    pub seeds: Range<u64>,
    /// After which time no further run begins.
    pub time: Option<Duration>,
    /// How many threads run scenarios.
    pub jobs: usize,
    /// Which of the seeds to leave to others.
    pub shard: Shard,
    /// What a failure means for the runs to come.
    pub on_failure: OnFailure,
    /// After how many failures to end.
    pub failures_max: usize,
    /// How long one run may take by the clock on the wall.
    pub watchdog: Duration,
    /// How many runs to name in [`Outcome::samples`].
    pub samples: usize,
    /// Whose array it is; our own engine's, if not given.
    pub engine: Option<Arc<dyn Engine>>,
    /// Who runs the scenarios and judges; the oracle, if not given.
    pub judge: Option<Arc<dyn Judge>>,
}

/// Runs scenarios and judges the runs in a way of its own.
pub trait Judge: Send + Sync {
    /// The run of a concrete scenario.
    fn judge(&self, scenario: &Scenario, token: &str, scratch: &mut Scratch) -> Run;
}

/// The run of a concrete scenario, also if whoever judges it panics.
pub fn judged(judge: &dyn Judge, scenario: &Scenario, token: &str, scratch: &mut Scratch) -> Run {
    let judged = guard::catch(|| judge.judge(scenario, token, scratch));
    judged.unwrap_or_else(|why| attempt::without_trace(scenario, token, Verdict::Panicked, why))
}

/// A run that did not hold.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What replays it, `source:seed`.
    pub token: String,
    /// The concrete scenario.
    pub scenario: Scenario,
    /// The run, without its media.
    pub run: Run,
}

impl Failed {
    /// What it is filed under.
    #[must_use]
    pub fn class(&self) -> &str {
        card::class(&self.run)
    }
}

/// Hears how a fuzz gets on; always called in the order of the seeds.
pub trait Observer {
    /// So many runs are done, and so many of them did not hold.
    fn progressed(&mut self, runs: u64, failed: u64);

    /// A failure is kept. Says in which file, if in any.
    fn failed(&mut self, failed: &Failed) -> Option<String>;
}

/// Why a fuzz ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All seeds are done.
    Complete,
    /// Its time was up.
    TimeUp,
    /// It was asked to stop.
    Interrupted,
    /// There were failures enough.
    Failures,
    /// A run did not come back.
    Stuck,
}

/// What a fuzz came to.
#[derive(Debug)]
pub struct Outcome {
    /// What the runs came to.
    pub summary: Summary,
    /// One digest for all runs.
    pub digest: Total,
    /// Why it ended.
    pub ended: Ended,
    /// A few of the runs that held, with their digests, for whoever wants to run them elsewhere. They
    /// are late ones, of threads that have run many others before.
    pub samples: Vec<(String, Digest)>,
}

/// The digest of many runs, in whatever order they ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total(pub u128);

impl Total {
    /// Adds a run.
    pub fn add(&mut self, token: &str, digest: Digest) {
        let mut record = digest.0.to_vec();
        record.extend_from_slice(token.as_bytes());
        self.0 = self.0.wrapping_add(XxHash3_128::oneshot(&record));
    }

    /// Adds the runs of another.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Fuzz {
    /// How many runs there are to do.
    #[must_use]
    pub fn runs(&self) -> u64 {
        // Seeds of a shard come in blocks, one for each source, every so many blocks.
        let sources = self.sources.len() as u128;
        let period = sources * u128::from(self.shard.count.get());
        let first = sources * u128::from(self.shard.number - 1);
        let before = |end: u64| {
            let end = u128::from(end);
            end / period * sources + (end % period).saturating_sub(first).min(sources)
        };
        let runs = before(self.seeds.end) - before(self.seeds.start);
        u64::try_from(runs).expect("there are no more runs than seeds")
    }

    /// What its profiles declare that they reach.
    fn reach(&self) -> BTreeMap<String, Reach> {
        let declared = |source: &Source| {
            let random = source.scenario.random.as_ref()?;
            let small = random.children.iter().filter_map(|&count| u8::try_from(count).ok());
            let reach = Reach { children: small.collect(), after: random.reach? };
            Some((source.name.clone(), reach))
        };
        self.sources.iter().filter_map(declared).collect()
    }

    /// Whether this shard runs a seed.
    fn has(&self, seed: u64) -> bool {
        let block = seed / self.sources.len() as u64;
        block % self.shard.count == self.shard.number - 1
    }

    /// The scenario of a seed and its token.
    fn case(&self, seed: u64) -> (&Source, Scenario, String) {
        let number = seed % self.sources.len() as u64;
        let source = &self.sources[usize::try_from(number).expect("below the length of a list")];
        (source, expand::expand(&source.scenario, seed), format!("{}:{seed}", source.name))
    }
}

/// Runs the seeds until they are done, time is up, or there is reason to stop.
///
/// # Panics
/// If there is nothing to run, or not even one thread to be had.
pub fn run(fuzz: Fuzz, stop: &AtomicBool, observer: &mut dyn Observer) -> Outcome {
    assert!(!fuzz.sources.is_empty(), "a fuzz has something to run");
    assert!(fuzz.jobs > 0, "a fuzz has somebody to run it");
    driver::Driver::start(Arc::new(fuzz), observer).drive(stop)
}

/// What came of a chunk of seeds.
struct Chunk {
    number: u64,
    /// Whether it was left before its end.
    cut_short: bool,
    summary: Summary,
    digest: Total,
    /// The failures that may have to be kept, in order.
    failed: Vec<Failed>,
    /// The last run that held.
    sample: Option<(String, Digest)>,
}

/// Which failures to keep.
struct Keeping {
    on_failure: OnFailure,
    classes: BTreeSet<String>,
}

impl Keeping {
    fn new(on_failure: OnFailure) -> Self {
        Self { on_failure, classes: BTreeSet::new() }
    }

    /// Whether to keep a failure of this class, given those that were kept before.
    fn keeps(&mut self, class: &str) -> bool {
        self.on_failure == OnFailure::KeepGoing || self.classes.insert(class.into())
    }
}

/// A failure as the summary keeps it.
pub(crate) fn noted(failed: &Failed, file: Option<String>) -> Failure {
    let first = failed.run.violations.iter().min_by_key(|v| v.entry.unwrap_or(usize::MAX));
    let reason = first.map_or_else(|| failed.run.verdict.to_string(), |v| v.reason.clone());
    Failure { class: failed.class().into(), token: failed.token.clone(), file, reason }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of a fuzz are by the clock on the wall")]
fn wall_clock() -> Instant {
    Instant::now()
}

/// Runs that are handed out at once.
const CHUNK_SEEDS: u64 = 16;
/// With a failure the fuzz goes on to the end of a block of so many seeds, so that it finds the
/// classes that lie near, and the same ones with any number of jobs.
pub const BLOCK_SEEDS: u64 = 1024;
/// Each job repeats its first run, and then one in so many.
pub const REPEAT_EVERY: u64 = 256;
