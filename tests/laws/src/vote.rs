//! What holds of every vote.

use arbitrary::{Result as Drawn, Unstructured};
use bytes::Bytes;
use quorate_engine::{
    Errno, Result,
    vote::{self, ReadVerdict},
};
use quorate_scenarios::spec::{self, Ballot};

/// The answers of up to sixteen children to one read, and a threshold that they can meet. Few answers
/// differ, and those mostly in a byte or two.
///
/// # Errors
/// Never: bytes that are not there are zeroes.
pub fn replies(from: &mut Unstructured<'_>) -> Drawn<(Vec<Result<Bytes>>, usize)> {
    let children = from.int_in_range(1..=16)?;
    let threshold = from.int_in_range(1..=children)?;
    let length = from.choose(&[512, 1, 0, 511, 700, 16, 64, 4096])?;
    let mut replies = Vec::new();
    for _ in 0..children {
        replies.push(match from.int_in_range(0..=7)? {
            7 => Err(from.choose(&[Errno::EIO, Errno::ENOSPC, Errno::EPERM]).copied()?),
            differences => {
                let mut data = vec![0x41; *length];
                for _ in 0..differences / 3 {
                    let at = from.int_in_range(0..=u16::MAX)?;
                    if let Some(byte) = data.get_mut(usize::from(at)) {
                        *byte ^= from.int_in_range(0..=3)?;
                    }
                }
                Ok(data.into())
            }
        });
    }
    Ok((replies, threshold))
}

/// Asserts that the vote on these replies is that of the specification, and that what it says is so.
///
/// # Panics
/// If it is not.
pub fn right(replies: &[Result<Bytes>], threshold: usize) {
    let verdict = vote::read(replies, threshold);
    let specified = spec::read(&names(replies), threshold);
    assert_eq!(said(replies, &verdict), specified, "{verdict:?}");
    assert_eq!(vote::count(replies, threshold), spec::enough(&names(replies), threshold));
    let versions = vote::versions(replies);
    let members: usize = versions.iter().map(Vec::len).sum();
    assert_eq!(members, replies.iter().flatten().count(), "everybody who answered votes once");
    for version in &versions {
        assert!(version.iter().all(|&member| replies[member] == replies[version[0]]));
    }
    for pair in replies.iter().flatten().collect::<Vec<_>>().windows(2) {
        let expected = (0..pair[0].len()).find(|&at| pair[0][at] != pair[1][at]);
        assert_eq!(vote::first_difference(pair[0], pair[1]), expected);
    }
}

/// The replies by the number of the first child that answered the same.
fn names(replies: &[Result<Bytes>]) -> Vec<Result<usize>> {
    let first = |reply| replies.iter().position(|other| other == reply).expect("it is one of them");
    replies.iter().map(|reply| reply.as_ref().map(|_| first(reply)).map_err(|e| *e)).collect()
}

/// A verdict in the words of the specification.
fn said(replies: &[Result<Bytes>], verdict: &ReadVerdict) -> Ballot<usize> {
    let won = |winner: usize, losers| {
        let result = names(replies)[winner];
        assert_eq!(result, Ok(winner), "the first member of a version speaks for it");
        Ballot { result, losers, failure: false }
    };
    let failed = |error| Ballot { result: Err(error), losers: Vec::new(), failure: true };
    match verdict {
        ReadVerdict::Unanimous { winner } => won(*winner, Vec::new()),
        ReadVerdict::Majority { winner, dissent } => won(*winner, dissent.clone()),
        ReadVerdict::NoMajority => failed(Errno::EIO),
        ReadVerdict::TooFew { error } => failed(*error),
    }
}
