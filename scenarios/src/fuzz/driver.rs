//! Puts together, in order, what the workers bring.

use super::{
    BLOCK_SEEDS, CHUNK_SEEDS, Chunk, Ended, Failed, Fuzz, Keeping, Observer, OnFailure, Outcome,
    Total, attempt, noted, wall_clock,
    worker::{Shared, Worker},
};
use crate::runner::Scratch;
use quorate_reports::{Digest, Verdict, summary::Summary};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

pub(super) struct Driver<'a> {
    shared: Arc<Shared>,
    from: Receiver<Chunk>,
    observer: &'a mut dyn Observer,
    began: Instant,
    /// Chunks that came before their turn.
    early: BTreeMap<u64, Chunk>,
    /// The number of the chunk whose turn it is.
    turn: u64,
    keeping: Keeping,
    kept: usize,
    /// The chunk with which to end, once there is a failure.
    last: Option<u64>,
    /// Whether a chunk was cut short: what follows it would leave a gap.
    gap: bool,
    /// Why there is no need to go on.
    ended: Option<Ended>,
    summary: Summary,
    digest: Total,
    samples: VecDeque<(String, Digest)>,
}

impl<'a> Driver<'a> {
    pub(super) fn start(fuzz: Arc<Fuzz>, observer: &'a mut dyn Observer) -> Self {
        let on_failure = fuzz.on_failure;
        let shared = Arc::new(Shared::new(fuzz));
        let (to, from) = mpsc::sync_channel(shared.fuzz.jobs * 4);
        for job in 0..shared.fuzz.jobs {
            let (scratch, keeping) = (Scratch::default(), Keeping::new(on_failure));
            let worker = Worker { shared: shared.clone(), job, scratch, keeping, runs: 0 };
            let to = to.clone();
            let spawned = attempt::spawn(format!("quorate-job-{job}"), move || worker.work(&to));
            // Fewer jobs come to the same, only later.
            assert!(spawned.is_ok() || job > 0, "a process has a second thread to spare");
        }
        Self {
            shared,
            from,
            observer,
            began: wall_clock(),
            early: BTreeMap::new(),
            turn: 0,
            keeping: Keeping::new(on_failure),
            kept: 0,
            last: None,
            gap: false,
            ended: None,
            summary: Summary::default(),
            digest: Total::default(),
            samples: VecDeque::new(),
        }
    }

    pub(super) fn drive(mut self, stop: &AtomicBool) -> Outcome {
        let mut asked = None;
        loop {
            match self.from.recv_timeout(TICK) {
                Ok(chunk) => drop(self.early.insert(chunk.number, chunk)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(chunk) = self.early.remove(&self.turn) {
                self.turn += 1;
                self.take(chunk);
            }
            if stop.load(Ordering::Relaxed) {
                asked.get_or_insert(Ended::Interrupted);
            }
            if self.shared.fuzz.time.is_some_and(|time| self.began.elapsed() >= time) {
                asked.get_or_insert(Ended::TimeUp);
            }
            if asked.is_some() || self.ended.is_some() {
                self.shared.halt.store(true, Ordering::Relaxed);
            }
            if let Some(failed) = self.overdue() {
                if self.ended.is_none() {
                    self.stuck(&failed);
                }
                break;
            }
        }
        let ended = self.ended.or(asked).unwrap_or(Ended::Complete);
        self.summary.elapsed = self.began.elapsed();
        self.summary.reach = self.shared.fuzz.reach();
        let (summary, digest, samples) = (self.summary, self.digest, self.samples.into());
        Outcome { summary, digest, ended, samples }
    }

    /// The next chunk.
    fn take(&mut self, chunk: Chunk) {
        if self.gap || self.ended.is_some() {
            return;
        }
        let fuzz = self.shared.fuzz.clone();
        self.summary.merge(chunk.summary);
        self.digest.merge(chunk.digest);
        for failed in chunk.failed {
            if fuzz.on_failure == OnFailure::Stop {
                let blocks = chunk.number / BLOCK_CHUNKS + 1;
                self.last.get_or_insert(blocks * BLOCK_CHUNKS - 1);
            }
            if self.kept < fuzz.failures_max && self.keeping.keeps(failed.class()) {
                self.keep(&failed);
            }
        }
        self.samples.extend(chunk.sample);
        while self.samples.len() > fuzz.samples {
            self.samples.pop_front();
        }
        if self.kept >= fuzz.failures_max || self.last == Some(chunk.number) {
            self.ended = Some(Ended::Failures);
        }
        self.gap = chunk.cut_short;
        let runs = self.summary.runs();
        let held = self.summary.verdicts.get(&Verdict::Held).copied().unwrap_or(0);
        self.observer.progressed(runs, runs - held);
    }

    fn keep(&mut self, failed: &Failed) {
        self.kept += 1;
        let file = self.observer.failed(failed);
        self.summary.failures.insert(noted(failed, file));
    }

    /// The run that has been going on for too long.
    fn overdue(&self) -> Option<Failed> {
        let fuzz = &self.shared.fuzz;
        let late = self.shared.running.iter().find_map(|running| {
            let (seed, since) = (*running.lock().expect("nobody panics with it"))?;
            (since.elapsed() > fuzz.watchdog).then_some(seed)
        });
        let (_, scenario, token) = fuzz.case(late?);
        let run = attempt::stuck(&scenario, &token, fuzz.watchdog);
        Some(Failed { token, scenario, run })
    }

    /// The thread cannot be ended: what it was about is reported, and nobody waits for it.
    fn stuck(&mut self, failed: &Failed) {
        self.ended = Some(Ended::Stuck);
        self.shared.halt.store(true, Ordering::Relaxed);
        *self.summary.verdicts.entry(Verdict::Timeout).or_default() += 1;
        let profile = failed.token.rsplit_once(':').map_or("", |(name, _)| name);
        *self.summary.profiles.entry(profile.into()).or_default() += 1;
        self.keep(failed);
    }
}

/// How often to look at the clock.
const TICK: Duration = Duration::from_millis(50);
const BLOCK_CHUNKS: u64 = BLOCK_SEEDS / CHUNK_SEEDS;
