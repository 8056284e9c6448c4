//! What a vote can bear.

/// The laws of a vote among `children`, of whom `threshold` must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laws {
    /// How many children vote.
    pub children: u32,
    /// How many must agree.
    pub threshold: u32,
    /// Whether reads are answered by the first child that can.
    pub fifo: bool,
    /// By how many children to be laxer than is right.
    pub beyond: u32,
}

impl Laws {
    /// Whether a read is right for certain, of which `failing` children answer an error and `wrong`
    /// ones something else than they should, in whatever order and however they collude.
    ///
    /// If no two sets of `threshold` children are disjoint, enough right ones suffice; else the right
    /// ones must be more than the wrong ones as well.
    #[must_use]
    pub fn bears_read(&self, failing: u32, wrong: u32) -> bool {
        if self.fifo {
            return wrong <= self.beyond && failing + wrong < self.children + self.beyond;
        }
        let is_enough = failing + wrong <= self.tolerance();
        let is_overlapping = 2 * self.threshold > self.children;
        let outnumber = failing + 2 * wrong < self.children + 2 * self.beyond;
        is_enough && (is_overlapping || wrong == 0 || outnumber)
    }

    /// Whether a write or a flush succeeds for certain that as many children fail.
    #[must_use]
    pub fn bears_change(&self, failing: u32) -> bool {
        failing <= self.tolerance()
    }

    /// How many children may be of no use.
    #[must_use]
    pub fn tolerance(&self) -> u32 {
        self.children.saturating_sub(self.threshold) + self.beyond
    }
}
