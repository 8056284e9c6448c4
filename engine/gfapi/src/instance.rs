//! Each call of libgfapi that blocks, and who owns what the library hands out.

use crate::errno;
use glusterfs_sys::{Api, glfs_fd_t, glfs_t};
use libc::c_int;
use quorate_engine::gluster::{
    api::{Done, Refusal, Stat},
    options::Server,
};
use std::{
    ffi::CStr,
    mem::MaybeUninit,
    ptr::{self, NonNull},
    sync::Arc,
};

/// A client of one volume that was not initialised yet.
///
/// Letting it go does not end it. libgfapi (10.3) ends its timer only with a client that was initialised, and
/// frees in any case what the timer looks at two minutes after the log was named. So it is left behind: three
/// threads, which ending it would leave as well, and 0.3 MB.
pub(crate) struct Uninitialised {
    api: &'static Api,
    fs: Fs,
}

/// A client of one volume. Letting the last one go ends it, on a thread that nobody waits for: that takes
/// up to eleven seconds.
pub(crate) struct Instance {
    api: &'static Api,
    fs: Fs,
}

#[derive(Clone, Copy)]
struct Fs(NonNull<glfs_t>);

// SAFETY: libgfapi takes the instance's own lock in each call, whichever thread it comes from.
unsafe impl Send for Fs {}
// SAFETY: as above.
unsafe impl Sync for Fs {}

/// An open file. It is not closed by being dropped.
pub(crate) struct Descriptor {
    pub(crate) fd: NonNull<glfs_fd_t>,
    /// Alive for as long as any of its files.
    instance: Arc<Instance>,
}

// SAFETY: libgfapi takes the lock of the file's instance in each call, whichever thread it comes from.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Uninitialised {
    pub(crate) fn new(api: &'static Api, volume: &CStr) -> Result<Self, Refusal> {
        errno::clear();
        // SAFETY: a string of C, which is copied.
        let fs = unsafe { (api.glfs_new)(volume.as_ptr()) };
        NonNull::new(fs).map(|fs| Self { api, fs: Fs(fs) }).ok_or_else(refusal)
    }

    /// Adds a server that knows the volume.
    pub(crate) fn server(&self, server: &Server, host: &CStr) -> Result<(), Refusal> {
        let (transport, port) = match server {
            Server::Inet { port, .. } => (c"tcp", c_int::from(*port)),
            Server::Unix { .. } => (c"unix", 0),
        };
        // SAFETY: the instance is alive, and the strings of C are copied.
        check(|| unsafe {
            let (transport, host) = (transport.as_ptr(), host.as_ptr());
            (self.api.glfs_set_volfile_server)(self.fs.0.as_ptr(), transport, host, port)
        })
    }

    pub(crate) fn logging(&self, file: &CStr, level: u8) -> Result<(), Refusal> {
        // SAFETY: the instance is alive, and the string of C is copied.
        check(|| unsafe {
            (self.api.glfs_set_logging)(self.fs.0.as_ptr(), file.as_ptr(), level.into())
        })
    }

    /// What was not synced stays in the cache when a sync fails, so that a brick which comes back gets
    /// it. As QEMU does.
    pub(crate) fn keep_what_fails_to_sync(&self) -> Result<(), Refusal> {
        let (xlator, option) = (c"*-write-behind", c"resync-failed-syncs-after-fsync");
        // SAFETY: the instance is alive, and the strings of C are copied.
        check(|| unsafe {
            let (xlator, option, on) = (xlator.as_ptr(), option.as_ptr(), c"on".as_ptr());
            (self.api.glfs_set_xlator_option)(self.fs.0.as_ptr(), xlator, option, on)
        })
    }

    /// Gets the volume's file from a server and connects to the bricks.
    pub(crate) fn init(self) -> Result<Instance, Refusal> {
        let instance = Instance { api: self.api, fs: self.fs };
        // SAFETY: the instance is alive.
        check(|| unsafe { (self.api.glfs_init)(self.fs.0.as_ptr()) })?;
        Ok(instance)
    }
}

