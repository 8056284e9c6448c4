//! Requests whose caller has gone.
//!
//! A dropped request still holds its extent and may have more to do: the second half of a repair,
//! the flush of a FUA write. The engine has no task of its own to finish it, so every request that is
//! polled helps: those in flight and those to come are the only ones that could notice.
//!
//! Nobody may miss that a detached request can go on. Therefore every such wake is counted before
//! the requests in flight are woken, and a request that is about to wait looks whether it has slept
//! through one.

use super::extents::Queues;
use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The requests that nobody waits for.
pub(super) struct Detached {
    count: AtomicUsize,
    works: Mutex<Vec<Work>>,
    helpers: Arc<Helpers>,
}

/// Wakes everybody in flight: whoever is polled first goes on.
struct Helpers {
    queues: Arc<Queues>,
    wakes: AtomicUsize,
}

impl Wake for Helpers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.queues.wake_all();
    }
}

/// How many wakes there were before somebody helped.
#[derive(Clone, Copy)]
struct Seen(usize);

impl Detached {
    /// None yet. Requests that could help are in these queues.
    pub(super) fn new(queues: Arc<Queues>) -> Self {
        let helpers = Arc::new(Helpers { queues, wakes: AtomicUsize::new(0) });
        Self { count: AtomicUsize::new(0), works: Mutex::default(), helpers }
    }

    /// Takes over a request whose future was dropped.
    pub(super) fn push(&self, work: Work) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.works().push(work);
        self.helpers.wake_by_ref();
    }

    /// Polls something and, before it, every detached request; if it has to wait, whatever happened
    /// to these meanwhile has it polled again.
    pub(super) fn beside<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let seen = self.help();
        let polled = poll(cx);
        if polled.is_pending() {
            self.rest(seen, cx);
        }
        polled
    }

    /// Polls every detached request.
    fn help(&self) -> Seen {
        let seen = Seen(self.helpers.wakes.load(Ordering::SeqCst));
        if self.count.load(Ordering::SeqCst) == 0 {
            return seen;
        }
        let waker = Waker::from(self.helpers.clone());
        // Taken out, so that no lock is held while a device is polled.
        let mut works = mem::take(&mut *self.works());
        let before = works.len();
        works.retain_mut(|work| work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        self.count.fetch_sub(before - works.len(), Ordering::SeqCst);
        self.works().append(&mut works);
        if self.woken_since(seen) {
            // Whoever was woken while the requests were away has looked for them in vain.
            self.helpers.wake_by_ref();
        }
        seen
    }

    /// Has the task polled once more if there was something to do since it helped, or is now.
    fn rest(&self, seen: Seen, cx: &Context<'_>) {
        if self.woken_since(seen) {
            cx.waker().wake_by_ref();
        }
    }

    /// Forgets all of them: the array is gone, the devices finish what they were asked.
    pub(super) fn clear(&self) {
        let works = mem::take(&mut *self.works());
        self.count.fetch_sub(works.len(), Ordering::SeqCst);
    }

    fn woken_since(&self, seen: Seen) -> bool {
        self.helpers.wakes.load(Ordering::SeqCst) != seen.0
    }

    fn works(&self) -> MutexGuard<'_, Vec<Work>> {
        self.works.lock().expect("nothing panics under this lock")
    }
}
