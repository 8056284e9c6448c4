//! An open image.

use super::{
    api::{Access, File, ReadDone, Refusal},
    create::END_MAX,
    done,
    error::GlusterError,
    extent,
    notice::{Notice, Notices},
    options::GlusterOptions,
    pool::{Client, Connection},
    resize::resize,
    state::{Image, State},
    turns::Turns,
};
use crate::{
    device::{BlockDevice, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc, ZeroFlags},
    errno::{Errno, Result},
    event::SECTOR_BYTES,
};
use bytes::Bytes;
use std::sync::{Arc, atomic::Ordering};

/// A block device over a file of a gluster volume.
///
/// **A flush that fails ejects the image**: gluster may have lost what was written, and says so only
/// once. Every later request is `ENOMEDIUM`, requests in flight end by themselves, and the file is
/// closed after the last of them. The image has to be opened again, by whoever knows that its data
/// are worth it.
pub struct Gluster {
    options: GlusterOptions,
    limits: Limits,
    /// Whether a seek tells holes from data.
    seeks: bool,
    state: Arc<State>,
    turns: Turns,
}

impl Gluster {
    /// Opens an image that exists.
    ///
    /// One that cannot be opened for writing (`EACCES`, `EROFS`) is opened read-only, if the options
    /// say `auto-read-only`; a notice tells.
    ///
    /// # Errors
    /// There is no connection, the file cannot be opened, or has no length.
    pub async fn open(
        options: GlusterOptions,
        client: &Client,
    ) -> std::result::Result<Arc<Self>, GlusterError> {
        let connection = client.connect(&options).await?;
        let notices = client.notices();
        let (file, read_only) = match open(&options, &connection, &*notices).await {
            Ok(opened) => opened,
            Err(refusal) => {
                return Err(GlusterError::Open { options: Box::new(options), refusal });
            }
        };
        let stat = match file.stat().await {
            Ok(stat) => stat,
            Err(errno) => return Err(GlusterError::Length { options: Box::new(options), errno }),
        };
        let seeks = extent::seeks(&*file, stat.bytes).await;
        let alignment = if options.direct() { SECTOR } else { 1 };
        let bytes = rounded(stat.bytes, alignment);
        let state = State::new(Image::new(file, connection), bytes, options.to_string(), notices);
        let limits = Limits {
            request_alignment: alignment,
            max_transfer: Some(TRANSFER_MAX),
            write_fua: false,
            zeroes: Some(ZeroFlags { fua: false, may_unmap: false, no_fallback: false }),
            read_only,
        };
        Ok(Arc::new(Self {
            options,
            limits,
            seeks,
            state: Arc::new(state),
            turns: Turns::default(),
        }))
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &GlusterOptions {
        &self.options
    }

    /// How much space the file takes, in bytes.
    ///
    /// # Errors
    /// Gluster's.
    pub async fn allocated(&self) -> Result<u64> {
        Ok(self.state.image()?.file.stat().await?.allocated)
    }

    /// Whether a new image reads as zeroes without being written: no, a volume may keep it on a
    /// block device.
    #[must_use]
    pub fn has_zero_init(&self) -> bool {
        false
    }

    /// The image, if the range lies inside it. Gluster itself acknowledges a write to where no file
    /// can be, or in the middle of a block, and fails the next flush.
    fn inside(&self, offset: u64, bytes: u64) -> Result<Arc<Image>> {
        let image = self.state.image()?;
        let end = offset.checked_add(bytes).ok_or(Errno::EINVAL)?;
        let aligned = self.aligned(offset) && self.aligned(bytes);
        let last = self.state.bytes.load(Ordering::SeqCst).min(END_MAX);
        if aligned && end <= last { Ok(image) } else { Err(Errno::EINVAL) }
    }

    /// The image, if it may be written and the range lies inside it. To a file that is open for
    /// reading gluster acknowledges writes, too.
    fn writable(&self, offset: u64, bytes: u64) -> Result<Arc<Image>> {
        let image = self.inside(offset, bytes)?;
        if self.limits.read_only { Err(Errno::EPERM) } else { Ok(image) }
    }

    fn aligned(&self, bytes: u64) -> bool {
        bytes.is_multiple_of(self.limits.request_alignment.into())
    }

    async fn known_length(&self) -> Result<u64> {
        let stat = self.state.image()?.file.stat().await?;
        Ok(rounded(stat.bytes, self.limits.request_alignment))
    }
}

impl BlockDevice for Gluster {
    /// No FUA, and no flag of zeroes is understood, as in QEMU.
    fn limits(&self) -> Limits {
        self.limits
    }

    /// The file's own length, also where somebody else has changed it; whole blocks of a direct one.
    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(self.known_length())
    }

