//! What lies over the bytes of a medium: rot, stuck bits, ghosts, and sectors that cannot be read.

use super::{paste, to_u64, to_usize};
use crate::{
    alteration::Flip,
    fault::{Heal, Level},
};
use bytes::Bytes;
use quorate_engine::{Errno, SECTOR_BYTES};
use rangemap::RangeMap;
use std::{collections::BTreeMap, ops::Range};

/// The lies of a medium.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// The inverted bits of each byte of a sector that rots, by its number.
    rot: BTreeMap<u64, Box<[Rot; SECTOR]>>,
    /// The forced bits of each byte that has some, by its offset.
    stuck: BTreeMap<u64, Forced>,
    /// How reads of a sector fail, by its number.
    unreadable: BTreeMap<u64, (Errno, Heal)>,
    /// What is seen in the place of something else.
    ghosts: RangeMap<u64, (Ghost, Heal)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rot {
    /// Inverted until written.
    healing: u8,
    /// Inverted for good.
    lasting: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Forced {
    high: u8,
    low: u8,
}

/// What is seen instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ghost {
    /// What lies so far off.
    Elsewhere {
        from: u64,
        to: u64,
    },
    /// These bytes, which begin at an offset of the device.
    Bytes(u64, Bytes),
    Fill(u8),
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.rot.is_empty()
            && self.stuck.is_empty()
            && self.unreadable.is_empty()
            && self.ghosts.is_empty()
    }

    /// The ghosts that a read of the range sees, each with the bytes in whose place it is seen.
    pub(super) fn ghosts(&self, range: &Range<u64>) -> Vec<(Range<u64>, Ghost)> {
        if range.is_empty() {
            return Vec::new();
        }
        let seen = self.ghosts.overlapping(range);
        let cut = |own: &Range<u64>| own.start.max(range.start)..own.end.min(range.end);
        seen.map(|(own, (ghost, _))| (cut(own), ghost.clone())).collect()
    }

    /// Inverts and forces bits of what was read at an offset.
    pub(super) fn distort(&self, offset: u64, data: &mut [u8]) {
        let range = offset..offset + to_u64(data.len());
        for (sector, rot) in self.rot.range(sectors(&range)) {
            let start = sector * SECTOR_BYTES;
            let part = range.start.max(start)..range.end.min(start + SECTOR_BYTES);
            let seen = &mut data[to_usize(part.start - offset)..to_usize(part.end - offset)];
            for (byte, rot) in seen.iter_mut().zip(&rot[inside(start, &part)]) {
                *byte ^= rot.healing | rot.lasting;
            }
        }
        for (&at, forced) in self.stuck.range(range) {
            let byte = &mut data[to_usize(at - offset)];
            *byte = (*byte | forced.high) & !forced.low;
        }
    }

    /// How a read of the range fails, if it does.
    pub(super) fn error(&self, range: &Range<u64>) -> Option<Errno> {
        self.unreadable.range(sectors(range)).next().map(|(_, (errno, _))| *errno)
    }

    /// Inverts bits from now on. What is inverted already stays so.
    pub(super) fn rot(&mut self, flips: &[Flip], heal: Heal) {
        for flip in flips {
            let rotten = self.rot.entry(flip.at / SECTOR_BYTES);
            let rotten = rotten.or_insert_with(|| Box::new([Rot::default(); SECTOR]));
            let rot = &mut rotten[to_usize(flip.at % SECTOR_BYTES)];
            match heal {
                Heal::Overwrite => rot.healing |= flip.mask,
                Heal::Never => rot.lasting |= flip.mask,
            }
        }
    }

    /// Forces bits from now on.
    pub(super) fn stick(&mut self, bits: &[Flip], level: Level) {
        for bit in bits {
            let forced = self.stuck.entry(bit.at).or_default();
            match level {
                Level::High => forced.high |= bit.mask,
                Level::Low => forced.low |= bit.mask,
            }
        }
    }

    /// Has reads fail from now on.
    pub(super) fn spoil(&mut self, range: &Range<u64>, errno: Errno, heal: Heal) {
        for sector in sectors(range) {
            self.unreadable.insert(sector, (errno, heal));
        }
    }

    pub(super) fn haunt(&mut self, range: Range<u64>, ghost: Ghost, heal: Heal) {
        if !range.is_empty() {
            self.ghosts.insert(range, (ghost, heal));
        }
    }

    /// The range has been written.
    pub(super) fn heal(&mut self, range: &Range<u64>) {
        if self.is_empty() || range.is_empty() {
            return;
        }
        let healed = self.rot.extract_if(sectors(range), |sector, rot| {
            let start = sector * SECTOR_BYTES;
            let part = range.start.max(start)..range.end.min(start + SECTOR_BYTES);
            rot[inside(start, &part)].iter_mut().for_each(|rot| rot.healing = 0);
            rot.iter().all(|rot| *rot == Rot::default())
        });
        healed.for_each(drop);
        // A sector that is written in part still cannot be read.
        let whole = range.start.div_ceil(SECTOR_BYTES)..range.end / SECTOR_BYTES;
        if whole.start < whole.end {
            let healed = |(sector, (_, heal)): (&u64, &(Errno, Heal))| {
                (*heal == Heal::Overwrite).then_some(*sector)
            };
            let healed: Vec<u64> = self.unreadable.range(whole).filter_map(healed).collect();
            for sector in healed {
                self.unreadable.remove(&sector);
            }
        }
        let lasting: Vec<_> = self
            .ghosts
            .overlapping(range)
            .map(|(own, ghost)| (own.clone(), ghost.clone()))
            .collect();
        for (own, ghost) in lasting {
            if ghost.1 == Heal::Overwrite {
                self.ghosts.remove(own.start.max(range.start)..own.end.min(range.end));
            }
        }
    }

    pub(super) fn lift(&mut self) {
        *self = Self::default();
    }
}

/// The sectors that a range touches.
fn sectors(range: &Range<u64>) -> Range<u64> {
    range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES)
}

/// A part of the sector that starts there, by its bytes.
fn inside(start: u64, part: &Range<u64>) -> Range<usize> {
    to_usize(part.start - start)..to_usize(part.end - start)
}

impl Ghost {
    /// Where a read of `range` goes, if it goes elsewhere.
    pub(super) fn elsewhere(&self, range: &Range<u64>) -> Option<u64> {
        match self {
            Self::Elsewhere { from, to } => Some(to + (range.start - from)),
            Self::Bytes(..) | Self::Fill(_) => None,
        }
    }

    /// Puts itself in the place of `range`, where it does not go elsewhere.
    pub(super) fn show(&self, offset: u64, data: &mut [u8], range: &Range<u64>) {
        let place = to_usize(range.start - offset)..to_usize(range.end - offset);
        match self {
            Self::Bytes(start, bytes) => paste(&mut data[place], range.start, *start, bytes),
            Self::Fill(byte) => data[place].fill(*byte),
            Self::Elsewhere { .. } => {}
        }
    }
}

const SECTOR: usize = 512;
const _: () = assert!(SECTOR as u64 == SECTOR_BYTES);
