//! The trace of a run, and everything that people and machines see of it.
//!
//! - [`trace`]: what happened, entry by entry, and its digest,
//! - [`run`]: a finished run: its trace, its verdict, what was violated,
//! - [`qapi`]: events as QEMU sends them, and in one short line,
//! - [`json`]: a run as JSON Lines; [`recorded`] reads them back, and finds where two differ,
//! - [`timeline`]: a run for people, one lane per child,
//! - [`summary`]: what many runs came to,
//! - [`card`]: one failure on one screen.
//!
//! A renderer is a function from one of these to text.

#![forbid(unsafe_code)]

pub mod card;
mod colour;
pub mod json;
pub mod qapi;
pub mod recorded;
pub mod run;
pub mod summary;
pub mod timeline;
pub mod trace;
mod words;

pub use colour::Colour;
pub use run::{Run, Verdict, Violation};
pub use trace::{Answer, Digest, Entry, GuestOp, Outcome, Recorder, RequestId, Trace, What};
pub use words::{counted, flags, range, reason, size, thousands, wrap};
