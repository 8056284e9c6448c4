//! The functions themselves.

use super::{FAKES, Fake, How, Memory, Told, What, Whom};
use glusterfs_sys::{Api, glfs_fd_t, glfs_io_cbk, glfs_t};
use libc::{c_char, c_int, c_void, iovec, mode_t, off_t, size_t, ssize_t, stat};
use std::{
    ffi::CStr,
    ptr,
    sync::{Arc, mpsc},
};

pub(super) static API: Api = Api {
    glfs_new: new,
    glfs_set_volfile_server: set_volfile_server,
    glfs_set_logging: set_logging,
    glfs_set_xlator_option: set_xlator_option,
    glfs_init: init,
    glfs_get_volfile: get_volfile,
    glfs_fini: fini,
    glfs_open: open,
    glfs_creat: creat,
    glfs_dup: dup,
    glfs_close: close,
    glfs_fstat: fstat,
    glfs_lseek: lseek,
    glfs_fallocate: fallocate,
    glfs_preadv_async: preadv,
    glfs_pwritev_async: pwritev,
    glfs_zerofill_async: zerofill,
    glfs_discard_async: discard,
    glfs_fsync_async: fsync,
    glfs_ftruncate_async: ftruncate,
};

/// What is behind a `glfs_t` and a `glfs_fd_t`.
struct Object {
    fake: Arc<Fake>,
    /// Of a file: what it is called in the journal.
    name: String,
}

/// Whom to call when a call has ended.
pub(super) struct Callback {
    function: glfs_io_cbk,
    data: *mut c_void,
    fd: *mut glfs_fd_t,
}

// SAFETY: libgfapi calls back on whatever thread it likes.
unsafe impl Send for Callback {}

impl Callback {
    pub(super) fn call(self, ret: i64, errno: i32) {
        set_errno(errno);
        let ret = ssize_t::try_from(ret).expect("of this machine");
        // SAFETY: the call that this came with has not been answered, and is not again.
        unsafe { (self.function)(self.fd, ret, ptr::null_mut(), ptr::null_mut(), self.data) };
    }
}

pub(super) fn set_errno(errno: i32) {
    // SAFETY: this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

fn pointer<T>(fake: Arc<Fake>, name: &str) -> *mut T {
    Box::into_raw(Box::new(Object { fake, name: name.into() })).cast()
}

/// # Safety
/// The pointer came from [`pointer`] and was not given back.
unsafe fn object<'a, T>(pointer: *mut T) -> &'a Object {
    // SAFETY: the caller says so.
    unsafe { &*pointer.cast::<Object>() }
}

/// # Safety
/// As for [`object`]; it is not used any more.
unsafe fn give_back<T>(pointer: *mut T) {
    // SAFETY: the caller says so.
    drop(unsafe { Box::from_raw(pointer.cast::<Object>()) });
}

/// # Safety
/// A string of C.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_str().expect("a text").into()
}

/// A call that calls back.
///
/// # Safety
/// The file is open, and the arguments are the call's.
unsafe fn submit(
    fd: *mut glfs_fd_t,
    function: glfs_io_cbk,
    data: *mut c_void,
    what: What,
) -> c_int {
    // SAFETY: the caller says so.
    let fake = unsafe { object(fd) }.fake.clone();
    fake.submit(what, Whom::Callback(Callback { function, data, fd }))
}

/// A call that blocks.
fn block(fake: &Fake, what: What) -> i64 {
    let (tell, told) = mpsc::channel();
    if fake.submit(what, Whom::Blocked(tell)) < 0 {
        return -1;
    }
    let (ret, errno): Told = told.recv().expect("every call is answered");
    set_errno(errno);
    ret
}

fn small<T: TryFrom<i64>>(number: i64) -> T {
    T::try_from(number).ok().expect("an answer of the right size")
}

fn place(offset: off_t) -> usize {
    usize::try_from(offset).expect("negative offsets are refused before")
}

