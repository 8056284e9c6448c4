//! A scenario as data: what a scenario file says.
//!
//! [`Scenario`] is concrete: it names every disk, rule and step, and nothing in it is left to chance
//! but the keyed draws of its `seed` (latencies, and the rules that say `rate`). A scenario with a
//! [`Random`] table is a *profile*: [`crate::expand`] draws a concrete scenario from it for a seed.

use quorate_engine::{
    Limits, ZeroFlags,
    quorum::options::{Overlap, ReadPattern},
};
use quorate_faults::{
    budget::Budget,
    rule::{Group, Rule},
    text::{Size, Time, TimeRange},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod electorate;
mod expect;
mod gluster;
mod random;
mod schedule;
mod step;
mod words;

pub use expect::{Expect, Media, Stall};
pub use gluster::{Disturbance, Gluster};
pub use random::{FaultFamily, Mix, Promises, Random, ThresholdChoice};
pub use schedule::{Order, Pause, Schedule};
pub use step::{Action, Awaited, Expected, Payload, Request, Selection};
pub use words::EventLine;

/// One scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The version of the format: 1.
    pub version: Version,
    /// Its name, in the catalog that of its file.
    pub name: String,
    /// What happens, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it sets up, which rule decides, and why it ends as it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explain: String,
    /// The rules, tests or bugs that it covers, such as `rule 1`, `iotest 081` or `Q04`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// Whether it is about a behaviour that is dangerous by design.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hazard: bool,
    /// The key of every draw.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seed: u64,
    /// What a profile has drawn for it, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub drawn: String,
    /// The array.
    pub array: Array,
    /// In which order operations of disks complete.
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// What every disk is like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub disk: Disk,
    /// What single disks are like, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub child: BTreeMap<Number, Disk>,
    /// The gluster volumes that the disks are on, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gluster: Option<Gluster>,
    /// Named sets of disks.
    #[serde(default, rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// How much may go wrong; without it, whatever the rules say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What goes wrong.
    #[serde(default, rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The steps of client 0, one after the other.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Action>,
    /// Further clients, from client 1 on.
    #[serde(default, rename = "client", skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Client>,
    /// What to draw, if this is a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Random>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: RunLimits,
    /// How it must end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expect,
}

/// The version of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Version;

/// The number of a disk, as the key of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number(pub u32);

/// The array and its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Array {
    /// How many children: the first so many disks; or who they are, by node name: disks are `c0`,
    /// `c1` and so on, inner arrays have their own names.
    pub children: Children,
    /// How many disks there are, where some join later. The children, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<u32>,
    /// How many must agree.
    pub vote_threshold: usize,
    /// How reads are done.
    #[serde(
        default = "quorum_pattern",
        with = "words::read_pattern",
        skip_serializing_if = "is_quorum"
    )]
    pub read_pattern: ReadPattern,
    /// Whether a child that lost a vote is overwritten with what won it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rewrite_corrupted: bool,
    /// Whether two children are compared rather than voted on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub blkverify: bool,
    /// Whether overlapping requests take turns.
    #[serde(default = "serialise", with = "words::overlap", skip_serializing_if = "is_serialise")]
    pub overlap: Overlap,
    /// Whether the array's node is read-only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// Whether events pass QEMU's rate limit, of one a second for each child.
    #[serde(default, skip_serializing_if = "is_default")]
    pub throttle: bool,
    /// Arrays that are children of the array.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<Inner>,
}

/// The children of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of children, or a list of node names such as \"c0\"")]
pub enum Children {
    /// The first so many disks.
    Count(u32),
    /// These nodes.
    Named(Vec<String>),
}

/// An array that is a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inner {
    /// Its node name.
    pub name: String,
    /// Its children, by node name.
    pub children: Vec<String>,
    /// How many of them must agree.
    pub vote_threshold: usize,
}

/// What a disk is like. What a single disk's table leaves out is as in the table for all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Disk {
    /// Its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Size>,
    /// The alignment of requests that it asks for, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<u32>,
    /// The longest request it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer: Option<Size>,
    /// What every byte is at first; zero, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// How long it takes to answer when nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<TimeRange>,
    /// How long its first operations take, one after the other, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latencies: Option<Vec<Time>>,
    /// Whether it takes FUA writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_fua: Option<bool>,
    /// Which flags its write-zeroes takes; `false` for no write-zeroes at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeroes: Option<Zeroes>,
    /// Whether it says that it takes no writes, which an array that rewrites does not open over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// What a disk's write-zeroes can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false, or a list of \"fua\", \"may-unmap\", \"no-fallback\"")]
pub enum Zeroes {
    /// With every flag, or not at all.
    All(bool),
    /// With these flags.
    Flags(Vec<ZeroFlag>),
}

/// A flag of write-zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroFlag {
    /// Durable when answered.
    Fua,
    /// May be made by unmapping.
    MayUnmap,
    /// Rather fails than writes data.
    NoFallback,
}

/// A client beside client 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its steps, one after the other.
    #[serde(default, rename = "step")]
    pub steps: Vec<Action>,
}

/// How long a run may take before it is said to stall.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// Completions of disks, and sleeps.
    pub steps: u64,
    /// Device time in seconds.
    pub seconds: u64,
}

