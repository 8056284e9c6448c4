//! What an array did in a run, as far as it can be seen from outside, turn by turn.
//!
//! A turn begins when a client asks the array or a disk answers it, and has all that comes of that:
//! requests to disks, events, answers. In which order disks are asked within a turn is not seen where each
//! has a connection of its own.

mod words;

use crate::runner::Finished;
use quorate_engine::{Errno, Event, Image};
use quorate_faults::rule::{OpKind, Origin};
use quorate_reports::{
    GuestOp, Outcome, RequestId, What, qapi,
    trace::{Answer, Change, ChildCall},
};
use std::collections::{BTreeMap, BTreeSet};
use words::{answer, call_words};

/// What an array did.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    turns: Vec<Turn>,
    /// The turns in which a child was refused for its length.
    too_long: Vec<usize>,
    /// Whether it opened.
    opened: bool,
    media: Vec<Image>,
}

/// What came of one thing.
#[derive(Clone, Debug, PartialEq)]
struct Turn {
    began: Began,
    /// The requests to disks, by disk.
    asked: Vec<ChildCall>,
    events: Vec<Event>,
    answered: Vec<(RequestId, Outcome)>,
}

/// How a turn began.
#[derive(Clone, Debug, PartialEq)]
enum Began {
    /// A client asked.
    Asked(RequestId, GuestOp),
    /// A disk answered the operation of this number.
    Replied(u32, u64, Option<Errno>),
    /// A child joined or left, or not.
    Changed(Option<String>),
}

/// Where two stories part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parting {
    /// In what: a name for it.
    pub(super) check: &'static str,
    /// The request, if it is about one.
    pub(super) request: Option<RequestId>,
    /// What each side did.
    pub(super) reason: String,
}

/// How far stories are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Turn by turn.
    Turns,
    /// Without the order of what went on at the same time.
    Requests,
}

impl Story {
    pub(super) fn of(run: &Finished) -> Self {
        let mut story = Self {
            turns: Vec::new(),
            too_long: Vec::new(),
            opened: true,
            media: run.media.clone(),
        };
        let mut seen = BTreeMap::new();
        for entry in &run.trace.entries {
            match (&entry.what, entry.request) {
                (What::NotOpened(_), _) => story.opened = false,
                (What::Invoke(op), Some(id)) => story.begin(Began::Asked(id, op.clone())),
                (What::Reply { child, ordinal, answer }, _) => {
                    let bytes = seen.get(&(*child, *ordinal)).copied();
                    if let Some(error) = bytes.and_then(|bytes| error(answer, bytes)) {
                        story.begin(Began::Replied(*child, *ordinal, error));
                    }
                }
                (What::Membership(change), _) => {
                    let name = match change {
                        Change::Added { name, .. } | Change::Removed { name, .. } => {
                            Some(name.to_string())
                        }
                        Change::Refused(why) => {
                            if why.contains(OTHER_LENGTH) {
                                story.too_long.push(story.turns.len());
                            }
                            None
                        }
                    };
                    story.begin(Began::Changed(name));
                }
                (What::Submit(call), _) if is_seen(call.kind) => {
                    seen.insert((call.child, call.ordinal), call.bytes);
                    if let Some(turn) = story.turns.last_mut() {
                        // Whose request it is for is not said over NBD.
                        turn.asked.push(ChildCall { origin: Origin::Guest, ..call.clone() });
                    }
                }
                (What::Event(event), _) => {
                    if let Some(turn) = story.turns.last_mut() {
                        turn.events.push(event.clone());
                    }
                }
                (What::Complete(outcome), Some(id)) => {
                    if let Some(turn) = story.turns.last_mut() {
                        turn.answered.push((id, outcome.clone()));
                    }
                }
                _ => {}
            }
        }
        for turn in &mut story.turns {
            turn.asked.sort_by_key(|call| (call.child, call.ordinal));
            turn.answered.sort_by_key(|(id, _)| *id);
        }
        story
    }

    fn begin(&mut self, began: Began) {
        self.turns.push(Turn {
            began,
            asked: Vec::new(),
            events: Vec::new(),
            answered: Vec::new(),
        });
    }

    /// What disks hold at the end.
    pub(super) fn media(&self) -> &[Image] {
        &self.media
    }

