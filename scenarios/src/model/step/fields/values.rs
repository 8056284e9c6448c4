//! Values of a step's keys that are written as text.

use crate::model::step::Awaited;
use quorate_engine::{Errno, Extent, ExtentKind};
use quorate_faults::text::{Size, Time, TimeRange};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration or a range of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a duration such as \"5ms\", or a range such as \"20us..200us\"")]
pub(super) enum TimeText {
    One(Time),
    Range(TimeRange),
}

/// The name of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrnoText(pub(super) Errno);

impl Serialize for ErrnoText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ErrnoText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = |_| format!("'{text}' is no error: write a name such as \"EIO\"");
        text.parse().map(Self).map_err(wrong).map_err(de::Error::custom)
    }
}

/// `ok` or the name of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted(pub(super) Awaited);

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Awaited::Success => to.serialize_str("ok"),
            Awaited::Failure(errno) => to.collect_str(&errno),
        }
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "ok" {
            return Ok(Self(Awaited::Success));
        }
        let wrong = |_| format!("'{text}' is no result: write \"ok\" or an error such as \"EIO\"");
        text.parse().map(|e| Self(Awaited::Failure(e))).map_err(wrong).map_err(de::Error::custom)
    }
}

/// `zero 65536` or `data 4096`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtentText(pub(super) Extent);

impl Serialize for ExtentText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let kind = match self.0.kind {
            ExtentKind::Zero => "zero",
            ExtentKind::Data => "data",
        };
        to.collect_str(&format_args!("{kind} {}", self.0.bytes))
    }
}

impl<'de> Deserialize<'de> for ExtentText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let read = || {
            let (kind, bytes) = text.split_once(' ')?;
            let kind = match kind {
                "zero" => ExtentKind::Zero,
                "data" => ExtentKind::Data,
                _ => return None,
            };
            Some(Extent { bytes: bytes.parse::<Size>().ok()?.0, kind })
        };
        let wrong = || format!("'{text}' is no extent: write \"zero 64KiB\" or \"data 512\"");
        read().map(Self).ok_or_else(|| de::Error::custom(wrong()))
    }
}
