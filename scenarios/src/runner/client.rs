//! A client: does its steps one after the other.

use super::{
    DamageKind, Subject, open_disk,
    stage::{Stage, Tagged, kind_number, number},
};
use crate::model::{Action, Request, Selection};
use bytes::Bytes;
use quorate_engine::{BlockDevice, NodeName, Prealloc};
use quorate_faults::{
    device::Frozen,
    draw::{Domain, Draw},
    host::Host,
    text::Time,
};
use quorate_reports::{GuestOp, Outcome, RequestId, What, trace::Change};
use quorate_sim::Pattern;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// One client of the array.
pub(super) struct Player {
    pub(super) stage: Arc<Stage>,
    pub(super) subject: Arc<Subject>,
    pub(super) number: u16,
    /// How many other clients there are.
    others: usize,
    /// Requests in the background, by name.
    background: Vec<(String, Running)>,
}

type Running = Tagged<Pin<Box<dyn Future<Output = ()> + Send>>>;

impl Player {
    pub(super) fn new(
        stage: Arc<Stage>,
        subject: Arc<Subject>,
        number: u16,
        others: usize,
    ) -> Self {
        Self { stage, subject, number, others, background: Vec::new() }
    }

    pub(super) async fn play(mut self, steps: &[Action]) {
        for (step, action) in (0..).zip(steps) {
            self.act(RequestId { client: self.number, step }, action).await;
        }
        // What still runs beside the last step ends in its own time.
        poll_fn(|cx| self.poll_background(cx)).await;
        self.stage.client_done();
    }

