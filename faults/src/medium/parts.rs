//! What a medium is told and tells, and bytes that lie over others.

use crate::alteration::Run;
use bytes::Bytes;
use quorate_engine::Flags;
use std::ops::Range;

/// What is kept of what a medium held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// Nothing.
    Unknown,
    /// What reads have seen.
    Seen,
    /// What was truly there, and what each write wrote.
    Held,
}

/// A piece of a write and its place.
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
}

impl Piece {
    pub(crate) fn range(&self) -> Range<u64> {
        self.offset..self.offset + to_u64(self.data.len())
    }
}

/// What is known of a write beside its data.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// The number of the operation.
    pub(crate) write: u64,
    pub(crate) flags: Flags,
    /// Whether nothing makes it durable.
    pub(crate) is_volatile: bool,
}

/// What a power cut finds.
#[derive(Debug, Default)]
pub(crate) struct Volatile {
    /// What a flush would make durable, oldest first.
    pub(crate) dirty: Vec<Run>,
    /// What no flush makes durable.
    pub(crate) poisoned: Vec<Run>,
    /// What has not landed yet, where a power cut may leave it all the same.
    pub(crate) in_flight: Vec<Run>,
}

/// Copies what `patch` has of `data`.
pub(crate) fn paste(data: &mut [u8], offset: u64, patch_offset: u64, patch: &[u8]) {
    let start = offset.max(patch_offset);
    let end = (offset + to_u64(data.len())).min(patch_offset + to_u64(patch.len()));
    if start >= end {
        return;
    }
    let from = &patch[to_usize(start - patch_offset)..to_usize(end - patch_offset)];
    data[to_usize(start - offset)..to_usize(end - offset)].copy_from_slice(from);
}

pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a buffer fits the address space")
}

pub(crate) fn to_usize(length: u64) -> usize {
    usize::try_from(length).expect("a buffer fits the address space")
}
