//! A clock for a process into which this is loaded before other libraries (`LD_PRELOAD`).
//!
//! A file that `QUORATE_QEMU_CLOCK` names, one byte long, is the switch. As long as its byte is an `l`, each
//! look at the monotonic clock is two seconds later than the one before; so a limit of one event a second is over
//! whenever it is looked at. Otherwise time passes as elsewhere, and what it has leapt is kept: it never goes back.
//!
//! The library depends on nothing but the C library, as it is built by the compiler alone.

#![expect(unsafe_code, reason = "a function of the C library, in its place")]
#![deny(unsafe_op_in_unsafe_fn)]

use std::{
    ffi::{c_char, c_int, c_long, c_void},
    mem, ptr,
    sync::atomic::{
        AtomicI64, AtomicPtr, AtomicU8,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// A time as the C library has it.
#[derive(Debug)]
#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: c_long,
}

type Clock = unsafe extern "C" fn(c_int, *mut Timespec) -> c_int;

/// The function in whose place this is; null before it is looked for.
static CLOCK: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The byte of the switch; null without one.
static SWITCH: AtomicPtr<AtomicU8> = AtomicPtr::new(ptr::null_mut());
/// How many seconds were leapt so far.
static LEAPT: AtomicI64 = AtomicI64::new(0);

/// `clock_gettime` of the C library, but for the leaps.
///
/// # Safety
/// As for that one: `time` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    let Some(theirs) = theirs() else { return -1 };
    // SAFETY: the caller's promise is the one that is asked for.
    let result = unsafe { theirs(clock, time) };
    if result == 0 && clock == MONOTONIC {
        let leapt =
            if leaps() { LEAPT.fetch_add(LEAP, Relaxed) + LEAP } else { LEAPT.load(Relaxed) };
        // SAFETY: the caller says that it can be written, and the call has just done so.
        unsafe { (*time).seconds += leapt };
    }
    result
}

fn theirs() -> Option<Clock> {
    let mut found = CLOCK.load(Acquire);
    if found.is_null() {
        // SAFETY: the name is one that ends with a zero.
        found = unsafe { dlsym(NEXT, c"clock_gettime".as_ptr()) };
        CLOCK.store(found, Release);
    }
    // SAFETY: null is `None`; whatever else bears that name is a function of that type.
    unsafe { mem::transmute::<*mut c_void, Option<Clock>>(found) }
}

fn leaps() -> bool {
    // SAFETY: null, or a byte that stays mapped until the process ends.
    let switch = unsafe { SWITCH.load(Acquire).as_ref() };
    switch.is_some_and(|switch| switch.load(Relaxed) == LEAPS)
}

/// Called when the library is loaded, before there is a second thread.
#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn() = loaded;

/// Finds the switch and says so in it.
extern "C" fn loaded() {
    // SAFETY: names that end with a zero, and no other thread that could change the environment. What is mapped is
    // shared with whoever turns the switch, and only looked at as an atomic byte.
    let switch = unsafe {
        let path = getenv(c"QUORATE_QEMU_CLOCK".as_ptr());
        if path.is_null() {
            return;
        }
        mmap(ptr::null_mut(), 1, READ | WRITE, SHARED, open(path, READ_WRITE), 0)
    };
    // All bits are set if it could not be opened or mapped.
    if switch.addr() != usize::MAX {
        let switch: *mut AtomicU8 = switch.cast();
        // SAFETY: it was mapped just now, and is never unmapped.
        unsafe { &*switch }.store(STEADY, Relaxed);
        SWITCH.store(switch, Release);
    }
}

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn mmap(
        at: *mut c_void,
        bytes: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
}

/// What the switch says when the library has found it.
const STEADY: u8 = b's';
/// What it says while time leaps.
const LEAPS: u8 = b'l';
/// How many seconds each leap is long.
const LEAP: i64 = 2;
/// `CLOCK_MONOTONIC` of Linux.
const MONOTONIC: c_int = 1;
/// `RTLD_NEXT`.
const NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);
/// `PROT_READ`, `PROT_WRITE`, `MAP_SHARED` and `O_RDWR` of Linux.
const READ: c_int = 1;
const WRITE: c_int = 2;
const SHARED: c_int = 1;
const READ_WRITE: c_int = 2;
