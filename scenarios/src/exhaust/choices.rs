//! Every way through a story in which somebody has to choose.

/// A way through a tree of choices.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// Which was taken, of how many, from the root on.
    taken: Vec<(usize, usize)>,
    /// How many of them were made again since the begin of this way.
    made: usize,
    part: Part,
}

/// One of several parts of a tree, which are told apart by the first choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Which part, from 0.
    pub(super) number: usize,
    /// Of how many; there are at least as many ways to begin.
    pub(super) count: usize,
}

impl Default for Part {
    /// All of it.
    fn default() -> Self {
        Self { number: 0, count: 1 }
    }
}

impl Choices {
    /// The first way through a part of a tree.
    pub(super) fn of(part: Part) -> Self {
        Self { part, ..Self::default() }
    }

    /// One of so many.
    ///
    /// # Panics
    /// If there are not as many as the last time at this place: what is explored does something else
    /// when asked the same.
    pub(super) fn choose(&mut self, of: usize) -> usize {
        assert!(of > 0, "there is something to choose from");
        if self.made == self.taken.len() {
            let first = if self.made == 0 { self.part.number } else { 0 };
            assert!(first < of, "there are fewer ways to begin than parts");
            self.taken.push((first, of));
        }
        let (which, before) = self.taken[self.made];
        assert_eq!(before, of, "the same story goes on in another way than before");
        self.made += 1;
        which
    }

    /// Says that a way has come to its end.
    ///
    /// # Panics
    /// If it came further the last time: see [`Self::choose`].
    pub(super) fn end(&mut self) {
        assert_eq!(self.made, self.taken.len(), "the same story ends sooner than before");
        self.made = 0;
    }

    /// Turns to the next way, if there is one.
    pub(super) fn advance(&mut self) -> bool {
        assert_eq!(self.made, 0, "one way ends before the next one begins");
        while let Some((which, of)) = self.taken.pop() {
            let next = which + if self.taken.is_empty() { self.part.count } else { 1 };
            if next < of {
                self.taken.push((next, of));
                return true;
            }
        }
        false
    }
}
