//! The medium of a child: a plain store, and the lies that it tells about it.
//!
//! The store keeps what is visible. What lies over it can be lifted; what is not durable of it, and
//! what it held before, is kept apart where somebody asks for that. A write changes the store first,
//! then what lies over it.

mod cache;
mod history;
mod overlay;
mod parts;

pub(crate) use cache::Mark;
pub(crate) use history::landed;
pub(crate) use parts::{Manner, Past, Piece, Volatile, paste, to_u64, to_usize};

use crate::{
    alteration::{Flip, Run, View},
    fault::{Dirty, Heal, Level},
};
use bytes::Bytes;
use cache::{Cache, Which};
use history::History;
use overlay::{Ghost, Overlay};
use quorate_engine::{BlockDevice, Errno, Flags, IoFuture, Prealloc, Result, SECTOR_BYTES};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

/// A store with overlays.
pub(crate) struct Medium {
    store: Arc<dyn BlockDevice>,
    keeps_past: Past,
    keeps_cache: AtomicBool,
    overlay: Mutex<Overlay>,
    history: Mutex<History>,
    cache: Mutex<Cache>,
}

impl Medium {
    pub(crate) fn new(store: Arc<dyn BlockDevice>, keeps_past: Past, keeps_cache: bool) -> Self {
        Self {
            store,
            keeps_past,
            keeps_cache: AtomicBool::new(keeps_cache),
            overlay: Mutex::default(),
            history: Mutex::default(),
            cache: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn BlockDevice> {
        &self.store
    }

    /// From now on it is known what is durable; all is that is there now.
    pub(crate) fn keep_cache(&self) {
        self.keeps_cache.store(true, Ordering::Relaxed);
    }

    pub(crate) fn keeps_cache(&self) -> bool {
        self.keeps_cache.load(Ordering::Relaxed)
    }

    /// What a read sees, unless the range cannot be read.
    pub(crate) async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let data = self.store.pread(offset, bytes).await?;
        let ghosts = {
            let overlay = self.overlay();
            if overlay.is_empty() {
                return Ok(data);
            }
            overlay.ghosts(&(offset..offset + to_u64(data.len())))
        };
        let mut seen = data.to_vec();
        for (range, ghost) in ghosts {
            match ghost.elsewhere(&range) {
                Some(to) => {
                    let other = self.store.pread(to, to_usize(range.end - range.start)).await?;
                    paste(&mut seen, offset, range.start, &other);
                }
                None => ghost.show(offset, &mut seen, &range),
            }
        }
        self.overlay().distort(offset, &mut seen);
        Ok(seen.into())
    }

    /// How a read of the range fails, if it does.
    pub(crate) fn error(&self, range: &Range<u64>) -> Option<Errno> {
        self.overlay().error(range)
    }

    /// What a read of `range` would have seen as many writes ago, as far back as is known.
    pub(crate) async fn read_back(&self, range: &Range<u64>, versions: u64) -> Result<Bytes> {
        let mut data = self.read(range.start, to_usize(range.end - range.start)).await?.to_vec();
        self.history().undo(range, versions, &mut data);
        Ok(data.into())
    }

    /// Writes the pieces, in order.
    pub(crate) async fn write(
        &self,
        pieces: impl IntoIterator<Item = Piece, IntoIter: Send>,
        manner: Manner,
    ) -> Result<()> {
        for Piece { offset, data } in pieces {
            let range = offset..offset + to_u64(data.len());
            let own = data.clone();
            let write = || self.store.pwrite(offset, own, manner.flags);
            self.land(range, write, Some(data), manner).await?;
        }
        Ok(())
    }

    /// Makes the ranges read as zeroes, in order.
    pub(crate) async fn write_zeroes(&self, ranges: Vec<Range<u64>>, manner: Manner) -> Result<()> {
        for range in ranges {
            let (start, bytes) = (range.start, range.end - range.start);
            let write = || self.store.pwrite_zeroes(start, bytes, manner.flags);
            self.land(range, write, None, manner).await?;
        }
        Ok(())
    }

    /// Tells the device that nobody needs the ranges any more.
    pub(crate) async fn discard(&self, ranges: Vec<Range<u64>>, manner: Manner) -> Result<()> {
        for range in ranges {
            let (start, bytes) = (range.start, range.end - range.start);
            let discard = || self.store.pdiscard(start, bytes);
            self.land(range, discard, None, manner).await?;
        }
        Ok(())
    }

    /// Changes the length. What is cut off comes back if the power goes.
    pub(crate) async fn truncate(&self, bytes: u64, prealloc: Prealloc) -> Result<()> {
        if !self.keeps_cache() {
            return self.store.truncate(bytes, prealloc).await;
        }
        let before = self.store.length().await?;
        if bytes < before {
            self.save(&(bytes..before)).await?;
        }
        self.store.truncate(bytes, prealloc).await?;
        self.cache().resize(before, bytes);
        Ok(())
    }

    /// Changes a range as `change` does; `data` is what it holds then, if that is known.
    async fn land<'a>(
        &'a self,
        range: Range<u64>,
        change: impl FnOnce() -> IoFuture<'a, ()>,
        data: Option<Bytes>,
        manner: Manner,
    ) -> Result<()> {
        let keeps_cache = self.keeps_cache();
        let bytes = to_usize(range.end - range.start);
        let old = match self.keeps_past {
            Past::Unknown => None,
            Past::Seen => Some(self.read(range.start, bytes).await?),
            Past::Held => Some(self.store.pread(range.start, bytes).await?),
        };
        if let Some(old) = old {
            self.history().push_replaced(manner.write, range.start, old);
        }
        if keeps_cache {
            self.save(&range).await?;
        }
        change().await?;
        let keeps_held = self.keeps_past == Past::Held;
        if keeps_cache || keeps_held {
            let data = match data {
                Some(data) => data,
                None => self.store.pread(range.start, bytes).await?,
            };
            if keeps_held {
                self.history().push_written(manner.write, range.start, data.clone());
            }
            if keeps_cache && !data.is_empty() {
                let mut cache = self.cache();
                cache.push(manner.write, range.start, data, manner.is_volatile);
                if manner.flags.fua && !manner.is_volatile {
                    cache.persist_last();
                }
            }
        }
        self.overlay().heal(&range);
        Ok(())
    }

