//! On whose behalf a child was asked.
//!
//! The record says whose request was being polled. What a request still does that was given up is done
//! while others are polled, so from then on it takes a look at what was asked, too.

use super::{
    super::{calls::Call, cells::index, walk::zeroes},
    Walk,
};
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, trace::Payload};
use std::ops::Range;

impl Walk<'_> {
    /// The request on whose behalf this was asked, if on anybody's.
    pub(super) fn owner(&self, call: &Call<'_>) -> Option<usize> {
        let tag = call.tag.filter(|&tag| self.suits(tag, call));
        if self.dropped.is_empty() {
            return tag;
        }
        // What is no repair is known by what is written.
        let reads = |place: usize| matches!(self.asked(place).op, GuestOp::Read { .. });
        let repairs = |&place: &usize| call.call.kind == OpKind::Write && reads(place);
        let given_up = || self.dropped.iter().copied().filter(|&place| self.suits(place, call));
        let sure = tag.filter(|tag| !repairs(tag));
        sure.or_else(|| given_up().find(|place| !repairs(place)))
            .or(tag)
            .or_else(|| given_up().next())
    }

    /// Whether another request, which was given up or is being polled, can have asked for this, too.
    pub(super) fn has_rival(&self, owner: usize, call: &Call<'_>) -> bool {
        !self.dropped.is_empty() && self.rivals(Some(owner), call).next().is_some()
    }

    /// The other requests, given up or being polled, that can have asked for this.
    pub(super) fn rivals(
        &self,
        owner: Option<usize>,
        call: &Call<'_>,
    ) -> impl Iterator<Item = usize> {
        let others = self.dropped.iter().copied().chain(call.tag);
        others.filter(move |other| Some(*other) != owner && self.suits(*other, call))
    }

    /// Whether a request can ask a child for this.
    fn suits(&self, place: usize, call: &Call<'_>) -> bool {
        let asked = self.asked(place);
        let within = |offset: u64, bytes: u64| {
            let around = self.around(offset, bytes);
            around.start <= call.call.offset && call.range().end <= around.end
        };
        match asked.op {
            GuestOp::Read { offset, bytes } => match call.call.kind {
                OpKind::Read => within(*offset, *bytes),
                OpKind::Write => {
                    self.case.scenario.array.rewrite_corrupted && within(*offset, *bytes)
                }
                _ => false,
            },
            GuestOp::Write { offset, data, flags } => match call.call.kind {
                OpKind::Read => self.padded() && within(*offset, data.len() as u64),
                OpKind::Write => within(*offset, data.len() as u64) && self.is_part(place, call),
                OpKind::Flush => flags.fua,
                _ => false,
            },
            GuestOp::WriteZeroes { offset, bytes, flags } => match call.call.kind {
                OpKind::Write => within(*offset, *bytes) && self.is_zero(call),
                OpKind::Read => self.padded() && within(*offset, *bytes),
                OpKind::WriteZeroes => within(*offset, *bytes),
                OpKind::Flush => flags.fua,
                _ => false,
            },
            GuestOp::Flush => call.call.kind == OpKind::Flush,
            GuestOp::Close => matches!(call.call.kind, OpKind::Flush | OpKind::Close),
            GuestOp::BlockStatus { .. } => call.call.kind == OpKind::BlockStatus,
            GuestOp::Length => call.call.kind == OpKind::Length,
            GuestOp::Discard { .. } | GuestOp::Truncate { .. } | GuestOp::Invalidate => false,
        }
    }

    /// Whether what is written is what the request writes there, as far as that can be told: what was
    /// padded for its child cannot.
    fn is_part(&self, place: usize, call: &Call<'_>) -> bool {
        let asked = self.asked(place);
        let GuestOp::Write { offset, data, .. } = asked.op else { return false };
        let whole = *offset..offset + data.len() as u64;
        let range = call.range();
        if range == whole {
            return call.call.payload == self.case.finished.trace.payload(asked.invoked);
        }
        // Hashing takes its time, and where nobody has given up the tag says it all.
        if self.dropped.is_empty() || range.start < whole.start || whole.end < range.end {
            return true;
        }
        let part = index(range.start - offset)..index(range.end - offset);
        call.call.payload == Payload::of(&data.slice(part))
    }

    /// Whether it may be zeroes that are written; where nobody has given up it is.
    fn is_zero(&self, call: &Call<'_>) -> bool {
        self.dropped.is_empty() || self.padded() || call.call.payload == zeroes(call.call.bytes)
    }

    /// Whether some children take other bytes than they are asked for.
    pub(super) fn padded(&self) -> bool {
        let disks = &self.case.disks;
        disks.iter().any(|d| d.limits.request_alignment > 1 || d.bytes != disks[0].bytes)
    }

    /// The bytes that a child may be asked for in the place of these.
    pub(super) fn around(&self, offset: u64, bytes: u64) -> Range<u64> {
        let units = self.case.disks.iter().map(|disk| u64::from(disk.limits.request_alignment));
        let unit = units.max().unwrap_or(1).max(1);
        let end = offset.saturating_add(bytes);
        offset / unit * unit..end.checked_next_multiple_of(unit).unwrap_or(end)
    }
}
