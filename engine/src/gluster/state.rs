//! The state of an open image, which outlives whoever asked for something.

use super::{
    api::File,
    done,
    notice::{Notice, Notices},
    pool::Connection,
};
use crate::errno::{Errno, Result};
use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What work that nobody waits for has to know.
pub(super) struct State {
    /// `None` once closed or ejected.
    image: Mutex<Option<Arc<Image>>>,
    /// Requests beyond it are refused.
    pub(super) bytes: AtomicU64,
    /// Why the image was ejected.
    pub(super) lost: OnceLock<Errno>,
    /// Whether it is known what the close of the file came to.
    closed: AtomicBool,
    name: String,
    pub(super) notices: Arc<dyn Notices>,
}

/// An open file and its share of the connection, in the order in which they are let go of.
pub(super) struct Image {
    pub(super) file: Arc<dyn File>,
    _connection: Connection,
}

impl State {
    pub(super) fn new(image: Image, bytes: u64, name: String, notices: Arc<dyn Notices>) -> Self {
        Self {
            image: Mutex::new(Some(Arc::new(image))),
            bytes: AtomicU64::new(bytes),
            lost: OnceLock::new(),
            closed: AtomicBool::new(false),
            name,
            notices,
        }
    }

    pub(super) fn image(&self) -> Result<Arc<Image>> {
        self.locked().clone().ok_or(Errno::ENOMEDIUM)
    }

    /// Lets nobody else have the image.
    pub(super) fn take(&self) -> Option<Arc<Image>> {
        mem::take(&mut *self.locked())
    }

    /// Makes durable what was written, or ejects the image.
    pub(super) async fn sync(&self) -> Result<()> {
        let synced = done::plain(self.image()?.file.fsync().await);
        if let Err(errno) = synced {
            // As qemu_gluster_co_flush_to_disk, which closes the file under the requests in flight.
            self.lost.get_or_init(|| errno);
            drop(self.take());
            self.notices.notice(Notice::Ejected { image: self.name.clone(), errno });
        }
        synced
    }

    /// Closes the file once its requests have ended.
    pub(super) async fn close(&self, image: &Image) -> Result<()> {
        let closed = done::plain(image.file.close().await);
        self.closed.store(true, Ordering::SeqCst);
        closed
    }

    /// Whether everything is known that gluster could say of what was written.
    pub(super) fn is_over(&self) -> bool {
        self.closed.load(Ordering::SeqCst) || self.lost.get().is_some()
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<Image>>> {
        self.image.lock().expect("nothing panics under this lock")
    }
}

impl Image {
    pub(super) fn new(file: Arc<dyn File>, connection: Connection) -> Self {
        Self { file, _connection: connection }
    }
}
