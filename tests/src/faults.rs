//! Fault rules and the child that obeys them.

mod budget;
mod effects;
mod files;
mod flush;
mod keys;
mod kinds;
mod medium;
mod overlay;
mod plan;
mod power;
mod scripted;
mod strikes;
mod taxonomy;
mod when;

use bytes::Bytes;
use futures_util::future::{self, FutureExt};
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc, Result,
};
use quorate_faults::{
    budget::Electorate,
    device::FaultyChild,
    host::{ChildOp, Delay, Detached, Firing, Host, Reply, Wait},
    inject::Plan,
    rule::{Group, Origin, Rule},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// A plain store in memory that counts its flushes and lists its writes.
#[derive(Default)]
struct Memory {
    data: Mutex<Vec<u8>>,
    flushes: Mutex<u32>,
    writes: Mutex<Vec<(u64, u64, Flags)>>,
}

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        lock(&self.data).clone()
    }

    fn put(&self, offset: u64, bytes: &[u8]) {
        let offset = index(offset);
        lock(&self.data)[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is held")
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("small")
}

fn ready<T: Send + 'static>(result: Result<T>) -> IoFuture<'static, T> {
    Box::pin(future::ready(result))
}

impl BlockDevice for Memory {
    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn length(&self) -> IoFuture<'_, u64> {
        ready(Ok(u64::try_from(self.bytes().len()).expect("small")))
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        let offset = index(offset);
        let data = self.bytes().get(offset..offset + bytes).map(Bytes::copy_from_slice);
        ready(data.ok_or(Errno::EINVAL))
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        lock(&self.writes).push((offset, u64::try_from(data.len()).expect("small"), flags));
        self.put(offset, &data);
        ready(Ok(()))
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        lock(&self.writes).push((offset, bytes, flags));
        self.put(offset, &vec![0; index(bytes)]);
        ready(Ok(()))
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.put(offset, &vec![0; index(bytes)]);
        ready(Ok(()))
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        *lock(&self.flushes) += 1;
        ready(Ok(()))
    }

    fn block_status(&self, _: u64, bytes: u64) -> IoFuture<'_, Extent> {
        ready(Ok(Extent { bytes, kind: ExtentKind::Data }))
    }

    fn truncate(&self, bytes: u64, _: Prealloc) -> IoFuture<'_, ()> {
        lock(&self.data).resize(index(bytes), 0);
        ready(Ok(()))
    }

    fn close(&self) -> IoFuture<'_, ()> {
        ready(Ok(()))
    }
}

/// A host whose devices answer at once, and which writes down what it hears.
#[derive(Default)]
struct Recorder {
    now: Mutex<Duration>,
    is_rewrite: Mutex<bool>,
    is_held: Mutex<bool>,
    gives_up: Mutex<bool>,
    calls: Mutex<Vec<String>>,
    delays: Mutex<Vec<Delay>>,
    firings: Mutex<Vec<Firing>>,
    detached: Mutex<Vec<Detached>>,
    request: Mutex<Option<u64>>,
    spared: Mutex<Vec<(u32, String)>>,
}

impl Recorder {
    fn call(&self, call: impl fmt::Display) {
        lock(&self.calls).push(call.to_string());
    }

    fn fired(&self) -> Vec<Firing> {
        lock(&self.firings).clone()
    }
}

struct Shared(Arc<Recorder>);

impl Host for Shared {
    fn now(&self) -> Duration {
        *lock(&self.0.now)
    }

    fn origin(&self, _: quorate_faults::rule::OpKind) -> Origin {
        if *lock(&self.0.is_rewrite) { Origin::Rewrite } else { Origin::Guest }
    }

    fn request(&self) -> Option<u64> {
        *lock(&self.0.request)
    }

    fn spared(&self, child: u32, _: u64, rule: &Arc<str>) {
        lock(&self.0.spared).push((child, rule.to_string()));
    }

    fn submitted(&self, op: &ChildOp) {
        self.0.call(format_args!("submitted {} {:?}", op.ordinal, op.kind));
    }

