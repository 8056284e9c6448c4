//! Runs scenarios on the engine and on the real QEMU, and compares.

use super::{
    Known, case,
    engine::Qemu,
    hand::Hand,
    story::{Grain, Parting, Story},
    tally::{Tallied, Tally},
    wire::Wired,
};
use crate::{
    fuzz::{Judge, attempt, guard},
    model::{Action, Scenario},
    runner::{self, Engine, Finished, Opened, Opening, OpeningArray, Parts, Scratch},
};
use quorate_qemu::{Error, Program};
use quorate_reports::{Run, Verdict, Violation};
use std::sync::{Arc, Mutex, MutexGuard};

/// How the children of QEMU's array answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One after the other, in the order of the scenario, each once QEMU has dealt with the one before.
    Ordered,
    /// As soon as they are asked, so that QEMU sees several answers at once. What is then in nobody's hand,
    /// the order of what goes on at the same time, is not compared.
    Fast,
}

/// The engine and the real QEMU, side by side.
pub struct Twin {
    program: Program,
    pace: Pace,
    /// What the engine is, if it is another one than ours.
    engine: Option<Arc<dyn Engine>>,
    /// Daemons that nobody uses.
    idle: Mutex<Vec<Qemu>>,
    tally: Tallied,
}

/// What both sides made of a scenario.
#[derive(Clone, Debug)]
pub struct Both {
    /// The scenario as it was run.
    pub scenario: Scenario,
    /// The engine's run.
    pub ours: Finished,
    /// That of QEMU.
    pub theirs: Finished,
    /// How many answers to requests were compared: up to where the case meets what is known.
    pub requests: u64,
    /// How many requests to children were.
    pub child_ios: u64,
    /// How many events were.
    pub events: u64,
    /// What was met of what is known.
    pub known: Vec<Known>,
    /// Where they part: in what, the request, and how.
    pub violation: Option<Violation>,
}

impl Both {
    /// QEMU's run, to be shown.
    #[must_use]
    pub fn theirs_as_run(&self, token: &str) -> Run {
        Run {
            trace: self.theirs.trace.clone(),
            verdict: if self.violation.is_some() { Verdict::Violated } else { Verdict::Held },
            violations: self.violation.iter().cloned().collect(),
            child_ios: self.theirs.child_ios,
            ..attempt::without_trace(&self.scenario, token, Verdict::Held, String::new())
        }
    }
}

/// Why nothing was compared.
#[derive(Debug)]
pub enum NotCompared {
    /// It cannot be, and why.
    Unsuited(&'static str),
    /// QEMU does not start or does not answer.
    Qemu(Error),
    /// Our side went wrong.
    Broken(Verdict, String),
}

impl Twin {
    /// A comparison with this QEMU.
    #[must_use]
    pub fn new(program: &Program, pace: Pace) -> Self {
        Self {
            program: program.clone(),
            pace,
            engine: None,
            idle: Mutex::default(),
            tally: Tallied::default(),
        }
    }

    /// The same for another engine than ours.
    #[must_use]
    pub fn of_engine(self, engine: Arc<dyn Engine>) -> Self {
        Self { engine: Some(engine), ..self }
    }

    /// What has been compared.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.so_far()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Qemu>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Runs a concrete scenario on both sides, and compares.
    ///
    /// # Errors
    /// It could not be compared.
    pub fn compare(&self, scenario: &Scenario, scratch: &mut Scratch) -> Result<Both, NotCompared> {
        let compared = self.try_compare(scenario, scratch);
        match &compared {
            Ok(both) => self.tally.add(&both.known, |tally| {
                tally.requests += both.requests;
                tally.child_ios += both.child_ios;
                tally.events += both.events;
            }),
            Err(NotCompared::Unsuited(why)) => self.tally.leave_out(why),
            Err(_) => {}
        }
        compared
    }

    fn try_compare(&self, scenario: &Scenario, scratch: &mut Scratch) -> Result<Both, NotCompared> {
        let whole = requests(scenario);
        let scenario = case::suited(scenario).map_err(NotCompared::Unsuited)?;
        self.tally.take_out(whole - requests(&scenario));
        if self.pace == Pace::Fast
            && let Some(why) = case::is_ordered(&scenario)
        {
            return Err(NotCompared::Unsuited(why));
        }
        let ours = OverNbd(self.engine.clone());
        let ours = played(&scenario, &ours, scratch)?;
        self.beside(&scenario, ours, scratch)
    }

