//! What the rules that fire on one operation make of it together.
//!
//! The parts are independent: what is answered, how much takes place, when the answer comes, and
//! what is altered on the way.

use crate::{
    alteration::{Alteration, Flip},
    draw::{Draw, Stream},
    fault::{Amount, Damage, Keep},
    host::Delay,
};
use quorate_engine::{Errno, event::SECTOR_BYTES};
use std::{collections::BTreeSet, ops::Range, time::Duration};

/// The sum of the faults of one operation.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// What it answers instead of the device's own; the first rule's word counts.
    pub(crate) status: Option<Status>,
    /// The bytes that take place; `None` for all. What any rule holds back stays out.
    pub(crate) applied: Option<Vec<Range<u64>>>,
    /// The sum of the delays.
    pub(crate) delay: Duration,
    /// In the order of the rules.
    pub(crate) alterations: Vec<Alteration>,
    /// Which of the lives of the child it belongs to, between two crashes.
    pub(crate) life: u64,
}

/// An answer that is not the device's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Error(Errno),
    Never,
}

impl Effect {
    /// What to ask of the host.
    pub(crate) fn delay(&self) -> Delay {
        match self.status {
            Some(Status::Never) => Delay::Never,
            _ => Delay::After(self.delay),
        }
    }

    /// The error to answer once the operation is over.
    pub(crate) fn error(&self) -> Option<Errno> {
        match self.status {
            Some(Status::Error(errno)) => Some(errno),
            Some(Status::Never) => Some(Errno::ECANCELED),
            None => None,
        }
    }

    /// Whether what takes place is all that was asked for, unaltered.
    pub(crate) fn is_clean(&self) -> bool {
        self.applied.is_none() && self.alterations.is_empty()
    }

    /// Whether it is applied before its wait, as nothing comes behind it.
    pub(crate) fn is_endless(&self) -> bool {
        self.status == Some(Status::Never)
    }

    /// Whether it answers that the operation is not supported.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.status == Some(Status::Error(Errno::ENOTSUP))
    }

    /// Lets only what lies in `kept` take place.
    pub(crate) fn hold_back_beyond(&mut self, kept: &[Range<u64>]) {
        self.applied = Some(match &self.applied {
            None => kept.to_vec(),
            Some(applied) => intersection(applied, kept),
        });
    }
}

/// The bytes of `range` that a write keeps, by units aligned to the device.
pub(crate) fn kept(keep: &Keep, unit: u64, range: &Range<u64>, draw: &Draw) -> Vec<Range<u64>> {
    pieces(keep, unit, range, &mut draw.expand())
}

/// The same, of a stream.
pub(crate) fn pieces(
    keep: &Keep,
    unit: u64,
    range: &Range<u64>,
    coins: &mut Stream,
) -> Vec<Range<u64>> {
    assert!(unit > 0, "a unit has bytes");
    let first = range.start / unit;
    let count = range.end.div_ceil(unit) - first;
    let mut pieces = Vec::<Range<u64>>::new();
    for index in 0..count {
        if !kept_by(keep, index, count, coins) {
            continue;
        }
        let start = ((first + index) * unit).max(range.start);
        let end = ((first + index + 1) * unit).min(range.end);
        match pieces.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => pieces.push(start..end),
        }
    }
    pieces
}

/// Whether a unit is kept. Units are asked about in their order.
pub(crate) fn kept_by(keep: &Keep, index: u64, count: u64, coins: &mut Stream) -> bool {
    match keep {
        Keep::Prefix(units) => index < *units,
        Keep::Suffix(units) => count - index <= *units,
        Keep::Drawn => coins.below(2) == 1,
        Keep::Mask(mask) => {
            usize::try_from(index).is_ok_and(|at| mask.get(at).copied() == Some(true))
        }
    }
}

