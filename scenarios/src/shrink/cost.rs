//! How much a reader has to take in: what shrinking makes less.

use super::faults;
use crate::{
    load,
    model::{Action, Array, Disk, Expected, Order, Payload, Promises, Request, Scenario, Stall},
};
use quorate_engine::{
    Flags,
    quorum::options::{Overlap, ReadPattern},
};
use quorate_faults::{
    rule::{Children, Origins, Rule, When},
    text::TimeRange,
};
use std::time::Duration;

/// How much there is to a scenario: what it takes to understand it, and then its length as text.
///
/// A step, a rule or a disk weighs more than whatever can be said of it in a few words; a round or small
/// number less than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    weight: u64,
    length: usize,
}

impl Cost {
    /// That of a scenario.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let steps = scenario.scripts().flatten().map(|action| STEP + step(action)).sum::<u64>();
        let rules = scenario.rules.iter().map(|rule| RULE + self::rule(rule)).sum::<u64>();
        let weight = steps
            + rules
            + CLIENT * count(scenario.clients.len())
            + array(scenario, &scenario.array)
            + disks(scenario)
            + around(scenario);
        Self { weight, length: load::write(scenario).len() }
    }
}

fn step(action: &Action) -> u64 {
    let Action::Request { request, background, expected } = action else { return controls(action) };
    let Expected { result, holds, length, extent, events } = expected;
    let expected = [
        result.is_some(),
        holds.is_some(),
        length.is_some(),
        extent.is_some(),
        events.is_some(),
        background.is_some(),
    ];
    REQUEST
        + self::request(request)
        + KEY * expected.into_iter().filter(|is| *is).map(u64::from).sum::<u64>()
}

fn request(request: &Request) -> u64 {
    let flags = |flags: &Flags| {
        KEY * [flags.fua, flags.may_unmap, flags.no_fallback]
            .into_iter()
            .map(u64::from)
            .sum::<u64>()
    };
    let range = |offset: &u64, bytes: &u64| size(*offset) + size(*bytes);
    match request {
        Request::Read { offset, bytes } => range(offset, bytes),
        Request::Write { offset, bytes, payload, flags: how } => {
            let fill = if *payload == Payload::Stamp { 0 } else { 1 };
            range(offset, bytes) + flags(how) + fill
        }
        Request::WriteZeroes { offset, bytes, flags: how } => range(offset, bytes) + flags(how) + 2,
        Request::Discard { offset, bytes } | Request::BlockStatus { offset, bytes } => {
            range(offset, bytes) + 1
        }
        Request::Truncate { bytes } => size(*bytes) + 1,
        Request::Flush => 0,
        Request::Length | Request::Invalidate | Request::Close => 1,
    }
}

/// Steps that are no requests.
fn controls(action: &Action) -> u64 {
    match action {
        Action::Sleep(time) => self::time(time.0),
        Action::Join(time) => time.map_or(0, |time| KEY + self::time(time.0)),
        Action::Latency { time, .. } => range(*time),
        Action::Corrupt { offset, bytes, fill, .. } => {
            size(*offset) + size(*bytes) + u64::from(*fill != 1)
        }
        Action::Order(children) => count(children.len()),
        Action::Freeze { children, .. } => 1 + count(children.len()),
        Action::Heal { children } => children.as_ref().map_or(0, |list| 1 + count(list.len())),
        Action::CutPower { children, crash, fails } => {
            let of = children.as_ref().map_or(0, |list| 1 + count(list.len()));
            of + faults::crash(crash) + KEY * u64::from(*fails)
        }
        Action::Hold(which) => {
            KEY * (u64::from(which.child.is_some()) + u64::from(which.on.is_some()))
        }
        Action::Release { which, count } => {
            let keys = [which.child.is_some(), which.on.is_some(), count.is_some()];
            KEY * keys.into_iter().map(u64::from).sum::<u64>()
        }
        Action::Request { .. } | Action::Wait { .. } | Action::Drop { .. } => 0,
        Action::Brick { .. } | Action::Add { .. } | Action::Remove { .. } => 1,
    }
}

