//! Profiles: what to draw a scenario from.

use super::{is_default, words};
use quorate_engine::quorum::options::{Overlap, ReadPattern};
use quorate_faults::text::{Ratio, Size};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a profile draws for each seed. Lists are drawn from evenly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Random {
    /// How many children.
    pub children: Vec<u32>,
    /// How many of them must agree.
    #[serde(default)]
    pub threshold: ThresholdChoice,
    /// How reads are done.
    #[serde(default = "quorum_only", with = "words::read_pattern::list")]
    pub read_pattern: Vec<ReadPattern>,
    /// Whether children that lost a vote are overwritten.
    #[serde(default = "never")]
    pub rewrite_corrupted: Vec<bool>,
    /// Whether overlapping requests take turns.
    #[serde(default = "serialise_only", with = "words::overlap::list")]
    pub overlap: Vec<Overlap>,
    /// How many requests in all.
    pub requests: u32,
    /// How many clients share them.
    #[serde(default = "one")]
    pub clients: u32,
    /// The longest request.
    pub bytes_max: Size,
    /// Requests lie within the first so many bytes; the whole disk, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Size>,
    /// The longest of the few requests that are longer than the others: a swarm's.
    #[serde(skip)]
    pub large: Option<Size>,
    /// How many requests in a hundred begin and end anywhere rather than at sectors.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unaligned: u32,
    /// How many requests in a hundred are retried in the background and given up on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: u32,
    /// The mix of requests.
    #[serde(default)]
    pub mix: Mix,
    /// Whether all of this is only the most that a seed has, of which it draws a part; besides, it draws
    /// disks, a schedule and a second phase.
    #[serde(default, skip_serializing_if = "is_default")]
    pub swarm: bool,
    /// Whether each seed aims at a few cells of coverage, which says what its array is like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aims: bool,
    /// After so many runs every vote that can be has been seen, of all arrays of these sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<u64>,
    /// Families of faults; each child that may misbehave gets a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultFamily>,
    /// How many times a gluster brick is disturbed and made well again, besides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bricks: u32,
    /// How often a fault of a family strikes an operation that it can strike.
    #[serde(default = "one_in_sixteen")]
    pub rate: Ratio,
}

/// The mix of requests, by weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Mix {
    /// Reads.
    pub read: u32,
    /// Writes.
    pub write: u32,
    /// FUA writes.
    pub fua: u32,
    /// Writes of zeroes.
    pub zeroes: u32,
    /// Flushes.
    pub flush: u32,
    /// Discards.
    pub discard: u32,
    /// Status queries.
    pub status: u32,
    /// FUA writes of zeroes.
    pub fua_zeroes: u32,
}

impl Default for Mix {
    fn default() -> Self {
        let (fua, zeroes, discard, status, fua_zeroes) = (0, 0, 0, 0, 0);
        Self { read: 8, write: 7, fua, zeroes, flush: 1, discard, status, fua_zeroes }
    }
}

/// The weights of those requests that there are.
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, write, fua, zeroes, flush, discard, status, fua_zeroes } = *self;
        let weights = [
            (read, "read"),
            (write, "write"),
            (fua, "fua"),
            (zeroes, "zeroes"),
            (flush, "flush"),
            (discard, "discard"),
            (status, "status"),
            (fua_zeroes, "fua-zeroes"),
        ];
        let weights = weights.into_iter().filter(|(weight, _)| *weight > 0);
        let words = weights.map(|(weight, name)| format!("{weight} {name}"));
        f.write_str(&words.collect::<Vec<_>>().join(" : "))
    }
}

/// How the threshold is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdChoice {
    /// More than half of the children, up to all.
    #[default]
    Majority,
    /// Anything from one to all.
    Any,
    /// At most half of them, so that there can be ties.
    Minority,
}

/// A family of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultFamily {
    /// Operations fail, with one of a few errors, applied or not.
    Fail,
    /// Flushes fail.
    FailFlush,
    /// Answers are late.
    Delay,
    /// Reads come back altered.
    Corrupt,
    /// Several children alter the same bytes in the same way.
    Collude,
    /// The medium rots.
    Rot,
    /// Writes are acknowledged and lost.
    Lost,
    /// Writes are torn.
    Torn,
    /// Reads and writes go astray.
    Misdirect,
    /// Reads come back short.
    Short,
    /// Reads come back old.
    Stale,
    /// Zeroes are not supported.
    Unsupported,
    /// A child stops answering.
    Hang,
    /// The power goes, and some of what was not flushed.
    Crash,
    /// Flushes do not make everything durable, and leave the rest in some state.
    Flush,
    /// Sectors cannot be read any more.
    Unreadable,
    /// Bits are stuck.
    Stuck,
    /// Reads go on to see something else.
    Ghost,
    /// Earlier writes land again.
    Replay,
}

impl FaultFamily {
    /// The word that scenario files write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::FailFlush => "fail-flush",
            Self::Delay => "delay",
            Self::Corrupt => "corrupt",
            Self::Collude => "collude",
            Self::Rot => "rot",
            Self::Lost => "lost",
            Self::Torn => "torn",
            Self::Misdirect => "misdirect",
            Self::Short => "short",
            Self::Stale => "stale",
            Self::Unsupported => "unsupported",
            Self::Hang => "hang",
            Self::Crash => "crash",
            Self::Flush => "flush",
            Self::Unreadable => "unreadable",
            Self::Stuck => "stuck",
            Self::Ghost => "ghost",
            Self::Replay => "replay",
        }
    }
}

/// What is promised of a run's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promises {
    /// Only that the array does what its rules say with what its children answer.
    #[default]
    Conforming,
    /// Besides, that requests succeed and reads are right that meet no more suspects than the
    /// threshold tolerates.
    Within,
    /// Besides, that this is so of all requests.
    Correct,
}

fn quorum_only() -> Vec<ReadPattern> {
    vec![ReadPattern::Quorum]
}

fn serialise_only() -> Vec<Overlap> {
    vec![Overlap::Serialise]
}

fn never() -> Vec<bool> {
    vec![false]
}

fn one() -> u32 {
    1
}

fn one_in_sixteen() -> Ratio {
    Ratio::new(1, 16).expect("a sixteenth lies between zero and one")
}
