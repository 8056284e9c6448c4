//! What must come of a request, by the specification; and mistakes that the laws are to notice.

use super::case::{Case, IMAGE_BYTES, Op, Outcome, WRITTEN, word};
use crate::spec::{self, Ballot, Reply};
use bytes::Bytes;
use quorate_engine::{Errno, Result};

use std::{cmp::Reverse, collections::BTreeSet};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    TiesGoToTheFirst,
    TiesGoToTheLargest,
    TiesGoToTheLatest,
    /// Whoever first has enough votes wins, not who has most.
    FirstToReachWins,
    /// Where one is enough, the first answer is.
    OneIsTheFirst,
    /// The last child has no vote.
    IgnoresTheLast,
    /// Only the first bytes are compared.
    LooksAtTheStart,
    MiscountsTheDifference,
    RepairsTheWrongChild,
}

/// What comes of a request if the array makes this mistake.
pub(super) fn array(case: &Case, mistake: Mistake) -> Outcome {
    let mut images: Vec<Vec<u8>> = case.children.iter().map(|child| child.image.clone()).collect();
    let (sectors, word) = (case.sectors(), word(case.op));
    let bad = |child: usize, error: Errno| format!("! c{child} {word} {error} {sectors}");
    let mut told = Vec::new();
    let in_turn: Vec<usize> = (0..case.children.len()).collect();
    let at_once = matches!(case.op, Op::Read | Op::Write);
    let mut answer = Err(Errno::EIO);
    for &child in if at_once { &case.order } else { &in_turn } {
        match case.reply(child) {
            Ok(data) if case.op == Op::ReadFifo => {
                answer = Ok(Bytes::copy_from_slice(data));
                break;
            }
            Ok(_) if case.op == Op::Write => {
                images[child][case.range.clone()].fill(WRITTEN as u8);
            }
            Ok(_) => {}
            Err(error) => {
                told.push(bad(child, error));
                answer = Err(error);
            }
        }
    }
    match case.op {
        Op::ReadFifo => {}
        Op::Write | Op::Flush => {
            answer = spec::enough(&case.replies(), case.threshold).map(|()| Bytes::new());
            if case.op == Op::Write && answer.is_err() {
                told.push(format!("! q failure {sectors}"));
            }
        }
        Op::Read => answer = read(case, mistake, &mut told, &mut images),
    }
    Outcome { answer, told, images }
}

fn read(
    case: &Case,
    mistake: Mistake,
    told: &mut Vec<String>,
    images: &mut [Vec<u8>],
) -> Result<Bytes> {
    let (sectors, range) = (case.sectors(), case.range.clone());
    let (replies, names) = (case.replies(), names(case, mistake));
    let ballot = vote(case, mistake, &names);
    if let (true, true, [Ok(a), Ok(b)]) = (case.blkverify, ballot.failure, &replies[..]) {
        let first = (0..a.len()).find(|&at| a[at] != b[at]).expect("they differ");
        let off = usize::from(mistake == Mistake::MiscountsTheDifference);
        let (at, bytes) = (range.start + first + off, range.len());
        told.push(format!("! q mismatch {}+{bytes} at {at}", range.start));
        return Err(Errno::EIO);
    }
    if ballot.failure {
        told.push(format!("! q failure {sectors}"));
    }
    let data = replies[ballot.result?]?.to_vec();
    told.extend(ballot.losers.iter().map(|loser| format!("! c{loser} read outvoted {sectors}")));
    for &loser in ballot.losers.iter().filter(|_| case.rewrites) {
        let off = usize::from(mistake == Mistake::RepairsTheWrongChild);
        let repaired = (loser + off) % images.len();
        images[repaired][range.clone()].copy_from_slice(&data);
    }
    Ok(data.into())
}

/// The replies by the number of the first child that answered the same.
fn names(case: &Case, mistake: Mistake) -> Vec<Reply<usize>> {
    let most = if mistake == Mistake::LooksAtTheStart { 32 } else { IMAGE_BYTES };
    let start = |reply: &Result<&[u8]>| reply.map(|data| data[..data.len().min(most)].to_vec());
    let replies: Vec<Result<Vec<u8>>> = case.replies().iter().map(start).collect();
    let first = |reply: &Result<Vec<u8>>| replies.iter().position(|other| other == reply);
    replies
        .iter()
        .map(|reply| match reply {
            Ok(_) => Ok(first(reply).expect("it is one of them")),
            Err(error) => Err(*error),
        })
        .collect()
}

fn vote(case: &Case, mistake: Mistake, names: &[Reply<usize>]) -> Ballot<usize> {
    if mistake == Mistake::IgnoresTheLast && case.threshold < names.len() {
        return spec::read(&names[..names.len() - 1], case.threshold);
    }
    let right = spec::read(names, case.threshold);
    if right.failure {
        return right;
    }
    let voted: BTreeSet<usize> = names.iter().flatten().copied().collect();
    let votes = |name: usize| names.iter().filter(|other| **other == Ok(name)).count();
    let latest =
        |name: usize| case.order.iter().rposition(|&child| names[child] == Ok(name)).unwrap_or(0);
    let mut voted = voted.into_iter();
    let winner = match mistake {
        Mistake::TiesGoToTheFirst => voted.max_by_key(|&name| (votes(name), Reverse(name))),
        Mistake::TiesGoToTheLargest => voted.max_by_key(|&name| (votes(name), case.reply(name))),
        Mistake::TiesGoToTheLatest => voted.max_by_key(|&name| (votes(name), latest(name))),
        Mistake::FirstToReachWins => voted.find(|&name| votes(name) >= case.threshold),
        Mistake::OneIsTheFirst if case.threshold == 1 => voted.next(),
        _ => return right,
    };
    let winner = winner.expect("somebody has enough votes");
    let mut losers: Vec<usize> =
        (0..names.len()).filter(|&i| names[i].is_ok_and(|name| name != winner)).collect();
    losers.sort_by_key(|&loser| Reverse((names[loser], loser)));
    Ballot { result: Ok(winner), losers, failure: false }
}
