//! A child whose operations go wrong as a plan says.

mod inner;
mod landing;

use crate::{
    effect::{Effect, Status},
    host::Host,
    inject::Plan,
    medium::Medium,
    operation::Operation,
    rule::OpKind,
};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Errno, Extent, Flags, IoFuture, Limits, Prealloc, Result};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
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
    /// Whether `state` says anything, for those who would rather not lock it.
    is_plain: AtomicBool,
    state: Mutex<State>,
}

/// What is wrong with the child as a whole.
#[derive(Debug, Default)]
struct State {
    /// Whether no rule befalls it any more.
    is_spared: bool,
    frozen: Option<Frozen>,
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
        let medium = Medium::new(store, plan.asks_history(child));
        Self {
            inner: Arc::new(Inner {
                child,
                medium,
                plan,
                host,
                ordinal: AtomicU64::new(0),
                is_plain: AtomicBool::new(true),
                state: Mutex::default(),
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
        self.inner.change(|state| *state = State { is_spared: true, frozen: None });
    }

    /// Has the child go on in this way from the next operation on, whatever its rules say.
    ///
    /// Operations in flight end as was decided when they began.
    pub fn freeze(&self, how: Frozen) {
        self.inner.change(|state| *state = State { is_spared: true, frozen: Some(how) });
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
        self.store().limits()
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
        let is_plain = self.inner.is_plain.load(Ordering::Relaxed);
        match is_plain && !self.inner.plan.befalls(self.inner.child, OpKind::Close) {
            true => self.store().close(),
            false => self.operate(|inner| async move { inner.close().await }),
        }
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.store().invalidate()
    }
}

impl Inner {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.is_plain.store(false, Ordering::Relaxed);
    }

    /// What becomes of an operation of a child that no rule befalls; nothing where rules do.
    fn frozen_effect(&self) -> Option<Effect> {
        if self.is_plain.load(Ordering::Relaxed) {
            return None;
        }
        let state = self.state();
        let frozen = state.frozen.map(|frozen| match frozen {
            Frozen::Dead(errno) => (Some(Status::Error(errno)), Some(Vec::new())),
            Frozen::Hung => (Some(Status::Never), Some(Vec::new())),
            Frozen::Stale => (None, Some(Vec::new())),
        });
        let (status, applied) = frozen.or(state.is_spared.then_some((None, None)))?;
        Some(Effect { status, applied, ..Effect::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}
