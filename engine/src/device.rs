//! What a child of an array is: an asynchronous block device behind a trait object.

use crate::errno::Result;
use bytes::Bytes;
use std::{future::Future, pin::Pin};

/// The future of one request to a device.
pub type IoFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A device addressed by byte offset, with owned buffers both ways.
///
/// A method does not start its operation before the returned future is first polled. From then on
/// **dropping the future detaches the operation, it does not cancel it**: the device finishes it in
/// its own time and nobody hears of the result. An engine that drops a future therefore never
/// leaves a device writing into freed memory, and must not assume that the operation did not happen.
///
/// Offsets and lengths that a caller passes are multiples of [`Limits::request_alignment`], no
/// request is longer than [`Limits::max_transfer`], and none reaches beyond the length.
pub trait BlockDevice: Send + Sync {
    /// What requests the device takes. A parent asks once, when it takes the child: whatever was
    /// answered then is taken ever after, by an array also once its children have changed.
    fn limits(&self) -> Limits;

    /// The length in bytes.
    fn length(&self) -> IoFuture<'_, u64>;

    /// Reads exactly `bytes` bytes.
    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes>;

    /// Writes all of `data`.
    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()>;

    /// Makes the range read as zeroes.
    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()>;

    /// Tells the device that the range is no longer needed; what it reads as is undefined.
    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()>;

    /// Makes every write completed before this call durable.
    fn flush(&self) -> IoFuture<'_, ()>;

    /// Whether the start of the range is known to read as zeroes, and how far that answer holds.
    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent>;

    /// Changes the length.
    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()>;

    /// Ends the device's work; nothing is asked of it afterwards.
    fn close(&self) -> IoFuture<'_, ()>;

    /// Drops whatever the device caches of a medium that somebody else may have changed.
    fn invalidate(&self) -> IoFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What requests a device takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Offsets and lengths are multiples of this power of two.
    pub request_alignment: u32,
    /// The longest request in bytes, a multiple of the alignment; `None` for no limit.
    pub max_transfer: Option<u32>,
    /// Whether [`Flags::fua`] is understood by `pwrite`.
    pub write_fua: bool,
    /// What `pwrite_zeroes` can do; `None` where it is not supported at all.
    pub zeroes: Option<ZeroFlags>,
    /// Whether writes are refused.
    pub read_only: bool,
}

impl Limits {
    /// Byte granularity, no largest transfer, and zeroes with every flag.
    pub const NONE: Self = Self {
        request_alignment: 1,
        max_transfer: None,
        write_fua: false,
        zeroes: Some(ZeroFlags { fua: true, may_unmap: true, no_fallback: true }),
        read_only: false,
    };
}

/// The flags that a device's `pwrite_zeroes` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroFlags {
    /// It can make the zeroes durable before it answers.
    pub fua: bool,
    /// It can unmap the range if it reads as zeroes then.
    pub may_unmap: bool,
    /// It can fail with `ENOTSUP` rather than write zeroes the slow way.
    pub no_fallback: bool,
}

/// How a write is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Force unit access: the data are durable before the answer.
    pub fua: bool,
    /// Zeroes may be made by unmapping.
    pub may_unmap: bool,
    /// Fail with `ENOTSUP` where zeroes would have to be written as data.
    pub no_fallback: bool,
}

impl Flags {
    /// No flag at all.
    pub const NONE: Self = Self { fua: false, may_unmap: false, no_fallback: false };
    /// Only [`Flags::fua`].
    pub const FUA: Self = Self { fua: true, ..Self::NONE };
}

/// An answer of `block_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many bytes from the asked offset on the answer holds for; zero only for an empty range.
    pub bytes: u64,
    /// What they are.
    pub kind: ExtentKind,
}

/// What a range of a device holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Data, or not known.
    Data,
    /// Reads as zeroes.
    Zero,
}

/// How `truncate` provides the space it adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prealloc {
    /// Not at all.
    Off,
    /// Reserved, not written.
    Falloc,
    /// Written with zeroes.
    Full,
}
