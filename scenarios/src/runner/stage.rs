//! What everybody in a run shares: device time, the record, whose request is being polled.

use super::{Damage, DamageKind, schedule};
use crate::model::Scenario;
use bytes::Bytes;
use quorate_engine::{Event, EventSink};
use quorate_faults::{
    device::FaultyChild,
    draw::{Domain, Keyed},
    host::{ChildOp, Delay, Detached, Firing, Host, Reply, Wait},
    inject::Plan,
    rule::{ArrayEvent, OpKind, Origin},
    strike::{Strike, strike},
    text::TimeRange,
};
use quorate_reports::{
    Answer, GuestOp, Outcome, Recorder, RequestId, Trace, What,
    trace::{ChildCall, Payload},
};
use quorate_sim::{Completion, Label, Queue};
use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// The stage of one run.
pub(super) struct Stage {
    pub(super) queue: Queue,
    pub(super) keyed: Keyed,
    plan: Arc<Plan>,
    recorder: Mutex<Recorder>,
    /// Whose request is being polled, and whether it is a read: see [`Stage::current`].
    current: AtomicU64,
    /// How long each disk takes when nothing is wrong, in microseconds: the least and the most.
    latency: Vec<[AtomicU64; 2]>,
    /// How long the first operations of each disk take instead, in microseconds.
    latencies: Vec<Vec<u64>>,
    background: Mutex<Background>,
    done: Mutex<Done>,
    /// Whom rules strike. They know the stage, so it must not keep them.
    children: Mutex<Vec<Weak<FaultyChild>>>,
    own: Weak<Self>,
    /// What steps do to the media.
    damages: Mutex<Vec<Damage>>,
    /// Why a step could not be done, the first.
    broken: Mutex<Option<String>>,
    /// The bytes of the answers to reads, by entry: kept where children are compared.
    compared: Option<Mutex<Vec<(usize, Bytes)>>>,
    /// What was written to disks and read from them, if somebody asked for that.
    bytes: OnceLock<Mutex<Vec<Bytes>>>,
}

/// Which clients have come to their end.
#[derive(Default)]
struct Done {
    clients: usize,
    wakers: Vec<Waker>,
}

/// Work that no client waits for.
#[derive(Default)]
struct Background {
    works: Vec<Detached>,
    waker: Option<Waker>,
}

