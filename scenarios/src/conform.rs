//! Whether a scenario comes out the same wherever its disks are.

pub mod known;

use crate::{
    env::{Environment, EnvironmentError},
    fuzz::attempt,
    model::Scenario,
    runner::Scratch,
};
use quorate_engine::Event;
use quorate_reports::{Outcome, RequestId, Run, What};

/// How a run compares with the simulated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It has the same digest: every request and every operation of a disk came out the same, in the same
    /// order, and the disks hold the same.
    Same,
    /// Requests came out the same, with the same events, and disks hold the same; what disks were asked came
    /// in another order or at another time.
    Alike,
    /// It has the same verdict, and this came out otherwise.
    Other(Difference, String),
    /// It has another verdict.
    Contrary(String),
    /// It cannot be run there.
    Unsuited(String),
}

/// What can differ between two runs of one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An answer to a request.
    Answer,
    /// The events.
    Events,
    /// What disks hold at the end.
    Media,
}

/// Runs a concrete scenario in simulation and in another environment, and compares.
///
/// # Errors
/// There are no disks, for a reason that is not the scenario's.
pub fn compare(
    scenario: &Scenario,
    simulated: &Run,
    environment: &dyn Environment,
) -> Result<Likeness, EnvironmentError> {
    let name = &scenario.name;
    let run = attempt::run_on(environment, scenario, name, None, &mut Scratch::default(), None);
    match run {
        Ok(run) => Ok(likeness(simulated, &run)),
        Err(EnvironmentError::Unsuited { why, .. }) => Ok(Likeness::Unsuited(why)),
        Err(error) => Err(error),
    }
}

fn likeness(simulated: &Run, run: &Run) -> Likeness {
    if simulated.verdict != run.verdict {
        let reason = run.violations.first().map(|violation| format!(": {}", violation.reason));
        let (here, there) = (run.verdict.word(), simulated.verdict.word());
        let reason = reason.unwrap_or_default();
        return Likeness::Contrary(format!("{here}, and {there} in simulation{reason}"));
    }
    if simulated.trace.digest == run.trace.digest {
        return Likeness::Same;
    }
    let (one, other) = (Story::of(simulated), Story::of(run));
    let (simulated_requests, requests) = (one.requests.iter(), other.requests.iter());
    if let Some(((id, one), (_, other))) =
        simulated_requests.zip(requests).find(|(one, other)| one != other)
    {
        let why = format!("{id} is {}, and {} in simulation", word(other), word(one));
        return Likeness::Other(Difference::Answer, why);
    }
    if one.requests.len() != other.requests.len() {
        return Likeness::Other(Difference::Answer, "other requests were answered".into());
    }
    if one.events != other.events {
        let (here, there) = (other.events.len(), one.events.len());
        let events = Difference::Events;
        return Likeness::Other(events, format!("other events: {here}, and {there} in simulation"));
    }
    match (0..).zip(&simulated.media).zip(&run.media).find(|((_, one), other)| one != other) {
        Some(((disk, _), _)) => {
            Likeness::Other(Difference::Media, format!("c{disk} holds other bytes"))
        }
        None => Likeness::Alike,
    }
}

/// What clients and listeners see of a run.
struct Story<'a> {
    /// The answers, by request.
    requests: Vec<(RequestId, &'a Outcome)>,
    /// The events, in order.
    events: Vec<&'a Event>,
}

impl<'a> Story<'a> {
    fn of(run: &'a Run) -> Self {
        let (mut requests, mut events) = (Vec::new(), Vec::new());
        for entry in &run.trace.entries {
            match (&entry.what, entry.request) {
                (What::Complete(outcome), Some(id)) => requests.push((id, outcome)),
                (What::Event(event), _) => events.push(event),
                _ => {}
            }
        }
        requests.sort_by_key(|(id, _)| *id);
        Self { requests, events }
    }
}

fn word(outcome: &Outcome) -> String {
    outcome.error().map_or_else(|| "answered".into(), |errno| errno.to_string())
}
