//! Which bytes of which child may be wrong, and because of what.
//!
//! Recomputed from the record alone: from what a fault concretely altered, what took place of a write,
//! and what was written over it. What the injector itself says of that is not looked at.

use super::super::{
    calls::Call,
    case::Case,
    cells::{common, overlaps},
    way::Way,
};
use quorate_engine::SECTOR_BYTES;
use quorate_faults::{alteration::Flip, fault::Heal, host::Firing, rule::OpKind};
use std::ops::Range;

/// The bytes of one child that may be wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Taint {
    marks: Vec<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    range: Range<u64>,
    /// What made them so, by its place in the account.
    cause: usize,
    /// What puts them right.
    until: Until,
}

/// What puts bytes right that are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Writing them.
    Written,
    /// Writing their sectors whole.
    Sectors,
    /// Nothing.
    Healed,
}

impl Until {
    pub(super) fn of(heal: Heal) -> Self {
        match heal {
            Heal::Overwrite => Self::Written,
            Heal::Never => Self::Healed,
        }
    }
}

impl Taint {
    /// Bytes that a write puts right.
    pub(super) fn add(&mut self, range: Range<u64>, cause: usize) {
        self.add_until(range, Until::Written, cause);
    }

    pub(super) fn add_until(&mut self, range: Range<u64>, until: Until, cause: usize) {
        if !range.is_empty() {
            self.marks.push(Mark { range, cause, until });
        }
    }

    pub(super) fn rot(&mut self, flips: &[Flip], until: Until, cause: usize) {
        for range in runs(flips) {
            self.add_until(range, until, cause);
        }
    }

    /// Right bytes were written there. Hears of each cause whose bytes they replace.
    pub(super) fn heal(&mut self, range: &Range<u64>, mut healed: impl FnMut(usize)) {
        if !self.overlaps(range) {
            return;
        }
        let start = range.start.next_multiple_of(SECTOR_BYTES);
        let sectors = start..(range.end / SECTOR_BYTES * SECTOR_BYTES).max(start);
        let mut rest = Vec::new();
        self.marks.retain(|mark| {
            let range = match mark.until {
                Until::Written => range,
                Until::Sectors => &sectors,
                Until::Healed => return true,
            };
            if !overlaps(&mark.range, range) {
                return true;
            }
            healed(mark.cause);
            for left in [mark.range.start..range.start, range.end..mark.range.end] {
                if !left.is_empty() {
                    rest.push(Mark { range: left, ..*mark });
                }
            }
            false
        });
        self.marks.append(&mut rest);
    }

    /// What only healing puts right is right. Hears of each cause.
    pub(super) fn lift(&mut self, mut lifted: impl FnMut(usize)) {
        self.marks.retain(|mark| {
            let stays = mark.until == Until::Written;
            if !stays {
                lifted(mark.cause);
            }
            stays
        });
    }

    /// What lies over these bytes and stays when they are written, or may.
    pub(super) fn lying_over(&self, range: &Range<u64>) -> Vec<(Range<u64>, usize)> {
        let over = self.marks.iter().filter(|mark| mark.until != Until::Written);
        let parts = over.map(|mark| (common(&mark.range, range), mark.cause));
        parts.filter(|(part, _)| !part.is_empty()).collect()
    }

    /// Whether any of these bytes may be wrong.
    pub(super) fn overlaps(&self, range: &Range<u64>) -> bool {
        self.marks.iter().any(|mark| overlaps(&mark.range, range))
    }

    /// What made any of these bytes wrong.
    pub(super) fn causes(&self, range: &Range<u64>) -> impl Iterator<Item = usize> {
        let inside = self.marks.iter().filter(move |mark| overlaps(&mark.range, range));
        inside.map(|mark| mark.cause)
    }

    /// What made any bytes wrong that still are.
    pub(super) fn all_causes(&self) -> impl Iterator<Item = usize> {
        self.marks.iter().map(|mark| mark.cause)
    }
}

/// What one write comes to on its child's medium.
pub(super) struct Landing {
    /// The bytes that hold what was to be written, or were to.
    pub(super) in_place: Vec<Range<u64>>,
    /// The bytes that are wrong from now on, each with the fault that made them so.
    pub(super) wrong: Vec<(Range<u64>, usize)>,
}

