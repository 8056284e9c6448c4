//! What answers as a child of an array.

use crate::Abilities;
use quorate_engine::Errno;

/// What is asked of a child, or of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// For bytes.
    Read {
        /// From where on.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// To keep bytes.
    Write {
        /// From where on.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
        /// Whether they are to be durable before the answer.
        fua: bool,
    },
    /// To make bytes zeroes.
    Zeroes {
        /// From where on.
        offset: u64,
        /// How many.
        bytes: u32,
        /// Whether they are to be durable before the answer.
        fua: bool,
        /// Whether their space may be given back.
        may_unmap: bool,
        /// Whether it is to fail with `ENOTSUP` where it would have to write them all.
        no_fallback: bool,
    },
    /// To forget bytes: what is read of them after that can be anything.
    Discard {
        /// From where on.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// To make durable what was written before.
    Flush,
    /// What of a range reads as zeroes. Only who [`Abilities::tells_status`] is asked.
    Status {
        /// From where on.
        offset: u64,
        /// How many bytes.
        bytes: u32,
    },
}

/// The answer to a request: the bytes of a read, the [`status`](crate::status) of a range, nothing otherwise, or an
/// error.
pub type Reply = Result<Vec<u8>, Errno>;

/// What a child does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answers at once.
    ///
    /// NBD knows `EPERM`, `EIO`, `ENOMEM`, `EINVAL`, `ENOSPC`, `EOVERFLOW`, `ENOTSUP` and `ESHUTDOWN`. The other
    /// side takes every other error for `EINVAL`. Of a read, exactly the bytes that were asked for.
    Now(Reply),
    /// It waits for [`Daemon::release`](crate::Daemon::release).
    Later,
}

/// A child that is served to QEMU.
pub trait Child {
    /// How long it is, a multiple of 512 and of its least block.
    fn bytes(&self) -> u64;

    /// What it can do. QEMU asks when it connects, and never again.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// What becomes of a request.
    fn answer(&mut self, request: &Request) -> Answer;
}
