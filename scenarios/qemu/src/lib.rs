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
//! All is one thread and one poll. Children are asked, and replies taken in, only while the caller waits for
//! something; what a child holds is answered when the caller releases it. So the order of what QEMU sees is the
//! caller's.
//!
//! Of votes, cases and differences this library knows nothing. Absent, too: structured replies, so QEMU takes
//! all that a child holds for data; discards; and a clock for QEMU other than the machine's. QEMU's monitor
//! therefore lets pass one `QUORUM_REPORT_BAD` a second for each node's name, and one `QUORUM_FAILURE` a second in
//! all: reports can be relied on where each case has names of its own, and one a child.

#![forbid(unsafe_code)]

mod child;
mod client;
mod daemon;
mod error;
#[path = "../../glusterd/src/lifeline.rs"]
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
