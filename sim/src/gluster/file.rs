//! An open file of a volume.

use super::{
    cache::Inode,
    mount::Mounted,
    order::{Order, Reach},
    watched::Slot,
    wire::{Opened, What},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use quorate_engine::{
    Errno, Result,
    gluster::api::{Done, File, ReadDone, Seek, Stat},
};
use std::{future::ready, sync::Arc};

/// What the user of a file has of it. Dropping the last one closes the file.
pub(super) struct Handle {
    file: Arc<Open>,
    order: Order,
}

struct Open {
    inode: Arc<Inode>,
    opened: Opened,
    mounted: Arc<Mounted>,
}

impl Handle {
    pub(super) fn new(mounted: Arc<Mounted>, inode: Arc<Inode>, opened: Opened) -> Self {
        Self { file: Arc::new(Open { inode, opened, mounted }), order: Order::new() }
    }

    /// Begins a call when it is first polled, and waits for it. It goes on if nobody does.
    async fn call<T, W>(&self, reach: Reach, work: impl FnOnce(Arc<Open>) -> W) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let turn = self.order.begin(reach).ok_or(Errno::EBADF)?;
        let slot = Arc::new(Slot::empty());
        let (told, work) = (slot.clone(), work(self.file.clone()));
        self.file.mounted.link.0.spawn(async move {
            turn.comes().await;
            let done = work.await;
            drop(turn);
            told.fill(done);
        });
        slot.take().await
    }

    /// A call that changes a range.
    async fn change(&self, offset: u64, bytes: u64, what: What) -> Done {
        if bytes == 0 || !is_span(offset, bytes) {
            return done(Err(Errno::EINVAL));
        }
        let range = offset..offset + bytes;
        let work = |file: Arc<Open>| async move { file.change(what).await };
        done(self.call(Reach::Writes(range), work).await)
    }
}

impl Open {
    async fn ask(&self, what: What) -> Result<u64> {
        Ok(self.inode.wire.ask(self.opened, what).await?.count())
    }

    async fn change(&self, what: What) -> Result<u64> {
        self.inode.settle(0..u64::MAX).await?;
        let count = self.ask(what).await;
        self.inode.changed();
        count
    }

    async fn write(&self, offset: u64, data: Bytes) -> Result<u64> {
        if self.settings().write_behind {
            return self.inode.write(self.opened, offset, data).await;
        }
        self.change(What::Write { offset, data }).await
    }

    async fn close(&self) -> Result<u64> {
        self.inode.flush(false).await?;
        if self.settings().write_behind {
            // What follows goes on behind the caller's back.
            return Ok(0);
        }
        self.ask(What::Flush).await
    }

    fn settings(&self) -> super::Settings {
        *self.inode.wire.shared.settings()
    }
}

impl File for Handle {
    fn pread(&self, offset: u64, bytes: usize) -> BoxFuture<'_, ReadDone> {
        Box::pin(async move {
            if bytes == 0 || !is_span(offset, bytes as u64) {
                return ReadDone { done: done(Err(Errno::EINVAL)), buffer: Bytes::new() };
            }
            if let Some(errno) = self.file.settings().fails {
                return ReadDone { done: done(Err(errno)), buffer: Bytes::new() };
            }
            let range = offset..offset + bytes as u64;
            let reach = Reach::Reads(range.clone());
            let work = |file: Arc<Open>| async move {
                file.inode.settle(range).await?;
                file.inode.read(file.opened, offset, bytes).await
            };
            let read = self.call(reach, work).await;
            let mut buffer = vec![RUBBISH; bytes];
            if let Ok(data) = &read {
                buffer[..data.len()].copy_from_slice(data);
            }
            ReadDone { done: done(read.map(|data| data.len() as u64)), buffer: buffer.into() }
        })
    }

    fn pwrite(&self, offset: u64, data: Bytes) -> BoxFuture<'_, Done> {
        let bytes = data.len() as u64;
        Box::pin(async move {
            if !is_span(offset, bytes) {
                return done(Err(Errno::EINVAL));
            }
            if let Some(errno) = self.file.settings().fails {
                return done(Err(errno));
            }
            let reach = Reach::Writes(offset..offset + bytes);
            if bytes == 0 {
                return done(self.call(reach, |_| ready(Ok(0))).await);
            }
            let work = |file: Arc<Open>| async move { file.write(offset, data).await };
            done(self.call(reach, work).await)
        })
    }

    fn zerofill(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(self.change(offset, bytes, What::Zerofill { offset, bytes }))
    }

    fn discard(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(self.change(offset, bytes, What::Discard { offset, bytes }))
    }

    fn fsync(&self) -> BoxFuture<'_, Done> {
        let work = |file: Arc<Open>| async move {
            file.inode.flush(file.settings().keep_failed).await?;
            file.ask(What::Sync).await
        };
        Box::pin(async move { done(self.call(Reach::File, work).await) })
    }

    fn ftruncate(&self, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(async move {
            if !is_span(0, bytes) {
                return done(Err(Errno::EINVAL));
            }
            let work = |file: Arc<Open>| async move { file.change(What::Truncate { bytes }).await };
            // Which bytes it changes depends on the length that the file has by then.
            done(self.call(Reach::Writes(0..u64::MAX), work).await)
        })
    }

    fn fallocate(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(self.change(offset, bytes, What::Allocate { offset, bytes }))
    }

    fn seek(&self, offset: u64, what: Seek) -> BoxFuture<'_, Done> {
        Box::pin(async move {
            if !is_span(offset, 0) {
                return done(Err(Errno::EINVAL));
            }
            let work = |file: Arc<Open>| async move {
                file.inode.settle(0..u64::MAX).await?;
                file.ask(What::Seek { offset, what }).await
            };
            done(self.call(Reach::Reads(offset..u64::MAX), work).await)
        })
    }

    fn stat(&self) -> BoxFuture<'_, Result<Stat>> {
        let work = |file: Arc<Open>| async move { file.inode.stat(file.opened).await };
        Box::pin(self.call(Reach::File, work))
    }

    fn close(&self) -> BoxFuture<'_, Done> {
        let work = |file: Arc<Open>| async move { file.close().await };
        Box::pin(async move { done(self.call(Reach::Close, work).await) })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // It may be closed already. What comes of it nobody is there to hear.
        if let Some(turn) = self.order.begin(Reach::Close) {
            let file = self.file.clone();
            self.file.mounted.link.0.spawn(async move {
                turn.comes().await;
                let _ = file.close().await;
            });
        }
    }
}

/// Whether a file can be there. Gluster would acknowledge a write elsewhere, and fail a sync much later.
fn is_span(offset: u64, bytes: u64) -> bool {
    offset.checked_add(bytes).is_some_and(|end| end <= i64::MAX.cast_unsigned())
}

fn done(result: Result<u64>) -> Done {
    match result {
        Ok(count) => Done { ret: count.cast_signed(), errno: 0 },
        Err(errno) => Done { ret: -1, errno: errno.number() },
    }
}

/// What is in a buffer before anything is read into it.
const RUBBISH: u8 = 0xee;
