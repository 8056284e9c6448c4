//! A swarm: each seed has a part of what its profile offers, so that runs differ in kind.
//!
//! With everything in every run, much of it hides the rest: frequent failures leave no vote to lose,
//! long requests no two that overlap.

use super::{Drawn, children, pick};
use crate::model::{
    Children, Disk, FaultFamily, Mix, Number, Order, Pause, Random, Scenario, Schedule,
};
use quorate_engine::quorum::options::{Overlap, ReadPattern};
use quorate_faults::{
    budget::{Excess, Shape},
    draw::{Domain, Draw, Keyed},
    text::{Ratio, Size, TimeRange},
};
use std::time::Duration;

/// A part of what the profile offers.
pub(super) fn narrow(random: &Random, keyed: &Keyed) -> Random {
    let draw = |purpose| keyed.draw(SWARM, 0, purpose);
    let up_to = |purpose, most: u32| {
        let count = draw(purpose).below(0, u64::from(most.max(1)));
        1 + u32::try_from(count).expect("below the most")
    };
    // None for most, so that what it causes is not everywhere.
    let at_times = |purpose, most: u32| match draw(purpose).below(0, 4) {
        0 => most,
        1 => most.div_ceil(4),
        _ => 0,
    };
    let size =
        |purpose, sizes: &[u64], most: Size| Size((*pick(&draw(purpose), 0, sizes)).min(most.0));
    let rate = *pick(&draw(RATE), 0, &[1, 2, 4, 16, 64]);
    let rate = Ratio::new(random.rate.numerator(), random.rate.denominator() / 4 * rate);
    Random {
        requests: up_to(REQUESTS, random.requests),
        clients: up_to(CLIENTS, random.clients),
        bytes_max: size(BYTES, &[512, 1024, 4096, u64::MAX], random.bytes_max),
        large: Some(random.bytes_max),
        span: Some(size(
            SPAN,
            &[4096, 8192, 32768, u64::MAX],
            random.span.unwrap_or(Size(u64::MAX)),
        )),
        unaligned: at_times(UNALIGNED, random.unaligned),
        dropped: at_times(DROPPED, random.dropped),
        mix: mix(&random.mix, keyed),
        faults: families(&random.faults, keyed),
        rate: rate.unwrap_or(random.rate),
        ..random.clone()
    }
}

/// Some of the kinds of requests, with other weights.
fn mix(offered: &Mix, keyed: &Keyed) -> Mix {
    let weight = |number: u64, offered: u32| {
        let draw = keyed.draw(SWARM, 1, number);
        let is_there = offered > 0 && draw.below(0, 2) == 0;
        if is_there { 1 + draw.word(2) % 100 } else { 0 }
    };
    let mut mix = Mix {
        read: weight(0, offered.read),
        write: weight(1, offered.write),
        fua: weight(2, offered.fua),
        zeroes: weight(3, offered.zeroes),
        flush: weight(4, offered.flush),
        discard: weight(5, offered.discard),
        status: weight(6, offered.status),
        fua_zeroes: weight(7, offered.fua_zeroes),
    };
    if mix.read + mix.write + mix.fua + mix.zeroes + mix.fua_zeroes == 0 {
        (mix.read, mix.write) = (1, 1);
    }
    mix
}

/// Some of the families, at least one if there is any.
fn families(offered: &[FaultFamily], keyed: &Keyed) -> Vec<FaultFamily> {
    let is_there = |number: u64| keyed.draw(SWARM, 2, number).below(0, 2) == 0;
    let numbered = (0..).zip(offered);
    let mut some: Vec<FaultFamily> =
        numbered.filter(|(number, _)| is_there(*number)).map(|(_, family)| *family).collect();
    if some.is_empty() && !offered.is_empty() {
        some.push(*pick(&keyed.draw(SWARM, 2, u64::MAX), 0, offered));
    }
    some
}

