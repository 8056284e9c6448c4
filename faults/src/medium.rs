//! The medium of a child: a plain store, and the lies that it tells about it.
//!
//! The store keeps what was truly written. Rot lies over it and can be lifted; what a range held
//! before is kept apart. A write changes the store first, then what lies over it.

use crate::{alteration::Flip, fault::Heal};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Flags, Result};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
};

/// A store with overlays.
pub(crate) struct Medium {
    store: Arc<dyn BlockDevice>,
    keeps_history: bool,
    overlay: Mutex<Overlay>,
}

#[derive(Default)]
struct Overlay {
    /// The inverted bits of each rotten byte, by its offset.
    rot: BTreeMap<u64, Rot>,
    /// What each write replaced, oldest first.
    history: Vec<Replaced>,
    /// How many writes there were.
    writes: u64,
}

#[derive(Clone, Copy, Default)]
struct Rot {
    /// Inverted until written.
    healing: u8,
    /// Inverted for good.
    lasting: u8,
}

struct Replaced {
    /// The number of the write; one that is applied in pieces has several entries.
    write: u64,
    offset: u64,
    data: Bytes,
}

/// A piece of a write and its place.
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
}

impl Medium {
    pub(crate) fn new(store: Arc<dyn BlockDevice>, keeps_history: bool) -> Self {
        Self { store, keeps_history, overlay: Mutex::default() }
    }

    pub(crate) fn store(&self) -> &Arc<dyn BlockDevice> {
        &self.store
    }

    /// What a read sees.
    pub(crate) async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let data = self.store.pread(offset, bytes).await?;
        let overlay = self.overlay();
        if overlay.rot.range(offset..offset + to_u64(data.len())).next().is_none() {
            return Ok(data);
        }
        let mut seen = data.to_vec();
        for (&at, rot) in overlay.rot.range(offset..offset + to_u64(data.len())) {
            seen[to_usize(at - offset)] ^= rot.healing | rot.lasting;
        }
        Ok(seen.into())
    }

    /// What a read of `range` would have seen as many writes ago, as far back as is known.
    pub(crate) async fn read_back(&self, range: &Range<u64>, versions: u64) -> Result<Bytes> {
        let mut data = self.read(range.start, to_usize(range.end - range.start)).await?.to_vec();
        let (mut undone, mut write_last) = (0, None);
        for replaced in self.overlay().history.iter().rev() {
            let end = replaced.offset + to_u64(replaced.data.len());
            if replaced.offset < range.end
                && range.start < end
                && write_last != Some(replaced.write)
            {
                if undone == versions {
                    break;
                }
                (undone, write_last) = (undone + 1, Some(replaced.write));
            }
            paste(&mut data, range.start, replaced.offset, &replaced.data);
        }
        Ok(data.into())
    }

    /// Writes the pieces, in order.
    pub(crate) async fn write(
        &self,
        pieces: impl IntoIterator<Item = Piece, IntoIter: Send>,
        flags: Flags,
    ) -> Result<()> {
        let write = self.number_write();
        for Piece { offset, data } in pieces {
            let range = offset..offset + to_u64(data.len());
            self.remember(write, &range).await?;
            self.store.pwrite(offset, data, flags).await?;
            self.heal(range);
        }
        Ok(())
    }

    /// Makes the ranges read as zeroes, in order.
    pub(crate) async fn write_zeroes(&self, ranges: Vec<Range<u64>>, flags: Flags) -> Result<()> {
        let write = self.number_write();
        for range in ranges {
            self.remember(write, &range).await?;
            self.store.pwrite_zeroes(range.start, range.end - range.start, flags).await?;
            self.heal(range);
        }
        Ok(())
    }

    /// Tells the device that nobody needs the ranges any more.
    pub(crate) async fn discard(&self, ranges: Vec<Range<u64>>) -> Result<()> {
        let write = self.number_write();
        for range in ranges {
            self.remember(write, &range).await?;
            self.store.pdiscard(range.start, range.end - range.start).await?;
            self.heal(range);
        }
        Ok(())
    }

    /// Ends whatever lies over what was truly written.
    pub(crate) fn lift(&self) {
        self.overlay().rot.clear();
    }

    /// Inverts bits from now on. What is inverted already stays so.
    pub(crate) fn rot(&self, flips: &[Flip], heal: Heal) {
        let mut overlay = self.overlay();
        for flip in flips {
            let rot = overlay.rot.entry(flip.at).or_default();
            match heal {
                Heal::Overwrite => rot.healing |= flip.mask,
                Heal::Never => rot.lasting |= flip.mask,
            }
        }
    }

    fn number_write(&self) -> u64 {
        if !self.keeps_history {
            return 0;
        }
        let mut overlay = self.overlay();
        overlay.writes += 1;
        overlay.writes
    }

    async fn remember(&self, write: u64, range: &Range<u64>) -> Result<()> {
        if !self.keeps_history {
            return Ok(());
        }
        let data = self.read(range.start, to_usize(range.end - range.start)).await?;
        self.overlay().history.push(Replaced { write, offset: range.start, data });
        Ok(())
    }

    fn heal(&self, range: Range<u64>) {
        let mut overlay = self.overlay();
        if overlay.rot.is_empty() {
            return;
        }
        let rotten: Vec<u64> = overlay.rot.range(range).map(|(&at, _)| at).collect();
        for at in rotten {
            let rot = overlay.rot.remove(&at).expect("listed under the same lock");
            if rot.lasting != 0 {
                overlay.rot.insert(at, Rot { healing: 0, ..rot });
            }
        }
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().expect("no panic while the overlay is changed")
    }
}

/// Copies what `patch` has of `data`.
pub(crate) fn paste(data: &mut [u8], offset: u64, patch_offset: u64, patch: &[u8]) {
    let start = offset.max(patch_offset);
    let end = (offset + to_u64(data.len())).min(patch_offset + to_u64(patch.len()));
    if start >= end {
        return;
    }
    let from = &patch[to_usize(start - patch_offset)..to_usize(end - patch_offset)];
    data[to_usize(start - offset)..to_usize(end - offset)].copy_from_slice(from);
}

pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a buffer fits the address space")
}

pub(crate) fn to_usize(length: u64) -> usize {
    usize::try_from(length).expect("a buffer fits the address space")
}
