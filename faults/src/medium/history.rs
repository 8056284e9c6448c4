//! What a medium held before: what each write replaced, and what it wrote.

use super::{paste, to_u64};
use crate::alteration::Run;
use bytes::Bytes;
use std::ops::Range;

/// The past of a medium, as far as somebody asks for it.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What each write replaced, oldest first.
    replaced: Vec<Part>,
    /// What each wrote, oldest first.
    written: Vec<Part>,
}

/// A part of a write and its place. One that is applied in pieces has several.
#[derive(Clone, Debug)]
struct Part {
    write: u64,
    offset: u64,
    data: Bytes,
}

impl Part {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset + to_u64(self.data.len())
    }

    fn run(&self) -> Run {
        Run { write: self.write, range: self.range() }
    }

    fn touches(&self, range: &Range<u64>) -> bool {
        self.offset < range.end && range.start < self.range().end
    }
}

impl History {
    pub(super) fn push_replaced(&mut self, write: u64, offset: u64, data: Bytes) {
        self.replaced.push(Part { write, offset, data });
    }

    /// Notes what a write wrote. That it lands again tells nothing new.
    pub(super) fn push_written(&mut self, write: u64, offset: u64, data: Bytes) {
        let part = Part { write, offset, data };
        if !self.written.iter().any(|other| other.run() == part.run()) {
            self.written.push(part);
        }
    }

    /// Takes as many writes of the range back in what it holds now.
    pub(super) fn undo(&self, range: &Range<u64>, versions: u64, data: &mut [u8]) {
        let (mut undone, mut write_last) = (0, None);
        for part in self.replaced.iter().rev() {
            if part.touches(range) && write_last != Some(part.write) {
                if undone == versions {
                    break;
                }
                (undone, write_last) = (undone + 1, Some(part.write));
            }
            paste(data, range.start, part.offset, &part.data);
        }
    }

    /// What each write has replaced, oldest first.
    pub(super) fn replaced(&self) -> Vec<Run> {
        self.replaced.iter().map(Part::run).collect()
    }

    /// What was replaced behind this write, newest first, which is then forgotten.
    pub(super) fn roll_back(&mut self, write: u64) -> Vec<(u64, Bytes)> {
        let stays = landed(self.replaced.iter().map(|part| part.write), write);
        let gone = self.replaced.split_off(stays);
        gone.into_iter().rev().map(|part| (part.offset, part.data)).collect()
    }

    /// What each write wrote, oldest first.
    pub(super) fn written(&self) -> Vec<Run> {
        self.written.iter().map(Part::run).collect()
    }

    /// The bytes of these runs.
    pub(super) fn bytes(&self, runs: &[Run]) -> Vec<(u64, u64, Bytes)> {
        let of = |run: &Run| {
            let part = self.written.iter().find(|part| part.run() == *run)?;
            Some((part.write, part.offset, part.data.clone()))
        };
        runs.iter().filter_map(of).collect()
    }
}

/// How many pieces have landed when this write has, of those of these writes in the order in which
/// they landed: that is not the order in which they were asked for.
pub(crate) fn landed(writes: impl Iterator<Item = u64> + Clone, write: u64) -> usize {
    match writes.clone().position(|other| other == write) {
        Some(first) => first + writes.skip(first).take_while(|other| *other == write).count(),
        // It never landed: those before it remain.
        None => writes.take_while(|other| *other < write).count(),
    }
}
