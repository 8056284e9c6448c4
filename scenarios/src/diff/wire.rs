//! A child as it is behind NBD, which knows a few errors only.

use bytes::Bytes;
use quorate_engine::{BlockDevice, Errno, Extent, Flags, IoFuture, Limits, Prealloc, Result};
use std::sync::Arc;

/// A device whose answers have come over NBD.
pub(super) struct Wired(pub(super) Arc<dyn BlockDevice>);

/// The error as the other end of NBD understands it.
pub(super) fn heard(errno: Errno) -> Errno {
    if CARRIED.contains(&errno) { errno } else { Errno::EINVAL }
}

/// The answer as the other end of NBD understands it.
fn wired<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(heard)
}

impl BlockDevice for Wired {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.0.length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(async move { wired(self.0.pread(offset, bytes).await) })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move { wired(self.0.pwrite(offset, data, flags).await) })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move { wired(self.0.pwrite_zeroes(offset, bytes, flags).await) })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        Box::pin(async move { wired(self.0.pdiscard(offset, bytes).await) })
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async move { wired(self.0.flush().await) })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move { wired(self.0.block_status(offset, bytes).await) })
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async move { wired(self.0.truncate(bytes, prealloc).await) })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.0.close()
    }
}

/// The errors that there are in the protocol.
const CARRIED: [Errno; 8] = [
    Errno::EPERM,
    Errno::EIO,
    Errno::ENOMEM,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::EOVERFLOW,
    Errno::ENOTSUP,
    Errno::ESHUTDOWN,
];
