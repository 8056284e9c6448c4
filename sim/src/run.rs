//! Polls clients until all are done.

use crate::{
    outside::{Outside, Patience},
    queue::Queue,
};
use futures_util::{future::FutureExt, task::AtomicWaker};
use madsim::{runtime::Runtime, time::TimeHandle};
use std::{
    future::Future,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// One client.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// How long a run may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most entries that may complete.
    pub steps: u64,
    /// The device time, in microseconds, after which nothing more completes.
    pub until: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every client is done.
    Finished,
    /// A client waits for something that will not come: nothing is pending that could complete.
    Stalled,
    /// The budget of steps or of time is used up.
    OverBudget,
}

/// One madsim runtime, for the phases of one run.
pub struct Simulation(Runtime);

impl Simulation {
    /// A fresh runtime.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Runtime::with_seed_and_config(seed, madsim::Config::default()))
    }

    /// Polls clients until all are done, as [`drive`]. Nothing is outside: madsim's clock follows device
    /// time, for whatever in the run may read it.
    pub fn drive(
        &self,
        queue: &Queue,
        clients: Vec<Task<'_>>,
        background: Task<'_>,
        budget: Budget,
    ) -> End {
        self.block_on(async {
            let clock = TimeHandle::current();
            let advance =
                |now| clock.advance(Duration::from_micros(now).saturating_sub(clock.elapsed()));
            drive(queue, clients, background, budget, None, advance).await
        })
    }

    /// What goes on in the runtime beside a run: its nodes and its network, in their own time.
    #[must_use]
    pub fn outside(&self, patience: Patience) -> Outside {
        // Timers are the runtime's that polls them.
        Outside::within(patience, |time| Box::pin(async move { madsim::time::sleep(time).await }))
    }

    /// Polls a future of the runtime, with its nodes and its network, until it is done.
    ///
    /// # Panics
    /// As the future does.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let caught = AssertUnwindSafe(future).catch_unwind();
        // Of a panic that passes through it madsim says on standard error whose task it was, which is
        // always the same one.
        self.0.block_on(caught).unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }
}

/// Polls clients until all are done. Whenever none of them can move, and nothing is `outside` for which
/// they wait, one entry of the queue completes, and `advanced` hears of the time; clients that can move
/// are polled in order of their number.
///
/// `background` is polled with them and not waited for, whether it ends or not, but once the
/// clients are done, whatever is still pending in the queue or outside comes to its end.
pub async fn drive(
    queue: &Queue,
    clients: Vec<Task<'_>>,
    background: Task<'_>,
    budget: Budget,
    outside: Option<&Outside>,
    mut advanced: impl FnMut(u64),
) -> End {
    let clients_count = clients.len();
    let mut left = clients_count;
    let mut tasks: Vec<_> = clients.into_iter().chain([background]).map(Some).collect();
    let ready = Ready::all(tasks.len(), outside.is_some());
    let wakers: Vec<Waker> = (0..tasks.len()).map(|i| ready.waker(i)).collect();
    for _ in 0..=budget.steps {
        loop {
            while let Some(number) = ready.take_first() {
                let Some(task) = &mut tasks[number] else { continue };
                if task.as_mut().poll(&mut Context::from_waker(&wakers[number])) == Poll::Ready(())
                {
                    tasks[number] = None;
                    left -= usize::from(number < clients_count);
                }
            }
            match outside {
                Some(outside) if outside.is_busy() => outside.wait(|waker| ready.any(waker)).await,
                _ => break,
            }
        }
        let Some(now) = queue.step() else {
            if let Some(outside) = outside
                && outside.wait_long(|waker| ready.any(waker)).await
            {
                continue;
            }
            return if left == 0 { End::Finished } else { End::Stalled };
        };
        if now > budget.until {
            return if left == 0 { End::Finished } else { End::OverBudget };
        }
        advanced(now);
    }
    if left == 0 { End::Finished } else { End::OverBudget }
}

/// Which clients have been woken: one bit each.
struct Ready {
    bits: Vec<AtomicU64>,
    /// Whoever waits for any of them, where they are woken from outside.
    waiting: Option<AtomicWaker>,
}

impl Ready {
    fn all(count: usize, outside: bool) -> Arc<Self> {
        let bits = (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let ready = Self { bits, waiting: outside.then(AtomicWaker::new) };
        (0..count).for_each(|number| ready.set(number));
        Arc::new(ready)
    }

    fn set(&self, number: usize) {
        self.bits[number / 64].fetch_or(1 << (number % 64), Ordering::AcqRel);
        if let Some(waiting) = &self.waiting {
            waiting.wake();
        }
    }

    /// Whether any is; if not, the waker is woken when one is.
    fn any(&self, waker: &Waker) -> bool {
        if let Some(waiting) = &self.waiting {
            waiting.register(waker);
        }
        self.bits.iter().any(|bits| bits.load(Ordering::Acquire) != 0)
    }

    fn take_first(&self) -> Option<usize> {
        self.bits.iter().enumerate().find_map(|(word, bits)| {
            let set = bits.load(Ordering::Acquire);
            let bit = set.trailing_zeros();
            bits.fetch_and(!(1_u64.checked_shl(bit)?), Ordering::AcqRel);
            Some(word * 64 + bit as usize)
        })
    }

    fn waker(self: &Arc<Self>, number: usize) -> Waker {
        Waker::from(Arc::new(Client { ready: self.clone(), number }))
    }
}

struct Client {
    ready: Arc<Ready>,
    number: usize,
}

impl Wake for Client {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.set(self.number);
    }
}
