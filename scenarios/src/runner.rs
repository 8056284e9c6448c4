//! Runs a scenario.
//!
//! Disks are behind fault injectors; their operations end when the device queue says so, wherever the
//! disks are ([`crate::env`]). The array is opened, the clients do their steps, and what the disks were still doing comes to its
//! end. What happened is one [`Trace`]; whether it was right is the oracle's business.

mod client;
mod schedule;
mod stage;

use crate::{
    env::{Environment, EnvironmentError, Simulated, Site},
    fuzz::guard,
    model::{Action, Array, DiskSpec, Disturbance, Scenario},
};
use bytes::Bytes;
use client::Player;
use futures_util::future::BoxFuture;
use quorate_engine::{
    BlockDevice, EventSink, Image, NodeName, Quorum, QuorumOptions, event::Throttle,
};
use quorate_faults::{
    check::PlanError, device::FaultyChild, host::Host, inject::Plan, rule::OpKind,
};
use quorate_reports::{Trace, What, trace::Entry};
use quorate_sim::{Budget, End, Logged, Task};
use stage::Stage;
pub(crate) use stage::micros;
use std::{
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use thiserror::Error;

/// What came of a run, not yet judged.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What happened.
    pub trace: Trace,
    /// What the disks hold.
    pub media: Vec<Image>,
    /// How it ended.
    pub end: End,
    /// The disks that still have something to do, oldest operation first, if it did not finish.
    pub waiting: Vec<String>,
    /// The operations that a fault keeps from ending: disk and number of each.
    pub hung: Vec<(u32, u64)>,
    /// Rules that never fired.
    pub unfired: Vec<String>,
    /// The names of the array's children at the end, if it opened.
    pub members: Vec<String>,
    /// How many operations the disks completed.
    pub child_ios: u64,
    /// What steps did to the media, in order.
    pub damages: Vec<Damage>,
    /// The disks that somebody still holds although the array is gone.
    pub leaked: Vec<u32>,
    /// What children answered to reads, with the number of the entry, if the array compares them.
    pub compared: Vec<(usize, Bytes)>,
}

/// What happened in a run, when each operation of a disk began and ended, and what it was about.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What happened.
    pub entries: Vec<Entry>,
    /// The operations, in the order in which they began.
    pub operations: Vec<Logged>,
    /// What was written to disks and read from them: what is behind the hashes of the entries.
    pub bytes: Vec<Bytes>,
    /// Whether a panic ended it.
    pub panicked: bool,
}

/// What a step did to a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the entry that says so.
    pub entry: usize,
    /// The disk.
    pub child: u32,
    /// What it was.
    pub kind: DamageKind,
}

/// What a step can do to a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// These bytes were overwritten.
    Overwritten(Range<u64>),
    /// The power went; what that cost is recorded as what befell the disk.
    Power,
    /// It stays as it is for good, and answers for good in one way, or not at all.
    Frozen,
    /// Whatever was wrong with it is over.
    Healed,
    /// This befalls its brick: it may fail, and what it has acknowledged and not flushed may be lost.
    Disturbed(Disturbance),
    /// What this ends is over. What is lost by then it tells by its next flush.
    Settled(Disturbance),
}

/// The children that an array is to be built of.
pub struct Parts {
    /// Name and device of each, in order.
    pub children: Vec<(NodeName, Arc<dyn BlockDevice>)>,
    /// Where its events go.
    pub events: Arc<dyn EventSink>,
}

/// The future of an array that opens, or of the reason why it does not.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn BlockDevice>, String>> + Send>>;

/// The same, of an array whose children may change.
pub type OpeningArray = Pin<Box<dyn Future<Output = Result<Opened, String>> + Send>>;

/// Builds the array of a scenario out of its children: the door for engines other than ours.
pub trait Engine: Send + Sync {
    /// Opens an array over these children, as the scenario's `array` table asks for it.
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening;

    /// The same, for an engine whose arrays can change their children.
    fn open_array(&self, scenario: &Scenario, parts: Parts) -> OpeningArray {
        let opening = self.open(scenario, parts);
        Box::pin(async { Ok(Opened { device: opening.await?, members: None }) })
    }
}

/// An array that is open.
pub struct Opened {
    /// The array.
    pub device: Arc<dyn BlockDevice>,
    /// Its children, if they can change.
    pub members: Option<Arc<dyn Members>>,
}

