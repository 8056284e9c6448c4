//! Making an image.

use super::{done, error::GlusterError, options::GlusterOptions, pool::Client, resize::resize};
use crate::{device::Prealloc, event::SECTOR_BYTES};

/// Creates an image of this length, rounded up to whole sectors, or empties the one that is there
/// and makes it so long. It reads as zeroes; what provides the space is `prealloc`.
///
/// A length that no file can have is refused before anything is touched. Whatever fails after the
/// file was made leaves it empty, if that can be done: it is never taken for a finished image, and
/// the error says what is left. QEMU leaves an empty or a short file and does not say so.
///
/// # Errors
/// There is no connection, the file cannot be created, or did not become what it should be. The
/// error number is that of what failed first.
pub async fn create(
    options: &GlusterOptions,
    bytes: u64,
    prealloc: Prealloc,
    client: &Client,
) -> Result<(), GlusterError> {
    let rounded = bytes.checked_next_multiple_of(SECTOR_BYTES).filter(|&b| b <= END_MAX);
    let rounded = rounded.ok_or(GlusterError::TooLong(bytes))?;
    let connection = client.connect(options).await?;
    let image = || Box::new(options.clone());
    let file = connection.volume.create(options.path()).await;
    let file = file.map_err(|refusal| GlusterError::Create { options: image(), refusal })?;
    let made = resize(&*file, rounded, prealloc).await;
    let emptied = made.is_err() && done::plain(file.ftruncate(0).await).is_ok();
    // Also where something failed: what was written may fail here, and nowhere else.
    let closed = done::plain(file.close().await);
    made.and(closed).map_err(|errno| GlusterError::Unfinished {
        options: image(),
        bytes: rounded,
        errno,
        emptied: emptied && closed.is_ok(),
    })
}

/// The longest file, and one byte more than the highest offset.
pub(super) const END_MAX: u64 = i64::MAX.cast_unsigned();
