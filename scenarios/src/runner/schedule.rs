//! Who decides which operation completes next, as the scenario's `schedule` says.

use super::stage::micros;
use crate::model::{Order, Pause, Schedule};
use quorate_faults::draw::{Domain, Keyed};
use quorate_sim::{Candidate, Choice, Picked, Picker, pick::earliest};
use std::{cmp::Reverse, ops::Range};

/// The picker of a schedule of as many disks; nobody, if it is the earliest operation's turn.
pub(super) fn picker(schedule: &Schedule, disks: u32, keyed: &Keyed) -> Option<Box<dyn Picker>> {
    let order: Box<dyn Picker> = match &schedule.order {
        Order::Earliest if schedule.pauses.is_empty() => return None,
        Order::Earliest => Box::new(Earliest),
        Order::Uniform => Box::new(Uniform(keyed.clone())),
        Order::Pct { depth, within } => Box::new(Pct::new(*depth, *within, disks, keyed)),
        Order::Late { child } => Box::new(Last(vec![*child])),
        Order::Dissent { children } => Box::new(Last(children.clone())),
    };
    if schedule.pauses.is_empty() {
        return Some(order);
    }
    let paused = |Pause { child, time }: &Pause| {
        (*child, micros(time.start)..time.end.map_or(u64::MAX, micros))
    };
    let mut windows: Vec<_> = schedule.pauses.iter().map(paused).collect();
    windows.sort_by_key(|(child, window)| (*child, window.start));
    Some(Box::new(Paused { windows, order, awake: Vec::new(), places: Vec::new() }))
}

fn at_once(at: usize) -> Picked {
    Picked { at, not_before: 0 }
}

/// The earliest of the candidates that rank first.
fn first_by<K: Ord>(candidates: &[Candidate], rank: impl Fn(&Candidate) -> K) -> Picked {
    let places = candidates.iter().enumerate();
    let first = places.min_by_key(|(_, c)| (rank(c), c.deadline, c.number));
    at_once(first.expect("there is a candidate").0)
}

struct Earliest;

impl Picker for Earliest {
    fn pick(&mut self, choice: Choice<'_>) -> Picked {
        at_once(earliest(choice.candidates).expect("there is a candidate"))
    }
}

struct Uniform(Keyed);

impl Picker for Uniform {
    fn pick(&mut self, choice: Choice<'_>) -> Picked {
        let Choice { completed, candidates, .. } = choice;
        let turn = self.0.draw(Domain::SCHEDULE, 0, completed).below(0, candidates.len() as u64);
        let mut numbers: Vec<u64> = candidates.iter().map(|c| c.number).collect();
        numbers.sort_unstable();
        let drawn = numbers[usize::try_from(turn).expect("below a count in memory")];
        let at = candidates.iter().position(|c| c.number == drawn);
        at_once(at.expect("it is one of them"))
    }
}

/// Probabilistic concurrency testing: disks complete by a drawn rank, and at a few drawn completions
/// the disk whose turn it would be becomes the last.
struct Pct {
    /// By disk; the lowest comes first.
    ranks: Vec<u64>,
    /// The completions at which a disk becomes the last, the next one at the end.
    changes: Vec<u64>,
    rank_last: u64,
}

impl Pct {
    fn new(depth: u32, within: u64, disks: u32, keyed: &Keyed) -> Self {
        let rank = |disk| u64::from(keyed.draw(RANKS, disk, 0).word(0));
        let change = |number| keyed.draw(CHANGES, 0, u64::from(number)).below(0, within);
        let mut changes: Vec<u64> = (1..depth).map(change).collect();
        changes.sort_by_key(|&at| Reverse(at));
        Self { ranks: (0..disks).map(rank).collect(), changes, rank_last: u64::from(u32::MAX) }
    }
}

impl Picker for Pct {
    fn pick(&mut self, choice: Choice<'_>) -> Picked {
        let Choice { completed, candidates, .. } = choice;
        while self.changes.pop_if(|at| *at <= completed).is_some() {
            let first = first_by(candidates, |c| self.ranks[c.label.child as usize]).at;
            self.rank_last += 1;
            self.ranks[candidates[first].label.child as usize] = self.rank_last;
        }
        first_by(candidates, |c| self.ranks[c.label.child as usize])
    }
}

/// These disks last, in this order.
struct Last(Vec<u32>);

impl Picker for Last {
    fn pick(&mut self, choice: Choice<'_>) -> Picked {
        let last = &self.0;
        first_by(choice.candidates, |c| last.iter().position(|child| *child == c.label.child))
    }
}

/// Disks that complete nothing for a time.
struct Paused {
    /// Disk and time, by disk and by begin.
    windows: Vec<(u32, Range<u64>)>,
    /// Decides among the others.
    order: Box<dyn Picker>,
    awake: Vec<Candidate>,
    places: Vec<usize>,
}

impl Paused {
    /// When an operation would complete if it was its turn, not in a pause.
    fn time(&self, candidate: &Candidate, now: u64) -> u64 {
        let due = candidate.deadline.max(now + 1);
        // In order of their begin, one that follows on another is seen after it.
        self.windows.iter().fold(due, |due, (child, window)| {
            let sleeps = *child == candidate.label.child && window.contains(&due);
            if sleeps { window.end } else { due }
        })
    }
}

impl Picker for Paused {
    fn pick(&mut self, choice: Choice<'_>) -> Picked {
        let Choice { now, candidates, .. } = choice;
        let (mut awake, mut places) =
            (std::mem::take(&mut self.awake), std::mem::take(&mut self.places));
        awake.clear();
        places.clear();
        for (at, candidate) in candidates.iter().enumerate() {
            if self.time(candidate, now) == candidate.deadline.max(now + 1) {
                awake.push(*candidate);
                places.push(at);
            }
        }
        let times = candidates.iter().map(|c| (self.time(c, now), c.deadline, c.number));
        let asleep = times.enumerate().filter(|(at, _)| !places.contains(at));
        let wakes = asleep
            .min_by_key(|(_, time)| *time)
            .map(|(at, (not_before, ..))| Picked { at, not_before });
        let picked =
            (!awake.is_empty()).then(|| self.order.pick(Choice { candidates: &awake, ..choice }));
        // Time does not leap over the end of a pause.
        let picked = match (picked, wakes) {
            (Some(Picked { at, .. }), Some(first)) if first.not_before < awake[at].deadline => {
                first
            }
            (Some(Picked { at, not_before }), _) => Picked { at: places[at], not_before },
            (None, first) => first.expect("there is a candidate, and it sleeps"),
        };
        (self.awake, self.places) = (awake, places);
        picked
    }
}

/// The order in which the disks of a PCT schedule begin, and when it changes.
const RANKS: Domain = Domain::SCHEDULE.lane(1);
const CHANGES: Domain = Domain::SCHEDULE.lane(2);