    /// How many requests disks were asked, and how many events there were.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let sums = |of: fn(&Turn) -> usize| self.turns.iter().map(|turn| of(turn) as u64).sum();
        (sums(|turn| turn.asked.len()), sums(|turn| turn.events.len()))
    }

    /// How many requests were answered.
    pub(super) fn answers(&self) -> u64 {
        self.turns.iter().map(|turn| turn.answered.len() as u64).sum()
    }

    /// Whether the array opened.
    pub(super) fn opened(&self) -> bool {
        self.opened
    }

    /// Ends both where this one refuses a child of another length that the other takes. Whether there is such a one.
    pub(super) fn until_refusal(&mut self, theirs: &mut Self) -> bool {
        let both = self.turns.iter().zip(&theirs.turns);
        let refuses = |(one, other): (&Turn, &Turn)| {
            one.began == Began::Changed(None) && matches!(other.began, Began::Changed(Some(_)))
        };
        let Some(at) = both.map(refuses).position(|refuses| refuses) else { return false };
        if !self.too_long.contains(&at) {
            return false;
        }
        self.cut(theirs, at);
        true
    }

    /// Ends both before the turn in which they part, if it begins with a failed read on behalf of a write, or of a repair,
    /// that is none of whole blocks: QEMU goes on. Whether there is such a turn.
    pub(super) fn until_unread(
        &mut self,
        theirs: &mut Self,
        takes_blocks: impl Fn(u32) -> bool,
    ) -> bool {
        let parts = self.turns.iter().zip(&theirs.turns).position(|(one, other)| one != other);
        let Some(at) = parts else { return false };
        let asked =
            self.turns[..at].iter().rposition(|turn| matches!(turn.began, Began::Asked(..)));
        let Some(asked) = asked else { return false };
        let Began::Replied(child, ordinal, Some(_)) = self.turns[at].began else { return false };
        let is_it = |call: &&ChildCall| (call.child, call.ordinal) == (child, ordinal);
        let of = |turn: &Turn| turn.asked.iter().find(is_it).map(|call| call.kind);
        // What a read itself is about it asks for at once. Other reads are for its repairs.
        let at_once = of(&self.turns[asked]);
        let is_read = matches!(self.turns[asked].began, Began::Asked(_, GuestOp::Read { .. }));
        let kind = at_once.or_else(|| self.turns[asked..at].iter().find_map(of));
        if kind != Some(OpKind::Read) || is_read && at_once.is_some() || !takes_blocks(child) {
            return false;
        }
        let theirs_at = &theirs.turns[at];
        let writes = |call: &ChildCall| {
            call.child == child && matches!(call.kind, OpKind::Write | OpKind::Read)
        };
        if theirs_at.began != self.turns[at].began || !theirs_at.asked.iter().any(writes) {
            return false;
        }
        self.cut(theirs, at);
        true
    }

    /// Ends both at the first change of children. Whether there is one.
    pub(super) fn until_change(&mut self, theirs: &mut Self) -> bool {
        let changes = |turn: &Turn| matches!(turn.began, Began::Changed(Some(_)));
        let Some(at) = self.turns.iter().position(changes) else { return false };
        self.cut(theirs, at + 1);
        true
    }

    /// Forgets events that QEMU's monitor has merged with a later one: of each node, and of all failures, the last within
    /// one round of its loop passes. Whether there are such.
    pub(super) fn forget_merged(&mut self, theirs: &Self) -> bool {
        let keys: BTreeSet<Option<String>> = self.events().map(teller).collect();
        let mut merged = false;
        for key in keys {
            let of = |story: &Self| -> Vec<Event> {
                story.events().filter(|event| teller(event) == key).cloned().collect()
            };
            let (ours, passed) = (of(self), of(theirs));
            let mut rest = ours.iter();
            let is_part = passed.iter().all(|event| rest.any(|other| other == event));
            if ours == passed || !is_part || ours.last() != passed.last() {
                continue;
            }
            merged = true;
            let mut passed = passed.into_iter().peekable();
            for turn in &mut self.turns {
                turn.events.retain(|event| {
                    teller(event) != key || passed.next_if(|next| next == event).is_some()
                });
            }
        }
        merged
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.turns.iter().flat_map(|turn| &turn.events)
    }

    /// Ends both after so many turns. What disks hold thereafter is not known.
    fn cut(&mut self, theirs: &mut Self, turns: usize) {
        for story in [self, theirs] {
            story.turns.truncate(turns);
            story.media.clear();
        }
    }

    /// Everything up to where a verifier found a difference.
    pub(super) fn until_mismatch(&mut self) -> bool {
        let is_mismatch = |event: &Event| matches!(event, Event::Mismatch { .. });
        let at = self.turns.iter().position(|turn| turn.events.iter().any(is_mismatch));
        let Some(at) = at else { return false };
        self.turns.truncate(at + 1);
        // What is answered, and what disks hold, a process that has ended cannot say.
        self.turns[at].answered.clear();
        self.media.clear();
        true
    }

    /// Where another story parts from this one.
    pub(super) fn parting(&self, theirs: &Self, grain: Grain) -> Option<Parting> {
        if self.opened != theirs.opened {
            let word = |opened| if opened { "opens" } else { "does not open" };
            let reason = format!("ours {}, QEMU's {}", word(self.opened), word(theirs.opened));
            return Some(Parting { check: OPENING, request: None, reason });
        }
        let parting = match grain {
            Grain::Turns => self.parting_turn(theirs),
            Grain::Requests => self.parting_request(theirs),
        };
        parting.or_else(|| self.parting_media(theirs))
    }

    fn parting_turn(&self, theirs: &Self) -> Option<Parting> {
        for (number, (one, other)) in self.turns.iter().zip(&theirs.turns).enumerate() {
            let check = match () {
                () if one.began != other.began => ORDER,
                () if one.events != other.events => EVENTS,
                () if one.asked != other.asked => CALLS,
                () if one.answered != other.answered => ANSWER,
                () => continue,
            };
            let request = one.answered.first().map(|(id, _)| *id).or_else(|| self.request(number));
            return Some(Parting { check, request, reason: beside(&one.words(), &other.words()) });
        }
        let (ours, theirs_) = (self.turns.len(), theirs.turns.len());
        let longer = if ours > theirs_ { &self.turns } else { &theirs.turns };
        let extra = longer.get(ours.min(theirs_))?.words();
        let reason = match ours > theirs_ {
            true => beside(&extra, "nothing more"),
            false => beside("nothing more", &extra),
        };
        Some(Parting { check: ORDER, request: self.request(ours), reason })
    }

    /// The request that was asked last before a turn.
    fn request(&self, number: usize) -> Option<RequestId> {
        let turns = &self.turns[..self.turns.len().min(number + 1)];
        turns.iter().rev().find_map(|turn| match turn.began {
            Began::Asked(id, _) => Some(id),
            _ => None,
        })
    }

    /// Each disk is asked the same, the same is reported, and requests have the same answers.
    fn parting_request(&self, theirs: &Self) -> Option<Parting> {
        let (one, other) = (self.answers_by_request(), theirs.answers_by_request());
        if one.len() != other.len() {
            let counts = |count: usize| format!("{count} requests are answered");
            let reason = beside(&counts(one.len()), &counts(other.len()));
            return Some(Parting { check: ANSWER, request: None, reason });
        }
        if let Some(((id, one), (_, other))) = one.iter().zip(&other).find(|(a, b)| a != b) {
            let reason = beside(&answer(one), &answer(other));
            return Some(Parting { check: ANSWER, request: Some(*id), reason });
        }
        let of = |story: &Self| {
            let mut calls: Vec<_> = story.turns.iter().flat_map(|turn| &turn.asked).collect();
            calls.sort_by_key(|call| (call.child, call.ordinal));
            let mut lines: Vec<_> = calls.into_iter().map(call_words).collect();
            let mut events: Vec<_> =
                story.turns.iter().flat_map(|turn| &turn.events).map(qapi::text).collect();
            events.sort();
            lines.extend(events);
            lines
        };
        let (one, other) = (of(self), of(theirs));
        let at = (0..one.len().max(other.len())).find(|&at| one.get(at) != other.get(at))?;
        let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "nothing".into());
        let reason = beside(&line(&one), &line(&other));
        Some(Parting { check: CALLS, request: None, reason })
    }

    fn answers_by_request(&self) -> Vec<(RequestId, &Outcome)> {
        let answered = self.turns.iter().flat_map(|turn| &turn.answered);
        let mut answers: Vec<_> = answered.map(|(id, outcome)| (*id, outcome)).collect();
        answers.sort_by_key(|(id, _)| *id);
        answers
    }

    fn parting_media(&self, theirs: &Self) -> Option<Parting> {
        let disks = self.media.iter().zip(&theirs.media);
        let disk = disks.map(|(one, other)| one == other).position(|same| !same)?;
        let reason = format!("c{disk} holds other bytes at the end");
        Some(Parting { check: MEDIA, request: None, reason })
    }
}

