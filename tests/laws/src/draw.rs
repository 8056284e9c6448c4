//! Scenarios out of raw bytes: what most bytes come to is small, and can be run.
//!
//! Where the bytes end, whatever is still to be drawn is the simplest of its kind; so taking bytes away
//! makes a scenario simpler.

mod fault;
mod rule;
mod scenario;
mod step;

pub use rule::rule;
pub use scenario::scenario;

use arbitrary::{Result, Unstructured};
use quorate_engine::Errno;
use std::time::Duration;

/// One of a list, the first if no bytes are left.
fn pick<T: Clone>(from: &mut Unstructured<'_>, list: &[T]) -> Result<T> {
    from.choose(list).cloned()
}

/// True once in `most`, and not if no bytes are left.
fn rarely(from: &mut Unstructured<'_>, most: u8) -> Result<bool> {
    Ok(from.int_in_range(0..=most - 1)? == most - 1)
}

/// Something drawn, or nothing.
fn perhaps<'a, T>(
    from: &mut Unstructured<'a>,
    draw: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if rarely(from, 3)? { draw(from).map(Some) } else { Ok(None) }
}

/// A few of what is drawn; at least one.
fn some<'a, T>(
    from: &mut Unstructured<'a>,
    most: usize,
    mut draw: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = from.int_in_range(1..=most)?;
    (0..count).map(|_| draw(from)).collect()
}

/// A count: mostly of one digit, seldom any number that a file can say.
fn count(from: &mut Unstructured<'_>) -> Result<u64> {
    match from.int_in_range(0..=63)? {
        63 => Ok(from.arbitrary::<u64>()? >> 1),
        62 => from.int_in_range(0..=70_000),
        _ => from.int_in_range(1..=9),
    }
}

/// A place or a size in bytes: mostly of whole sectors.
fn bytes(from: &mut Unstructured<'_>, most: u64) -> Result<u64> {
    match from.int_in_range(0..=15)? {
        15 => from.int_in_range(0..=most),
        _ => Ok(from.int_in_range(0..=most / SECTOR_BYTES)? * SECTOR_BYTES),
    }
}

/// A time of at most a few milliseconds.
fn time(from: &mut Unstructured<'_>) -> Result<Duration> {
    let micros = from.int_in_range(0..=4000_u16)?;
    Ok(Duration::from_micros(micros.into()))
}

fn errno(from: &mut Unstructured<'_>) -> Result<Errno> {
    let usual = [Errno::EIO, Errno::ENOSPC, Errno::EPERM, Errno::ENOTSUP, Errno::ETIMEDOUT];
    match from.int_in_range(0..=15)? {
        15 => Ok(Errno::from_number(from.int_in_range(1..=4095)?).expect("Linux has it")),
        _ => pick(from, &usual),
    }
}

const SECTOR_BYTES: u64 = 512;
/// The length of every disk.
const DISK_BYTES: u64 = 16 << 10;
