//! Disks that are images on gluster volumes, and what can befall their bricks.

use super::{is_default, is_true};
use serde::{Deserialize, Serialize};

/// What the volumes are like that disks are on: one for each disk, of one brick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Gluster {
    /// Whether a client acknowledges writes before the brick has them.
    #[serde(skip_serializing_if = "is_true")]
    pub write_behind: bool,
    /// Whether each volume is on a cluster of its own, and all have one name.
    #[serde(skip_serializing_if = "is_default")]
    pub one_name: bool,
}

impl Default for Gluster {
    fn default() -> Self {
        Self { write_behind: true, one_name: false }
    }
}

/// What befalls the brick of a disk, or is over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Its process dies.
    Kill,
    /// It is started again.
    Start,
    /// Its process stands still.
    Pause,
    /// It goes on.
    Resume,
    /// Its connections are aborted; a few seconds later they are there again.
    Cut,
    /// It is waited for until it can be reached again.
    Await,
    /// Its space is used up.
    Fill,
    /// There is space again.
    Free,
    /// Reads and writes fail, before they get to it.
    Fail,
    /// They take long.
    Slow,
    /// Neither is so any more.
    Mend,
}

impl Disturbance {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Kill,
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Cut,
        Self::Await,
        Self::Fill,
        Self::Free,
        Self::Fail,
        Self::Slow,
        Self::Mend,
    ];

    /// What it ends: a brick that is started or goes on is waited for, and its connections with it.
    #[must_use]
    pub fn ends(self) -> &'static [Self] {
        match self {
            Self::Start => &[Self::Kill, Self::Cut],
            Self::Resume => &[Self::Pause, Self::Cut],
            Self::Await => &[Self::Cut],
            Self::Free => &[Self::Fill],
            Self::Mend => &[Self::Fail, Self::Slow],
            Self::Kill | Self::Pause | Self::Cut | Self::Fill | Self::Fail | Self::Slow => &[],
        }
    }

    /// What is done to the brick, in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cut => "cut",
            Self::Await => "await",
            Self::Fill => "fill",
            Self::Free => "free",
            Self::Fail => "fail",
            Self::Slow => "slow",
            Self::Mend => "mend",
        }
    }
}
