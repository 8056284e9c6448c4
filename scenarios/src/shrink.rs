//! From a run that fails to the smallest scenario that fails in the same way.
//!
//! Pieces are taken out and values made simpler, the largest first, as long as the same property fails
//! in the same way: the verdict and the first check that fails stay what they were, so that shrinking
//! one failure never ends with another one. What counts as smaller is one [`Cost`], which goes down with each
//! step; nothing depends on the clock or on chance. What is shrunk already stays as it is.
//!
//! Draws are keyed, but by numbers that shift when something is taken out. Where a drawn scenario is as
//! small as it gets, its script, which draws nothing, is shrunk as well, and the smaller of both is kept.

mod array;
mod cost;
mod disks;
pub mod emit;
mod faults;
mod passes;
mod property;
mod rules;
mod search;
mod sizes;
mod steps;
mod trial;

use crate::{export, fuzz::Judge, model::Scenario, runner::Engine};
pub use cost::Cost;
pub use property::Property;
use quorate_reports::{Run, Verdict};
use search::Search;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use thiserror::Error;
use trial::Trials;

/// How to shrink.
#[derive(Clone)]
pub struct Shrink {
    /// Whose array it is; our own engine's, if not given.
    pub engine: Option<Arc<dyn Engine>>,
    /// Who runs scenarios and judges; the oracle, if not given.
    pub judge: Option<Arc<dyn Judge>>,
    /// How long one run may take by the clock on the wall.
    pub watchdog: Duration,
    /// Where runs can be ended, for a failure that is that they do not come back: a thread cannot be.
    pub apart: Option<Apart>,
}

/// Whether the run of a scenario comes back, found out where it can be ended if it does not.
pub type Apart = Arc<dyn Fn(&Scenario) -> bool + Send + Sync>;

/// What a failure was shrunk to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario.
    pub scenario: Scenario,
    /// Its run.
    pub run: Run,
    /// What fails in it, as it did at first.
    pub property: Property,
    /// How many scenarios were run.
    pub runs: u64,
    /// Whether nothing was left to try; if not, it was asked to stop.
    pub is_minimal: bool,
}

/// Why a scenario cannot be shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotShrunk {
    /// Nothing fails.
    #[error("its run holds: there is no failure to shrink")]
    Holds,
    /// The run does not come back.
    #[error("its run does not come back, and there is no process to try it in that could be ended")]
    Endless,
}

/// Hears how it gets on: how many runs were done, and the smallest scenario so far.
pub type Hear<'a> = &'a mut dyn FnMut(u64, &Scenario);

impl Shrink {
    /// Shrinks a concrete scenario until nothing more helps, or `stop` is set.
    ///
    /// # Errors
    /// Its run does not fail, or does not come back and there is no place apart for it.
    pub fn shrink(
        &self,
        scenario: &Scenario,
        stop: &AtomicBool,
        hear: Hear<'_>,
    ) -> Result<Shrunk, NotShrunk> {
        let mut trials = Trials::new(self);
        let (property, run) = trials.fail(scenario)?;
        let first = (scenario.clone(), run);
        let mut search = Search::new(property, trials, first, stop, hear);
        search.exhaust();
        self.again_as_script(scenario, &mut search);
        while self.again_as_script(&search.best().clone(), &mut search) {}
        Ok(search.end())
    }

    /// Shrinks the script of a scenario, and keeps what comes of it if it is smaller.
    fn again_as_script(&self, scenario: &Scenario, search: &mut Search<'_>) -> bool {
        // Nothing of a run that panics or does not come back is known well enough to be written down.
        if !matches!(search.property().verdict, Verdict::Violated | Verdict::Stalled) {
            return false;
        }
        let script = export::scripted(scenario, self.engine.as_deref());
        script.is_ok_and(|script| search.restart(script))
    }
}
