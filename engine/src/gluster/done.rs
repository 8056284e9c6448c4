//! What an answer of libgfapi means: pure functions over values.
//!
//! A negative count is an error whatever the error number is, 0 included, and a count that is not
//! the one that was hoped for is not success. QEMU 10.0.2 takes 0 for success, of a read as of a
//! write, and a negative count with error number 0, too.

use super::api::Done;
use crate::errno::{Errno, Result};

/// Of a call that answers 0: a flush, a discard, a change of length.
///
/// # Errors
/// The error number; `EIO` where there is none, and for any other count.
pub fn plain(done: Done) -> Result<()> {
    match count(done)? {
        0 => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// Of a write of so many bytes: only all of them are success.
///
/// # Errors
/// The error number; `EIO` where there is none, and for any other count.
pub fn full(done: Done, bytes: u64) -> Result<()> {
    if count(done)? == bytes { Ok(()) } else { Err(Errno::EIO) }
}

/// Of a range that was made to read as zeroes: 0 and all of it are success.
///
/// # Errors
/// The error number; `EIO` where there is none, and for any other count.
pub fn filled(done: Done, bytes: u64) -> Result<()> {
    if count(done)? == 0 { Ok(()) } else { full(done, bytes) }
}

/// Of a read of so many bytes: how many were read.
///
/// # Errors
/// The error number; `EIO` where there is none, and for more than was asked for.
pub fn read(done: Done, bytes: usize) -> Result<usize> {
    let count = usize::try_from(count(done)?).ok().filter(|&count| count <= bytes);
    count.ok_or(Errno::EIO)
}

/// Of a seek: where it ended.
///
/// # Errors
/// The error number; `EIO` where there is none.
pub fn place(done: Done) -> Result<u64> {
    count(done)
}

fn count(done: Done) -> Result<u64> {
    u64::try_from(done.ret).map_err(|_| Errno::from_number(done.errno).unwrap_or(Errno::EIO))
}
