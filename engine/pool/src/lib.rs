//! Blocking work on the threads of the `blocking` crate, which a dropped future does not take back.

#![forbid(unsafe_code)]

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Starts the work and waits for it. Dropping the future detaches it.
///
/// A [`blocking::Task`] by itself is cancelled when dropped, if no thread has taken it yet.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    Detaching(Some(blocking::unblock(work))).await
}

/// Starts the work, for nobody to wait for.
pub fn detach(work: impl FnOnce() + Send + 'static) {
    blocking::unblock(work).detach();
}

struct Detaching<T>(Option<blocking::Task<T>>);

impl<T> Future for Detaching<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let task = self.0.as_mut().expect("the task leaves with the future");
        Pin::new(task).poll(cx)
    }
}

impl<T> Drop for Detaching<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}
