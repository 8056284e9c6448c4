//! Calls of a file whose ranges overlap take effect in the order in which they began.

use super::watched::Watched;
use std::{ops::Range, sync::Arc};

/// The calls of an open file that have begun and not ended.
#[derive(Clone)]
pub(super) struct Order(Arc<Watched<Begun>>);

#[derive(Default)]
struct Begun {
    count: u64,
    closed: bool,
    calls: Vec<(u64, Reach)>,
}

/// What a call has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// No bytes in particular.
    File,
    /// Bytes that it looks at.
    Reads(Range<u64>),
    /// Bytes that it changes.
    Writes(Range<u64>),
    /// Everything, as the last call of all.
    Close,
}

/// A call that has begun. It ends when this is dropped.
pub(super) struct Turn {
    order: Order,
    number: u64,
}

impl Order {
    pub(super) fn new() -> Self {
        Self(Arc::new(Watched::new(Begun::default())))
    }

    /// Begins a call; none, if the file is closed or being closed.
    pub(super) fn begin(&self, reach: Reach) -> Option<Turn> {
        self.0.change(|begun| {
            if begun.closed {
                return None;
            }
            begun.closed = reach == Reach::Close;
            begun.count += 1;
            begun.calls.push((begun.count, reach));
            Some(Turn { order: self.clone(), number: begun.count })
        })
    }
}

impl Turn {
    /// Waits for every call that began before and overlaps.
    pub(super) async fn comes(&self) {
        let free = |begun: &mut Begun| {
            let own = begun.calls.iter().position(|(number, _)| *number == self.number);
            let (earlier, rest) = begun.calls.split_at(own.expect("it has not ended"));
            let reach = &rest[0].1;
            (!earlier.iter().any(|(_, other)| other.meets(reach))).then_some(())
        };
        self.order.0.until(free).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.order.0.change(|begun| begun.calls.retain(|(number, _)| *number != self.number));
    }
}

impl Reach {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Close, _) | (_, Self::Close) => true,
            (Self::File, _) | (_, Self::File) | (Self::Reads(_), Self::Reads(_)) => false,
            (Self::Reads(a) | Self::Writes(a), Self::Reads(b) | Self::Writes(b)) => overlap(a, b),
        }
    }
}

/// Whether two ranges have a byte in common.
pub(super) fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}
