//! What a rule that fires makes of an operation, with every draw done.

use crate::{
    alteration::{Alteration, Flip, View},
    check::Compiled,
    crash,
    draw::Draw,
    effect::{Effect, Status, burst, flips, garbage, holes, kept, spread},
    fault::{Applied, Delaying, Dirty, Fault, Heal, Level, Rest, Shows, Stability, Stuck},
    host::ChildOp,
    inject::Plan,
    matching::{self, displaced, nanos, widened},
    rule::{OpKind, Sharing},
    seen::Seen,
};
use quorate_engine::{Errno, ExtentKind, SECTOR_BYTES};
use std::{ops::Range, time::Duration};

/// A rule and an operation that it accepts, or the moment at which it strikes.
pub(crate) struct Match<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) child: u32,
    /// The operation, unless it strikes by itself.
    pub(crate) op: Option<&'a ChildOp>,
    /// The bytes that a fault of the data may alter.
    pub(crate) range: Range<u64>,
    pub(crate) matched: u64,
    pub(crate) seen: &'a Seen,
}

impl Match<'_> {
    fn kind(&self) -> Option<OpKind> {
        self.op.map(|op| op.kind)
    }

    /// The bytes of the whole operation.
    fn whole(&self) -> Range<u64> {
        self.op.map_or(self.range.clone(), ChildOp::range)
    }
}

impl Plan {
    /// A draw about what the fault does, which `shared-bytes` alone shares.
    fn detail(&self, match_: &Match<'_>, lane: u32, ordinal: u64) -> Draw {
        let collude = match_.compiled.sharing == Sharing::SharedBytes;
        let who = if collude { EVERYBODY } else { match_.child };
        let domain = match_.compiled.domain.lane(lane);
        self.keyed.draw(domain, who, ordinal)
    }

