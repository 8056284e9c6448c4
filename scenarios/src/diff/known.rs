//! What is known to differ between the engine and the real QEMU, and why.

use serde::Serialize;

/// What is known to differ. A case that meets it is compared as far as it goes, and counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// A verifier that finds a difference.
    EndsAtMismatch,
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
    /// Why it differs.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::EndsAtMismatch => {
                "QEMU ends its process where blkverify finds a difference, and the engine answers EIO"
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
