//! The votes, as pure functions over replies.
//!
//! The rules are those of QEMU 10.0.2. A *version* is a set of children that answered with the same
//! bytes. Everything that has to be decided (who wins, who is blamed and in which order, which error
//! a failed request gets) is decided here; the shell in `quorum` only obeys.

use crate::errno::{Errno, Result};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt;

/// What a read vote came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReadVerdict {
    /// Every child that answered agrees; `winner` is one of them.
    Unanimous {
        /// The index of the reply to hand out.
        winner: usize,
    },
    /// One version won.
    Majority {
        /// The index of the reply to hand out.
        winner: usize,
        /// Who is to be reported (and, if so configured, overwritten), in this order.
        dissent: Vec<usize>,
    },
    /// Enough children answered, but no version has enough votes. Nobody is blamed.
    NoMajority,
    /// Fewer children answered than the threshold asks for.
    TooFew {
        /// The error that won the error vote.
        error: Errno,
    },
}

/// Votes on the replies of all children to one read.
///
/// # Panics
/// If there are no replies, or the threshold is 0 or greater than their number.
pub fn read(replies: &[Result<Bytes>], threshold: usize) -> ReadVerdict {
    if let Err(error) = count(replies, threshold) {
        return ReadVerdict::TooFew { error };
    }
    let mut successes = replies.iter().enumerate().filter_map(|(i, r)| Some((i, r.as_ref().ok()?)));
    let (first, data) = successes.next().expect("the threshold is at least 1 and was reached");
    if successes.all(|(_, other)| other == data) {
        return ReadVerdict::Unanimous { winner: first };
    }
    let mut versions = versions(replies);
    let winner = winner(versions.iter().map(Vec::len));
    if versions[winner].len() < threshold {
        return ReadVerdict::NoMajority;
    }
    let winner = versions.remove(winner)[0];
    // As quorum_report_bad_versions: newest version first, and in it the newest voter first.
    let dissent = versions.into_iter().rev().flat_map(|v| v.into_iter().rev()).collect();
    ReadVerdict::Majority { winner, dissent }
}

/// Whether enough children succeeded; else the error that the request fails with.
///
/// This is the whole vote of a write and of a flush, and the first half of a read's.
///
/// # Errors
/// The winner of the error vote, where fewer than `threshold` children succeeded.
///
/// # Panics
/// If there are no replies, or the threshold is 0 or greater than their number.
pub fn count<T>(replies: &[Result<T>], threshold: usize) -> Result<()> {
    assert!(threshold >= 1, "a threshold of 0 would let every request succeed");
    assert!(
        threshold <= replies.len(),
        "a threshold above the number of children is never reached"
    );
    if replies.iter().filter(|r| r.is_ok()).count() >= threshold {
        return Ok(());
    }
    let mut errors: Vec<(Errno, usize)> = Vec::new();
    for error in replies.iter().filter_map(|r| r.as_ref().err()) {
        match errors.iter_mut().find(|(e, _)| e == error) {
            Some((_, votes)) => *votes += 1,
            None => errors.push((*error, 1)),
        }
    }
    Err(errors[winner(errors.iter().map(|(_, votes)| *votes))].0)
}

/// Groups the children that answered by what they answered, in order of each group's first member.
#[must_use]
pub fn versions(replies: &[Result<Bytes>]) -> Vec<Vec<usize>> {
    let mut versions: Vec<(&Bytes, Vec<usize>)> = Vec::new();
    for (index, data) in replies.iter().enumerate().filter_map(|(i, r)| Some((i, r.as_ref().ok()?)))
    {
        match versions.iter_mut().find(|(d, _)| *d == data) {
            Some((_, members)) => members.push(index),
            None => versions.push((data, vec![index])),
        }
    }
    versions.into_iter().map(|(_, members)| members).collect()
}

/// The offset of the first byte in which two replies differ.
///
/// # Panics
/// If they have two lengths.
#[must_use]
pub fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    assert_eq!(a.len(), b.len(), "replies to one request have one length");
    if a == b { None } else { a.iter().zip(b).position(|(a, b)| a != b) }
}

/// Most votes win. As quorum_get_vote_winner, which walks a list that new versions are put at the
/// head of and only moves on for strictly more votes: on a tie the version first seen *last* wins.
fn winner(votes: impl Iterator<Item = usize>) -> usize {
    let best = votes.enumerate().max_by_key(|&(first_seen, votes)| (votes, first_seen));
    best.expect("somebody voted").0
}

/// The name of a version: the SHA-256 of its bytes, as QEMU's vote tells versions apart.
///
/// The vote itself compares bytes, which gives the same groups without hashing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionName([u8; 32]);

impl VersionName {
    /// The name of these bytes.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }
}

impl fmt::Display for VersionName {
    /// In full, or with `{:.8}` its first eight digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(64).min(64);
        let text: String = self.0.iter().map(|b| format!("{b:02x}")).collect();
        f.write_str(&text[..digits])
    }
}

impl fmt::Debug for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:.8}")
    }
}
