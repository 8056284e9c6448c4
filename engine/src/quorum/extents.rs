//! Whose turn it is on which bytes.
//!
//! Every request in flight has an entry here, in order of arrival. An entry that conflicts with an
//! earlier one waits for it; so turns are fair and nobody can deadlock.

use std::{
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

/// How a request shares its bytes with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Beside other shared requests.
    Shared,
    /// Alone.
    Exclusive,
}

/// The queues of an array, in which every request in flight has an entry.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Requests by the bytes they are about.
    pub(super) data: Extents,
    /// Flushes, which take turns, and queries, which do not.
    pub(super) control: Extents,
}

impl Queues {
    /// Lets everybody look again: a child was removed, or a request that was given up on can go on.
    pub(super) fn wake_all(&self) {
        self.data.wake_all();
        self.control.wake_all();
    }
}

/// The requests in flight.
#[derive(Debug, Default)]
pub(super) struct Extents(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    tickets: u64,
    /// In order of arrival.
    list: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    range: Range<u64>,
    mode: Mode,
    /// Who waits for this entry's turn, or for its children.
    waker: Option<Waker>,
}

impl Entry {
    fn conflicts(&self, other: &Self) -> bool {
        let overlap = self.range.start < other.range.end && other.range.start < self.range.end;
        overlap && (self.mode == Mode::Exclusive || other.mode == Mode::Exclusive)
    }
}

impl Extents {
    /// Queues for a range; the claim resolves when it is this request's turn.
    pub(super) fn claim(&self, range: Range<u64>, mode: Mode) -> Claim<'_> {
        let range = range.start..range.end.max(range.start.saturating_add(1));
        let mut entries = self.entries();
        let ticket = entries.tickets;
        entries.tickets += 1;
        entries.list.push(Entry { ticket, range, mode, waker: None });
        Claim { extents: self, ticket }
    }

    /// Waits for every request in flight, and keeps later ones out as long as the claim is held.
    pub(super) fn drain(&self) -> Claim<'_> {
        self.claim(0..u64::MAX, Mode::Exclusive)
    }

    fn wake_all(&self) {
        let wakers: Vec<Waker> =
            self.entries().list.iter_mut().filter_map(|e| e.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Claim<'a> {
    extents: &'a Extents,
    ticket: u64,
}

impl Claim<'_> {
    /// Waits for this claim's turn.
    pub(super) fn turn(&self) -> impl Future<Output = ()> + Send + Sync {
        Turn(self)
    }

    /// Has the task woken by [`Queues::wake_all`].
    pub(super) fn park(&self, cx: &Context<'_>) {
        let mut entries = self.extents.entries();
        let at = entries.position(self.ticket);
        let replaced = entries.list[at].park(cx);
        drop(entries);
        drop(replaced);
    }
}

impl Entry {
    /// Answers the waker that has had its day, to be dropped outside the lock: what a task does
    /// then is not this module's to say.
    #[must_use]
    fn park(&mut self, cx: &Context<'_>) -> Option<Waker> {
        match &self.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => self.waker.replace(cx.waker().clone()),
        }
    }
}

impl Entries {
    fn position(&self, ticket: u64) -> usize {
        let at = self.list.binary_search_by_key(&ticket, |e| e.ticket);
        at.expect("an entry stays as long as its claim")
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut entries = self.extents.entries();
        let at = entries.position(self.ticket);
        let gone = entries.list.remove(at);
        let waiting = entries.list[at..].iter_mut().filter(|e| e.conflicts(&gone));
        let wakers: Vec<Waker> = waiting.filter_map(|e| e.waker.take()).collect();
        drop(entries);
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct Turn<'a>(&'a Claim<'a>);

impl Future for Turn<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entries = self.0.extents.entries();
        let at = entries.position(self.0.ticket);
        let (earlier, rest) = entries.list.split_at_mut(at);
        if !earlier.iter().any(|e| e.conflicts(&rest[0])) {
            return Poll::Ready(());
        }
        let replaced = rest[0].park(cx);
        drop(entries);
        drop(replaced);
        Poll::Pending
    }
}
