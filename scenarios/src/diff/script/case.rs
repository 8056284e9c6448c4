//! From the record of a run to what a script has to do.
//!
//! Faults are not looked at, only what they came to: what children answered. So whatever befalls a disk, its file
//! holds what the disk is seen to hold, from the request on that sees it.

mod asked;

use super::{Unshowable, unshowable};
use crate::model::{Action, Scenario};
use asked::Asked;
use bytes::Bytes;
use quorate_engine::{Errno, Event, Image, SECTOR_BYTES};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    Answer, Entry, GuestOp, Outcome, RequestId, Run, What,
    trace::{Change, Payload},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a script has to do.
pub(super) struct Case {
    /// One after the other.
    pub(super) acts: Vec<Act>,
    /// What of disks is otherwise at the end than it is by all that was written to them.
    pub(super) left: Vec<Piece>,
    /// Disks of which that is not known, as faults befell them.
    pub(super) doubtful: BTreeSet<u32>,
}

/// One thing that a script has to do.
pub(super) enum Act {
    /// A request.
    Request(Request),
    /// From now on these are the children of the array.
    Children(Vec<String>),
    /// Opens the array, which is refused.
    Refused(String),
    /// Nothing, and why.
    Skipped(String),
}

/// A request, and what the engine made of it.
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) op: GuestOp,
    pub(super) outcome: Outcome,
    /// What disks must hold for it otherwise than they do.
    pub(super) shown: Vec<Piece>,
    /// Which children fail.
    pub(super) failures: Vec<Failure>,
    /// What was written to disks.
    pub(super) written: Vec<Piece>,
    pub(super) events: Vec<Event>,
}

/// Bytes of a disk.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) disk: u32,
    pub(super) offset: u64,
    pub(super) data: Bytes,
}

/// A child that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failure {
    pub(super) disk: u32,
    /// A read, a write, zeroes or a flush.
    pub(super) kind: OpKind,
    pub(super) errno: Errno,
    /// Only what touches the first byte of this sector; whatever of the kind, if `None`.
    pub(super) sector: Option<u64>,
}

impl Case {
    /// What a script of this run has to do. `bytes` are those of its record, which has their hashes.
    pub(super) fn of(
        scenario: &Scenario,
        run: &Run,
        bytes: Vec<Bytes>,
    ) -> Result<Self, Unshowable> {
        let mut walk = Walk::new(scenario, run, bytes)?;
        run.trace.entries.iter().try_for_each(|entry| walk.entry(entry))?;
        if let Some(asked) = walk.asked {
            return unshowable(format!("request {} is never answered", asked.id));
        }
        if !walk.acts.iter().any(|act| matches!(act, Act::Request(_) | Act::Refused(_))) {
            return unshowable("no request is made");
        }
        let doubtful = doubtful(scenario, run);
        let (mut left, mut unknown) = (Vec::new(), BTreeSet::new());
        for ((disk, by_writes), at_end) in (0..).zip(&walk.media).zip(&run.media) {
            if by_writes.bytes() != at_end.bytes() {
                return unshowable(format!("c{disk} changes its length"));
            }
            let differing = differing(disk, by_writes, at_end);
            match doubtful.contains(&disk) {
                true if !differing.is_empty() => drop(unknown.insert(disk)),
                _ => left.extend(differing),
            }
        }
        Ok(Self { acts: walk.acts, left, doubtful: unknown })
    }
}

/// What is known by an entry of the record.
struct Walk {
    /// The bytes of the record, by their hashes.
    bytes: BTreeMap<Payload, Bytes>,
    /// What children answered, by disk and number.
    answers: BTreeMap<(u32, u64), Answer>,
    /// What the disks hold for whoever asks the array.
    media: Vec<Image>,
    /// The disks of the array's children, in order.
    members: Vec<String>,
    /// Whether the array is read-only.
    is_read_only: bool,
    /// Whether a fault has struck.
    is_struck: bool,
    asked: Option<Asked>,
    acts: Vec<Act>,
}

