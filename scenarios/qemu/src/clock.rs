//! A clock of QEMU's own, and its switch.
//!
//! What it does is said where it is made (`clock/src/lib.rs`): QEMU's monitor lets pass one event a second, and with
//! it a second is over by the next round of QEMU's loop.

use crate::error::Error;
use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
};

/// The switch of a daemon's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    switch: File,
}

impl Clock {
    /// Gives a daemon that is to be started such a clock, which does not leap yet.
    pub(crate) fn give(command: &mut Command, directory: &Path) -> Result<Self, Error> {
        let (library, path) = (directory.join("clock.so"), directory.join("clock"));
        let made = || {
            fs::write(&library, LIBRARY)?;
            fs::write(&path, [MISSING])?;
            OpenOptions::new().read(true).write(true).open(&path)
        };
        let switch = made().map_err(Error::Clock)?;
        command.env("LD_PRELOAD", library).env("QUORATE_QEMU_CLOCK", path);
        Ok(Self { switch })
    }

    /// Whether the daemon, which runs by now, has taken it.
    pub(crate) fn is_taken(&self) -> bool {
        let mut state = [MISSING];
        self.switch.read_exact_at(&mut state, 0).is_ok() && state != [MISSING]
    }

    /// From now on it leaps with each look at it, or keeps to the machine's seconds.
    pub(crate) fn turn(&self, leaps: bool) -> Result<(), Error> {
        let state = [if leaps { LEAPS } else { STEADY }];
        self.switch.write_all_at(&state, 0).map_err(Error::Clock)
    }
}

static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/clock.so"));
/// What the switch says before the library has found it, and then.
const MISSING: u8 = b'-';
const STEADY: u8 = b's';
const LEAPS: u8 = b'l';
