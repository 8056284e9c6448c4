//! What the requests wait for that were never answered.

use super::{
    case::{Asked, Case},
    turns::{self, Turn},
};
use quorate_engine::quorum::options::Overlap;
use quorate_reports::{GuestOp, RequestId, What};
use quorate_sim::End;
use std::collections::BTreeSet;

/// What a request waits for.
pub(super) struct Wait {
    request: RequestId,
    /// The disks that have not answered it, and whether a fault keeps each from it.
    disks: Vec<(u32, bool)>,
    /// Requests whose bytes it wants, which have not come to their end either.
    behind: Vec<RequestId>,
}

/// What each request waits for that was neither answered nor given up.
pub(super) fn waits(case: &Case<'_>) -> Vec<Wait> {
    if case.finished.end == End::Finished {
        return Vec::new();
    }
    let open = case.requests.iter().filter(|asked| asked.over().is_none());
    open.map(|asked| Wait {
        request: asked.id,
        disks: unanswered(case, asked),
        behind: behind(case, asked),
    })
    .collect()
}

/// Whether the run stalls and nothing but disks that hang is to blame.
///
/// From the first request on that was given up, the record does not always say whose a disk's operation
/// is: a request may then wait for one of which it says nothing.
pub(super) fn is_explained(case: &Case<'_>) -> bool {
    let finished = case.finished;
    let hangs = finished.waiting.len() == finished.hung.len() && !finished.hung.is_empty();
    let knows = case.first_drop() == usize::MAX;
    let is_explained = |wait: &Wait| match wait.disks.is_empty() {
        true => !knows || !wait.behind.is_empty(),
        false => wait.disks.iter().any(|(_, hung)| *hung),
    };
    let waits = waits(case);
    finished.end == End::Stalled && hangs && !waits.is_empty() && waits.iter().all(is_explained)
}

impl Wait {
    pub(super) fn words(&self) -> String {
        let mut parts = Vec::new();
        for (disk, hung) in &self.disks {
            parts.push(format!("c{disk}{}", if *hung { ", which hangs" } else { "" }));
        }
        if parts.is_empty() {
            parts.extend(self.behind.iter().take(BEHIND_MAX).map(|id| format!("request {id}")));
        }
        let for_what =
            if parts.is_empty() { "nothing that is known".into() } else { parts.join(" and ") };
        format!("{} waits for {for_what}", self.request)
    }
}

/// The disks that were asked for the request and have not answered. Who answers for a request that was
/// given up does so under the name of whoever helps it.
fn unanswered(case: &Case<'_>, asked: &Asked<'_>) -> Vec<(u32, bool)> {
    let mut asked_for = BTreeSet::new();
    for &at in &asked.entries {
        if let What::Submit(call) = &case.entries()[at].what {
            asked_for.insert((call.child, call.ordinal));
        }
    }
    for entry in case.entries() {
        if let What::Reply { child, ordinal, .. } = &entry.what {
            asked_for.remove(&(*child, *ordinal));
        }
    }
    let left = asked_for.into_iter().filter(|(disk, _)| !case.removed_before(*disk, usize::MAX));
    left.map(|operation| (operation.0, case.finished.hung.contains(&operation))).collect()
}

/// The requests that are not over and whose turn may come first: those that were given up run on all
/// the same.
fn behind(case: &Case<'_>, asked: &Asked<'_>) -> Vec<RequestId> {
    let own = queued(case, asked);
    let waits = |other: &Queued| own.iter().any(|own| own.waits(other));
    let others = case.requests.iter().filter(|other| other.id != asked.id);
    let others = others.filter(|other| other.completed.is_none());
    others.filter(|other| queued(case, other).iter().any(waits)).map(|other| other.id).collect()
}

/// Where a request queues for its turn.
enum Queued {
    /// For bytes.
    Data(Turn),
    /// With the other flushes.
    Flush,
}

impl Queued {
    fn waits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Data(one), Self::Data(other)) => turns::conflict(one, other),
            (Self::Flush, Self::Flush) => true,
            _ => false,
        }
    }
}

/// Where a request queues, for bytes first.
fn queued(case: &Case<'_>, asked: &Asked<'_>) -> Vec<Queued> {
    let (turn, flushes) = match asked.op {
        GuestOp::Flush => (None, true),
        GuestOp::Discard { offset, bytes } => {
            (Some(Turn { range: *offset..offset.saturating_add(*bytes), exclusive: false }), false)
        }
        GuestOp::Write { flags, .. } | GuestOp::WriteZeroes { flags, .. } => {
            (turns::turn(case, asked), flags.fua)
        }
        _ => (turns::turn(case, asked), false),
    };
    let data = turn.map(|turn| Queued::Data(around(case, turn)));
    data.into_iter().chain(flushes.then_some(Queued::Flush)).collect()
}

/// A child with larger blocks has the array keep others off all that it reads and writes again.
fn around(case: &Case<'_>, Turn { range, exclusive }: Turn) -> Turn {
    let blocks = case.disks.iter().map(|disk| u64::from(disk.limits.request_alignment));
    let block = blocks.max().unwrap_or(1);
    let end = range.end.checked_next_multiple_of(block).unwrap_or(u64::MAX);
    let around = range.start - range.start % block..end;
    let takes_turns = case.scenario.array.overlap == Overlap::Serialise || around != range;
    Turn { range: around, exclusive: exclusive && takes_turns }
}

/// How many requests are named that one may wait for.
const BEHIND_MAX: usize = 3;
