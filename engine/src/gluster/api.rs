//! What the driver asks of gluster: the calls of libgfapi that it needs, as traits.
//!
//! [`Gfapi`] is implemented by the real library's wrapper and by a simulated cluster. The calls answer as
//! libgfapi's do, with all that is odd about it: what an answer means is the driver's to say, in one place.

use super::options::Cluster;
use crate::errno::Result;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{fmt, sync::Arc};

/// A way to reach clusters.
pub trait Gfapi: Send + Sync {
    /// Connects to a volume, asking its servers in their order for what it consists of.
    fn connect<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Connected>;
}

/// The answer to [`Gfapi::connect`].
pub type Connected = std::result::Result<Arc<dyn Volume>, Refusal>;

/// Why there is no connection or no file. An error number of 0 is an error all the same: libgfapi has
/// some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error number, 0 where the library left none.
    pub errno: i32,
    /// What more is known of it, such as which library could not be loaded.
    pub text: Option<String>,
}

/// A volume that is connected. The connection ends with the last handle.
pub trait Volume: Send + Sync {
    /// Opens a file that exists.
    fn open<'a>(&'a self, path: &'a str, access: Access) -> BoxFuture<'a, Opened>;

    /// Creates a file, or empties the one that is there, and opens it for writing.
    fn create<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Opened>;
}

/// The answer to [`Volume::open`] and [`Volume::create`].
pub type Opened = std::result::Result<Arc<dyn File>, Refusal>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// For writing, too.
    pub write: bool,
    /// Past the page cache of the bricks (`O_DIRECT`).
    pub direct: bool,
}

/// A file of a volume.
///
/// A call begins at the first poll of its future. **Dropping the future does not end the call**: the
/// implementation keeps its buffer until gluster has answered. Calls whose ranges overlap take effect
/// in the order in which they began.
///
/// Whoever drops the last handle closes the file once every call has ended, those that nobody waits
/// for any more included; only [`File::close`] tells what came of it.
pub trait File: Send + Sync {
    /// Reads at most so many bytes.
    fn pread(&self, offset: u64, bytes: usize) -> BoxFuture<'_, ReadDone>;

    /// Writes at most all of `data`.
    fn pwrite(&self, offset: u64, data: Bytes) -> BoxFuture<'_, Done>;

    /// Makes the range read as zeroes, and the file as long as its end.
    fn zerofill(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done>;

    /// Gives the range's space back; it reads as zeroes.
    fn discard(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done>;

    /// Makes durable what was written.
    fn fsync(&self) -> BoxFuture<'_, Done>;

    /// Cuts the file, or makes it longer by what reads as zeroes.
    fn ftruncate(&self, bytes: u64) -> BoxFuture<'_, Done>;

    /// Reserves space for the range, and makes the file as long as its end.
    fn fallocate(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done>;

    /// Finds the next data or the next hole at or behind `offset`; `ret` is where.
    fn seek(&self, offset: u64, what: Seek) -> BoxFuture<'_, Done>;

    /// How long the file is, and how much space it takes.
    fn stat(&self) -> BoxFuture<'_, Result<Stat>>;

    /// Closes the file once every call has ended. Writes that were acknowledged may fail here, and
    /// nowhere else.
    fn close(&self) -> BoxFuture<'_, Done>;
}

/// How a call ended, as C has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// A count, an offset, or -1.
    pub ret: i64,
    /// The thread's error number where `ret` is negative; 0 is possible.
    pub errno: i32,
}

/// How a read ended.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadDone {
    /// `ret` bytes were read.
    pub done: Done,
    /// The whole buffer; behind the bytes that were read it holds nothing of use.
    pub buffer: Bytes,
}

/// Without the bytes.
impl fmt::Debug for ReadDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadDone({:?}, {} bytes)", self.done, self.buffer.len())
    }
}

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// `SEEK_DATA`.
    Data,
    /// `SEEK_HOLE`.
    Hole,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its length in bytes.
    pub bytes: u64,
    /// The space that it takes, in bytes.
    pub allocated: u64,
}