/// The children of an array, which can change.
pub trait Members: Send + Sync {
    /// Adds a child as the last. Gives back its name in the array, or why it is refused.
    fn add(
        &self,
        node_name: NodeName,
        device: Arc<dyn BlockDevice>,
    ) -> BoxFuture<'_, Result<NodeName, String>>;

    /// Removes a child, by its name in the array.
    ///
    /// # Errors
    /// It is refused, and why.
    fn remove(&self, name: &str) -> Result<(), String>;

    /// The names in the array, and the nodes, in the order in which they vote.
    fn names(&self) -> Vec<(NodeName, NodeName)>;
}

impl Members for Quorum {
    fn add(
        &self,
        node_name: NodeName,
        device: Arc<dyn BlockDevice>,
    ) -> BoxFuture<'_, Result<NodeName, String>> {
        Box::pin(async { self.add_child(node_name, device).await.map_err(|e| e.to_string()) })
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        self.remove_child(name).map(|_| ()).map_err(|error| error.to_string())
    }

    fn names(&self) -> Vec<(NodeName, NodeName)> {
        self.children().into_iter().map(|child| (child.name, child.node_name)).collect()
    }
}

impl<F: Fn(&Scenario, Parts) -> Opening + Send + Sync> Engine for F {
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening {
        self(scenario, parts)
    }
}

/// What the clients act upon.
struct Subject {
    array: Opened,
    children: Vec<Arc<FaultyChild>>,
    site: Arc<dyn Site>,
}

/// Memory that one run leaves to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    trace: Trace,
    /// Processor time of threads that were made for runs.
    elsewhere: Duration,
}

impl Scratch {
    /// Takes back what a judged run no longer needs.
    pub fn reclaim(&mut self, trace: Trace) {
        self.trace = trace;
    }

    /// Processor time that was spent in another thread than that of whoever asked for a run.
    pub(crate) fn spend_elsewhere(&mut self, time: Duration) {
        self.elsewhere += time;
    }

    /// How much that was since this was asked.
    pub(crate) fn take_elsewhere(&mut self) -> Duration {
        std::mem::take(&mut self.elsewhere)
    }
}

/// Why nothing ran.
#[derive(Debug, Error)]
pub enum RunError {
    /// A rule of the scenario can never fire, or names what is not there.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There are no disks, or they cannot be looked at.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// Runs a concrete scenario in simulation, on our own engine or on another one.
///
/// # Errors
/// A rule of the scenario can never fire, or names what is not there; or its disks do not do their part.
pub fn run(
    scenario: &Scenario,
    engine: Option<&dyn Engine>,
    scratch: &mut Scratch,
) -> Result<Finished, RunError> {
    run_on(&Simulated::default(), scenario, engine, scratch)
}

/// Runs a concrete scenario on the disks of an environment, in a thread such as that
/// [wants](Environment::wants_fresh_thread), which [`attempt`](crate::fuzz::attempt) sees to.
///
/// # Errors
/// As [`run`], and those of the environment.
pub fn run_on(
    environment: &dyn Environment,
    scenario: &Scenario,
    engine: Option<&dyn Engine>,
    scratch: &mut Scratch,
) -> Result<Finished, RunError> {
    let bed = Bed::new(environment, scenario, scratch)?;
    let (subject, end) = bed.play(scenario, engine);
    bed.finish(subject, end)
}

/// Runs a concrete scenario and takes down when each operation of a disk begins and ends, and its bytes. A
/// run that panics is recorded up to there.
///
/// # Errors
/// As [`run`].
pub fn record(scenario: &Scenario, engine: Option<&dyn Engine>) -> Result<Recording, RunError> {
    let bed = Bed::new(&Simulated::default(), scenario, &mut Scratch::default())?;
    bed.stage.queue.keep_log();
    bed.stage.keep_bytes();
    let panicked = guard::catch(|| bed.play(scenario, engine)).is_err();
    let Trace { entries, .. } = bed.stage.take_recorder().finish([]);
    let (operations, bytes) = (bed.stage.queue.take_log(), bed.stage.take_bytes());
    Ok(Recording { entries, operations, bytes, panicked })
}

/// The disks of a run, and what everybody in it shares.
struct Bed {
    site: Arc<dyn Site>,
    children: Vec<Arc<FaultyChild>>,
    stage: Arc<Stage>,
}

impl Bed {
    fn new(
        environment: &dyn Environment,
        scenario: &Scenario,
        scratch: &mut Scratch,
    ) -> Result<Self, RunError> {
        let plan = plan(scenario)?;
        let site: Arc<dyn Site> = environment.prepare(scenario)?.into();
        let stage = Stage::new(scenario, Arc::new(plan), std::mem::take(&mut scratch.trace));
        let children: Vec<Arc<FaultyChild>> = (0..)
            .zip(site.disks())
            .map(|(n, disk)| {
                let host: Arc<dyn Host> = stage.clone();
                Arc::new(FaultyChild::new(n, disk, stage.plan().clone(), host))
            })
            .collect();
        if scenario.scripts().flatten().any(|step| matches!(step, Action::CutPower { .. })) {
            children.iter().for_each(|child| child.keep_cache());
        }
        stage.set_children(&children);
        stage.appoint_all(stage.plan().strikes());
        Ok(Self { site, children, stage })
    }

