//! Plainer disks, schedules, budgets and limits; another seed.

use super::passes::Candidates;
use crate::model::{Action, Disk, Gluster, Number, Order, RunLimits, Scenario, Schedule};
use quorate_faults::{
    budget::Budget,
    text::{Size, TimeRange},
};
use quorate_reports::Run;
use std::{collections::BTreeMap, time::Duration};

/// Disks with fewer keys.
pub(super) fn plainer(scenario: &Scenario, _: &Run) -> Candidates {
    let with = |change: &dyn Fn(&mut Disk)| {
        let mut other = scenario.clone();
        change(&mut other.disk);
        other.child.values_mut().for_each(change);
        other
    };
    let none = |disk| Scenario { disk, child: BTreeMap::new(), ..scenario.clone() };
    let mut all = vec![
        none(Disk::default()),
        none(scenario.disk.clone()),
        with(&|disk| disk.latencies = None),
        with(&|disk| (disk.latency, disk.latencies) = (None, None)),
        with(&|disk| disk.latency = disk.latency.map(constant)),
        with(&|disk| disk.bytes = None),
        with(&|disk| disk.alignment = None),
        with(&|disk| disk.alignment = disk.alignment.map(|_| 512)),
        with(&|disk| disk.max_transfer = None),
        with(&|disk| disk.max_transfer = disk.max_transfer.map(|_| Size(512))),
        with(&|disk| disk.fill = None),
        with(&|disk| disk.write_fua = None),
        with(&|disk| disk.zeroes = None),
        with(&|disk| disk.read_only = None),
        with(&|disk| disk.bytes = disk.bytes.map(|bytes| Size((bytes.0 / 2).max(512)))),
    ];
    if let Some(gluster) = &scenario.gluster {
        let steps = scenario.scripts().flatten();
        // Who disturbs a brick has one.
        let bricks = steps.filter(|step| matches!(step, Action::Brick { .. })).count();
        let plain = Some(Gluster::default()).filter(|plain| plain != gluster);
        let nothing = (bricks == 0).then_some(None);
        let fewer = nothing.into_iter().chain(plain.map(Some));
        all.extend(fewer.map(|gluster| Scenario { gluster, ..scenario.clone() }));
    }
    for (number, own) in &scenario.child {
        let mut others = scenario.child.clone();
        others.remove(number);
        all.push(Scenario { disk: own.clone(), child: others, ..scenario.clone() });
        let one = |change: fn(&mut Disk)| {
            let mut other = scenario.clone();
            other.child.get_mut(number).into_iter().for_each(change);
            other
        };
        all.extend([
            one(|disk| *disk = Disk::default()),
            one(|disk| disk.latencies = None),
            one(|disk| disk.latencies = disk.latencies.clone().map(but_last)),
            one(|disk| disk.latency = None),
            one(|disk| disk.latency = disk.latency.map(constant)),
            one(|disk| disk.latency = disk.latency.map(|_| milliseconds(1))),
            one(|disk| disk.bytes = None),
            one(|disk| disk.alignment = None),
            one(|disk| disk.max_transfer = None),
            one(|disk| disk.fill = None),
            one(|disk| disk.zeroes = None),
        ]);
    }
    all
}

/// Another seed, or none and one disk that is late in the place of whatever was drawn.
pub(super) fn other_draws(scenario: &Scenario, _: &Run) -> Candidates {
    let seeded = with_seeds(vec![scenario.clone()]);
    let mut even = Scenario { seed: 0, ..scenario.clone() };
    even.disk.latency = Some(milliseconds(1));
    let slow = (0..scenario.disks()).map(|child| {
        let mut other = Scenario { seed: 0, ..scenario.clone() };
        let disk = other.child.entry(Number(child)).or_default();
        (disk.latency, disk.latencies) = (Some(milliseconds(1)), None);
        other
    });
    let late = (0..scenario.disks()).map(|child| Scenario {
        seed: 0,
        schedule: Schedule { order: Order::Late { child }, ..scenario.schedule.clone() },
        ..scenario.clone()
    });
    seeded.into_iter().chain([even]).chain(slow).chain(late).collect()
}

/// Each with some seeds.
pub(super) fn with_seeds(candidates: Candidates) -> Candidates {
    let seeded =
        |candidate: Scenario| (0..SEEDS).map(move |seed| Scenario { seed, ..candidate.clone() });
    candidates.into_iter().flat_map(seeded).collect()
}

/// Without a budget, or with a plainer one.
pub(super) fn budgets(scenario: &Scenario, _: &Run) -> Candidates {
    let Some(own) = &scenario.budget else { return Vec::new() };
    let plain = Budget { beyond: own.beyond, ..Budget::default() };
    let [plain, whole] = [plain, Budget { chunk: None, ..own.clone() }].map(Some);
    let with = |budget| Scenario { budget, ..scenario.clone() };
    [None, plain, whole].map(with).into()
}

/// A straighter schedule, the usual limits.
pub(super) fn around(scenario: &Scenario, _: &Run) -> Candidates {
    let with = |order: Order| Scenario {
        schedule: Schedule { order, ..scenario.schedule.clone() },
        ..scenario.clone()
    };
    let mut all = vec![
        Scenario { schedule: Schedule::default(), ..scenario.clone() },
        with(Order::Earliest),
        Scenario { limits: RunLimits::default(), ..scenario.clone() },
    ];
    for pause in 0..scenario.schedule.pauses.len() {
        let mut other = scenario.clone();
        other.schedule.pauses.remove(pause);
        all.push(other);
    }
    if let Order::Pct { depth, within } = scenario.schedule.order {
        all.extend([1, 2, depth - 1].map(|depth| with(Order::Pct { depth: depth.max(1), within })));
    }
    if scenario.schedule.order != Order::Earliest {
        all.extend((0..scenario.disks()).map(|child| with(Order::Late { child })));
    }
    all
}

fn constant(range: TimeRange) -> TimeRange {
    TimeRange { end: Some(range.start), ..range }
}

fn milliseconds(time: u64) -> TimeRange {
    let time = Duration::from_millis(time);
    TimeRange { start: time, end: Some(time) }
}

fn but_last<T>(mut list: Vec<T>) -> Vec<T> {
    list.pop();
    list
}

/// How many seeds are tried in the place of another one.
const SEEDS: u64 = 8;
