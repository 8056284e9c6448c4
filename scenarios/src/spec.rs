//! The rules, written to be read, and without a line of the engine's code: what the oracle and the
//! exhaustion hold an array to.
//!
//! `T` names what a child answered; equal names are equal bytes.

use quorate_engine::Sectors;

pub mod request;
mod votes;

pub use votes::{Ballot, Reply, enough, read};

/// Every sector of which a byte is in the range.
#[must_use]
pub fn covering(offset: u64, bytes: u64) -> Sectors {
    let (first, end) = (offset / 512, (offset + bytes).div_ceil(512));
    Sectors { first, count: end - first }
}