impl Walk {
    fn new(scenario: &Scenario, run: &Run, bytes: Vec<Bytes>) -> Result<Self, Unshowable> {
        let all: u64 = (0..scenario.disks()).map(|disk| scenario.disk(disk).bytes).sum();
        if all > BYTES_MAX {
            return unshowable(format!("its disks have {all} bytes, too many for so many files"));
        }
        let answers = run.trace.entries.iter().filter_map(|entry| match entry.what {
            What::Reply { child, ordinal, answer } => Some(((child, ordinal), answer)),
            _ => None,
        });
        // An array with a mistake has other bytes than ours.
        let own = run.trace.entries.iter().filter_map(|entry| match &entry.what {
            What::Invoke(GuestOp::Write { data, .. }) | What::Complete(Outcome::Data(Ok(data))) => {
                Some(data.clone())
            }
            _ => None,
        });
        Ok(Self {
            bytes: bytes.into_iter().chain(own).map(|data| (Payload::of(&data), data)).collect(),
            answers: answers.collect(),
            media: (0..scenario.disks()).map(|disk| at_first(scenario, disk)).collect(),
            members: scenario.child_names(),
            is_read_only: scenario.array.read_only,
            is_struck: false,
            asked: None,
            acts: Vec::new(),
        })
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Unshowable> {
        match &entry.what {
            What::NotOpened(_) if self.is_struck => {
                return unshowable("a fault keeps the array from opening");
            }
            What::NotOpened(why) => self.acts.push(Act::Refused(why.clone())),
            What::Injected { .. } => self.is_struck = true,
            What::Invoke(op) => {
                let id = entry.request.expect("a request has a number");
                if self.asked.is_some() {
                    return unshowable(format!("request {id} is made while another one runs"));
                }
                self.fits(op)?;
                self.asked = Some(Asked::new(id, op.clone()));
            }
            What::Complete(outcome) => {
                let asked = self.asked.take().expect("one request after the other");
                self.acts.push(asked.over(outcome.clone())?);
            }
            What::Dropped => return unshowable("a request is given up"),
            What::Submit(call) => {
                let Some(answer) = self.answers.get(&(call.child, call.ordinal)) else {
                    return unshowable(format!("c{} does not answer everything", call.child));
                };
                let medium = &mut self.media[call.child as usize];
                match &mut self.asked {
                    Some(asked) => asked.child(call, *answer, medium, &self.bytes)?,
                    None => asked::outside(call, *answer, medium)?,
                }
            }
            What::Event(event) => match &mut self.asked {
                Some(asked) => asked.events.push(event.clone()),
                None => return unshowable("something is reported outside of requests"),
            },
            What::Membership(change) => self.change(change),
            What::Reply { .. } | What::Spared { .. } | What::Heard(_) | What::Control(_) => {}
        }
        Ok(())
    }

    /// Refuses what does not reach QEMU's quorum, or reaches it as something else.
    fn fits(&self, op: &GuestOp) -> Result<(), Unshowable> {
        let (end, is_read) = match op {
            GuestOp::Read { offset, bytes } => (offset.checked_add(*bytes), true),
            GuestOp::Write { offset, data, .. } => (offset.checked_add(data.len() as u64), false),
            GuestOp::WriteZeroes { offset, bytes, .. } => (offset.checked_add(*bytes), false),
            _ => return Ok(()),
        };
        let shortest = self.media.iter().map(Image::bytes).min().unwrap_or_default();
        let shortest = shortest.next_multiple_of(SECTOR_BYTES);
        match end {
            Some(end) if end <= shortest => {}
            _ => return unshowable("qemu-io itself refuses what reaches beyond the end"),
        }
        match self.is_read_only && !is_read {
            true => unshowable("qemu-io itself refuses to write where nothing can be written"),
            false => Ok(()),
        }
    }

    fn change(&mut self, change: &Change) {
        let node = |disk: &u32| format!("c{disk}");
        match change {
            Change::Added { child, .. } => self.members.push(node(child)),
            Change::Removed { child, .. } => self.members.retain(|name| *name != node(child)),
            Change::Refused(why) => {
                self.acts.push(Act::Skipped(format!("a change of the children: {why}")));
                return;
            }
        }
        self.acts.push(Act::Children(self.members.clone()));
    }
}

/// What a disk holds at first.
fn at_first(scenario: &Scenario, disk: u32) -> Image {
    let spec = scenario.disk(disk);
    let mut image = Image::new(spec.bytes);
    if spec.fill != 0 {
        let length = usize::try_from(spec.bytes).expect("it was looked at");
        image.write(0, &vec![spec.fill; length]);
    }
    image
}

/// Disks that something befell that requests need not show.
fn doubtful(scenario: &Scenario, run: &Run) -> BTreeSet<u32> {
    let mut disks: BTreeSet<u32> = BTreeSet::new();
    for entry in &run.trace.entries {
        if let What::Injected { child, .. } = entry.what {
            disks.insert(child);
        }
    }
    for step in scenario.scripts().flatten() {
        match step {
            Action::Corrupt { child, .. } | Action::Brick { child, .. } => {
                disks.insert(*child);
            }
            Action::CutPower { children, .. } | Action::Heal { children } => {
                disks.extend(children.clone().unwrap_or((0..scenario.disks()).collect()));
            }
            Action::Freeze { children, .. } => disks.extend(children),
            _ => {}
        }
    }
    disks
}

/// Where two images of a disk differ, and what the second holds there.
fn differing(disk: u32, one: &Image, other: &Image) -> Vec<Piece> {
    let pages = |image: &Image| image.pages().map(|(at, _)| at).collect::<BTreeSet<u64>>();
    let mut pieces = Vec::new();
    for at in &pages(one) | &pages(other) {
        let length = usize::try_from(PAGE_BYTES.min(one.bytes() - at)).expect("a page");
        pieces.extend(changes(disk, at, &one.read(at, length), &other.read(at, length)));
    }
    pieces
}

/// What makes the bytes at this place of a disk those others. Bytes that lie close together are one piece.
fn changes(disk: u32, offset: u64, from: &Bytes, to: &Bytes) -> Vec<Piece> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for at in (0..to.len()).filter(|at| from[*at] != to[*at]) {
        match ranges.last_mut() {
            Some(last) if at < last.end + CLOSE => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    let piece = |range: std::ops::Range<usize>| Piece {
        disk,
        offset: offset + range.start as u64,
        data: to.slice(range),
    };
    ranges.into_iter().map(piece).collect()
}

/// How much all disks may hold, as each becomes two files.
const BYTES_MAX: u64 = 64 << 20;
/// What is compared at once.
const PAGE_BYTES: u64 = 4096;
/// How many equal bytes make two pieces of one.
const CLOSE: usize = 32;
