//! A child whose operations go wrong as a plan says.

mod alter;
mod inner;
mod landing;
mod state;

use crate::{
    draw::Draw,
    fault::Crash,
    host::{Firing, Host},
    inject::Plan,
    medium::Medium,
    operation::Operation,
    rule::OpKind,
    strike::Strike,
};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Errno, Extent, Flags, IoFuture, Limits, Prealloc, Result};
use state::{State, Troubles};
use std::{
    future::Future,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

/// A plain device as a child of an array, with the faults of a plan.
///
/// An operation is decided and registered with the host when its future is first polled. It is
/// applied when the host lets the device answer, and answered then.
pub struct FaultyChild {
    inner: Arc<Inner>,
}

struct Inner {
    child: u32,
    medium: Medium,
    plan: Arc<Plan>,
    host: Arc<dyn Host>,
    ordinal: AtomicU64,
    troubles: Troubles,
}

/// How a child goes on that is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// Whatever it is asked fails with this error.
    Dead(Errno),
    /// It answers nothing any more.
    Hung,
    /// It answers, and acknowledges whatever would change it, but it never changes again.
    Stale,
}

impl FaultyChild {
    /// The child of this index, over `store`.
    ///
    /// # Panics
    ///
    /// If the plan is for fewer children.
    #[must_use]
    pub fn new(
        child: u32,
        store: Arc<dyn BlockDevice>,
        plan: Arc<Plan>,
        host: Arc<dyn Host>,
    ) -> Self {
        assert!(child < plan.children_count(), "a plan knows each child of its array");
        let medium = Medium::new(store, plan.asks_past(child), plan.asks_cache(child));
        Self {
            inner: Arc::new(Inner {
                child,
                medium,
                plan,
                host,
                ordinal: AtomicU64::new(0),
                troubles: Troubles::default(),
            }),
        }
    }

    /// What the medium shows of a range: no operation, no fault of a reply, nothing is counted.
    #[must_use]
    pub fn visible(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(self.inner.medium.read(offset, bytes))
    }

    /// Ends whatever is wrong with the child, and keeps its rules from befalling it again: what was
    /// truly written shows, a frozen child goes on. What it never wrote stays unwritten.
    ///
    /// Operations in flight end as was decided when they began.
    pub fn heal(&self) {
        self.inner.medium.lift();
        self.inner.troubles.change(|state| {
            // The power is back; what it has cut off stays so.
            let down = state.down.map(|(_, errno)| (Duration::ZERO, errno));
            *state = State { is_spared: true, down, ..State::default() };
        });
    }

    /// Has the child go on in this way from the next operation on, whatever its rules say.
    ///
    /// Operations in flight end as was decided when they began.
    pub fn freeze(&self, how: Frozen) {
        self.inner.troubles.change(|state| {
            (state.is_spared, state.frozen) = (true, Some(how));
        });
    }

    /// From now on it is known what of the child is durable, for [`FaultyChild::cut_power`]. All is
    /// that is there now. With a rule that asks for it, it is known from the start.
    pub fn keep_cache(&self) {
        self.inner.medium.keep_cache();
    }

    /// The power goes and comes back. What is drawn comes of `draw`. With `fails_in_flight`, so do
    /// the operations in flight, parts of which may remain, and those that come while it is down; else
    /// they go on. Gives back what came of it.
    pub async fn cut_power(&self, crash: &Crash, fails_in_flight: bool, draw: &Draw) -> Firing {
        self.inner.cut_power(crash, fails_in_flight, draw).await
    }

    /// The store was changed behind everybody's back: the child durably holds this now. What lies over
    /// it stays.
    pub fn overwritten(&self, offset: u64, data: &[u8]) {
        self.inner.medium.overwritten(offset, data);
    }

    /// A rule strikes the child by itself.
    pub(crate) async fn struck(&self, strike: &Strike) {
        self.inner.struck(strike).await;
    }

    /// Opens the device: an operation like any other, for whoever wants rules to befall it.
    pub fn open(&self) -> IoFuture<'_, ()> {
        self.operate(|inner| async move { inner.open().await })
    }

    fn operate<T, F>(&self, operation: impl FnOnce(Arc<Inner>) -> F) -> IoFuture<'_, T>
    where
        T: 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Box::pin(Operation::new(operation(self.inner.clone()), &*self.inner.host))
    }

    fn store(&self) -> &Arc<dyn BlockDevice> {
        self.inner.medium.store()
    }
}

impl BlockDevice for FaultyChild {
    fn limits(&self) -> Limits {
        let limits = self.store().limits();
        Limits { read_only: limits.read_only || self.inner.troubles.is_read_only(), ..limits }
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.operate(|inner| async move { inner.length().await })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.operate(move |inner| async move { inner.read(offset, bytes).await })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.write(offset, data, flags).await })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.write_zeroes(offset, bytes, flags).await })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.discard(offset, bytes).await })
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.operate(|inner| async move { inner.flush().await })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.operate(move |inner| async move { inner.block_status(offset, bytes).await })
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.truncate(bytes, prealloc).await })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        // An operation only where somebody could tell the difference.
        let is_plain = self.inner.troubles.are_none();
        match is_plain && !self.inner.plan.befalls(self.inner.child, OpKind::Close) {
            true => self.store().close(),
            false => self.operate(|inner| async move { inner.close().await }),
        }
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            self.inner.medium.evict().await?;
            self.store().invalidate().await
        })
    }
}
