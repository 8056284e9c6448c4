//! The values of a fault's keys that are written as words or small tables.

use super::{Applied, Keep, Kept, Torn};
use crate::text::{Text, Textual};
use quorate_engine::Errno;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, value::MapAccessDeserializer},
};
use std::fmt;

/// What a torn write answers.
#[derive(Clone, Copy)]
pub(super) struct Then(pub(super) Option<Errno>);

impl Textual for Then {
    const WHAT: &'static str = "an answer: write \"ok\" or the name of an error such as \"EIO\"";

    fn read(text: &str) -> Option<Self> {
        if text == "ok" {
            Some(Self(None))
        } else {
            text.parse().ok().map(|errno| Self(Some(errno)))
        }
    }

    fn write(&self) -> String {
        self.0.map_or_else(|| "ok".into(), |errno| errno.write())
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KeepText {
    Prefix(u64),
    Suffix(u64),
    Subset(Text<Subset>),
}

impl From<KeepText> for Keep {
    fn from(text: KeepText) -> Self {
        match text {
            KeepText::Prefix(units) => Self::Prefix(units),
            KeepText::Suffix(units) => Self::Suffix(units),
            KeepText::Subset(Text(Subset::Drawn)) => Self::Drawn,
            KeepText::Subset(Text(Subset::Mask(mask))) => Self::Mask(mask),
        }
    }
}

impl From<Keep> for KeepText {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Prefix(units) => Self::Prefix(units),
            Keep::Suffix(units) => Self::Suffix(units),
            Keep::Drawn => Self::Subset(Text(Subset::Drawn)),
            Keep::Mask(mask) => Self::Subset(Text(Subset::Mask(mask))),
        }
    }
}

#[derive(Clone)]
pub(super) enum Subset {
    Drawn,
    Mask(Vec<bool>),
}

impl Textual for Subset {
    const WHAT: &'static str =
        "a subset: write \"draw\", or a mask such as \"1011\" with one digit for each unit";

    fn read(text: &str) -> Option<Self> {
        let mark = |digit| match digit {
            '0' => Some(false),
            '1' => Some(true),
            _ => None,
        };
        match text {
            "" => None,
            "draw" => Some(Self::Drawn),
            mask => mask.chars().map(mark).collect::<Option<_>>().map(Self::Mask),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Drawn => "draw".into(),
            Self::Mask(mask) => mask.iter().map(|&kept| if kept { '1' } else { '0' }).collect(),
        }
    }
}

#[derive(Clone)]
pub(super) struct AppliedText(pub(super) Applied);

impl Serialize for AppliedText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Applied::None => to.serialize_str("none"),
            Applied::All => to.serialize_str("all"),
            Applied::Part(keep) => KeepText::from(keep.clone()).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for AppliedText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AppliedVisitor).map(Self)
    }
}

struct AppliedVisitor;

impl<'de> de::Visitor<'de> for AppliedVisitor {
    type Value = Applied;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"none\", \"all\", or a table of `prefix`, `suffix` or `subset`")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Applied, E> {
        match word {
            "none" => Ok(Applied::None),
            "all" => Ok(Applied::All),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Applied, A::Error> {
        let keep = KeepText::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Applied::Part(keep.into()))
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => to.serialize_str("none"),
            Self::All => to.serialize_str("all"),
            Self::Prefix => to.serialize_str("prefix"),
            Self::Part(Keep::Drawn) => to.serialize_str("subset"),
            Self::Part(keep) => KeepText::from(keep.clone()).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KeptVisitor)
    }
}

struct KeptVisitor;

impl<'de> de::Visitor<'de> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a table of `prefix`, `suffix` or `subset`, or for a crash \"none\", \"all\", \
             \"prefix\" or \"subset\"",
        )
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Kept, E> {
        match word {
            "none" => Ok(Kept::None),
            "all" => Ok(Kept::All),
            "prefix" => Ok(Kept::Prefix),
            "subset" => Ok(Kept::Part(Keep::Drawn)),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Kept, A::Error> {
        let keep = KeepText::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Kept::Part(keep.into()))
    }
}

impl Serialize for Torn {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole => to.serialize_bool(false),
            Self::Part(Keep::Drawn) => to.serialize_bool(true),
            Self::Part(keep) => KeepText::from(keep.clone()).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Torn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TornVisitor)
    }
}

struct TornVisitor;

impl<'de> de::Visitor<'de> for TornVisitor {
    type Value = Torn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or a table of `prefix`, `suffix` or `subset`")
    }

    fn visit_bool<E: de::Error>(self, torn: bool) -> Result<Torn, E> {
        Ok(if torn { Torn::Part(Keep::Drawn) } else { Torn::Whole })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Torn, A::Error> {
        let keep = KeepText::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Torn::Part(keep.into()))
    }
}
