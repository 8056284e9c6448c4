//! An executor that polls what was woken, and nothing else.

use bytes::Bytes;
use quorate_engine::{IoFuture, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A request on a task of its own.
pub(super) struct Task<'a> {
    future: Option<IoFuture<'a, Bytes>>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Task<'a> {
    pub(super) fn new(future: IoFuture<'a, Bytes>) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self { future: Some(future), waker: woken.clone().into(), woken }
    }

    /// Whether it was woken, and is not done.
    pub(super) fn can_go_on(&self) -> bool {
        self.future.is_some() && self.woken.0.load(Ordering::Relaxed)
    }

    /// Goes on for as long as it is woken; what it came to, when it is done.
    ///
    /// # Panics
    /// If it wakes itself for ever.
    pub(super) fn go_on(&mut self) -> Option<Result<Bytes>> {
        for _ in 0..POLLS_MAX {
            let future = self.future.as_mut()?;
            if !self.woken.0.swap(false, Ordering::Relaxed) {
                return None;
            }
            if let Poll::Ready(reply) = future.as_mut().poll(&mut Context::from_waker(&self.waker))
            {
                self.future = None;
                return Some(reply);
            }
        }
        panic!("the request was polled {POLLS_MAX} times and still wakes itself");
    }
}

/// Nothing that is right wakes itself more than once or twice.
const POLLS_MAX: usize = 1000;
