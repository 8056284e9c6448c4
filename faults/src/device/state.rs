//! What is wrong with a child as a whole, whatever its rules say of an operation.

use super::Frozen;
use crate::{
    effect::{Effect, Status},
    medium::Piece,
    rule::OpKind,
};
use quorate_engine::Errno;
use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The troubles of a child, and a way to ask for them that costs nothing where there are none.
#[derive(Default)]
pub(super) struct Troubles {
    /// Whether `state` has anything to say.
    are_some: AtomicBool,
    /// How many crashes there have been that failed what was in flight.
    crashes: AtomicU64,
    state: Mutex<State>,
    /// What writes are to land, by the number of the operation: kept where a crash may need it.
    in_flight: Mutex<BTreeMap<u64, Vec<Piece>>>,
}

/// What is wrong with the child as a whole.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether no rule befalls it any more.
    pub(super) is_spared: bool,
    pub(super) frozen: Option<Frozen>,
    /// Until when it is without power, and how operations fail by then, and how those that were in
    /// flight when it went.
    pub(super) down: Option<(Duration, Errno)>,
    /// Whether it is gone for good.
    pub(super) is_ejected: bool,
    pub(super) is_read_only: bool,
    /// How every flush fails.
    pub(super) latch: Option<Errno>,
    /// How the next flush fails, or the close.
    pub(super) deferred: Option<Errno>,
}

impl Troubles {
    pub(super) fn are_none(&self) -> bool {
        !self.are_some.load(Ordering::Relaxed)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.are_some.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_read_only(&self) -> bool {
        !self.are_none() && self.state().is_read_only
    }

    /// Whether rules have nothing to say any more.
    pub(super) fn are_rules_over(&self) -> bool {
        !self.are_none() && self.state().is_spared
    }

    /// How the child answers an operation that comes now, where that is not for rules to say.
    pub(super) fn effect(&self, kind: OpKind, now: impl FnOnce() -> Duration) -> Option<Effect> {
        use OpKind::{Close, Discard, Flush, Truncate, Write, WriteZeroes};
        if self.are_none() {
            return None;
        }
        let state = self.state();
        let fails = |errno| Some((Some(Status::Error(errno)), Some(Vec::new())));
        let frozen = match state.frozen {
            Some(Frozen::Dead(errno)) => fails(errno),
            Some(Frozen::Hung) => Some((Some(Status::Never), Some(Vec::new()))),
            Some(Frozen::Stale) => Some((None, Some(Vec::new()))),
            None => None,
        };
        let down = || state.down.and_then(|(until, errno)| (now() < until).then_some(errno));
        let writes = matches!(kind, Write | WriteZeroes | Discard | Truncate);
        let (status, applied) = if let Some(frozen) = frozen {
            frozen
        } else if let Some(errno) = down() {
            fails(errno)?
        } else if state.is_ejected && kind != Close {
            fails(Errno::ENOMEDIUM)?
        } else if let (Some(errno), Flush) = (state.latch, kind) {
            fails(errno)?
        } else if state.is_read_only && writes {
            fails(Errno::EROFS)?
        } else if state.is_spared {
            (None, None)
        } else {
            return None;
        };
        Some(Effect { status, applied, life: self.life(), ..Effect::default() })
    }

    /// The error that an earlier flush has left behind, once.
    pub(super) fn take_deferred(&self) -> Option<Errno> {
        if self.are_none() { None } else { self.state().deferred.take() }
    }

    /// Which of its lives the child is in.
    pub(super) fn life(&self) -> u64 {
        self.crashes.load(Ordering::Relaxed)
    }

    /// How an operation of this life fails that ends now, if a crash has come between.
    pub(super) fn cut_off(&self, life: u64) -> Option<Errno> {
        if life == self.life() {
            return None;
        }
        self.state().down.map(|(_, errno)| errno)
    }

    /// Fails what is in flight, and what comes before `until`. Gives back what is in flight.
    pub(super) fn crash(&self, until: Duration, errno: Errno) -> Vec<(u64, Piece)> {
        self.crashes.fetch_add(1, Ordering::Relaxed);
        self.change(|state| (state.down, state.deferred) = (Some((until, errno)), None));
        let writes = mem::take(&mut *self.in_flight());
        let pieces = |(write, pieces): (u64, Vec<Piece>)| {
            pieces.into_iter().map(move |piece| (write, piece))
        };
        writes.into_iter().flat_map(pieces).collect()
    }

    pub(super) fn begin(&self, write: u64, pieces: Vec<Piece>) {
        self.in_flight().insert(write, pieces);
    }

    pub(super) fn end(&self, write: u64) {
        self.in_flight().remove(&write);
    }

    pub(super) fn in_flight(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Piece>>> {
        self.in_flight.lock().expect("nothing panics under this lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}
