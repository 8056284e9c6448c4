//! Runs that were written as JSON Lines, by this process or by another one, and where two of them differ.
//!
//! Each line has the digest of all that happened up to it. Once two runs differ their digests do so for
//! good, and so the first event in which they differ is found by bisection over the digests; of the
//! lines only those around it are read again. What was recorded may lie in a file.

use crate::{
    json::{self, SCHEMA},
    run::{Run, Verdict},
    trace::Digest,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::io::{self, BufRead, Cursor, Seek, SeekFrom};
use thiserror::Error;

mod difference;

pub use difference::{Difference, Place};

/// What lines can be read from, again and again.
pub trait Source: BufRead + Seek {}

impl<S: BufRead + Seek> Source for S {}

/// A recorded run.
pub struct Recorded {
    from: Box<dyn Source>,
    /// What the first line says.
    header: Header,
    /// What the last line says.
    end: End,
    /// Where each line in between begins, and the last one.
    lines: Vec<u64>,
    /// The lines in between that digests cover: their numbers and their digests.
    events: Vec<(usize, Digest)>,
}

/// What is not the recording of a run.
#[derive(Debug, Error)]
pub enum RecordedError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A line that is none.
    #[error("line {line} is none of a trace: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// A schema that this program does not know.
    #[error("it is of schema {0}, and this program reads schema {SCHEMA}")]
    Schema(u32),
    /// The end is not there.
    #[error("it is cut short: its last line is not the end of a run")]
    Cut,
    /// It has lines too many, or too few.
    #[error("it is damaged: its last line speaks of {said} entries, and it has {found}")]
    Entries {
        /// How many there were.
        said: usize,
        /// How many there are.
        found: usize,
    },
    /// A line without the digest that it should have.
    #[error("line {0} has no digest: an earlier version of this program has written it")]
    NoDigest(usize),
}

#[derive(Deserialize)]
struct Header {
    kind: String,
    schema: u32,
    scenario: String,
    token: String,
    #[serde(default)]
    commit: String,
}

#[derive(Deserialize)]
struct Line {
    kind: String,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct End {
    entries: usize,
    digest: String,
    verdict: String,
    violations: Vec<Violated>,
}

#[derive(PartialEq, Eq, Deserialize)]
struct Violated {
    check: String,
}

impl Recorded {
    /// A run of this commit, as it would be read if it had been written to a file.
    #[must_use]
    pub fn of(run: &Run, commit: &str) -> Self {
        let mut lines = Vec::new();
        json::write(run, commit, &mut lines).expect("a vector takes everything");
        Self::read(Cursor::new(lines)).expect("what was just written is well formed")
    }

    /// Reads what [`json::write`] has written.
    ///
    /// # Errors
    /// It cannot be read, or is not the whole recording of a run.
    pub fn read(mut from: impl Source + 'static) -> Result<Self, RecordedError> {
        let mut text = Vec::new();
        let mut at = from.read_until(b'\n', &mut text)? as u64;
        let header: Header = parse(&text, 1)?;
        if header.kind != "run" {
            return Err(wrong(1, "a trace begins with a line of the kind 'run'"));
        }
        if header.schema != SCHEMA {
            return Err(RecordedError::Schema(header.schema));
        }
        let (mut lines, mut events) = (Vec::new(), Vec::new());
        let end: End = loop {
            text.clear();
            let bytes = from.read_until(b'\n', &mut text)?;
            if !text.ends_with(b"\n") {
                return Err(RecordedError::Cut);
            }
            let number = lines.len() + 2;
            let line: Line = parse(&text, number)?;
            lines.push(at);
            at += bytes as u64;
            if line.kind == "end" {
                break parse(&text, number)?;
            }
            match line.digest {
                Some(digest) => {
                    let digest: Digest = digest.parse().map_err(|error| wrong(number, error))?;
                    events.push((lines.len() - 1, digest));
                }
                None if LEFT_OUT.contains(&&*line.kind) => {}
                None => return Err(RecordedError::NoDigest(number)),
            }
        };
        let found = lines.len() - 1;
        if end.entries != found {
            return Err(RecordedError::Entries { said: end.entries, found });
        }
        Ok(Self { from: Box::new(from), header, end, lines, events })
    }

    /// The name of its scenario.
    #[must_use]
    pub fn scenario(&self) -> &str {
        &self.header.scenario
    }

