//! The engine beside the real QEMU: the same scenario on both, compared.
//!
//! - `case`: what of a scenario both sides can run,
//! - `engine`, `hand`, `wire`, `event`: QEMU as an engine of the runner, over NBD and QMP,
//! - `story`: what an array did, and where two part,
//! - `known`: what is known to differ, and why,
//! - [`corpus`]: cases with QEMU's answers, as text,
//! - [`errno`]: which error a request comes to, of all that there are, as `qemu-io` says it,
//! - [`options`]: what is refused of an array's options, and in which words,
//! - [`script`]: the same shown with QEMU's own tools,
//! - [`Twin`], [`BySeed`]: scenarios, and these two, as somebody who judges runs.

mod by_seed;
mod case;
pub mod corpus;
mod draws;
mod engine;
pub mod errno;
mod event;
mod hand;
mod known;
pub mod options;
pub mod script;
mod story;
mod tally;
mod twin;
mod wire;

pub use by_seed::BySeed;
pub use case::suited;
pub use hand::probe;
pub use known::Known;
pub use tally::Tally;
pub use twin::{Both, NotCompared, Pace, Twin};

/// What comparing one case came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many requests were compared.
    pub operations: u64,
    /// What is known to differ, and was met.
    pub known: Vec<Known>,
    /// What else differs, if anything does.
    pub difference: Option<String>,
}
