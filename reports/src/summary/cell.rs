//! Cells of coverage: what a vote looked like to somebody who knows what is right.

use crate::words;
use quorate_engine::OpType;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One kind of vote, as fine as coverage is counted; as text
/// `read 2/3 right 1 wrong 1 errors 1 tie-wrong outside repairs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cell {
    /// What was voted on.
    pub op: OpType,
    /// How many children there were.
    pub children: u8,
    /// How many had to agree.
    pub threshold: u8,
    /// How many were right; of a change, how many made it.
    pub right: u8,
    /// How many agreed on something wrong, for each such thing.
    pub wrong: Parts,
    /// How many answered the same error, for each error.
    pub errors: Parts,
    /// Whether versions had equally many votes, more than others.
    pub tie: Tie,
    /// How it was come by, and what it led to.
    pub traits: Traits,
}

/// Whether versions had equally many votes, more than others; and who won by coming last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// One had more than the others.
    #[default]
    None,
    /// What is right won.
    Right,
    /// Something wrong won against what is right.
    Wrong,
    /// Only wrong ones had as many.
    Strangers,
}

/// How a vote was come by, and what it led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits {
    /// The first child that answered was believed.
    pub fifo: bool,
    /// What had gone wrong was what the vote can bear.
    pub inside: bool,
    /// The array repairs those who lose.
    pub repairs: bool,
    /// Somebody took part who had been wrong before.
    pub healed: bool,
}

/// How many children make up each of a few parties, the largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parts([u8; CHILDREN_MAX]);

impl Parts {
    /// Votes of more children are not told apart so finely.
    pub const CHILDREN_MAX: usize = CHILDREN_MAX;

    /// The parties of these sizes; nothing if there are more children than are counted.
    #[must_use]
    pub fn new(sizes: &[u8]) -> Option<Self> {
        let mut parts = [0; CHILDREN_MAX];
        parts.get_mut(..sizes.len())?.copy_from_slice(sizes);
        parts.sort_unstable_by(|a, b| b.cmp(a));
        let total: usize = parts.iter().map(|size| usize::from(*size)).sum();
        (total <= CHILDREN_MAX).then_some(Self(parts))
    }

    /// All of them in one party.
    #[must_use]
    pub fn merged(self) -> Self {
        let mut merged = [0; CHILDREN_MAX];
        merged[0] = self.total();
        Self(merged)
    }

    /// How many children there are in all.
    #[must_use]
    pub fn total(self) -> u8 {
        self.0.iter().sum()
    }

    /// The sizes, the largest first.
    pub fn sizes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied().take_while(|size| *size > 0)
    }
}

impl Cell {
    /// What is the same for all cells that a fuzz aims at as one: who was right and which parties were
    /// wrong, but not how errors were spread, nor how it was come by.
    #[must_use]
    pub fn core(self) -> Self {
        let traits = Traits { fifo: self.traits.fifo, ..Traits::default() };
        Self { errors: self.errors.merged(), tie: Tie::None, traits, ..self }
    }
}

impl Tie {
    fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Right => "tie-right",
            Self::Wrong => "tie-wrong",
            Self::Strangers => "tie-strangers",
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0[0])?;
        self.sizes().skip(1).try_for_each(|size| write!(f, "+{size}"))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, children, threshold, right, wrong, errors, tie, traits } = self;
        let op = words::op(*op);
        write!(f, "{op} {threshold}/{children} right {right} wrong {wrong} errors {errors}")?;
        if *tie != Tie::None {
            write!(f, " {}", tie.word())?;
        }
        let traits = [
            (traits.fifo, "fifo"),
            (traits.inside, "inside"),
            (traits.repairs, "repairs"),
            (traits.healed, "healed"),
        ];
        let is_there = |(there, word)| if there { Some(word) } else { None };
        traits.into_iter().filter_map(is_there).try_for_each(|word| write!(f, " {word}"))
    }
}

/// The text is not a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cell such as 'read 2/3 right 2 wrong 1 errors 0 inside'")]
pub struct ParseCellError(String);

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        parse(text)
            .filter(|cell| cell.to_string() == text)
            .ok_or_else(|| ParseCellError(text.into()))
    }
}

fn parse(text: &str) -> Option<Cell> {
    let mut words = text.split(' ');
    let op = words.next()?;
    let op =
        [OpType::Read, OpType::Write, OpType::Flush].into_iter().find(|o| words::op(*o) == op)?;
    let (threshold, children) = words.next()?.split_once('/')?;
    let mut value = |key| (words.next()? == key).then(|| words.next())?;
    let parts = |text: &str| {
        let sizes: Option<Vec<u8>> = text.split('+').map(|size| size.parse().ok()).collect();
        Parts::new(&sizes?)
    };
    let mut cell = Cell {
        op,
        children: children.parse().ok()?,
        threshold: threshold.parse().ok()?,
        right: value("right")?.parse().ok()?,
        wrong: parts(value("wrong")?)?,
        errors: parts(value("errors")?)?,
        tie: Tie::None,
        traits: Traits::default(),
    };
    for word in words {
        match word {
            "fifo" => cell.traits.fifo = true,
            "inside" => cell.traits.inside = true,
            "repairs" => cell.traits.repairs = true,
            "healed" => cell.traits.healed = true,
            word => {
                let ties = [Tie::Right, Tie::Wrong, Tie::Strangers];
                cell.tie = ties.into_iter().find(|tie| tie.word() == word)?;
            }
        }
    }
    Some(cell)
}

impl From<Cell> for String {
    fn from(cell: Cell) -> Self {
        cell.to_string()
    }
}

impl TryFrom<String> for Cell {
    type Error = ParseCellError;

    fn try_from(text: String) -> Result<Self, ParseCellError> {
        text.parse()
    }
}

const CHILDREN_MAX: usize = 7;
