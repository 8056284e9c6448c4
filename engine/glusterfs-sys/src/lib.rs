//! Raw declarations of libgfapi, for GlusterFS 6 and newer.
//!
//! Written by hand, so that no header, no library and no libclang is needed to build. [`Api::load`] takes
//! each call from `libgfapi.so.0` when the program runs, at the version that stands beside its
//! declaration: a library from before version 6, whose callbacks have other arguments, is refused. With
//! the feature `linked` the linker binds them instead.
//!
//! Nothing here is safe to call, and nothing keeps what the calls demand: see the package
//! `quorate-gfapi`. What each call does is in `glusterfs/api/glfs.h`.

#![expect(unsafe_code, reason = "declarations of a library in C")]
#![deny(unsafe_op_in_unsafe_fn)]
#![expect(non_camel_case_types, reason = "the names of C")]

mod load;

use libc::{c_char, c_int, c_void, iovec, mode_t, off_t, size_t, ssize_t, stat};
use std::marker::{PhantomData, PhantomPinned};

pub use load::LoadError;

/// An instance of the client, for one volume.
#[repr(C)]
pub struct glfs_t {
    _opaque: [u8; 0],
    _no_auto_traits: PhantomData<(*mut u8, PhantomPinned)>,
}

/// An open file.
#[repr(C)]
pub struct glfs_fd_t {
    _opaque: [u8; 0],
    _no_auto_traits: PhantomData<(*mut u8, PhantomPinned)>,
}

/// What a callback is told of the file before and after the call: not `struct stat`, possibly null,
/// gone when the callback returns, and not to be relied on (write-behind gives a size of 0 for what it
/// has not written). So its members are not declared.
#[repr(C)]
pub struct glfs_stat {
    _opaque: [u8; 0],
    _no_auto_traits: PhantomData<(*mut u8, PhantomPinned)>,
}

/// Told of a call's end: its result, and the thread's error number where that is negative. Comes on a
/// thread of gluster's, or inside the call that submitted.
pub type glfs_io_cbk = unsafe extern "C" fn(
    fd: *mut glfs_fd_t,
    ret: ssize_t,
    prestat: *mut glfs_stat,
    poststat: *mut glfs_stat,
    data: *mut c_void,
);

/// The table of calls, how they are bound, and their signatures: from one list.
macro_rules! api {
    ($($version:literal fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The calls.
        #[derive(Clone, Copy, Debug)]
        pub struct Api {
            $(
                #[doc = concat!("`", stringify!($name), "`, as of ", $version, ".")]
                pub $name: unsafe extern "C" fn($($argument: $type),*) -> $result,
            )*
        }

        /// A declaration as it is written here, for comparison with the header.
        #[derive(Clone, Copy, Debug)]
        pub struct Signature {
            /// The call.
            pub name: &'static str,
            /// The version that its symbol carries.
            pub version: &'static str,
            /// The types of its arguments.
            pub arguments: &'static [&'static str],
            /// The type of its result.
            pub result: &'static str,
        }

        /// Every declaration.
        pub const SIGNATURES: &[Signature] = &[
            $(Signature {
                name: stringify!($name),
                version: $version,
                arguments: &[$(stringify!($type)),*],
                result: stringify!($result),
            },)*
        ];

        impl Api {
            #[cfg(feature = "linked")]
            fn bind() -> Result<Self, LoadError> {
                #[link(name = "gfapi")]
                unsafe extern "C" {
                    $(fn $name($($argument: $type),*) -> $result;)*
                }
                Ok(Self { $($name,)* })
            }

            #[cfg(not(feature = "linked"))]
            fn bind() -> Result<Self, LoadError> {
                let library = load::library()?;
                Ok(Self {
                    $($name: {
                        let symbol = load::symbol(
                            library,
                            const { load::c_text(concat!(stringify!($name), "\0")) },
                            const { load::c_text(concat!($version, "\0")) },
                        )?;
                        // SAFETY: the symbol of this name and version is a function with this
                        // signature; the tests compare it with the header.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($type),*) -> $result,
                            >(symbol)
                        }
                    },)*
                })
            }
        }
    };
}

api! {
    "GFAPI_3.4.0" fn glfs_new(volname: *const c_char) -> *mut glfs_t;
    "GFAPI_3.4.0" fn glfs_set_volfile_server(fs: *mut glfs_t, transport: *const c_char, host: *const c_char, port: c_int) -> c_int;
    "GFAPI_3.4.0" fn glfs_set_logging(fs: *mut glfs_t, logfile: *const c_char, loglevel: c_int) -> c_int;
    "GFAPI_3.4.0" fn glfs_set_xlator_option(fs: *mut glfs_t, xlator: *const c_char, key: *const c_char, value: *const c_char) -> c_int;
    "GFAPI_3.4.0" fn glfs_init(fs: *mut glfs_t) -> c_int;
    "GFAPI_3.6.0" fn glfs_get_volfile(fs: *mut glfs_t, buf: *mut c_void, len: size_t) -> ssize_t;
    "GFAPI_3.4.0" fn glfs_fini(fs: *mut glfs_t) -> c_int;
    "GFAPI_3.4.0" fn glfs_open(fs: *mut glfs_t, path: *const c_char, flags: c_int) -> *mut glfs_fd_t;
    "GFAPI_3.4.0" fn glfs_creat(fs: *mut glfs_t, path: *const c_char, flags: c_int, mode: mode_t) -> *mut glfs_fd_t;
    "GFAPI_3.4.0" fn glfs_dup(fd: *mut glfs_fd_t) -> *mut glfs_fd_t;
    "GFAPI_3.4.0" fn glfs_close(fd: *mut glfs_fd_t) -> c_int;
    "GFAPI_3.4.0" fn glfs_fstat(fd: *mut glfs_fd_t, buf: *mut stat) -> c_int;
    "GFAPI_3.4.0" fn glfs_lseek(fd: *mut glfs_fd_t, offset: off_t, whence: c_int) -> off_t;
    "GFAPI_3.5.0" fn glfs_fallocate(fd: *mut glfs_fd_t, keep_size: c_int, offset: off_t, len: size_t) -> c_int;
    "GFAPI_6.0" fn glfs_preadv_async(fd: *mut glfs_fd_t, iov: *const iovec, iovcnt: c_int, offset: off_t, flags: c_int, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
    "GFAPI_6.0" fn glfs_pwritev_async(fd: *mut glfs_fd_t, iov: *const iovec, iovcnt: c_int, offset: off_t, flags: c_int, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
    "GFAPI_6.0" fn glfs_zerofill_async(fd: *mut glfs_fd_t, offset: off_t, len: off_t, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
    "GFAPI_6.0" fn glfs_discard_async(fd: *mut glfs_fd_t, offset: off_t, len: size_t, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
    "GFAPI_6.0" fn glfs_fsync_async(fd: *mut glfs_fd_t, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
    "GFAPI_6.0" fn glfs_ftruncate_async(fd: *mut glfs_fd_t, length: off_t, cbk: glfs_io_cbk, data: *mut c_void) -> c_int;
}