impl Scenario {
    /// The steps of every client.
    pub fn scripts(&self) -> impl Iterator<Item = &[Action]> {
        let more = self.clients.iter().map(|c| c.steps.as_slice());
        std::iter::once(self.steps.as_slice()).chain(more)
    }

    /// The same, to be changed.
    pub(crate) fn scripts_mut(&mut self) -> impl Iterator<Item = &mut Vec<Action>> {
        let more = self.clients.iter_mut().map(|client| &mut client.steps);
        std::iter::once(&mut self.steps).chain(more)
    }

    /// How many disks there are.
    #[must_use]
    pub fn disks(&self) -> u32 {
        let named = |names: &[String]| {
            let numbers = names.iter().filter_map(|n| n.strip_prefix('c')?.parse::<u32>().ok());
            numbers.max().map_or(0, |last| last.saturating_add(1))
        };
        let children = match &self.array.children {
            Children::Count(count) => *count,
            Children::Named(names) => named(names),
        };
        let inner = self.array.inner.iter().map(|inner| named(&inner.children)).max();
        self.array.disks.unwrap_or(0).max(children).max(inner.unwrap_or(0))
    }

    /// The node names of the array's children at first.
    #[must_use]
    pub fn child_names(&self) -> Vec<String> {
        match &self.array.children {
            Children::Count(count) => (0..*count).map(|i| format!("c{i}")).collect(),
            Children::Named(names) => names.clone(),
        }
    }

    /// What most disks are filled with; of equally frequent bytes that of the first.
    #[must_use]
    pub fn usual_fill(&self) -> u8 {
        let fills: Vec<u8> = (0..self.disks()).map(|number| self.disk(number).fill).collect();
        let count = |fill| fills.iter().filter(|other| **other == fill).count();
        fills.iter().rev().copied().max_by_key(|fill| count(*fill)).unwrap_or_default()
    }

    /// How long the first operations of a disk take, if that is given.
    #[must_use]
    pub fn latencies(&self, number: u32) -> &[Time] {
        let own = self.child.get(&Number(number)).and_then(|disk| disk.latencies.as_deref());
        own.or(self.disk.latencies.as_deref()).unwrap_or_default()
    }

    /// What a disk is like.
    #[must_use]
    pub fn disk(&self, number: u32) -> DiskSpec {
        let own = self.child.get(&Number(number));
        fn pick<T: Clone>(
            all: &Disk,
            own: Option<&Disk>,
            of: fn(&Disk) -> &Option<T>,
        ) -> Option<T> {
            own.and_then(|d| of(d).clone()).or_else(|| of(all).clone())
        }
        let all = &self.disk;
        let zeroes = pick(all, own, |d| &d.zeroes).unwrap_or(Zeroes::All(true));
        DiskSpec {
            bytes: pick(all, own, |d| &d.bytes).unwrap_or(DISK_BYTES).0,
            fill: pick(all, own, |d| &d.fill).unwrap_or(0),
            latency: pick(all, own, |d| &d.latency),
            limits: Limits {
                request_alignment: pick(all, own, |d| &d.alignment).unwrap_or(1),
                max_transfer: pick(all, own, |d| &d.max_transfer)
                    .map(|size| u32::try_from(size.0).unwrap_or(u32::MAX)),
                write_fua: pick(all, own, |d| &d.write_fua).unwrap_or(false),
                zeroes: zeroes.flags(),
                read_only: pick(all, own, |d| &d.read_only).unwrap_or(false),
            },
        }
    }
}

/// What a disk is like, with nothing left open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskSpec {
    /// Its length.
    pub bytes: u64,
    /// What every byte is at first.
    pub fill: u8,
    /// How long it takes when nothing is wrong; the usual, if `None`.
    pub latency: Option<TimeRange>,
    /// What requests it takes.
    pub limits: Limits,
}

impl Zeroes {
    fn flags(&self) -> Option<ZeroFlags> {
        let has = |flag| match self {
            Self::All(all) => *all,
            Self::Flags(flags) => flags.contains(&flag),
        };
        (*self != Self::All(false)).then(|| ZeroFlags {
            fua: has(ZeroFlag::Fua),
            may_unmap: has(ZeroFlag::MayUnmap),
            no_fallback: has(ZeroFlag::NoFallback),
        })
    }
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { steps: 1_000_000, seconds: 3600 }
    }
}

impl TryFrom<i64> for Version {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1 => Ok(Self),
            _ => Err(format!("version {number} is not known; this program reads version 1")),
        }
    }
}

impl From<Version> for i64 {
    fn from(_: Version) -> Self {
        1
    }
}

impl TryFrom<String> for Number {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |_| format!("'{text}' is not the number of a disk; write [child.0], [child.1]");
        text.parse().map(Self).map_err(wrong)
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.0.to_string()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_true(value: &bool) -> bool {
    *value
}

fn quorum_pattern() -> ReadPattern {
    ReadPattern::Quorum
}

fn is_quorum(pattern: &ReadPattern) -> bool {
    *pattern == quorum_pattern()
}

fn serialise() -> Overlap {
    Overlap::Serialise
}

fn is_serialise(overlap: &Overlap) -> bool {
    *overlap == serialise()
}

/// The length of a disk that does not say.
const DISK_BYTES: Size = Size(1 << 20);
