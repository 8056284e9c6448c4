//! Walks the record once, and keeps account: which bytes of which child may be wrong at each moment,
//! which requests are therefore *inside* of what the threshold tolerates, what each vote must come to,
//! and what became of every fault.

pub(super) mod account;
mod laws;
mod media;
mod owner;
mod standing;
mod strikes;
mod taint;
mod votes;

use super::{
    calls::{Call, writes},
    case::{Asked, Case},
    cells::{Cells, changes, common, index, overlaps},
    classified::Classified,
};
use crate::model::Promises;
use account::{Account, CauseKind, End};
use quorate_engine::quorum::options::{Overlap, ReadPattern};
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, Outcome, Violation, What, trace::Change};
use std::ops::Range;
use strikes::{Trouble, is_at_once};
use taint::{Taint, disturbs};

pub(super) use standing::Standing;
pub(super) use votes::Vote;

/// What the walk came to.
#[derive(Default)]
pub(super) struct Ledger {
    /// By operation: whether its child may have done or answered wrong.
    pub(super) suspects: Vec<bool>,
    /// By operation: the request on whose behalf it was.
    pub(super) owners: Vec<Option<usize>>,
    /// By operation: whether it cannot have been for another request, which was given up.
    pub(super) sure: Vec<bool>,
    /// By request: whether it was inside of what is tolerated.
    pub(super) standings: Vec<Standing>,
    /// The votes that were followed, in order.
    pub(super) votes: Vec<Vote>,
    /// The writes that gave a child back what was read around them, and read wrong.
    spoilt: Vec<usize>,
    /// How flushes came out, and reads of one child after the other.
    pub(super) apart: Vec<Classified>,
    /// What was done to the array, and what became of it.
    account: Account,
    /// What did not hold, under the name of its check.
    pub(super) findings: Vec<Violation>,
}

impl Ledger {
    pub(super) fn of<'a>(case: &'a Case<'a>) -> Self {
        let mut walk = Walk::new(case);
        let mut moments = case.moments.iter().peekable();
        let mut damages = case.finished.damages.iter().peekable();
        for (at, entry) in case.entries().iter().enumerate() {
            if let Some((_, place)) = moments.next_if(|(moment, _)| *moment == at) {
                walk.moment(at, *place);
            }
            match &entry.what {
                What::Submit(_) => walk.submit(),
                What::Reply { child, ordinal, .. } => {
                    if let Some(place) = case.calls.find(*child, *ordinal) {
                        walk.reply(at, place);
                    }
                }
                What::Injected { child, ordinal: 0, firing } => walk.strike(at, *child, firing),
                What::Membership(Change::Added { child, .. }) => walk.join(at, *child),
                What::Membership(Change::Removed { child, .. }) => walk.leave(at, *child),
                What::Control(_) => {
                    while let Some(damage) = damages.next_if(|damage| damage.entry == at) {
                        walk.damage(damage);
                    }
                }
                _ => {}
            }
        }
        walk.finish()
    }

    /// Whether a write gave its child back what was read around it, and read wrong.
    pub(super) fn spoils(&self, place: usize) -> bool {
        self.spoilt.contains(&place)
    }

    /// The classes of all votes.
    pub(super) fn classified(self) -> impl Iterator<Item = Classified> {
        self.votes.into_iter().map(|vote| vote.classified).chain(self.apart)
    }

    /// What did not hold of a check.
    pub(super) fn report(&self, check: &str, violations: &mut Vec<Violation>) {
        violations.extend(self.findings.iter().filter(|found| found.check == check).cloned());
    }
}

/// A walk through the record.
struct Walk<'a> {
    case: &'a Case<'a>,
    cells: Cells<'a>,
    ledger: Ledger,
    /// What may be wrong, by child.
    taints: Vec<Taint>,
    /// The operation that is asked for next.
    next: usize,
    /// By operation: the first of its faults in the account.
    causes: Vec<usize>,
    /// By operation: whether nobody waits for it any more, as its child is gone.
    cancelled: Vec<bool>,
    /// By fan-out: how many of its operations are not over.
    left: Vec<usize>,
    /// What faults and races there were, and are over: who held wrong bytes where.
    healed: Vec<(u32, Range<u64>)>,
    /// The requests in flight, where overlapping ones do not take turns.
    active: Vec<Active>,
    /// The requests that were given up.
    dropped: Vec<usize>,
    /// By child: what excuses that it fails.
    troubles: Vec<Trouble>,
    /// The entries at which the power of some child went.
    crashes: Vec<usize>,
    /// Whether all disks are children of the array itself, and of one length.
    plain: bool,
}

struct Active {
    place: usize,
    range: Range<u64>,
    writes: bool,
}

