//! The volatile cache of a device: what it shows, but would not show behind a power cut.
//!
//! The store holds what is visible. Kept here are the writes that no flush has made durable, oldest
//! first, and of each sector that they touch what is durable of it.

use super::{paste, to_u64, to_usize};
use crate::alteration::{Flip, Run};
use bytes::Bytes;
use quorate_engine::SECTOR_BYTES;
use std::{collections::BTreeMap, mem, ops::Range};

/// What is not durable.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// What is durable of the sectors that fragments touch, by their number.
    durable: BTreeMap<u64, Vec<u8>>,
    /// Oldest first.
    fragments: Vec<Fragment>,
    /// How many fragments there have been.
    count: u64,
    /// The durable length, if the device has another one.
    length: Option<u64>,
}

/// A write, or what is left of one, that is not durable.
#[derive(Clone, Debug)]
struct Fragment {
    number: u64,
    /// The operation that wrote it.
    write: u64,
    offset: u64,
    data: Bytes,
    /// Whether no flush makes it durable any more.
    is_poisoned: bool,
}

impl Fragment {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset + to_u64(self.data.len())
    }

    fn run(&self) -> Run {
        Run { write: self.write, range: self.range() }
    }

    fn part(&self, range: &Range<u64>) -> Self {
        let data = to_usize(range.start - self.offset)..to_usize(range.end - self.offset);
        Self { offset: range.start, data: self.data.slice(data), ..self.clone() }
    }
}

/// Which writes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that a flush is still to make durable.
    Dirty,
    /// Those that no flush makes durable any more.
    Poisoned,
}

