//! Whether the array reports exactly what it must, as it happens: each failure right behind the answer
//! that is one, each child that lost a vote right behind the last answer, and each vote that failed.

use super::{
    calls::{Call, events_behind},
    case::Case,
    ledger::Vote,
};
use crate::spec::{self, Ballot, Reply};
use quorate_engine::{Errno, Event, OpType, Sectors};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    Answer, GuestOp, Violation, What, qapi,
    trace::{Change, Payload},
};

pub(super) fn reports(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if !case.scenario.array.inner.is_empty() {
        return;
    }
    failures_are_told(case, violations);
    told_are_failures(case, violations);
    for (vote, at, ballot) in case.ballots() {
        let calls = case.calls.round(vote.round);
        let want = ballot.losers.iter().map(|&loser| &case.names[calls[loser].call.child as usize]);
        let found = events_behind(case.entries(), at).filter_map(|(_, event)| match event {
            Event::ReportBad { error: None, node_name, .. } => Some(node_name),
            _ => None,
        });
        if !want.clone().eq(found.clone()) {
            let list = |names: Vec<&str>| match names.is_empty() {
                true => "nobody".into(),
                false => names.join(", "),
            };
            let reason = format!(
                "Those who lost are {}, in this order; reported are {}.",
                list(want.map(|name| name.as_str()).collect()),
                list(found.map(|name| name.as_str()).collect())
            );
            let id = case.entries()[at].request;
            violations.push(Case::violation("reports", id, Some(at), reason));
        }
    }
}

pub(super) fn failure_events(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if !case.scenario.array.inner.is_empty() {
        return;
    }
    for (vote, at, ballot) in case.ballots() {
        let told = events_behind(case.entries(), at)
            .filter(|(_, event)| matches!(event, Event::Failure { .. }))
            .count();
        let differ = case.scenario.array.blkverify
            && case.calls.round(vote.round)[0].call.kind == OpKind::Read
            && case
                .calls
                .round(vote.round)
                .iter()
                .all(|call| call.reply().is_some_and(|r| r.is_ok()));
        let want = usize::from(ballot.failure && !differ);
        if told != want {
            let reason = format!("A vote that failed is told {told} times, not {want}.");
            let id = case.entries()[at].request;
            violations.push(Case::violation("failure-events", id, Some(at), reason));
        }
    }
    // Nothing but a vote can fail so.
    for (at, entry) in case.notable() {
        let What::Event(event @ Event::Failure { .. }) = &entry.what else { continue };
        let cause = case.entries()[..at].iter().rev().map(|entry| &entry.what);
        // A child that leaves has failed whatever it was asked.
        let cause = cause.map_while(|w| match w {
            What::Membership(Change::Removed { .. }) => None,
            What::Reply { child, ordinal, .. } => Some(case.calls.find(*child, *ordinal)),
            _ => Some(None),
        });
        let cause = cause.flatten().next();
        let kind = cause.map(|place| case.calls.all[place].call.kind);
        let silent = matches!(kind, Some(OpKind::Flush | OpKind::BlockStatus | OpKind::Length));
        if silent {
            let reason =
                format!("'{}' is told, and no read or write has failed.", qapi::text(event));
            violations.push(Case::violation("failure-events", entry.request, Some(at), reason));
        }
    }
}

/// Each answer that is a failure is told at once.
fn failures_are_told(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for (place, call) in case.calls.all.iter().enumerate() {
        let (Some((at, answer)), Some(Err(errno))) = (call.answered, call.reply()) else {
            continue;
        };
        let entry = &case.entries()[at];
        let unheard = entry.request.is_none() || case.removed_before(call.call.child, at);
        if unheard || *answer == Answer::Abandoned || may_be_silent(case, place, errno) {
            continue;
        }
        let name = &case.names[call.call.child as usize];
        let told = events_behind(case.entries(), at).next().is_some_and(|(_, event)| match event {
            Event::ReportBad { op, node_name, error, sectors } => {
                let own = (node_name, *error) == (name, Some(errno));
                own && fits(case, place, *op, *sectors)
            }
            _ => false,
        });
        if !told {
            let reason = format!("c{} fails with {errno}, and is not reported.", call.call.child);
            violations.push(Case::violation("reports", entry.request, Some(at), reason));
        }
    }
}