    /// Opens the array and lets the clients do their steps.
    fn play(
        &self,
        scenario: &Scenario,
        engine: Option<&dyn Engine>,
    ) -> (Option<Arc<Subject>>, End) {
        let Self { site, stage, .. } = self;
        let budget =
            Budget { steps: scenario.limits.steps, until: scenario.limits.seconds * 1_000_000 };
        let opened = Mutex::new(None);
        let opening = open(scenario, engine, self);
        let task: Task<'_> = Box::pin(async {
            match opening.await {
                Ok(subject) => *opened.lock().expect("nobody else holds it") = Some(subject),
                Err(error) => stage.record(What::NotOpened(error)),
            }
        });
        let mut end = site.drive(&stage.queue, vec![task], stage_background(stage), budget);
        let subject = opened.into_inner().expect("nobody else holds it").map(Arc::new);
        if let Some(subject) = &subject {
            let others = scenario.clients.len();
            let clients = scenario.scripts().zip(0..).map(|(steps, number)| {
                let player = Player::new(stage.clone(), subject.clone(), number, others);
                Box::pin(player.play(steps)) as Task<'_>
            });
            let clients = clients.collect();
            end = site.drive(&stage.queue, clients, stage_background(stage), budget);
        }
        (subject, end)
    }

    /// Everything about the run, once nobody holds the array any more.
    fn finish(&self, subject: Option<Arc<Subject>>, end: End) -> Result<Finished, RunError> {
        let Self { site, children, stage } = self;
        let members = subject.as_ref().and_then(|s| s.array.members.as_ref());
        let names = members.map(|members| members.names()).unwrap_or_default();
        let members = names.into_iter().map(|(name, _)| name.as_str().into()).collect();
        // With its subject the array goes, and with that everything that holds a disk.
        drop(subject);
        let held = (0..).zip(children).filter(|(_, child)| Arc::strong_count(child) > 1);
        let leaked = held.map(|(number, _)| number).collect();
        if let Some(why) = stage.take_broken() {
            let remedy =
                "see to it that the steps before it leave the brick such as this one wants it";
            return Err(EnvironmentError::Failed { why, remedy }.into());
        }
        let media = site.media()?;
        Ok(Finished {
            trace: stage.take_recorder().finish(&media),
            media,
            end,
            waiting: stage
                .queue
                .pending()
                .iter()
                .map(|label| format!("c{}", label.child))
                .collect(),
            hung: stage.queue.hung().iter().map(|label| (label.child, label.ordinal)).collect(),
            unfired: stage.plan().unfired().into_iter().map(String::from).collect(),
            members,
            child_ios: stage.queue.completed(),
            damages: stage.take_damages(),
            leaked,
            compared: stage.take_compared(),
        })
    }
}

/// The faults of a scenario, held to its budget.
///
/// # Errors
/// A rule can never fire, or names what is not there.
pub fn plan(scenario: &Scenario) -> Result<Plan, PlanError> {
    let count = scenario.disks();
    let mut plan = Plan::new(scenario.seed, scenario.rules.clone(), &scenario.groups, count)?;
    let Some(budget) = &scenario.budget else { return plan.without_budget() };
    plan = plan.with_budget(budget, scenario.electorate())?;
    let usual = scenario.usual_fill();
    for number in 0..count {
        let DiskSpec { fill, bytes, .. } = scenario.disk(number);
        if fill != usual {
            plan.doubt(number, 0..bytes);
        }
    }
    Ok(plan)
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stage.stop_background();
    }
}

