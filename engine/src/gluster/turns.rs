//! Work that is done in turn, and to its end although whoever asked for it may go away.
//!
//! Gluster says only once that writes are lost. Two flushes at once could therefore share one
//! failure, and one that is given up on could take it along; so each waits for the one before it, and
//! who comes next carries on what was left.

use crate::errno::Result;
use futures_util::future::{BoxFuture, FutureExt, Shared};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

/// Somebody's work, which everybody behind can do.
type Work = Shared<BoxFuture<'static, Result<()>>>;

/// Who was last to ask for a turn.
#[derive(Default)]
pub(super) struct Turns {
    last: Mutex<Option<Turn>>,
}

struct Turn {
    work: Work,
    /// Whether somebody else may join in: it has not begun.
    open: Option<Arc<AtomicBool>>,
}

impl Turns {
    /// Does `work` after everything that was asked for before.
    pub(super) async fn alone(
        &self,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let work = append(&mut self.last(), work, None);
        work.await
    }

    /// The same for work of which one is as good as many: whoever comes before it has begun shares
    /// it.
    pub(super) async fn together(
        &self,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let work = {
            let mut last = self.last();
            match last.as_ref().filter(|turn| turn.is_open()) {
                Some(turn) => turn.work.clone(),
                None => {
                    let open = Arc::new(AtomicBool::new(true));
                    let begun = open.clone();
                    let work = async move {
                        begun.store(false, Ordering::SeqCst);
                        work.await
                    };
                    append(&mut last, work, Some(open))
                }
            }
        };
        work.await
    }

    fn last(&self) -> MutexGuard<'_, Option<Turn>> {
        self.last.lock().expect("nothing panics under this lock")
    }
}

impl Turn {
    fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.load(Ordering::SeqCst))
    }
}

/// Puts work behind the last one, and is the last one then.
fn append(
    last: &mut Option<Turn>,
    work: impl Future<Output = Result<()>> + Send + 'static,
    open: Option<Arc<AtomicBool>>,
) -> Work {
    let before = last.take();
    let work = async move {
        if let Some(before) = before {
            // Its own caller hears how it went.
            let _ = before.work.await;
        }
        work.await
    };
    let work = work.boxed().shared();
    *last = Some(Turn { work: work.clone(), open });
    work
}
