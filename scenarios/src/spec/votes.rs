//! The rules of the votes: quadratic, and without shortcuts. This file stands alone, so that the engine's own
//! tests can be held to it as well.

use quorate_engine::Errno;

/// A child's answer.
pub type Reply<T> = Result<T, Errno>;

/// What a vote must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot<T> {
    /// What the request answers.
    pub result: Reply<T>,
    /// The children to be reported for having lost, in order.
    pub losers: Vec<usize>,
    /// Whether the array reports that it found no quorum.
    pub failure: bool,
}

/// A read in quorum pattern: enough children must answer, and enough of them the same.
#[must_use]
pub fn read<T: Copy + PartialEq>(replies: &[Reply<T>], threshold: usize) -> Ballot<T> {
    if let Err(errno) = enough(replies, threshold) {
        return Ballot { result: Err(errno), losers: Vec::new(), failure: true };
    }
    let answered: Vec<usize> = (0..replies.len()).filter(|&i| replies[i].is_ok()).collect();
    let best = winner(replies, &answered);
    let is_other = |i: &usize| replies[*i] != replies[best];
    let mut losers: Vec<usize> = answered.iter().copied().filter(is_other).collect();
    if losers.is_empty() {
        return Ballot { result: replies[best], losers, failure: false };
    }
    if votes(replies, best) < threshold {
        return Ballot { result: Err(Errno::EIO), losers: Vec::new(), failure: true };
    }
    // The version first seen last comes first, and in it the child with the highest number.
    losers.sort_by_key(|&i| (first(replies, i), i));
    losers.reverse();
    Ballot { result: replies[best], losers, failure: false }
}

/// Whether as many children succeeded as must; else the error that most children answered, and of
/// equally frequent errors the one that was first seen last.
///
/// # Errors
/// That error.
pub fn enough<T: Copy + PartialEq>(replies: &[Reply<T>], threshold: usize) -> Result<(), Errno> {
    let failed: Vec<usize> = (0..replies.len()).filter(|&i| replies[i].is_err()).collect();
    if replies.len() - failed.len() >= threshold {
        return Ok(());
    }
    Err(replies[winner(replies, &failed)].err().unwrap_or(Errno::EIO))
}

/// The first of those who answered what most answered.
fn winner<T: PartialEq>(replies: &[Reply<T>], among: &[usize]) -> usize {
    let mut best = among[0];
    for &other in among {
        let more = votes(replies, other) > votes(replies, best);
        let as_many = votes(replies, other) == votes(replies, best);
        if more || as_many && first(replies, other) > first(replies, best) {
            best = other;
        }
    }
    first(replies, best)
}

fn votes<T: PartialEq>(replies: &[Reply<T>], of: usize) -> usize {
    replies.iter().filter(|reply| **reply == replies[of]).count()
}

fn first<T: PartialEq>(replies: &[Reply<T>], like: usize) -> usize {
    (0..=like).find(|&i| replies[i] == replies[like]).unwrap_or(like)
}
