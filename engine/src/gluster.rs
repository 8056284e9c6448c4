//! Images on gluster volumes.
//!
//! The rules are those of QEMU 10.0.2's `gluster` driver, with its defects repaired: connections are
//! shared by cluster and volume, nothing but a full count is success, and an image whose data may be
//! lost is never written again. Libgfapi itself is behind the traits of [`api`]; a driver over them
//! has no thread and no deadline.
//!
//! - [`options`]: which image, from a URI, JSON or a builder,
//! - [`Client`]: connections that images share; it opens nodes of an array's definition, too,
//! - [`Gluster`]: an open image; [`create()`] makes one,
//! - [`done`]: what an answer of libgfapi means, pure,
//! - [`Notice`]: what is worth knowing beside the answers.
//!
//! Absent on purpose: reopening (open a second device and swap it), locks, and a reading ahead or a
//! cache of its own.

pub mod api;
mod create;
mod device;
pub mod done;
mod error;
mod extent;
mod json;
mod notice;
pub mod options;
mod pool;
mod resize;
mod state;
mod turns;
mod uri;

pub use create::create;
pub use device::Gluster;
pub use error::{GlusterError, GlusterOptionsError, UriFault};
pub use notice::{Notice, Notices};
pub use options::GlusterOptions;
pub use pool::Client;
