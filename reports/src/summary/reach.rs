//! Which cells a fuzz is meant to reach.

use super::{
    Colour, Summary, Tone,
    cell::{Cell, Parts, Tie, Traits},
};
use crate::words::{counted, thousands};
use quorate_engine::OpType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a profile declares that it reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Of arrays of so many children, with every threshold, every vote.
    pub children: BTreeSet<u8>,
    /// After so many runs of the profile.
    pub after: u64,
}

/// Every way in which an array of `children` can vote if `threshold` must agree, without regard to how
/// errors are spread: on reads, in fifo order, on writes, on flushes.
#[must_use]
pub fn cores(children: u8, threshold: u8) -> Vec<Cell> {
    let plain = Cell {
        op: OpType::Read,
        children,
        threshold,
        right: 0,
        wrong: Parts::default(),
        errors: Parts::default(),
        tie: Tie::None,
        traits: Traits::default(),
    };
    let errors = |count: u8| Parts::new(&[count]).unwrap_or_default();
    let mut cores = Vec::new();
    for right in 0..=children {
        for failed in 0..=children - right {
            for sizes in partitions(children - right - failed, children) {
                let wrong = Parts::new(&sizes).unwrap_or_default();
                cores.push(Cell { right, wrong, errors: errors(failed), ..plain });
            }
        }
    }
    for op in [OpType::Write, OpType::Flush] {
        let change = |right| Cell { op, right, errors: errors(children - right), ..plain };
        cores.extend((0..=children).map(change));
    }
    // The first that does not fail is right, or is wrong, or there is none.
    for failed in 0..=children {
        let traits = Traits { fifo: true, ..Traits::default() };
        let fifo = Cell { errors: errors(failed), traits, ..plain };
        match failed == children {
            true => cores.push(fifo),
            false => {
                let wrong = Parts::new(&[1]).unwrap_or_default();
                cores.extend([Cell { right: 1, ..fifo }, Cell { wrong, ..fifo }]);
            }
        }
    }
    cores
}

/// Every way to split so many into parties of at most `most`, the largest first.
fn partitions(count: u8, most: u8) -> Vec<Vec<u8>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in (1..=count.min(most)).rev() {
        for rest in partitions(count - first, first) {
            all.push([vec![first], rest].concat());
        }
    }
    all
}

/// What was reached of what was declared, and what should have been and was not.
pub(super) fn render(summary: &Summary, colour: Colour) -> String {
    if summary.cells.is_empty() {
        return String::new();
    }
    let cells = counted(summary.cells.len() as u64, "cell", "cells");
    let mut text = format!("  {cells} of coverage");
    if !summary.reach.is_empty() {
        let (reached, declared) = summary.reached();
        let [reached, declared] = [reached, declared].map(|count| thousands(count as u64));
        text +=
            &format!(", which reach {reached} of the {declared} votes that are declared reachable");
    }
    text.push('\n');
    let missing = summary.unreached();
    for cell in missing.iter().take(MISSING_MAX) {
        text += &format!("  {}\n", colour.paint(Tone::Bad, &format!("never reached: {cell}")));
    }
    if missing.len() > MISSING_MAX {
        let more = thousands((missing.len() - MISSING_MAX) as u64);
        text += &format!("  {}\n", colour.paint(Tone::Faint, &format!("… {more} more")));
    }
    text
}

impl Reach {
    /// Declares what both declare.
    pub(super) fn merge(&mut self, other: Self) {
        self.children.extend(other.children);
        self.after = self.after.max(other.after);
    }

    /// All that is declared.
    pub fn cores(&self) -> impl Iterator<Item = Cell> + '_ {
        let sizes = self.children.iter();
        sizes.flat_map(|&n| (1..=n).flat_map(move |threshold| cores(n, threshold)))
    }
}

impl Summary {
    /// The cells that were declared and should have been reached by now, and were not.
    #[must_use]
    pub fn unreached(&self) -> BTreeSet<Cell> {
        let ran = |profile| self.profiles.get(profile).copied().unwrap_or(0);
        let due = self.reach.iter().filter(|(profile, reach)| ran(*profile) >= reach.after);
        let mut declared: BTreeSet<Cell> = due.flat_map(|(_, reach)| reach.cores()).collect();
        for cell in self.cells.keys() {
            declared.remove(&cell.core());
        }
        declared
    }

    /// How many of the cells that were declared were reached, and how many there are.
    #[must_use]
    pub fn reached(&self) -> (usize, usize) {
        let declared: BTreeSet<Cell> = self.reach.values().flat_map(Reach::cores).collect();
        let visited: BTreeSet<Cell> = self.cells.keys().map(|cell| cell.core()).collect();
        (declared.intersection(&visited).count(), declared.len())
    }
}

/// How many cells that were not reached are named.
const MISSING_MAX: usize = 10;