fn stage_background(stage: &Arc<Stage>) -> Task<'_> {
    Box::pin(stage.background())
}

/// Opens the scenario's array, inner arrays first.
async fn open(
    scenario: &Scenario,
    engine: Option<&dyn Engine>,
    Bed { site, children, stage }: &Bed,
) -> Result<Subject, String> {
    let events: Arc<dyn EventSink> = match scenario.array.throttle {
        true => throttled(stage),
        false => stage.clone(),
    };
    let mut nodes: Vec<(NodeName, Arc<dyn BlockDevice>)> = Vec::new();
    for (number, child) in (0..).zip(children) {
        nodes.push((format!("c{number}").into(), child.clone()));
    }
    let find = |nodes: &[(NodeName, Arc<dyn BlockDevice>)], name: &str| {
        let node = nodes.iter().find(|(node, _)| node.as_str() == name);
        node.cloned().ok_or_else(|| format!("there is no node '{name}'"))
    };
    let inner = scenario.array.inner.iter().flat_map(|inner| inner.children.clone());
    let used: Vec<String> = scenario.child_names().into_iter().chain(inner).collect();
    for number in (0..scenario.disks()).filter(|number| used.contains(&format!("c{number}"))) {
        open_disk(stage, children, number).await?;
    }
    for inner in &scenario.array.inner {
        let mut options = QuorumOptions::builder(inner.name.as_str(), inner.vote_threshold);
        for name in &inner.children {
            let (name, device) = find(&nodes, name)?;
            options = options.child(name, device);
        }
        let options = options.build().map_err(|e| e.to_string())?;
        let quorum = Quorum::open(options, &(), events.clone()).await.map_err(|e| e.to_string())?;
        nodes.push((inner.name.as_str().into(), Arc::new(quorum)));
    }
    let mut members = Vec::new();
    for name in scenario.child_names() {
        members.push(find(&nodes, &name)?);
    }
    let parts = Parts { children: members, events };
    let array = match engine {
        Some(engine) => engine.open_array(scenario, parts).await?,
        None => {
            let quorum = quorum(&scenario.array, parts).await?;
            Opened { device: quorum.clone(), members: Some(quorum) }
        }
    };
    Ok(Subject { array, children: children.clone(), site: site.clone() })
}

/// An array of our own engine over these children: also for an [`Engine`] that is ours but for something.
///
/// # Errors
/// It does not open, and why.
pub async fn quorum(array: &Array, parts: Parts) -> Result<Arc<Quorum>, String> {
    let mut options = QuorumOptions::builder("q", array.vote_threshold)
        .read_pattern(array.read_pattern)
        .rewrite_corrupted(array.rewrite_corrupted)
        .blkverify(array.blkverify)
        .overlap(array.overlap)
        .read_only(array.read_only);
    for (name, device) in parts.children {
        options = options.child(name, device);
    }
    let options = options.build().map_err(|e| e.to_string())?;
    let quorum = Quorum::open(options, &(), parts.events).await.map_err(|e| e.to_string())?;
    Ok(Arc::new(quorum))
}

/// Opens a disk, which the record shows only where a rule could tell.
async fn open_disk(
    stage: &Stage,
    children: &[Arc<FaultyChild>],
    number: u32,
) -> Result<(), String> {
    if !stage.plan().befalls(number, OpKind::Open) {
        return Ok(());
    }
    let opened = children[number as usize].open().await;
    opened.map_err(|errno| format!("c{number} does not open: {errno}"))
}

/// Events go to the record, and past QEMU's rate limit to whoever listens there.
fn throttled(stage: &Arc<Stage>) -> Arc<dyn EventSink> {
    let (heard, clock) = (stage.clone(), stage.clone());
    let heard = move |event| heard.record(What::Heard(event));
    let throttle = Throttle::new(heard, move || clock.now(), THROTTLE_PERIOD);
    let (stage, throttle) = (stage.clone(), Arc::new(throttle));
    Arc::new(move |event: quorate_engine::Event| {
        stage.emit(event.clone());
        throttle.emit(event);
        if let Some(deadline) = throttle.deadline() {
            let timer = stage.sleep(deadline.saturating_sub(stage.now()));
            let throttle = throttle.clone();
            stage.spawn(Box::pin(async move {
                timer.await;
                throttle.expire();
            }));
        }
    })
}

/// As monitor_qapi_event_conf has it.
const THROTTLE_PERIOD: Duration = Duration::from_secs(1);
