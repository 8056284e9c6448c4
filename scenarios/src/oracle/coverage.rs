//! Counts what the votes of a run looked like to somebody who knows what is right.

use super::{case::Case, classified::Classified};
use quorate_reports::summary::{
    Cell, Summary,
    cell::{Parts, Traits},
};

/// Counts the cells of all votes whose right answer is known.
pub(super) fn count(case: &Case<'_>, summary: &mut Summary) {
    let votes = case.ledger.votes.iter().map(|vote| &vote.classified);
    for classified in votes.chain(&case.ledger.apart).filter(|classified| !classified.unknown) {
        if let Some(cell) = cell(classified) {
            *summary.cells.entry(cell).or_default() += 1;
        }
    }
    summary.spared += case.spared;
}

/// The cell of a vote; nothing for one of more children than are told apart.
fn cell(classified: &Classified) -> Option<Cell> {
    let Classified { op, children, threshold, right, fifo, inside, rewrites, healed, .. } =
        *classified;
    let wrong = Parts::new(&classified.wrong)?;
    let errors = Parts::new(&classified.errors)?;
    let traits = Traits { fifo, inside, repairs: rewrites, healed };
    let tie = classified.tie;
    let is_counted = right + wrong.total() + errors.total() <= children;
    let cell = Cell { op, children, threshold, right, wrong, errors, tie, traits };
    (is_counted && usize::from(children) <= Parts::CHILDREN_MAX).then_some(cell)
}