    /// Runs it on QEMU, and compares.
    fn beside(
        &self,
        scenario: &Scenario,
        ours: Finished,
        scratch: &mut Scratch,
    ) -> Result<Both, NotCompared> {
        let idle = self.idle().pop();
        let qemu = idle.unwrap_or_else(|| Qemu::new(Hand::new(&self.program, self.pace)));
        qemu.hand().ready().map_err(NotCompared::Qemu)?;
        let theirs = played(scenario, &qemu, scratch)?;
        let broken = qemu.hand().take_broken();
        self.idle().push(qemu);
        let (mut one, mut other) = (Story::of(&ours), Story::of(&theirs));
        let mut known = Vec::new();
        let mut violation = None;
        match broken {
            Some(Error::Died { .. }) if other.until_mismatch() && one.until_mismatch() => {
                known.push(Known::EndsAtMismatch);
            }
            Some(error) => {
                violation = Some(violated("qemu gone", None, error.to_string()));
            }
            None => {}
        }
        if !one.opened() && other.opened() {
            known.extend(Known::of_opening(&scenario.array));
        } else if let Some(why) = Known::of_joining(scenario)
            && one.until_refusal(&mut other)
        {
            known.push(why);
        }
        let grain = match self.pace {
            Pace::Ordered => Grain::Turns,
            Pace::Fast => Grain::Requests,
        };
        if one.parting(&other, grain).is_some() {
            if let Some(why) = Known::of_limits(scenario)
                && one.until_change(&mut other)
            {
                known.push(why);
            } else if grain == Grain::Turns
                && one.until_unread(&mut other, |child| takes_blocks(scenario, child))
            {
                known.push(Known::WritesUnread);
            } else if grain == Grain::Requests && one.forget_merged(&other) {
                known.push(Known::MergesReports);
            }
        }
        // What does not open on one side has nothing to compare.
        let is_alone = one.opened() != other.opened() && !known.is_empty();
        let parting = if is_alone { None } else { one.parting(&other, grain) };
        let parting =
            parting.map(|Parting { check, request, reason }| violated(check, request, reason));
        // That it is gone says more than how far it came.
        let violation = violation.or(parting);
        let (child_ios, events) = one.sizes();
        Ok(Both {
            scenario: scenario.clone(),
            requests: one.answers(),
            child_ios,
            events,
            ours,
            theirs,
            known,
            violation,
        })
    }
}

/// Whether a disk takes whole blocks only.
fn takes_blocks(scenario: &Scenario, child: u32) -> bool {
    scenario.disk(child).limits.request_alignment > 1
}

/// How many requests a scenario has.
fn requests(scenario: &Scenario) -> u64 {
    let steps = scenario.scripts().flatten();
    steps.filter(|step| matches!(step, Action::Request { .. })).count() as u64
}

fn violated(
    check: &'static str,
    request: Option<quorate_reports::RequestId>,
    reason: String,
) -> Violation {
    Violation { check, request, entry: None, reason }
}

/// Runs a scenario, and catches what panics.
pub(super) fn played(
    scenario: &Scenario,
    engine: &dyn Engine,
    scratch: &mut Scratch,
) -> Result<Finished, NotCompared> {
    let run = guard::catch(|| runner::run(scenario, Some(engine), scratch));
    let run = run.map_err(|why| NotCompared::Broken(Verdict::Panicked, why))?;
    run.map_err(|error| NotCompared::Broken(Verdict::Internal, error.to_string()))
}

impl Judge for Twin {
    fn judge(&self, scenario: &Scenario, token: &str, scratch: &mut Scratch) -> Run {
        let compared = self.compare(scenario, scratch);
        let failed = |verdict, why| attempt::without_trace(scenario, token, verdict, why);
        match compared {
            Ok(Both { ours, violation, .. }) => Run {
                trace: ours.trace,
                media: ours.media,
                verdict: if violation.is_some() { Verdict::Violated } else { Verdict::Held },
                violations: violation.into_iter().collect(),
                child_ios: ours.child_ios,
                ..failed(Verdict::Held, String::new())
            },
            Err(NotCompared::Unsuited(_)) => {
                Run { violations: Vec::new(), ..failed(Verdict::Held, String::new()) }
            }
            Err(NotCompared::Qemu(error)) => failed(Verdict::Internal, error.to_string()),
            Err(NotCompared::Broken(verdict, why)) => failed(verdict, why),
        }
    }
}

/// An engine whose children are behind NBD.
pub(super) struct OverNbd(pub(super) Option<Arc<dyn Engine>>);

impl Engine for OverNbd {
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening {
        let opening = self.open_array(scenario, parts);
        Box::pin(async { Ok(opening.await?.device) })
    }

    fn open_array(&self, scenario: &Scenario, parts: Parts) -> OpeningArray {
        let children = parts.children.into_iter();
        let children = children.map(|(name, child)| (name, Arc::new(Wired(child)) as _)).collect();
        let parts = Parts { children, ..parts };
        if let Some(engine) = &self.0 {
            return engine.open_array(scenario, parts);
        }
        let array = scenario.array.clone();
        Box::pin(async move {
            let quorum = runner::quorum(&array, parts).await?;
            Ok(Opened { device: quorum.clone(), members: Some(quorum) })
        })
    }
}
