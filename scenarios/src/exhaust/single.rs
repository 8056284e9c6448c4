//! One request: everything that children can answer, in every order.
//!
//! The specification tells each story first, and is asked at every turn how it may go on. Then the
//! array has to live through the same.

use super::{
    Difference, Subject,
    bed::{Bed, Shape},
    choices::Choices,
    classes::{self, CONTENTS, Kind},
    difference,
    hand::Contents,
    journal::{Entry, Question, What},
    tally::Tally,
    task::Task,
};
use crate::{
    fuzz::guard,
    runner::Engine,
    spec::{
        Reply,
        request::{Array, Ask, Content, Range, World, ZEROES},
    },
};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Errno, Event, Flags, IoFuture, quorum::options::ReadPattern};
use quorate_reports::counted;
use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
};

/// All stories that begin with these answers.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    subject: Subject,
    children: usize,
    threshold: usize,
    /// What each child answers when it is first asked; where they are asked one after the other,
    /// nothing, and every answer is a turn of the story.
    first: Vec<Reply<Content>>,
    /// The bytes that it is about.
    place: Place,
}

/// Bytes, and where contents of them differ.
#[derive(Clone, Copy, Debug)]
struct Place {
    range: Range,
    differ_at: u64,
}

/// The units of a subject with so many children, in order.
pub(super) fn units(subject: Subject, children: usize) -> Vec<Unit> {
    let (most, thresholds) = match subject {
        Subject::ReadVerify if children == 2 => (2, 2..=2),
        Subject::ReadVerify => return Vec::new(),
        Subject::WriteFua => (FUA_CHILDREN_MAX, 1..=children),
        Subject::WriteZeroes => (ZEROES_CHILDREN_MAX, 1..=children),
        _ => (super::CHILDREN_MAX, 1..=children),
    };
    if children > most {
        return Vec::new();
    }
    let lists = match subject {
        Subject::ReadFifo | Subject::Flush => vec![Vec::new()],
        Subject::Read | Subject::ReadRepair | Subject::ReadVerify => {
            classes::lists(Kind::Data, children)
        }
        Subject::Write | Subject::WriteFua => classes::lists(Kind::Outcome, children),
        Subject::WriteZeroes => classes::lists(Kind::MaybeUnsupported, children),
        Subject::PairsSerialise
        | Subject::PairsQemu
        | Subject::TrioSerialise
        | Subject::TrioQemu => unreachable!("they have units of their own"),
    };
    let mut units = Vec::new();
    for threshold in thresholds {
        for first in &lists {
            let (first, place) = (first.clone(), PLACES[units.len() % PLACES.len()]);
            units.push(Unit { subject, children, threshold, first, place });
        }
    }
    units
}

impl Unit {
    /// Tells every story, and has the array live through each.
    ///
    /// # Errors
    /// The array does something else.
    pub(super) fn run(
        &self,
        engine: Option<&dyn Engine>,
        stop: &AtomicBool,
    ) -> Result<Tally<()>, Box<Difference>> {
        let shape = self.shape();
        let array = shape.spec();
        let bed = guard::catch(|| Bed::open(&shape, self.contents(), engine));
        let bed = bed.unwrap_or_else(|panic| Err(panicked(&panic)));
        let bed = bed.map_err(|why| self.difference(&[], &[], format!("does not open: {why}")))?;
        let mut choices = Choices::default();
        let mut told = Vec::new();
        let mut tally = Tally::default();
        loop {
            told.clear();
            let mut script = Script::new(self, &mut choices, &mut told);
            let reply = self.tell(&array, &mut script);
            told.push(Entry { request: 0, what: What::Done(reply) });
            choices.end();
            let lived = guard::catch(|| self.live(&bed, &told));
            bed.hand.with_journal(|journal| match lived {
                Err(panic) => Err(self.difference(&told, journal, panicked(&panic))),
                Ok(()) if journal != told => Err(self.difference(&told, journal, String::new())),
                Ok(()) => {
                    tally.case(|text| {
                        for Entry { what, .. } in journal {
                            writeln!(text, "{what}").expect("a text takes text");
                        }
                    });
                    Ok(())
                }
            })?;
            if !choices.advance() || stop.load(Ordering::Relaxed) {
                return Ok(tally);
            }
        }
    }

    fn shape(&self) -> Shape {
        let fifo = self.subject == Subject::ReadFifo;
        Shape {
            pattern: if fifo { ReadPattern::Fifo } else { ReadPattern::Quorum },
            repairs: self.subject == Subject::ReadRepair,
            verifies: self.subject == Subject::ReadVerify,
            ..Shape::new(self.children, self.threshold)
        }
    }

    /// Contents differ in one byte only.
    fn contents(&self) -> Contents {
        let length = index(self.place.range.bytes);
        let named = |name: char| {
            let mut bytes = vec![b'.'; length];
            bytes[index(self.place.differ_at)] = u8::try_from(name).expect("names are ASCII");
            (name, Bytes::from(bytes))
        };
        let zeroes = (ZEROES, Bytes::from(vec![0; length]));
        Contents::new(CONTENTS.into_iter().chain([PAYLOAD]).map(named).chain([zeroes]))
    }