/// Each byte of a range, wrong.
pub(crate) fn garbage(range: Range<u64>, stream: &mut Stream) -> Vec<Flip> {
    let mut mask = || u8::try_from(1 + stream.below(255)).expect("at most 255");
    range.map(|at| Flip { at, mask: mask() }).collect()
}

/// The bytes of `range` that become wrong, and how.
pub(crate) fn flips(damage: &Damage, range: &Range<u64>, draw: &Draw) -> Vec<Flip> {
    let mut stream = draw.expand();
    match &damage.amount {
        Amount::Bits(bits) => {
            let start = damage.at.unwrap_or(range.start);
            let window = damage
                .at
                .map_or(range.end, |at| range.end.min(at.saturating_add(bits.div_ceil(8))));
            spread(*bits, start..window, &mut stream)
        }
        Amount::Bytes(bytes) => {
            let bytes_all = range.end - range.start;
            let free = bytes_all - (*bytes).min(bytes_all);
            let start = damage.at.unwrap_or_else(|| range.start + stream.below(free + 1));
            let end = range.end.min(start.saturating_add(*bytes));
            garbage(start..end, &mut stream)
        }
        Amount::Sectors(sectors) => {
            let hit = burst(*sectors, damage.at, range, |count| stream.below(count));
            let (start, end) = (hit.start.max(range.start), hit.end.min(range.end));
            garbage(start..end, &mut stream)
        }
        Amount::Flips(flips) => {
            flips.iter().copied().filter(|flip| range.contains(&flip.at)).collect()
        }
    }
}

/// As many different bits of a range.
pub(crate) fn spread(bits: u64, range: Range<u64>, stream: &mut Stream) -> Vec<Flip> {
    let bits_all = (range.end - range.start) * 8;
    let mut flips = Vec::<Flip>::new();
    for bit in distinct(bits.min(bits_all), bits_all, |count| stream.below(count)) {
        let (at, mask) = (range.start + bit / 8, 1 << (bit % 8));
        match flips.last_mut() {
            Some(last) if last.at == at => last.mask |= mask,
            _ => flips.push(Flip { at, mask }),
        }
    }
    flips
}

/// The bytes of a run of as many sectors that the range touches, from that of `at` on if given.
pub(crate) fn burst(
    sectors: u64,
    at: Option<u64>,
    range: &Range<u64>,
    mut below: impl FnMut(u64) -> u64,
) -> Range<u64> {
    let (first, end) = (range.start / SECTOR_BYTES, range.end.div_ceil(SECTOR_BYTES));
    let count = sectors.min(end - first);
    let start = match at {
        Some(at) => at / SECTOR_BYTES,
        None => first + below(end - first - count + 1),
    };
    start * SECTOR_BYTES..start.saturating_add(sectors).min(end) * SECTOR_BYTES
}

/// What ordered ranges leave out of a range.
pub(crate) fn holes(range: &Range<u64>, covered: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut start = range.start;
    let mut holes = Vec::new();
    for piece in covered {
        if start < piece.start {
            holes.push(start..piece.start);
        }
        start = start.max(piece.end);
    }
    if start < range.end {
        holes.push(start..range.end);
    }
    holes
}

/// What both lists of ordered ranges cover.
fn intersection(left: &[Range<u64>], right: &[Range<u64>]) -> Vec<Range<u64>> {
    let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
    let common = pairs.map(|(a, b)| a.start.max(b.start)..a.end.min(b.end));
    common.filter(|range| range.start < range.end).collect()
}

/// As many different numbers below `count`, in order, by Floyd's method.
fn distinct(wanted: u64, count: u64, mut below: impl FnMut(u64) -> u64) -> BTreeSet<u64> {
    assert!(wanted <= count, "more numbers than there are");
    let mut chosen = BTreeSet::new();
    for top in count - wanted..count {
        let drawn = below(top + 1);
        if !chosen.insert(drawn) {
            chosen.insert(top);
        }
    }
    chosen
}
