//! Whether repairs overwrite exactly those who lost a vote, and never with something worse.

use super::{calls::Call, case::Case, ledger::Vote};
use quorate_engine::OpType;
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, Violation, What};

/// Whether exactly those are overwritten who lost a vote, with what won it.
pub(super) fn rewrites(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let mut known = 0;
    for (vote, ballot) in case.ledger.votes.iter().zip(&case.ballots).filter(|(v, _)| is_read(v)) {
        let found: Vec<&Call<'_>> = repairs(case, vote).collect();
        known += found.len();
        let Some((at, ballot)) = ballot else { continue };
        if found.iter().any(|call| !case.ledger.sure[call.place]) {
            continue;
        }
        let calls = case.calls.round(vote.round);
        let losers: Vec<u32> = match (ballot.result, case.scenario.array.rewrite_corrupted) {
            (Ok(_), true) => ballot.losers.iter().map(|&l| calls[l].call.child).collect(),
            _ => Vec::new(),
        };
        let children: Vec<u32> = found.iter().map(|call| call.call.child).collect();
        let right = found.iter().all(|call| Ok(call.call.payload) == ballot.result);
        if children != losers || !right {
            let list = |disks: &[u32]| {
                let names: Vec<String> = disks.iter().map(|d| format!("c{d}")).collect();
                if names.is_empty() { "nobody".into() } else { names.join(", ") }
            };
            let reason = format!(
                "To be overwritten with what won the vote: {}; overwritten: {}.",
                list(&losers),
                list(&children)
            );
            let id = case.entries()[*at].request;
            violations.push(Case::violation("rewrites", id, Some(*at), reason));
        }
    }
    let padded = case
        .disks
        .iter()
        .any(|disk| disk.limits.request_alignment > 1 || disk.bytes != case.disks[0].bytes);
    if padded || !case.scenario.array.inner.is_empty() || case.first_drop() < usize::MAX {
        return;
    }
    let all = case.calls.all.iter().filter(|call| is_repair(case, call));
    if let Some(last) = all.clone().last().filter(|_| all.count() > known) {
        let reason = "A child is overwritten, and no vote that it lost stands before it.";
        let at = Some(last.submitted);
        violations.push(Case::violation("rewrites", None, at, reason.into()));
    }
}

/// Whether a repair takes right bytes away from a child.
pub(super) fn repair_harm(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for vote in reads(case) {
        let Some(right) = vote.right.filter(|_| vote.inside) else { continue };
        let sure = repairs(case, vote).filter(|repair| case.ledger.sure[repair.place]);
        for repair in sure.filter(|repair| repair.call.payload != right) {
            let mut voted = case.calls.round(vote.round).iter();
            let was_right = voted.any(|call| {
                call.call.child == repair.call.child && call.reply() == Some(Ok(right))
            });
            if was_right {
                let child = repair.call.child;
                let reason = format!("c{child} had the right bytes, and is given others.");
                let at = Some(repair.submitted);
                violations.push(Case::violation("repair-harm", None, at, reason));
            }
        }
    }
}

fn reads<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c Vote> {
    case.ledger.votes.iter().filter(|vote| is_read(vote))
}

fn is_read(vote: &Vote) -> bool {
    vote.classified.op == OpType::Read
}

/// What children are overwritten with right behind a vote, before anything else happens.
fn repairs<'c, 'a>(case: &'c Case<'a>, vote: &Vote) -> impl Iterator<Item = &'c Call<'a>> {
    let calls = case.calls.round(vote.round);
    let (offset, bytes) = (calls[0].call.offset, calls[0].call.bytes);
    let at = calls.iter().filter_map(|call| case.settled(call)).max().unwrap_or(calls[0].submitted);
    let first = case.calls.all.partition_point(|call| call.submitted < at);
    let mut seen = at + 1;
    let behind = case.calls.all[first..].iter().take_while(move |call| {
        let between = &case.entries()[seen..call.submitted];
        seen = call.submitted;
        between.iter().all(|entry| {
            let what = &entry.what;
            let event = matches!(what, What::Event(_) | What::Heard(_));
            event || matches!(what, What::Submit(_) | What::Injected { .. } | What::Spared { .. })
        })
    });
    behind.filter(move |call| {
        // It may be just what one who gave up had to write.
        let may_be = call.call.kind == OpKind::Write && !case.ledger.sure[call.place];
        (may_be || is_repair(case, call)) && (call.call.offset, call.call.bytes) == (offset, bytes)
    })
}

fn is_repair(case: &Case<'_>, call: &Call<'_>) -> bool {
    let owner = case.ledger.owners[call.place];
    let reads = |owner: usize| matches!(case.requests[owner].op, GuestOp::Read { .. });
    call.call.kind == OpKind::Write && owner.is_some_and(reads)
}
