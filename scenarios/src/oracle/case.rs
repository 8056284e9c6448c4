//! A finished run, arranged for questions.

use super::{
    calls::{Call, Calls},
    cells::index,
    ledger::{Ledger, Vote},
};
use crate::{
    model::{DiskSpec, Scenario},
    runner::Finished,
    spec::Ballot,
};
use quorate_engine::{Errno, NodeName, SECTOR_BYTES};
use quorate_reports::{
    Entry, GuestOp, Outcome, RequestId, Violation, What,
    summary::Shape,
    trace::{Change, Payload},
};
use std::{cell::RefCell, ops::Range};

/// A finished run and its scenario.
pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) finished: &'a Finished,
    /// The shapes of the votes that were followed.
    pub(super) shapes: RefCell<Vec<Shape>>,
    /// How many faults the budget did not allow.
    pub(super) spared: u64,
    /// Where the array was closed.
    pub(super) closed: Option<usize>,
    /// What the disks are like, by number.
    pub(super) disks: Vec<DiskSpec>,
    /// Their names.
    pub(super) names: Vec<NodeName>,
    /// What they were asked.
    pub(super) calls: Calls<'a>,
    /// What was wrong with them, and what came of it.
    pub(super) ledger: Ledger,
    /// Where each vote of the ledger ended, and what it must come to, if that is known.
    pub(super) ballots: Vec<Option<(usize, Ballot<Payload>)>>,
    /// Where most of them would be equal if nothing went wrong: what each byte is at first.
    fill: u8,
    /// The requests that were begun, by client and step.
    pub(super) requests: Vec<Asked<'a>>,
    /// The entries in which a request begins or is over, with its place in that list.
    pub(super) moments: Vec<(usize, usize)>,
    /// The entries that are no part of a request's own course: events, faults, membership.
    pub(super) notable: Vec<usize>,
    /// Where in that list the request of each client's step is.
    places: Vec<Vec<Option<usize>>>,
    /// Who belonged to the array from which entry on: numbers of disks, in voting order.
    membership: Vec<(usize, Vec<u32>)>,
    /// From which entry on a disk was out of the array.
    removed: Vec<(usize, u32)>,
}

/// One request of a client.
pub(super) struct Asked<'a> {
    pub(super) id: RequestId,
    pub(super) op: &'a GuestOp,
    /// The entry in which it began.
    pub(super) invoked: usize,
    /// The entry in which it was answered, and the answer.
    pub(super) completed: Option<(usize, &'a Outcome)>,
    /// The entry in which its caller gave up.
    pub(super) dropped: Option<usize>,
    /// How often it was answered.
    pub(super) answers: usize,
    /// The entries on its behalf, in order, its beginning left out.
    pub(super) entries: Vec<usize>,
}

