//! A simulated disk: what it shows, and what would be left after a power cut.

use bytes::Bytes;
use quorate_engine::{BlockDevice, Extent, Flags, Image, IoFuture, Limits, Memory, Prealloc};
use std::sync::{Mutex, MutexGuard};

/// A disk with a volatile write cache: a *visible* image that reads are answered from, and a
/// *durable* one that a flush brings up to date.
///
/// It answers at once; how long it takes is the device queue's business.
#[derive(Debug)]
pub struct Disk {
    visible: Memory,
    durable: Mutex<Image>,
}

impl Disk {
    /// A disk that holds `image`, all of it durably.
    #[must_use]
    pub fn new(image: Image, limits: Limits) -> Self {
        let durable = Mutex::new(image.clone());
        Self { visible: Memory::with_image(image, limits), durable }
    }

    /// What reads are answered from.
    #[must_use]
    pub fn visible(&self) -> Image {
        self.visible.snapshot()
    }

    /// What is left if the power goes now.
    #[must_use]
    pub fn durable(&self) -> Image {
        self.durable_image().clone()
    }

    /// The power goes and comes back: what was not flushed is lost. Requests in flight go on.
    pub fn cut_power(&self) {
        self.visible.restore(self.durable());
    }

    /// Changes the medium itself, behind everybody's back.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    pub fn overwrite(&self, offset: u64, data: &[u8]) {
        let mut visible = self.visible();
        visible.write(offset, data);
        self.visible.restore(visible);
        self.durable_image().write(offset, data);
    }

    fn durable_image(&self) -> MutexGuard<'_, Image> {
        self.durable.lock().expect("a range is checked before it is written to")
    }

    /// Makes a range durable that has just been written.
    fn persist(&self, offset: u64, bytes: u64) {
        let length = usize::try_from(bytes).expect("what was written fits into memory");
        let data = self.visible().read(offset, length);
        self.durable_image().write(offset, &data);
    }
}

impl BlockDevice for Disk {
    fn limits(&self) -> Limits {
        self.visible.limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.visible.length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.visible.pread(offset, bytes)
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        if !flags.fua {
            return self.visible.pwrite(offset, data, flags);
        }
        Box::pin(async move {
            let bytes = data.len() as u64;
            self.visible.pwrite(offset, data, flags).await?;
            self.persist(offset, bytes);
            Ok(())
        })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.visible.pwrite_zeroes(offset, bytes, flags).await?;
            if flags.fua {
                self.durable_image().zero(offset, bytes);
            }
            Ok(())
        })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.visible.pdiscard(offset, bytes)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            *self.durable_image() = self.visible();
            Ok(())
        })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.visible.block_status(offset, bytes)
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.visible.truncate(bytes, prealloc).await?;
            self.durable_image().resize(bytes);
            Ok(())
        })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.visible.close()
    }
}
