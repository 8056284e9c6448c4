//! A finished run, arranged for questions.

use crate::{
    model::{DiskSpec, Scenario},
    runner::Finished,
};
use quorate_reports::{
    Entry, GuestOp, Outcome, RequestId, Violation, What, summary::Shape, trace::Change,
};
use std::cell::RefCell;

/// A finished run and its scenario.
pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) finished: &'a Finished,
    /// The shapes of the votes that were followed.
    pub(super) shapes: RefCell<Vec<Shape>>,
    /// Where the array was closed.
    pub(super) closed: Option<usize>,
    /// What the disks are like, by number.
    pub(super) disks: Vec<DiskSpec>,
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
        let count = scenario.child_names().len();
        let first = (0..u32::try_from(count).expect("an array is small")).collect();
        let mut case = Self {
            scenario,
            finished,
            shapes: RefCell::default(),
            closed: None,
            disks: (0..scenario.disks()).map(|number| scenario.disk(number)).collect(),
            requests: Vec::new(),
            moments: Vec::new(),
            notable: Vec::new(),
            places: scenario.scripts().map(|steps| vec![None; steps.len()]).collect(),
            membership: vec![(0, first)],
            removed: Vec::new(),
        };
        for (at, entry) in finished.trace.entries.iter().enumerate() {
            if let What::Membership(change) = &entry.what {
                case.note_membership(at, change);
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

    /// Whether a disk was taken out of the array before this entry.
    pub(super) fn removed_before(&self, disk: u32, entry: usize) -> bool {
        self.removed.iter().any(|(at, gone)| *gone == disk && *at <= entry)
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
            Change::Added { child, .. } => members.push(*child),
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
        let (completed, dropped, entries) = (None, None, Vec::new());
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
