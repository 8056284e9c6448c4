//! The future of an operation of a device, which goes on without its caller.

use crate::host::Host;
use quorate_engine::Result;
use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

/// An operation that is handed to the host where its caller drops it half way.
pub(crate) struct Operation<'a, F: Future + Send + 'static> {
    progress: Progress<F>,
    host: &'a dyn Host,
}

enum Progress<F> {
    /// Not polled yet: nobody has seen it.
    Idle(Pin<Box<F>>),
    Begun(Pin<Box<F>>),
    Over,
}

impl<'a, F: Future + Send + 'static> Operation<'a, F> {
    pub(crate) fn new(operation: F, host: &'a dyn Host) -> Self {
        Self { progress: Progress::Idle(Box::pin(operation)), host }
    }
}

impl<T, F: Future<Output = Result<T>> + Send + 'static> Future for Operation<'_, F> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut running = match mem::replace(&mut self.progress, Progress::Over) {
            Progress::Idle(running) | Progress::Begun(running) => running,
            Progress::Over => panic!("polled after its end"),
        };
        let polled = running.as_mut().poll(context);
        if polled.is_pending() {
            self.progress = Progress::Begun(running);
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for Operation<'_, F> {
    fn drop(&mut self) {
        if let Progress::Begun(running) = mem::replace(&mut self.progress, Progress::Over) {
            self.host.detach(Box::pin(async move {
                running.await;
            }));
        }
    }
}
