//! Comparisons whose cases are no scenarios of a profile, but are drawn from a seed in their own way.

use super::{
    Compared,
    errno::{self, Errnos},
    options::Options,
    tally::{Tallied, Tally},
};
use crate::{
    fuzz::{Judge, attempt},
    model::Scenario,
    runner::Scratch,
};
use quorate_qemu::{Error, Program};
use quorate_reports::{Run, Verdict, Violation};
use std::sync::{Mutex, MutexGuard};

/// What compares the case of a seed.
trait Side: Send {
    fn compare(&mut self, seed: u64) -> Result<Compared, Error>;
}

impl Side for Errnos {
    fn compare(&mut self, seed: u64) -> Result<Compared, Error> {
        Self::compare(self, &errno::case(seed))
    }
}

impl Side for Options {
    fn compare(&mut self, seed: u64) -> Result<Compared, Error> {
        Self::compare(self, seed)
    }
}

type Start = fn(&Program) -> Result<Box<dyn Side>, Error>;

/// Compares what seeds draw.
pub struct BySeed {
    program: Program,
    /// What a difference is filed under.
    check: &'static str,
    start: Start,
    /// Those that nobody uses.
    idle: Mutex<Vec<Box<dyn Side>>>,
    tally: Tallied,
}

impl BySeed {
    /// Which error a request comes to, of all errors that there are.
    #[must_use]
    pub fn errnos(program: &Program) -> Self {
        Self::new(program, "qemu errno", |program| Ok(Box::new(Errnos::start(program)?)))
    }

    /// What is refused of an array's options.
    #[must_use]
    pub fn options(program: &Program) -> Self {
        Self::new(program, "qemu options", |program| Ok(Box::new(Options::start(program)?)))
    }

    fn new(program: &Program, check: &'static str, start: Start) -> Self {
        let (idle, tally) = (Mutex::default(), Tallied::default());
        Self { program: program.clone(), check, start, idle, tally }
    }

    /// What has been compared.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.so_far()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Side>>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn compare(&self, seed: u64) -> Result<Compared, Error> {
        let idle = self.idle().pop();
        let mut side = idle.map_or_else(|| (self.start)(&self.program), Ok)?;
        let compared = side.compare(seed)?;
        // One that has failed is not used again.
        self.idle().push(side);
        Ok(compared)
    }
}

impl Judge for BySeed {
    /// The scenario only carries the seed.
    fn judge(&self, scenario: &Scenario, token: &str, _: &mut Scratch) -> Run {
        let failed = |verdict, why| attempt::without_trace(scenario, token, verdict, why);
        match self.compare(scenario.seed) {
            Ok(compared) => {
                self.tally.add(&compared.known, |tally| tally.requests += compared.operations);
                let differs = compared.difference.map(|reason| Violation {
                    check: self.check,
                    request: None,
                    entry: None,
                    reason,
                });
                let verdict = if differs.is_some() { Verdict::Violated } else { Verdict::Held };
                let violations = differs.into_iter().collect();
                Run { violations, ..failed(verdict, String::new()) }
            }
            Err(error) => failed(Verdict::Internal, error.to_string()),
        }
    }
}
