//! A device as an array has it: the node table closes it, the array does not.

use crate::device::{BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc};
use bytes::Bytes;
use std::sync::Arc;

/// Another array, or the user, may go on with the device when this one is closed.
pub(super) struct Lent(pub(super) Arc<dyn BlockDevice>);

impl BlockDevice for Lent {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.0.length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.0.pread(offset, bytes)
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.0.pwrite(offset, data, flags)
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.0.pwrite_zeroes(offset, bytes, flags)
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.0.pdiscard(offset, bytes)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.0.flush()
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.0.block_status(offset, bytes)
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        self.0.truncate(bytes, prealloc)
    }

    fn close(&self) -> IoFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.0.invalidate()
    }
}
