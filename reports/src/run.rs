//! A finished run.

use crate::trace::{RequestId, Trace};
use quorate_engine::{Image, NodeName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a finished run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that was promised held.
    Held,
    /// A check failed.
    Violated,
    /// Requests were left that nothing could complete.
    Stalled,
    /// The engine panicked, or the simulation around it.
    Panicked,
    /// The program could not run or judge it: nothing is known of the array.
    Internal,
    /// The same run came out differently a second time.
    Nondeterministic,
    /// A watchdog's patience ended.
    Timeout,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Violated,
        Self::Stalled,
        Self::Panicked,
        Self::Internal,
        Self::Nondeterministic,
        Self::Timeout,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Stalled => "stalled",
            Self::Panicked => "panicked",
            Self::Internal => "internal",
            Self::Nondeterministic => "nondeterministic",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Something that was promised and did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check that failed: a name from the oracle's list.
    pub check: &'static str,
    /// The request it is about, if about one.
    pub request: Option<RequestId>,
    /// The first entry of the trace that shows it.
    pub entry: Option<usize>,
    /// What was expected and what was found, in a sentence.
    pub reason: String,
}

/// A finished run, judged.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario's name.
    pub name: String,
    /// What replays it: `profile:number`, or the scenario's name or file.
    pub token: String,
    /// The node names of the devices, by number.
    pub devices: Vec<NodeName>,
    /// What happened.
    pub trace: Trace,
    /// What the devices hold at the end, by number.
    pub media: Vec<Image>,
    /// The verdict.
    pub verdict: Verdict,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// What each request waits for that was never answered, in words.
    pub waits: Vec<String>,
    /// How many operations the children completed.
    pub child_ios: u64,
}
