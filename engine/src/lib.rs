//! A quorum block engine: an array whose children hold replicas. Writes go to all of them, reads
//! are voted on.
//!
//! The rules are those of QEMU 10.0.2's `quorum` driver, re-implemented. The engine has no clock, no
//! randomness, no threads, no channel and no log; it runs wherever its futures are polled.
//!
//! - [`device`]: what a child is; [`memory`] has one,
//! - [`vote`]: the votes, pure,
//! - [`quorum`]: the array, and its options,
//! - [`event`]: what an array reports,
//! - [`graph`]: nodes by name, and who is whose child,
//! - [`gluster`]: images on gluster volumes.

#![forbid(unsafe_code)]

pub mod device;
pub mod errno;
pub mod event;
pub mod gluster;
pub mod graph;
pub mod memory;
pub mod quorum;
pub mod vote;

pub use device::{BlockDevice, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc, ZeroFlags};
pub use errno::{Errno, Result};
pub use event::{Event, EventSink, NodeName, OpType, SECTOR_BYTES, Sectors};
pub use gluster::{Gluster, GlusterOptions};
pub use memory::{Image, Memory};
pub use quorum::{Quorum, options::QuorumOptions};
