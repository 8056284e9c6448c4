//! Which bytes of a write land, and where.

use crate::{
    alteration::{Alteration, Flip},
    effect::Effect,
    host::ChildOp,
    medium::{Piece, to_usize},
};
use bytes::Bytes;
use std::ops::Range;

/// A part of a write and the place where it lands.
pub(super) struct Landing {
    from: Range<u64>,
    at: u64,
}

impl Landing {
    pub(super) fn to(&self) -> Range<u64> {
        self.at..self.at + (self.from.end - self.from.start)
    }
}

/// The parts of a write that take place: what its rules let through, each part in its place or, as
/// the first rule about it says, in another.
pub(super) fn landings(op: &ChildOp, effect: &Effect) -> Vec<Landing> {
    let whole = vec![op.range()];
    let mut parts: Vec<_> = effect.applied.clone().unwrap_or(whole);
    let mut astray = Vec::new();
    for alteration in &effect.alterations {
        let Alteration::Misdirect { range, to } = alteration else { continue };
        let mut left = Vec::new();
        for part in parts {
            let inside = part.start.max(range.start)..part.end.min(range.end);
            if inside.is_empty() {
                left.push(part);
                continue;
            }
            let around = [part.start..inside.start, inside.end..part.end];
            left.extend(around.into_iter().filter(|piece| !piece.is_empty()));
            let at = to + (inside.start - range.start);
            astray.push(Landing { from: inside, at });
        }
        parts = left;
    }
    let in_place = parts.into_iter().map(|from| Landing { at: from.start, from });
    in_place.chain(astray).collect()
}

/// The parts of a write with their data, as altered on the way.
pub(super) fn pieces(op: &ChildOp, data: &Bytes, effect: &Effect) -> Vec<Piece> {
    let mut altered = data.to_vec();
    for alteration in &effect.alterations {
        if let Alteration::Flip(flips) = alteration {
            invert(&mut altered, op.offset, flips);
        }
    }
    let altered = Bytes::from(altered);
    let piece = |Landing { from, at }: Landing| {
        let inside = to_usize(from.start - op.offset)..to_usize(from.end - op.offset);
        Piece { offset: at, data: altered.slice(inside) }
    };
    landings(op, effect).into_iter().map(piece).collect()
}

pub(super) fn invert(data: &mut [u8], offset: u64, flips: &[Flip]) {
    for flip in flips {
        data[to_usize(flip.at - offset)] ^= flip.mask;
    }
}
