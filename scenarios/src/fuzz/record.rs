//! What a fuzz leaves behind for machines: its summary, and what it is a summary of.

use super::{Total, part::Part};
use quorate_reports::summary::Summary;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A fuzz, or several that were merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this format: 1.
    pub version: u32,
    /// The commit of the program.
    pub commit: String,
    /// What was to be run; no two of them have a run in common.
    pub parts: Vec<Part>,
    /// Whether all of that was run.
    pub complete: bool,
    /// The digest of all runs: equal runs have equal digests, whatever their order.
    pub digest: Total,
    /// What they came to.
    pub summary: Summary,
}

/// Why two records cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// They are of different programs.
    #[error(
        "it is of commit {other}, and the others are of {own}: a seed is another run on another commit"
    )]
    Commit {
        /// The commit of the first.
        own: String,
        /// The commit of the other.
        other: String,
    },
    /// They count the same runs.
    #[error("it ran {other}; another file has {own}: runs such as {run} would count twice")]
    Twice {
        /// What the first ran.
        own: Box<Part>,
        /// What the other ran.
        other: Box<Part>,
        /// A run of both.
        run: String,
    },
}

impl Record {
    /// Adds another.
    ///
    /// # Errors
    /// Both count the same runs, or are not about the same program.
    pub fn merge(&mut self, other: Self) -> Result<(), MergeError> {
        if self.commit != other.commit {
            return Err(MergeError::Commit { own: self.commit.clone(), other: other.commit });
        }
        for part in &other.parts {
            for own in &self.parts {
                if let Some(run) = own.common(part) {
                    let (own, other) = (own.clone().into(), part.clone().into());
                    return Err(MergeError::Twice { own, other, run });
                }
            }
        }
        self.parts.extend(other.parts);
        self.parts.sort_by(|a, b| a.order().cmp(&b.order()));
        self.complete &= other.complete;
        self.digest.merge(other.digest);
        self.summary.merge(other.summary);
        Ok(())
    }
}

impl Serialize for Total {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Total {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = |_| serde::de::Error::custom("a digest is up to 32 hexadecimal digits");
        u128::from_str_radix(&text, 16).map(Self).map_err(wrong)
    }
}

/// The version of the format.
pub const VERSION: u32 = 1;