    /// What must happen.
    fn tell(&self, array: &Array, world: &mut dyn World) -> Reply<Content> {
        let range = self.place.range;
        match self.subject {
            Subject::Write => array.write(range, PAYLOAD, false, world),
            Subject::WriteFua => array.write(range, PAYLOAD, true, world),
            Subject::WriteZeroes => array.write_zeroes(range, world),
            Subject::Flush => array.flush(world),
            _ => array.read(range, world),
        }
    }

    /// What does happen, in the journal of the hand.
    fn live(&self, bed: &Bed, told: &[Entry]) {
        bed.hand.clear();
        let mut task = Task::new(self.ask(&*bed.array, bed.hand.bytes(PAYLOAD)));
        let mut go_on = || {
            if let Some(reply) = task.go_on() {
                bed.hand.note_done(0, reply);
            }
        };
        go_on();
        for entry in told {
            if let What::Answered(child, reply) = entry.what {
                if !bed.hand.answer_oldest(child, reply) {
                    return;
                }
                go_on();
            }
        }
    }

    fn ask<'a>(&self, array: &'a dyn BlockDevice, payload: Bytes) -> IoFuture<'a, Bytes> {
        let Range { offset, bytes } = self.place.range;
        let order: IoFuture<'a, ()> = match self.subject {
            Subject::Write => array.pwrite(offset, payload, Flags::NONE),
            Subject::WriteFua => array.pwrite(offset, payload, Flags::FUA),
            Subject::WriteZeroes => array.pwrite_zeroes(offset, bytes, Flags::NONE),
            Subject::Flush => array.flush(),
            _ => return array.pread(offset, index(bytes)),
        };
        Box::pin(async { order.await.map(|()| Bytes::new()) })
    }

    fn difference(&self, told: &[Entry], lived: &[Entry], why: String) -> Box<Difference> {
        let Range { offset, bytes } = self.place.range;
        let title = format!(
            "{}, {}, vote-threshold {}, {bytes} bytes at {offset}",
            self.subject.word(),
            counted(self.children as u64, "child", "children"),
            self.threshold
        );
        Box::new(difference::of(title, told, lived, why))
    }
}

/// The world as the specification sees it: whatever can happen is chosen.
struct Script<'a> {
    unit: &'a Unit,
    choices: &'a mut Choices,
    told: &'a mut Vec<Entry>,
    /// Who has not answered yet, and what they were asked.
    waiting: Vec<(usize, Ask)>,
    /// How often each child has answered.
    answers: [usize; super::CHILDREN_MAX],
    /// What was answered to flushes, or by one child after the other.
    in_turn: Vec<Reply<Content>>,
}

impl<'a> Script<'a> {
    fn new(unit: &'a Unit, choices: &'a mut Choices, told: &'a mut Vec<Entry>) -> Self {
        let answers = [0; super::CHILDREN_MAX];
        Self { unit, choices, told, waiting: Vec::new(), answers, in_turn: Vec::new() }
    }

    /// What a child answers.
    fn reply(&mut self, child: usize, ask: Ask) -> Reply<Content> {
        self.answers[child] += 1;
        if let (1, Some(reply)) = (self.answers[child], self.unit.first.get(child)) {
            return *reply;
        }
        let kind = match ask {
            Ask::Read(_) => Kind::Data,
            Ask::Flush => Kind::Outcome,
            Ask::Write(..) | Ask::Zeroes(_) => {
                let supports = [Ok(None), Err(Errno::EIO), Err(Errno::ENOTSUP)];
                // Only of zeroes as data it matters which error; not of a repair, nor of a last attempt.
                let zeroes = self.unit.subject == Subject::WriteZeroes && self.answers[child] == 2;
                let may = if zeroes { &supports[..] } else { &supports[..2] };
                return may[self.choices.choose(may.len())];
            }
        };
        let may = classes::next(kind, &self.in_turn);
        let reply = may[self.choices.choose(may.len())];
        self.in_turn.push(reply);
        reply
    }

    fn tell(&mut self, what: What) {
        self.told.push(Entry { request: 0, what });
    }
}

impl World for Script<'_> {
    fn ask(&mut self, child: usize, ask: Ask) {
        self.waiting.push((child, ask));
        self.tell(What::Asked(child, Question::Of(ask)));
    }

    fn answer(&mut self) -> (usize, Reply<Content>) {
        let (child, ask) = self.waiting.remove(self.choices.choose(self.waiting.len()));
        let reply = self.reply(child, ask);
        self.tell(What::Answered(child, reply));
        (child, reply)
    }

    fn report(&mut self, event: Event) {
        self.tell(What::Reported(event));
    }

    fn first_difference(&self, _: Content, _: Content) -> u64 {
        self.unit.place.differ_at
    }
}

fn panicked(panic: &str) -> String {
    format!("panics: {panic}")
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("requests are small")
}

/// With more children there are too many cases in which both halves of the request vary.
const FUA_CHILDREN_MAX: usize = 4;
const ZEROES_CHILDREN_MAX: usize = 3;

/// What is written.
const PAYLOAD: char = 'W';

/// Requests that begin and end inside sectors, that are one, that lie inside of one, and that have a
/// byte of each of two; the next unit takes the next.
const PLACES: [Place; 4] = [
    Place { range: Range { offset: 1000, bytes: 100 }, differ_at: 99 },
    Place { range: Range { offset: 512, bytes: 512 }, differ_at: 0 },
    Place { range: Range { offset: 700, bytes: 10 }, differ_at: 4 },
    Place { range: Range { offset: 1023, bytes: 2 }, differ_at: 1 },
];