    /// Takes down what is durable of a range that is about to change.
    async fn save(&self, range: &Range<u64>) -> Result<()> {
        let missing = self.cache().missing(range);
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else { return Ok(()) };
        let start = first * SECTOR_BYTES;
        let end = ((last + 1) * SECTOR_BYTES).min(self.store.length().await?);
        let data = self.store.pread(start, to_usize(end.saturating_sub(start))).await?;
        let mut cache = self.cache();
        for sector in missing {
            let from = to_usize(sector * SECTOR_BYTES - start);
            if from < data.len() {
                let to = data.len().min(from + to_usize(SECTOR_BYTES));
                cache.save(sector, &data[from..to]);
            }
        }
        Ok(())
    }

    /// The moment up to which a flush that comes now has to make writes durable.
    pub(crate) fn mark(&self) -> Mark {
        if self.keeps_cache() { self.cache().mark() } else { Mark::default() }
    }

    /// Makes durable what was written before this moment.
    pub(crate) async fn flush(&self, mark: Mark) -> Result<()> {
        self.store.flush().await?;
        if self.keeps_cache() {
            self.cache().persist_until(mark);
        }
        Ok(())
    }

    /// A flush that fails, or lies: some of what it was to make durable is, the rest is left.
    pub(crate) async fn flush_part(&self, kept: &[Run], left: &[Run], dirty: Dirty) -> Result<()> {
        self.cache().persist_runs(kept);
        match dirty {
            Dirty::Retain | Dirty::Lie => Ok(()),
            Dirty::MarkClean | Dirty::Latch | Dirty::Eject | Dirty::Deferred => {
                self.cache().poison(left);
                Ok(())
            }
            Dirty::Revert => {
                let visible = self.cache().revert(left, Which::Dirty);
                self.restore(visible).await
            }
        }
    }

