//! One operation on many children at once, and on one.

use super::{extents::Claim, member::Member};
use crate::{
    device::IoFuture,
    errno::{Errno, Result},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Asks children in index order and waits for all of them, or for their removal.
pub(super) struct FanOut<'a, T, A, F> {
    claim: &'a Claim<'a>,
    slots: Vec<Slot<'a, T>>,
    /// Makes of an answer what counts.
    accept: A,
    /// Hears of each failure as it arrives.
    failed: F,
}

enum Slot<'a, T> {
    Waiting(&'a Member, IoFuture<'a, T>),
    Done(Result<T>),
}

impl<'a, T, A, F> FanOut<'a, T, A, F>
where
    A: Fn(Result<T>) -> Result<T>,
    F: FnMut(&Member, Errno),
{
    pub(super) fn new(
        claim: &'a Claim<'a>,
        members: impl Iterator<Item = &'a Arc<Member>>,
        mut ask: impl FnMut(&'a Member) -> IoFuture<'a, T>,
        accept: A,
        failed: F,
    ) -> Self {
        Self { claim, slots: members.map(|m| Slot::Waiting(m, ask(m))).collect(), accept, failed }
    }
}

// Nothing in it is pinned but the boxed futures, which pin themselves.
impl<T, A, F> Unpin for FanOut<'_, T, A, F> {}

impl<T, A, F> Future for FanOut<'_, T, A, F>
where
    A: Fn(Result<T>) -> Result<T>,
    F: FnMut(&Member, Errno),
{
    type Output = Vec<Result<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Before the children are looked at, so that no removal goes by unnoticed.
        this.claim.park(cx);
        let mut waiting = false;
        for slot in &mut this.slots {
            let Slot::Waiting(member, io) = slot else { continue };
            match poll_child(member, io, cx) {
                Poll::Pending => waiting = true,
                Poll::Ready(reply) => {
                    let reply = (this.accept)(reply);
                    if let Err(error) = reply {
                        (this.failed)(member, error);
                    }
                    *slot = Slot::Done(reply);
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        let replies = std::mem::take(&mut this.slots).into_iter().map(|slot| match slot {
            Slot::Done(reply) => reply,
            Slot::Waiting(..) => unreachable!("nothing waits any more"),
        });
        Poll::Ready(replies.collect())
    }
}

/// Waits for one child, or for its removal.
pub(super) struct One<'a, T>(
    pub(super) &'a Claim<'a>,
    pub(super) &'a Member,
    pub(super) IoFuture<'a, T>,
);

impl<T> Future for One<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let Self(claim, member, io) = &mut *self;
        claim.park(cx);
        poll_child(member, io, cx)
    }
}

/// A child that is gone has failed, whatever it may still do. It is not asked for more: somebody
/// else may use its device by now.
fn poll_child<T>(
    member: &Member,
    io: &mut IoFuture<'_, T>,
    cx: &mut Context<'_>,
) -> Poll<Result<T>> {
    if member.removed() {
        return Poll::Ready(Err(Errno::ECANCELED));
    }
    io.as_mut().poll(cx)
}
