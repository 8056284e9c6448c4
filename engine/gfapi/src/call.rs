//! A call that has begun: what is asked, the memory that gluster may still use, and who waits for it.

use crate::{errno, file::Shared};
use bytes::Bytes;
use glusterfs_sys::{glfs_fd_t, glfs_stat};
use libc::{c_int, c_void, iovec, off_t, ssize_t};
use quorate_engine::gluster::api::{Done, Stat};
use std::{
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

/// A call. It is shared by the future that waits for it and by gluster, which lets go of it in the
/// callback; so dropping the future leaves the memory where it is.
pub(crate) struct Call {
    file: Arc<Shared>,
    /// Which of the file's calls it is.
    number: u64,
    ask: Ask,
    state: Mutex<State>,
}

/// What is asked. Offsets and lengths are such that C can say them.
pub(crate) enum Ask {
    Read { offset: off_t, bytes: usize },
    Write { offset: off_t, data: Bytes },
    Zerofill { offset: off_t, bytes: off_t },
    Discard { offset: off_t, bytes: usize },
    Fsync,
    Truncate { bytes: off_t },
    Allocate { offset: off_t, bytes: usize },
    Seek { offset: off_t, whence: c_int },
    Stat,
    Close,
}

struct State {
    /// Of a read. Until gluster has answered there is room and nothing that could be looked at.
    buffer: Vec<u8>,
    waker: Option<Waker>,
    answer: Option<Answer>,
}

/// What came of a call.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) done: Done,
    /// Of a stat that did not fail.
    pub(crate) stat: Option<Stat>,
}

impl Call {
    pub(crate) fn new(file: Arc<Shared>, number: u64, ask: Ask, buffer: Vec<u8>) -> Arc<Self> {
        let state = Mutex::new(State { buffer, waker: None, answer: None });
        Arc::new(Self { file, number, ask, state })
    }

    /// Hands the call to gluster. No lock is held meanwhile: the answer may come before this returns.
    pub(crate) fn go(self: Arc<Self>) {
        let (api, fd) = (self.file.io.api(), self.file.io.fd.as_ptr());
        match &self.ask {
            Ask::Read { offset, bytes } => {
                let buffer = {
                    let buffer = self.state().buffer.as_mut_ptr();
                    iovec { iov_base: buffer.cast(), iov_len: *bytes }
                };
                // SAFETY: as `submit` says. The buffer has room for so many bytes, and stays where it
                // is, as only an answer lets anybody take it; gluster does not touch it after that.
                self.submit(|data| unsafe {
                    (api.glfs_preadv_async)(fd, &raw const buffer, 1, *offset, 0, answered, data)
                });
            }
            Ask::Write { offset, data: bytes } => {
                let bytes =
                    iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
                // SAFETY: as `submit` says. The bytes are read only, and stay with the call.
                self.submit(|data| unsafe {
                    (api.glfs_pwritev_async)(fd, &raw const bytes, 1, *offset, 0, answered, data)
                });
            }
            Ask::Zerofill { offset, bytes } => {
                // SAFETY: as `submit` says.
                self.submit(|data| unsafe {
                    (api.glfs_zerofill_async)(fd, *offset, *bytes, answered, data)
                });
            }
            Ask::Discard { offset, bytes } => {
                // SAFETY: as `submit` says.
                self.submit(|data| unsafe {
                    (api.glfs_discard_async)(fd, *offset, *bytes, answered, data)
                });
            }
            Ask::Fsync => {
                // SAFETY: as `submit` says.
                self.submit(|data| unsafe { (api.glfs_fsync_async)(fd, answered, data) });
            }
            Ask::Truncate { bytes } => {
                // SAFETY: as `submit` says.
                self.submit(|data| unsafe {
                    (api.glfs_ftruncate_async)(fd, *bytes, answered, data)
                });
            }
            // These have no form that calls back, or none that is known to work.
            Ask::Allocate { .. } | Ask::Seek { .. } | Ask::Stat | Ask::Close => {
                quorate_pool::detach(move || {
                    let answer = self.block();
                    self.end(answer);
                });
            }
        }
    }

    /// Submits, with a share of the call that [`answered`] lets go of. While it has one, the file stays
    /// open: closing waits for every call to end.
    fn submit(self: &Arc<Self>, submit: impl FnOnce(*mut c_void) -> c_int) {
        let data = Arc::into_raw(self.clone());
        errno::clear();
        if submit(data.cast_mut().cast()) < 0 {
            let errno = errno::last();
            // SAFETY: the share that was made above, as no callback comes.
            let call = unsafe { Arc::from_raw(data) };
            call.end(Answer::of(Done { ret: -1, errno }));
        }
    }

    fn block(&self) -> Answer {
        let file = &self.file;
        let done = match &self.ask {
            Ask::Allocate { offset, bytes } => file.io.allocate(*offset, *bytes),
            Ask::Seek { offset, whence } => file.seek(*offset, *whence),
            Ask::Stat => match file.io.stat() {
                Ok(stat) => return Answer { done: Done { ret: 0, errno: 0 }, stat: Some(stat) },
                Err(done) => Err(done),
            },
            // SAFETY: it is the last call of the file, and its turn comes when all others have ended.
            Ask::Close => unsafe { file.close() },
            _ => unreachable!("what calls back is submitted"),
        };
        Answer::of(done.map_or_else(|done| done, |ret| Done { ret, errno: 0 }))
    }

    /// Lets those go that waited for this one, and tells who waits for it.
    ///
    /// The others are submitted by another thread, as this may be one of gluster's, which must not wait
    /// for gluster.
    fn end(&self, answer: Answer) {
        let free = self.file.turns().end(self.number);
        for call in free {
            quorate_pool::detach(move || call.go());
        }
        let waker = {
            let mut state = self.state();
            if let Ask::Read { bytes, .. } = self.ask {
                let read = usize::try_from(answer.done.ret).unwrap_or(0).min(bytes);
                // SAFETY: there is room for `bytes`, and so many of them gluster says it has written.
                unsafe { state.buffer.set_len(read) };
                state.buffer.resize(bytes, 0);
            }
            state.answer = Some(answer);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

/// The callback of every call.
unsafe extern "C" fn answered(
    _: *mut glfs_fd_t,
    ret: ssize_t,
    _: *mut glfs_stat,
    _: *mut glfs_stat,
    data: *mut c_void,
) {
    // First of all: `ret` is but -1, and anything that follows may overwrite it.
    let errno = errno::last();
    let errno = if ret < 0 { errno } else { 0 };
    let answer = Answer::of(Done { ret: ret as i64, errno });
    // Waking is foreign code. What it panics about has been printed, and ends here.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `data` is the share that `submit` made for this callback, which comes once.
        let call = unsafe { Arc::from_raw(data.cast::<Call>().cast_const()) };
        call.end(answer);
    }));
}

impl Answer {
    pub(crate) fn of(done: Done) -> Self {
        Self { done, stat: None }
    }
}

/// Waits for a call. Being dropped, it only stops waiting.
pub(crate) struct Waiting(pub(crate) Arc<Call>);

impl Future for Waiting {
    /// The answer, and the buffer of a read.
    type Output = (Answer, Vec<u8>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match state.answer {
            Some(answer) => Poll::Ready((answer, mem::take(&mut state.buffer))),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Of whoever polled it nothing is kept, however long the answer takes. Dropped outside the lock.
        let waker = self.0.state().waker.take();
        drop(waker);
    }
}
