//! How much may go wrong: faults are held to what the vote can bear.
//!
//! A read survives as long as few enough children are wrong about the bytes that it votes on. So a
//! budget keeps, for each child, which bytes are in doubt and why, and looks at each fault before it
//! strikes: what would the vote be left with, for every request that touches those bytes?

mod guard;
mod harm;
mod laws;
mod shape;

pub(crate) use guard::{Guard, Target, Verdict};
pub(crate) use harm::Harm;
pub use laws::Laws;

use crate::text::Size;
use serde::{Deserialize, Serialize};

/// What a file says about how much may go wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[serde(expecting = "a table such as { mode = \"enforce\" }")]
pub struct Budget {
    /// What becomes of a fault that goes beyond it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Mode,
    /// Which children may be wrong about which bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shape: Shape,
    /// The longest request that clients issue; by default that of the scenario. Votes cover whole
    /// requests, so faults this near to each other add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Size>,
    /// What `enforce` does with a fault that goes beyond it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excess: Excess,
    /// By how many children the budget is wider than the laws allow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub beyond: u32,
}

/// What becomes of a fault that goes beyond the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// There is no budget.
    Off,
    /// It strikes, and is marked.
    Observe,
    /// It does not strike.
    #[default]
    Enforce,
}

/// Which children may be wrong about which bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Whichever, as long as what is wrong at any time is bearable.
    #[default]
    Ledger,
    /// For each chunk of the device a set of its own, drawn once.
    Atlas,
    /// One set for all, drawn once.
    ChildSet,
    /// For each chunk one child, in turn.
    Helix,
}

impl Shape {
    /// The word that files write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Atlas => "atlas",
            Self::ChildSet => "child-set",
            Self::Helix => "helix",
        }
    }
}

impl Excess {
    /// The word that files write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Deflect => "deflect",
        }
    }
}

/// What `enforce` does with a fault that goes beyond the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Excess {
    /// It is left out.
    #[default]
    Refuse,
    /// The rule strikes the next operation of a child that is in doubt already.
    Deflect,
}

/// Who votes, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Electorate {
    /// The children that belong to the array.
    pub members: Vec<u32>,
    /// How many of them must agree.
    pub threshold: u32,
    /// Whether a read is answered by the first child that can, without a vote.
    pub fifo: bool,
    /// The children for which requests are padded: what they answer may be written back to them.
    pub padded: Vec<u32>,
    /// The longest request that is voted on as one, in bytes.
    pub request_bytes_max: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
