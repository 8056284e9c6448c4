//! One run, whatever comes of it: a panic and a run that does not end are verdicts, too.

use super::{guard, repeat};
use crate::{
    env::{Environment, EnvironmentError, Simulated},
    metamorphic,
    model::Scenario,
    oracle,
    runner::{self, Engine, RunError, Scratch},
};
use cpu_time::ThreadTime;
use quorate_reports::{Run, Trace, Verdict, Violation, summary::Summary};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Runs a concrete scenario and judges the run.
#[must_use]
pub fn run(
    scenario: &Scenario,
    token: &str,
    engine: Option<&dyn Engine>,
    scratch: &mut Scratch,
    summary: Option<&mut Summary>,
) -> Run {
    let run = run_on(&Simulated::default(), scenario, token, engine, scratch, summary);
    run.unwrap_or_else(|error| unfounded(scenario, token, &error))
}

/// Runs a concrete scenario on the disks of an environment, and judges the run.
///
/// # Errors
/// There are no such disks.
pub fn run_on(
    environment: &dyn Environment,
    scenario: &Scenario,
    token: &str,
    engine: Option<&dyn Engine>,
    scratch: &mut Scratch,
    summary: Option<&mut Summary>,
) -> Result<Run, EnvironmentError> {
    let failed = |verdict, why| without_trace(scenario, token, verdict, why);
    let fresh = environment.wants_fresh_thread(scenario);
    let mut run = || guard::catch(|| runner::run_on(environment, scenario, engine, scratch));
    let ran = if fresh {
        let (ran, time) = thread::scope(|scope| {
            let timed = || (run(), ThreadTime::now().as_duration());
            let thread = thread::Builder::new().spawn_scoped(scope, timed);
            let thread = thread.expect("a process has a thread to spare");
            thread.join().expect("a run's panics are caught")
        });
        scratch.spend_elsewhere(time);
        ran
    } else {
        run()
    };
    let finished = match ran {
        Ok(Ok(finished)) => finished,
        Ok(Err(RunError::Environment(error))) => return Err(error),
        Ok(Err(RunError::Plan(error))) => {
            return Ok(failed(Verdict::Internal, format!("nothing ran: {error}")));
        }
        Err(why) => return Ok(failed(Verdict::Panicked, why)),
    };
    // What panics from here on says nothing about the array.
    let judged = guard::catch(|| oracle::judge(scenario, token, finished, summary));
    Ok(judged.unwrap_or_else(|why| {
        failed(Verdict::Internal, format!("the oracle panicked, not the array: {why}"))
    }))
}

/// The run for which there were no disks, of a simulation.
fn unfounded(scenario: &Scenario, token: &str, error: &EnvironmentError) -> Run {
    without_trace(scenario, token, Verdict::Internal, format!("nothing ran: {error}"))
}

/// Runs a concrete scenario in a thread of its own, and gives it so much time by the clock on the wall.
///
/// A run that takes longer goes on until the process ends.
#[must_use]
pub fn run_within(
    scenario: &Scenario,
    token: &str,
    engine: Option<Arc<dyn Engine>>,
    watchdog: Duration,
) -> Run {
    let environment = Arc::new(Simulated::default());
    let run = run_on_within(environment, scenario, token, engine, watchdog);
    run.unwrap_or_else(|error| unfounded(scenario, token, &error))
}

/// The same, on the disks of an environment.
///
/// # Errors
/// There are no such disks.
pub fn run_on_within(
    environment: Arc<dyn Environment>,
    scenario: &Scenario,
    token: &str,
    engine: Option<Arc<dyn Engine>>,
    watchdog: Duration,
) -> Result<Run, EnvironmentError> {
    let (to, from) = mpsc::channel();
    let (own, own_token) = (scenario.clone(), token.to_owned());
    let is_simulated = environment.is_simulated();
    spawn("quorate-run".into(), move || {
        let (engine, scratch) = (engine.as_deref(), &mut Scratch::default());
        let run = run_on(&*environment, &own, &own_token, engine, scratch, None);
        // Whoever waited has lost patience: nobody wants the run any more.
        let _ = to.send(run);
    })
    .expect("a process has a second thread to spare");
    from.recv_timeout(watchdog).unwrap_or_else(|_| match is_simulated {
        true => Ok(stuck(scenario, token, watchdog)),
        false => Err(EnvironmentError::Failed {
            why: format!("the run on real disks did not come back within {watchdog:?}"),
            remedy: "look whether they answer, or give them more time, to `run` with --watchdog",
        }),
    })
}

/// The run as a nondeterministic one, if it does not come out the same in another thread.
#[must_use]
pub fn repeated(scenario: &Scenario, first: &Run, engine: Option<Arc<dyn Engine>>) -> Option<Run> {
    let again = || {
        let (own, token, engine) = (scenario.clone(), first.token.clone(), engine.clone());
        let run = move || run(&own, &token, engine.as_deref(), &mut Scratch::default(), None);
        // Without a thread to spare there is no repetition, and the run stands.
        let thread = spawn("quorate-repeat".into(), run).ok()?;
        Some(thread.join().expect("a run's panics are caught"))
    };
    let second = again()?;
    if second.trace.digest == first.trace.digest && second.verdict == first.verdict {
        return None;
    }
    repeat::otherwise(first, "in another thread", &mut repeat::recorded(&second), || {
        again().map(|run| repeat::recorded(&run))
    })
    .expect("what is in memory can be read")
}

/// The run with the law that it breaks in comparison with others, if this seed is to try one.
pub(super) fn against_others(
    seed: u64,
    scenario: &Scenario,
    run: Run,
    engine: Option<&dyn Engine>,
) -> Run {
    match metamorphic::chosen(seed) {
        Some(law) => against(law, scenario, run, engine),
        None => run,
    }
}

/// The run with this law, by its number, if it breaks it.
pub(crate) fn against(
    law: usize,
    scenario: &Scenario,
    run: Run,
    engine: Option<&dyn Engine>,
) -> Run {
    if run.verdict != Verdict::Held {
        return run;
    }
    match guard::catch(|| metamorphic::broken(scenario, engine, law)) {
        Ok(None) => run,
        Ok(Some(violation)) => {
            Run { verdict: Verdict::Violated, violations: vec![violation], ..run }
        }
        Err(why) => without_trace(scenario, &run.token, Verdict::Panicked, why),
    }
}

/// The run that did not come back.
pub(crate) fn stuck(scenario: &Scenario, token: &str, watchdog: Duration) -> Run {
    let reason = format!(
        "the run did not come back within {watchdog:?} by the clock on the wall: something in it \
         polls or loops without end"
    );
    without_trace(scenario, token, Verdict::Timeout, reason)
}

/// A run of which nothing is known but this.
pub(crate) fn without_trace(
    scenario: &Scenario,
    token: &str,
    verdict: Verdict,
    reason: String,
) -> Run {
    let violation = Violation { check: verdict.word(), request: None, entry: None, reason };
    Run {
        name: scenario.name.clone(),
        token: token.into(),
        devices: (0..scenario.disks()).map(|n| format!("c{n}").into()).collect(),
        trace: Trace::default(),
        media: Vec::new(),
        verdict,
        violations: vec![violation],
        waits: Vec::new(),
        child_ios: 0,
    }
}

pub(crate) fn spawn<T: Send + 'static>(
    name: String,
    act: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(act)
}
