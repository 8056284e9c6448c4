//! Children of an array that are real files.
//!
//! A [`FileDevice`] does its input and output on the threads of the `blocking` crate, with the page
//! cache between it and the medium. Absent on purpose: direct I/O, locks, and any format but the raw
//! one.

#![forbid(unsafe_code)]

use bytes::Bytes;
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc, Result, ZeroFlags,
};
use quorate_pool as pool;
use rustix::{
    fs::{FallocateFlags, SeekFrom as SeekTo, fallocate, seek},
    io::retry_on_intr,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Seek, SeekFrom},
    os::unix::fs::{FileExt, FileTypeExt},
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A block device over a file, or over a block device of the operating system.
///
/// ```
/// use quorate_engine::{BlockDevice, Flags, Quorum, QuorumOptions};
/// use quorate_file::FileDevice;
/// use std::{fs, sync::Arc};
///
/// # futures_lite::future::block_on(async {
/// let dir = tempfile::tempdir()?;
/// let mut options = QuorumOptions::builder("q", 2);
/// for name in ["a.img", "b.img", "c.img"] {
///     let file = FileDevice::create(dir.path().join(name), 1 << 20)?;
///     options = options.child(name, Arc::new(file));
/// }
/// let events = |event| println!("{event:?}");
/// let quorum = Quorum::open(options.build()?, &(), Arc::new(events)).await?;
///
/// quorum.pwrite(4096, b"three copies".as_slice().into(), Flags::FUA).await?;
/// fs::write(dir.path().join("b.img"), vec![0xbd; 1 << 20])?; // behind the array's back
/// assert_eq!(quorum.pread(4096, 12).await?, b"three copies".as_slice()); // and b.img is reported
/// quorum.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FileDevice {
    /// `None` once closed; the descriptor goes with the last request that uses it.
    file: Mutex<Option<Arc<File>>>,
    /// Requests beyond it are refused, so that no write lets the file grow.
    bytes: Arc<AtomicU64>,
    durable: Arc<Durable>,
    access: Access,
}

/// Whether what was synced is on the medium. A page that could not be written back counts as clean
/// afterwards, so a later success of the operating system's would be a lie about it. As
/// page_cache_inconsistent of QEMU's file-posix.
#[derive(Debug, Default)]
struct Durable {
    failed: OnceLock<Errno>,
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only; everything else is refused with `EPERM`.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

impl FileDevice {
    /// Creates a file of this length that reads as zeroes, and takes no space yet.
    ///
    /// # Errors
    /// The operating system's; a file that exists is left alone.
    pub fn create(path: impl AsRef<Path>, bytes: u64) -> io::Result<Self> {
        let path = path.as_ref();
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        if let Err(error) = file.set_len(bytes) {
            // The caller hears why there is no such file, not why a useless one is left.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Self::new(file, Access::ReadWrite)
    }

    /// Opens a file that exists. Its length is what it is now.
    ///
    /// # Errors
    /// The operating system's, and `InvalidInput` for what is neither a file nor a block device of
    /// it.
    pub fn open(path: impl AsRef<Path>, access: Access) -> io::Result<Self> {
        let write = access == Access::ReadWrite;
        let path = path.as_ref();
        // Before it is opened: a pipe would wait for its other end.
        let kind = fs::metadata(path)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            let text = "neither a file nor a block device";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        Self::new(OpenOptions::new().read(true).write(write).open(path)?, access)
    }

    fn new(file: File, access: Access) -> io::Result<Self> {
        let bytes = Arc::new(AtomicU64::new(length(&file)?));
        let durable = Arc::default();
        Ok(Self { file: Mutex::new(Some(Arc::new(file))), bytes, durable, access })
    }

    fn file(&self) -> Result<Arc<File>> {
        let file = self.file.lock().expect("nothing panics under this lock");
        file.clone().ok_or(Errno::ENOMEDIUM)
    }

    /// The open file, if the range lies inside the device.
    fn inside(&self, offset: u64, bytes: u64) -> Result<Arc<File>> {
        let end = offset.checked_add(bytes).ok_or(Errno::EINVAL)?;
        if end > self.bytes.load(Ordering::SeqCst) {
            return Err(Errno::EINVAL);
        }
        self.file()
    }

    fn writable(&self) -> Result<()> {
        if self.access == Access::ReadWrite { Ok(()) } else { Err(Errno::EPERM) }
    }
}

impl BlockDevice for FileDevice {
    fn limits(&self) -> Limits {
        Limits {
            write_fua: true,
            zeroes: Some(ZeroFlags { fua: true, may_unmap: true, no_fallback: true }),
            read_only: self.access == Access::ReadOnly,
            ..Limits::NONE
        }
    }

    /// The file's own length, also where somebody else has changed it.
    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(async {
            let file = self.file()?;
            pool::run(move || Ok(length(&file)?)).await
        })
    }

