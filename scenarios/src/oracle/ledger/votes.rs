//! Votes over the same bytes: their classes, what the laws predict, and whether that is what came.

use super::{
    super::{calls::events_behind, classified::Classified},
    Walk,
    account::End,
    laws::{Classes, Prediction, read_is_inside, write_is_inside},
    standing::Outside,
};
use crate::spec::Reply;
use bytes::Bytes;
use quorate_engine::{Errno, Event, OpType};
use quorate_faults::{host::Delay, rule::OpKind};
use quorate_reports::{GuestOp, Outcome, summary::cell::Tie, trace::Payload};
use std::ops::Range;

/// A vote that was followed.
pub(in crate::oracle) struct Vote {
    /// The fan-out.
    pub(in crate::oracle) round: usize,
    /// What sound children hold there, if anybody can say.
    pub(in crate::oracle) right: Option<Payload>,
    /// Whether it must come to that.
    pub(in crate::oracle) inside: bool,
    /// The classes of its answers.
    pub(in crate::oracle) classified: Classified,
}

/// The answers of children that are not asked all at once.
#[derive(Default)]
pub(in crate::oracle) struct Tally {
    right: u8,
    wrong: u8,
    errors: Vec<(Errno, u8)>,
}

impl Tally {
    pub(super) fn add(&mut self, reply: Reply<Payload>, right: Option<Reply<Payload>>) {
        match reply {
            Err(errno) => match self.errors.iter_mut().find(|(other, _)| *other == errno) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => self.errors.push((errno, 1)),
            },
            Ok(payload) if payload == Payload::default() || right.is_some() => {
                self.right = self.right.saturating_add(1);
            }
            Ok(_) => self.wrong = self.wrong.saturating_add(1),
        }
    }
}

