//! Which children may be wrong about which bytes, whatever else is wrong.

use super::Shape;
use crate::draw::{Domain, Keyed};
use std::ops::Range;

/// The shape of one run's budget.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) shape: Shape,
    pub(super) keyed: Keyed,
    pub(super) chunk: u64,
}

impl Map {
    /// Whether `child` may be wrong about all of the range, if at most `most` of the members may be
    /// about any byte of it. An empty range stands for the whole device.
    pub(super) fn may(&self, child: u32, range: &Range<u64>, members: &[u32], most: u32) -> bool {
        match self.shape {
            Shape::Ledger => true,
            Shape::ChildSet => self.is_drawn(child, EVERYWHERE, members, most),
            Shape::Atlas => self.chunks(range).all(|c| self.is_drawn(child, c, members, most)),
            Shape::Helix => {
                let turn = |chunk: u64| {
                    let at = (chunk % EVERYWHERE) % members.len() as u64;
                    members[usize::try_from(at).expect("below the length of a list")]
                };
                most > 0 && self.chunks(range).all(|chunk| turn(chunk) == child)
            }
        }
    }

    fn chunks(&self, range: &Range<u64>) -> Range<u64> {
        match range.is_empty() {
            true => EVERYWHERE..EVERYWHERE + 1,
            false => range.start / self.chunk..range.end.div_ceil(self.chunk),
        }
    }

    /// Whether a child is one of the `most` members with the lowest lots for this chunk.
    fn is_drawn(&self, child: u32, chunk: u64, members: &[u32], most: u32) -> bool {
        let lot = |child: u32| (self.keyed.draw(MAP, child, chunk).word(0), child);
        let own = lot(child);
        let before = members.iter().filter(|member| lot(**member) < own).count();
        before < most as usize
    }
}

/// Who may be wrong.
const MAP: Domain = Domain::named("budget");
/// In place of a chunk: all of them at once. No device has as many.
const EVERYWHERE: u64 = u64::MAX - 1;
