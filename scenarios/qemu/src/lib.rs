//! The real qemu-storage-daemon, driven so that nothing about it is left to chance.
//!
//! One process of QEMU serves many arrays, one after the other or side by side. This process is each of their
//! children and their only client, both over NBD on unix sockets:
//!
//! ```text
//!   Daemon::submit ──NBD──▶ export ─▶ quorum ─▶ nbd nodes ──NBD──▶ Child::answer
//!   Daemon::ask    ──QMP──▶ monitor              (qemu-storage-daemon)
//!   Daemon::rest   ─/proc─▶ whether it waits
//! ```
//!
//! - `program`: which QEMU there is, and what it lacks,
//! - `daemon`: the process, its monitor, and the one loop in which everything here happens,
//! - `child`: what answers as a child, and how an answer can wait; `abilities`: what it can do; `status`: how it tells
//!   what reads as zeroes,
//! - `served` and `client`: the two ends of NBD that are ours, without any input or output; `nbd` has what is
//!   on the wire,
//! - `io`: a long-lived `qemu-io`, which tells any errno,
//! - `qmp`: lines of the monitor; `clock`: a time of QEMU's own, in which its monitor holds no event back; `error`;
//!   `lifeline`: how QEMU is gone once this process is.
//!
//! All is one thread and one poll. Children are asked, and replies taken in, only while the caller waits for
//! something; what a child holds is answered when the caller releases it. So the order of what QEMU sees is the
//! caller's.
//!
//! Of votes, cases and differences this library knows nothing.
//!
//! QEMU's monitor lets pass one `QUORUM_REPORT_BAD` a second for each node's name, and one `QUORUM_FAILURE` a second in
//! all. Where every event matters, a daemon whose time leaps ([`Daemon::start_leaping`]) sends them all, but for those
//! of one node in one round of its loop.

#![forbid(unsafe_code)]

mod abilities;
mod child;
mod client;
mod clock;
mod daemon;
mod error;
mod io;
#[path = "../../glusterd/src/lifeline.rs"]
mod lifeline;
mod nbd;
mod program;
mod qmp;
mod served;
mod status;

pub use abilities::Abilities;
pub use child::{Answer, Child, Reply, Request};
pub use daemon::{Client, Daemon, Held, Ticket};
pub use error::Error;
pub use io::{Cache, Io};
pub use program::{Missing, Program, Version};
pub use qmp::{Event, Refusal};
pub use status::{extents, status};