/// Whether nobody is told of a failure: of a repair, of zeroes that are then written, of a length.
fn may_be_silent(case: &Case<'_>, place: usize, errno: Errno) -> bool {
    let call = case.calls.all[place].call;
    let reads = |owner: usize| matches!(case.requests[owner].op, GuestOp::Read { .. });
    let limits = case.disks[call.child as usize].limits;
    match call.kind {
        OpKind::Length | OpKind::Open | OpKind::Close => true,
        OpKind::WriteZeroes => errno == Errno::ENOTSUP,
        OpKind::Write => case.ledger.owners[place].is_none_or(reads) || !case.ledger.sure[place],
        OpKind::Read => case.scenario.array.rewrite_corrupted && limits.request_alignment > 1,
        OpKind::Flush | OpKind::BlockStatus | OpKind::Discard | OpKind::Truncate => false,
    }
}

/// Whether a report is of the right kind, and of the right sectors where these can be told.
fn fits(case: &Case<'_>, place: usize, op: OpType, sectors: Sectors) -> bool {
    let call = case.calls.all[place].call;
    if !case.ledger.sure[place] {
        return true;
    }
    let owner = case.ledger.owners[place].map(|owner| case.requests[owner].op);
    let kind = match (call.kind, owner) {
        (OpKind::Flush, Some(GuestOp::WriteZeroes { .. })) => return op != OpType::Read,
        (OpKind::Flush, _) => OpType::Flush,
        (OpKind::Read, Some(GuestOp::Write { .. } | GuestOp::WriteZeroes { .. })) => OpType::Write,
        (OpKind::Read | OpKind::BlockStatus, _) => OpType::Read,
        _ => OpType::Write,
    };
    let padded = case.disks[call.child as usize].limits.request_alignment > 1
        || case.disks.iter().any(|disk| disk.bytes != case.disks[0].bytes);
    let zeroes = matches!(owner, Some(GuestOp::WriteZeroes { .. }));
    let end = (call.offset + call.bytes).div_ceil(512);
    let first = call.offset / 512;
    let want = match kind {
        OpType::Flush => Sectors::NONE,
        _ => Sectors { first, count: end - first },
    };
    op == kind && (padded || zeroes || sectors == want)
}

/// Each report of a failure stands right behind the answer that is one, or behind a removal.
fn told_are_failures(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for (at, entry) in case.notable() {
        let What::Event(Event::ReportBad { node_name, error: Some(error), .. }) = &entry.what
        else {
            continue;
        };
        let mut before = case.entries()[..at].iter().rev().map(|entry| &entry.what);
        let before = before.find(|what| !matches!(what, What::Heard(_)));
        let answered = before.and_then(|what| match what {
            What::Reply { child, ordinal, .. } => case.calls.find(*child, *ordinal),
            _ => None,
        });
        let disk = case.disk(node_name);
        let removed = disk.is_some_and(|disk| case.removed_before(disk, at));
        let fails =
            |call: &Call<'_>| Some(call.call.child) == disk && call.reply() == Some(Err(*error));
        let fine = removed || answered.is_some_and(|place| fails(&case.calls.all[place]));
        if !fine {
            let reason =
                format!("{node_name} is reported with {error}, and has not just failed so.");
            violations.push(Case::violation("reports", entry.request, Some(at), reason));
        }
    }
}

/// Where each vote ended, and what it must come to.
pub(super) fn ballots(case: &Case<'_>) -> Vec<Option<(usize, Ballot<Payload>)>> {
    case.ledger.votes.iter().map(|vote| ballot(case, vote)).collect()
}

/// Where a vote ended, and what it must come to: if it ended with an answer, which somebody heard.
fn ballot(case: &Case<'_>, vote: &Vote) -> Option<(usize, Ballot<Payload>)> {
    let calls = case.calls.round(vote.round);
    let ends = calls.iter().map(|call| call.answered.map(|(answered, _)| answered));
    let at = ends.reduce(|last, end| Some(last?.max(end?)))??;
    let gone = calls.iter().any(|call| case.removed_before(call.call.child, at));
    if gone || case.entries()[at].request.is_none() {
        return None;
    }
    let replies: Vec<Reply<Payload>> = calls.iter().filter_map(Call::reply).collect();
    let threshold = case.scenario.array.vote_threshold;
    match calls[0].call.kind {
        OpKind::Read => Some((at, spec::read(&replies, threshold))),
        // A child that has no zeroes is asked for something else then; repairs are not counted.
        OpKind::WriteZeroes if replies.contains(&Err(Errno::ENOTSUP)) => None,
        _ if repairs(case, vote) => None,
        _ => {
            let result = spec::enough(&replies, threshold).map(|()| Payload::default());
            let failure = result.is_err();
            Some((at, Ballot { result, losers: Vec::new(), failure }))
        }
    }
}

fn repairs(case: &Case<'_>, vote: &Vote) -> bool {
    let owner = case.ledger.owners[case.calls.rounds[vote.round].start];
    owner.is_none_or(|owner| {
        matches!(case.requests[owner].op, GuestOp::Read { .. } | GuestOp::WriteZeroes { .. })
    })
}
