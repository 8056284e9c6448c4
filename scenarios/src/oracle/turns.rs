//! Whether overlapping requests take turns: in the record of what the children were asked, without
//! following any request.

use super::case::{Asked, Case};
use quorate_engine::quorum::options::Overlap;
use quorate_reports::{GuestOp, RequestId, Violation, What, trace::Change};
use std::ops::Range;

/// An operation of a child that is not over.
struct Pending {
    child: u32,
    ordinal: u64,
    request: RequestId,
    turn: Turn,
}

/// What a request keeps others off.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) range: Range<u64>,
    pub(super) exclusive: bool,
}

pub(super) fn turns(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if case.scenario.array.overlap != Overlap::Serialise {
        return;
    }
    let mut pending: Vec<Pending> = Vec::new();
    let mut calls = case.calls.all.iter();
    for (at, entry) in case.entries().iter().enumerate() {
        match &entry.what {
            What::Submit(call) => {
                let place = calls.next().map_or(0, |call| call.place);
                // A request that was given up goes on under the name of whoever helps it.
                let owner = case.ledger.owners[place].filter(|_| case.ledger.sure[place]);
                let Some(asked) = owner.map(|owner| &case.requests[owner]) else { continue };
                let Some(turn) = turn(case, asked) else { continue };
                let id = asked.id;
                let other = pending.iter().find(|p| p.request != id && conflict(&p.turn, &turn));
                if let Some(other) = other {
                    let reason = format!(
                        "c{} is asked while operation {} of c{} goes on for request {}, which \
                         overlaps: they were to take turns.",
                        call.child, other.ordinal, other.child, other.request
                    );
                    violations.push(Case::violation("turns", Some(id), Some(at), reason));
                }
                let (child, ordinal) = (call.child, call.ordinal);
                pending.push(Pending { child, ordinal, request: id, turn });
            }
            What::Reply { child, ordinal, .. } => {
                let is_it = |p: &Pending| (p.child, p.ordinal) == (*child, *ordinal);
                pending.iter().position(is_it).map(|at| pending.remove(at));
            }
            // Nobody waits for a child that is gone.
            What::Membership(Change::Removed { child, .. }) => {
                pending.retain(|p| p.child != *child);
            }
            _ => {}
        }
    }
}

/// What a request keeps others off, if it keeps any off.
pub(super) fn turn(case: &Case<'_>, asked: &Asked<'_>) -> Option<Turn> {
    let (offset, bytes, exclusive) = match asked.op {
        GuestOp::Read { offset, bytes } => (*offset, *bytes, case.scenario.array.rewrite_corrupted),
        GuestOp::Write { offset, data, .. } => (*offset, data.len() as u64, true),
        GuestOp::WriteZeroes { offset, bytes, .. } => (*offset, *bytes, true),
        _ => return None,
    };
    Some(Turn { range: offset..offset.checked_add(bytes)?, exclusive })
}

pub(super) fn conflict(a: &Turn, b: &Turn) -> bool {
    let common = a.range.start.max(b.range.start)..a.range.end.min(b.range.end);
    (a.exclusive || b.exclusive) && !common.is_empty()
}