    /// What replays it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.header.token
    }

    /// The commit that it is of; empty, if that was not written down.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.header.commit
    }

    /// Whether it ended like this: in the word for a verdict and with a digest.
    #[must_use]
    pub fn ended(&self, verdict: &str, digest: &str) -> bool {
        self.end.verdict == verdict && self.end.digest == digest
    }

    /// Whether both ended in the same way.
    #[must_use]
    pub fn ended_as(&self, other: &Self) -> bool {
        self.ended(&other.end.verdict, &other.end.digest)
    }

    /// Where the other one is another run, if it is: the first event, or else what came of it.
    ///
    /// # Errors
    /// A recording cannot be read any more.
    pub fn difference(&mut self, other: &mut Self) -> io::Result<Option<Difference>> {
        let agreed = agreed(&self.events, &other.events);
        let unrecorded =
            |run: &Self| run.events.is_empty() && run.end.verdict != Verdict::Held.word();
        let place = if unrecorded(self) != unrecorded(other) {
            // Of a run that panicked nothing is left to compare.
            Place::Verdict
        } else if agreed < self.events.len().max(other.events.len()) {
            Place::Event
        } else if self.end.digest != other.end.digest {
            Place::Media
        } else if self.end.verdict != other.end.verdict
            || self.end.violations != other.end.violations
        {
            Place::Verdict
        } else {
            return Ok(None);
        };
        let ends = [self.ending(), other.ending()];
        let mut difference = Difference {
            place,
            agreed,
            entry: None,
            ends,
            both: Vec::new(),
            here: Vec::new(),
            there: Vec::new(),
        };
        if place == Place::Event {
            let after = |run: &Self| match agreed.checked_sub(1) {
                Some(last) => run.events[last].0 + 1,
                None => 0,
            };
            let from = after(self);
            difference.both = self.show(from.saturating_sub(BEFORE), from)?;
            difference.entry = self.events.get(agreed).map(|(line, _)| *line);
            difference.here = self.show_from(from, agreed)?;
            let from = after(other);
            difference.there = other.show_from(from, agreed)?;
        }
        Ok(Some(difference))
    }

    /// The lines from one on, up to a few behind an event; the last line of all, if there is no such event.
    fn show_from(&mut self, from: usize, event: usize) -> io::Result<Vec<String>> {
        let last = self.events.get(event).map_or(self.lines.len() - 1, |(line, _)| *line);
        self.show(from, (last + 1 + AFTER).min(self.lines.len()))
    }

    /// Lines by their numbers, without their digests.
    fn show(&mut self, from: usize, to: usize) -> io::Result<Vec<String>> {
        let mut shown = Vec::new();
        self.from.seek(SeekFrom::Start(self.lines[from]))?;
        for _ in from..to {
            let mut text = String::new();
            self.from.read_line(&mut text)?;
            let mut object: Map<String, Value> = serde_json::from_str(&text)?;
            object.shift_remove("digest");
            shown.push(Value::Object(object).to_string());
        }
        Ok(shown)
    }

    fn ending(&self) -> String {
        let checks: Vec<&str> = self.end.violations.iter().map(|v| &*v.check).collect();
        match checks.is_empty() {
            true => self.end.verdict.clone(),
            false => format!("{} ({})", self.end.verdict, checks.join(", ")),
        }
    }
}

/// How many events two runs begin with that are the same.
fn agreed(here: &[(usize, Digest)], there: &[(usize, Digest)]) -> usize {
    let same = |number: usize| here[number].1 == there[number].1;
    let (mut agreed, mut end) = (0, here.len().min(there.len()));
    while agreed < end {
        let middle = agreed + (end - agreed) / 2;
        match same(middle) {
            true => agreed = middle + 1,
            false => end = middle,
        }
    }
    agreed
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], line: usize) -> Result<T, RecordedError> {
    serde_json::from_slice(text).map_err(|error| wrong(line, error))
}

fn wrong(line: usize, why: impl ToString) -> RecordedError {
    RecordedError::Line { line, why: why.to_string() }
}

/// The kinds of lines that digests leave out.
const LEFT_OUT: [&str; 3] = ["injected", "spared", "control"];
/// How many lines are shown before the first difference.
const BEFORE: usize = 4;
/// How many lines are shown behind it.
const AFTER: usize = 3;