impl Asked<'_> {
    /// Where it was over: the entry of its answer, or of its being given up.
    pub(super) fn over(&self) -> Option<usize> {
        self.completed.map(|(at, _)| at).or(self.dropped)
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(scenario: &'a Scenario, finished: &'a Finished) -> Self {
        let mut case = Self::arranged(scenario, finished);
        case.ledger = Ledger::of(&case);
        case
    }

    /// The same, before anybody has kept account.
    pub(super) fn arranged(scenario: &'a Scenario, finished: &'a Finished) -> Self {
        let disks: Vec<DiskSpec> = (0..scenario.disks()).map(|n| scenario.disk(n)).collect();
        let names = scenario.child_names();
        let first = names.iter().filter_map(|name| name.strip_prefix('c')?.parse().ok()).collect();
        let usual = scenario.usual_fill();
        let mut case = Self {
            scenario,
            finished,
            shapes: RefCell::default(),
            spared: 0,
            closed: None,
            names: (0..disks.len()).map(|n| format!("c{n}").into()).collect(),
            calls: Calls::new(disks.len(), index(finished.child_ios)),
            ledger: Ledger::default(),
            ballots: Vec::new(),
            fill: usual,
            disks,
            requests: Vec::new(),
            moments: Vec::new(),
            notable: Vec::new(),
            places: scenario.scripts().map(|steps| vec![None; steps.len()]).collect(),
            membership: vec![(0, first)],
            removed: Vec::new(),
        };
        for (at, entry) in finished.trace.entries.iter().enumerate() {
            let tag = entry.request.and_then(|id| case.place(id));
            match &entry.what {
                What::Membership(change) => case.note_membership(at, change),
                What::Submit(call) => case.calls.submit(at, tag, call),
                What::Injected { child, ordinal: ordinal @ 1.., .. } => {
                    case.calls.fire(at, *child, *ordinal);
                }
                What::Spared { .. } => {
                    case.spared += 1;
                    case.calls.spare(at);
                }
                What::Reply { child, ordinal, answer } => {
                    case.calls.answer(at, *child, *ordinal, answer);
                }
                _ => {}
            }
            if is_notable(&entry.what) {
                case.notable.push(at);
            }
            let Some(id) = entry.request else { continue };
            let place = &mut case.places[usize::from(id.client)][id.step as usize];
            if let What::Invoke(op) = &entry.what {
                *place = Some(case.requests.len());
                case.moments.push((at, case.requests.len()));
                case.requests.push(Asked::new(id, op, at));
                continue;
            }
            let Some(place) = *place else { continue };
            case.requests[place].note(at, &entry.what);
            if matches!(entry.what, What::Complete(_) | What::Dropped) {
                case.moments.push((at, place));
            }
            if *case.requests[place].op == GuestOp::Close && case.requests[place].answers == 1 {
                case.closed.get_or_insert(at);
            }
        }
        case
    }

    /// The votes that must come to something known, with where each ended and what that is.
    pub(super) fn ballots(&self) -> impl Iterator<Item = (&Vote, usize, &Ballot<Payload>)> {
        let votes = self.ledger.votes.iter().zip(&self.ballots);
        votes.filter_map(|(vote, ballot)| ballot.as_ref().map(|(at, ballot)| (vote, *at, ballot)))
    }

    /// Events, faults and changes of the membership, in order.
    pub(super) fn notable(&self) -> impl Iterator<Item = (usize, &'a Entry)> {
        let entries = self.entries();
        self.notable.iter().map(|&at| (at, &entries[at]))
    }

    pub(super) fn entries(&self) -> &'a [Entry] {
        &self.finished.trace.entries
    }

    /// Who belonged to the array when this entry was made.
    pub(super) fn members_at(&self, entry: usize) -> &[u32] {
        let later = self.membership.partition_point(|(from, _)| *from <= entry);
        &self.membership[later - 1].1
    }

    /// From which entry on the array had how many children.
    pub(super) fn member_counts(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.membership.iter().map(|(from, members)| (*from, members.len()))
    }

    /// Whether a disk was taken out of the array before this entry.
    pub(super) fn removed_before(&self, disk: u32, entry: usize) -> bool {
        self.removed.iter().any(|(at, gone)| *gone == disk && *at <= entry)
    }

    /// Whether a disk was taken out of the array behind the first of these entries and before the last.
    pub(super) fn removed_within(&self, disk: u32, entries: Range<usize>) -> bool {
        self.removed.iter().any(|(at, gone)| *gone == disk && entries.contains(at))
    }

    /// The entry at which nobody waits for an operation any more: it is answered, or its child leaves.
    pub(super) fn settled(&self, call: &Call<'_>) -> Option<usize> {
        let answered = call.answered.map(|(at, _)| at);
        let within = call.submitted..answered.unwrap_or(usize::MAX);
        let left = self
            .removed
            .iter()
            .filter(|(at, gone)| *gone == call.call.child && within.contains(at));
        left.map(|(at, _)| *at).min().or(answered)
    }

    /// Whether a disk ever belonged to the array up to this entry.
    pub(super) fn belonged(&self, disk: u32, entry: usize) -> bool {
        let until = self.membership.iter().take_while(|(from, _)| *from <= entry);
        until.into_iter().any(|(_, members)| members.contains(&disk))
    }

    /// What all bytes are at first, on most disks.
    pub(super) fn fill(&self) -> u8 {
        self.fill
    }

    /// The disk of this node name.
    pub(super) fn disk(&self, name: &NodeName) -> Option<u32> {
        (0..).zip(&self.names).find_map(|(disk, other)| (other == name).then_some(disk))
    }

    /// The place of a request, if it was begun.
    pub(super) fn place(&self, id: RequestId) -> Option<usize> {
        *self.places.get(usize::from(id.client))?.get(id.step as usize)?
    }

    /// The error of a request that no child is asked about.
    pub(super) fn refused(&self, asked: &Asked<'_>) -> Option<Errno> {
        let length = self.disks[0].bytes.next_multiple_of(SECTOR_BYTES);
        let (writes, range) = match asked.op {
            GuestOp::Write { offset, data, .. } => (true, Some((*offset, data.len() as u64))),
            GuestOp::WriteZeroes { offset, bytes, .. } => (true, Some((*offset, *bytes))),
            GuestOp::Read { offset, bytes }
            | GuestOp::Discard { offset, bytes }
            | GuestOp::BlockStatus { offset, bytes } => (false, Some((*offset, *bytes))),
            GuestOp::Close | GuestOp::Truncate { .. } => return None,
            GuestOp::Flush | GuestOp::Length | GuestOp::Invalidate => (false, None),
        };
        let beyond =
            |(offset, bytes): (u64, u64)| offset.checked_add(bytes).is_none_or(|end| end > length);
        if writes && self.scenario.array.read_only {
            Some(Errno::EPERM)
        } else if range.is_some_and(beyond) {
            Some(Errno::EINVAL)
        } else if self.closed_before(asked) {
            Some(Errno::ENOMEDIUM)
        } else {
            None
        }
    }

    /// Whether the array had been closed when the request's turn came.
    pub(super) fn closed_before(&self, asked: &Asked<'_>) -> bool {
        let turn = asked.entries.first().copied().unwrap_or(usize::MAX);
        self.closed.is_some_and(|at| at < turn)
    }

    /// The entry of the first request that was given up: from there on the record cannot always
    /// tell whose a child's operation is.
    pub(super) fn first_drop(&self) -> usize {
        self.requests.iter().filter_map(|r| r.dropped).min().unwrap_or(usize::MAX)
    }

    /// The request of a client's step, if it was begun.
    pub(super) fn request(&self, client: usize, step: usize) -> Option<&Asked<'a>> {
        self.places[client][step].map(|place| &self.requests[place])
    }

    pub(super) fn violation(
        check: &'static str,
        request: Option<RequestId>,
        entry: Option<usize>,
        reason: String,
    ) -> Violation {
        Violation { check, request, entry, reason }
    }

    fn note_membership(&mut self, at: usize, change: &Change) {
        let mut members = self.members_at(at).to_vec();
        match change {
            Change::Added { child, .. } => {
                members.push(*child);
            }
            Change::Removed { child, .. } => {
                members.retain(|member| member != child);
                self.removed.push((at, *child));
            }
            Change::Refused(_) => return,
        }
        self.membership.push((at, members));
    }
}

/// Whether it is no part of a request's own course.
fn is_notable(what: &What) -> bool {
    matches!(
        what,
        What::NotOpened(_)
            | What::Membership(_)
            | What::Event(_)
            | What::Heard(_)
            | What::Injected { .. }
    )
}

impl<'a> Asked<'a> {
    fn new(id: RequestId, op: &'a GuestOp, invoked: usize) -> Self {
        let (completed, dropped, entries) = (None, None, Vec::with_capacity(ENTRIES_USUAL));
        Self { id, op, invoked, completed, dropped, answers: 0, entries }
    }

    fn note(&mut self, at: usize, what: &'a What) {
        match what {
            What::Complete(outcome) => {
                self.answers += 1;
                self.completed.get_or_insert((at, outcome));
            }
            What::Dropped => self.dropped = Some(at),
            _ => {}
        }
        self.entries.push(at);
    }
}

/// How many entries most requests have, so that their lists do not grow step by step.
const ENTRIES_USUAL: usize = 16;
