//! What is data and what reads as zeroes, as a reply.

use crate::nbd::be32;
use quorate_engine::{Extent, ExtentKind};

/// The reply that tells of these extents, one behind the other from the start of the range on.
///
/// # Panics
/// One is longer than a request can be.
#[must_use]
pub fn status(extents: &[Extent]) -> Vec<u8> {
    let words = extents.iter().flat_map(|extent| {
        let bytes = u32::try_from(extent.bytes).expect("it is no longer than what was asked");
        [bytes, if extent.kind == ExtentKind::Zero { ZERO } else { 0 }]
    });
    words.flat_map(u32::to_be_bytes).collect()
}

/// The extents that such a reply tells of.
#[must_use]
pub fn extents(status: &[u8]) -> Vec<Extent> {
    let words = status.chunks_exact(8).map(|extent| (be32(extent), be32(&extent[4..])));
    let extent = |(bytes, flags): (u32, u32)| Extent {
        bytes: bytes.into(),
        kind: if flags & ZERO != 0 { ExtentKind::Zero } else { ExtentKind::Data },
    };
    words.map(extent).collect()
}

/// It reads as zeroes.
const ZERO: u32 = 1 << 1;
