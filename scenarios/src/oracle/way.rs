//! Where the data of a write go wrong on their way to the medium.

use quorate_faults::alteration::{Alteration, Flip};
use std::ops::Range;

/// What an alteration makes of the data of a write on their way.
pub(super) enum Way<'a> {
    /// The bits differ.
    Altered(&'a [Flip]),
    /// These bytes go to another place.
    Astray(&'a Range<u64>, u64),
    /// Nothing: it is about the medium, the child as a whole, or an answer.
    None,
}

impl<'a> Way<'a> {
    pub(super) fn of(alteration: &'a Alteration) -> Self {
        match alteration {
            Alteration::Flip(bits) | Alteration::Force { bits, .. } => Self::Altered(bits),
            Alteration::Misdirect { range, to } => Self::Astray(range, *to),
            Alteration::Rot { .. }
            | Alteration::Stuck { .. }
            | Alteration::Unreadable { .. }
            | Alteration::Ghost { .. }
            | Alteration::Stale { .. }
            | Alteration::Fill { .. }
            | Alteration::Replay(_)
            | Alteration::Volatile
            | Alteration::Widen(_)
            | Alteration::Flush { .. }
            | Alteration::Crash { .. }
            | Alteration::Rollback { .. }
            | Alteration::ReadOnly
            | Alteration::Short { .. }
            | Alteration::Length { .. }
            | Alteration::Kind(_)
            | Alteration::Extent { .. } => Self::None,
        }
    }
}
