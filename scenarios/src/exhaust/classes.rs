//! What children can answer, up to the names of contents and errors.
//!
//! Only which children answered the same can matter, and their order. So each new content is the next
//! letter, and each new error the next of a list: these are the set partitions of those that succeed
//! and of those that fail.

use crate::spec::{Reply, request::Content};
use quorate_engine::Errno;

/// What answers to an operation can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Data, or an error.
    Data,
    /// Success, or an error.
    Outcome,
    /// Success, `ENOTSUP`, or another error.
    MaybeUnsupported,
}

/// Every list of answers of so many children.
pub(super) fn lists(kind: Kind, children: usize) -> Vec<Vec<Reply<Content>>> {
    let mut lists = vec![Vec::new()];
    for _ in 0..children {
        let longer = lists.iter().flat_map(|list: &Vec<Reply<Content>>| {
            next(kind, list).into_iter().map(|reply| [list.as_slice(), &[reply]].concat())
        });
        lists = longer.collect();
    }
    lists
}

/// What may come behind these answers: anything that was answered before, or the next new name.
pub(super) fn next(kind: Kind, before: &[Reply<Content>]) -> Vec<Reply<Content>> {
    let known = |reply: &Reply<Content>| before.contains(reply);
    let mut next = Vec::new();
    match kind {
        Kind::Data => up_to_one_new(CONTENTS.iter().map(|name| Ok(Some(*name))), known, &mut next),
        Kind::Outcome => next.push(Ok(None)),
        Kind::MaybeUnsupported => next.extend([Ok(None), Err(Errno::ENOTSUP)]),
    }
    up_to_one_new(ERRORS.iter().map(|errno| Err(*errno)), known, &mut next);
    next
}

fn up_to_one_new(
    names: impl Iterator<Item = Reply<Content>>,
    known: impl Fn(&Reply<Content>) -> bool,
    to: &mut Vec<Reply<Content>>,
) {
    for name in names {
        to.push(name);
        if !known(&name) {
            return;
        }
    }
}

/// The names of contents.
pub(super) const CONTENTS: [char; super::CHILDREN_MAX] = ['A', 'B', 'C', 'D', 'E', 'F'];

/// As the engine gives `EIO` of its own accord, it stands for itself; no order by number or by name.
pub(super) const ERRORS: [Errno; super::CHILDREN_MAX] =
    [Errno::EIO, Errno::ENOSPC, Errno::EPERM, Errno::ETIMEDOUT, Errno::EACCES, Errno::ENOMEDIUM];
