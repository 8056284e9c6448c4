//! Names that say which process something belongs to.

use std::{
    fs, process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A name for something of this process, which no other thing has.
pub(crate) fn name() -> String {
    static NAMED: AtomicU32 = AtomicU32::new(0);
    let (pid, number) = (process::id(), NAMED.fetch_add(1, Ordering::Relaxed));
    format!("{PREFIX}{pid}-{}-{number}", started(pid).unwrap_or_default())
}

/// Whether it is the name of something whose process is gone.
pub(crate) fn orphaned(name: &str) -> bool {
    let Some(owner) = name.strip_prefix(PREFIX) else { return false };
    let mut numbers = owner.split('-').map(|number| number.parse().ok());
    let (Some(Some(pid)), Some(Some(at))) = (numbers.next(), numbers.next()) else { return false };
    u32::try_from(pid).is_ok_and(|pid| started(pid) != Some(at))
}

/// When a process was started, in the kernel's ticks: its number may be another's later.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19)?.parse().ok()
}

const PREFIX: &str = "quorate-gluster-";
