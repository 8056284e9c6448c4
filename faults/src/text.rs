//! Quantities as checked text: durations, probabilities, and ranges of times, sectors and sizes.
//!
//! What cannot be read says what it should have been and how to write it.

use quorate_engine::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, marker::PhantomData, str::FromStr, time::Duration};

/// A value that rule files write as text.
pub(crate) trait Textual: Sized {
    /// What the value is and how it is written, to end the sentence "it is not ...".
    const WHAT: &'static str;

    fn read(text: &str) -> Option<Self>;

    fn write(&self) -> String;
}

/// Reads a value from its text; a number stands for its digits.
pub(crate) fn deserialize<'de, T: Textual, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(TextVisitor(PhantomData))
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Textual> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).ok_or_else(|| E::custom(format_args!("\"{text}\" is not {}", T::WHAT)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// A value of another crate's type that is written as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: Textual> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from).map(Self)
    }
}

impl<T: Textual> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.write())
    }
}

/// Gives a type of this crate that is [`Textual`] its serde and standard traits.
macro_rules! by_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.write())
            }
        }

        impl FromStr for $name {
            type Err = BadText;

            fn from_str(text: &str) -> Result<Self, BadText> {
                Self::read(text).ok_or_else(|| BadText { text: text.into(), what: Self::WHAT })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.write())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                deserialize(from)
            }
        }
    )+};
}

by_text!(Ratio, Time, TimeRange, Size, SectorRange, SizeRange, SectorShift);

/// The text does not say what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {what}")]
pub struct BadText {
    text: String,
    what: &'static str,
}

/// A probability as an exact fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// The fraction, if it is one between zero and one.
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let possible = denominator > 0 && numerator <= denominator;
        possible.then_some(Self { numerator, denominator })
    }

    /// The number above the line.
    #[must_use]
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// The number below the line, never zero.
    #[must_use]
    pub fn denominator(self) -> u64 {
        self.denominator
    }
}

impl Textual for Ratio {
    const WHAT: &'static str = "a rate of at most one: write \"1:200\", \"10%\" or \"0.1\"";

    fn read(text: &str) -> Option<Self> {
        if let Some((numerator, denominator)) = text.split_once(':') {
            return Self::new(number(numerator)?, number(denominator)?);
        }
        let (decimal, parts) = match text.strip_suffix('%') {
            Some(percent) => (percent, 100),
            None => (text, 1),
        };
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let fraction = if fraction.is_empty() { 0 } else { number(fraction)? };
        let numerator = number(whole)?.checked_mul(scale)?.checked_add(fraction)?;
        Self::new(numerator, scale.checked_mul(parts)?)
    }

    fn write(&self) -> String {
        format!("{}:{}", self.numerator, self.denominator)
    }
}

/// A length of simulated time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Textual for Time {
    const WHAT: &'static str = Duration::WHAT;

    fn read(text: &str) -> Option<Self> {
        Duration::read(text).map(Self)
    }

    fn write(&self) -> String {
        self.0.write()
    }
}

/// A number of bytes, written as such or with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Textual for Size {
    const WHAT: &'static str = "a size: write bytes, or \"64KiB\", \"1MiB\" or \"1GiB\"";

    fn read(text: &str) -> Option<Self> {
        size(text).map(Self)
    }

    fn write(&self) -> String {
        let unit = SIZE_UNITS.iter().rev().find(|(_, b)| self.0 >= *b && self.0.is_multiple_of(*b));
        unit.map_or_else(|| self.0.to_string(), |(unit, bytes)| format!("{}{unit}", self.0 / bytes))
    }
}

/// A span of simulated time, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment inside.
    pub start: Duration,
    /// The first moment behind it; `None` for no end.
    pub end: Option<Duration>,
}

impl Textual for TimeRange {
    const WHAT: &'static str = "a range of time: write \"2s..2500ms\", \"0..3ms\" or \"2s..\"";

    fn read(text: &str) -> Option<Self> {
        let (start, end) = text.split_once("..")?;
        let end = if end.is_empty() { None } else { Some(Duration::read(end)?) };
        Some(Self { start: Duration::read(start)?, end })
    }

    fn write(&self) -> String {
        let end = self.end.map_or_else(String::new, |end| end.write());
        format!("{}..{end}", self.start.write())
    }
}

/// A range of sectors of 512 bytes, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorRange {
    /// The first sector inside.
    pub start: u64,
    /// The first sector behind it.
    pub end: u64,
}

impl Textual for SectorRange {
    const WHAT: &'static str = "a range of sectors: write \"128..136\" for 128 to 135, or \"128\"";

    fn read(text: &str) -> Option<Self> {
        if let Some((start, end)) = text.split_once("..") {
            return Some(Self { start: number(start)?, end: number(end)? });
        }
        let start = number(text)?;
        Some(Self { start, end: start.checked_add(1)? })
    }

    fn write(&self) -> String {
        format!("{}..{}", self.start, self.end)
    }
}

/// A range of request sizes in bytes, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The smallest inside.
    pub min: u64,
    /// The largest inside.
    pub max: u64,
}

impl Textual for SizeRange {
    const WHAT: &'static str =
        "a range of sizes: write \"512..=4096\", \"..=64KiB\", \"1MiB..\" or \"512\"";

    fn read(text: &str) -> Option<Self> {
        let Some((min, max)) = text.split_once("..") else {
            let size = size(text)?;
            return Some(Self { min: size, max: size });
        };
        let min = if min.is_empty() { 0 } else { size(min)? };
        let max = match max.strip_prefix('=') {
            Some(max) => size(max)?,
            None if max.is_empty() => u64::MAX,
            None => size(max)?.checked_sub(1)?,
        };
        Some(Self { min, max })
    }

    fn write(&self) -> String {
        match self.max {
            u64::MAX => format!("{}..", self.min),
            max => format!("{}..={max}", self.min),
        }
    }
}

/// A distance in sectors, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorShift(pub i64);

impl Textual for SectorShift {
    const WHAT: &'static str = "a distance in sectors: write \"+8\" or \"-8\"";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        format!("{:+}", self.0)
    }
}

impl Textual for Duration {
    const WHAT: &'static str =
        "a duration: write a number and its unit, \"10ns\", \"250us\", \"5ms\" or \"2s\"";

    fn read(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::ZERO);
        }
        let (_, digits, nanos) = TIME_UNITS
            .iter()
            .find_map(|(unit, nanos)| Some((unit, text.strip_suffix(unit)?, nanos)))?;
        Some(Self::from_nanos(number(digits)?.checked_mul(*nanos)?))
    }

    fn write(&self) -> String {
        let nanos = self.as_nanos();
        let (unit, size) = TIME_UNITS
            .iter()
            .rev()
            .find(|(_, size)| nanos.is_multiple_of(u128::from(*size)))
            .expect("every duration is a multiple of a nanosecond");
        format!("{}{unit}", nanos / u128::from(*size))
    }
}

impl Textual for Errno {
    const WHAT: &'static str = "an error number: write a name such as \"EIO\"";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.name().map_or_else(|| self.number().to_string(), Into::into)
    }
}

/// Digits only: no sign, no blanks.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn size(text: &str) -> Option<u64> {
    let scaled = |(unit, bytes): &(&str, u64)| Some((text.strip_suffix(unit)?, *bytes));
    let (digits, bytes) = SIZE_UNITS.iter().find_map(scaled).unwrap_or((text, 1));
    number(digits)?.checked_mul(bytes)
}

/// "s" comes last, as it ends all of them.
const TIME_UNITS: [(&str, u64); 4] =
    [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

const SIZE_UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