    /// A file that ends early is `EIO`: it was longer when it was opened.
    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(async move {
            let file = self.inside(offset, bytes as u64)?;
            pool::run(move || read(&file, offset, bytes)).await
        })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.writable()?;
            let file = self.inside(offset, data.len() as u64)?;
            let durable = self.durable.clone();
            pool::run(move || {
                write(&file, offset, &data)?;
                if flags.fua { durable.sync(&file) } else { Ok(()) }
            })
            .await
        })
    }

    /// Has the file system zero the range, giving back its space with [`Flags::may_unmap`]. Where it
    /// cannot, zeroes are written, or it is `ENOTSUP` with [`Flags::no_fallback`].
    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.writable()?;
            let file = self.inside(offset, bytes)?;
            let durable = self.durable.clone();
            pool::run(move || {
                match zero(&file, offset, bytes, flags.may_unmap) {
                    Err(Errno::ENOTSUP) if !flags.no_fallback => {
                        write_zeroes(&file, offset, bytes)?;
                    }
                    done => done?,
                }
                if flags.fua { durable.sync(&file) } else { Ok(()) }
            })
            .await
        })
    }

    /// Succeeds and changes nothing: a hint that may be ignored.
    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.writable()?;
            self.inside(offset, bytes).map(drop)
        })
    }

    /// Once it has failed it fails ever after, and so does every FUA write, with the first error:
    /// what is lost from the page cache by then is not written by another try.
    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let (file, durable) = (self.file()?, self.durable.clone());
            pool::run(move || durable.sync(&file)).await
        })
    }

    /// As the file system tells holes from data; one that cannot has data everywhere.
    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move {
            let file = self.inside(offset, bytes)?;
            pool::run(move || Ok(status(&file, offset, bytes))).await
        })
    }

    /// `ENOTSUP` unless no space is to be provided.
    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.writable()?;
            if prealloc != Prealloc::Off {
                return Err(Errno::ENOTSUP);
            }
            let (file, known) = (self.file()?, self.bytes.clone());
            pool::run(move || {
                file.set_len(bytes)?;
                known.store(bytes, Ordering::SeqCst);
                Ok(())
            })
            .await
        })
    }

    /// Closes the file once the requests in flight are done; later ones are `ENOMEDIUM`.
    fn close(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let file = self.file.lock().expect("nothing panics under this lock").take();
            pool::run(move || {
                drop(file);
                Ok(())
            })
            .await
        })
    }

    /// Looks at the file's length again.
    fn invalidate(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let (file, known) = (self.file()?, self.bytes.clone());
            pool::run(move || {
                known.store(length(&file)?, Ordering::SeqCst);
                Ok(())
            })
            .await
        })
    }
}

/// By seeking: the metadata of a block device of the operating system have no length.
fn length(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

fn read(file: &File, offset: u64, bytes: usize) -> Result<Bytes> {
    let mut data = vec![0; bytes];
    match file.read_exact_at(&mut data, offset) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Errno::EIO),
        done => Ok(done.map(|()| data.into())?),
    }
}

/// Goes on where a part was written, and after an interruption.
fn write(file: &File, offset: u64, data: &[u8]) -> Result<()> {
    Ok(file.write_all_at(data, offset)?)
}

/// `ENOTSUP` where the file system has no way to.
fn zero(file: &File, offset: u64, bytes: u64, unmap: bool) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let how = if unmap { FallocateFlags::PUNCH_HOLE } else { FallocateFlags::ZERO_RANGE };
    let done = retry_on_intr(|| fallocate(file, how | FallocateFlags::KEEP_SIZE, offset, bytes));
    done.map_err(|error| match error {
        rustix::io::Errno::NOSYS | rustix::io::Errno::NODEV => Errno::ENOTSUP,
        error => io::Error::from(error).into(),
    })
}

/// What the start of a range is, and for how long that stays so.
fn status(file: &File, offset: u64, bytes: u64) -> Extent {
    let data = Extent { bytes, kind: ExtentKind::Data };
    let until = |at: u64, kind| Extent { bytes: at.min(offset + bytes) - offset, kind };
    match seek(file, SeekTo::Data(offset)) {
        Ok(at) if at > offset => until(at, ExtentKind::Zero),
        Ok(_) => match seek(file, SeekTo::Hole(offset)) {
            Ok(at) if at > offset => until(at, ExtentKind::Data),
            _ => data,
        },
        // Nothing but a hole up to the end.
        Err(rustix::io::Errno::NXIO) => Extent { bytes, kind: ExtentKind::Zero },
        Err(_) => data,
    }
}

fn write_zeroes(file: &File, offset: u64, bytes: u64) -> Result<()> {
    let (mut at, end) = (offset, offset + bytes);
    while at < end {
        let piece = ZEROES.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        write(file, at, &ZEROES[..piece])?;
        at += piece as u64;
    }
    Ok(())
}

impl Durable {
    fn sync(&self, file: &File) -> Result<()> {
        if let Some(error) = self.failed.get() {
            return Err(*error);
        }
        let synced = file.sync_data().map_err(Errno::from);
        synced.map_err(|error| *self.failed.get_or_init(|| error))?;
        // Another one may have failed meanwhile, and the operating system tells only one of them.
        self.failed.get().map_or(Ok(()), |error| Err(*error))
    }
}

/// The most zeroes that are written in one piece.
static ZEROES: [u8; 1 << 16] = [0; 1 << 16];
