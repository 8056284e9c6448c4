//! Requests for the same bytes at once: every moment for the second of two, every order in which the
//! children do what they are asked.
//!
//! The children are sound, but for one that may hold rot at first, and each does what it is asked.
//! So whatever is wrong in the end comes of the order alone.

use super::{
    Difference,
    bed::{Bed, Shape},
    choices::{Choices, Part},
    hand::Contents,
    journal::{Entry, What},
    tally::Tally,
    task::Task,
};
use crate::{fuzz::guard, runner::Engine};
use bytes::Bytes;
use judge::Judgement;
use quorate_engine::{Flags, IoFuture, quorum::options::Overlap};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
};

mod judge;
mod rows;
mod words;

pub use judge::Hazard;
pub use rows::{Example, Row};
pub(super) use rows::{Harm, add, keep_shorter};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// A write.
    Write,
    /// A read.
    Read,
    /// A flush.
    Flush,
    /// A write that is flushed before it is acknowledged.
    WriteFua,
}

/// Requests, and the array that they meet on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Meeting {
    /// Two requests, of which the second is made at some time after the first; or three, which are all made
    /// before a child does anything.
    pub requests: Vec<Request>,
    /// Whether the array repairs children that lost a vote.
    pub rewrite_corrupted: bool,
    /// How many of the three children must agree.
    pub vote_threshold: usize,
}

/// All stories of a meeting with the same begin.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) overlap: Overlap,
    pub(super) meeting: Meeting,
    /// The child that holds rot at first.
    rotten: Option<usize>,
    /// Which part of the stories.
    part: Part,
}

/// Every two requests. Repairs matter only where there is a read.
pub(super) fn pairs(overlap: Overlap) -> Vec<Unit> {
    use Request::{Flush, Read, Write, WriteFua};
    // Where requests race, a FUA write is a write, and then a flush.
    let requests: &[Request] = match overlap {
        Overlap::Serialise => &[Write, Read, Flush, WriteFua],
        Overlap::Qemu => &[Write, Read, Flush],
    };
    let mut units = Vec::new();
    for rewrite_corrupted in [false, true] {
        for (&first, &second) in requests.iter().flat_map(|a| requests.iter().map(move |b| (a, b)))
        {
            let requests = vec![first, second];
            if rewrite_corrupted && !requests.contains(&Read) {
                continue;
            }
            for vote_threshold in 1..=CHILDREN {
                let meeting =
                    Meeting { requests: requests.clone(), rewrite_corrupted, vote_threshold };
                // Two sound children are a quorum against the rot on the third.
                let rots =
                    if rewrite_corrupted && vote_threshold < CHILDREN { CHILDREN } else { 0 };
                let rotten = std::iter::once(None).chain((0..rots).map(Some));
                let part = Part::default();
                let unit = |rotten| Unit { overlap, meeting: meeting.clone(), rotten, part };
                units.extend(rotten.map(unit));
            }
        }
    }
    units
}

/// A write and two reads that repair: the fewest that lose data although most children agree.
pub(super) fn trio(overlap: Overlap) -> Vec<Unit> {
    let requests = vec![Request::Write, Request::Read, Request::Read];
    let meeting = Meeting { requests, rewrite_corrupted: true, vote_threshold: 2 };
    let part = |number| Part { number, count: CHILDREN };
    let unit =
        |number| Unit { overlap, meeting: meeting.clone(), rotten: None, part: part(number) };
    (0..CHILDREN).map(unit).collect()
}

