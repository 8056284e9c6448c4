//! Values that scenario files write as words.

use quorate_engine::{
    Event,
    quorum::options::{Overlap, ReadPattern},
};
use quorate_reports::qapi;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An event as a line of text, such as `bad c1 read 0+20`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine(pub Event);

impl Serialize for EventLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&qapi::text(&self.0))
    }
}

impl<'de> Deserialize<'de> for EventLine {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        qapi::parse(&text).map(Self).map_err(de::Error::custom)
    }
}

/// The words of an option that the engine has as an enum.
macro_rules! words {
    ($module:ident, $type:ident, $($word:literal => $value:ident),+) => {
        pub(super) mod $module {
            use super::{Deserialize, Deserializer, Serializer, $type, de};

            pub(in super::super) fn serialize<S: Serializer>(
                value: &$type,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str(match value { $($type::$value => $word),+ })
            }

            pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<$type, D::Error> {
                parse(&String::deserialize(from)?)
            }

            fn parse<E: de::Error>(word: &str) -> Result<$type, E> {
                match word {
                    $($word => Ok($type::$value),)+
                    other => Err(E::unknown_variant(other, &[$($word),+])),
                }
            }

            /// The same for a list.
            pub(in super::super) mod list {
                use super::{Deserialize, Deserializer, Serializer, $type, parse};

                pub(in super::super::super) fn serialize<S: Serializer>(
                    values: &[$type],
                    to: S,
                ) -> Result<S::Ok, S::Error> {
                    to.collect_seq(values.iter().map(|v| match v { $($type::$value => $word),+ }))
                }

                pub(in super::super::super) fn deserialize<'de, D: Deserializer<'de>>(
                    from: D,
                ) -> Result<Vec<$type>, D::Error> {
                    Vec::<String>::deserialize(from)?.iter().map(|word| parse(word)).collect()
                }
            }
        }
    };
}

words!(read_pattern, ReadPattern, "quorum" => Quorum, "fifo" => Fifo);
words!(overlap, Overlap, "serialise" => Serialise, "qemu" => Qemu);
