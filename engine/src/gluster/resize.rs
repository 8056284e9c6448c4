//! A file's length, changed.

use super::{api::File, device::TRANSFER_MAX, done};
use crate::{
    device::Prealloc,
    errno::{Errno, Result},
};
use bytes::Bytes;

/// Makes the file so long. As qemu_gluster_do_truncate, but that a file which could not be given the
/// space that it was to have gets its old length back.
///
/// # Errors
/// `ENOTSUP` if it is to be shorter and yet have space provided; gluster's.
pub(super) async fn resize(file: &dyn File, bytes: u64, prealloc: Prealloc) -> Result<()> {
    let now = file.stat().await?.bytes;
    if bytes < now && prealloc != Prealloc::Off {
        return Err(Errno::ENOTSUP);
    }
    if bytes == now {
        return Ok(());
    }
    let grown = match prealloc {
        Prealloc::Off => return cut(file, bytes).await,
        Prealloc::Falloc => done::plain(file.fallocate(now, bytes - now).await),
        Prealloc::Full => zero(file, now, bytes).await,
    };
    if grown.is_err() {
        // The caller hears why there is no space, not why a useless piece is left.
        let _ = cut(file, now).await;
    }
    grown
}

async fn cut(file: &dyn File, bytes: u64) -> Result<()> {
    done::plain(file.ftruncate(bytes).await)
}

/// Makes the file longer by zeroes that take space.
async fn zero(file: &dyn File, start: u64, end: u64) -> Result<()> {
    cut(file, end).await?;
    let mut at = start;
    while at < end {
        let piece = u64::from(TRANSFER_MAX).min(end - at);
        match done::filled(file.zerofill(at, piece).await, piece) {
            Err(Errno::ENOTSUP) => return write(file, at, end).await,
            filled => filled?,
        }
        at += piece;
    }
    Ok(())
}

/// The slow way, where a brick cannot zero a range by itself.
async fn write(file: &dyn File, start: u64, end: u64) -> Result<()> {
    let zeroes = Bytes::from(vec![0; PIECE]);
    let mut at = start;
    while at < end {
        let piece = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        done::full(file.pwrite(at, zeroes.slice(..piece)).await, piece as u64)?;
        at += piece as u64;
    }
    Ok(())
}

/// The most zeroes that are written in one piece.
const PIECE: usize = 1 << 20;
