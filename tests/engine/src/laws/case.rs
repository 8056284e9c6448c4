//! One request of an array whose children answer by hand, and what comes of it.

use crate::{
    bed::Bed,
    stage::{Stage, full, letters},
    task::Task,
};
use bytes::Bytes;
use proptest::{
    prelude::{Just, Strategy, any, prop, prop_oneof},
    sample::select,
};
use quorate_engine::{BlockDevice, Errno, Flags, Limits, Result, quorum::options::ReadPattern};
use std::{fmt, ops::Range};

/// A request, and what its children come to.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) op: Op,
    pub(super) threshold: usize,
    pub(super) children: Vec<Child>,
    /// In which order the children answer a request that all are asked at once.
    pub(super) order: Vec<usize>,
    pub(super) range: Range<usize>,
    pub(super) rewrites: bool,
    pub(super) blkverify: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Read,
    ReadFifo,
    Write,
    Flush,
}

#[derive(Clone)]
pub(super) struct Child {
    /// All that it holds.
    pub(super) image: Vec<u8>,
    /// How it fails the request, if it does.
    pub(super) error: Option<Errno>,
}

/// What came of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The bytes of a read; none of what else succeeds.
    pub(super) answer: Result<Bytes>,
    /// The events, in order, a line each.
    pub(super) told: Vec<String>,
    /// What the children hold afterwards.
    pub(super) images: Vec<Vec<u8>>,
}

/// Comes to an outcome in some way.
pub(super) type Array<'a> = &'a dyn Fn(&Case) -> Outcome;

impl Case {
    /// The answer of a child to a read.
    pub(super) fn reply(&self, child: usize) -> Result<&[u8]> {
        let Child { image, error } = &self.children[child];
        error.map_or_else(|| Ok(&image[self.range.clone()]), Err)
    }

    pub(super) fn replies(&self) -> Vec<Result<&[u8]>> {
        (0..self.children.len()).map(|child| self.reply(child)).collect()
    }

    /// Whether two answers or two errors have as many votes as any other.
    pub(super) fn has_tie(&self) -> bool {
        let replies = self.replies();
        let votes = |of: &Result<&[u8]>| replies.iter().filter(|reply| *reply == of).count();
        [true, false].into_iter().any(|answered| {
            let voters = || replies.iter().filter(|reply| reply.is_ok() == answered);
            let most = voters().map(votes).max();
            let mut best = voters().filter(|reply| Some(votes(reply)) == most);
            let first = best.next();
            best.any(|other| Some(other) != first)
        })
    }

    /// The sectors of its events.
    pub(super) fn sectors(&self) -> String {
        let (first, end) = (self.range.start / 512, self.range.end.div_ceil(512));
        if self.op == Op::Flush { "0+0".into() } else { format!("{first}+{}", end - first) }
    }
}

/// The engine's own array.
pub(super) fn quorum(case: &Case) -> Outcome {
    let (stage, op) = (Stage::default(), word(case.op));
    let children = case.children.iter().map(|child| {
        let manual = stage.child_of(child.image.clone(), Limits::NONE);
        child.error.inspect(|error| stage.fail(&format!("c{} {op}", manual.child), *error));
        manual
    });
    let children = children.collect();
    let fifo = if case.op == Op::ReadFifo { ReadPattern::Fifo } else { ReadPattern::Quorum };
    let bed = Bed::over(stage, case.threshold, children, |options| {
        options.rewrite_corrupted(case.rewrites).blkverify(case.blkverify).read_pattern(fifo)
    });
    let (offset, bytes) = (case.range.start as u64, case.range.len());
    let at_once = matches!(case.op, Op::Read | Op::Write);
    if at_once {
        bed.stage.hold("c");
    }
    let array = bed.array.clone();
    let mut task = Task::start(async move {
        match case.op {
            Op::Read | Op::ReadFifo => array.pread(offset, bytes).await,
            Op::Write => {
                let data = full(WRITTEN, bytes);
                array.pwrite(offset, data, Flags::NONE).await.map(|()| Bytes::new())
            }
            Op::Flush => array.flush().await.map(|()| Bytes::new()),
        }
    });
    bed.stage.unhold();
    for child in case.order.iter().filter(|_| at_once) {
        assert!(task.waits(), "nobody answers before all have");
        bed.stage.release(&format!("c{child} {op}"));
    }
    let answer = task.done().expect("everybody has answered");
    let told = bed.stage.take().into_iter().filter(|line| line.starts_with('!')).collect();
    let images = (0..case.children.len()).map(|child| bed.stage.image(child)).collect();
    Outcome { answer, told, images }
}

