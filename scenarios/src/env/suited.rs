//! A real device that is what the scenario says of its disk.

use bytes::Bytes;
use quorate_engine::{BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc, Result};
use quorate_sim::Outside;
use std::{future::Future, sync::Arc};

/// A real device with the limits that a scenario gives its disk: what the device itself cannot do of
/// that is done by what it can. The run waits for each of its answers.
pub(super) fn suited(
    device: Arc<dyn BlockDevice>,
    limits: Limits,
    outside: &Outside,
) -> Arc<dyn BlockDevice> {
    Arc::new(Suited { device, limits, outside: outside.clone() })
}

struct Suited {
    device: Arc<dyn BlockDevice>,
    limits: Limits,
    outside: Outside,
}

impl Suited {
    fn ask<'a, T: 'a>(
        &'a self,
        asking: impl Future<Output = Result<T>> + Send + 'a,
    ) -> IoFuture<'a, T> {
        Box::pin(self.outside.ask(asking))
    }

    /// Flushes behind a write that has to be durable.
    async fn settle(&self, flags: Flags) -> Result<()> {
        if flags.fua { self.device.flush().await } else { Ok(()) }
    }
}

impl BlockDevice for Suited {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.ask(self.device.length())
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.ask(self.device.pread(offset, bytes))
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.ask(async move {
            self.device.pwrite(offset, data, Flags::NONE).await?;
            self.settle(flags).await
        })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.ask(async move {
            // A disk in memory gives back what is zeroed, too.
            let unmapping = Flags { may_unmap: true, ..Flags::NONE };
            self.device.pwrite_zeroes(offset, bytes, unmapping).await?;
            self.settle(flags).await
        })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.ask(self.device.pdiscard(offset, bytes))
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.ask(self.device.flush())
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.ask(self.device.block_status(offset, bytes))
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        self.ask(self.device.truncate(bytes, prealloc))
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.ask(self.device.close())
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.ask(self.device.invalidate())
    }
}