    /// What lies behind the end of the file reads as zeroes: the last block of a direct image whose
    /// length is odd. A short read inside the file is `EIO`.
    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(async move {
            let image = self.inside(offset, bytes as u64)?;
            if bytes == 0 {
                return Ok(Bytes::new());
            }
            let ReadDone { done, buffer } = image.file.pread(offset, bytes).await;
            let count = done::read(done, bytes)?;
            let read = buffer.get(..count).ok_or(Errno::EIO)?;
            if count == bytes {
                return Ok(buffer.slice(..count));
            }
            if offset + (count as u64) < image.file.stat().await?.bytes {
                return Err(Errno::EIO);
            }
            let mut data = read.to_vec();
            data.resize(bytes, 0);
            Ok(data.into())
        })
    }

    /// `ENOTSUP` with [`Flags::fua`]: gluster has no such write.
    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            let bytes = data.len() as u64;
            let image = self.writable(offset, bytes)?;
            if flags.fua {
                return Err(Errno::ENOTSUP);
            }
            if bytes == 0 {
                return Ok(());
            }
            done::full(image.file.pwrite(offset, data).await, bytes)
        })
    }

    /// Gluster chooses how. `ENOTSUP` where that matters: with [`Flags::no_fallback`], and as
    /// `pwrite`.
    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            let image = self.writable(offset, bytes)?;
            if flags.fua || flags.no_fallback {
                return Err(Errno::ENOTSUP);
            }
            if bytes == 0 {
                return Ok(());
            }
            done::filled(image.file.zerofill(offset, bytes).await, bytes)
        })
    }

    /// Changes nothing unless the options say `discard=unmap`.
    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        Box::pin(async move {
            let image = self.writable(offset, bytes)?;
            if bytes == 0 || !self.options.unmap() {
                return Ok(());
            }
            done::plain(image.file.discard(offset, bytes).await)
        })
    }

    /// Does nothing on a read-only image and with `cache.no-flush`. Flushes take turns, and those
    /// that wait share one. One that is given up on is ended by the next.
    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            self.state.image()?;
            if self.limits.read_only || self.options.no_flush() {
                return Ok(());
            }
            let state = self.state.clone();
            self.turns.together(async move { state.sync().await }).await
        })
    }

    /// By seeking, if that told holes from data when the image was opened.
    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move {
            let image = self.inside(offset, bytes)?;
            if bytes == 0 || !self.seeks {
                return Ok(Extent { bytes, kind: ExtentKind::Data });
            }
            let end = self.state.bytes.load(Ordering::SeqCst);
            let extent = extent::status(&*image.file, offset, bytes, end).await;
            Ok(extent::aligned(extent, bytes, self.limits.request_alignment.into()))
        })
    }

    /// Space is provided for what is added; where that fails the file gets its old length back.
    /// `ENOTSUP` if the image is to be shorter and yet have space provided.
    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.writable(0, 0)?;
            if bytes > END_MAX {
                return Err(Errno::EFBIG);
            }
            if !self.aligned(bytes) {
                return Err(Errno::EINVAL);
            }
            let state = self.state.clone();
            let work = async move {
                resize(&*state.image()?.file, bytes, prealloc).await?;
                state.bytes.store(bytes, Ordering::SeqCst);
                Ok(())
            };
            self.turns.alone(work).await
        })
    }

    /// Closes the file once the requests in flight are done, and says whether everything that was
    /// written has arrived; later requests are `ENOMEDIUM`. Of an image that was ejected the answer
    /// is why.
    fn close(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let (image, state) = (self.state.take(), self.state.clone());
            let work = async move {
                let closed = match image {
                    Some(image) => state.close(&image).await,
                    None => Ok(()),
                };
                // A flush that nobody waited for may have failed meanwhile.
                state.lost.get().map_or(closed, |errno| Err(*errno))
            };
            self.turns.alone(work).await
        })
    }

    /// Looks at the file's length again.
    fn invalidate(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let bytes = self.known_length().await?;
            self.state.bytes.store(bytes, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// Lets go of the file; what its close comes to, nobody hears then.
impl Drop for Gluster {
    fn drop(&mut self) {
        if !self.limits.read_only && !self.state.is_over() {
            let image = self.options.to_string();
            self.state.notices.notice(Notice::NotClosed { image });
        }
    }
}

/// The file, and whether it takes no writes.
async fn open(
    options: &GlusterOptions,
    connection: &Connection,
    notices: &dyn Notices,
) -> std::result::Result<(Arc<dyn File>, bool), Refusal> {
    let open = |write| {
        let access = Access { write, direct: options.direct() };
        connection.volume.open(options.path(), access)
    };
    let refusal = match open(!options.read_only()).await {
        Ok(file) => return Ok((file, options.read_only())),
        Err(refusal) => refusal,
    };
    let errno = refusal.number();
    let degrade = options.auto_read_only() && !options.read_only();
    if !degrade || !matches!(errno, Errno::EACCES | Errno::EROFS) {
        return Err(refusal);
    }
    // Whoever wanted to write hears why it cannot, also where it cannot even read.
    let file = open(false).await.map_err(|_| refusal)?;
    notices.notice(Notice::OpenedReadOnly { image: options.to_string(), errno });
    Ok((file, true))
}

fn rounded(bytes: u64, alignment: u32) -> u64 {
    bytes.checked_next_multiple_of(alignment.into()).unwrap_or(bytes)
}

/// The block of a direct image.
const SECTOR: u32 = {
    assert!(SECTOR_BYTES == 512);
    512
};

/// The longest request: several versions of gluster fail at 1 GiB.
pub(super) const TRANSFER_MAX: u32 = 512 << 20;
