//! When QEMU has nothing to do.

use super::Daemon;
use crate::{child::Child, error::Error};
use std::{os::unix::fs::FileExt, thread, time::Duration};

impl<C: Child> Daemon<C> {
    /// Waits until the daemon itself waits: for a child, a client or a command. All that it has sent until then is taken
    /// in: requests, replies, and events.
    ///
    /// What this process sends wakes its main thread at once, and that sleeps again only when there is nothing left that
    /// it could do. So nothing is asked of it. Files that it reads or writes in other threads are not waited for.
    ///
    /// # Errors
    /// The daemon is gone, or busy without end.
    pub fn rest(&mut self) -> Result<(), Error> {
        let mut idle = 0;
        while idle < LOOKS_MAX {
            let state = self.state();
            if matches!(state, None | Some(b'Z' | b'X')) {
                return Err(self.died());
            }
            let sleeps = state == Some(b'S');
            let is_long = !sleeps && idle > LOOKS_SHORT;
            let arrived = self.take_in(if is_long { NAP } else { Duration::ZERO })?;
            if sleeps && !arrived {
                return Ok(());
            }
            idle = if arrived { 0 } else { idle + 1 };
            if !sleeps && !arrived && !is_long {
                thread::yield_now();
            }
        }
        Err(self.silent("a rest"))
    }

    /// What its main thread does, in a letter of Linux's; nothing if it is no more.
    fn state(&self) -> Option<u8> {
        let mut text = [0; 64];
        let count = self.thread.read_at(&mut text, 0).ok()?;
        let name_end = text[..count].iter().rposition(|&byte| byte == b')')?;
        text.get(name_end + 2).copied()
    }
}

/// So many looks are taken as fast as can be.
const LOOKS_SHORT: u32 = 200;
/// Then each is after such a pause.
const NAP: Duration = Duration::from_millis(1);
/// So many looks take some ten seconds.
const LOOKS_MAX: u32 = 10_000;
