//! One child as the array uses it, with what QEMU's block layer does between a node and its child:
//! padding to the child's alignment, zeroes where it has none, FUA where it has none.

use super::Child;
use crate::{
    device::{Extent, ExtentKind, Flags, IoFuture, Limits},
    errno::{Errno, Result},
    event::SECTOR_BYTES,
};
use bytes::{Bytes, BytesMut};
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

/// A child, from its addition to its removal.
pub(super) struct Member {
    pub(super) child: Child,
    pub(super) limits: Limits,
    /// The child's own length, which may end inside the array's last sector.
    bytes: u64,
    removed: AtomicBool,
}

impl Member {
    /// Asks the child for its length and limits.
    ///
    /// # Errors
    /// The child's own; `EINVAL` where its alignment is no power of two, or its length or its
    /// longest request no multiple of it; `EFBIG` where its length in sectors is more than a file
    /// has.
    pub(super) async fn new(child: Child) -> Result<Self> {
        let limits = child.device.limits();
        let unit = limits.request_alignment;
        let takes = limits.max_transfer.is_none_or(|most| most > 0 && most.is_multiple_of(unit));
        if !unit.is_power_of_two() || !takes {
            return Err(Errno::EINVAL);
        }
        let bytes = child.device.length().await?;
        round_up(bytes)?;
        if !bytes.is_multiple_of(u64::from(unit)) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { child, limits, bytes, removed: AtomicBool::new(false) })
    }

    /// The length as the array compares it: in whole sectors.
    pub(super) fn rounded_bytes(&self) -> u64 {
        self.bytes.next_multiple_of(SECTOR_BYTES)
    }

    pub(super) fn alignment(&self) -> u64 {
        self.limits.request_alignment.into()
    }

    /// From now on every request counts this child as failed.
    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::SeqCst);
    }

    pub(super) fn removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// The reply may have another length than was asked for: see [`whole`].
    pub(super) fn read(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        if self.fits(offset, bytes as u64) {
            return self.child.device.pread(offset, bytes);
        }
        Box::pin(async move {
            if bytes == 0 {
                return Ok(Bytes::new());
            }
            let padded = self.padded(offset, bytes as u64);
            let (start, end) = (padded.start.min(self.bytes), padded.end.min(self.bytes));
            let mut data = self.read_all(start..end).await?;
            let from = index(offset - padded.start);
            // Bytes between the child's end and the array's read as zeroes.
            data.resize(from + bytes, 0);
            Ok(data.freeze().slice(from..))
        })
    }

    pub(super) fn write(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        if self.fits(offset, data.len() as u64) {
            return self.child.device.pwrite(offset, data, flags);
        }
        Box::pin(async move {
            if data.is_empty() {
                return Ok(());
            }
            let padded = self.padded(offset, data.len() as u64);
            if padded.end > self.bytes {
                return Err(Errno::ENOSPC);
            }
            // QEMU drops an error of this read and writes back whatever its buffer holds.
            let all = self.surrounded(padded.clone(), offset, &data).await?;
            self.write_all(padded.start, all, flags).await
        })
    }

    /// The data with what lies around them in their first and last block. As bdrv_padding_rmw_read:
    /// two blocks that meet are read at once, whatever lies between others is not read at all.
    async fn surrounded(&self, padded: Range<u64>, offset: u64, data: &Bytes) -> Result<Bytes> {
        let unit = self.alignment();
        let end = offset + data.len() as u64;
        let (head, tail) = (offset > padded.start, end < padded.end);
        if self.meets(&padded, head && tail) {
            let mut all = self.read_all(padded.clone()).await?;
            all[index(offset - padded.start)..index(end - padded.start)].copy_from_slice(data);
            return Ok(all.freeze());
        }
        let mut all = BytesMut::with_capacity(index(padded.end - padded.start));
        if head {
            let block = self.read_all(padded.start..padded.start + unit).await?;
            all.extend_from_slice(&block[..index(offset - padded.start)]);
        }
        all.extend_from_slice(data);
        if tail {
            let start = padded.end - unit;
            let block = self.read_all(start..padded.end).await?;
            all.extend_from_slice(&block[index(end - start)..]);
        }
        Ok(all.freeze())
    }

    /// As bdrv_co_do_pwrite_zeroes does for one node.
    pub(super) fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        let caps = self.limits.zeroes;
        if flags.no_fallback && !caps.is_some_and(|c| c.no_fallback) {
            return Box::pin(async { Err(Errno::ENOTSUP) });
        }
        // Beyond the child's end there is nothing that could fail to read as zeroes.
        let bytes = bytes.min(self.bytes.saturating_sub(offset));
        Box::pin(self.zero_padded(offset..offset + bytes, flags))
    }

    /// As bdrv_co_do_zero_pwritev: what lies around the zeroes in their first and last block is read before anything
    /// is written.
    async fn zero_padded(&self, zeroes: Range<u64>, flags: Flags) -> Result<()> {
        if zeroes.is_empty() {
            return Ok(());
        }
        let padded = self.padded(zeroes.start, zeroes.end - zeroes.start);
        let (head, tail) = (zeroes.start > padded.start, zeroes.end < padded.end);
        let mut written = head || tail;
        if written && self.meets(&padded, head && tail) {
            let blocks = self.read_all(padded.clone()).await?;
            self.write_around(padded, blocks, &zeroes, flags).await?;
        } else {
            let unit = self.alignment();
            let first = padded.start..padded.start + if head { unit } else { 0 };
            let last = padded.end - if tail { unit } else { 0 }..padded.end;
            let inside = first.end..last.start;
            let first_block = self.read_all(first.clone()).await?;
            let last_block = self.read_all(last.clone()).await?;
            self.write_around(first, first_block, &zeroes, flags).await?;
            if !inside.is_empty() {
                written |= self.zero_aligned(inside, flags).await?;
            }
            self.write_around(last, last_block, &zeroes, flags).await?;
        }
        // As bdrv_driver_pwritev does after writes that the child cannot force.
        if written && flags.fua && !self.limits.write_fua {
            self.child.device.flush().await?;
        }
        Ok(())
    }

    /// Whether blocks are read at once: one, or two that meet.
    fn meets(&self, padded: &Range<u64>, at_both_ends: bool) -> bool {
        let blocks = if at_both_ends { 2 } else { 1 };
        padded.end - padded.start <= blocks * self.alignment()
    }

    /// Writes blocks with zeroes in them; no block at all is nothing to write.
    async fn write_around(
        &self,
        blocks: Range<u64>,
        mut data: BytesMut,
        zeroes: &Range<u64>,
        flags: Flags,
    ) -> Result<()> {
        let from = zeroes.start.max(blocks.start) - blocks.start;
        let to = zeroes.end.min(blocks.end).saturating_sub(blocks.start);
        if from < to {
            data[index(from)..index(to)].fill(0);
        }
        self.write_all(blocks.start, data.freeze(), self.supported(flags)).await
    }

    /// Says whether some of the zeroes had to be written as data. As bdrv_co_do_pwrite_zeroes:
    /// behind each piece that was, the child is asked for zeroes once more.
    async fn zero_aligned(&self, Range { start, end }: Range<u64>, flags: Flags) -> Result<bool> {
        let most = BOUNCE_BYTES_MAX.max(self.limits.request_alignment);
        let most = self.limits.max_transfer.map_or(most, |limit| limit.min(most));
        let step = (end - start).min(u64::from(most));
        let mut at = start;
        let mut buffer = Bytes::new();
        while at < end {
            match self.zero_at_once(at, end - at, flags).await {
                Err(Errno::ENOTSUP) if !flags.no_fallback => {}
                other => return other.map(|()| at > start),
            }
            if buffer.is_empty() {
                buffer = vec![0; index(step)].into();
            }
            let piece = buffer.slice(..index(step.min(end - at)));
            let length = piece.len() as u64;
            self.child.device.pwrite(at, piece, self.supported(flags)).await?;
            at += length;
        }
        Ok(true)
    }

    async fn zero_at_once(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
        let caps = self.limits.zeroes.ok_or(Errno::ENOTSUP)?;
        let passed = Flags {
            fua: flags.fua && caps.fua,
            may_unmap: flags.may_unmap && caps.may_unmap,
            no_fallback: flags.no_fallback,
        };
        self.child.device.pwrite_zeroes(offset, bytes, passed).await
    }

    /// What of these flags a plain write to the child can carry.
    fn supported(&self, flags: Flags) -> Flags {
        Flags { fua: flags.fua && self.limits.write_fua, ..Flags::NONE }
    }

    pub(super) fn flush(&self) -> IoFuture<'_, ()> {
        self.child.device.flush()
    }

    /// The child's answer, cut to the question; an answer that says nothing is an error.
    pub(super) fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move {
            if offset >= self.bytes {
                return Ok(Extent { bytes, kind: ExtentKind::Zero });
            }
            let mut padded = self.padded(offset, bytes);
            padded.end = padded.end.min(self.bytes);
            let answer =
                self.child.device.block_status(padded.start, padded.end - padded.start).await?;
            let known = padded.start.saturating_add(answer.bytes).saturating_sub(offset).min(bytes);
            if known == 0 { Err(Errno::EIO) } else { Ok(Extent { bytes: known, ..answer }) }
        })
    }

    async fn read_all(&self, range: Range<u64>) -> Result<BytesMut> {
        let mut all = BytesMut::with_capacity(index(range.end - range.start));
        for piece in self.pieces(range) {
            let bytes = index(piece.end - piece.start);
            let reply = self.child.device.pread(piece.start, bytes).await;
            all.extend_from_slice(&whole(reply, bytes)?);
        }
        Ok(all)
    }

    async fn write_all(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
        for piece in self.pieces(offset..offset + data.len() as u64) {
            let part = data.slice(index(piece.start - offset)..index(piece.end - offset));
            self.child.device.pwrite(piece.start, part, flags).await?;
        }
        Ok(())
    }

    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
        let step = self.limits.max_transfer.map_or(u64::MAX, u64::from);
        let (mut at, end) = (range.start, range.end);
        std::iter::from_fn(move || {
            let start = at;
            at = start.saturating_add(step).min(end);
            (start < end).then_some(start..at)
        })
    }

    fn fits(&self, offset: u64, bytes: u64) -> bool {
        let aligned = (offset | bytes) & (u64::from(self.limits.request_alignment) - 1) == 0;
        aligned && offset + bytes <= self.bytes
    }

    /// The smallest aligned range around these bytes.
    fn padded(&self, offset: u64, bytes: u64) -> Range<u64> {
        let unit = u64::from(self.limits.request_alignment);
        offset / unit * unit..(offset + bytes).next_multiple_of(unit)
    }
}

/// A reply of the wrong length is the child's failure, never somebody else's data.
pub(super) fn whole(reply: Result<Bytes>, bytes: usize) -> Result<Bytes> {
    reply.and_then(|data| if data.len() == bytes { Ok(data) } else { Err(Errno::EIO) })
}

/// The length in whole sectors, as QEMU counts lengths.
///
/// # Errors
/// `EFBIG` as bdrv_getlength has it, where that is more bytes than a signed number counts.
pub(super) fn round_up(bytes: u64) -> Result<u64> {
    let rounded = bytes.checked_next_multiple_of(SECTOR_BYTES);
    rounded.filter(|&bytes| i64::try_from(bytes).is_ok()).ok_or(Errno::EFBIG)
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a buffer of this length exists or is about to")
}

/// The most zeroes that are written as data in one piece: MAX_BOUNCE_BUFFER.
pub(super) const BOUNCE_BYTES_MAX: u32 = 32768 << 9;
