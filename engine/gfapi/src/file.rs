//! An open file of a volume.

use crate::{
    call::{Answer, Ask, Call, Waiting},
    instance::{Descriptor, Instance},
    turns::{Closed, Reach, Turns},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use libc::{EBADF, EINVAL, ENOMEM, off_t, size_t};
use quorate_engine::{
    Errno, Result,
    gluster::api::{Access, Done, File, Opened, ReadDone, Refusal, Seek, Stat, Volume},
};
use std::{
    ffi::CString,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A volume that is connected.
pub(crate) struct Mounted(pub(crate) Arc<Instance>);

impl Volume for Mounted {
    fn open<'a>(&'a self, path: &'a str, access: Access) -> BoxFuture<'a, Opened> {
        let flags = if access.write { libc::O_RDWR } else { libc::O_RDONLY }
            | if access.direct { libc::O_DIRECT } else { 0 };
        Box::pin(async move {
            let (instance, path) = (self.0.clone(), c_text(path)?);
            quorate_pool::run(move || Ok(handle(instance.open(&path, flags)?))).await
        })
    }

    fn create<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Opened> {
        Box::pin(async move {
            let (instance, path) = (self.0.clone(), c_text(path)?);
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
            quorate_pool::run(move || Ok(handle(instance.create(&path, flags)?))).await
        })
    }
}

/// A text for C.
pub(crate) fn c_text(text: &str) -> std::result::Result<CString, Refusal> {
    CString::new(text).map_err(|_| {
        let text = Some(format!("{text:?} has a NUL byte in it"));
        Refusal { errno: EINVAL, text }
    })
}

fn handle(io: Descriptor) -> Arc<dyn File> {
    let (seek, turns) = (Mutex::new(None), Mutex::new(Turns::new()));
    let (begun, watched) = (AtomicU64::new(0), AtomicBool::new(false));
    Arc::new(Handle(Arc::new(Shared { io, seek, turns, begun, watched })))
}

/// What the user of a file has of it. Dropping the last one closes the file.
struct Handle(Arc<Shared>);

/// What the calls of a file have in common.
pub(crate) struct Shared {
    pub(crate) io: Descriptor,
    /// Where seeking is done, once there was any: libgfapi keeps what a seek finds in the descriptor,
    /// and hands out whatever is there when it returns, which may be where a read ended meanwhile. For
    /// the same reason there is one seek at a time.
    seek: Mutex<Option<Descriptor>>,
    turns: Mutex<Turns<Arc<Call>>>,
    /// How many calls there were.
    begun: AtomicU64,
    /// Whether somebody looks after calls that are not answered.
    watched: AtomicBool,
}

impl Shared {
    pub(crate) fn turns(&self) -> MutexGuard<'_, Turns<Arc<Call>>> {
        self.turns.lock().expect("nothing panics under this lock")
    }

    /// Has somebody look after the calls until all are answered.
    ///
    /// When a brick dies write-behind may leave a call in its queue, behind a write that it has acknowledged
    /// and could not send, and looks there again only when the next call of the file comes. If everybody waits
    /// for that call, none comes.
    fn watch(self: &Arc<Self>) {
        if !self.watched.swap(true, Ordering::SeqCst) {
            let file = Arc::downgrade(self);
            quorate_pool::detach(move || nudge(&file));
        }
    }

    pub(crate) fn seek(&self, offset: off_t, whence: i32) -> std::result::Result<i64, Done> {
        // What write-behind has acknowledged and not yet sent would be a hole: seeks go past its cache,
        // while a stat waits for it.
        self.io.stat()?;
        let mut seek = self.seek.lock().expect("nothing panics under this lock");
        if seek.is_none() {
            let failed = |refusal: Refusal| Done { ret: -1, errno: refusal.errno };
            *seek = Some(self.io.duplicate().map_err(failed)?);
        }
        seek.as_ref().expect("it was put there").seek(offset, whence)
    }

    /// Closes both descriptors. The one with the writes goes first, and what is wrong with it counts.
    ///
    /// # Safety
    /// It is the file's last call, and every one before has answered.
    pub(crate) unsafe fn close(&self) -> std::result::Result<i64, Done> {
        let seek = self.seek.lock().expect("nothing panics under this lock").take();
        // SAFETY: the caller says so.
        let closed = unsafe { self.io.close() };
        // SAFETY: it was taken, and seeks are over.
        let other = seek.map_or(Ok(0), |seek| unsafe { seek.close() });
        closed.and(other)
    }
}

/// Reads a byte now and then, as long as the same call waits for its answer.
fn nudge(file: &Weak<Shared>) {
    let mut waited = None;
    loop {
        thread::sleep(UNANSWERED);
        let Some(file) = file.upgrade() else { return };
        let oldest = file.turns().oldest();
        if oldest.is_none() {
            file.watched.store(false, Ordering::SeqCst);
            // A call may have begun before that was said.
            if file.turns().oldest().is_none() || file.watched.swap(true, Ordering::SeqCst) {
                return;
            }
        } else if oldest == waited {
            let number = file.begun.fetch_add(1, Ordering::Relaxed);
            let ask = Ask::Read { offset: 0, bytes: 1 };
            let read = Call::new(file.clone(), number, ask, Vec::with_capacity(1));
            if file.turns().beside(number) {
                // Whatever it says, the file's next flush says it, too.
                read.go();
            }
        }
        waited = oldest;
    }
}

impl Handle {
    /// Begins a call and waits for it.
    async fn call(&self, reach: Reach, ask: Ask, buffer: Vec<u8>) -> (Answer, Vec<u8>) {
        match self.begin(reach, ask, buffer) {
            Ok(call) => Waiting(call).await,
            Err(Closed) => (Answer::of(failed(EBADF)), Vec::new()),
        }
    }

    fn begin(
        &self,
        reach: Reach,
        ask: Ask,
        buffer: Vec<u8>,
    ) -> std::result::Result<Arc<Call>, Closed> {
        let number = self.0.begun.fetch_add(1, Ordering::Relaxed);
        // Before its turn is looked for: whoever else begins or ends a call waits for that.
        let call = Call::new(self.0.clone(), number, ask, buffer);
        let goes = self.0.turns().begin(number, reach, &call)?;
        if goes {
            call.clone().go();
        }
        self.0.watch();
        Ok(call)
    }

    /// A call that changes a range.
    async fn change(&self, offset: u64, bytes: u64, ask: impl FnOnce(Span) -> Ask) -> Done {
        let Some(span) = span(offset, bytes) else { return failed(EINVAL) };
        let reach = Reach::Writes(offset..offset + bytes);
        self.call(reach, ask(span), Vec::new()).await.0.done
    }
}

impl File for Handle {
    fn pread(&self, offset: u64, bytes: usize) -> BoxFuture<'_, ReadDone> {
        Box::pin(async move {
            let refused = |errno| ReadDone { done: failed(errno), buffer: Bytes::new() };
            let Some(span) = span(offset, bytes as u64) else { return refused(EINVAL) };
            let mut buffer = Vec::new();
            if buffer.try_reserve_exact(bytes).is_err() {
                return refused(ENOMEM);
            }
            let reach = Reach::Reads(offset..offset + bytes as u64);
            let ask = Ask::Read { offset: span.offset, bytes };
            let (answer, buffer) = self.call(reach, ask, buffer).await;
            ReadDone { done: answer.done, buffer: buffer.into() }
        })
    }

    fn pwrite(&self, offset: u64, data: Bytes) -> BoxFuture<'_, Done> {
        let bytes = data.len() as u64;
        Box::pin(self.change(offset, bytes, |span| Ask::Write { offset: span.offset, data }))
    }

    fn zerofill(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(
            self.change(offset, bytes, |span| Ask::Zerofill {
                offset: span.offset,
                bytes: span.bytes,
            }),
        )
    }

    fn discard(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(
            self.change(offset, bytes, |span| Ask::Discard {
                offset: span.offset,
                bytes: span.size,
            }),
        )
    }

    fn fsync(&self) -> BoxFuture<'_, Done> {
        Box::pin(async { self.call(Reach::File, Ask::Fsync, Vec::new()).await.0.done })
    }

    /// Takes its turn with every call that has a range: which bytes it changes depends on the length
    /// that the file has by then.
    fn ftruncate(&self, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(async move {
            let Ok(bytes) = off_t::try_from(bytes) else { return failed(EINVAL) };
            let everywhere = Reach::Writes(0..u64::MAX);
            self.call(everywhere, Ask::Truncate { bytes }, Vec::new()).await.0.done
        })
    }

    fn fallocate(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        Box::pin(
            self.change(offset, bytes, |span| Ask::Allocate {
                offset: span.offset,
                bytes: span.size,
            }),
        )
    }

    fn seek(&self, offset: u64, what: Seek) -> BoxFuture<'_, Done> {
        let whence = match what {
            Seek::Data => libc::SEEK_DATA,
            Seek::Hole => libc::SEEK_HOLE,
        };
        Box::pin(async move {
            let Ok(at) = off_t::try_from(offset) else { return failed(EINVAL) };
            let ask = Ask::Seek { offset: at, whence };
            self.call(Reach::Reads(offset..u64::MAX), ask, Vec::new()).await.0.done
        })
    }

    fn stat(&self) -> BoxFuture<'_, Result<Stat>> {
        Box::pin(async {
            let answer = self.call(Reach::File, Ask::Stat, Vec::new()).await.0;
            let errno = || Errno::from_number(answer.done.errno).unwrap_or(Errno::EIO);
            answer.stat.ok_or_else(errno)
        })
    }

    fn close(&self) -> BoxFuture<'_, Done> {
        Box::pin(async { self.call(Reach::Close, Ask::Close, Vec::new()).await.0.done })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // It may be closed already. What comes of it nobody is there to hear.
        let _ = self.begin(Reach::Close, Ask::Close, Vec::new());
    }
}

fn failed(errno: i32) -> Done {
    Done { ret: -1, errno }
}

/// A range as C says it.
struct Span {
    offset: off_t,
    bytes: off_t,
    size: size_t,
}

/// None where a file cannot be: gluster would acknowledge a write there, and fail a sync much later.
fn span(offset: u64, bytes: u64) -> Option<Span> {
    off_t::try_from(offset.checked_add(bytes)?).ok()?;
    Some(Span {
        offset: offset.try_into().ok()?,
        bytes: bytes.try_into().ok()?,
        size: bytes.try_into().ok()?,
    })
}

/// How long a call may take before gluster is asked to look at its queue again.
const UNANSWERED: Duration = Duration::from_secs(1);