unsafe extern "C" fn new(volume: *const c_char) -> *mut glfs_t {
    // SAFETY: a string of C.
    let name = unsafe { text(volume) };
    let fakes = FAKES.lock().expect("a test has failed under this lock");
    let fake = fakes.get(&name).expect("a test has made it").clone();
    drop(fakes);
    fake.note(format!("new {name}"));
    pointer(fake, "")
}

unsafe extern "C" fn set_volfile_server(
    fs: *mut glfs_t,
    transport: *const c_char,
    host: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: an instance that is alive, and strings of C.
    let (fake, transport, host) = unsafe { (&object(fs).fake, text(transport), text(host)) };
    fake.note(format!("server {transport} {host} {port}"));
    0
}

unsafe extern "C" fn set_logging(fs: *mut glfs_t, file: *const c_char, level: c_int) -> c_int {
    // SAFETY: an instance that is alive, and a string of C.
    let (fake, file) = unsafe { (&object(fs).fake, text(file)) };
    fake.note(format!("logging {file} {level}"));
    if file.starts_with("/nowhere/") {
        fake.state().left.push(fs.expose_provenance());
        set_errno(libc::ENOENT);
        return -1;
    }
    0
}

unsafe extern "C" fn set_xlator_option(
    fs: *mut glfs_t,
    xlator: *const c_char,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: an instance that is alive, and strings of C.
    let (fake, xlator, key, value) =
        unsafe { (&object(fs).fake, text(xlator), text(key), text(value)) };
    fake.note(format!("option {xlator} {key} {value}"));
    0
}

unsafe extern "C" fn init(fs: *mut glfs_t) -> c_int {
    // SAFETY: an instance that is alive.
    let fake = unsafe { &object(fs).fake };
    fake.note("init".into());
    if fake.state().how == How::Unbegun {
        set_errno(libc::ENOENT);
        return -1;
    }
    let ret = block(fake, What::Init);
    fake.initialised();
    small(ret)
}

unsafe extern "C" fn get_volfile(fs: *mut glfs_t, _: *mut c_void, bytes: size_t) -> ssize_t {
    assert_eq!(bytes, 0);
    // SAFETY: an instance that is alive.
    let fake = unsafe { &object(fs).fake };
    fake.note("volfile".into());
    fake.wait_initialised();
    0
}

unsafe extern "C" fn fini(fs: *mut glfs_t) -> c_int {
    // SAFETY: an instance that is alive.
    let fake = unsafe { object(fs) }.fake.clone();
    fake.note("fini".into());
    let ret = block(&fake, What::Fini);
    // SAFETY: it is its last use.
    unsafe { give_back(fs) };
    fake.note("ended".into());
    small(ret)
}

unsafe extern "C" fn open(fs: *mut glfs_t, path: *const c_char, flags: c_int) -> *mut glfs_fd_t {
    // SAFETY: an instance that is alive, and a string of C.
    let (fake, path) = unsafe { (object(fs).fake.clone(), text(path)) };
    fake.note(format!("open {path} {flags:o}"));
    if fake.state().how == How::Refused(0) {
        return ptr::null_mut();
    }
    pointer(fake, &path)
}

