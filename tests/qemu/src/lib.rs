//! The real qemu-storage-daemon, driven so that nothing about it is left to chance.
//!
//! One process of QEMU serves many arrays, one after the other or side by side. This process is each of their
//! children and their only client, both over NBD on unix sockets:
//!
//! ```text
//!   Daemon::submit ──NBD──▶ export ─▶ quorum ─▶ nbd nodes ──NBD──▶ Child::answer
//!   Daemon::ask    ──QMP──▶ monitor              (qemu-storage-daemon)
//! ```
//!
//! - `program`: which QEMU there is, and what it lacks,
//! - `daemon`: the process, its monitor, and the one loop in which everything here happens,
//! - `child`: what answers as a child, and how an answer can wait,
//! - `served` and `client`: the two ends of NBD that are ours, without any input or output; `nbd` has what is
//!   on the wire,
//! - `qmp`: lines of the monitor; `error`; `lifeline`: how QEMU is gone once this process is.
//!
//! All is one thread and one poll. A child is asked, and a held answer released, only while this process waits
//! for something of QEMU's, so what QEMU sees is in an order that the caller chose. The memory of QEMU stays
//! its own: what it does to an array is known by what its children are asked, its answers and its events.
//!
//! Of votes, cases and differences this library knows nothing. Absent, too: structured replies, so QEMU takes
//! all that a child holds for data; discards; and a clock for QEMU other than the machine's, so its monitor
//! sends one `QUORUM_REPORT_BAD` a second for each node name and one `QUORUM_FAILURE` a second in all. Names
//! that were not used before see all their reports.

#![forbid(unsafe_code)]

mod child;
mod client;
mod daemon;
mod error;
#[path = "../../../scenarios/glusterd/src/lifeline.rs"]
mod lifeline;
mod nbd;
mod program;
mod qmp;
mod served;

pub use child::{Answer, Child, Reply, Request};
pub use daemon::{Client, Daemon, Held, Ticket};
pub use error::Error;
pub use program::{Missing, Program, Version};
pub use qmp::{Event, Refusal};
