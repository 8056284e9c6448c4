//! Device time, completion order, and the madsim runtime that a simulated array runs under.
//!
//! - [`queue`]: every operation of a simulated device is an entry in one queue; which entry completes
//!   next, and when, is decided there and nowhere else;
//! - [`pick`]: who decides the order, where it is not the earliest operation first;
//! - [`run`]: polls the clients of an array until all are done, completing one entry whenever none of
//!   them can move;
//! - [`outside`]: what devices do that is not in the queue, such as requests to a real file;
//! - [`gluster`]: clusters whose bricks are nodes of madsim.
//!
//! But for clusters, nothing here draws lots. The delay of an operation and who picks are its caller's to
//! choose, so a run is a function of its scenario; madsim's own dice (which task next, how long a poll
//! takes) have nothing to decide, because all clients live in one madsim task and are polled in a fixed
//! order. What clusters draw, and what that means for replays, [`gluster`] says.

#![forbid(unsafe_code)]

#[cfg(not(madsim))]
compile_error!(
    "quorate-sim needs `--cfg madsim`, which .cargo/config.toml sets; a RUSTFLAGS variable in the \
     environment replaces that file's flags: unset it, or add `--cfg madsim` to it (and to \
     RUSTDOCFLAGS for documentation)"
);

#[cfg(madsim)]
pub mod gluster;
pub mod outside;
pub mod pick;
pub mod queue;
#[cfg(madsim)]
pub mod run;

pub use outside::{Outside, Patience};
pub use pick::{Candidate, Choice, Picked, Picker};
pub use queue::{Completion, Label, Logged, Pattern, Queue};
#[cfg(madsim)]
pub use run::{Budget, End, Simulation, Task, drive};
