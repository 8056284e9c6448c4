//! What options say, read from text.
//!
//! clap names the option and quotes the value; what is said here ends that sentence.

use crate::exhaust::CHILDREN_MAX;
use quorate_reports::Digest;
use std::{num::NonZeroU32, ops::Range, time::Duration};

/// A range of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Range<u64>);

/// Why a value is refused.
type Refusal = &'static str;

pub(super) fn seed(text: &str) -> Result<u64, Refusal> {
    digits(text).ok_or(SEED)
}

pub(super) fn seeds(text: &str) -> Result<Seeds, Refusal> {
    let (start, end) = match text.split_once("..") {
        Some((start, end)) => (seed(start)?, seed(end)?),
        None => (0, seed(text)?),
    };
    if start >= end {
        return Err("there is no seed in it: write how many, such as 500, or a range such as \
                    3..9, which begins with 3 and ends with 8");
    }
    Ok(Seeds(start..end))
}

pub(super) fn time(text: &str) -> Result<Duration, Refusal> {
    const HOW: Refusal = "write a number and its unit, such as 500ms, 60s, 5m or 2h";
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let scaled =
        |(unit, millis): (&str, u64)| digits(text.strip_suffix(unit)?)?.checked_mul(millis);
    let millis = units.into_iter().find_map(scaled);
    if millis == Some(0) {
        return Err("must be above zero: write a time such as 500ms, 60s, 5m or 2h");
    }
    // Longer than this is no time that anybody waits for.
    millis.filter(|millis| *millis <= YEAR_MS).map(Duration::from_millis).ok_or(HOW)
}

pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|_| "a digest is 32 hexadecimal digits, as every run prints them")
}

pub(super) fn count(text: &str) -> Result<NonZeroU32, Refusal> {
    match digits(text).map(|number| u32::try_from(number).map(NonZeroU32::new)) {
        Some(Ok(Some(count))) => Ok(count),
        Some(Ok(None)) => Err("must be above zero: write how many, such as 100"),
        _ => Err("write a whole number from 1 to 4294967295"),
    }
}

pub(super) fn children(text: &str) -> Result<usize, Refusal> {
    let number = digits(text).and_then(|number| usize::try_from(number).ok());
    match number.ok_or("write a whole number from 1 to 6")? {
        0 => Err("an array has a child: write a number from 1 to 6"),
        number @ 1..=CHILDREN_MAX => Ok(number),
        _ => Err(
            "more than 6 children have too many votes to go through all of them (7 have fifteen \
                  billion): write a number from 1 to 6, or fuzz",
        ),
    }
}

/// A number in decimal digits: no sign, no blanks.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

const YEAR_MS: u64 = 365 * 24 * 3_600_000;
/// What a seed is.
pub(super) const SEED: Refusal =
    "a seed is a whole number from 0 to 18446744073709551615, in decimal digits";
