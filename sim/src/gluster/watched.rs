//! A value, and those who wait for it to become something.

use std::{
    future::poll_fn,
    mem,
    sync::{Mutex, MutexGuard},
    task::{Poll, Waker},
};

/// A value that can be waited for, from any task.
pub(super) struct Watched<T>(Mutex<Inner<T>>);

struct Inner<T> {
    value: T,
    wakers: Vec<Waker>,
}

impl<T> Watched<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(Inner { value, wakers: Vec::new() }))
    }

    /// Looks at the value, which stays as it is.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.inner().value)
    }

    /// Changes the value, and lets everybody who waits look at it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let (result, wakers) = {
            let mut inner = self.inner();
            (change(&mut inner.value), mem::take(&mut inner.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Changes what nobody waits for.
    pub(super) fn touch<R>(&self, touch: impl FnOnce(&mut T) -> R) -> R {
        touch(&mut self.inner().value)
    }

    /// Waits until the value is what is wanted. What the last look changes wakes nobody.
    pub(super) async fn until<R>(&self, mut wanted: impl FnMut(&mut T) -> Option<R>) -> R {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if let Some(result) = wanted(&mut inner.value) {
                return Poll::Ready(result);
            }
            if !inner.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                inner.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

/// What comes once.
pub(super) type Slot<T> = Watched<Option<T>>;

impl<T> Slot<T> {
    pub(super) fn empty() -> Self {
        Self::new(None)
    }

    pub(super) fn fill(&self, value: T) {
        self.change(|slot| *slot = Some(value));
    }

    pub(super) async fn take(&self) -> T {
        self.until(Option::take).await
    }
}