impl Walk<'_> {
    /// All children have answered, or are gone.
    pub(super) fn vote(&mut self, at: usize, round: usize) {
        let case = self.case;
        let places = case.calls.rounds[round].clone();
        let owner = self.ledger.owners[places.start];
        let replies: Vec<Reply<Payload>> =
            places.clone().map(|place| self.counted(place)).collect();
        let (mut failed, mut wrong) = (0, 0);
        for (place, reply) in places.clone().zip(&replies) {
            match reply {
                // Who knows no zeroes is written zeroes instead.
                Err(errno) if self.falls_back(place, *errno) => {}
                Err(errno) => {
                    failed += 1;
                    if !self.ledger.suspects[place] {
                        self.unexplained(at, place, *errno);
                    }
                }
                Ok(_) => wrong += usize::from(self.ledger.suspects[place]),
            }
        }
        let threshold = case.scenario.array.vote_threshold;
        let children = replies.len();
        let read = case.calls.all[places.start].call.kind == OpKind::Read;
        let fits = match read {
            true => read_is_inside(children, threshold, failed, wrong),
            false => write_is_inside(children, threshold, failed),
        };
        let raced = owner.is_some_and(|owner| self.ledger.standings[owner].raced);
        let inside = fits && !raced;
        if let (false, Some(owner)) = (fits, owner) {
            let suspects = failed + if read { wrong } else { 0 };
            let standing = &mut self.ledger.standings[owner];
            standing.outside.get_or_insert(Outside { at, suspects, children });
        }
        let mut tally = Tally::default();
        if read {
            return self.read_vote(at, round, &replies, inside);
        }
        replies.iter().for_each(|reply| tally.add(*reply, None));
        let op = OpType::Write;
        let classified = self.classes(op, children, &tally, inside);
        self.ledger.votes.push(Vote { round, right: None, inside, classified });
    }

    /// Whether an operation fails as its child does not support it, and another takes its place.
    pub(super) fn falls_back(&self, place: usize, errno: Errno) -> bool {
        let call = self.case.calls.all[place].call;
        let may = call.kind == OpKind::WriteZeroes && !call.flags.no_fallback;
        may && errno == Errno::ENOTSUP
    }

    fn counted(&self, place: usize) -> Reply<Payload> {
        let reply = self.case.calls.all[place].reply().filter(|_| !self.cancelled[place]);
        reply.unwrap_or(Err(Errno::ECANCELED))
    }

    fn read_vote(&mut self, at: usize, round: usize, replies: &[Reply<Payload>], inside: bool) {
        let case = self.case;
        let places = case.calls.rounds[round].clone();
        let owner = self.ledger.owners[places.start];
        let call = &case.calls.all[places.start];
        let raced = owner.is_none_or(|owner| self.ledger.standings[owner].raced);
        let right = if raced { None } else { self.right(owner, &call.range()) };
        let mut classes = Classes::default();
        let mut tally = Tally::default();
        let mut versions: Vec<Payload> = Vec::new();
        for (child, reply) in replies.iter().enumerate() {
            match reply {
                Err(_) => {
                    classes.failed += 1;
                    tally.add(*reply, None);
                }
                Ok(payload) if Some(*payload) == right => {
                    classes.right.push(child);
                    tally.right = tally.right.saturating_add(1);
                }
                Ok(payload) => match versions.iter().position(|other| other == payload) {
                    Some(class) => classes.wrong[class].push(child),
                    None => {
                        versions.push(*payload);
                        classes.wrong.push(vec![child]);
                    }
                },
            }
        }
        let healed = !self.healed.is_empty()
            && places.clone().any(|place| self.was_healed(&case.calls.all[place]));
        let mut classified = self.classes(OpType::Read, replies.len(), &tally, inside);
        let size = |class: &Vec<usize>| u8::try_from(class.len()).unwrap_or(u8::MAX);
        classified.wrong = classes.wrong.iter().map(size).collect();
        classified.tie = classes.tie();
        (classified.unknown, classified.healed) = (right.is_none(), healed);
        self.ledger.votes.push(Vote { round, right, inside, classified });
        if let Some(owner) = owner {
            let most = classes.wrong.iter().map(Vec::len).max().unwrap_or(0);
            let standing = &mut self.ledger.standings[owner];
            let before = if standing.votes == 0 { Some(0) } else { standing.wrong_most };
            standing.votes += 1;
            standing.wrong_most = before.filter(|_| right.is_some()).map(|m| m.max(most));
        }
        if right.is_some() {
            self.explained(at, &places, &classes);
            self.predicted(at, round, &classes, &versions);
        }
        self.end_vote(at, round, replies, right);
    }

    /// The payload of what sound children hold there.
    fn right(&self, owner: Option<usize>, range: &Range<u64>) -> Option<Payload> {
        if let Some(owner) = owner
            && let Some((at, Outcome::Data(Ok(data)))) = self.asked(owner).completed
            && let GuestOp::Read { offset, bytes } = self.asked(owner).op
            && data.len() as u64 == *bytes
        {
            if (*offset..offset + bytes) == *range {
                if self.cells.is_sound(*offset, data)? {
                    return Some(self.case.finished.trace.payload(at));
                }
            } else if *offset <= range.start && range.end <= offset + bytes {
                let from = super::super::cells::index(range.start - offset);
                let to = super::super::cells::index(range.end - offset);
                let piece: Bytes = data.slice(from..to);
                if self.cells.is_sound(range.start, &piece)? {
                    return Some(Payload::of(&piece));
                }
            }
        }
        Some(Payload::of(&self.cells.sound(range.clone())?))
    }

    /// Who answers wrong must have had something done to it.
    fn explained(&mut self, at: usize, places: &Range<usize>, classes: &Classes) {
        for &child in classes.wrong.iter().flatten() {
            let place = places.start + child;
            if self.ledger.suspects[place] {
                continue;
            }
            let call = &self.case.calls.all[place];
            let healed = self.was_healed(call);
            let (call, owner) = (call.call, self.ledger.owners[place]);
            let check = if healed { "healing" } else { "prediction" };
            let why =
                if healed { "what was wrong there was put right" } else { "no fault says so" };
            let reason = format!(
                "c{} answers wrong bytes for the {} from {} on, and {why}.",
                call.child, call.bytes, call.offset
            );
            self.find(check, owner, at, reason);
        }
    }

    /// Whether the vote comes to what the laws say, and those are reported who must be.
    fn predicted(&mut self, at: usize, round: usize, classes: &Classes, versions: &[Payload]) {
        let case = self.case;
        let calls = case.calls.round(round);
        let threshold = case.scenario.array.vote_threshold;
        let want = classes.predict(threshold);
        let first = case.calls.rounds[round].start;
        let owner = self.ledger.owners[first];
        let heard = calls.iter().any(|call| {
            let answered = call.answered.is_some_and(|(answered, _)| answered == at);
            answered && case.entries()[at].request.is_some()
        });
        if heard {
            let found = self.losers(at);
            let losers = classes.losers(want);
            let mut named: Vec<u32> = losers.iter().map(|&l| calls[l].call.child).collect();
            named.sort_unstable();
            if found != named {
                let list = |disks: &[u32]| {
                    let names: Vec<String> = disks.iter().map(|d| format!("c{d}")).collect();
                    if names.is_empty() { "nobody".into() } else { names.join(", ") }
                };
                let reason = format!(
                    "By the laws of voting {} must be reported for having lost; it was {}.",
                    list(&named),
                    list(&found)
                );
                self.find("prediction", owner, at, reason);
            }
        }
        // Another request for the same bytes that was given up may be whose vote it was.
        let Some(owner) = owner.filter(|owner| !self.has_rival(*owner, &calls[0])) else { return };
        let asked = self.asked(owner);
        let (GuestOp::Read { offset, bytes }, Some((_, outcome))) = (asked.op, asked.completed)
        else {
            return;
        };
        let whole = (*offset, *bytes) == (calls[0].call.offset, calls[0].call.bytes);
        let answer = match outcome {
            Outcome::Data(Ok(_)) if whole => {
                let at = asked.over().unwrap_or(at);
                Ok(Some(case.finished.trace.payload(at)))
            }
            Outcome::Data(Ok(_)) => Ok(None),
            _ => Err(outcome.error()),
        };
        let right = self.ledger.votes.last().and_then(|vote| vote.right);
        let (fine, words) = match (want, answer) {
            (Prediction::Right, Ok(found)) => {
                (found.is_none_or(|found| Some(found) == right), "the right bytes")
            }
            (Prediction::Right, Err(_)) => (!whole, "the right bytes"),
            (Prediction::Wrong(class), Ok(found)) => {
                (found.is_none_or(|found| found == versions[class]), "certain wrong bytes")
            }
            (Prediction::Wrong(_), Err(_)) => (!whole, "certain wrong bytes"),
            (Prediction::TooFew, found) => (found.is_err(), "an error, as too few answered"),
            (Prediction::NoMajority, found) => {
                (found == Err(Some(Errno::EIO)), "EIO, as too few answered alike")
            }
        };
        if !fine {
            let reason = format!("By the laws of voting the read must give {words}; it did not.");
            self.find("prediction", Some(owner), at, reason);
        }
    }

    /// Who is reported, right behind this entry, for having lost a vote.
    fn losers(&self, at: usize) -> Vec<u32> {
        let losers = events_behind(self.case.entries(), at).filter_map(|(_, event)| match event {
            Event::ReportBad { op: OpType::Read, node_name, error: None, .. } => {
                self.case.disk(node_name)
            }
            _ => None,
        });
        let mut losers: Vec<u32> = losers.collect();
        losers.sort_unstable();
        losers
    }

    /// Says what became of the faults that had a part in a vote.
    fn end_vote(
        &mut self,
        at: usize,
        round: usize,
        replies: &[Reply<Payload>],
        right: Option<Payload>,
    ) {
        let case = self.case;
        let places = case.calls.rounds[round].clone();
        let suspects = self.ledger.suspects[places.clone()].iter().any(|suspect| *suspect);
        let faulted = places.clone().any(|place| !case.calls.all[place].firings.is_empty());
        if !suspects && !faulted {
            return;
        }
        let losers = self.losers(at);
        let owner = self.ledger.owners[places.start];
        let inside = self.ledger.votes.last().is_some_and(|vote| vote.inside);
        let gone = owner.is_none_or(|owner| self.asked(owner).dropped.is_some())
            || case.entries()[at].request.is_none();
        for (place, reply) in places.zip(replies) {
            let call = &case.calls.all[place];
            if reply.is_err() {
                self.end_elsewhere(place);
            } else if Some(reply.unwrap_or_default()) == right || !self.ledger.suspects[place] {
                for (cause, (_, firing)) in (self.causes[place]..).zip(call.faults(case)) {
                    let late = firing.delay != Delay::NONE;
                    let end = if late { End::Waited } else { End::Harmless };
                    self.ledger.account.end(cause, end);
                }
            } else {
                let lost = losers.contains(&call.call.child);
                let end = if lost { End::Reported } else { End::Served };
                for cause in self.causes_of(place) {
                    match gone && !lost {
                        true => self.ledger.account.end(cause, End::GivenUp),
                        false if inside && right.is_some() && !lost => {
                            self.ledger.account.miss(cause)
                        }
                        false => self.ledger.account.end(cause, end),
                    }
                }
            }
        }
    }

    /// Notes the classes of answers that came one after the other.
    pub(super) fn classify(&mut self, op: OpType, children: usize, tally: Tally, inside: bool) {
        let mut classified = self.classes(op, children, &tally, inside);
        classified.fifo = op == OpType::Read;
        self.ledger.apart.push(classified);
    }

    fn classes(&self, op: OpType, children: usize, tally: &Tally, inside: bool) -> Classified {
        let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let array = &self.case.scenario.array;
        Classified {
            op,
            children: small(children),
            threshold: small(array.vote_threshold),
            right: tally.right,
            wrong: if tally.wrong > 0 { vec![tally.wrong] } else { Vec::new() },
            errors: tally.errors.iter().map(|(_, count)| *count).collect(),
            tie: Tie::None,
            fifo: false,
            unknown: false,
            inside,
            rewrites: array.rewrite_corrupted,
            healed: false,
        }
    }
}
