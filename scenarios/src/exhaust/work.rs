//! Units of work on several threads, put together in their order.

use std::{
    panic,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Why there is no result.
pub(super) enum Ended<E> {
    /// Somebody asked to stop.
    Interrupted,
    /// The first unit, in their order, that failed.
    Failed(E),
}

/// What comes of every unit, in their order; `progressed` hears how many are done.
///
/// Units are handed out in order. With the first that fails no further one is, and those before it
/// still come to their end: so the same one is reported whatever the number of jobs.
pub(super) fn all<U: Sync, T: Send, E: Send>(
    units: &[U],
    jobs: usize,
    stop: &AtomicBool,
    run: impl Fn(&U) -> Result<T, E> + Sync,
    mut progressed: impl FnMut(usize),
) -> Result<Vec<T>, Ended<E>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = |to: &mpsc::Sender<(usize, Result<T, E>)>| {
        while !failed.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(at) else { return };
            let done = run(unit);
            failed.fetch_or(done.is_err(), Ordering::Relaxed);
            // Whoever listens does so until all have ended.
            let _ = to.send((at, done));
        }
    };
    let mut results: Vec<Option<Result<T, E>>> = units.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (to, from) = mpsc::channel();
        let workers: Vec<_> = (0..jobs.max(1))
            .map(|_| {
                let to = to.clone();
                scope.spawn(|| {
                    let to = to;
                    work(&to);
                })
            })
            .collect();
        drop(to);
        for (done, (at, result)) in from.into_iter().enumerate() {
            results[at] = Some(result);
            progressed(done + 1);
        }
        for worker in workers {
            worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
    let mut all = Vec::with_capacity(units.len());
    for result in results {
        match result {
            Some(Ok(value)) => all.push(value),
            Some(Err(error)) => return Err(Ended::Failed(error)),
            None => return Err(Ended::Interrupted),
        }
    }
    if stop.load(Ordering::Relaxed) { Err(Ended::Interrupted) } else { Ok(all) }
}
