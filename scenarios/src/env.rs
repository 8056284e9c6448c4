//! Where the disks of a run are: the same scenarios run on disks in memory, on real files and on
//! gluster volumes.
//!
//! An [`Environment`] gives a scenario its disks ([`Site`]), and polls its clients. Faults strike above
//! the disks and order is kept by the device queue wherever they are, so a run comes out the same; what
//! really takes time is waited for, and none of it is device time.

mod bricks;
mod cluster;
mod files;
mod gluster;
mod memory;
mod suited;

use crate::model::{Disturbance, Scenario};
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use miette::Diagnostic;
use quorate_engine::{BlockDevice, Image, IoFuture};
use quorate_sim::{Budget, End, Queue, Task};
use std::sync::Arc;
use thiserror::Error;

pub use files::Files;
pub use gluster::RealGluster;
pub use memory::Simulated;

/// A kind of place where disks can be.
pub trait Environment: Send + Sync {
    /// Whether disks are simulated: a run comes back in no time, or not at all.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Whether a run of this scenario wants a thread in which nothing ran before, as what it is made of
    /// keeps something by thread.
    fn wants_fresh_thread(&self, scenario: &Scenario) -> bool {
        let _ = scenario;
        false
    }

    /// The disks of one run, each as the scenario says it is at first.
    ///
    /// # Errors
    /// There is no place for them.
    fn prepare(&self, scenario: &Scenario) -> Result<Box<dyn Site>, EnvironmentError>;
}

/// The disks of one run, and what carries it out.
pub trait Site: Send + Sync {
    /// The disks, in order.
    fn disks(&self) -> Vec<Arc<dyn BlockDevice>>;

    /// Polls clients until all are done, as [`quorate_sim::drive`].
    fn drive(
        &self,
        queue: &Queue,
        clients: Vec<Task<'_>>,
        background: Task<'_>,
        budget: Budget,
    ) -> End;

    /// Has something befall the brick of a disk. It is known to whoever asks the disk once this is done.
    ///
    /// # Errors
    /// It cannot be done, and why. Disks have no bricks unless an environment says how.
    fn disturb(&self, disk: u32, what: Disturbance) -> BoxFuture<'_, Result<(), String>> {
        let _ = what;
        Box::pin(ready(Err(format!("c{disk} has no brick"))))
    }

    /// Changes what a disk holds behind everybody's back.
    fn overwrite(&self, disk: u32, offset: u64, data: Bytes) -> IoFuture<'_, ()>;

    /// What the disks hold.
    ///
    /// # Errors
    /// They cannot be looked at.
    fn media(&self) -> Result<Vec<Image>, EnvironmentError>;
}

/// Why a scenario has no disks.
#[derive(Debug, Diagnostic, Error)]
pub enum EnvironmentError {
    /// The operating system refuses.
    #[error("{place}: {source}")]
    #[diagnostic(help(
        "see to it that there is a directory with room where you may write, and name it with --directory"
    ))]
    System {
        /// What it refuses.
        place: String,
        /// In which words.
        source: std::io::Error,
    },
    /// Real gluster does not do its part.
    #[error("{0}")]
    #[diagnostic(help("{}", .0.remedy()))]
    Glusterd(#[from] quorate_glusterd::Error),
    /// A disk does not do what it is asked, or a step cannot be done.
    #[error("{why}")]
    #[diagnostic(help("{remedy}"))]
    Failed {
        /// What.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// They are of no use for the scenario.
    #[error("{why}")]
    #[diagnostic(help("{remedy}"))]
    Unsuited {
        /// Why.
        why: String,
        /// What would be.
        remedy: String,
    },
}
