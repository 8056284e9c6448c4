//! A thread that runs seeds.

use super::{CHUNK_SEEDS, Chunk, Failed, Fuzz, Keeping, REPEAT_EVERY, Total, attempt, wall_clock};
use crate::{model::Scenario, runner::Scratch};
use cpu_time::ThreadTime;
use quorate_reports::{Run, Verdict, summary::Summary};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    time::Instant,
};

/// What all workers share.
pub(super) struct Shared {
    pub(super) fuzz: Arc<Fuzz>,
    /// The number of the next chunk to be handed out.
    next: AtomicU64,
    /// Whether to stop after the current run.
    pub(super) halt: AtomicBool,
    /// For each worker, the seed that it runs and since when.
    pub(super) running: Vec<Mutex<Option<(u64, Instant)>>>,
}

impl Shared {
    pub(super) fn new(fuzz: Arc<Fuzz>) -> Self {
        let running = (0..fuzz.jobs).map(|_| Mutex::default()).collect();
        Self { fuzz, next: AtomicU64::new(0), halt: AtomicBool::new(false), running }
    }

    /// The next chunk's number and seeds.
    fn next(&self) -> Option<(u64, std::ops::Range<u64>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seeds = &self.fuzz.seeds;
        let start = number.checked_mul(CHUNK_SEEDS)?.checked_add(seeds.start)?;
        (start < seeds.end)
            .then(|| (number, start..start.saturating_add(CHUNK_SEEDS).min(seeds.end)))
    }
}

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) job: usize,
    pub(super) scratch: Scratch,
    pub(super) keeping: Keeping,
    /// How many runs it has done.
    pub(super) runs: u64,
}

impl Worker {
    /// Runs chunk after chunk.
    pub(super) fn work(mut self, to: &SyncSender<Chunk>) {
        while !self.shared.halt.load(Ordering::Relaxed) {
            let Some((number, seeds)) = self.shared.next() else { return };
            let chunk = self.chunk(number, seeds);
            if to.send(chunk).is_err() {
                return;
            }
        }
    }

    fn chunk(&mut self, number: u64, seeds: std::ops::Range<u64>) -> Chunk {
        let (summary, digest) = (Summary::default(), Total::default());
        let mut chunk =
            Chunk { number, cut_short: false, summary, digest, failed: Vec::new(), sample: None };
        let began = ThreadTime::now();
        let shared = self.shared.clone();
        for seed in seeds.filter(|&seed| shared.fuzz.has(seed)) {
            if shared.halt.load(Ordering::Relaxed) {
                chunk.cut_short = true;
                break;
            }
            self.seed(seed, &mut chunk);
        }
        chunk.summary.cpu = began.elapsed() + self.scratch.take_elsewhere();
        chunk
    }

    fn seed(&mut self, seed: u64, chunk: &mut Chunk) {
        let fuzz = self.shared.fuzz.clone();
        let (source, scenario, token) = fuzz.case(seed);
        self.on_watch(Some(seed));
        let run = match &fuzz.judge {
            Some(judge) => super::judged(&**judge, &scenario, &token, &mut self.scratch),
            None => self.run(&fuzz, seed, &scenario, &token, &mut chunk.summary),
        };
        if matches!(run.verdict, Verdict::Panicked | Verdict::Internal) {
            // Nobody knows in which state the panic left it.
            self.scratch = Scratch::default();
        }
        self.on_watch(None);
        self.runs += 1;
        *chunk.summary.verdicts.entry(run.verdict).or_default() += 1;
        match chunk.summary.profiles.get_mut(&source.name) {
            Some(runs) => *runs += 1,
            None => drop(chunk.summary.profiles.insert(source.name.clone(), 1)),
        }
        chunk.digest.add(&token, run.trace.digest);
        if run.verdict == Verdict::Held {
            chunk.sample = Some((token, run.trace.digest));
            self.scratch.reclaim(run.trace);
        } else if self.keeping.keeps(quorate_reports::card::class(&run)) {
            let run = Run { media: Vec::new(), ..run };
            chunk.failed.push(Failed { token, scenario, run });
        }
    }

    /// The run of a seed as the oracle judges it, now and then beside others.
    fn run(
        &mut self,
        fuzz: &Fuzz,
        seed: u64,
        scenario: &Scenario,
        token: &str,
        summary: &mut Summary,
    ) -> Run {
        let engine = fuzz.engine.as_deref();
        let mut run = attempt::run(scenario, token, engine, &mut self.scratch, Some(summary));
        if self.runs.is_multiple_of(REPEAT_EVERY) {
            self.on_watch(Some(seed));
            run = attempt::repeated(scenario, &run, fuzz.engine.clone()).unwrap_or(run);
        }
        attempt::against_others(seed, scenario, run, engine)
    }

    fn on_watch(&self, seed: Option<u64>) {
        let since = seed.map(|seed| (seed, wall_clock()));
        *self.shared.running[self.job].lock().expect("nobody panics with it") = since;
    }
}
