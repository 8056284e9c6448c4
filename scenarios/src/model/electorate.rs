//! What a budget has to know of a scenario.

use super::{Action, Request, Scenario};
use quorate_engine::quorum::options::ReadPattern;
use quorate_faults::budget::Electorate;

impl Scenario {
    /// Who votes, and on how much at once.
    #[must_use]
    pub fn electorate(&self) -> Electorate {
        let names = self.child_names();
        let members = names.iter().filter_map(|name| name.strip_prefix('c')?.parse().ok());
        let members: Vec<u32> = members.collect();
        let limits = members.iter().map(|&member| self.disk(member).limits);
        let is_padded = |member: &u32| self.disk(*member).limits.request_alignment > 1;
        let cut = limits.clone().filter_map(|limits| limits.max_transfer).min();
        Electorate {
            threshold: u32::try_from(self.array.vote_threshold).unwrap_or(u32::MAX),
            fifo: self.array.read_pattern == ReadPattern::Fifo,
            padded: (0..self.disks()).filter(is_padded).collect(),
            request_bytes_max: cut.map_or(u64::MAX, u64::from).min(self.request_bytes_max()),
            members,
        }
    }

    /// The longest request of a client.
    #[must_use]
    pub fn request_bytes_max(&self) -> u64 {
        let bytes = |action: &Action| match action {
            Action::Request { request, .. } => request.bytes(),
            _ => 0,
        };
        let drawn = self.random.as_ref().map_or(0, |random| random.bytes_max.0);
        self.scripts().flatten().map(bytes).max().unwrap_or(0).max(drawn)
    }
}

impl Request {
    /// How many bytes it is about.
    fn bytes(&self) -> u64 {
        match self {
            Self::Read { bytes, .. }
            | Self::Write { bytes, .. }
            | Self::WriteZeroes { bytes, .. }
            | Self::Discard { bytes, .. }
            | Self::BlockStatus { bytes, .. } => *bytes,
            Self::Flush | Self::Length | Self::Truncate { .. } | Self::Invalidate | Self::Close => {
                0
            }
        }
    }
}
