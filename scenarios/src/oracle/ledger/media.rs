//! What writes, faults, steps and races make of the media.

use super::{
    super::{calls::Call, calls::events_behind, cells::changes, cells::common},
    Active, Walk,
    account::{CauseKind, End},
    meet, overlaps,
    strikes::is_at_once,
    taint::{Landing, disturbs, outside},
};
use quorate_engine::{Errno, Event};
use quorate_faults::{host::Delay, rule::OpKind};
use quorate_reports::GuestOp;
use std::ops::Range;

impl Walk<'_> {
    /// A write takes place, as far as it does.
    pub(super) fn land(&mut self, place: usize, error: Option<Errno>) {
        let case = self.case;
        let call = &case.calls.all[place];
        let child = call.call.child as usize;
        let own = call.faults(case).any(|(_, firing)| firing.status.is_some());
        let lost = self.is_lost(place);
        let refused = lost || error.is_some() && !own && !call.hangs(case);
        let refused = refused.then(|| self.array_cause(call));
        let landing = Landing::of(call, case, self.causes[place], refused);
        let owner = self.ledger.owners[place];
        match self.goodness(place) {
            Goodness::Right(range, end) => {
                let range = self.surely(place, range);
                for part in &landing.in_place {
                    self.heal(call.call.child, &common(part, &range), end);
                }
                self.spoil_around(place, &range);
            }
            Goodness::Wrong => {
                let cause = self.array_cause(call);
                for part in &landing.in_place {
                    self.taints[child].add(part.clone(), cause);
                }
                let start = call.call.offset;
                self.spoil_around(place, &(start..start));
            }
        }
        landing.mark(&mut self.taints[child]);
        if !lost {
            self.mark(place);
        }
        self.end_write(place, &landing, owner);
    }

    /// What a write was about is there after all, but for what is in doubt.
    pub(super) fn arrived(&mut self, place: usize, doubtful: &[Range<u64>]) {
        let call = &self.case.calls.all[place];
        if let Goodness::Right(range, end) = self.goodness(place) {
            let range = common(&self.surely(place, range), &call.range());
            for part in outside(range, doubtful) {
                self.heal(call.call.child, &part, end);
            }
        }
    }

    /// Whether what a write leaves in place is right.
    fn goodness(&self, place: usize) -> Goodness {
        let call = &self.case.calls.all[place];
        let Some(owner) = self.ledger.owners[place] else { return Goodness::Wrong };
        let standing = &self.ledger.standings[owner];
        if standing.raced_writing {
            return Goodness::Wrong;
        }
        let asked = self.asked(owner);
        if let Some(range) = changes(self.case, asked.op) {
            return Goodness::Right(self.fragment(call, range), End::Overwritten);
        }
        let GuestOp::Read { offset, bytes } = asked.op else { return Goodness::Wrong };
        // A repair: of a vote that was followed it is known what it must write.
        let vote = self.ledger.votes.iter().rev().find(|vote| {
            let voted = self.case.calls.round(vote.round)[0].call;
            (voted.offset, voted.bytes) == (call.call.offset, call.call.bytes)
        });
        let right = match vote {
            Some(vote) => vote.right == Some(call.call.payload),
            None => !standing.raced && self.inside(owner).is_none(),
        };
        match right {
            true => {
                let range = self.fragment(call, *offset..offset + bytes);
                Goodness::Right(range, End::Repaired)
            }
            false => Goodness::Wrong,
        }
    }

    /// The bytes of a write that this operation can be about: only those of its own fragment, as what
    /// is read around a fragment may be what another one should have replaced.
    pub(super) fn fragment(&self, call: &Call<'_>, whole: Range<u64>) -> Range<u64> {
        let limits = self.case.disks[call.call.child as usize].limits;
        let (unit, range) = (u64::from(limits.request_alignment), call.range());
        if unit <= 1 {
            return whole;
        }
        let cut = self.case.disks.iter().filter_map(|disk| disk.limits.max_transfer).min();
        let Some(cut) = cut.map(u64::from).filter(|cut| *cut > 0) else { return whole };
        let mut mine: Option<Range<u64>> = None;
        let mut start = whole.start;
        while start < whole.end {
            let part = start..(start + cut).min(whole.end);
            start = part.end;
            let padded = part.start / unit * unit..part.end.next_multiple_of(unit);
            if padded.start <= range.start && range.end <= padded.end {
                mine = Some(mine.map_or(part.clone(), |other| common(&other, &part)));
            }
        }
        mine.unwrap_or(whole)
    }

    /// What of these bytes is right whoever's write it was.
    fn surely(&self, place: usize, range: Range<u64>) -> Range<u64> {
        let call = &self.case.calls.all[place];
        if self.ledger.sure[place] || !self.padded() {
            return range;
        }
        self.rivals(self.ledger.owners[place], call).fold(range, |range, rival| {
            match self.asked(rival).op {
                GuestOp::Read { offset, bytes } => common(&range, &(*offset..offset + bytes)),
                op => changes(self.case, op)
                    .map_or(range.start..range.start, |own| common(&range, &own)),
            }
        })
    }

    fn heal(&mut self, child: u32, range: &Range<u64>, end: End) {
        let taint = &mut self.taints[child as usize];
        let (account, healed) = (&mut self.ledger.account, &mut self.healed);
        let mut any = false;
        taint.heal(range, |cause| {
            account.end(cause, end);
            any = true;
        });
        if any {
            healed.push((child, range.clone()));
        }
    }

    /// A child that was read around what is written gets back what it read, right or not.
    fn spoil_around(&mut self, place: usize, range: &Range<u64>) {
        let call = &self.case.calls.all[place];
        let whole = call.range();
        if range.start <= whole.start && whole.end <= range.end {
            return;
        }
        let owner = self.ledger.owners[place];
        let reads = (0..place).filter(|&other| {
            let read = &self.case.calls.all[other];
            self.ledger.owners[other] == owner
                && read.call.child == call.call.child
                && read.call.kind == OpKind::Read
        });
        let reads: Vec<usize> = reads.filter(|&read| self.ledger.suspects[read]).collect();
        if reads.is_empty() {
            return;
        }
        self.ledger.spoilt.push(place);
        let around =
            [whole.start..range.start.max(whole.start), range.end.min(whole.end)..whole.end];
        let taint = &mut self.taints[call.call.child as usize];
        for part in around {
            // What only lay over the medium is written to it.
            for (both, cause) in taint.lying_over(&part) {
                taint.add(both, cause);
            }
            for &read in &reads {
                let faults = self.case.calls.all[read].faults(self.case);
                let numbered = (self.causes[read]..).zip(faults);
                // A late answer is no other answer.
                let told = numbered.filter(|(_, (_, firing))| disturbs(firing, OpKind::Read));
                told.for_each(|(cause, _)| taint.add(part.clone(), cause));
            }
        }
    }

    /// A child that is read around what is written does not get the rest of a write of which a part
    /// failed.
    pub(super) fn fall_short(&mut self, place: usize) {
        let call = &self.case.calls.all[place];
        let Some(owner) = self.ledger.owners[place] else { return };
        let Some(whole) = changes(self.case, self.asked(owner).op) else { return };
        let child = call.call.child;
        if self.case.disks[child as usize].limits.request_alignment == 1 {
            return;
        }
        let done: Vec<Range<u64>> = (0..=place)
            .filter(|&other| self.ledger.owners[other] == Some(owner))
            .map(|other| &self.case.calls.all[other])
            .filter(|other| other.call.child == child && super::writes(other.call.kind))
            .map(|other| common(&other.range(), &self.fragment(other, whole.clone())))
            .collect();
        let cause = match call.firings.is_empty() {
            true => self.array_cause(call),
            false => self.causes[place],
        };
        for rest in outside(whole, &done) {
            self.taints[child as usize].add(rest, cause);
        }
    }

    /// What became of a write's faults, as far as it is known by now.
    fn end_write(&mut self, place: usize, landing: &Landing, owner: Option<usize>) {
        let call = &self.case.calls.all[place];
        let case = self.case;
        let reported = self.reports_failure(place);
        let heard = call.answered.is_some_and(|(at, _)| case.entries()[at].request.is_some());
        let gone = owner.is_none_or(|owner| case.requests[owner].dropped.is_some()) || !heard;
        for (cause, (_, firing)) in (self.causes[place]..).zip(call.faults(case)) {
            let account = &mut self.ledger.account;
            if reported && firing.status.is_some() {
                account.end(cause, End::Reported);
            } else if gone {
                account.end(cause, End::GivenUp);
            } else if firing.delay != Delay::NONE {
                account.end(cause, End::Waited);
            } else if !landing.marks(cause) {
                account.end(cause, End::Harmless);
            }
        }
    }

    /// Whether the failure of an operation is reported as it arrives.
    pub(super) fn reports_failure(&self, place: usize) -> bool {
        let call = &self.case.calls.all[place];
        let Some((at, _)) = call.answered else { return false };
        let mut behind = events_behind(self.case.entries(), at);
        let name = &self.case.names[call.call.child as usize];
        behind.next().is_some_and(|(_, event)| match event {
            Event::ReportBad { node_name, error, .. } => node_name == name && error.is_some(),
            _ => false,
        })
    }

    /// What an operation that writes nothing does to its own medium.
    pub(super) fn mark(&mut self, place: usize) {
        let call = &self.case.calls.all[place];
        let child = call.call.child;
        for (cause, (at, firing)) in (self.causes[place]..).zip(call.faults(self.case)) {
            for alteration in firing.alterations.iter().filter(|a| !is_at_once(a)) {
                self.alter(at, child, alteration, cause);
            }
        }
    }

    /// Notes that a request is in flight, and whom it races.
    pub(super) fn race(&mut self, call: &Call<'_>, owner: usize) {
        let (case, range) = (self.case, call.range());
        let is_write = super::writes(call.call.kind);
        for other in &self.active {
            if other.place == owner || !overlaps(&other.range, &range) {
                continue;
            }
            if is_write || other.writes {
                self.ledger.standings[owner].raced = true;
                self.ledger.standings[other.place].raced = true;
            }
        }
        let raced = self.active.iter().filter(|other| self.raced(other, Some(owner), &range));
        let raced: Vec<(usize, Range<u64>)> =
            raced.map(|other| (other.place, common(&other.range, &range))).collect();
        if is_write && !raced.is_empty() {
            let cause = self.ledger.account.open(CauseKind::Array, call.call.child, None);
            self.ledger.standings[owner].raced_writing = true;
            for (place, both) in raced {
                self.ledger.standings[place].raced_writing = true;
                for &member in case.members_at(call.submitted) {
                    self.taints[member as usize].add(both.clone(), cause);
                }
            }
        }
        // A repair of what was read while somebody wrote there may undo the write.
        let repairs = matches!(self.asked(owner).op, GuestOp::Read { .. });
        if is_write && repairs && self.ledger.standings[owner].raced {
            self.ledger.standings[owner].raced_writing = true;
        }
        match self.active.iter_mut().find(|active| active.place == owner) {
            Some(active) => {
                active.writes |= is_write;
                active.range.start = active.range.start.min(range.start);
                active.range.end = active.range.end.max(range.end);
            }
            None if call.call.bytes > 0 => {
                self.active.push(Active { place: owner, range, writes: is_write });
            }
            None => {}
        }
    }

    /// Whether a write there would race what this request writes.
    pub(super) fn raced(&self, other: &Active, owner: Option<usize>, range: &Range<u64>) -> bool {
        other.writes && Some(other.place) != owner && overlaps(&other.range, range)
    }

    /// Something that the array itself has brought about.
    fn array_cause(&mut self, call: &Call<'_>) -> usize {
        self.ledger.account.open(CauseKind::Array, call.call.child, None)
    }

    /// Whether a child had wrong bytes there that were put right.
    pub(super) fn was_healed(&self, call: &Call<'_>) -> bool {
        self.healed.iter().any(|(child, range)| *child == call.call.child && meet(call, range))
    }

    /// Whether the power of some child went between these entries.
    pub(super) fn damaged_since(&self, entry: usize, until: usize) -> bool {
        self.crashes.iter().any(|crash| entry < *crash && *crash < until)
    }
}

enum Goodness {
    /// Right bytes, in this range; so ends what was wrong there.
    Right(Range<u64>, End),
    Wrong,
}
