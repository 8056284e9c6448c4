//! Draws a concrete scenario from a profile.
//!
//! The draws are keyed by what they decide, so that one request more or one fault less leaves the
//! others as they are. What comes out is plain data, and is all that a run knows.

use crate::model::{
    Action, Array, Children, Client, Expected, FaultFamily, Payload, Promises, Random, Request,
    Scenario, ThresholdChoice,
};
use quorate_engine::{Errno, Flags, quorum::options::ReadPattern};
use quorate_faults::{
    budget::{Budget, Mode},
    draw::{Domain, Draw, Keyed},
    fault::{Amount, Applied, Damage, Delaying, Fault, Heal, Keep, Rest, Shows, Stability, Target},
    rule::{self, Members, OpKind, Place, Rule, Sharing, When},
    text::{SectorShift, TimeRange},
};
use std::time::Duration;

/// The concrete scenario that a profile gives for a seed. One that is concrete already only gets the
/// seed.
#[must_use]
pub fn expand(profile: &Scenario, seed: u64) -> Scenario {
    let mut scenario = Scenario { seed, random: None, ..profile.clone() };
    if let Some(random) = &profile.random {
        let is_enforced = |budget: &Budget| budget.mode == Mode::Enforce;
        let drawn = Drawn {
            random,
            keyed: Keyed::new(seed),
            promises: profile.expect.promises,
            is_budgeted: profile.budget.as_ref().is_some_and(is_enforced),
        };
        scenario.array = drawn.array(&profile.array);
        scenario.expect.idle_rules = true;
        scenario.rules.extend(drawn.rules(&scenario.array));
        let mut scripts = drawn.scripts(scenario.disk(0).bytes);
        scenario.steps.append(&mut scripts[0]);
        scenario.clients.extend(scripts.into_iter().skip(1).map(|steps| Client { steps }));
    }
    scenario
}