/// A moment: what was written before it, a flush is to make durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Cache {
    pub(super) fn mark(&self) -> Mark {
        Mark(self.count)
    }

    /// The sectors of a range of which it is not known what is durable.
    pub(super) fn missing(&self, range: &Range<u64>) -> Vec<u64> {
        sectors(range).filter(|sector| !self.durable.contains_key(sector)).collect()
    }

    /// Takes down what is durable of a sector, before it is written to.
    pub(super) fn save(&mut self, sector: u64, data: &[u8]) {
        self.durable.entry(sector).or_insert_with(|| data.to_vec());
    }

    /// A write that is visible from now on.
    pub(super) fn push(&mut self, write: u64, offset: u64, data: Bytes, is_poisoned: bool) -> Mark {
        if !data.is_empty() {
            let number = self.count;
            self.count += 1;
            self.fragments.push(Fragment { number, write, offset, data, is_poisoned });
        }
        self.mark()
    }

    /// What a flush has to make durable, oldest first.
    pub(super) fn dirty(&self) -> Vec<Run> {
        let dirty = self.fragments.iter().filter(|fragment| !fragment.is_poisoned);
        dirty.map(Fragment::run).collect()
    }

    /// What a power cut would take that no flush makes durable.
    pub(super) fn poisoned(&self) -> Vec<Run> {
        let poisoned = self.fragments.iter().filter(|fragment| fragment.is_poisoned);
        poisoned.map(Fragment::run).collect()
    }

    /// Makes durable what was dirty at this moment.
    pub(super) fn persist_until(&mut self, mark: Mark) {
        self.length = None;
        self.persist(|fragment| (fragment.number < mark.0).then(|| vec![fragment.range()]));
    }

    /// Makes durable what was dirty at this moment and lies in these runs.
    pub(super) fn persist_runs(&mut self, runs: &[Run]) {
        self.persist(|fragment| {
            let own = runs.iter().filter(|run| run.write == fragment.write);
            let parts: Vec<_> =
                own.filter_map(|run| common(&run.range, &fragment.range())).collect();
            (!parts.is_empty()).then_some(parts)
        });
    }

    /// Makes durable what was pushed last.
    pub(super) fn persist_last(&mut self) {
        let last = self.count.checked_sub(1);
        self.persist(|fragment| (Some(fragment.number) == last).then(|| vec![fragment.range()]));
    }

    /// Makes parts of fragments durable, in their order. What they cover of older ones is over.
    fn persist(&mut self, parts: impl Fn(&Fragment) -> Option<Vec<Range<u64>>>) {
        let mut left: Vec<Fragment> = Vec::new();
        for fragment in mem::take(&mut self.fragments) {
            let chosen = if fragment.is_poisoned { None } else { parts(&fragment) };
            let Some(chosen) = chosen else {
                left.push(fragment);
                continue;
            };
            for part in &chosen {
                let durable = fragment.part(part);
                land(&mut self.durable, durable.offset, &durable.data);
                left = left.iter().flat_map(|older| without(older, part)).collect();
            }
            let mut rest = vec![fragment];
            for part in &chosen {
                rest = rest.iter().flat_map(|piece| without(piece, part)).collect();
            }
            left.append(&mut rest);
        }
        self.fragments = left;
        self.prune();
    }

    /// Keeps every flush from making durable what lies in these runs.
    pub(super) fn poison(&mut self, runs: &[Run]) {
        for fragment in &mut self.fragments {
            let is_hit = |run: &Run| {
                run.write == fragment.write && common(&run.range, &fragment.range()).is_some()
            };
            fragment.is_poisoned |= runs.iter().any(is_hit);
        }
    }

    /// Has flushes make durable again whatever is visible.
    pub(super) fn cure(&mut self) {
        self.fragments.iter_mut().for_each(|fragment| fragment.is_poisoned = false);
    }

    /// Forgets those writes that lie in these runs. Gives back what is visible now,
    /// where that has changed.
    pub(super) fn revert(&mut self, runs: &[Run], which: Which) -> Vec<(u64, Bytes)> {
        let mut visible = BTreeMap::new();
        let mut left = Vec::new();
        for fragment in mem::take(&mut self.fragments) {
            let is_meant = fragment.is_poisoned == (which == Which::Poisoned);
            let own = runs.iter().filter(|run| is_meant && run.write == fragment.write);
            let gone: Vec<_> =
                own.filter_map(|run| common(&run.range, &fragment.range())).collect();
            for sector in gone.iter().flat_map(sectors) {
                let data = self.durable.get(&sector).expect("kept while a fragment touches it");
                visible.insert(sector, data.clone());
            }
            let mut rest = vec![fragment];
            for range in &gone {
                rest = rest.iter().flat_map(|piece| without(piece, range)).collect();
            }
            left.append(&mut rest);
        }
        for fragment in &left {
            land(&mut visible, fragment.offset, &fragment.data);
        }
        self.fragments = left;
        self.prune();
        pieces(visible)
    }

    /// The power goes. These runs become durable in their order, with these bits inverted; nothing
    /// else remains. Gives back what is visible then, where that may have changed.
    pub(super) fn crash(&mut self, kept: &[Run], flips: &[Flip]) -> Vec<(u64, Bytes)> {
        let mut durable = mem::take(&mut self.durable);
        for run in kept {
            let own = |piece: &&Fragment| piece.write == run.write && !piece.is_poisoned;
            for fragment in self.fragments.iter().filter(own) {
                if let Some(part) = common(&run.range, &fragment.range()) {
                    land(&mut durable, part.start, &fragment.part(&part).data);
                }
            }
        }
        for flip in flips {
            let Some(sector) = durable.get_mut(&(flip.at / SECTOR_BYTES)) else { continue };
            if let Some(byte) = sector.get_mut(to_usize(flip.at % SECTOR_BYTES)) {
                *byte ^= flip.mask;
            }
        }
        self.fragments.clear();
        self.length = None;
        pieces(durable)
    }

    /// Nothing is volatile any more: what is visible is durable.
    pub(super) fn forget(&mut self) {
        self.durable.clear();
        self.fragments.clear();
        self.length = None;
    }

    /// Bytes that somebody else has made durable.
    pub(super) fn overwrite(&mut self, offset: u64, data: &[u8]) {
        land(&mut self.durable, offset, data);
        let range = offset..offset + to_u64(data.len());
        self.fragments =
            self.fragments.iter().flat_map(|fragment| without(fragment, &range)).collect();
        self.prune();
    }

    /// The device has another length from now on.
    pub(super) fn resize(&mut self, before: u64, after: u64) {
        self.length.get_or_insert(before);
        self.fragments =
            self.fragments.iter().flat_map(|piece| without(piece, &(after..u64::MAX))).collect();
    }

    /// The durable length, if the device has another one.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Forgets the sectors of which everything visible is durable.
    fn prune(&mut self) {
        if self.length.is_some() {
            // What was cut off is still to come back.
            return;
        }
        let fragments = mem::take(&mut self.fragments);
        let mut before = mem::take(&mut self.durable);
        for fragment in &fragments {
            for sector in sectors(&fragment.range()) {
                if let Some(data) = before.remove(&sector) {
                    self.durable.insert(sector, data);
                }
            }
        }
        self.fragments = fragments;
    }
}

/// What a fragment has outside of a range.
fn without(fragment: &Fragment, range: &Range<u64>) -> Vec<Fragment> {
    let own = fragment.range();
    let sides = [own.start..own.end.min(range.start), own.start.max(range.end)..own.end];
    sides.iter().filter(|side| side.start < side.end).map(|side| fragment.part(side)).collect()
}

/// Writes over those sectors that are there.
fn land(sectors_all: &mut BTreeMap<u64, Vec<u8>>, offset: u64, data: &[u8]) {
    let touched = sectors(&(offset..offset + to_u64(data.len())));
    for (sector, bytes) in sectors_all.range_mut(touched) {
        paste(bytes, sector * SECTOR_BYTES, offset, data);
    }
}

fn pieces(sectors: BTreeMap<u64, Vec<u8>>) -> Vec<(u64, Bytes)> {
    sectors.into_iter().map(|(sector, data)| (sector * SECTOR_BYTES, data.into())).collect()
}

fn sectors(range: &Range<u64>) -> Range<u64> {
    range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES)
}

fn common(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (both.start < both.end).then_some(both)
}