pub(super) fn word(op: Op) -> &'static str {
    match op {
        Op::Read | Op::ReadFifo => "read",
        Op::Write => "write",
        Op::Flush => "flush",
    }
}

/// Requests to up to nine children, most of which agree but for a few bytes.
pub(super) fn cases(ops: &'static [Op]) -> impl Strategy<Value = Case> {
    let length = prop_oneof![Just(IMAGE_BYTES), 1..=IMAGE_BYTES, 1..=700_usize];
    let range = length.prop_flat_map(|bytes| {
        (0..=IMAGE_BYTES - bytes).prop_map(move |offset| offset..offset + bytes)
    });
    // Up to four versions, each with differences of its own from what is right.
    let difference = (0..IMAGE_BYTES, 1..=u8::MAX);
    let version = prop::collection::vec(difference, 1..4);
    let versions = (any::<u8>(), prop::collection::vec(version, 4));
    let reply = select(vec![Some(0), Some(0), Some(1), Some(2), Some(3), Some(4), None]);
    let child = (reply, select(ERRORS));
    let children = prop::collection::vec(child, 1..=9).prop_flat_map(|children| {
        let order = Just((0..children.len()).collect::<Vec<_>>()).prop_shuffle();
        (1..=children.len(), Just(children), order)
    });
    (select(ops), range, versions, children, any::<(bool, bool)>()).prop_map(
        |(op, mut range, (seed, versions), (threshold, children, order), flags)| {
            let right: Vec<u8> = (0..251).cycle().map(|at| at ^ seed).take(IMAGE_BYTES).collect();
            let image = |version: usize| {
                let mut image = right.clone();
                for &(at, mask) in versions.get(version.wrapping_sub(1)).into_iter().flatten() {
                    // Nearly always where it is looked at.
                    let at = if at % 8 == 0 { at } else { range.start + at % range.len() };
                    image[at] ^= mask;
                }
                image
            };
            let children: Vec<Child> = children
                .into_iter()
                .map(|(version, error)| Child {
                    image: image(version.unwrap_or(0)),
                    error: version.is_none().then_some(error),
                })
                .collect();
            if op == Op::Flush {
                range = 0..0;
            }
            let is_pair = op == Op::Read && children.len() == 2 && threshold == 2;
            let (blkverify, rewrites) = (is_pair && flags.0, op == Op::Read && flags.1);
            let rewrites = rewrites && !blkverify;
            Case { op, threshold, children, order, range, rewrites, blkverify }
        },
    )
}

/// What matters of a case, and not all its bytes: children that hold the same have the same letter.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, threshold, children, order, range, rewrites, blkverify } = self;
        let replies = self.replies();
        let letter = |child: usize| match &replies[child] {
            Ok(data) => {
                let first = replies.iter().position(|reply| *reply == Ok(*data)).unwrap_or(child);
                char::from(b'A' + u8::try_from(first).expect("few children")).to_string()
            }
            Err(error) => format!(" {error} "),
        };
        let replies: String = (0..children.len()).map(letter).collect();
        write!(f, "{op:?} {range:?} of {replies}, {threshold} must agree, answered in {order:?}")?;
        write!(f, ", rewrites {rewrites}, blkverify {blkverify}")
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer =
            self.answer.as_ref().map(|data| (data.len(), letters(&data[..data.len().min(8)])));
        write!(f, "{answer:?}, told {:?}", self.told)
    }
}

/// What writes write.
pub(super) const WRITTEN: char = 'w';
/// How much every child holds.
pub(super) const IMAGE_BYTES: usize = 8192;
/// How children fail.
const ERRORS: &[Errno] = &[Errno::EIO, Errno::EIO, Errno::ENOSPC, Errno::EPERM];
