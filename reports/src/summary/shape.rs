//! Vote shapes: which kinds of vote the runs have seen.

use crate::{trace::Payload, words};
use quorate_engine::{OpType, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// One kind of vote; as text `read 2/3 outvoted`, the threshold before the number of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shape {
    /// What was voted on.
    pub op: OpType,
    /// How many children there were.
    pub children: u8,
    /// How many had to agree.
    pub threshold: u8,
    /// How it came out.
    pub form: Form,
}

/// How a vote came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// All children answered alike.
    Unanimous,
    /// Some failed, the others answered alike and were enough.
    Degraded,
    /// A version had more votes than any other, and enough.
    Outvoted,
    /// Versions had equally many votes, and enough: the one first seen last won.
    Tie,
    /// Enough children answered, no version had enough votes.
    NoMajority,
    /// Too few succeeded, and one error was the most frequent.
    TooFew,
    /// Too few succeeded, and errors were equally frequent: the one first seen last won.
    ErrorTie,
    /// In fifo order the first child answered.
    FifoFirst,
    /// In fifo order a later child answered.
    FifoFallback,
    /// In fifo order no child answered.
    FifoNone,
    /// The two children of a blkverify array differed.
    Mismatch,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 11] = [
        Self::Unanimous,
        Self::Degraded,
        Self::Outvoted,
        Self::Tie,
        Self::NoMajority,
        Self::TooFew,
        Self::ErrorTie,
        Self::FifoFirst,
        Self::FifoFallback,
        Self::FifoNone,
        Self::Mismatch,
    ];

    /// How a vote comes out over what each child answered. Writes and flushes have no data to
    /// differ in: give them all [`Payload::default`].
    ///
    /// # Panics
    /// If there are no replies.
    #[must_use]
    pub fn of(replies: &[Result<Payload>], threshold: usize) -> Self {
        assert!(!replies.is_empty(), "somebody has to vote");
        let good = replies.iter().filter(|reply| reply.is_ok()).count();
        if good < threshold {
            let errors = votes(replies.iter().filter_map(|reply| reply.err()));
            return if is_tie(&errors) { Self::ErrorTie } else { Self::TooFew };
        }
        if replies.iter().all(|reply| reply.is_ok() && *reply == replies[0]) {
            return Self::Unanimous;
        }
        let versions = votes(replies.iter().filter_map(|reply| reply.ok()));
        match (versions.len(), versions.iter().max()) {
            (1, _) => Self::Degraded,
            (_, Some(&most)) if most < threshold => Self::NoMajority,
            _ if is_tie(&versions) => Self::Tie,
            _ => Self::Outvoted,
        }
    }

    /// Whether a vote on this operation can come out so.
    #[must_use]
    pub fn can_be_of(self, op: OpType) -> bool {
        match self {
            Self::Unanimous | Self::Degraded | Self::TooFew | Self::ErrorTie => true,
            _ => op == OpType::Read,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unanimous => "unanimous",
            Self::Degraded => "degraded",
            Self::Outvoted => "outvoted",
            Self::Tie => "tie",
            Self::NoMajority => "no-majority",
            Self::TooFew => "too-few",
            Self::ErrorTie => "error-tie",
            Self::FifoFirst => "fifo-first",
            Self::FifoFallback => "fifo-fallback",
            Self::FifoNone => "fifo-none",
            Self::Mismatch => "mismatch",
        }
    }
}

/// How many times each value is there, without saying which.
fn votes<T: Ord>(values: impl Iterator<Item = T>) -> Vec<usize> {
    let mut votes: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *votes.entry(value).or_default() += 1;
    }
    votes.into_values().collect()
}

fn is_tie(votes: &[usize]) -> bool {
    let most = votes.iter().max();
    votes.iter().filter(|count| Some(*count) == most).count() > 1
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, children, threshold, form } = self;
        write!(f, "{} {threshold}/{children} {form}", words::op(*op))
    }
}

/// The text is not a vote shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a vote shape such as 'read 2/3 outvoted'")]
pub struct ParseShapeError(String);

impl FromStr for Shape {
    type Err = ParseShapeError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseShapeError> {
        let shape = || {
            let mut words = text.split(' ');
            let op = words.next()?;
            let ops = [OpType::Read, OpType::Write, OpType::Flush];
            let op = ops.into_iter().find(|o| words::op(*o) == op)?;
            let (threshold, children) = words.next()?.split_once('/')?;
            let form = words.next()?;
            let form = Form::ALL.into_iter().find(|f| f.word() == form)?;
            let shape = Self {
                op,
                children: children.parse().ok()?,
                threshold: threshold.parse().ok()?,
                form,
            };
            words.next().is_none().then_some(shape)
        };
        shape().ok_or_else(|| ParseShapeError(text.into()))
    }
}

impl From<Shape> for String {
    fn from(shape: Shape) -> Self {
        shape.to_string()
    }
}

impl TryFrom<String> for Shape {
    type Error = ParseShapeError;

    fn try_from(text: String) -> std::result::Result<Self, ParseShapeError> {
        text.parse()
    }
}