impl Stage {
    pub(super) fn new(scenario: &Scenario, plan: Arc<Plan>, spare: Trace) -> Arc<Self> {
        let latency = (0..scenario.disks())
            .map(|disk| limits(scenario.disk(disk).latency.unwrap_or(USUAL_LATENCY)))
            .map(|limits| limits.map(AtomicU64::new))
            .collect();
        let latencies = (0..scenario.disks())
            .map(|disk| scenario.latencies(disk).iter().map(|time| micros(time.0)).collect())
            .collect();
        let (queue, keyed) = (Queue::default(), Keyed::new(scenario.seed));
        if let Some(picker) = schedule::picker(&scenario.schedule, scenario.disks(), &keyed) {
            queue.pick_by(picker);
        }
        Arc::new_cyclic(|own| Self {
            queue,
            keyed,
            plan,
            recorder: Mutex::new(Recorder::reusing(spare)),
            current: AtomicU64::new(NOBODY),
            latency,
            latencies,
            background: Mutex::default(),
            done: Mutex::default(),
            children: Mutex::default(),
            own: own.clone(),
            damages: Mutex::default(),
            broken: Mutex::default(),
            compared: scenario.array.blkverify.then(Mutex::default),
            bytes: OnceLock::new(),
        })
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Records something that happens now, on behalf of the request that is being polled.
    pub(super) fn record(&self, what: What) {
        let request = self.current().map(|(id, _)| id);
        self.recorder().push(self.queue.now(), request, what);
    }

    /// Records something that happens to this request.
    pub(super) fn record_for(&self, id: RequestId, what: What) {
        self.recorder().push(self.queue.now(), Some(id), what);
    }

    pub(super) fn set_latency(&self, child: u32, time: TimeRange) {
        for (limit, new) in self.latency[child as usize].iter().zip(limits(time)) {
            limit.store(new, Ordering::Relaxed);
        }
    }

    /// Records that a step damages a disk.
    pub(super) fn damaged(&self, child: u32, kind: DamageKind, text: String) {
        let entry = self.recorder().entries().len();
        let damage = Damage { entry, child, kind };
        self.damages.lock().expect("nothing panics under this lock").push(damage);
        self.record(What::Control(text));
    }

    /// Tells the clients that one of them is done.
    pub(super) fn client_done(&self) {
        let wakers = {
            let mut done = self.done.lock().expect("nothing panics under this lock");
            done.clients += 1;
            mem::take(&mut done.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends when so many clients are done.
    pub(super) fn clients_done(&self, count: usize) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(move |cx| {
            let mut done = self.done.lock().expect("nothing panics under this lock");
            if done.clients >= count {
                return Poll::Ready(());
            }
            done.wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// What steps have done to the media, in order.
    pub(super) fn take_damages(&self) -> Vec<Damage> {
        mem::take(&mut *self.damages.lock().expect("nothing panics under this lock"))
    }

    /// A step could not be done: nothing follows from the run.
    pub(super) fn break_off(&self, why: String) {
        self.broken.lock().expect("nothing panics under this lock").get_or_insert(why);
    }

    /// Why a step could not be done.
    pub(super) fn take_broken(&self) -> Option<String> {
        self.broken.lock().expect("nothing panics under this lock").take()
    }

    /// The bytes of the answers to reads, by entry, where children are compared.
    pub(super) fn take_compared(&self) -> Vec<(usize, Bytes)> {
        let list =
            self.compared.as_ref().map(|l| l.lock().expect("nothing panics under this lock"));
        list.map(|mut list| mem::take(&mut *list)).unwrap_or_default()
    }

    /// Has the bytes of writes and of answers kept from now on.
    pub(super) fn keep_bytes(&self) {
        self.bytes.get_or_init(Mutex::default);
    }

    /// What was written to disks and read from them since that was asked for.
    pub(super) fn take_bytes(&self) -> Vec<Bytes> {
        let list = self.bytes.get().map(|l| l.lock().expect("nothing panics under this lock"));
        list.map(|mut list| mem::take(&mut *list)).unwrap_or_default()
    }

    fn note_bytes(&self, data: &Bytes) {
        if let Some(list) = self.bytes.get() {
            list.lock().expect("nothing panics under this lock").push(data.clone());
        }
    }

    /// Ends the recording.
    pub(super) fn take_recorder(&self) -> Recorder {
        mem::take(&mut *self.recorder())
    }

    /// Polls work that no client waits for; never ends.
    pub(super) fn background(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|cx| {
            let mut works = {
                let mut background = self.background_state();
                background.waker = Some(cx.waker().clone());
                mem::take(&mut background.works)
            };
            works.retain_mut(|work| work.as_mut().poll(cx).is_pending());
            // What was begun meanwhile comes behind what was there.
            let mut background = self.background_state();
            works.append(&mut background.works);
            background.works = works;
            Poll::Pending
        })
    }

    /// Has work done that no client waits for.
    pub(super) fn spawn(&self, work: Detached) {
        let mut background = self.background_state();
        background.works.push(work);
        if let Some(waker) = background.waker.take() {
            drop(background);
            waker.wake();
        }
    }

    /// Gives up the work that no client waits for: what still waits holds this stage, which holds it.
    pub(super) fn stop_background(&self) {
        // The lock is open again when they go: one of them may ask for it.
        let works = mem::take(&mut self.background_state().works);
        drop(works);
    }

    pub(super) fn sleep(&self, time: Duration) -> Completion {
        self.queue.sleep(micros(time))
    }

    /// Whose request is being polled, and whether it is a read.
    fn current(&self) -> Option<(RequestId, bool)> {
        let word = self.current.load(Ordering::Relaxed);
        let client = u16::try_from(word >> 48).expect("sixteen bits");
        let step = u32::try_from(word >> 16 & u64::from(u32::MAX)).expect("masked");
        (word != NOBODY).then_some((RequestId { client, step }, word & 1 == 1))
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().expect("nothing panics under this lock")
    }

    fn background_state(&self) -> MutexGuard<'_, Background> {
        self.background.lock().expect("nothing panics under this lock")
    }

    fn latency(&self, op: &ChildOp) -> u64 {
        let number = usize::try_from(op.ordinal - 1).expect("a count in memory");
        if let Some(given) = self.latencies[op.child as usize].get(number) {
            return *given;
        }
        let [least, most] = &self.latency[op.child as usize];
        let (least, most) = (least.load(Ordering::Relaxed), most.load(Ordering::Relaxed));
        if most <= least {
            return least;
        }
        let draw = self.keyed.draw(Domain::LATENCY, op.child, op.ordinal);
        draw.in_range(0, least..most)
    }
}

/// Makes a request the current one whenever it is polled.
pub(super) struct Tagged<F> {
    pub(super) stage: Arc<Stage>,
    pub(super) id: RequestId,
    pub(super) is_read: bool,
    pub(super) inner: F,
}

impl<F: Future + Unpin> Future for Tagged<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let RequestId { client, step } = this.id;
        let word = u64::from(client) << 48 | u64::from(step) << 16 | u64::from(this.is_read);
        this.stage.current.store(word, Ordering::Relaxed);
        let polled = Pin::new(&mut this.inner).poll(cx);
        this.stage.current.store(NOBODY, Ordering::Relaxed);
        polled
    }
}

/// The faulty disks' view of the stage.
impl Host for Stage {
    fn now(&self) -> Duration {
        Duration::from_micros(self.queue.now())
    }

    fn origin(&self, kind: OpKind) -> Origin {
        // The only writes on behalf of a read are repairs.
        let is_read = self.current().is_some_and(|(_, is_read)| is_read);
        if is_read && kind == OpKind::Write { Origin::Rewrite } else { Origin::Guest }
    }

    fn request(&self) -> Option<u64> {
        self.current().map(|(id, _)| number(id))
    }

    fn submitted(&self, op: &ChildOp) {
        if let Some(data) = &op.data {
            self.note_bytes(data);
        }
        let mut recorder = self.recorder();
        let payload = op.data.as_ref().map_or(Payload::default(), |d| recorder.payload(d));
        let call = ChildCall {
            child: op.child,
            ordinal: op.ordinal,
            kind: op.kind,
            offset: op.offset,
            bytes: op.bytes,
            flags: op.flags,
            origin: op.origin,
            payload,
        };
        let request = self.current().map(|(id, _)| id);
        recorder.push(self.queue.now(), request, What::Submit(call));
    }

    fn complete(&self, op: &ChildOp, delay: Delay) -> Wait {
        let label = Label { child: op.child, kind: kind_number(op.kind), ordinal: op.ordinal };
        let latency = self.latency(op);
        Box::pin(match delay {
            Delay::Never => self.queue.hang(label, latency),
            Delay::After(more) => self.queue.submit(label, latency.saturating_add(micros(more))),
        })
    }

    fn struck(&self, child: u32, firing: Firing) {
        self.record(What::Injected { child, ordinal: 0, firing: Box::new(firing) });
    }

    fn fired(&self, op: &ChildOp, firing: Firing) {
        let (child, ordinal) = (op.child, op.ordinal);
        self.record(What::Injected { child, ordinal, firing: Box::new(firing) });
    }

    fn spared(&self, child: u32, ordinal: u64, rule: &Arc<str>) {
        self.record(What::Spared { child, ordinal, rule: rule.clone() });
    }

    fn replied(&self, op: &ChildOp, reply: &Reply<'_>) {
        if let Reply::Data(Ok(data)) = reply {
            self.note_bytes(data);
        }
        let mut recorder = self.recorder();
        if let (Some(list), Reply::Data(Ok(data))) = (&self.compared, reply) {
            let at = recorder.entries().len();
            list.lock().expect("nothing panics under this lock").push((at, data.clone()));
        }
        let answer = match reply {
            Reply::Data(Ok(data)) => Answer::Data(Ok(recorder.payload(data))),
            Reply::Data(Err(error)) => Answer::Data(Err(*error)),
            Reply::Done(result) => Answer::Done(**result),
            Reply::Length(result) => Answer::Length(**result),
            Reply::Status(result) => Answer::Status(**result),
        };
        let request = self.current().map(|(id, _)| id);
        let what = What::Reply { child: op.child, ordinal: op.ordinal, answer };
        recorder.push(self.queue.now(), request, what);
    }

    fn detach(&self, rest: Detached) {
        self.spawn(rest);
    }
}

/// The array's events.
impl EventSink for Stage {
    fn emit(&self, event: Event) {
        let kind = match event {
            Event::ReportBad { .. } => Some(ArrayEvent::ReportBad),
            Event::Failure { .. } => Some(ArrayEvent::Failure),
            Event::Mismatch { .. } => None,
        };
        self.record(What::Event(event));
        if let Some(kind) = kind {
            self.appoint_all(self.plan.array_event(kind, self.now()));
        }
    }
}

impl Stage {
    /// Tells the rules how a client's request ended.
    pub(super) fn ended(&self, id: RequestId, op: &GuestOp, outcome: &Outcome) {
        self.plan.request_over(number(id));
        let acked = outcome.error().is_none();
        let kind = match op {
            GuestOp::Read { .. } => ArrayEvent::GuestReadDone,
            GuestOp::Write { .. } | GuestOp::WriteZeroes { .. } if acked => {
                ArrayEvent::GuestWriteAcked
            }
            GuestOp::Flush if acked => ArrayEvent::FlushAcked,
            _ => return,
        };
        self.appoint_all(self.plan.array_event(kind, self.now()));
    }

    /// Has these rules strike in their time.
    pub(super) fn appoint_all(&self, strikes: Vec<Strike>) {
        for next in strikes {
            let timer = self.queue.alarm(micros(next.at().saturating_sub(self.now())));
            self.spawn(self.keep_appointment(timer, next));
        }
    }

    /// The disks, once they are there: rules strike them without anybody asking.
    pub(super) fn set_children(&self, children: &[Arc<FaultyChild>]) {
        let children = children.iter().map(Arc::downgrade).collect();
        *self.children.lock().expect("nothing panics under this lock") = children;
    }

    fn keep_appointment(&self, timer: Completion, next: Strike) -> Detached {
        let children = self.children.lock().expect("nothing panics under this lock").clone();
        let (plan, stage) = (self.plan.clone(), self.own.clone());
        Box::pin(async move {
            timer.await;
            // A run that is over has none left.
            let children: Vec<_> = children.iter().filter_map(Weak::upgrade).collect();
            let again = strike(&plan, next, &children).await;
            if let Some(stage) = stage.upgrade() {
                stage.appoint_all(again.into_iter().collect());
            }
        })
    }
}

/// The number by which the budget knows a request.
pub(super) fn number(id: RequestId) -> u64 {
    u64::from(id.client) << 32 | u64::from(id.step)
}

/// The number by which the device queue knows a kind of operation.
pub(super) fn kind_number(kind: OpKind) -> u8 {
    match kind {
        OpKind::Read => 0,
        OpKind::Write => 1,
        OpKind::WriteZeroes => 2,
        OpKind::Flush => 3,
        OpKind::BlockStatus => 4,
        OpKind::Length => 5,
        OpKind::Open => 6,
        OpKind::Close => 7,
        OpKind::Discard => 8,
        OpKind::Truncate => 9,
    }
}

/// Whole microseconds, rounded up: what takes time at all takes some.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}

fn limits(time: TimeRange) -> [u64; 2] {
    [micros(time.start), time.end.map_or(u64::MAX, micros)]
}

/// In the place of a request: none is being polled.
const NOBODY: u64 = u64::MAX;
/// How long a disk takes that does not say: like an SSD behind a network.
const USUAL_LATENCY: TimeRange =
    TimeRange { start: Duration::from_micros(20), end: Some(Duration::from_micros(200)) };
