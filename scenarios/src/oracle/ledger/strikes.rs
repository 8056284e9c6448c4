//! What befalls a child as a whole, or its medium: by rules that strike by themselves, by what an
//! operation sets off, by steps.

use super::{
    super::calls::{Call, writes},
    Walk,
    account::{CauseKind, End},
    taint::Until,
};
use crate::{
    model::Disturbance,
    runner::{Damage, DamageKind},
};
use quorate_faults::{
    alteration::{Alteration, Run},
    fault::{Dirty, Heal},
    host::Firing,
    rule::OpKind,
};
use std::{mem, ops::Range};

/// What excuses that a child fails, or does not do what it says, without a fault of the operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// What is wrong with the child for longer, oldest first.
    spans: Vec<Span>,
    /// The entry at which its power last went, and the time until which it is down.
    crash: Option<(usize, u64)>,
    /// What befalls its brick and is not over.
    open: Vec<Disturbance>,
    /// The entry from which on nothing does any more.
    settled: usize,
    /// The writes that were acknowledged and that no flush has made durable since, by their places.
    unflushed: Vec<usize>,
    /// What writes were about that failed while the brick was in trouble, or were struck by a rule.
    doubtful: Vec<Range<u64>>,
}

/// Something that is wrong with a child between two entries.
#[derive(Clone, Debug)]
struct Span {
    lasting: Lasting,
    from: usize,
    until: usize,
}

/// What is wrong with a child until somebody heals it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    /// Flushes fail, or a close.
    Unflushed,
    /// It takes no writes.
    ReadOnly,
    /// It fails whatever it is asked.
    Gone,
    /// A step has it fail, hang, or take no notice of writes.
    Frozen,
    /// Its brick is in trouble, or was and has not told yet what that has cost.
    Disturbed,
    /// A flush failed while its brick was in trouble, and so it is ejected.
    Ejected,
}

impl Lasting {
    /// Whether it may have a part in what comes of such an operation.
    fn befalls(self, kind: OpKind) -> bool {
        match self {
            Self::Unflushed => matches!(kind, OpKind::Flush | OpKind::Close),
            Self::ReadOnly => writes(kind) || matches!(kind, OpKind::Discard | OpKind::Truncate),
            Self::Gone | Self::Frozen | Self::Disturbed | Self::Ejected => true,
        }
    }
}

impl Trouble {
    fn begin(&mut self, lasting: Lasting, from: usize) {
        let until = usize::MAX;
        self.spans.push(Span { lasting, from, until });
    }

    fn end(&mut self, until: usize, which: impl Fn(Lasting) -> bool) {
        let open = self.spans.iter_mut().filter(|span| span.until == usize::MAX);
        open.filter(|span| which(span.lasting)).for_each(|span| span.until = until);
    }

    /// What was wrong for longer as this was asked for.
    fn lasting(&self, call: &Call<'_>) -> impl Iterator<Item = Lasting> {
        let begun = call.submitted;
        let ended = call.answered.map_or(usize::MAX, |(at, _)| at);
        let then = self.spans.iter().filter(move |span| {
            // A brick in trouble is so for what is on its way to it, too.
            let by = if span.lasting == Lasting::Disturbed { ended } else { begun };
            span.from < by && begun < span.until
        });
        then.map(|span| span.lasting)
    }
}

