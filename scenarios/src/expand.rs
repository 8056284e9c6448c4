//! Draws a concrete scenario from a profile.
//!
//! The draws are keyed by what they decide, so that one request more or one fault less leaves the
//! others as they are. What comes out is plain data, and is all that a run knows.

mod aims;
mod bricks;
mod families;
mod phases;
mod swarm;

use crate::model::{
    Action, Array, Children, Client, Expected, Mix, Payload, Promises, Random, Request, Scenario,
    ThresholdChoice,
};
use aims::Aims;
use quorate_engine::{Flags, quorum::options::ReadPattern};
use quorate_faults::{
    budget::{Budget, Mode},
    draw::{Domain, Draw, Keyed},
    text::Time,
};
use std::time::Duration;

/// The concrete scenario that a profile gives for a seed. One that is concrete already only gets the
/// seed.
#[must_use]
pub fn expand(profile: &Scenario, seed: u64) -> Scenario {
    let mut scenario = Scenario { seed, random: None, ..profile.clone() };
    if let Some(random) = &profile.random {
        let is_enforced = |budget: &Budget| budget.mode == Mode::Enforce;
        let keyed = Keyed::new(seed);
        let narrowed = random.swarm.then(|| swarm::narrow(random, &keyed));
        let aims = if random.aims { Aims::of(seed, &random.children) } else { None };
        let quiet = aims.as_ref().map(|_| aims::beside(random, profile.disk(0).bytes));
        let random = quiet.as_ref().or(narrowed.as_ref()).unwrap_or(random);
        let drawn = Drawn {
            random,
            keyed,
            promises: profile.expect.promises,
            is_budgeted: profile.budget.as_ref().is_some_and(is_enforced),
        };
        scenario.array = drawn.array(&profile.array);
        if let Some(aims) = &aims {
            aims.shape(&mut scenario.array);
        }
        scenario.expect.idle_rules = true;
        scenario.rules.extend(drawn.rules(&scenario.array));
        let mut scripts = drawn.scripts(scenario.disk(0).bytes);
        scenario.steps.append(&mut scripts[0]);
        scenario.clients.extend(scripts.into_iter().skip(1).map(|steps| Client { steps }));
        if random.bricks > 0 {
            drawn.disturb(&mut scenario);
        }
        if let Some(aims) = &aims {
            aims.take(&mut scenario, &drawn.keyed);
        }
        if random.swarm {
            drawn.swarm(&mut scenario);
        }
    }
    scenario
}

struct Drawn<'a> {
    random: &'a Random,
    keyed: Keyed,
    promises: Promises,
    is_budgeted: bool,
}

/// How many children an array has that was drawn.
fn children(array: &Array) -> u32 {
    match &array.children {
        Children::Count(count) => *count,
        Children::Named(names) => u32::try_from(names.len()).expect("a list in memory"),
    }
}