impl Landing {
    /// What comes of a write whose faults are these, numbered from `first` on in the account. Without
    /// faults, an error of the device itself means that nothing took place: `refused` accounts for it.
    pub(super) fn of(
        call: &Call<'_>,
        case: &Case<'_>,
        first: usize,
        refused: Option<usize>,
    ) -> Self {
        let whole = call.range();
        let mut landing = Self { in_place: Vec::new(), wrong: Vec::new() };
        if let Some(cause) = refused {
            landing.wrong.push((whole, cause));
            return landing;
        }
        if call.firings.is_empty() {
            landing.in_place = vec![whole];
            return landing;
        }
        let mut parts = vec![whole];
        for (cause, (_, firing)) in (first..).zip(call.faults(case)) {
            if let Some(applied) = &firing.applied {
                let kept = split(&mut parts, applied, Side::Keep);
                landing.wrong.extend(kept.into_iter().map(|lost| (lost, cause)));
            }
        }
        // What goes astray is gone from its place, and wrong where it lands.
        for (cause, (_, firing)) in (first..).zip(call.faults(case)) {
            landing.stray(&mut parts, firing, cause);
        }
        for (cause, (_, firing)) in (first..).zip(call.faults(case)) {
            landing.alter(&parts, firing, cause);
        }
        landing.in_place = parts;
        landing
    }

    fn stray(&mut self, parts: &mut Vec<Range<u64>>, firing: &Firing, cause: usize) {
        for alteration in &firing.alterations {
            let Way::Astray(range, to) = Way::of(alteration) else { continue };
            for gone in split(parts, std::slice::from_ref(range), Side::Drop) {
                let at = to + (gone.start - range.start);
                self.wrong.push((at..at + (gone.end - gone.start), cause));
                self.wrong.push((gone, cause));
            }
        }
    }

    fn alter(&mut self, parts: &[Range<u64>], firing: &Firing, cause: usize) {
        for alteration in &firing.alterations {
            // What strays is done with.
            if let Way::Altered(flips) = Way::of(alteration) {
                let landed = runs(flips).into_iter().flat_map(|run| {
                    parts.iter().map(move |part| common(part, &run)).filter(|r| !r.is_empty())
                });
                self.wrong.extend(landed.map(|run| (run, cause)));
            }
        }
    }

    /// Whether this fault makes anything wrong on the medium.
    pub(super) fn marks(&self, cause: usize) -> bool {
        self.wrong.iter().any(|(range, by)| *by == cause && !range.is_empty())
    }

    /// What is wrong on the medium from now on.
    pub(super) fn mark(&self, taint: &mut Taint) {
        for (range, cause) in &self.wrong {
            taint.add(range.clone(), *cause);
        }
    }
}

/// Whether a fault can have any part in what an operation answers or does, but for its time.
pub(super) fn disturbs(firing: &Firing, kind: OpKind) -> bool {
    firing.status.is_some()
        || firing.applied.is_some()
        || !firing.alterations.is_empty()
        || firing.delay == quorate_faults::host::Delay::Never
        || kind == OpKind::Length && firing.fault != "delay"
}

enum Side {
    Keep,
    Drop,
}

/// Keeps what lies inside the ranges, or outside; gives back the rest.
fn split(parts: &mut Vec<Range<u64>>, ranges: &[Range<u64>], side: Side) -> Vec<Range<u64>> {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for part in std::mem::take(parts) {
        let mut rests = vec![part];
        for range in ranges {
            let mut left = Vec::new();
            for rest in rests {
                let both = common(&rest, range);
                if both.is_empty() {
                    left.push(rest);
                    continue;
                }
                let around = [rest.start..both.start, both.end..rest.end];
                left.extend(around.into_iter().filter(|piece| !piece.is_empty()));
                inside.push(both);
            }
            rests = left;
        }
        outside.append(&mut rests);
    }
    let (kept, other) = match side {
        Side::Keep => (inside, outside),
        Side::Drop => (outside, inside),
    };
    *parts = kept;
    other
}

/// What of a range lies outside all of these.
pub(super) fn outside(range: Range<u64>, covered: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = vec![range];
    split(&mut parts, covered, Side::Drop);
    parts
}

/// The runs of neighbouring bytes.
fn runs(flips: &[Flip]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for flip in flips {
        match runs.last_mut() {
            Some(last) if last.end == flip.at => last.end += 1,
            _ => runs.push(flip.at..flip.at + 1),
        }
    }
    runs
}
