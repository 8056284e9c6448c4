//! What the children were asked: each operation with its answer, and the operations that one fan-out
//! asked for together.
//!
//! Nothing here depends on whose request was being polled: a fan-out is what stands side by side in the
//! record and asks different children for the same.

use super::case::Case;
use crate::spec::Reply;
use quorate_engine::Errno;
use quorate_faults::{
    host::{Delay, Firing},
    rule::OpKind,
};
use quorate_reports::{
    Answer, Entry, What,
    trace::{ChildCall, Payload},
};
use std::ops::Range;

/// An operation of a child.
pub(super) struct Call<'a> {
    /// Its place in the list of all.
    pub(super) place: usize,
    pub(super) call: &'a ChildCall,
    /// The entry in which it was asked for.
    pub(super) submitted: usize,
    /// The request that was being polled then, by its place.
    pub(super) tag: Option<usize>,
    /// The entry of its answer, and the answer.
    pub(super) answered: Option<(usize, &'a Answer)>,
    /// The entries of the faults that befell it.
    pub(super) firings: Vec<usize>,
    /// The fan-out that it is part of.
    pub(super) round: usize,
}

impl<'a> Call<'a> {
    pub(super) fn range(&self) -> Range<u64> {
        self.call.offset..self.call.offset.saturating_add(self.call.bytes)
    }

    /// The faults that befell it.
    pub(super) fn faults(&self, case: &Case<'a>) -> impl Iterator<Item = (usize, &'a Firing)> {
        let entries = case.entries();
        let firings = self.firings.iter();
        firings.filter_map(move |&at| match &entries[at].what {
            What::Injected { firing, .. } => Some((at, &**firing)),
            _ => None,
        })
    }

    /// Whether it never answers by itself.
    pub(super) fn hangs(&self, case: &Case<'a>) -> bool {
        self.faults(case).any(|(_, firing)| firing.delay == Delay::Never)
    }

    /// The answer as it counts in a vote: one of another length than was asked for is a failure, and so is a status of
    /// nothing.
    pub(super) fn reply(&self) -> Option<Reply<Payload>> {
        self.answered.map(|(_, answer)| match answer {
            Answer::Data(Ok(payload)) if payload.bytes != self.call.bytes => Err(Errno::EIO),
            Answer::Data(reply) => *reply,
            Answer::Done(reply) => reply.map(|()| Payload::default()),
            Answer::Length(reply) => reply.map(|bytes| Payload { bytes, hash: 0 }),
            Answer::Status(Ok(extent)) if extent.bytes == 0 && self.call.bytes > 0 => {
                Err(Errno::EIO)
            }
            Answer::Status(reply) => {
                reply.map(|extent| Payload { bytes: extent.bytes, hash: extent.kind as u64 })
            }
            Answer::Abandoned => Err(Errno::ECANCELED),
        })
    }
}

/// All operations of a run.
#[derive(Default)]
pub(super) struct Calls<'a> {
    /// In the order in which they were asked for.
    pub(super) all: Vec<Call<'a>>,
    /// The fan-outs, as runs of that list.
    pub(super) rounds: Vec<Range<usize>>,
    /// Behind the last entry that can belong to the last fan-out: operations, and what befalls them. Where
    /// a disk has to be looked at first, the next one may be asked before that is known.
    end: usize,
    /// By child and number.
    places: Vec<Vec<usize>>,
}

impl<'a> Calls<'a> {
    /// Of as many disks, and as many operations, as far as those are over.
    pub(super) fn new(disks: usize, operations: usize) -> Self {
        let all = Vec::with_capacity(operations);
        Self { all, places: vec![Vec::new(); disks], ..Self::default() }
    }

    pub(super) fn submit(&mut self, at: usize, tag: Option<usize>, call: &'a ChildCall) {
        let place = self.all.len();
        let joins = self.rounds.last().is_some_and(|round| {
            let before = &self.all[place - 1];
            let same = |c: &ChildCall| (c.kind, c.offset, c.bytes, c.flags, c.payload);
            self.end == at
                && before.tag == tag
                && same(before.call) == same(call)
                && self.all[round.clone()].iter().all(|other| other.call.child != call.child)
        });
        match self.rounds.last_mut() {
            Some(round) if joins => round.end = place + 1,
            _ => self.rounds.push(place..place + 1),
        }
        let round = self.rounds.len() - 1;
        self.end = at + 1;
        self.all.push(Call {
            place,
            call,
            submitted: at,
            tag,
            answered: None,
            firings: Vec::new(),
            round,
        });
        self.places[call.child as usize].push(place);
    }

    pub(super) fn fire(&mut self, at: usize, child: u32, ordinal: u64) {
        if let Some(place) = self.find(child, ordinal) {
            self.all[place].firings.push(at);
        }
        self.spare(at);
    }

    /// An operation is spared a fault.
    pub(super) fn spare(&mut self, at: usize) {
        if self.end == at {
            self.end = at + 1;
        }
    }

    /// Returns the place of the operation that is answered, if there is such a one.
    pub(super) fn answer(
        &mut self,
        at: usize,
        child: u32,
        ordinal: u64,
        answer: &'a Answer,
    ) -> Option<usize> {
        let place = self.find(child, ordinal)?;
        self.all[place].answered.get_or_insert((at, answer));
        Some(place)
    }

    /// The place of an operation.
    pub(super) fn find(&self, child: u32, ordinal: u64) -> Option<usize> {
        let places = &self.places[child as usize];
        let is_it = |place: &&usize| self.all[**place].call.ordinal == ordinal;
        let index = usize::try_from(ordinal).ok()?.checked_sub(1)?;
        places.get(index).filter(is_it).or_else(|| places.iter().find(is_it)).copied()
    }

    /// The operations that one fan-out asked for.
    pub(super) fn round(&self, round: usize) -> &[Call<'a>] {
        &self.all[self.rounds[round].clone()]
    }
}

/// Whether an operation changes a medium.
pub(super) fn writes(kind: OpKind) -> bool {
    matches!(kind, OpKind::Write | OpKind::WriteZeroes)
}

/// The events right behind an entry, with nothing between them.
pub(super) fn events_behind(
    entries: &[Entry],
    at: usize,
) -> impl Iterator<Item = (usize, &quorate_engine::Event)> + Clone {
    let behind = entries.iter().enumerate().skip(at + 1);
    let behind = behind.filter(|(_, entry)| !matches!(entry.what, What::Heard(_)));
    behind.map_while(|(at, entry)| match &entry.what {
        What::Event(event) => Some((at, event)),
        _ => None,
    })
}
