//! When QEMU has nothing to do.

use super::Daemon;
use crate::{child::Child, error::Error};
use std::{os::unix::fs::FileExt, thread, time::Duration};

impl<C: Child> Daemon<C> {
    /// Waits until the daemon itself waits: for a child, a client or a command. All that it has sent until then is taken
    /// in: requests, replies, and events.
    ///
    /// What this process sends wakes its main thread at once, and that sleeps again only when there is nothing left that
    /// it could do, or, now and then, for a lock that another thread has. So nothing is asked of it. Files that it reads or writes in other threads are not waited for.
    ///
    /// # Errors
    /// The daemon is gone, or busy without end.
    pub fn rest(&mut self) -> Result<(), Error> {
        if self.call.is_none() {
            // What it sleeps upon is not to be seen: it is asked, and again, as one round of its loop may lead to another.
            self.settle()?;
            return self.settle();
        }
        let looks_max = LOOKS_QUICK + self.patience.as_micros() / NAP.as_micros();
        let mut looks = 0;
        while looks < looks_max {
            let state = self.state();
            if matches!(state, None | Some(b'Z' | b'X')) {
                return Err(self.died());
            }
            // First whether it sleeps: what it has sent before it did is there by then.
            let sleeps = state == Some(b'S') && !self.goes_on();
            if self.take_in(Duration::ZERO)? {
                looks = 0;
            } else if sleeps {
                return Ok(());
            } else if looks < LOOKS_QUICK {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
            looks += 1;
        }
        Err(self.silent("a rest"))
    }

    /// Whether its main thread goes on by itself: it sleeps as another one of its threads has a lock; or it was
    /// about to sleep and did not, or has just been woken.
    fn goes_on(&self) -> bool {
        let mut text = [0; 64];
        let count = self.call.as_ref().and_then(|call| call.read_at(&mut text, 0).ok());
        let text = &text[..count.unwrap_or(0)];
        let number = text.split(|&byte| byte == b' ').next().unwrap_or_default();
        number == libc::SYS_futex.to_string().as_bytes() || number.starts_with(b"running")
    }

    /// What its main thread does, in a letter of Linux's; nothing if it is no more.
    fn state(&self) -> Option<u8> {
        let mut text = [0; 64];
        let count = self.thread.read_at(&mut text, 0).ok()?;
        let name_end = text[..count].iter().rposition(|&byte| byte == b')')?;
        text.get(name_end + 2).copied()
    }
}

/// So many looks are taken as fast as others let it.
const LOOKS_QUICK: u128 = 100;
/// Then there is a pause between them.
const NAP: Duration = Duration::from_micros(50);
