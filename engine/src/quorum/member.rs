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
    /// The child's own, or `EINVAL` where its length is not a multiple of its alignment.
    pub(super) async fn new(child: Child) -> Result<Self> {
        let limits = child.device.limits();
        assert!(limits.request_alignment.is_power_of_two(), "an alignment is a power of two");
        let bytes = child.device.length().await?;
        if !bytes.is_multiple_of(u64::from(limits.request_alignment)) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { child, limits, bytes, removed: AtomicBool::new(false) })
    }

    /// The length as the array compares it: in whole sectors.
    pub(super) fn rounded_bytes(&self) -> u64 {
        round_up(self.bytes)
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
            // Bytes between the child's end and the array's read as zeroes.
            data.resize(index(padded.end - padded.start), 0);
            let from = index(offset - padded.start);
            Ok(data.freeze().slice(from..from + bytes))
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
            // QEMU drops an error of this read and writes back whatever its buffer holds (D6).
            let mut all = self.read_all(padded.clone()).await?;
            let from = index(offset - padded.start);
            all[from..from + data.len()].copy_from_slice(&data);
            self.write_all(padded.start, all.freeze(), flags).await
        })
    }

    /// As bdrv_co_do_pwrite_zeroes does for one node.
    pub(super) fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        let caps = self.limits.zeroes;
        if flags.no_fallback && !caps.is_some_and(|c| c.no_fallback) {
            return Box::pin(async { Err(Errno::ENOTSUP) });
        }
        Box::pin(async move {
            // Beyond the child's end there is nothing that could fail to read as zeroes.
            let bytes = bytes.min(self.bytes.saturating_sub(offset));
            let aligned = self.aligned_inside(offset, bytes);
            let (head, tail) = (offset..aligned.start, aligned.end..offset + bytes);
            let mut written = !head.is_empty() || !tail.is_empty();
            self.zero_edge(head, flags).await?;
            if !aligned.is_empty() {
                written |=
                    self.zero_aligned(aligned.start, aligned.end - aligned.start, flags).await?;
            }
            self.zero_edge(tail, flags).await?;
            // As bdrv_driver_pwritev does after writes that the child cannot force.
            if written && flags.fua && !self.limits.write_fua {
                self.child.device.flush().await?;
            }
            Ok(())
        })
    }

    async fn zero_edge(&self, edge: Range<u64>, flags: Flags) -> Result<()> {
        if edge.is_empty() {
            return Ok(());
        }
        let zeroes = Bytes::from(vec![0; index(edge.end - edge.start)]);
        self.write(edge.start, zeroes, self.supported(flags)).await
    }

    /// Says whether the zeroes had to be written as data.
    async fn zero_aligned(&self, offset: u64, bytes: u64, flags: Flags) -> Result<bool> {
        let caps = self.limits.zeroes;
        if let Some(caps) = caps {
            let passed = Flags {
                fua: flags.fua && caps.fua,
                may_unmap: flags.may_unmap && caps.may_unmap,
                no_fallback: flags.no_fallback,
            };
            match self.child.device.pwrite_zeroes(offset, bytes, passed).await {
                Err(Errno::ENOTSUP) if !flags.no_fallback => {}
                other => return other.map(|()| false),
            }
        }
        let step = self.limits.max_transfer.unwrap_or(ZERO_BUFFER_BYTES).min(ZERO_BUFFER_BYTES);
        let buffer = Bytes::from(vec![0; index(bytes.min(u64::from(step)))]);
        let mut done = 0;
        while done < bytes {
            let piece = buffer.slice(..index((bytes - done).min(u64::from(step))));
            let length = piece.len() as u64;
            self.child.device.pwrite(offset + done, piece, self.supported(flags)).await?;
            done += length;
        }
        Ok(true)
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
            let known = (padded.start + answer.bytes).saturating_sub(offset).min(bytes);
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

    /// The largest aligned range inside these bytes; empty ones lie at the start or the end.
    fn aligned_inside(&self, offset: u64, bytes: u64) -> Range<u64> {
        let unit = u64::from(self.limits.request_alignment);
        let end = offset + bytes;
        let start = offset.next_multiple_of(unit).min(end);
        start..(end / unit * unit).max(start)
    }
}

/// A reply of the wrong length is the child's failure, never somebody else's data.
pub(super) fn whole(reply: Result<Bytes>, bytes: usize) -> Result<Bytes> {
    reply.and_then(|data| if data.len() == bytes { Ok(data) } else { Err(Errno::EIO) })
}

/// The length in whole sectors, as QEMU counts lengths.
pub(super) fn round_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(SECTOR_BYTES)
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a buffer of this length exists or is about to")
}

/// The most zeroes that are written as data in one piece.
const ZERO_BUFFER_BYTES: u32 = 1 << 20;
