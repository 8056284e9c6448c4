//! What is known to differ between the engine and the real QEMU, and why.

use crate::model::{Array, Scenario};
use quorate_engine::quorum::options::ReadPattern;
use serde::Serialize;
use std::collections::BTreeSet;

/// What is known to differ. A case that meets it is compared as far as it goes, and counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// A verifier that finds a difference.
    EndsAtMismatch,
    /// A child of another length that joins (D4).
    TakesOtherLengths,
    /// A child that cannot read what lies around a write (D6).
    WritesUnread,
    /// Reports of one node in one round of QEMU's loop.
    MergesReports,
    /// Children that can do other things join or leave.
    KeepsLimits,
    /// A threshold beyond 32 bits (S15, D7).
    Narrowed,
    /// Options that do nothing with fifo (S14).
    Ignored,
    /// A node that is named twice (S17).
    TwoVotes,
    /// Options of the layer above the driver.
    NotHere,
    /// A driver that there is not.
    Driver,
    /// An option that QEMU does not have.
    OurOwn,
    /// Options with two mistakes, of which one shows only by opening something.
    Order,
    /// What becomes of discards where a text of options does not say it.
    Discards,
    /// A `cache` that says nothing.
    EmptyCache,
    /// An array inside an array that names the outer one.
    EndsAtCycle,
    /// A node that several arrays would write to.
    NoPermissions,
}

impl Known {
    /// What explains that the engine does not open an array that QEMU opens, if something does.
    pub(super) fn of_opening(array: &Array) -> Option<Self> {
        let is_fifo = array.read_pattern == ReadPattern::Fifo;
        if is_fifo && (array.rewrite_corrupted || array.blkverify) {
            return Some(Self::Ignored);
        }
        (i32::try_from(array.vote_threshold).is_err()).then_some(Self::Narrowed)
    }

    /// Whether children that join or leave change how requests are cut.
    pub(super) fn of_limits(scenario: &Scenario) -> Option<Self> {
        let limits = (0..scenario.disks()).map(|n| scenario.disk(n).limits);
        let limits: Vec<_> = limits.map(|l| (l.request_alignment, l.max_transfer)).collect();
        limits.windows(2).any(|two| two[0] != two[1]).then_some(Self::KeepsLimits)
    }

    /// What explains that the engine refuses a child that QEMU takes, if something does.
    pub(super) fn of_joining(scenario: &Scenario) -> Option<Self> {
        let lengths: BTreeSet<u64> =
            (0..scenario.disks()).map(|n| scenario.disk(n).bytes).collect();
        (lengths.len() > 1).then_some(Self::TakesOtherLengths)
    }

    /// Why it differs.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::EndsAtMismatch => {
                "QEMU ends its process where blkverify finds a difference, and the engine answers EIO"
            }
            Self::TakesOtherLengths => {
                "QEMU takes a child of another length and aborts when its length is asked for"
            }
            Self::WritesUnread => {
                "QEMU goes on with a write although a child could not read what lies around it, and writes what it has \
                 not read; the engine has the child fail"
            }
            Self::MergesReports => {
                "QEMU's monitor lets the last of several reports of a node pass that come in one round of its loop, \
                 as the pieces of a request may do whose children answer at once"
            }
            Self::KeepsLimits => {
                "QEMU cuts requests by what the children could do with which it opened the array, and the engine by \
                 what those can do that it has"
            }
            Self::Narrowed => {
                "QEMU keeps 32 bits of a threshold, and another is in force than was asked for"
            }
            Self::Ignored => "QEMU takes options that do nothing with fifo",
            Self::TwoVotes => "QEMU gives one node two votes",
            Self::NotHere => {
                "QEMU's block layer does for any node what the engine leaves to children"
            }
            Self::Driver => "the engine knows no list of drivers, and says it as qemu-io does",
            Self::OurOwn => "QEMU has no such option",
            Self::Order => "the engine opens nothing before all options are known to be right",
            Self::Discards => {
                "qemu-io lets discards pass where nothing is said of them, unlike the rest of QEMU, and unmaps zeroes"
            }
            Self::EmptyCache => {
                "QEMU says that an array has no option `cache` where its object is empty, as its schema allows"
            }
            Self::EndsAtCycle => {
                "QEMU aborts where a definition inside an array names that array, and the engine refuses it"
            }
            Self::NoPermissions => {
                "QEMU's block layer says who may write to a node, and the engine's node table does not"
            }
        }
    }
}