/// What QEMU's monitor limits an event by: the node that is reported; nothing for failures, which have one limit.
fn teller(event: &Event) -> Option<String> {
    match event {
        Event::ReportBad { node_name, .. } => Some(node_name.to_string()),
        Event::Failure { .. } | Event::Mismatch { .. } => None,
    }
}

/// What a disk failed with, if it was asked for what is compared: of so many bytes, fewer are none.
fn error(answer: &Answer, bytes: u64) -> Option<Option<Errno>> {
    match answer {
        Answer::Data(Ok(data)) if data.bytes < bytes => Some(Some(Errno::EIO)),
        Answer::Data(answer) => Some(answer.err()),
        Answer::Done(answer) => Some(answer.err()),
        Answer::Length(_) | Answer::Status(_) | Answer::Abandoned => None,
    }
}

fn is_seen(kind: OpKind) -> bool {
    use OpKind::{Discard, Flush, Read, Write, WriteZeroes};
    matches!(kind, Read | Write | WriteZeroes | Flush | Discard)
}

fn beside(ours: &str, theirs: &str) -> String {
    format!("ours: {ours}\nQEMU: {theirs}")
}

/// What the engine says of a child that has another length than the others.
const OTHER_LENGTH: &str = " bytes long, the children of the quorum ";
/// What can differ.
pub(super) const OPENING: &str = "qemu opening";
const ORDER: &str = "qemu order";
const EVENTS: &str = "qemu events";
const CALLS: &str = "qemu requests";
const ANSWER: &str = "qemu answer";
const MEDIA: &str = "qemu media";
