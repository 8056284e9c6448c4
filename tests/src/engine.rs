//! The engine: what it decides, what it asks its children, and in which order.
//!
//! Nothing here runs on a runtime or in the simulator. Children answer when the test says so
//! (`stage`), and requests are polled when they were woken and not otherwise (`task`).

mod bed;
mod errno;
mod file;
mod memory;
mod quorum;
mod stage;
mod task;
mod throttle;
mod vote;
