//! Which bytes of a write land, and where.

use crate::{
    alteration::{Alteration, Flip},
    effect::Effect,
    fault::Level,
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
        distort(&mut altered, op.offset, alteration);
    }
    let altered = Bytes::from(altered);
    let piece = |Landing { from, at }: Landing| {
        let inside = to_usize(from.start - op.offset)..to_usize(from.end - op.offset);
        Piece { offset: at, data: altered.slice(inside) }
    };
    landings(op, effect).into_iter().map(piece).collect()
}

/// Inverts or forces bits of data on their way.
pub(super) fn distort(data: &mut [u8], offset: u64, alteration: &Alteration) {
    let place = |bit: &Flip| to_usize(bit.at - offset);
    match alteration {
        Alteration::Flip(flips) => {
            flips.iter().for_each(|flip| data[place(flip)] ^= flip.mask);
        }
        Alteration::Force { bits, level: Level::High } => {
            bits.iter().for_each(|bit| data[place(bit)] |= bit.mask);
        }
        Alteration::Force { bits, level: Level::Low } => {
            bits.iter().for_each(|bit| data[place(bit)] &= !bit.mask);
        }
        _ => {}
    }
}