struct Drawn<'a> {
    random: &'a Random,
    keyed: Keyed,
    promises: Promises,
    is_budgeted: bool,
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

    /// Faults for those children that may have any.
    fn rules(&self, array: &Array) -> Vec<Rule> {
        let Children::Count(children) = array.children else { return Vec::new() };
        let threshold = u32::try_from(array.vote_threshold).expect("at most the children");
        let most = match self.promises {
            // A budget sees to it that it is bearable at any time, whoever is struck.
            Promises::Correct if self.is_budgeted => children,
            Promises::Correct => children - threshold,
            Promises::Conforming => children,
        };
        let mut faulty: Vec<u32> = (0..children).collect();
        faulty.sort_by_key(|&child| self.keyed.draw(FAULTY, child, 0).word(0));
        faulty.truncate(most as usize);
        faulty.sort_unstable();
        let families = &self.random.faults;
        let mut rules = Vec::new();
        for &child in &faulty {
            for (number, family) in (0..).zip(families) {
                let draw = self.keyed.draw(FAULTY, child, 1 + number);
                // Half of the families for each child, so that each is also seen by itself.
                if *family != FaultFamily::Collude && draw.below(0, 2) == 1 {
                    rules.extend(self.rules_of(*family, child, &draw));
                }
            }
        }
        if families.contains(&FaultFamily::Collude) && faulty.len() > 1 {
            rules.push(self.collusion(faulty));
        }
        rules
    }

    fn rules_of(&self, family: FaultFamily, child: u32, draw: &Draw) -> Vec<Rule> {
        use FaultFamily as F;
        use OpKind::{BlockStatus, Flush, Read, Write, WriteZeroes};
        let writes = [Write, WriteZeroes];
        let errno = *pick(draw, 2, &[Errno::EIO, Errno::ENOSPC, Errno::EPERM]);
        let applied = |n| if draw.below(n, 2) == 0 { Applied::None } else { Applied::All };
        let keep = || match draw.below(4, 3) {
            0 => Keep::Prefix(1 + draw.below(6, 4)),
            1 => Keep::Suffix(1 + draw.below(6, 4)),
            _ => Keep::Drawn,
        };
        let damage = Damage { amount: Amount::Bits(1 + draw.below(2, 8)), at: None };
        let mut rules = Vec::new();
        let mut add = |name: &str, on: &[OpKind], fault: Fault| {
            let when = When { rate: Some(self.random.rate), ..When::default() };
            rules.push(rule(
                format!("{name}-{child}"),
                on,
                rule::Children::Index(child),
                when,
                fault,
            ));
        };
        match family {
            F::Fail => {
                let none = Applied::None;
                add("fail-read", &[Read, BlockStatus], Fault::Status { errno, applied: none });
                add("fail-write", &writes, Fault::Status { errno, applied: applied(4) });
            }
            F::FailFlush => {
                let applied = applied(4);
                add("fail-flush", &[Flush], Fault::Status { errno, applied });
            }
            F::Delay => {
                let (min, max) = (Duration::from_micros(50), Duration::from_millis(3));
                add("delay", &[Read, Write, Flush], Fault::Delay(Delaying::Uniform { min, max }));
            }
            F::Corrupt => {
                let stable = draw.below(4, 2) == 0;
                let stability = if stable { Stability::Stable } else { Stability::Fresh };
                add("corrupt", &[Read], Fault::Corrupt { damage: damage.clone(), stability });
                add("alter", &[Write], Fault::Corrupt { damage, stability: Stability::Fresh });
            }
            F::Rot => add("rot", &[Read], Fault::Rot { damage, heal: Heal::Overwrite }),
            F::Lost => add("lost", &writes, Fault::Lost { shows: Shows::Old }),
            F::Torn => {
                let then = if draw.below(2, 2) == 0 { None } else { Some(errno) };
                add(
                    "torn",
                    &writes,
                    Fault::Torn { keep: keep(), unit: 512, then, rest: Rest::Old },
                );
            }
            F::Misdirect => {
                let by = SectorShift(if draw.below(2, 2) == 0 { 8 } else { -8 });
                let target = Target::By(by);
                add("misdirect", &[Read, Write], Fault::Misdirect { target, heal: None });
            }
            F::Short => add("short", &[Read], Fault::Short { bytes: 512 * draw.below(2, 4) }),
            F::Stale => {
                let versions = 1 + draw.below(2, 2);
                add("stale", &[Read], Fault::Stale { versions, heal: None });
            }
            F::Unsupported => add("unsupported", &[WriteZeroes], Fault::Unsupported),
            F::Hang => {
                let after = Duration::from_millis(draw.below(2, 4));
                let window = Some(TimeRange { start: after, end: None });
                let when = When { window, nth: vec![1 + draw.below(4, 8)], ..When::default() };
                let hang = Fault::Hang { applied: Applied::None };
                let who = rule::Children::Index(child);
                rules.push(rule(format!("hang-{child}"), &[Read, Write], who, when, hang));
            }
            F::Collude => unreachable!("collusion is one rule for all"),
        }
        rules
    }

    fn collusion(&self, faulty: Vec<u32>) -> Rule {
        let members = Members::List(faulty);
        let who = rule::Children::Drawn { members, draw: Sharing::SharedBytes };
        let damage = Damage { amount: Amount::Bytes(16), at: None };
        let fault = Fault::Corrupt { damage, stability: Stability::Fresh };
        let when = When { rate: Some(self.random.rate), ..When::default() };
        rule("collude".into(), &[OpKind::Read], who, when, fault)
    }

    /// The steps of every client.
    fn scripts(&self, disk_bytes: u64) -> Vec<Vec<Action>> {
        let clients = self.random.clients.max(1);
        let mut scripts = vec![Vec::new(); clients as usize];
        for number in 0..self.random.requests {
            let draw = self.keyed.draw(Domain::WORKLOAD, 0, u64::from(number));
            let client = draw.word(6) % clients;
            let request = self.request(&draw, disk_bytes);
            let dropped = self.keyed.draw(Domain::WORKLOAD, 1, u64::from(number));
            let script: &mut Vec<Action> = &mut scripts[client as usize];
            if dropped.below(0, 100) < u64::from(self.random.dropped) {
                let name = format!("r{number}");
                let background = Some(name.clone());
                script.push(Action::Request { request, background, expected: Expected::default() });
                let pause = Duration::from_micros(dropped.below(2, 300));
                script.push(Action::Sleep(quorate_faults::text::Time(pause)));
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
        let mix = &self.random.mix;
        let weights =
            [mix.read, mix.write, mix.fua, mix.zeroes, mix.flush, mix.discard, mix.status];
        let mut at = draw.word(0) % weights.iter().sum::<u32>().max(1);
        let kind = weights.iter().position(|&weight| {
            let hit = at < weight;
            at = at.wrapping_sub(weight);
            hit
        });
        let write = |flags| Request::Write { offset, bytes, payload: Payload::Stamp, flags };
        match kind {
            Some(1) => write(Flags::NONE),
            Some(2) => write(Flags::FUA),
            Some(3) => Request::WriteZeroes { offset, bytes, flags: Flags::NONE },
            Some(4) => Request::Flush,
            Some(5) => Request::Discard { offset, bytes },
            Some(6) => Request::BlockStatus { offset, bytes },
            _ => Request::Read { offset, bytes },
        }
    }

    fn range(&self, draw: &Draw, disk_bytes: u64) -> (u64, u64) {
        let most = self.random.bytes_max.0.clamp(1, disk_bytes);
        let unaligned = u64::from(draw.word(7) % 100) < u64::from(self.random.unaligned);
        let unit = if unaligned || most < 512 { 1 } else { 512 };
        let count = 1 + draw.below(1, most / unit);
        let first = draw.below(3, disk_bytes / unit - count + 1);
        (first * unit, count * unit)
    }
}

fn rule(name: String, on: &[OpKind], child: rule::Children, when: When, fault: Fault) -> Rule {
    Rule { name, on: on.to_vec(), child, r#where: Place::default(), when, r#do: fault }
}

fn pick<'a, T>(draw: &Draw, word: usize, list: &'a [T]) -> &'a T {
    let at = draw.below(word, list.len() as u64);
    &list[usize::try_from(at).expect("below the length of a list")]
}

/// What the array is like.
const ARRAY: Domain = Domain::PLAN;
/// Who may misbehave, and how.
const FAULTY: Domain = Domain::PLAN.lane(1);
