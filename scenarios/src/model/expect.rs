//! How a run must end.

use super::{EventLine, Promises, is_default};
use quorate_faults::text::Size;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// How a run must end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expect {
    /// The error with which the array refuses to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// Whether it may end with requests that nothing can complete.
    #[serde(skip_serializing_if = "is_default")]
    pub stall: Stall,
    /// Whether rules may go without firing.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_rules: bool,
    /// What is promised of the data.
    #[serde(skip_serializing_if = "is_default")]
    pub promises: Promises,
    /// All events of the array, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventLine>>,
    /// All events that get past the rate limit, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<Vec<EventLine>>,
    /// What disks hold at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// The names of the children at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
}

/// What a disk must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Which disk.
    pub child: u32,
    /// Where.
    #[serde(default, skip_serializing_if = "is_default")]
    pub offset: Size,
    /// How much.
    pub bytes: Size,
    /// What every byte is.
    pub fill: u8,
}

/// Whether a run may end with requests that nothing can complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stall {
    /// It must come to its end.
    #[default]
    Never,
    /// It may, if all of them wait for disks that a fault keeps from answering.
    Hung,
    /// It must not come to its end.
    Must,
}

impl Serialize for Stall {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Never => to.serialize_bool(false),
            Self::Hung => to.serialize_str("hung"),
            Self::Must => to.serialize_bool(true),
        }
    }
}

impl<'de> Deserialize<'de> for Stall {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StallVisitor)
    }
}

struct StallVisitor;

impl de::Visitor<'_> for StallVisitor {
    type Value = Stall;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or \"hung\"")
    }

    fn visit_bool<E: de::Error>(self, must: bool) -> Result<Stall, E> {
        Ok(if must { Stall::Must } else { Stall::Never })
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Stall, E> {
        match word {
            "hung" => Ok(Stall::Hung),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}
