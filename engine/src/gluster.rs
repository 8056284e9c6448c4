//! Images on gluster volumes.
//!
//! The rules are those of QEMU 10.0.2's `gluster` driver, with its defects repaired.

pub mod api;
pub mod options;
