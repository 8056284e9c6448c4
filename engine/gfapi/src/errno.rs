//! The calling thread's error number.

use std::io;

/// Forgets it, so that what a failing call leaves there is its own.
pub(crate) fn clear() {
    // SAFETY: the address of the calling thread's own.
    unsafe { *libc::__errno_location() = 0 };
}

/// What it is now; 0 if the call that failed did not say.
pub(crate) fn last() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