impl Drawn<'_> {
    /// What a swarm draws beside array, rules and requests.
    pub(super) fn swarm(&self, scenario: &mut Scenario) {
        self.disks(scenario);
        scenario.schedule = self.schedule(scenario);
        self.budget(scenario);
        let phases = self.phases(scenario);
        scenario.drawn = self.words(scenario, phases.as_deref());
    }

    /// One of the shapes that a budget can have, and what becomes of a fault too many.
    fn budget(&self, scenario: &mut Scenario) {
        let draw = self.keyed.draw(SWARM, 7, 0);
        if let Some(budget) = &mut scenario.budget {
            use Shape::{Atlas, ChildSet, Helix, Ledger};
            budget.shape = *pick(&draw, 0, &[Ledger, Ledger, Ledger, Atlas, ChildSet, Helix]);
            budget.excess = *pick(&draw, 2, &[Excess::Refuse, Excess::Deflect]);
        }
    }

    /// A disk that is slow, and one with larger blocks, now and then.
    fn disks(&self, scenario: &mut Scenario) {
        let Children::Count(count) = scenario.array.children else { return };
        let draw = self.keyed.draw(SWARM, 3, 0);
        let one = |word| Number(draw.word(word) % count);
        if draw.word(0).is_multiple_of(4) {
            let slow = *pick(&draw, 2, &["1ms..2ms", "0..20ms", "5us..10us"]);
            let disk: &mut Disk = scenario.child.entry(one(1)).or_default();
            disk.latency = Some(slow.parse().expect("it is a range of time"));
        }
        if draw.word(4).is_multiple_of(8) {
            let disk: &mut Disk = scenario.child.entry(one(5)).or_default();
            disk.alignment = Some(*pick(&draw, 6, &[512, 1024, 4096]));
        }
    }

    /// Whatever was drawn, but for single rules and requests.
    fn words(&self, scenario: &Scenario, phases: Option<&str>) -> String {
        let array = &scenario.array;
        let pattern = if array.read_pattern == ReadPattern::Fifo { "fifo" } else { "quorum" };
        let overlap = if array.overlap == Overlap::Qemu { "qemu" } else { "serialise" };
        let rewrite = if array.rewrite_corrupted { ", rewrites" } else { "" };
        let (count, threshold) = (children(array), array.vote_threshold);
        let Random { requests, clients, bytes_max, span, rate, unaligned, dropped, .. } =
            self.random;
        let span = span.map_or(u64::MAX, |span| span.0).min(scenario.disk(0).bytes);
        let mut parts = vec![
            format!("n {count}, t {threshold}, {pattern}, overlap {overlap}{rewrite}"),
            format!(
                "{clients} clients, {requests} requests of up to {bytes_max} in {}",
                Size(span)
            ),
            self.random.mix.to_string(),
        ];
        for (percent, what) in [(unaligned, "unaligned"), (dropped, "dropped")] {
            if *percent > 0 {
                parts.push(format!("{percent}% {what}"));
            }
        }
        for (Number(number), disk) in &scenario.child {
            parts.extend(disk.latency.map(|latency| format!("c{number} in {latency}")));
            parts.extend(disk.alignment.map(|bytes| format!("c{number} in blocks of {bytes}")));
        }
        let families: Vec<&str> = self.random.faults.iter().map(|family| family.word()).collect();
        if !families.is_empty() {
            parts.push(format!("{} at {rate}", families.join(" ")));
        }
        if let Some(budget) = scenario.budget.as_ref().filter(|_| !families.is_empty()) {
            parts.push(format!("within {}, {}", budget.shape.word(), budget.excess.word()));
        }
        if scenario.schedule != Schedule::default() {
            parts.push(scenario.schedule.to_string());
        }
        parts.extend(phases.map(String::from));
        parts.join("; ")
    }

    fn schedule(&self, scenario: &Scenario) -> Schedule {
        let count = children(&scenario.array);
        let draw = self.keyed.draw(SWARM, 4, 0);
        let one = |draw: &Draw, word| draw.word(word) % count;
        let order = match draw.below(0, 8) {
            0 | 1 => Order::Uniform,
            2 | 3 => {
                let within = 16 << draw.below(2, 6);
                Order::Pct { depth: 1 + draw.word(4) % 5, within }
            }
            4 => Order::Late { child: one(&draw, 2) },
            5 => {
                let faulty = self.faulty(&scenario.array);
                let is_minority = !faulty.is_empty() && faulty.len() < count as usize;
                let children = if is_minority { faulty } else { vec![one(&draw, 2)] };
                Order::Dissent { children }
            }
            _ => Order::Earliest,
        };
        let pause = |number| {
            let draw = self.keyed.draw(SWARM, 4, 1 + number);
            let start = Duration::from_micros(draw.below(0, 20_000));
            let end = Some(start + Duration::from_micros(1 + draw.below(2, 20_000)));
            Pause { child: one(&draw, 4), time: TimeRange { start, end } }
        };
        let pauses =
            if draw.word(6).is_multiple_of(4) { 1 + u64::from(draw.word(7) % 3) } else { 0 };
        Schedule { order, pauses: (0..pauses).map(pause).collect() }
    }
}

/// What a swarm draws: the child says of which kind, the number which.
pub(super) const SWARM: Domain = Domain::PLAN.lane(2);
const REQUESTS: u64 = 0;
const CLIENTS: u64 = 1;
const BYTES: u64 = 2;
const SPAN: u64 = 3;
const UNALIGNED: u64 = 4;
const DROPPED: u64 = 5;
const RATE: u64 = 6;
