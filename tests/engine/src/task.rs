//! An executor that polls what was woken, and nothing else.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A future on a task of its own, which dropping it ends.
pub(super) struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    woken: Arc<Woken>,
    output: Option<T>,
}

/// What a task's wakers have in common.
pub(super) struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T: Clone> Task<'a, T> {
    /// Polls the future until it is done or waits.
    pub(super) fn start(future: impl Future<Output = T> + Send + 'a) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let mut task = Self { future: Box::pin(future), woken, output: None };
        task.done();
        task
    }

    /// Polls the future for as long as it has been woken; what it came to, if it is done.
    pub(super) fn done(&mut self) -> Option<T> {
        let waker = Waker::from(self.woken.clone());
        while self.output.is_none() && self.woken.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                self.output = Some(output);
            }
        }
        self.output.clone()
    }

    /// Gone when neither the task nor any waker of it is left.
    pub(super) fn wakers(&self) -> Weak<Woken> {
        Arc::downgrade(&self.woken)
    }

    /// Whether the future waits although it was given every poll it asked for.
    pub(super) fn waits(&mut self) -> bool {
        self.done().is_none()
    }
}

/// The output of a future that has nothing to wait for.
#[track_caller]
pub(super) fn now<T: Clone>(future: impl Future<Output = T> + Send) -> T {
    Task::start(future).done().expect("nothing was held back")
}
