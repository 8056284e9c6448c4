//! The rules of each family of faults.

use super::{Drawn, children, pick};
use crate::model::{Array, FaultFamily, Promises};
use quorate_engine::Errno;
use quorate_faults::{
    draw::{Domain, Draw},
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Dirty, Earlier, Fault, Heal, Keep, Kept, Level,
        Rest, Shows, Stability, Stuck, Survivors, Target, Torn,
    },
    rule::{self, After, ArrayEvent, Members, OpKind, Place, Rule, Sharing, When},
    text::{SectorShift, TimeRange},
};
use std::time::Duration;

impl Drawn<'_> {
    /// The children that may have faults, by number.
    pub(super) fn faulty(&self, array: &Array) -> Vec<u32> {
        let children = children(array);
        let threshold = u32::try_from(array.vote_threshold).expect("at most the children");
        let most = match self.promises {
            // A budget sees to it that it is bearable at any time, whoever is struck; but it knows
            // nothing of who will be frozen.
            Promises::Correct if self.is_budgeted && !self.has_phases() => children,
            Promises::Correct => children - threshold,
            Promises::Conforming | Promises::Within => children,
        };
        let mut faulty: Vec<u32> = (0..children).collect();
        faulty.sort_by_key(|&child| self.keyed.draw(FAULTY, child, 0).word(0));
        faulty.truncate(most as usize);
        faulty.sort_unstable();
        faulty
    }

    /// Faults for those children that may have any.
    pub(super) fn rules(&self, array: &Array) -> Vec<Rule> {
        let faulty = self.faulty(array);
        let families = &self.random.faults;
        let mut rules = Vec::new();
        for &child in &faulty {
            for (number, family) in (0..).zip(families) {
                let draw = self.keyed.draw(FAULTY, child, 1 + number);
                // No budget bears a child that never answers.
                if *family == FaultFamily::Hang && self.is_budgeted {
                    continue;
                }
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
                add(
                    "misdirect",
                    &[Read, Write],
                    Fault::Misdirect { target: Target::By(by), heal: None },
                );
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
            F::Crash => rules.push(self.crash(child, draw)),
            F::Flush => {
                use Dirty::{Deferred, Latch, Lie, MarkClean, Retain, Revert};
                let all = [Retain, MarkClean, Revert, Latch, Dirty::Eject, Lie, Deferred];
                let dirty = *pick(draw, 2, &all);
                let errno = (dirty != Lie).then_some(Errno::EIO);
                let keep = (draw.below(4, 2) == 0).then_some(Keep::Drawn);
                add("flush", &[Flush], Fault::Flush { dirty, errno, keep });
            }
            F::Unreadable => {
                let (sectors, radius) = (1 + draw.below(2, 4), draw.below(4, 2));
                let heal = if draw.below(6, 4) == 0 { Heal::Never } else { Heal::Overwrite };
                let errno = Errno::EIO;
                let fault = Fault::Unreadable { sectors, at: None, radius, errno, heal };
                add("unreadable", &[Read], fault);
            }
            F::Stuck => {
                let level = if draw.below(2, 2) == 0 { Level::High } else { Level::Low };
                let stuck = Stuck::Bits(1 + draw.below(4, 4));
                add("stuck", &[Read, Write], Fault::Stuck { stuck, level });
            }
            F::Ghost => {
                let heal = Some(if draw.below(2, 4) == 0 { Heal::Never } else { Heal::Overwrite });
                let target = Target::By(SectorShift(8));
                let fault = match draw.below(4, 3) {
                    0 => Fault::Misdirect { target, heal },
                    1 => Fault::Stale { versions: 1, heal },
                    _ => Fault::Zero { fill: 0, heal },
                };
                add("ghost", &[Read], fault);
            }
            F::Replay => add("replay", &writes, Fault::Replay(Earlier::Back(1 + draw.below(2, 3)))),
            F::Collude => unreachable!("collusion is one rule for all"),
        }
        rules
    }

    /// The power goes once, after a few acknowledged writes.
    fn crash(&self, child: u32, draw: &Draw) -> Rule {
        let kept = [Kept::None, Kept::All, Kept::Prefix, Kept::Part(Keep::Drawn)];
        let keep = Survivors::Drawn {
            keep: pick(draw, 2, &kept).clone(),
            torn: if draw.word(4).is_multiple_of(2) {
                Torn::Whole
            } else {
                Torn::Part(Keep::Drawn)
            },
            rest: if draw.word(5).is_multiple_of(4) { Rest::Garbage } else { Rest::Old },
            reorder: draw.word(5) % 4 == 1,
        };
        let down = Duration::from_micros(u64::from(draw.word(6) % 3) * 500);
        // Not while the array is opened: it has none of its children to lose.
        let delay = TimeRange { start: Duration::ZERO, end: Some(Duration::from_millis(5)) };
        let (event, count) = (ArrayEvent::GuestWriteAcked, 1 + u64::from(draw.word(7) % 8));
        let when =
            When { after: Some(After { event, count, delay: Some(delay) }), ..When::default() };
        let crash = Fault::Crash(Crash { keep, down, errno: Errno::EIO });
        rule(format!("crash-{child}"), &[], rule::Children::Index(child), when, crash)
    }

    fn collusion(&self, faulty: Vec<u32>) -> Rule {
        let members = Members::List(faulty);
        let who = rule::Children::Drawn { members, draw: Sharing::SharedBytes };
        let damage = Damage { amount: Amount::Bytes(16), at: None };
        let fault = Fault::Corrupt { damage, stability: Stability::Fresh };
        let when = When { rate: Some(self.random.rate), ..When::default() };
        rule("collude".into(), &[OpKind::Read], who, when, fault)
    }
}

fn rule(name: String, on: &[OpKind], child: rule::Children, when: When, fault: Fault) -> Rule {
    Rule { name, on: on.to_vec(), child, r#where: Place::default(), when, r#do: fault }
}

/// Who may misbehave, and how.
const FAULTY: Domain = Domain::PLAN.lane(1);