    fn complete(&self, op: &ChildOp, delay: Delay) -> Wait {
        self.0.call(format_args!("complete {}", op.ordinal));
        lock(&self.0.delays).push(delay);
        match delay {
            Delay::Never if *lock(&self.0.gives_up) => Box::pin(future::ready(())),
            Delay::Never => Box::pin(future::pending()),
            Delay::After(_) if *lock(&self.0.is_held) => {
                let recorder = self.0.clone();
                Box::pin(future::poll_fn(move |_| match *lock(&recorder.is_held) {
                    true => std::task::Poll::Pending,
                    false => std::task::Poll::Ready(()),
                }))
            }
            Delay::After(_) => Box::pin(future::ready(())),
        }
    }

    fn fired(&self, op: &ChildOp, firing: Firing) {
        self.0.call(format_args!("fired {} {}", op.ordinal, firing.rule));
        lock(&self.0.firings).push(firing);
    }

    fn replied(&self, op: &ChildOp, _: &Reply<'_>) {
        self.0.call(format_args!("replied {}", op.ordinal));
    }

    fn detach(&self, rest: Detached) {
        lock(&self.0.detached).push(rest);
    }
}

/// An array's children without the array: each over a store of its own with the same content.
struct Bench {
    stores: Vec<Arc<Memory>>,
    children: Vec<FaultyChild>,
    plan: Arc<Plan>,
    host: Arc<Recorder>,
}

impl Bench {
    fn new(count: u32, rules: &str) -> Self {
        Self::seeded(7, count, rules)
    }

    fn seeded(seed: u64, count: u32, rules: &str) -> Self {
        Self::budgeted(seed, count, rules, None)
    }

    fn budgeted(seed: u64, count: u32, rules: &str, budget: Option<(&str, Electorate)>) -> Self {
        let all = Group { name: "all".into(), children: (0..count).collect() };
        let rules = self::rules(rules).expect(rules);
        let plan = Plan::new(seed, rules, &[all], count).expect("a plan");
        let plan = Arc::new(match budget {
            None => plan,
            Some((text, electorate)) => {
                let budget = toml::from_str(text).expect("a budget");
                plan.with_budget(&budget, electorate).expect("a plan with a budget")
            }
        });
        let host = Arc::new(Recorder::default());
        let stores: Vec<_> = (0..count)
            .map(|_| Arc::new(Memory { data: Mutex::new(content()), ..Memory::default() }))
            .collect();
        let child = |(index, store): (u32, &Arc<Memory>)| {
            FaultyChild::new(index, store.clone(), plan.clone(), Arc::new(Shared(host.clone())))
        };
        let children = (0..).zip(&stores).map(child).collect();
        Self { stores, children, plan, host }
    }

    fn read(&self, child: usize, offset: u64, bytes: usize) -> Result<Vec<u8>> {
        let read = self.children[child].pread(offset, bytes);
        read.now_or_never().expect("answers").map(|data| data.to_vec())
    }

    fn write(&self, child: usize, offset: u64, data: &[u8]) -> Result<()> {
        let data = Bytes::copy_from_slice(data);
        self.children[child].pwrite(offset, data, Flags::NONE).now_or_never().expect("answers")
    }

    fn fired(&self) -> Vec<Firing> {
        self.host.fired()
    }

    /// Which matches fired on a child, if it reads as often.
    fn fires(&self, child: usize, reads: u64) -> Vec<u64> {
        let before = self.fired().len();
        for _ in 0..reads {
            let _ = self.read(child, 0, 512);
        }
        self.fired()[before..].iter().map(|firing| firing.matched).collect()
    }

    fn at(&self, now: Duration) -> &Self {
        *lock(&self.host.now) = now;
        self
    }
}

/// The rules of a text, as a scenario file has them.
fn rules(text: &str) -> std::result::Result<Vec<Rule>, toml::de::Error> {
    let mut tables: BTreeMap<String, Vec<Rule>> = toml::from_str(text)?;
    Ok(tables.remove("rule").unwrap_or_default())
}

/// A rule in one line.
fn line(name: &str, on: &str, child: &str, rest: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\non = {on}\nchild = {child}\n{rest}\n")
}

/// Sixteen sectors, every byte of which tells its sector.
fn content() -> Vec<u8> {
    (1..=16_u8).flat_map(|sector| [sector; 512]).collect()
}

fn sector(tag: u8) -> Vec<u8> {
    vec![tag; 512]
}

/// The first bytes of each sector.
fn tags(data: &[u8]) -> Vec<u8> {
    data.chunks(512).map(|sector| sector[0]).collect()
}