    /// What a power cut would find.
    pub(crate) fn volatile(&self) -> Volatile {
        let cache = self.cache();
        Volatile { dirty: cache.dirty(), poisoned: cache.poisoned(), in_flight: Vec::new() }
    }

    /// The power goes: only these runs become durable. Pieces of writes in flight are among them.
    pub(crate) async fn crash(
        &self,
        kept: &[Run],
        flips: &[Flip],
        in_flight: Vec<(u64, Piece)>,
    ) -> Result<()> {
        for (write, Piece { offset, data }) in in_flight {
            self.save(&(offset..offset + to_u64(data.len()))).await?;
            self.cache().push(write, offset, data, false);
        }
        let length = self.cache().length();
        if let Some(length) = length {
            self.store.truncate(length, Prealloc::Off).await?;
        }
        let visible = self.cache().crash(kept, flips);
        self.restore(visible).await
    }

    /// Has the store hold this, which is durable.
    async fn restore(&self, pieces: Vec<(u64, Bytes)>) -> Result<()> {
        let length = self.store.length().await?;
        for (offset, mut data) in pieces {
            data.truncate(to_usize(length.saturating_sub(offset).min(to_u64(data.len()))));
            if !data.is_empty() {
                self.store.pwrite(offset, data, Flags::NONE).await?;
            }
        }
        Ok(())
    }

    /// The store was changed, behind everybody's back.
    pub(crate) fn overwritten(&self, offset: u64, data: &[u8]) {
        if self.keeps_cache() {
            self.cache().overwrite(offset, data);
        }
    }

    /// The child holds what it held behind this write.
    pub(crate) async fn roll_back(&self, write: u64) -> Result<()> {
        let pieces = self.history().roll_back(write);
        self.cache().forget();
        self.restore(pieces).await
    }

    /// What each write has replaced, oldest first.
    pub(crate) fn replaced(&self) -> Vec<Run> {
        self.history().replaced()
    }

    /// What each write has written, oldest first.
    pub(crate) fn written(&self) -> Vec<Run> {
        self.history().written()
    }

    /// Writes once more what was written before.
    pub(crate) async fn replay(&self, runs: &[Run]) -> Result<()> {
        let parts = self.history().bytes(runs);
        for (write, offset, data) in parts {
            let manner = Manner { write, flags: Flags::NONE, is_volatile: false };
            self.write([Piece { offset, data }], manner).await?;
        }
        Ok(())
    }

    /// Ends whatever lies over what was truly written, and whatever keeps it from becoming durable.
    pub(crate) fn lift(&self) {
        self.overlay().lift();
        self.cache().cure();
    }

    /// Forgets what is only seen because it is still in memory.
    pub(crate) async fn evict(&self) -> Result<()> {
        if !self.keeps_cache() {
            return Ok(());
        }
        let visible = {
            let mut cache = self.cache();
            let poisoned = cache.poisoned();
            cache.revert(&poisoned, Which::Poisoned)
        };
        self.restore(visible).await
    }

    /// Inverts bits from now on. What is inverted already stays so.
    pub(crate) fn rot(&self, flips: &[Flip], heal: Heal) {
        self.overlay().rot(flips, heal);
    }

    /// Forces bits from now on.
    pub(crate) fn stick(&self, bits: &[Flip], level: Level) {
        self.overlay().stick(bits, level);
    }

    /// Has reads of these sectors fail from now on.
    pub(crate) fn spoil(&self, range: &Range<u64>, errno: Errno, heal: Heal) {
        self.overlay().spoil(range, errno, heal);
    }

    /// Has reads see something else from now on.
    pub(crate) async fn haunt(&self, range: &Range<u64>, view: View, heal: Heal) -> Result<()> {
        let ghost = match view {
            View::Elsewhere { to } => Ghost::Elsewhere { from: range.start, to },
            View::Past { versions } => {
                Ghost::Bytes(range.start, self.read_back(range, versions).await?)
            }
            View::Fill(byte) => Ghost::Fill(byte),
        };
        self.overlay().haunt(range.clone(), ghost, heal);
        Ok(())
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().expect("no panic while the overlay is changed")
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no panic while the history is changed")
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().expect("no panic while the cache is changed")
    }
}