impl Meeting {
    /// All requests in words, such as `write, repairing read`.
    #[must_use]
    pub fn words(&self) -> String {
        let words = |request: &Request| match request {
            Request::Write => "write",
            Request::Read if self.rewrite_corrupted => "repairing read",
            Request::Read => "read",
            Request::Flush => "flush",
            Request::WriteFua => "FUA write",
        };
        self.requests.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    /// Whether two quorums always have a child in common.
    fn is_majority(&self) -> bool {
        2 * self.vote_threshold > CHILDREN
    }

    /// The name of what a request writes.
    fn written(&self, request: usize) -> Option<char> {
        let writes = matches!(self.requests[request], Request::Write | Request::WriteFua);
        writes.then(|| WRITTEN[request])
    }
}

impl Unit {
    /// Tells every story.
    ///
    /// # Errors
    /// A request never ends, or overlapping requests take turns and all the same harm each other.
    pub(super) fn run(
        &self,
        engine: Option<&dyn Engine>,
        stop: &AtomicBool,
    ) -> Result<Tally<Harm>, Box<Difference>> {
        let bed = guard::catch(|| Bed::open(&self.shape(), contents(), engine));
        let bed = bed.unwrap_or_else(|panic| Err(format!("panics: {panic}")));
        let bed = bed
            .map_err(|why| self.difference(&[], &[], format!("The array does not open: {why}.")))?;
        let mut choices = Choices::of(self.part);
        let mut tally = Tally::<Harm>::default();
        let mut shortest = BTreeMap::new();
        loop {
            let told = guard::catch(|| self.tell(&bed, &mut choices));
            let told = told.unwrap_or_else(|panic| Err(format!("The array panics: {panic}.")));
            bed.hand.with_journal(|journal| {
                let held = told.map_err(|why| self.difference(journal, &[], why))?;
                let judgement = Judgement::of(&self.meeting, self.rotten, journal, &held);
                for hazard in judgement.hazards() {
                    if self.must_be_safe() {
                        return Err(self.difference(journal, &held, hazard.sentence().into()));
                    }
                    *tally.of.hazards.entry(hazard).or_default() += 1;
                    let length = shortest.entry(hazard).or_insert(usize::MAX);
                    if hazard.is_of_data() && journal.len() < *length {
                        *length = journal.len();
                        tally.of.examples.retain(|example| example.hazard != hazard);
                        let story = words::story(self, journal, &held);
                        let meeting = self.meeting.clone();
                        tally.of.examples.push(Example { hazard, meeting, story });
                    }
                }
                tally.case(|text| {
                    for Entry { request, what } in journal {
                        writeln!(text, "{request} {what}").expect("a text takes text");
                    }
                    writeln!(text, "holds {}", held.iter().collect::<String>())
                        .expect("a text takes text");
                });
                Ok(())
            })?;
            if !choices.advance() || stop.load(Ordering::Relaxed) {
                return Ok(tally);
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            repairs: self.meeting.rewrite_corrupted,
            overlap: self.overlap,
            ..Shape::new(CHILDREN, self.meeting.vote_threshold)
        }
    }

    /// Whether it is promised that nothing goes wrong.
    fn must_be_safe(&self) -> bool {
        self.overlap == Overlap::Serialise && self.meeting.is_majority()
    }

    /// One story, and a read behind its end; says what the children hold in between.
    fn tell(&self, bed: &Bed, choices: &mut Choices) -> Result<Vec<char>, String> {
        let Bed { hand, array } = bed;
        hand.clear();
        hand.fill(&self.at_first());
        let count = self.meeting.requests.len();
        let mut requests = Vec::with_capacity(count);
        for at in 0..if count == 2 { 1 } else { count } {
            requests.push(self.make(bed, at));
            go_on(bed, &mut requests);
        }
        loop {
            let waiting = hand.waiting();
            let may = waiting.len() + usize::from(requests.len() < count);
            if may == 0 {
                break;
            }
            match waiting.get(choices.choose(may)) {
                Some(&operation) => hand.perform(operation),
                None => requests.push(self.make(bed, 1)),
            }
            go_on(bed, &mut requests);
        }
        choices.end();
        let done = |at: usize| hand.with_journal(|journal| judge::reply(journal, at).is_some());
        if let Some(at) = (0..count).find(|&at| !done(at)) {
            let name = words::name(&self.meeting, at);
            return Err(format!("{name} never ends, although no child has anything left to do."));
        }
        let held = hand.holds();
        hand.note(LAST_READ, What::Made);
        let mut last = vec![(LAST_READ, Task::new(array.pread(OFFSET, BYTES)))];
        go_on(bed, &mut last);
        while let [operation, ..] = hand.waiting()[..] {
            hand.perform(operation);
            go_on(bed, &mut last);
        }
        match done(LAST_READ) {
            true => Ok(held),
            false => Err("A read behind them never ends.".into()),
        }
    }

    fn at_first(&self) -> [char; CHILDREN] {
        let mut names = [OLD; CHILDREN];
        if let Some(child) = self.rotten {
            names[child] = ROT;
        }
        names
    }

    fn make<'a>(&self, bed: &'a Bed, at: usize) -> (usize, Task<'a>) {
        bed.hand.note(at, What::Made);
        let array = &*bed.array;
        let payload = bed.hand.bytes(self.meeting.written(at).unwrap_or(OLD));
        let order: IoFuture<'a, ()> = match self.meeting.requests[at] {
            Request::Read => return (at, Task::new(array.pread(OFFSET, BYTES))),
            Request::Write => array.pwrite(OFFSET, payload, Flags::NONE),
            Request::WriteFua => array.pwrite(OFFSET, payload, Flags::FUA),
            Request::Flush => array.flush(),
        };
        (at, Task::new(Box::pin(async { order.await.map(|()| Bytes::new()) })))
    }

    fn difference(&self, journal: &[Entry], held: &[char], why: String) -> Box<Difference> {
        let mut story = words::story(self, journal, held);
        let title = story.remove(0);
        Box::new(Difference { title, why, story })
    }
}

/// Polls whoever was woken until nobody is.
fn go_on(bed: &Bed, requests: &mut [(usize, Task<'_>)]) {
    while let Some((at, task)) = requests.iter_mut().find(|(_, task)| task.can_go_on()) {
        bed.hand.turn_to(*at);
        if let Some(reply) = task.go_on() {
            bed.hand.note_done(*at, reply);
        }
    }
}

fn contents() -> Contents {
    let named =
        |name: char| (name, vec![u8::try_from(name).expect("names are ASCII"); BYTES].into());
    Contents::new([OLD, WRITTEN[0], WRITTEN[1], ROT].map(named))
}

/// How many children there are.
pub const CHILDREN: usize = 3;
/// The number of the read behind the end.
const LAST_READ: usize = 3;
/// What the children hold at first.
const OLD: char = 'O';
/// What the first and the second request write.
const WRITTEN: [char; 2] = ['A', 'B'];
/// What a rotten child holds.
const ROT: char = 'X';
/// The bytes that all requests are about.
const OFFSET: u64 = 512;
const BYTES: usize = 16;