impl Walk<'_> {
    /// Whether an operation may fail for what is wrong with its child as a whole.
    pub(super) fn is_troubled(&self, place: usize) -> bool {
        let call = &self.case.calls.all[place];
        let trouble = &self.troubles[call.call.child as usize];
        let begun = self.case.entries()[call.submitted].at;
        trouble.lasting(call).any(|lasting| lasting.befalls(call.call.kind))
            || trouble.crash.is_some_and(|(at, until)| call.submitted < at || begun < until)
    }

    /// Whether nothing of a write takes place for what is wrong with its child as a whole, whatever
    /// else befell it.
    pub(super) fn is_lost(&self, place: usize) -> bool {
        let call = &self.case.calls.all[place];
        let trouble = &self.troubles[call.call.child as usize];
        let failed = call.reply().is_some_and(|reply| reply.is_err());
        let cut_off = trouble.crash.is_some_and(|(at, _)| call.submitted < at);
        let takes_no_notice = |lasting| matches!(lasting, Lasting::Frozen | Lasting::Disturbed);
        failed && cut_off || trouble.lasting(call).any(takes_no_notice)
    }

    /// Whether an operation takes place as it is asked for, as it is never answered. One that takes the
    /// child's power with it is.
    pub(super) fn is_endless(&self, call: &Call<'_>) -> bool {
        let crashes = |alteration: &Alteration| matches!(alteration, Alteration::Crash { .. });
        call.hangs(self.case)
            && !call.faults(self.case).any(|(_, firing)| firing.alterations.iter().any(crashes))
    }

    /// A rule strikes a child by itself, or a step as one would.
    pub(super) fn strike(&mut self, at: usize, child: u32, firing: &Firing) {
        let cause = self.ledger.account.open(CauseKind::Rule, child, Some(at));
        for alteration in &firing.alterations {
            self.alter(at, child, alteration, cause);
        }
        let taint = &self.taints[child as usize];
        if !taint.all_causes().any(|other| other == cause) {
            self.ledger.account.end(cause, End::Harmless);
        }
    }

    /// What a fault makes of the medium or the child, beside the operation that it befalls.
    pub(super) fn alter(&mut self, at: usize, child: u32, alteration: &Alteration, cause: usize) {
        let now = self.case.entries()[at].at;
        let taint = &mut self.taints[child as usize];
        let trouble = &mut self.troubles[child as usize];
        let mut again = |runs: &[Run]| {
            runs.iter().for_each(|run| taint.add(run.range.clone(), cause));
        };
        match alteration {
            Alteration::Rot { flips, heal } => taint.rot(flips, Until::of(*heal), cause),
            Alteration::Stuck { bits, .. } => taint.rot(bits, Until::Healed, cause),
            Alteration::Unreadable { range, heal, .. } => {
                let until = match heal {
                    Heal::Overwrite => Until::Sectors,
                    Heal::Never => Until::Healed,
                };
                taint.add_until(range.clone(), until, cause);
            }
            Alteration::Ghost { range, heal, .. } => {
                taint.add_until(range.clone(), Until::of(*heal), cause);
            }
            Alteration::Replay(runs) => again(runs),
            Alteration::Flush { dirty: Dirty::Revert, left, .. } => again(left),
            Alteration::Flush { dirty, .. } => match dirty {
                Dirty::Latch | Dirty::Deferred => trouble.begin(Lasting::Unflushed, at),
                Dirty::Eject => trouble.begin(Lasting::Gone, at),
                Dirty::Retain | Dirty::MarkClean | Dirty::Revert | Dirty::Lie => {}
            },
            Alteration::ReadOnly => trouble.begin(Lasting::ReadOnly, at),
            Alteration::Rollback { ranges, .. } => {
                ranges.iter().for_each(|range| taint.add(range.clone(), cause));
            }
            Alteration::Widen(range) => taint.add(range.clone(), cause),
            Alteration::Crash { kept, lost, down, .. } => {
                let gone = lost.iter().chain(kept);
                for run in gone {
                    let ended = taint.causes(&run.range).filter(|other| *other != cause);
                    ended.for_each(|other| self.ledger.account.end(other, End::CrashedAway));
                    taint.add(run.range.clone(), cause);
                }
                let micros = u64::try_from(down.as_micros()).unwrap_or(u64::MAX);
                trouble.crash = Some((at, now.saturating_add(micros)));
                self.crashes.push(at);
            }
            // Of the operation alone; or of the next power cut, which says what it costs.
            Alteration::Flip(_)
            | Alteration::Force { .. }
            | Alteration::Misdirect { .. }
            | Alteration::Stale { .. }
            | Alteration::Fill { .. }
            | Alteration::Volatile
            | Alteration::Short { .. }
            | Alteration::Length { .. }
            | Alteration::Kind(_)
            | Alteration::Extent { .. } => {}
        }
    }

    /// A step does something to a disk.
    pub(super) fn damage(&mut self, damage: &Damage) {
        let Damage { entry, child, kind } = damage;
        let child_at = *child as usize;
        match kind {
            // What that costs stands behind it.
            DamageKind::Power => {}
            DamageKind::Overwritten(range) => {
                let cause = self.ledger.account.open(CauseKind::Step, *child, Some(*entry));
                self.taints[child_at].add(range.clone(), cause);
            }
            DamageKind::Frozen => {
                let cause = self.ledger.account.open(CauseKind::Step, *child, Some(*entry));
                let whole = 0..self.case.disks[child_at].bytes;
                self.taints[child_at].add_until(whole, Until::Healed, cause);
                self.troubles[child_at].begin(Lasting::Frozen, *entry);
            }
            // What takes long is done all the same.
            DamageKind::Disturbed(Disturbance::Slow) => {}
            DamageKind::Disturbed(what) => {
                let cause = self.ledger.account.open(CauseKind::Step, *child, Some(*entry));
                let trouble = &mut self.troubles[child_at];
                if trouble.open.is_empty() {
                    trouble.begin(Lasting::Disturbed, *entry);
                }
                trouble.open.push(*what);
                for &place in &trouble.unflushed {
                    let range = self.case.calls.all[place].range();
                    self.taints[child_at].add(range, cause);
                }
                if trouble.unflushed.is_empty() {
                    self.ledger.account.end(cause, End::Harmless);
                }
            }
            DamageKind::Settled(what) => {
                let trouble = &mut self.troubles[child_at];
                trouble.open.retain(|open| !what.ends().contains(open));
                trouble.settled = *entry;
            }
            DamageKind::Healed => {
                // Bricks are made well by other steps.
                self.troubles[child_at].end(*entry, |lasting| {
                    !matches!(lasting, Lasting::Disturbed | Lasting::Ejected)
                });
                let account = &mut self.ledger.account;
                self.taints[child_at].lift(|cause| account.end(cause, End::Repaired));
            }
        }
    }

    /// What the answer of a child on gluster tells of what it holds. Gluster tells of a loss by the next
    /// flush, which then ejects the child; what was acknowledged before a flush that succeeds is there.
    pub(super) fn tell(&mut self, at: usize, place: usize) {
        let call = &self.case.calls.all[place];
        if self.case.scenario.gluster.is_none() {
            return;
        }
        let succeeded = call.reply().is_some_and(|reply| reply.is_ok());
        let struck = !call.firings.is_empty();
        let trouble = &mut self.troubles[call.call.child as usize];
        let disturbed = trouble.lasting(call).any(|lasting| lasting == Lasting::Disturbed);
        match call.call.kind {
            kind if writes(kind) => {
                if struck || disturbed && !succeeded {
                    trouble.doubtful.push(call.range());
                }
                if succeeded {
                    trouble.unflushed.push(place);
                }
            }
            // What a rule makes of a flush is not the brick's word.
            OpKind::Flush if struck => {}
            OpKind::Flush if succeeded => self.flushed(at, place),
            OpKind::Flush if disturbed => trouble.begin(Lasting::Ejected, at),
            _ => {}
        }
    }

    /// A flush of a child on gluster has succeeded.
    fn flushed(&mut self, at: usize, place: usize) {
        let case = self.case;
        let flush = &case.calls.all[place];
        let child = flush.call.child as usize;
        let before = |&place: &usize| {
            let write = &case.calls.all[place];
            write.answered.is_some_and(|(answered, _)| answered < flush.submitted)
        };
        let trouble = &mut self.troubles[child];
        let (durable, rest) = mem::take(&mut trouble.unflushed).into_iter().partition(before);
        trouble.unflushed = rest;
        if !trouble.lasting(flush).any(|lasting| lasting == Lasting::Disturbed) {
            return;
        }
        let doubtful = trouble.doubtful.clone();
        if trouble.open.is_empty() && trouble.settled < flush.submitted {
            trouble.end(at, |lasting| lasting == Lasting::Disturbed);
            trouble.doubtful.clear();
        }
        let durable: Vec<usize> = durable;
        for place in durable {
            self.arrived(place, &doubtful);
        }
    }

    /// Whether a kind of operation is about the child alone, and nothing is voted on.
    pub(super) fn is_single(kind: OpKind) -> bool {
        matches!(
            kind,
            OpKind::BlockStatus
                | OpKind::Length
                | OpKind::Open
                | OpKind::Close
                | OpKind::Discard
                | OpKind::Truncate
        )
    }
}

/// Whether it befalls the child while the operation that sets it off is still in flight.
pub(super) fn is_at_once(alteration: &Alteration) -> bool {
    match alteration {
        Alteration::Crash { .. } | Alteration::Rollback { .. } => true,
        Alteration::Flip(_)
        | Alteration::Force { .. }
        | Alteration::Rot { .. }
        | Alteration::Stuck { .. }
        | Alteration::Unreadable { .. }
        | Alteration::Ghost { .. }
        | Alteration::Misdirect { .. }
        | Alteration::Stale { .. }
        | Alteration::Fill { .. }
        | Alteration::Replay(_)
        | Alteration::Volatile
        | Alteration::Widen(_)
        | Alteration::Flush { .. }
        | Alteration::ReadOnly
        | Alteration::Short { .. }
        | Alteration::Length { .. }
        | Alteration::Kind(_)
        | Alteration::Extent { .. } => false,
    }
}
