//! Fault rules as data: on which operations of which children, where, when, and what then.
//!
//! Every struct refuses unknown keys. Unions are read by visitors of their own, so that a mistake
//! is reported where it stands and with the words that are allowed there.

use crate::{
    fault::Fault,
    text::{Ratio, SectorRange, SizeRange, Text, TimeRange},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData, time::Duration};

/// One rule: a fault and the operations it befalls. All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table of `name`, `on`, `child`, `where`, `when` and `do`"
)]
pub struct Rule {
    /// Unique among the rules; every draw of the rule is keyed by it.
    pub name: String,
    /// The kinds of operation; written as one word or as a list. None for a fault that strikes by
    /// itself.
    #[serde(default, with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<OpKind>,
    /// Whose operations.
    pub child: Children,
    /// Which of these operations, by what they touch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub r#where: Place,
    /// Which of these, by number, chance and time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: When,
    /// What happens to them.
    pub r#do: Fault,
}

/// A kind of operation of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a kind of operation such as \"read\"")]
pub enum OpKind {
    /// `pread`.
    Read,
    /// `pwrite`.
    Write,
    /// `pwrite_zeroes`.
    WriteZeroes,
    /// `flush`.
    Flush,
    /// `block_status`.
    BlockStatus,
    /// `length`.
    Length,
    /// The device is opened.
    Open,
    /// `close`.
    Close,
    /// `pdiscard`.
    Discard,
    /// `truncate`.
    Truncate,
}

impl OpKind {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::Write,
        Self::WriteZeroes,
        Self::Flush,
        Self::BlockStatus,
        Self::Length,
        Self::Open,
        Self::Close,
        Self::Discard,
        Self::Truncate,
    ];
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The word that rule files write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteZeroes => "write-zeroes",
            Self::Flush => "flush",
            Self::BlockStatus => "block-status",
            Self::Length => "length",
            Self::Open => "open",
            Self::Close => "close",
            Self::Discard => "discard",
            Self::Truncate => "truncate",
        }
    }

    /// Whether an operation of this kind is about a range of bytes.
    #[must_use]
    pub fn has_range(self) -> bool {
        matches!(
            self,
            Self::Read | Self::Write | Self::WriteZeroes | Self::BlockStatus | Self::Discard
        )
    }
}

/// A named set of children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Unique among the groups.
    pub name: String,
    /// The indices of its children.
    pub children: Vec<u32>,
}

/// Whose operations a rule befalls, and whether the children share its draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Children {
    /// Every child; each draws for itself.
    Any,
    /// Every child that the budget lets be wrong where the operation is; each draws for itself.
    Atlas,
    /// One child.
    Index(u32),
    /// These children; each draws for itself.
    List(Vec<u32>),
    /// Children that draw in a certain way.
    Drawn {
        /// Who they are.
        members: Members,
        /// How they draw.
        draw: Sharing,
    },
}

/// The children of a rule with a manner of drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Those of the group of this name.
    Group(String),
    /// Those of these indices.
    List(Vec<u32>),
}

/// What the children of a rule share, for equal numbers of matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Nothing.
    #[default]
    Independent,
    /// The decision: match k fires on each of them or on none.
    Shared,
    /// The decision and the wrong bytes: the children collude.
    SharedBytes,
    /// A turn: match k fires on at most one of them.
    Exclusive,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of `group` or `list` with `draw`")]
struct DrawnFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<Vec<u32>>,
    #[serde(default, skip_serializing_if = "is_default")]
    draw: Sharing,
}

impl Serialize for Children {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => to.serialize_str("any"),
            Self::Atlas => to.serialize_str("atlas"),
            Self::Index(index) => to.serialize_u32(*index),
            Self::List(list) => list.serialize(to),
            Self::Drawn { members, draw } => {
                let (group, list) = match members {
                    Members::Group(name) => (Some(name.clone()), None),
                    Members::List(list) => (None, Some(list.clone())),
                };
                DrawnFields { group, list, draw: *draw }.serialize(to)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Children {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ChildrenVisitor)
    }
}

struct ChildrenVisitor;