impl Drawn<'_> {
    fn array(&self, base: &Array) -> Array {
        let draw = self.keyed.draw(ARRAY, 0, 0);
        let children = *pick(&draw, 0, &self.random.children);
        let vote_threshold = self.threshold(u64::from(children), &draw);
        let draw = self.keyed.draw(ARRAY, 0, 1);
        let read_pattern = *pick(&draw, 0, &self.random.read_pattern);
        // An array in fifo pattern has no vote that a child could lose.
        let rewrite_corrupted =
            read_pattern == ReadPattern::Quorum && *pick(&draw, 2, &self.random.rewrite_corrupted);
        Array {
            children: Children::Count(children),
            vote_threshold,
            read_pattern,
            rewrite_corrupted,
            overlap: *pick(&draw, 4, &self.random.overlap),
            ..base.clone()
        }
    }

    fn threshold(&self, children: u64, draw: &Draw) -> usize {
        let range = match self.random.threshold {
            ThresholdChoice::Majority => children / 2 + 1..children + 1,
            ThresholdChoice::Any => 1..children + 1,
            ThresholdChoice::Minority => 1..(children / 2).max(1) + 1,
        };
        usize::try_from(draw.in_range(2, range)).expect("at most the number of children")
    }

    /// The steps of every client.
    fn scripts(&self, disk_bytes: u64) -> Vec<Vec<Action>> {
        let clients = self.random.clients.max(1);
        let mut scripts = vec![Vec::new(); clients as usize];
        for number in 0..self.random.requests {
            let draw = self.keyed.draw(Domain::WORKLOAD, 0, u64::from(number));
            let client = draw.word(6) % clients;
            let request = self.request(&draw, disk_bytes);
            // None is drawn where none is dropped.
            let dropped = (self.random.dropped > 0)
                .then(|| self.keyed.draw(Domain::WORKLOAD, 1, u64::from(number)))
                .filter(|draw| draw.below(0, 100) < u64::from(self.random.dropped));
            let script: &mut Vec<Action> = &mut scripts[client as usize];
            if let Some(dropped) = dropped {
                let name = format!("r{number}");
                let background = Some(name.clone());
                script.push(Action::Request { request, background, expected: Expected::default() });
                let pause = Duration::from_micros(dropped.below(2, 300));
                script.push(Action::Sleep(Time(pause)));
                script.push(Action::Drop { name });
            } else {
                let expected = Expected::default();
                script.push(Action::Request { request, background: None, expected });
            }
        }
        scripts
    }

    fn request(&self, draw: &Draw, disk_bytes: u64) -> Request {
        let (offset, bytes) = self.range(draw, disk_bytes);
        let Mix { read, write, fua, zeroes, flush, discard, status, fua_zeroes } = self.random.mix;
        let weights = [read, write, fua, zeroes, flush, discard, status, fua_zeroes];
        let mut at = draw.word(0) % weights.iter().sum::<u32>().max(1);
        let kind = weights.iter().position(|&weight| {
            let hit = at < weight;
            at = at.wrapping_sub(weight);
            hit
        });
        let write = |flags| Request::Write { offset, bytes, payload: Payload::Stamp, flags };
        let zeroes = |flags| Request::WriteZeroes { offset, bytes, flags };
        match kind {
            Some(1) => write(Flags::NONE),
            Some(2) => write(Flags::FUA),
            Some(3) => zeroes(Flags::NONE),
            Some(4) => Request::Flush,
            Some(5) => Request::Discard { offset, bytes },
            Some(6) => Request::BlockStatus { offset, bytes },
            Some(7) => zeroes(Flags::FUA),
            _ => Request::Read { offset, bytes },
        }
    }

    fn range(&self, draw: &Draw, disk_bytes: u64) -> (u64, u64) {
        // A swarm's requests are small and near each other, but for a few.
        let Random { bytes_max, large, span, .. } = self.random;
        let is_large = large.is_some() && draw.word(5).is_multiple_of(LARGE_ONE_IN);
        let (most, span) = match large {
            Some(large) if is_large => (large.0, disk_bytes),
            _ => (bytes_max.0, span.map_or(disk_bytes, |span| span.0.min(disk_bytes))),
        };
        let most = most.clamp(1, span);
        let unaligned = u64::from(draw.word(7) % 100) < u64::from(self.random.unaligned);
        let unit = if unaligned || most < 512 { 1 } else { 512 };
        let count = 1 + draw.below(1, most / unit);
        let first = draw.below(3, span / unit - count + 1);
        (first * unit, count * unit)
    }
}

fn pick<'a, T>(draw: &Draw, word: usize, list: &'a [T]) -> &'a T {
    let at = draw.below(word, list.len() as u64);
    &list[usize::try_from(at).expect("below the length of a list")]
}

/// One in so many requests of a swarm is as long as the profile allows.
const LARGE_ONE_IN: u32 = 16;
/// What the array is like.
const ARRAY: Domain = Domain::PLAN;