unsafe extern "C" fn creat(
    fs: *mut glfs_t,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> *mut glfs_fd_t {
    // SAFETY: an instance that is alive, and a string of C.
    let (fake, path) = unsafe { (object(fs).fake.clone(), text(path)) };
    fake.note(format!("creat {path} {flags:o} {mode:o}"));
    pointer(fake, &path)
}

unsafe extern "C" fn dup(fd: *mut glfs_fd_t) -> *mut glfs_fd_t {
    // SAFETY: a file that is open.
    let file = unsafe { object(fd) };
    file.fake.note(format!("dup {}", file.name));
    pointer(file.fake.clone(), &format!("dup of {}", file.name))
}

unsafe extern "C" fn close(fd: *mut glfs_fd_t) -> c_int {
    // SAFETY: a file that is open.
    let Object { fake, name } = unsafe { object(fd) };
    let (fake, name) = (fake.clone(), name.clone());
    let of_this = |whom: &Whom| matches!(whom, Whom::Callback(callback) if callback.fd == fd);
    let before = fake.state().pending.len();
    fake.state().pending.retain(|pending| !of_this(&pending.whom));
    let lost = before - fake.state().pending.len();
    fake.note(format!("close {name}, {lost} callbacks lost"));
    let ret = block(&fake, What::Close);
    // SAFETY: it is its last use.
    unsafe { give_back(fd) };
    small(ret)
}

unsafe extern "C" fn fstat(fd: *mut glfs_fd_t, buffer: *mut stat) -> c_int {
    // SAFETY: a file that is open.
    let bytes = block(unsafe { &object(fd).fake }, What::Stat);
    if bytes >= 0 {
        // SAFETY: the caller's memory.
        unsafe {
            (*buffer).st_size = bytes;
            (*buffer).st_blocks = 3;
        }
    }
    small(bytes.min(0))
}

unsafe extern "C" fn lseek(fd: *mut glfs_fd_t, offset: off_t, whence: c_int) -> off_t {
    // SAFETY: a file that is open.
    let file = unsafe { object(fd) };
    file.fake.note(format!("seek {whence} on {}", file.name));
    block(&file.fake, What::Seek { offset: place(offset) })
}

unsafe extern "C" fn fallocate(
    fd: *mut glfs_fd_t,
    keep_size: c_int,
    offset: off_t,
    bytes: size_t,
) -> c_int {
    assert_eq!(keep_size, 0);
    // SAFETY: a file that is open.
    let fake = unsafe { &object(fd).fake };
    small(block(fake, What::Allocate { offset: place(offset), bytes }))
}

unsafe extern "C" fn preadv(
    fd: *mut glfs_fd_t,
    iov: *const iovec,
    count: c_int,
    offset: off_t,
    _: c_int,
    function: glfs_io_cbk,
    data: *mut c_void,
) -> c_int {
    assert_eq!(count, 1);
    // SAFETY: one part of memory, says the count.
    let iov = unsafe { *iov };
    let memory = Memory { address: iov.iov_base.cast(), bytes: iov.iov_len };
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, What::Read { offset: place(offset), memory }) }
}

unsafe extern "C" fn pwritev(
    fd: *mut glfs_fd_t,
    iov: *const iovec,
    count: c_int,
    offset: off_t,
    _: c_int,
    function: glfs_io_cbk,
    data: *mut c_void,
) -> c_int {
    assert_eq!(count, 1);
    // SAFETY: one part of memory, says the count, with that many bytes.
    let bytes = unsafe {
        let iov = *iov;
        std::slice::from_raw_parts(iov.iov_base.cast::<u8>(), iov.iov_len).to_vec()
    };
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, What::Write { offset: place(offset), data: bytes }) }
}

unsafe extern "C" fn zerofill(
    fd: *mut glfs_fd_t,
    offset: off_t,
    bytes: off_t,
    function: glfs_io_cbk,
    data: *mut c_void,
) -> c_int {
    let what = What::Zerofill { offset: place(offset), bytes: place(bytes) };
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, what) }
}

unsafe extern "C" fn discard(
    fd: *mut glfs_fd_t,
    offset: off_t,
    bytes: size_t,
    function: glfs_io_cbk,
    data: *mut c_void,
) -> c_int {
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, What::Discard { offset: place(offset), bytes }) }
}

unsafe extern "C" fn fsync(fd: *mut glfs_fd_t, function: glfs_io_cbk, data: *mut c_void) -> c_int {
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, What::Fsync) }
}

unsafe extern "C" fn ftruncate(
    fd: *mut glfs_fd_t,
    bytes: off_t,
    function: glfs_io_cbk,
    data: *mut c_void,
) -> c_int {
    // SAFETY: as the caller has it.
    unsafe { submit(fd, function, data, What::Truncate { bytes: place(bytes) }) }
}