    async fn act(&mut self, id: RequestId, action: &Action) {
        match action {
            Action::Request { request, background, .. } => {
                let running = self.start(id, request);
                match background {
                    Some(name) => self.begin(name.clone(), running).await,
                    None => self.beside(running).await,
                }
            }
            Action::Wait { name } => {
                poll_fn(|cx| {
                    let _ = self.poll_background(cx);
                    let running = self.background.iter().any(|(other, _)| other == name);
                    if running { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
            }
            Action::Drop { name } => {
                if let Some(at) = self.background.iter().position(|(other, _)| other == name) {
                    let (_, gone) = self.background.remove(at);
                    self.stage.dropped(gone.id);
                }
            }
            Action::Sleep(Time(time)) => {
                let sleep = self.stage.sleep(*time);
                self.beside(sleep).await;
            }
            Action::Hold(which) => {
                self.stage.queue.hold(pattern(which));
                self.control(format!("hold {}", words(which)));
            }
            Action::Release { which, count: Some(count) } => {
                let released = self.stage.queue.release(pattern(which), *count);
                self.control(format!("release {released} of {}", words(which)));
            }
            Action::Release { which, count: None } => {
                self.stage.queue.release_all(pattern(which));
                self.control(format!("release {}", words(which)));
            }
            Action::Order(children) => {
                self.stage.queue.order(children.iter().copied());
                self.control(format!("order {children:?}"));
            }
            Action::Latency { child, time } => {
                self.stage.set_latency(*child, *time);
                self.control(format!("latency of c{child}: {time}"));
            }
            Action::Corrupt { child, offset, bytes, fill } => {
                let data = vec![*fill; usize::try_from(*bytes).expect("fits into memory")];
                self.subject.children[*child as usize].overwritten(*offset, &data);
                let overwriting = self.subject.site.overwrite(*child, *offset, data.into());
                if let Err(errno) = overwriting.await {
                    let why = format!("the bytes of c{child} cannot be changed in place: {errno}");
                    self.stage.break_off(why);
                }
                let text =
                    format!("corrupt c{child}: {bytes} bytes at {offset} become {fill:#04x}");
                let kind = DamageKind::Overwritten(*offset..offset + bytes);
                self.stage.damaged(*child, kind, text);
                self.stage.plan().doubt(*child, *offset..offset + bytes);
            }
            Action::CutPower { children, crash, fails } => {
                let all: Vec<_> = (0..).zip(&self.subject.children).collect();
                for (child, device) in all {
                    if children.as_ref().is_none_or(|some| some.contains(&child)) {
                        let text = format!("power cut of c{child}");
                        self.stage.damaged(child, DamageKind::Power, text);
                        let draw = self.stage.power_draw(child, id);
                        let firing = device.cut_power(crash, *fails, &draw).await;
                        self.stage.plan().befallen(child, &firing, self.stage.now());
                        self.stage.struck(child, firing);
                    }
                }
            }
            Action::Join(time) => {
                let stage = self.stage.clone();
                let mut done = Box::pin(stage.clients_done(self.others));
                let mut sleep = time.map(|Time(time)| stage.sleep(time));
                let over = poll_fn(move |cx| {
                    let late = sleep.as_mut().is_some_and(|s| Pin::new(s).poll(cx).is_ready());
                    if late { Poll::Ready(()) } else { done.as_mut().poll(cx) }
                });
                self.beside(over).await;
            }
            Action::Heal { children } => {
                for number in self.subject.numbers(children.as_deref()) {
                    self.subject.children[number as usize].heal();
                    self.stage.plan().healed(number);
                    self.stage.queue.revive(number);
                    self.stage.damaged(number, DamageKind::Healed, format!("heal c{number}"));
                }
            }
            Action::Freeze { children, how } => {
                for &number in children {
                    self.subject.children[number as usize].freeze(*how);
                    self.stage.plan().condemn(number);
                    let how = match how {
                        Frozen::Dead(errno) => format!("dead with {errno}"),
                        Frozen::Hung => "hung".into(),
                        Frozen::Stale => "stale".into(),
                    };
                    // Only who answers nothing keeps what it has not answered.
                    if how != "hung" {
                        self.stage.queue.revive(number);
                    }
                    let text = format!("c{number} stays {how}");
                    self.stage.damaged(number, DamageKind::Frozen, text);
                }
            }
            Action::Brick { child, what } => {
                let text = format!("{} the brick of c{child}", what.word());
                let begins = what.ends().is_empty();
                if begins {
                    self.stage.damaged(*child, DamageKind::Disturbed(*what), text.clone());
                }
                let (site, stage) = (self.subject.site.clone(), self.stage.clone());
                let (child, what) = (*child, *what);
                let disturbing = Box::pin(async move {
                    if let Err(why) = site.disturb(child, what).await {
                        stage.break_off(why);
                    }
                });
                self.beside(disturbing).await;
                if !begins {
                    self.stage.damaged(child, DamageKind::Settled(what), text);
                }
            }
            Action::Add { child, .. } => {
                let adding = self.subject.clone().add(self.stage.clone(), *child);
                self.beside(Box::pin(adding)).await;
            }
            Action::Remove { name, .. } => self.subject.remove(&self.stage, name),
        }
    }

    fn control(&self, text: String) {
        self.stage.record(What::Control(text));
    }

    /// Polls background requests until none is left.
    fn poll_background(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.background.retain_mut(|(_, running)| Pin::new(running).poll(cx).is_pending());
        if self.background.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for something while the background requests go on.
    async fn beside(&mut self, mut front: impl Future<Output = ()> + Unpin) {
        poll_fn(|cx| {
            let done = Pin::new(&mut front).poll(cx);
            let _ = self.poll_background(cx);
            done
        })
        .await;
    }

    /// Starts a background request: its first poll is part of this step.
    async fn begin(&mut self, name: String, mut running: Running) {
        let pending = poll_fn(|cx| Poll::Ready(Pin::new(&mut running).poll(cx).is_pending())).await;
        if pending {
            self.background.push((name, running));
        }
    }

    fn start(&self, id: RequestId, request: &Request) -> Running {
        let op = request.op(|offset, bytes| stamp(id, offset, bytes));
        let is_read = matches!(op, GuestOp::Read { .. });
        let (stage, subject) = (self.stage.clone(), self.subject.clone());
        let inner = Box::pin(async move {
            stage.record(What::Invoke(op.clone()));
            let outcome = ask(&*subject.array.device, op.clone()).await;
            stage.record(What::Complete(outcome.clone()));
            stage.ended(id, &op, &outcome);
        });
        Tagged { stage: self.stage.clone(), id, is_read, inner }
    }
}

async fn ask(device: &dyn BlockDevice, op: GuestOp) -> Outcome {
    match op {
        GuestOp::Read { offset, bytes } => {
            let bytes = usize::try_from(bytes).expect("a read fits into memory");
            Outcome::Data(device.pread(offset, bytes).await)
        }
        GuestOp::Write { offset, data, flags } => {
            Outcome::Done(device.pwrite(offset, data, flags).await)
        }
        GuestOp::WriteZeroes { offset, bytes, flags } => {
            Outcome::Done(device.pwrite_zeroes(offset, bytes, flags).await)
        }
        GuestOp::Discard { offset, bytes } => Outcome::Done(device.pdiscard(offset, bytes).await),
        GuestOp::Flush => Outcome::Done(device.flush().await),
        GuestOp::BlockStatus { offset, bytes } => {
            Outcome::Status(device.block_status(offset, bytes).await)
        }
        GuestOp::Length => Outcome::Length(device.length().await),
        GuestOp::Truncate { bytes } => Outcome::Done(device.truncate(bytes, Prealloc::Off).await),
        GuestOp::Invalidate => Outcome::Done(device.invalidate().await),
        GuestOp::Close => Outcome::Done(device.close().await),
    }
}

/// Bytes that no other request writes: each run of eight depends on the request and its place.
fn stamp(id: RequestId, offset: u64, bytes: u64) -> Bytes {
    let key = (u64::from(id.client) << 32 | u64::from(id.step)).wrapping_add(1);
    let word = |at: u64| {
        let mixed = (key ^ at.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes()
    };
    let (first, last) = (offset / 8, (offset + bytes).div_ceil(8));
    let from = usize::try_from(offset % 8).expect("below eight");
    let inside = |bytes| usize::try_from(bytes).expect("a payload fits into memory");
    let mut all = Vec::with_capacity(inside(8 * (last - first)));
    (first..last).for_each(|at| all.extend_from_slice(&word(at)));
    Bytes::from(all).slice(from..from + inside(bytes))
}

fn pattern(which: &Selection) -> Pattern {
    Pattern { child: which.child, kind: which.on.map(kind_number) }
}

fn words(which: &Selection) -> String {
    let child = which.child.map_or("every child".into(), |c| format!("c{c}"));
    which.on.map_or_else(|| child.clone(), |kind| format!("{child} {}", kind.word()))
}

impl Stage {
    fn power_draw(&self, child: u32, id: RequestId) -> Draw {
        let step = u64::from(id.client) << 32 | u64::from(id.step);
        self.keyed.draw(POWER, child, step)
    }

    fn dropped(&self, id: RequestId) {
        self.record_for(id, What::Dropped);
        self.plan().request_over(number(id));
    }
}

impl Subject {
    /// These disks, or all.
    fn numbers(&self, some: Option<&[u32]>) -> Vec<u32> {
        some.map_or_else(
            || (0..).zip(&self.children).map(|(number, _)| number).collect(),
            <[u32]>::to_vec,
        )
    }

    async fn add(self: Arc<Self>, stage: Arc<Stage>, child: u32) {
        let Some(members) = &self.array.members else {
            return stage.record(What::Membership(Change::Refused(NO_MEMBERSHIP.into())));
        };
        if let Err(refused) = open_disk(&stage, &self.children, child).await {
            return stage.record(What::Membership(Change::Refused(refused)));
        }
        let device: Arc<dyn BlockDevice> = self.children[child as usize].clone();
        let change = match members.add(NodeName::from(format!("c{child}")), device).await {
            Ok(name) => {
                stage.plan().joined(child);
                Change::Added { child, name }
            }
            Err(refused) => Change::Refused(refused),
        };
        stage.record(What::Membership(change));
    }

    fn remove(&self, stage: &Stage, name: &str) {
        let Some(members) = &self.array.members else {
            return stage.record(What::Membership(Change::Refused(NO_MEMBERSHIP.into())));
        };
        // Recorded first: the requests that wait for the child go on within the call.
        let before = members.names();
        let removed = before.iter().find(|(own, _)| own.as_str() == name);
        let number = removed.and_then(|(_, node)| node.as_str().strip_prefix('c')?.parse().ok());
        let change = match members.remove(name) {
            Ok(()) => {
                let child = number.unwrap_or(u32::MAX);
                stage.plan().left(child);
                Change::Removed { child, name: name.into() }
            }
            Err(refused) => Change::Refused(refused),
        };
        stage.record(What::Membership(change));
    }
}

/// What a power cut leaves, where a step does not say.
const POWER: Domain = Domain::named("cut-power");

const NO_MEMBERSHIP: &str = "this array cannot change its children";
