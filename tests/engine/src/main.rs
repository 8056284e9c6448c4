//! The engine: what it decides, what it asks its children, and in which order.
//!
//! Nothing here runs on a runtime or in the simulator. Children answer when the test says so
//! (`stage`), and requests are polled when they were woken and not otherwise (`task`).

mod bed;
mod errno;
mod errors;
mod file;
mod gluster;
mod graph;
mod laws;
mod memory;
mod options;
mod quorum;
/// The rules of the votes as the oracle has them. Their package needs the simulator, they do not.
#[path = "../../../scenarios/src/spec/votes.rs"]
pub mod spec;
mod stage;
mod task;
mod throttle;
mod vote;