impl<'a> Walk<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        let calls = case.calls.all.len();
        let disks = case.disks.len();
        let mut walk = Self {
            case,
            cells: Cells::new(case),
            ledger: Ledger {
                suspects: vec![false; calls],
                owners: vec![None; calls],
                sure: vec![true; calls],
                standings: case.requests.iter().map(|_| Standing::default()).collect(),
                ..Ledger::default()
            },
            taints: vec![Taint::default(); disks],
            next: 0,
            causes: vec![0; calls],
            cancelled: vec![false; calls],
            left: case.calls.rounds.iter().map(ExactSizeIterator::len).collect(),
            healed: Vec::new(),
            active: Vec::new(),
            dropped: Vec::new(),
            troubles: vec![Trouble::default(); disks],
            crashes: Vec::new(),
            plain: case.scenario.array.inner.is_empty()
                && case.disks.iter().all(|disk| disk.bytes == case.disks[0].bytes),
        };
        for (child, disk) in (0..).zip(&case.disks) {
            if disk.fill != case.fill() {
                let cause = walk.ledger.account.open(CauseKind::Fill, child, None);
                walk.taints[child as usize].add(0..disk.bytes, cause);
            }
        }
        walk
    }

    /// A request begins, is answered, or is given up.
    fn moment(&mut self, at: usize, place: usize) {
        let asked = &self.case.requests[place];
        match &self.case.entries()[at].what {
            What::Complete(outcome) => {
                self.judge(at, place, outcome);
                self.cells.end(asked, at, outcome.error().is_none());
                self.active.retain(|active| active.place != place);
            }
            What::Dropped => {
                self.cells.end(asked, at, false);
                self.dropped.push(place);
            }
            _ => self.cells.begin(asked, at),
        }
    }

    fn submit(&mut self) {
        let place = self.next;
        self.next += 1;
        let case = self.case;
        let call = &case.calls.all[place];
        let owner = self.owner(call);
        self.ledger.owners[place] = owner;
        if let Some(owner) = owner {
            self.ledger.sure[place] = !self.has_rival(owner, call);
            self.hold(place, owner);
        }
        self.causes[place] = self.ledger.account.causes.len();
        for (entry, firing) in call.faults(case) {
            let cause = self.ledger.account.open(CauseKind::Rule, call.call.child, Some(entry));
            for alteration in firing.alterations.iter().filter(|a| is_at_once(a)) {
                self.alter(entry, call.call.child, alteration, cause);
            }
        }
        if case.scenario.array.overlap == Overlap::Qemu
            && let Some(owner) = owner
        {
            self.race(call, owner);
        }
        if writes(call.call.kind) {
            if let Some(owner) = owner
                && let Some(whole) = changes(case, case.requests[owner].op)
            {
                // What is padded covers bytes of the next fragment, which may never be written.
                let part = common(&call.range(), &self.fragment(call, whole));
                self.cells.written(&case.requests[owner], &part);
            }
            if !self.ledger.sure[place] && self.padded() {
                // Whose bytes they are does not show beside those that were read around them.
                self.cells.blur(&call.range());
            }
            if self.active.iter().any(|other| self.raced(other, owner, &call.range())) {
                self.cells.blur(&call.range());
            }
        }
        // What is never answered takes place at once.
        if self.is_endless(call) {
            match writes(call.call.kind) {
                true => self.land(place, None),
                false => self.mark(place),
            }
        }
    }

    fn reply(&mut self, at: usize, place: usize) {
        let case = self.case;
        let call = &case.calls.all[place];
        let kind = call.call.kind;
        let faulted = call.faults(case).any(|(_, firing)| disturbs(firing, kind));
        let taint = &self.taints[call.call.child as usize];
        // A sector that cannot be read fails whatever is read with it.
        let is_whole = matches!(call.reply(), Some(Err(_))) || self.is_voted(call.round);
        let range = if is_whole { call.range() } else { self.voted(place) };
        let tainted = kind == OpKind::Read && taint.overlaps(&range);
        self.ledger.suspects[place] = faulted || tainted || self.is_troubled(place);
        self.tell(at, place);
        if let Some(owner) = self.ledger.owners[place].filter(|_| kind == OpKind::Read) {
            let held = &mut self.ledger.standings[owner].held;
            *held = held.saturating_sub(call.call.bytes);
        }
        match kind {
            OpKind::Write | OpKind::WriteZeroes if !self.is_endless(call) => {
                self.land(place, call.reply().and_then(Result::err));
            }
            kind if !writes(kind) && !self.is_endless(call) && !self.is_lost(place) => {
                self.mark(place);
            }
            _ => {}
        }
        if self.cancelled[place] {
            return self.end_faults(place, End::GivenUp);
        }
        self.over(at, place);
    }

    /// What a read can bring into a vote: not what is read around it. What is read around a write is
    /// written back, and counts.
    fn voted(&self, place: usize) -> Range<u64> {
        let range = self.case.calls.all[place].range();
        let owner = self.ledger.owners[place].filter(|_| self.ledger.sure[place]);
        match owner.map(|owner| self.asked(owner).op) {
            Some(GuestOp::Read { offset, bytes }) => common(&range, &(*offset..offset + bytes)),
            _ => range,
        }
    }

    /// An operation is over: by its answer, or as its child is gone.
    fn over(&mut self, at: usize, place: usize) {
        let round = self.case.calls.all[place].round;
        self.left[round] -= 1;
        if !self.is_voted(round) {
            self.pool(at, place);
        }
        if self.left[round] == 0 && self.is_voted(round) {
            self.vote(at, round);
        }
    }

    /// Whether a fan-out asked all children of the array for the same bytes.
    fn is_voted(&self, round: usize) -> bool {
        let calls = self.case.calls.round(round);
        let fifo = self.case.scenario.array.read_pattern == ReadPattern::Fifo;
        let voted = match calls[0].call.kind {
            OpKind::Read => !fifo && !self.is_around(round),
            OpKind::Write | OpKind::WriteZeroes => true,
            _ => false,
        };
        let members = self.case.members_at(calls[0].submitted);
        voted
            && self.plain
            && calls.len() == members.len()
            && calls.iter().zip(members).all(|(call, member)| call.call.child == *member)
    }

    /// Whether a fan-out reads bytes that nobody asked for: around a write all of them are such, and
    /// around a read the vote does not look at them.
    fn is_around(&self, round: usize) -> bool {
        let first = self.case.calls.rounds[round].start;
        let range = self.case.calls.all[first].range();
        self.ledger.owners[first].is_some_and(|owner| match self.asked(owner).op {
            GuestOp::Read { offset, bytes } => range.start < *offset || offset + bytes < range.end,
            _ => true,
        })
    }

    fn join(&mut self, at: usize, child: u32) {
        let cause = self.ledger.account.open(CauseKind::Join, child, Some(at));
        let bytes = self.case.disks[child as usize].bytes;
        self.taints[child as usize].add(0..bytes, cause);
    }

    /// Nobody waits any more for what the child was asked.
    fn leave(&mut self, at: usize, child: u32) {
        for place in 0..self.next {
            let call = &self.case.calls.all[place];
            let waits = call.answered.is_none_or(|(answered, _)| answered > at);
            if call.call.child == child && waits && !self.cancelled[place] {
                self.cancelled[place] = true;
                self.ledger.suspects[place] = true;
                self.over(at, place);
            }
        }
    }

    /// What may be wrong with this operation's child because of its own faults or earlier ones.
    fn causes_of(&self, place: usize) -> Vec<usize> {
        let call = &self.case.calls.all[place];
        let own = self.causes[place]..self.causes[place] + call.firings.len();
        let taint = &self.taints[call.call.child as usize];
        let range = call.range();
        own.chain(taint.causes(&range)).collect()
    }

    /// Says what became of the faults of one operation.
    fn end_faults(&mut self, place: usize, end: End) {
        let firings = self.case.calls.all[place].firings.len();
        for cause in self.causes[place]..self.causes[place] + firings {
            self.ledger.account.end(cause, end);
        }
    }

    /// Whether at the end sound disks hold what some write has left there that still counts.
    fn replicas(&mut self) {
        let end = self.case.entries().len();
        if self.case.scenario.expect.promises == Promises::Conforming {
            return;
        }
        let touched: Vec<(usize, Range<u64>)> = self.cells.touched().collect();
        for (disk, image) in (0..).zip(&self.case.finished.media) {
            if !self.case.members_at(end).contains(&disk) {
                continue;
            }
            for (cell, range) in &touched {
                if self.taints[disk as usize].overlaps(range) {
                    continue;
                }
                let bytes = range.end - range.start;
                let held = image.read(range.start, index(bytes));
                if !self.cells.may_hold(*cell, range, &held, usize::MAX) {
                    let reason = format!(
                        "c{disk} is sound there, and holds at {bytes} bytes from {} on what no \
                         write that still counts has left.",
                        range.start
                    );
                    self.ledger.findings.push(Case::violation("replicas", None, None, reason));
                }
            }
        }
    }

    fn find(&mut self, check: &'static str, place: Option<usize>, at: usize, reason: String) {
        let id = place.map(|place| self.case.requests[place].id);
        self.ledger.findings.push(Case::violation(check, id, Some(at), reason));
    }

    fn asked(&self, place: usize) -> &'a Asked<'a> {
        &self.case.requests[place]
    }

    fn finish(mut self) -> Ledger {
        for place in 0..self.case.calls.all.len() {
            let call = &self.case.calls.all[place];
            // What never came to its end: a child hangs, or nobody was there to hear of it.
            if call.answered.is_none() {
                self.end_faults(place, End::GivenUp);
            } else if self.left[call.round] > 0 && call.call.kind == OpKind::Read {
                self.end_faults(place, End::GivenUp);
                self.end_elsewhere(place);
            }
        }
        for place in 0..self.case.requests.len() {
            self.settle(place, None);
        }
        self.replicas();
        for taint in &self.taints {
            for cause in taint.all_causes() {
                self.ledger.account.end(cause, End::Latent);
            }
        }
        self.ledger
    }
}

/// Whether a request was answered with an error.
fn failed(outcome: &Outcome) -> bool {
    outcome.error().is_some()
}

/// Whether two of the ranges of operations meet.
fn meet(call: &Call<'_>, range: &Range<u64>) -> bool {
    overlaps(&call.range(), range)
}
