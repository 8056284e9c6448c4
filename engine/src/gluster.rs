//! Images on gluster volumes.
//!
//! The rules are those of QEMU 10.0.2's `gluster` driver, with its defects repaired: connections are
//! shared by cluster and volume, nothing but a full count is success, and an image whose data may be
//! lost is never written again. Libgfapi itself is behind the traits of [`api`]; a driver over them
//! has no thread and no deadline.
//!
//! - [`options`]: which image, from a URI, JSON or a builder,
//! - [`done`]: what an answer of libgfapi means, pure,
//! - [`device`]: an open image; [`create`](create::create) makes one,
//! - [`pool`]: connections that images share,
//! - [`notice`]: what is worth knowing beside the answers.
//!
//! Absent on purpose: reopening (open a second device and swap it), locks, and a reading ahead or a
//! cache of its own.

pub mod api;
pub mod create;
pub mod device;
pub mod done;
pub mod error;
mod extent;
mod json;
pub mod notice;
pub mod options;
pub mod pool;
mod resize;
mod turns;
mod uri;