    /// What the rule would make of the operation alone.
    pub(crate) fn own_effect(&self, match_: &Match<'_>) -> Effect {
        let Match { compiled, range, matched, .. } = match_;
        let mut effect = Effect::default();
        let mut alter = |alteration| effect.alterations.push(alteration);
        match &compiled.rule.r#do {
            Fault::Status { errno, applied } => {
                effect.status = Some(Status::Error(*errno));
                effect.applied = self.applied(match_, applied);
            }
            Fault::Hang { applied } => {
                effect.status = Some(Status::Never);
                effect.applied = self.applied(match_, applied);
            }
            Fault::Unsupported => {
                effect.status = Some(Status::Error(Errno::ENOTSUP));
                effect.applied = self.applied(match_, &Applied::None);
            }
            Fault::Torn { keep, unit, then, rest } => {
                effect.status = then.map(Status::Error);
                let draw = self.detail(match_, KEEPING, *matched);
                let lands = kept(keep, *unit, &match_.whole(), &draw);
                match rest {
                    Rest::Old => effect.applied = Some(lands),
                    Rest::Garbage => {
                        let mut stream = self.detail(match_, DAMAGING, *matched).expand();
                        let holes = holes(&match_.whole(), &lands);
                        let flips = holes.into_iter().flat_map(|hole| garbage(hole, &mut stream));
                        effect.alterations.push(Alteration::Flip(flips.collect()));
                    }
                }
            }
            Fault::Lost { shows: Shows::Old } => effect.applied = Some(Vec::new()),
            Fault::Lost { shows: Shows::New } => alter(Alteration::Volatile),
            Fault::Delay(delaying) => {
                let draw = self.detail(match_, DELAYING, *matched);
                effect.delay = delay(delaying, &draw);
            }
            Fault::Corrupt { damage, stability } => {
                let draw = match stability {
                    Stability::Fresh => self.detail(match_, DAMAGING, *matched),
                    Stability::Stable => self.detail(match_, DAMAGING_STABLY, range.start),
                };
                alter(Alteration::Flip(flips(damage, range, &draw)));
            }
            Fault::Rot { damage, heal } => {
                let draw = self.detail(match_, DAMAGING, *matched);
                alter(Alteration::Rot { flips: flips(damage, range, &draw), heal: *heal });
            }
            Fault::Stuck { stuck, level } => alter(self.stuck(match_, stuck, *level)),
            Fault::Unreadable { sectors, at, radius, errno, heal } => {
                let mut stream = self.detail(match_, DAMAGING, *matched).expand();
                let core = match at {
                    Some(at) => matching::sectors_from(*at, *sectors),
                    None => burst(*sectors, None, range, |count| stream.below(count)),
                };
                let around = radius * SECTOR_BYTES;
                let end = core.end.saturating_add(around);
                let length = match_.seen.length.next_multiple_of(SECTOR_BYTES);
                let start = core.start.saturating_sub(around);
                let range = start..end.min(length.max(start + SECTOR_BYTES));
                alter(Alteration::Unreadable { range, errno: *errno, heal: *heal });
            }
            Fault::Misdirect { target, heal } => {
                let to = displaced(target, range).expect("a match lies on the device");
                let range = range.clone();
                alter(match heal {
                    None => Alteration::Misdirect { range, to },
                    Some(heal) => ghost(range, View::Elsewhere { to }, *heal),
                });
            }
            Fault::Replay(earlier) => {
                alter(Alteration::Replay(match_.seen.replayed(*earlier, range)));
            }
            Fault::Short { bytes } => alter(Alteration::Short { bytes: *bytes }),
            Fault::Stale { versions, heal } => {
                let (range, versions) = (range.clone(), *versions);
                alter(match heal {
                    None => Alteration::Stale { range, versions },
                    Some(heal) => ghost(range, View::Past { versions }, *heal),
                });
            }
            Fault::Zero { fill, heal } => {
                let (range, byte) = (range.clone(), *fill);
                alter(match heal {
                    None => Alteration::Fill { range, byte },
                    Some(heal) => ghost(range, View::Fill(byte), *heal),
                });
            }
            Fault::Flush { dirty, errno, keep } => {
                let fails = !matches!(dirty, Dirty::Lie | Dirty::Deferred);
                let draw = self.detail(match_, KEEPING, *matched);
                let dirty_runs = &match_.seen.volatile.dirty;
                let (kept, left, marks) = crash::split(keep.as_ref(), dirty_runs, &draw);
                alter(Alteration::Flush { dirty: *dirty, errno: *errno, kept, left, marks });
                effect.status = errno.filter(|_| fails).map(Status::Error);
                effect.applied = Some(Vec::new());
            }
            Fault::Crash(crash) => {
                let draw = self.detail(match_, KEEPING, *matched);
                let left = crash::left(&crash.keep, &match_.seen.volatile, &draw);
                let crash::Left { kept, lost, flips } = left;
                let (down, errno) = (crash.down, crash.errno);
                alter(Alteration::Crash { kept, lost, flips, down, errno });
            }
            Fault::Rollback(earlier) => {
                if let Some((write, ranges)) = match_.seen.rolled_back(*earlier) {
                    alter(Alteration::Rollback { write, ranges });
                }
            }
            Fault::ReadOnly => alter(Alteration::ReadOnly),
            Fault::Widen { unit } => {
                alter(Alteration::Widen(widened(*unit, range, match_.seen.length)));
            }
            Fault::Length { bytes } => alter(Alteration::Length { bytes: *bytes }),
            Fault::FalseZero => alter(Alteration::Kind(ExtentKind::Zero)),
            Fault::FalseData => alter(Alteration::Kind(ExtentKind::Data)),
            Fault::Extent { bytes } => alter(Alteration::Extent { bytes: *bytes }),
        }
        effect
    }

    fn stuck(&self, match_: &Match<'_>, stuck: &Stuck, level: Level) -> Alteration {
        let range = &match_.range;
        match stuck {
            Stuck::Bits(bits) => {
                let mut stream = self.detail(match_, DAMAGING, match_.matched).expand();
                Alteration::Stuck { bits: spread(*bits, range.clone(), &mut stream), level }
            }
            Stuck::Flips(flips) => {
                let touched = flips.iter().copied().filter(|flip| range.contains(&flip.at));
                Alteration::Stuck { bits: touched.collect(), level }
            }
            Stuck::Wire(wire) => {
                let start = match_.whole().start;
                let place = |bit: &Flip| Flip { at: start.saturating_add(bit.at), ..*bit };
                let touched = wire.iter().map(place).filter(|bit| range.contains(&bit.at));
                Alteration::Force { bits: touched.collect(), level }
            }
        }
    }

    fn applied(&self, match_: &Match<'_>, applied: &Applied) -> Option<Vec<Range<u64>>> {
        let changes = match_.kind().is_some_and(op_changes);
        match applied {
            Applied::None => changes.then(Vec::new),
            Applied::All => None,
            Applied::Part(keep) => {
                let draw = self.detail(match_, KEEPING, match_.matched);
                Some(kept(keep, SECTOR_BYTES, &match_.whole(), &draw))
            }
        }
    }
}

/// Whether operations of this kind change the device, or make a change durable.
fn op_changes(kind: OpKind) -> bool {
    use OpKind::{Discard, Flush, Truncate, Write, WriteZeroes};
    matches!(kind, Write | WriteZeroes | Flush | Discard | Truncate)
}

fn ghost(range: Range<u64>, view: View, heal: Heal) -> Alteration {
    Alteration::Ghost { range, view, heal }
}

fn delay(delaying: &Delaying, draw: &Draw) -> Duration {
    match delaying {
        Delaying::Fixed(time) => *time,
        Delaying::Uniform { min, max } => {
            let span = nanos(*max - *min).saturating_add(1);
            *min + Duration::from_nanos(draw.below(0, span))
        }
        Delaying::Exp { min, mean, max } => {
            let tail = Duration::from_nanos(draw.exponential(0, nanos(*mean - *min)));
            min.saturating_add(tail).min(max.unwrap_or(Duration::MAX))
        }
    }
}

/// In place of a child, for draws that children share.
pub(crate) const EVERYBODY: u32 = u32::MAX;

/// What a rule draws beside its decisions.
const DAMAGING: u32 = 1;
const DAMAGING_STABLY: u32 = 2;
const DELAYING: u32 = 3;
const KEEPING: u32 = 4;
