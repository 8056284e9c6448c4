//! What devices do beyond the queue: requests on their way through an operating system or a network.
//!
//! The queue has one entry complete at a time, and whatever follows from that has to happen before the
//! next. Where it happens elsewhere, the run waits for it. It does so for a while only: a device that
//! does not answer, as its server is dead or stopped, is *slow*, and the run goes on beside it.
//!
//! Where something else makes the outside go on, such as threads, the run stands still while it waits, and
//! so comes out as if devices had answered at once. Where the outside lives in the same thread, it is
//! waited for once nothing else can move.

use futures_lite::future::{block_on, or};
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
    time::Duration,
};

/// A future that is over after some time of the outside.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The world beyond the queue of one run. Clones are handles to the same.
#[derive(Clone)]
pub struct Outside(Arc<Shared>);

struct Shared {
    errands: Mutex<Errands>,
    patience: Patience,
    sleep: Box<dyn Fn(Duration) -> Sleep + Send + Sync>,
    /// Whether the run stands still while it waits.
    stands_still: bool,
}

/// How long a run waits for the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until it goes on without an answer.
    pub prompt: Duration,
    /// Where it cannot go on without one, until it is said to stall.
    pub slow: Duration,
}

#[derive(Debug, Default)]
struct Errands {
    /// How often the run has lost patience.
    losses: u64,
    /// How many errands it waits for.
    prompt: u64,
    /// How many of which it never loses patience.
    sure: u64,
    /// How many it has lost patience with.
    slow: u64,
}

/// Something under way outside, until it is dropped.
struct Errand<'a> {
    outside: &'a Outside,
    /// How often the run had lost patience when it began.
    losses: u64,
}

impl Outside {
    /// An outside that goes on in the thread of the run, whose time passes as `sleep` says.
    pub fn within(
        patience: Patience,
        sleep: impl Fn(Duration) -> Sleep + Send + Sync + 'static,
    ) -> Self {
        let (errands, sleep) = (Mutex::default(), Box::new(sleep));
        Self(Arc::new(Shared { errands, patience, sleep, stands_still: false }))
    }

    /// An outside that goes on by itself: the run stands still while it waits.
    pub fn beyond(
        patience: Patience,
        sleep: impl Fn(Duration) -> Sleep + Send + Sync + 'static,
    ) -> Self {
        let (errands, sleep) = (Mutex::default(), Box::new(sleep));
        Self(Arc::new(Shared { errands, patience, sleep, stands_still: true }))
    }

    /// Asks something of the outside, for which the run waits.
    pub async fn ask<T>(&self, asking: impl Future<Output = T>) -> T {
        let mut asking = pin!(asking);
        if !self.0.stands_still {
            let _errand = self.begin(true);
            return asking.await;
        }
        let answer = async { Some(asking.as_mut().await) };
        let late = async {
            self.sleep(self.0.patience.prompt).await;
            None
        };
        if let Some(answer) = block_on(or(answer, late)) {
            return answer;
        }
        let _errand = self.begin(false);
        asking.await
    }

    /// Asks something of the outside that the run waits for however long it takes.
    pub async fn insist<T>(&self, asking: impl Future<Output = T>) -> T {
        if self.0.stands_still {
            return block_on(asking);
        }
        self.errands().sure += 1;
        let _sure = Sure(self);
        asking.await
    }

    fn begin(&self, prompt: bool) -> Errand<'_> {
        let mut errands = self.errands();
        if prompt {
            errands.prompt += 1;
            Errand { outside: self, losses: errands.losses }
        } else {
            errands.slow += 1;
            Errand { outside: self, losses: u64::MAX }
        }
    }

    /// Some time of the outside.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> Sleep {
        (self.0.sleep)(time)
    }

    /// Whether this takes longer, which is then given up. Its time counts from before it is asked for the first
    /// time: a request may be delayed on its way out, in the thread that makes it.
    pub async fn outlasts<T>(&self, time: Duration, asking: impl Future<Output = T>) -> bool {
        let (mut asking, mut sleep) = (pin!(asking), self.sleep(time));
        poll_fn(|cx| {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            // Asking alone may have taken as long.
            asking.as_mut().poll(cx).map(|_| sleep.as_mut().poll(cx).is_ready())
        })
        .await
    }

    /// Whether something is under way for which the run waits.
    pub(crate) fn is_busy(&self) -> bool {
        let errands = self.errands();
        errands.prompt + errands.sure > 0
    }

    /// Waits until `ready` is, or patience is lost with everything that is under way.
    pub(crate) async fn wait(&self, ready: impl FnMut(&Waker) -> bool) {
        if !self.race(ready, self.0.patience.prompt).await {
            let mut errands = self.errands();
            errands.losses += 1;
            errands.slow += std::mem::take(&mut errands.prompt);
        }
    }

    /// Waits until `ready` is, if anything is under way at all and it does not take too long. Whether
    /// it is.
    pub(crate) async fn wait_long(&self, ready: impl FnMut(&Waker) -> bool) -> bool {
        let under_way = {
            let errands = self.errands();
            errands.prompt + errands.sure + errands.slow > 0
        };
        under_way && self.race(ready, self.0.patience.slow).await
    }

    async fn race(&self, mut ready: impl FnMut(&Waker) -> bool, time: Duration) -> bool {
        let mut sleep = self.sleep(time);
        poll_fn(|cx| match ready(cx.waker()) {
            true => Poll::Ready(true),
            false => sleep.as_mut().poll(cx).map(|()| false),
        })
        .await
    }

    fn errands(&self) -> MutexGuard<'_, Errands> {
        self.0.errands.lock().expect("nothing panics under this lock")
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("patience", &self.0.patience).finish_non_exhaustive()
    }
}

/// One of the errands of which the run never loses patience.
struct Sure<'a>(&'a Outside);

impl Drop for Sure<'_> {
    fn drop(&mut self) {
        self.0.errands().sure -= 1;
    }
}

impl Drop for Errand<'_> {
    fn drop(&mut self) {
        let mut errands = self.outside.errands();
        match errands.losses == self.losses {
            true => errands.prompt -= 1,
            false => errands.slow -= 1,
        }
    }
}
