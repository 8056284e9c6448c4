//! One draw after the other.

use quorate_faults::draw::{Domain, Keyed};

/// Draws of one purpose for one seed.
#[derive(Debug)]
pub(super) struct Draws {
    keyed: Keyed,
    purpose: Domain,
    drawn: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, purpose: Domain) -> Self {
        Self { keyed: Keyed::new(seed), purpose, drawn: 0 }
    }

    /// A number below `count`.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.drawn += 1;
        self.keyed.draw(self.purpose, 0, self.drawn).below(0, count)
    }

    /// Whether this is the one case of so many.
    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of a list.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let at = self.below(list.len() as u64);
        &list[usize::try_from(at).expect("below the length of a list")]
    }
}
