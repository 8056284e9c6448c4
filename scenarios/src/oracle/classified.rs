//! What the answers of a vote were, by class.

use quorate_engine::OpType;
use quorate_reports::summary::cell::Tie;

/// The classes of the answers of one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What was voted on.
    pub op: OpType,
    /// How many children there were.
    pub children: u8,
    /// How many had to agree.
    pub threshold: u8,
    /// How many answered right.
    pub right: u8,
    /// How many answered the same wrong bytes, for each of them.
    pub wrong: Vec<u8>,
    /// How many failed with the same error, for each error.
    pub errors: Vec<u8>,
    /// Whether versions had equally many votes, more than others.
    pub tie: Tie,
    /// Whether children were asked one after the other.
    pub fifo: bool,
    /// Whether nobody could say what is right: then the answers count as wrong.
    pub unknown: bool,
    /// Whether the request was inside of what is tolerated.
    pub inside: bool,
    /// Whether the array repairs those who lose.
    pub rewrites: bool,
    /// Whether a child took part whose bytes there had been wrong, and put right.
    pub healed: bool,
}
