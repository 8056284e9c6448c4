//! What rules look at of a child before they decide.

use crate::{
    alteration::Run,
    fault::{Earlier, Fault},
    medium::{Volatile, landed},
};
use rangemap::RangeSet;
use std::ops::{BitOr, Range};

/// What a child is and has done, as far as its rules ask for it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Its length.
    pub(crate) length: u64,
    /// What is not durable, and what is in flight.
    pub(crate) volatile: Volatile,
    /// What each write has replaced, oldest first.
    pub(crate) replaced: Vec<Run>,
    /// What each write has written, oldest first.
    pub(crate) written: Vec<Run>,
}

/// What rules ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) length: bool,
    pub(crate) volatile: bool,
    /// What is in flight, too.
    pub(crate) in_flight: bool,
    pub(crate) history: bool,
}

impl Needs {
    pub(crate) fn of(fault: &Fault) -> Self {
        let none = Self::default();
        match fault {
            Fault::Misdirect { .. } | Fault::Widen { .. } => Self { length: true, ..none },
            Fault::Unreadable { .. } => Self { length: true, ..none },
            Fault::Crash(_) => Self { volatile: true, in_flight: true, ..none },
            Fault::Flush { .. } => Self { volatile: true, ..none },
            Fault::Replay(_) | Fault::Rollback(_) => Self { history: true, ..none },
            _ => none,
        }
    }

    /// Whether it takes a look at the child.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }
}

impl BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            length: self.length || other.length,
            volatile: self.volatile || other.volatile,
            in_flight: self.in_flight || other.in_flight,
            history: self.history || other.history,
        }
    }
}

impl Seen {
    /// The write that a replay lets land once more over `range`: all of its runs.
    pub(crate) fn replayed(&self, earlier: Earlier, range: &Range<u64>) -> Vec<Run> {
        let write = match earlier {
            Earlier::Write(write) => Some(write),
            Earlier::Back(lag) => {
                let touches =
                    |run: &&Run| run.range.start < range.end && range.start < run.range.end;
                let mut writes: Vec<u64> =
                    self.written.iter().filter(touches).map(|run| run.write).collect();
                writes.dedup();
                let back = usize::try_from(lag).ok().and_then(|lag| writes.len().checked_sub(lag));
                back.and_then(|at| writes.get(at).copied())
            }
        };
        self.written.iter().filter(|run| Some(run.write) == write).cloned().collect()
    }

    /// The write behind which a child that goes back stands, and the bytes that become old; nothing
    /// if it has not written as often, or nothing since.
    pub(crate) fn rolled_back(&self, earlier: Earlier) -> Option<(u64, Vec<Range<u64>>)> {
        let write = match earlier {
            Earlier::Write(write) => write,
            Earlier::Back(versions) => {
                let mut writes: Vec<u64> = self.replaced.iter().map(|run| run.write).collect();
                writes.dedup();
                let left = writes.len().checked_sub(usize::try_from(versions).ok()?)?;
                left.checked_sub(1).map_or(0, |last| writes[last])
            }
        };
        let mut ranges = RangeSet::new();
        let stays = landed(self.replaced.iter().map(|run| run.write), write);
        let behind = self.replaced.iter().skip(stays);
        behind.for_each(|run| ranges.insert(run.range.clone()));
        (!ranges.is_empty()).then(|| (write, ranges.into_iter().collect()))
    }
}
