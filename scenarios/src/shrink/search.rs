//! The search: candidate after candidate, each smaller than the best so far.

use super::{Cost, Hear, Property, Shrunk, passes, trial::Trials};
use crate::{load, model::Scenario};
use quorate_reports::Run;
use std::sync::atomic::{AtomicBool, Ordering};

/// A search for a smaller scenario.
pub(super) struct Search<'a> {
    property: Property,
    trials: Trials,
    stop: &'a AtomicBool,
    hear: Hear<'a>,
    /// What it began with.
    first: Scenario,
    best: Found,
}

/// A scenario that shows the property.
struct Found {
    scenario: Scenario,
    run: Run,
    cost: Cost,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        property: Property,
        trials: Trials,
        (scenario, run): (Scenario, Run),
        stop: &'a AtomicBool,
        hear: Hear<'a>,
    ) -> Self {
        let cost = Cost::of(&scenario);
        let first = scenario.clone();
        Self { property, trials, stop, hear, first, best: Found { scenario, run, cost } }
    }

    pub(super) fn best(&self) -> &Scenario {
        &self.best.scenario
    }

    pub(super) fn property(&self) -> &Property {
        &self.property
    }

    pub(super) fn end(self) -> Shrunk {
        Shrunk {
            scenario: self.best.scenario,
            run: self.best.run,
            property: self.property,
            runs: self.trials.runs(),
            is_minimal: !self.stop.load(Ordering::Relaxed),
        }
    }

    /// Goes through all passes until none of them finds anything more.
    pub(super) fn exhaust(&mut self) {
        let passes = passes::all(&self.property);
        let mut idle = 0;
        for pass in passes.iter().cycle() {
            idle = if self.pass(*pass) { 0 } else { idle + 1 };
            if idle == passes.len() || self.is_stopped() {
                return;
            }
        }
    }

    /// The same from another scenario on; whether it came to something smaller, which is then the best.
    pub(super) fn restart(&mut self, scenario: Scenario) -> bool {
        let Some(run) = self.shown(&scenario) else { return false };
        let cost = Cost::of(&scenario);
        let before = std::mem::replace(&mut self.best, Found { scenario, run, cost });
        self.exhaust();
        let is_smaller = self.best.cost < before.cost;
        if !is_smaller {
            self.best = before;
        }
        is_smaller
    }

    /// Tries what one pass has to offer; whether any of it helped.
    fn pass(&mut self, pass: passes::Pass) -> bool {
        let mut helped = false;
        let mut tried = 0;
        // What has helped changes what there is to try. Those before it were tried on what was there
        // then; the next round sees to them.
        while let Some(at) = self.first_that_helps(pass, tried) {
            helped = true;
            tried = at;
        }
        helped
    }

    /// The place of the first candidate from `tried` on that helps, which it then does.
    fn first_that_helps(&mut self, pass: passes::Pass, tried: usize) -> Option<usize> {
        let from = self.best.scenario.clone();
        let candidates = pass(&from, &self.best.run);
        candidates
            .into_iter()
            .enumerate()
            .skip(tried)
            .find_map(|(at, candidate)| self.helps(candidate).then_some(at))
    }

    fn helps(&mut self, mut candidate: Scenario) -> bool {
        passes::tidy(&mut candidate);
        let cost = Cost::of(&candidate);
        if cost >= self.best.cost {
            return false;
        }
        let Some(run) = self.shown(&candidate) else { return false };
        self.best = Found { scenario: candidate, run, cost };
        (self.hear)(self.trials.runs(), &self.best.scenario);
        true
    }

    /// The run of a candidate, if it can be run and shows the property.
    fn shown(&mut self, candidate: &Scenario) -> Option<Run> {
        let is_fair = self.property.is_fair_in(&self.first, candidate);
        if self.is_stopped() || !is_fair || !load::is_sound(candidate) {
            return None;
        }
        let run = self.trials.run(candidate);
        let failure = Property::of(candidate, &run)?;
        self.property.is_shown_by(&failure).then_some(run)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