fn rule(rule: &Rule) -> u64 {
    let child = match &rule.child {
        Children::Index(_) => 0,
        Children::Any => 1,
        Children::List(list) => 1 + count(list.len()),
        Children::Atlas => 4,
        Children::Drawn { .. } => 6,
    };
    let place = &rule.r#where;
    let origin = u64::from(place.origin != Origins::Any);
    let place = KEY
        * (origin + 2 * u64::from(place.sectors.is_some()) + 2 * u64::from(place.bytes.is_some()));
    let kinds = 2 * count(rule.on.len().saturating_sub(1));
    let name = u64::from(!faults::is_plain_name(rule));
    child + place + kinds + name + when(&rule.when) + faults::weight(&rule.r#do)
}

fn when(when: &When) -> u64 {
    let When { nth, operations: _, every, first, rate, max, at, window, period, after } = when;
    let nth: u64 = nth.iter().map(|number| 2 + number_weight(*number)).sum();
    let counts = [every, first, max].into_iter().flatten().map(|n| KEY + 2 + number_weight(*n));
    let after = after.as_ref().map_or(0, |after| {
        2 * KEY + number_weight(after.count) + after.delay.map_or(0, |delay| KEY + range(delay))
    });
    nth + counts.sum::<u64>()
        + after
        + rate.map_or(0, |_| 4 * KEY)
        + at.map_or(0, |time| KEY + self::time(time))
        + window.map_or(0, |window| 2 * KEY + range(window))
        + period.map_or(0, |period| 2 * KEY + self::time(period))
}

fn array(scenario: &Scenario, array: &Array) -> u64 {
    let options = [
        array.read_pattern != ReadPattern::Quorum,
        array.rewrite_corrupted,
        array.blkverify,
        array.overlap != Overlap::Serialise,
        array.read_only,
        array.throttle,
    ];
    let majority = scenario.child_names().len() / 2 + 1;
    OPTION * options.into_iter().map(u64::from).sum::<u64>()
        + INNER * count(array.inner.len())
        + if array.disks.is_some() { KEY } else { 0 }
        + if array.vote_threshold == majority { 0 } else { 1 }
        + match &array.children {
            crate::model::Children::Count(_) => 0,
            crate::model::Children::Named(names) => KEY + count(names.len()),
        }
}

fn disks(scenario: &Scenario) -> u64 {
    let own: u64 = scenario.child.values().map(|own| KEY + disk(own)).sum();
    DISK * u64::from(scenario.disks()) + disk(&scenario.disk) + own
}

fn disk(disk: &Disk) -> u64 {
    let Disk {
        bytes,
        alignment,
        max_transfer,
        fill,
        latency,
        latencies,
        write_fua,
        zeroes,
        read_only,
    } = disk;
    let keys = [write_fua.is_some(), zeroes.is_some(), read_only.is_some(), fill.is_some()];
    let times = latencies.iter().flatten().map(|time| 1 + self::time(time.0));
    KEY * keys.into_iter().map(u64::from).sum::<u64>()
        + bytes.map_or(0, |bytes| KEY + size(bytes.0))
        + alignment.map_or(0, |bytes| KEY + size(bytes.into()))
        + max_transfer.map_or(0, |bytes| KEY + size(bytes.0))
        + latency.map_or(0, |latency| KEY + range(latency))
        + latencies.as_ref().map_or(0, |_| 4 * KEY)
        + times.sum::<u64>()
}

/// Everything else.
fn around(scenario: &Scenario) -> u64 {
    let order = match &scenario.schedule.order {
        Order::Earliest => 0,
        Order::Late { .. } => 2 * KEY,
        Order::Dissent { children } => 2 * KEY + count(children.len()),
        Order::Uniform => 3 * KEY,
        Order::Pct { depth, .. } => 4 * KEY + u64::from(*depth),
    };
    let pauses: u64 = scenario.schedule.pauses.iter().map(|p| 2 * KEY + range(p.time)).sum();
    let budget = scenario.budget.as_ref().map_or(0, |budget| {
        let text = toml::to_string(budget).map_or(0, |text| text.lines().count());
        2 * KEY + KEY * count(text)
    });
    let expect = &scenario.expect;
    let lists = [&expect.events, &expect.heard].into_iter().flatten().map(|l| KEY + count(l.len()));
    let expect = KEY
        * (u64::from(expect.open.is_some())
            + u64::from(expect.stall != Stall::Never)
            + u64::from(expect.idle_rules)
            + u64::from(expect.members.is_some())
            + 2 * count(expect.media.len()))
        + lists.sum::<u64>()
        + match expect.promises {
            Promises::Conforming => 0,
            Promises::Within => KEY,
            Promises::Correct => KEY + 1,
        };
    let limits = u64::from(scenario.limits != crate::model::RunLimits::default());
    let seed = if scenario.seed == 0 { 0 } else { KEY + number_weight(scenario.seed) };
    let groups: u64 = scenario.groups.iter().map(|g| 2 * KEY + count(g.children.len())).sum();
    let gluster = scenario.gluster.as_ref().map_or(0, |gluster| {
        DISK + KEY * (u64::from(!gluster.write_behind) + u64::from(gluster.one_name))
    });
    order + pauses + budget + expect + limits * KEY + seed + groups + gluster
}

/// What a size weighs: nothing, a few sectors, many, or bytes that are no sectors.
pub(super) fn size(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        bytes if bytes.is_multiple_of(512) => 1 + bits(bytes / 512),
        bytes => 12 + bits(bytes),
    }
}

/// What a time weighs: short and round ones less.
pub(super) fn time(time: Duration) -> u64 {
    let digits = time.as_nanos().to_string();
    let digits = digits.trim_end_matches('0').len();
    count(digits) + bits(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)) / 4
}

fn range(range: TimeRange) -> u64 {
    let end = range.end.unwrap_or_default();
    time(range.start) + if end == range.start { 0 } else { 1 + time(end) }
}

pub(super) fn number_weight(number: u64) -> u64 {
    bits(number.saturating_sub(1))
}

/// How many binary digits.
pub(super) fn bits(number: u64) -> u64 {
    u64::from(u64::BITS - number.leading_zeros())
}

fn count(items: usize) -> u64 {
    items as u64
}

const STEP: u64 = 40;
/// What a request sets off is more than other steps do.
const REQUEST: u64 = 6;
const RULE: u64 = 40;
const DISK: u64 = 30;
const CLIENT: u64 = 12;
const INNER: u64 = 30;
const OPTION: u64 = 5;
const KEY: u64 = 3;
