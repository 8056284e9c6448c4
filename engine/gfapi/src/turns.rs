//! Who may go, and who has to wait for whom.
//!
//! libgfapi does not keep calls in order that are in flight together, not even a read that comes after
//! a write. So a call waits until those that began before it and that it overlaps have answered.

use std::ops::Range;

/// The calls of a file that have begun and not ended.
pub(crate) struct Turns<T> {
    closing: bool,
    /// In the order in which they began.
    entries: Vec<Entry<T>>,
}

/// What a call has to do with.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// No bytes in particular.
    File,
    /// Bytes that it looks at.
    Reads(Range<u64>),
    /// Bytes that it changes.
    Writes(Range<u64>),
    /// Everything, as the last call of all.
    Close,
}

struct Entry<T> {
    number: u64,
    reach: Reach,
    /// The call, while it waits.
    waits: Option<T>,
}

/// The file is closed, or is being closed.
#[derive(Debug)]
pub(crate) struct Closed;

impl<T: Clone> Turns<T> {
    pub(crate) fn new() -> Self {
        Self { closing: false, entries: Vec::new() }
    }

    /// Adds a call, by a number that is its own. Whether it may go now.
    pub(crate) fn begin(&mut self, number: u64, reach: Reach, call: &T) -> Result<bool, Closed> {
        if self.closing {
            return Err(Closed);
        }
        self.closing = matches!(reach, Reach::Close);
        let goes = !self.entries.iter().any(|earlier| earlier.reach.meets(&reach));
        let waits = (!goes).then(|| call.clone());
        self.entries.push(Entry { number, reach, waits });
        Ok(goes)
    }

    /// The first call that gluster has not answered.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let mut gone = self.entries.iter().filter(|entry| entry.waits.is_none());
        gone.next().map(|entry| entry.number)
    }

    /// Adds a call that waits for nobody, and for which a close waits that has begun already. Whether it may
    /// go: if gluster has answered everything else, the file may be closed by now.
    pub(crate) fn beside(&mut self, number: u64) -> bool {
        let open = |entry: &Entry<T>| entry.waits.is_none() && !matches!(entry.reach, Reach::Close);
        let goes = self.entries.iter().any(open);
        if goes {
            self.entries.insert(0, Entry { number, reach: Reach::File, waits: None });
        }
        goes
    }

    /// Takes out a call that has answered. Those that may go now.
    pub(crate) fn end(&mut self, number: u64) -> Vec<T> {
        let at = self.entries.iter().position(|entry| entry.number == number);
        self.entries.remove(at.expect("a call ends once"));
        let mut free = Vec::new();
        for i in 0..self.entries.len() {
            let (earlier, rest) = self.entries.split_at_mut(i);
            let entry = &mut rest[0];
            if entry.waits.is_some() && !earlier.iter().any(|e| e.reach.meets(&entry.reach)) {
                free.extend(entry.waits.take());
            }
        }
        free
    }
}

impl Reach {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Close, _) | (_, Self::Close) => true,
            (Self::File, _) | (_, Self::File) | (Self::Reads(_), Self::Reads(_)) => false,
            (Self::Reads(a) | Self::Writes(a), Self::Reads(b) | Self::Writes(b)) => {
                a.start.max(b.start) < a.end.min(b.end)
            }
        }
    }
}
