//! What a child can do, as far as NBD has words for it.

use crate::nbd::{self, REQUEST_BYTES_MAX};
use quorate_engine::{Limits, ZeroFlags};

/// What a child can do. By default all but to discard, and to tell at once that zeroes would be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Offsets and lengths are multiples of it: a power of two of at most 64 KiB.
    pub block_bytes: u32,
    /// The longest request, a multiple of the block, of at most 32 MiB.
    pub request_bytes_max: u32,
    /// Writes and zeroes can be durable before the answer. QEMU flushes otherwise.
    pub fua: bool,
    /// It makes zeroes. QEMU writes them otherwise.
    pub zeroes: bool,
    /// It can fail a request for zeroes rather than write them all.
    pub fast_zeroes: bool,
    /// It discards. QEMU does not ask it to otherwise.
    pub discards: bool,
    /// It tells what reads as zeroes. QEMU takes all for data otherwise.
    pub tells_status: bool,
    /// It is not written to. Its node is read-only, which is for an array over it to be, too.
    pub read_only: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            block_bytes: 1,
            request_bytes_max: REQUEST_BYTES_MAX,
            fua: true,
            zeroes: true,
            fast_zeroes: false,
            discards: false,
            tells_status: false,
            read_only: false,
        }
    }
}

/// The nearest that NBD has words for, and no status: zeroes can be durable exactly where writes can, and give space back wherever
/// there are any. What comes of it is told by turning it into limits again.
impl From<Limits> for Abilities {
    fn from(limits: Limits) -> Self {
        let whole_blocks = REQUEST_BYTES_MAX / limits.request_alignment * limits.request_alignment;
        Self {
            block_bytes: limits.request_alignment,
            request_bytes_max: limits.max_transfer.unwrap_or(whole_blocks).min(whole_blocks),
            fua: limits.write_fua,
            zeroes: limits.zeroes.is_some(),
            fast_zeroes: limits.zeroes.is_some_and(|flags| flags.no_fallback),
            discards: true,
            tells_status: false,
            read_only: limits.read_only,
        }
    }
}

/// What QEMU takes a child with these abilities to be.
impl From<Abilities> for Limits {
    fn from(abilities: Abilities) -> Self {
        let Abilities { block_bytes, request_bytes_max, fua, zeroes, .. } = abilities;
        let flags = ZeroFlags { fua, may_unmap: true, no_fallback: abilities.fast_zeroes };
        Self {
            request_alignment: block_bytes,
            max_transfer: Some(request_bytes_max),
            write_fua: fua,
            zeroes: zeroes.then_some(flags),
            read_only: abilities.read_only,
        }
    }
}

impl Abilities {
    /// As an export's flags.
    pub(crate) fn flags(self) -> u16 {
        let able = [
            (true, nbd::HAS_FLAGS | nbd::CAN_FLUSH),
            (self.fua, nbd::CAN_FUA),
            (self.zeroes, nbd::CAN_ZERO),
            (self.zeroes && self.fast_zeroes, nbd::CAN_ZERO_FAST),
            (self.discards, nbd::CAN_TRIM),
            (self.read_only, nbd::READ_ONLY),
        ];
        able.into_iter().filter(|(able, _)| *able).fold(0, |flags, (_, flag)| flags | flag)
    }

    /// As the least, the best and the greatest length of a request.
    pub(crate) fn sizes(self) -> [u32; 3] {
        let best = (1 << self.request_bytes_max.ilog2())
            .clamp(self.block_bytes, 4096.max(self.block_bytes));
        [self.block_bytes, best, self.request_bytes_max]
    }
}
