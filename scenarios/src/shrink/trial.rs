//! Runs of scenarios that are tried: in a thread of their own, with panics caught, and watched.

use super::{Apart, NotShrunk, Property, Shrink};
use crate::{
    fuzz::{Judge, attempt, judged},
    metamorphic,
    model::Scenario,
    runner::{Engine, Scratch},
};
use quorate_reports::{Run, Verdict};
use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

/// How a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// By itself.
    Alone,
    /// Beside the runs that this law compares it with.
    Law(usize),
    /// Beside itself, a few times.
    Repeated,
    /// Only whether it comes back.
    Apart,
}

/// Whoever runs what is tried.
pub(super) struct Trials {
    engine: Option<Arc<dyn Engine>>,
    judge: Option<Arc<dyn Judge>>,
    watchdog: Duration,
    apart: Option<Apart>,
    worker: Option<Worker>,
    look: Look,
    runs: u64,
}

/// A thread that runs one scenario after the other.
struct Worker {
    to: Sender<(Scenario, Look)>,
    from: Receiver<Run>,
}

impl Trials {
    pub(super) fn new(shrink: &Shrink) -> Self {
        let Shrink { engine, judge, watchdog, apart } = shrink.clone();
        Self { engine, judge, watchdog, apart, worker: None, look: Look::Alone, runs: 0 }
    }

    /// How many scenarios were run.
    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    /// What fails, however it has to be looked at; which is how all others are looked at from now on.
    pub(super) fn fail(&mut self, scenario: &Scenario) -> Result<(Property, Run), NotShrunk> {
        let laws = (0..metamorphic::laws().count()).map(Look::Law);
        let others = laws.chain([Look::Repeated]).filter(|_| self.judge.is_none());
        let looks: Vec<Look> = [Look::Alone].into_iter().chain(others).collect();
        for look in looks {
            self.look = look;
            let mut run = self.run(scenario);
            if run.verdict == Verdict::Timeout {
                self.apart.as_ref().ok_or(NotShrunk::Endless)?;
                self.look = Look::Apart;
                run = self.run(scenario);
            }
            if let Some(property) = Property::of(scenario, &run) {
                return Ok((property, run));
            }
        }
        Err(NotShrunk::Holds)
    }

    /// The run of a scenario.
    pub(super) fn run(&mut self, scenario: &Scenario) -> Run {
        self.runs += 1;
        if let (Look::Apart, Some(comes_back)) = (self.look, &self.apart) {
            return match comes_back(scenario) {
                true => {
                    attempt::without_trace(scenario, &scenario.name, Verdict::Held, String::new())
                }
                false => attempt::stuck(scenario, &scenario.name, self.watchdog),
            };
        }
        let worker = self.worker.take();
        let worker = worker.unwrap_or_else(|| Worker::new(self.engine.clone(), self.judge.clone()));
        worker.to.send((scenario.clone(), self.look)).expect("a worker ends with its owner");
        match worker.from.recv_timeout(self.watchdog) {
            Ok(run) => {
                self.worker = Some(worker);
                run
            }
            // Its thread cannot be ended; another one goes on.
            Err(_) => attempt::stuck(scenario, &scenario.name, self.watchdog),
        }
    }
}

impl Worker {
    fn new(engine: Option<Arc<dyn Engine>>, judge: Option<Arc<dyn Judge>>) -> Self {
        let (to, tasks) = mpsc::channel::<(Scenario, Look)>();
        let (answers, from) = mpsc::channel();
        attempt::spawn("quorate-shrink".into(), move || {
            let mut scratch = Scratch::default();
            for (scenario, look) in tasks {
                let run = match &judge {
                    Some(judge) => judged(&**judge, &scenario, &scenario.name, &mut scratch),
                    None => looked_at(&scenario, engine.as_ref(), look, &mut scratch),
                };
                if answers.send(run).is_err() {
                    return;
                }
            }
        })
        .expect("a process has a second thread to spare");
        Self { to, from }
    }
}

fn looked_at(
    scenario: &Scenario,
    engine: Option<&Arc<dyn Engine>>,
    look: Look,
    scratch: &mut Scratch,
) -> Run {
    let run = attempt::run(scenario, &scenario.name, engine.map(|e| &**e), scratch, None);
    if matches!(run.verdict, Verdict::Panicked | Verdict::Internal) {
        *scratch = Scratch::default();
    }
    match look {
        Look::Alone | Look::Apart => run,
        Look::Law(law) => attempt::against(law, scenario, run, engine.map(|e| &**e)),
        Look::Repeated => {
            let again = |_| attempt::repeated(scenario, &run, engine.cloned());
            (0..REPEATS).find_map(again).unwrap_or(run)
        }
    }
}

/// How often a run is repeated that once came out otherwise.
const REPEATS: u32 = 4;
