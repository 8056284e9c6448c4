//! What the number of suspects says of a vote before it is counted, and what its classes say of the
//! outcome: the laws of voting, not the vote.

use quorate_reports::summary::cell::Tie;

/// Whether a read with so many suspects must be right: those that failed, and those that may have
/// answered something else.
pub(super) fn read_is_inside(
    children: usize,
    threshold: usize,
    failed: usize,
    wrong: usize,
) -> bool {
    let spare = children.saturating_sub(threshold);
    let fits = failed + wrong <= spare;
    // Where half of the children are enough, wrong ones may tie with right ones or win.
    fits && (2 * threshold > children || wrong == 0 || failed + 2 * wrong < children)
}

/// Whether a write or a flush that fails on so many must succeed.
pub(super) fn write_is_inside(children: usize, threshold: usize, failed: usize) -> bool {
    failed <= children.saturating_sub(threshold)
}

/// The answers of one vote over the same bytes, by what they are.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// Who answered right.
    pub(super) right: Vec<usize>,
    /// Who answered wrong, in classes of equal answers, in order of their first members.
    pub(super) wrong: Vec<Vec<usize>>,
    /// How many failed.
    pub(super) failed: usize,
}

/// What must come of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    /// The right bytes.
    Right,
    /// Nothing: too few answered.
    TooFew,
    /// Nothing: too few answered alike.
    NoMajority,
    /// The bytes of the wrong class of this number.
    Wrong(usize),
}

impl Classes {
    /// What the laws say of a vote with these classes.
    pub(super) fn predict(&self, threshold: usize) -> Prediction {
        let all_wrong: usize = self.wrong.iter().map(Vec::len).sum();
        if self.right.len() + all_wrong < threshold {
            return Prediction::TooFew;
        }
        // Of equally large classes the one that was first seen last.
        let best = (0..self.wrong.len()).max_by_key(|&c| (self.wrong[c].len(), self.wrong[c][0]));
        let (most, last) = best.map_or((0, 0), |c| (self.wrong[c].len(), self.wrong[c][0]));
        let right = self.right.len();
        let right_wins = right > most || right == most && self.right.first() > Some(&last);
        match best {
            _ if right_wins && right >= threshold => Prediction::Right,
            Some(class) if !right_wins && most >= threshold => Prediction::Wrong(class),
            _ => Prediction::NoMajority,
        }
    }

    /// Whether the largest classes are equally large, and who wins then.
    pub(super) fn tie(&self) -> Tie {
        let all = self.wrong.iter().chain([&self.right]).filter(|class| !class.is_empty());
        let most = all.clone().map(Vec::len).max().unwrap_or(0);
        let largest: Vec<usize> = all.filter(|class| class.len() == most).map(|c| c[0]).collect();
        let last = largest.iter().max();
        match self.right.first().filter(|_| self.right.len() == most) {
            _ if largest.len() < 2 => Tie::None,
            None => Tie::Strangers,
            Some(right) if Some(right) == last => Tie::Right,
            Some(_) => Tie::Wrong,
        }
    }

    /// Who answered otherwise than a vote with this outcome says.
    pub(super) fn losers(&self, prediction: Prediction) -> Vec<usize> {
        let wrong = self.wrong.iter().enumerate();
        let of = |winner: Option<usize>| {
            let others = wrong.filter(move |(class, _)| Some(*class) != winner);
            others.flat_map(|(_, class)| class.iter().copied())
        };
        let mut losers: Vec<usize> = match prediction {
            Prediction::Right => of(None).collect(),
            Prediction::Wrong(class) => of(Some(class)).chain(self.right.iter().copied()).collect(),
            Prediction::TooFew | Prediction::NoMajority => Vec::new(),
        };
        losers.sort_unstable();
        losers
    }
}
