//! Which operation completes next, where that is not the earliest.

use crate::queue::Label;

/// An operation that may complete next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which it is.
    pub label: Label,
    /// When it is due.
    pub deadline: u64,
    /// Its place among all that was ever entered into the queue.
    pub number: u64,
}

/// What stands at a completion.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The time.
    pub now: u64,
    /// How many operations have completed.
    pub completed: u64,
    /// The operations to choose from, at least one, in no order.
    pub candidates: &'a [Candidate],
}

/// An operation that is to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Its place in the list of candidates.
    pub at: usize,
    /// The time before which it does not complete; zero for none.
    pub not_before: u64,
}

/// Decides the order in which operations of devices complete.
///
/// It has no say over time but [`Picked::not_before`]: what is picked completes when it is due, if
/// that is not over, and after what completed before it. A timer that ends by then ends first, and the
/// picker is asked again.
pub trait Picker: Send {
    /// Which operation completes next.
    fn pick(&mut self, choice: Choice<'_>) -> Picked;
}

/// The place of the candidate that is due first; of equal ones the older.
#[must_use]
pub fn earliest(candidates: &[Candidate]) -> Option<usize> {
    let places = candidates.iter().enumerate();
    places.min_by_key(|(_, c)| (c.deadline, c.number)).map(|(at, _)| at)
}
