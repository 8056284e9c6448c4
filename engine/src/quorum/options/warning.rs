//! What is allowed and not safe.

use crate::quorum::options::{QuorumOptions, ReadPattern};
use std::fmt;

/// Why an array that may be opened cannot be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two versions can reach the threshold at once.
    Tie {
        /// The threshold.
        threshold: usize,
        /// The number of children.
        children: usize,
    },
    /// Reads ask one child, writes go to all.
    FifoWrites,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tie { threshold, children } => write!(
                f,
                "vote-threshold {threshold} of {children} children is not a majority: two \
                 versions can both reach it, so a stale or corrupt minority can win a vote",
            ),
            Self::FifoWrites => f.write_str(
                "read-pattern fifo with writes: a read returns what the first child that answers \
                 holds, whatever the others hold, even where a write to that child failed",
            ),
        }
    }
}

/// What is not safe about these options.
pub(super) fn warnings(options: &QuorumOptions) -> Vec<Warning> {
    let (threshold, children) = (options.vote_threshold(), options.children().len());
    let fifo = options.read_pattern() == ReadPattern::Fifo;
    let tie = !fifo && threshold <= children / 2;
    let stale = fifo && !options.read_only() && children > 1;
    let tie = tie.then_some(Warning::Tie { threshold, children });
    tie.into_iter().chain(stale.then_some(Warning::FifoWrites)).collect()
}