impl<'de> de::Visitor<'de> for ChildrenVisitor {
    type Value = Children;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an index, a list of indices, \"any\", \"atlas\", or a table of `group` or `list` with `draw`",
        )
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Children, E> {
        match word {
            "any" => Ok(Children::Any),
            "atlas" => Ok(Children::Atlas),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, index: i64) -> Result<Children, E> {
        let wrong = |_| E::invalid_value(de::Unexpected::Signed(index), &self);
        u32::try_from(index).map(Children::Index).map_err(wrong)
    }

    fn visit_u64<E: de::Error>(self, index: u64) -> Result<Children, E> {
        let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(index), &self);
        u32::try_from(index).map(Children::Index).map_err(wrong)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Children, A::Error> {
        let mut list = Vec::new();
        while let Some(index) = seq.next_element()? {
            list.push(index);
        }
        Ok(Children::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Children, A::Error> {
        let fields = DrawnFields::deserialize(MapAccessDeserializer::new(map))?;
        let members = match (fields.group, fields.list) {
            (Some(group), None) => Members::Group(group),
            (None, Some(list)) => Members::List(list),
            _ => return Err(de::Error::custom("`child` wants exactly one of `group` and `list`")),
        };
        Ok(Children::Drawn { members, draw: fields.draw })
    }
}

/// What an operation must touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of `sectors`, `origin` and `bytes`")]
pub struct Place {
    /// Sectors that it must overlap. What a fault alters lies inside them; what it answers, and how
    /// much of a write takes place, concerns the whole request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sectors: Option<SectorRange>,
    /// On whose behalf it must be.
    #[serde(default, skip_serializing_if = "is_default")]
    pub origin: Origins,
    /// The size that its request must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<SizeRange>,
}

/// On whose behalf an operation must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origins {
    /// On anybody's.
    #[default]
    Any,
    /// A client's.
    Guest,
    /// The array's own, when it repairs a child that lost a vote.
    Rewrite,
}

/// On whose behalf an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A client's.
    Guest,
    /// The array's own, when it repairs a child that lost a vote.
    Rewrite,
}

/// Which matches fire.
///
/// A match is an operation that `on`, `child` and `where` accept. Matches are counted per rule and
/// child, in the order of submission, from one; with `after`, from the moment the rule is armed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { nth = 3 }")]
pub struct When {
    /// Only matches of these numbers; written as one number or as a list.
    #[serde(default, with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<u64>,
    /// Only operations of these numbers among those of their child. Files do not have it: it is how a
    /// script of a run, which knows what was struck, finds out which match of its rule that is.
    #[serde(skip)]
    pub operations: Vec<u64>,
    /// Only every match whose number is a multiple of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Only as many matches from the first on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Each only with this probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Ratio>,
    /// No further firing on a child that has had as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// At this time; only for what strikes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_time")]
    pub at: Option<Duration>,
    /// Only while simulated time is in this range; for what strikes by itself, at a time in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<TimeRange>,
    /// The window comes again after each such time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_time")]
    pub period: Option<Duration>,
    /// Not before this has happened to the array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

/// What arms a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { event = \"failure\", count = 2 }")]
pub struct After {
    /// The event.
    pub event: ArrayEvent,
    /// Which one of its kind, from one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// How long after it; drawn from this range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<TimeRange>,
}

/// Something that happens to an array and can arm a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrayEvent {
    /// A client's write was acknowledged.
    GuestWriteAcked,
    /// A client's read ended, well or not.
    GuestReadDone,
    /// A client's flush was acknowledged.
    FlushAcked,
    /// The array reported a child as bad.
    ReportBad,
    /// The array reported that it found no quorum.
    Failure,
}

fn one() -> u64 {
    1
}

fn is_one(count: &u64) -> bool {
    *count == one()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

mod optional_time {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Text};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Text).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Text<Duration>>::deserialize(from)?.map(|time| time.0))
    }
}

/// A list that may be written as its only element.
mod one_or_many {
    use super::{Deserialize, Deserializer, ManyVisitor, PhantomData, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        many: &[T],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match many {
            [one] => one.serialize(to),
            _ => many.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<T>, D::Error> {
        from.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for ManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of them")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Vec<T>, E> {
        T::deserialize(word.into_deserializer()).map(|one| vec![one])
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        T::deserialize(number.into_deserializer()).map(|one| vec![one])
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
        T::deserialize(number.into_deserializer()).map(|one| vec![one])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = seq.next_element()? {
            many.push(one);
        }
        Ok(many)
    }
}
