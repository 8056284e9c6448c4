//! Blocking work that a dropped future does not take back.

use quorate_engine::Result;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Starts the work and waits for it. Dropping the future detaches it.
///
/// A [`blocking::Task`] by itself is cancelled when dropped, if no thread has taken it yet.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    Detaching(Some(blocking::unblock(work))).await
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
