//! What the requests wait for that were never answered.

use super::{
    case::{Asked, Case},
    turns::{self, Turn},
};
use quorate_engine::quorum::options::Overlap;
use quorate_reports::{RequestId, What};
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
            parts.extend(self.behind.iter().map(|id| format!("request {id}")));
        }
        let for_what =
            if parts.is_empty() { "nothing that is known".into() } else { parts.join(" and ") };
        format!("{} waits for {for_what}", self.request)
    }
}

/// The disks that were asked for the request and have not answered.
fn unanswered(case: &Case<'_>, asked: &Asked<'_>) -> Vec<(u32, bool)> {
    let mut asked_for = BTreeSet::new();
    for &at in &asked.entries {
        match &case.entries()[at].what {
            What::Submit(call) => {
                asked_for.insert((call.child, call.ordinal));
            }
            What::Reply { child, ordinal, .. } => {
                asked_for.remove(&(*child, *ordinal));
            }
            _ => {}
        }
    }
    let left = asked_for.into_iter().filter(|(disk, _)| !case.removed_before(*disk, usize::MAX));
    left.map(|operation| (operation.0, case.finished.hung.contains(&operation))).collect()
}

/// The requests that overlap and are not over, where requests take turns: those that were given up run
/// on all the same.
fn behind(case: &Case<'_>, asked: &Asked<'_>) -> Vec<RequestId> {
    if case.scenario.array.overlap != Overlap::Serialise {
        return Vec::new();
    }
    // A child with larger blocks has the array keep others off all that it reads and writes again.
    let block = case.disks.iter().map(|disk| u64::from(disk.limits.request_alignment)).max();
    let block = block.unwrap_or(1);
    let turn = |asked: &Asked<'_>| {
        let Turn { range, exclusive } = turns::turn(case, asked)?;
        let start = range.start - range.start % block;
        Some(Turn { range: start..range.end.checked_next_multiple_of(block)?, exclusive })
    };
    let Some(own) = turn(asked) else { return Vec::new() };
    let others = case.requests.iter().filter(|other| other.id != asked.id);
    let others = others.filter(|other| other.completed.is_none());
    let overlap =
        |other: &&Asked<'_>| turn(other).is_some_and(|other| turns::conflict(&own, &other));
    others.filter(overlap).map(|other| other.id).collect()
}