impl Instance {
    pub(crate) fn open(self: &Arc<Self>, path: &CStr, flags: c_int) -> Result<Descriptor, Refusal> {
        // SAFETY: the instance is alive, and the string of C is copied.
        self.descriptor(|| unsafe {
            (self.api.glfs_open)(self.fs.0.as_ptr(), path.as_ptr(), flags)
        })
    }

    pub(crate) fn create(
        self: &Arc<Self>,
        path: &CStr,
        flags: c_int,
    ) -> Result<Descriptor, Refusal> {
        // SAFETY: the instance is alive, and the string of C is copied.
        self.descriptor(|| unsafe {
            (self.api.glfs_creat)(self.fs.0.as_ptr(), path.as_ptr(), flags, 0o600)
        })
    }

    fn descriptor(
        self: &Arc<Self>,
        open: impl FnOnce() -> *mut glfs_fd_t,
    ) -> Result<Descriptor, Refusal> {
        errno::clear();
        let fd = NonNull::new(open()).ok_or_else(refusal)?;
        Ok(Descriptor { fd, instance: self.clone() })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let (api, fs) = (self.api, self.fs);
        quorate_pool::detach(move || {
            let fs = fs;
            // This waits for the initialisation. Where that failed before it had begun, as it does without
            // gluster's translators, it waits for ever, which is as well: see `Uninitialised`.
            // SAFETY: the instance is alive, and no byte is asked for.
            unsafe { (api.glfs_get_volfile)(fs.0.as_ptr(), ptr::null_mut(), 0) };
            // SAFETY: nobody else has the instance, and every file of it is closed: they keep it.
            // Nothing can be done about a failure.
            unsafe { (api.glfs_fini)(fs.0.as_ptr()) };
        });
    }
}

impl Descriptor {
    pub(crate) fn api(&self) -> &'static Api {
        self.instance.api
    }

    /// The same file, with a position of its own.
    pub(crate) fn duplicate(&self) -> Result<Self, Refusal> {
        // SAFETY: the file is open.
        self.instance.descriptor(|| unsafe { (self.api().glfs_dup)(self.fd.as_ptr()) })
    }

    pub(crate) fn stat(&self) -> Result<Stat, Done> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the file is open, and the memory is as large as what is written there.
        done(|| unsafe { (self.api().glfs_fstat)(self.fd.as_ptr(), stat.as_mut_ptr()).into() })?;
        // SAFETY: all zeroes are a `stat`, and so is what libgfapi has made of them.
        let stat = unsafe { stat.assume_init() };
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        // Blocks of 512 bytes, whatever the file system has. `st_blksize` is never set.
        let allocated = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        Ok(Stat { bytes, allocated })
    }

    pub(crate) fn seek(&self, offset: i64, whence: c_int) -> Result<i64, Done> {
        // SAFETY: the file is open.
        done(|| unsafe { (self.api().glfs_lseek)(self.fd.as_ptr(), offset, whence) })
    }

    pub(crate) fn allocate(&self, offset: i64, bytes: usize) -> Result<i64, Done> {
        // SAFETY: the file is open.
        done(|| unsafe { (self.api().glfs_fallocate)(self.fd.as_ptr(), 0, offset, bytes).into() })
    }

    /// # Safety
    /// It is the descriptor's last call, and every one before has answered.
    pub(crate) unsafe fn close(&self) -> Result<i64, Done> {
        // SAFETY: the file is open, and not used any more, says the caller.
        done(|| unsafe { (self.api().glfs_close)(self.fd.as_ptr()).into() })
    }
}

/// A negative result with the error number that belongs to it.
fn done(call: impl FnOnce() -> i64) -> Result<i64, Done> {
    errno::clear();
    let ret = call();
    if ret < 0 { Err(Done { ret, errno: errno::last() }) } else { Ok(ret) }
}

/// Of calls that give 0 or fail.
fn check(call: impl FnOnce() -> c_int) -> Result<(), Refusal> {
    errno::clear();
    if call() == 0 { Ok(()) } else { Err(refusal()) }
}

fn refusal() -> Refusal {
    Refusal { errno: errno::last(), text: None }
}
