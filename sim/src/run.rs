//! Polls clients until all are done.

use crate::queue::Queue;
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

    /// Polls clients until all are done. Whenever none of them can move, one entry of the queue
    /// completes; clients that can move are polled in order of their number.
    ///
    /// `background` is polled with them and not waited for, whether it ends or not, but once the
    /// clients are done, whatever is still pending in the queue comes to its end.
    pub fn drive(
        &self,
        queue: &Queue,
        clients: Vec<Task<'_>>,
        background: Task<'_>,
        budget: Budget,
    ) -> End {
        let drive = AssertUnwindSafe(|| drive(queue, clients, background, budget));
        // Of a panic that passes through it madsim says on standard error whose task it was, which is
        // always the same one.
        let ended = self.0.block_on(async { panic::catch_unwind(drive) });
        ended.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }
}

fn drive(queue: &Queue, clients: Vec<Task<'_>>, background: Task<'_>, budget: Budget) -> End {
    let clock = TimeHandle::current();
    let clients_count = clients.len();
    let mut left = clients_count;
    let mut tasks: Vec<_> = clients.into_iter().chain([background]).map(Some).collect();
    let ready = Ready::all(tasks.len());
    let wakers: Vec<Waker> = (0..tasks.len()).map(|i| ready.waker(i)).collect();
    for _ in 0..=budget.steps {
        while let Some(number) = ready.take_first() {
            let Some(task) = &mut tasks[number] else { continue };
            if task.as_mut().poll(&mut Context::from_waker(&wakers[number])) == Poll::Ready(()) {
                tasks[number] = None;
                left -= usize::from(number < clients_count);
            }
        }
        let Some(now) = queue.step() else {
            return if left == 0 { End::Finished } else { End::Stalled };
        };
        if now > budget.until {
            return if left == 0 { End::Finished } else { End::OverBudget };
        }
        // madsim's clock follows device time, for whatever in the run may read it.
        clock.advance(Duration::from_micros(now).saturating_sub(clock.elapsed()));
    }
    if left == 0 { End::Finished } else { End::OverBudget }
}

/// Which clients have been woken: one bit each.
struct Ready(Vec<AtomicU64>);

impl Ready {
    fn all(count: usize) -> Arc<Self> {
        let ready = Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect());
        (0..count).for_each(|number| ready.set(number));
        Arc::new(ready)
    }

    fn set(&self, number: usize) {
        self.0[number / 64].fetch_or(1 << (number % 64), Ordering::Relaxed);
    }

    fn take_first(&self) -> Option<usize> {
        self.0.iter().enumerate().find_map(|(word, bits)| {
            let set = bits.load(Ordering::Relaxed);
            let bit = set.trailing_zeros();
            bits.fetch_and(!(1_u64.checked_shl(bit)?), Ordering::Relaxed);
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
