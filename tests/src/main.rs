//! Every test of the workspace but the engine's own (`tests/engine`), through public interfaces only.
//!
//! One binary, a module for each thing that is tested.

#![expect(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and prints what repeats it"
)]

mod bricks;
mod catalog;
mod cli;
mod determinism;
mod env;
mod exhaust;
mod export;
mod faults;
mod format;
mod iotests;
mod liveness;
mod museum;
mod oracle;
mod reports;
mod schedule;
mod shrink;
mod sim;
mod stories;
mod swarm;
mod texts;
