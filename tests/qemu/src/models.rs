//! Engines that have one thing wrong: the comparison with the real QEMU has to notice each.
//!
//! They read and write in a way of their own, which is right but for the mistake: the same without a mistake has to
//! be like QEMU, too.

use super::{given_seed, qemu, say};
use bytes::Bytes;
use futures_util::future::join_all;
use quorate_engine::{
    BlockDevice, Errno, Event, EventSink, Extent, Flags, IoFuture, Limits, NodeName, OpType,
    Prealloc, Quorum, Result, Sectors, quorum::options::ReadPattern,
};
use quorate_qemu::Program;
use quorate_scenarios::{
    catalog,
    diff::{NotCompared, Pace, Twin},
    expand::expand,
    model::{self, Scenario},
    runner::{self, Engine, Opening, Parts, Scratch},
};
use std::{collections::BTreeMap, sync::Arc};

/// So many cases have to do.
const CASES: u64 = 1000;
const SEED: u64 = 0;
/// No request of a profile is longer.
const LONG: u32 = 1 << 20;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// Of equally frequent errors the one seen first wins.
    OldestError,
    /// Of equally frequent versions the one seen first wins.
    OldestVersion,
    /// A version needs one vote more than the threshold.
    OneMore,
    /// Flushes as they were in 2014: a success is one more version, and nobody is reported.
    FlushOf2014,
    /// Who lost a vote is not overwritten.
    NoRewrite,
    /// What is to be durable at once is not.
    NoFua,
    /// In pattern fifo the last child comes first.
    LastFirst,
    /// In pattern fifo reads are voted on.
    FifoVotes,
    /// Zeroes that a child refuses are not written instead.
    NoFallback,
    /// Reads report who failed in the order of the children, once all have answered.
    ReportsSorted,
}

pub(super) const MISTAKES: [Mistake; 10] = [
    Mistake::OldestError,
    Mistake::OldestVersion,
    Mistake::OneMore,
    Mistake::FlushOf2014,
    Mistake::NoRewrite,
    Mistake::NoFua,
    Mistake::LastFirst,
    Mistake::FifoVotes,
    Mistake::NoFallback,
    Mistake::ReportsSorted,
];

#[test]
fn what_is_wrong_is_noticed_when_answers_are_ordered() {
    let Some(program) = qemu() else { return };
    notices(&program, Pace::Ordered, &MISTAKES);
}

#[test]
fn what_is_wrong_is_noticed_at_full_speed() {
    let Some(program) = qemu() else { return };
    // The order of reports is not compared then.
    let seen = MISTAKES.into_iter().filter(|mistake| *mistake != Mistake::ReportsSorted);
    notices(&program, Pace::Fast, &seen.collect::<Vec<_>>());
}

/// Runs the profiles until each mistake has been noticed.
fn notices(program: &Program, pace: Pace, mistakes: &[Mistake]) {
    let first = given_seed().unwrap_or(SEED);
    let profiles: Vec<_> = catalog::all().filter(|profile| profile.random.is_some()).collect();
    let twin = || Twin::new(program, pace);
    let of = |mistake| twin().of_engine(engine(mistake));
    let right = [("the engine", twin()), ("a model without a mistake", of(None))];
    let mut unnoticed: Vec<_> =
        mistakes.iter().map(|&mistake| (mistake, of(Some(mistake)))).collect();
    let mut scratch = Scratch::default();
    let (mut cases, mut noticed) = (0, BTreeMap::new());
    for seed in (0..CASES).map(|number| first.wrapping_add(number)) {
        if unnoticed.is_empty() {
            break;
        }
        let number = seed % profiles.len() as u64;
        let profile = &profiles[usize::try_from(number).expect("below the length of a list")];
        let scenario = expand(profile, seed);
        let mut parts = |twin: &Twin| match twin.compare(&scenario, &mut scratch) {
            Ok(both) => Some(both.violation),
            Err(NotCompared::Unsuited(_)) => None,
            Err(other) => panic!("{}:{seed}: {other:?}", profile.name),
        };
        let mut differences = right.iter().filter_map(|(name, twin)| Some((name, parts(twin)?)));
        let Some((name, difference)) = differences.next() else { continue };
        cases += 1;
        for (name, difference) in std::iter::once((name, difference)).chain(differences) {
            assert_eq!(difference, None, "{name} differs in {}:{seed}", profile.name);
        }
        unnoticed.retain(|(mistake, twin)| {
            let Some(Some(difference)) = parts(twin) else { return true };
            noticed.insert(format!("{mistake:?}"), (cases, difference.check));
            false
        });
    }
    let unnoticed: Vec<_> = unnoticed.iter().map(|(mistake, _)| *mistake).collect();
    assert!(
        unnoticed.is_empty(),
        "{CASES} cases from seed {first} on were no answer to {unnoticed:?}"
    );
    let words =
        noticed.iter().map(|(name, (after, by))| format!("{name} after {after} by its {by}"));
    say(&format!(
        "qemu {}, {pace:?}: in {cases} cases from seed {first} on the engine has no difference; wrong ones are \
         noticed: {}",
        program.version(),
        words.collect::<Vec<_>>().join(", "),
    ));
}

/// An array of ours but for a mistake, or without one.
pub(super) fn engine(mistake: Option<Mistake>) -> Arc<dyn Engine> {
    Arc::new(move |scenario: &Scenario, parts: Parts| -> Opening {
        let array = scenario.array.clone();
        Box::pin(async move {
            let (children, events) = (parts.children.clone(), parts.events.clone());
            let limits = children.iter().map(|(_, child)| child.limits());
            let is_plain = limits.into_iter().all(|limits| {
                limits.request_alignment == 1
                    && limits.max_transfer.is_none_or(|most| most >= LONG)
                    && limits.zeroes.is_some()
            });
            let right = runner::quorum(&array, parts).await?;
            let model = Model { right, array, children, events, is_plain, mistake };
            Ok(Arc::new(model) as Arc<dyn BlockDevice>)
        })
    })
}

/// An array that has one thing wrong at most, and is ours wherever that does not show.
struct Model {
    right: Arc<Quorum>,
    array: model::Array,
    children: Vec<(NodeName, Arc<dyn BlockDevice>)>,
    events: Arc<dyn EventSink>,
    /// Whether its children take every request as it is.
    is_plain: bool,
    mistake: Option<Mistake>,
}

impl Model {
    fn has(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn bad(&self, op: OpType, child: usize, error: Option<Errno>, sectors: Sectors) {
        let node_name = self.children[child].0.clone();
        self.events.emit(Event::ReportBad { op, node_name, error, sectors });
    }

    fn failure(&self, sectors: Sectors) {
        self.events.emit(Event::Failure { reference: "q".into(), sectors });
    }

    /// Asks all children at once. Who fails is reported as the answer comes.
    async fn ask_all<'a, T>(
        &'a self,
        op: OpType,
        sectors: Sectors,
        ask: impl Fn(&'a dyn BlockDevice) -> IoFuture<'a, T>,
    ) -> Vec<Result<T>> {
        let is_sorted = self.has(Mistake::ReportsSorted) && op == OpType::Read;
        let asked = self.children.iter().enumerate().map(|(number, (_, child))| {
            let asked = ask(&**child);
            async move {
                let reply = asked.await;
                if let (Err(error), false) = (&reply, is_sorted) {
                    self.bad(op, number, Some(*error), sectors);
                }
                reply
            }
        });
        let replies = join_all(asked).await;
        for (number, reply) in replies.iter().enumerate() {
            if let (Err(error), true) = (reply, is_sorted) {
                self.bad(op, number, Some(*error), sectors);
            }
        }
        replies
    }

    /// Whether enough children have done it.
    fn enough<T: PartialEq>(&self, replies: &[Result<T>], sectors: Sectors) -> Result<()> {
        let failed: Vec<usize> = (0..replies.len()).filter(|&n| replies[n].is_err()).collect();
        if replies.len() - failed.len() >= self.array.vote_threshold {
            return Ok(());
        }
        self.failure(sectors);
        let winner = winner(replies, &failed, self.has(Mistake::OldestError));
        Err(*replies[winner].as_ref().err().expect("it has failed"))
    }

    async fn read_voted(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let sectors = Sectors::covering(offset, bytes as u64);
        let read = self.ask_all(OpType::Read, sectors, |child| whole(child, offset, bytes));
        let replies = read.await;
        self.enough(&replies, sectors)?;
        let answered: Vec<usize> = (0..replies.len()).filter(|&n| replies[n].is_ok()).collect();
        let best = winner(&replies, &answered, self.has(Mistake::OldestVersion));
        let is_other = |child: &usize| replies[*child] != replies[best];
        let mut losers: Vec<usize> = answered.iter().copied().filter(is_other).collect();
        let more = usize::from(self.has(Mistake::OneMore));
        let needed = (self.array.vote_threshold + more).min(self.children.len());
        if !losers.is_empty() && votes(&replies, best) < needed {
            self.failure(sectors);
            return Err(Errno::EIO);
        }
        losers.sort_by_key(|&child| (first(&replies, child), child));
        losers.reverse();
        losers.iter().for_each(|&child| self.bad(OpType::Read, child, None, sectors));
        let data = replies[best].clone()?;
        if self.array.rewrite_corrupted && !self.has(Mistake::NoRewrite) {
            let write =
                |child: &usize| self.children[*child].1.pwrite(offset, data.clone(), Flags::NONE);
            join_all(losers.iter().map(write)).await;
        }
        Ok(data)
    }

    async fn read_from_the_last(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let mut last = Err(Errno::EIO);
        for child in (0..self.children.len()).rev() {
            last = whole(&*self.children[child].1, offset, bytes).await;
            let Err(error) = last else { break };
            let sectors = Sectors::covering(offset, bytes as u64);
            self.bad(OpType::Read, child, Some(error), sectors);
        }
        last
    }

    async fn write(&self, offset: u64, data: Bytes, fua: bool) -> Result<()> {
        let sectors = Sectors::covering(offset, data.len() as u64);
        let write = self.ask_all(OpType::Write, sectors, |child| {
            child.pwrite(offset, data.clone(), Flags::NONE)
        });
        let replies = write.await;
        self.enough(&replies, sectors)?;
        if fua { self.flush().await } else { Ok(()) }
    }

    async fn zeroes_or_nothing(&self, offset: u64, bytes: u64) -> Result<()> {
        let sectors = Sectors::covering(offset, bytes);
        let zero = self.ask_all(OpType::Write, sectors, |child| {
            child.pwrite_zeroes(offset, bytes, Flags::NONE)
        });
        let replies = zero.await;
        self.enough(&replies, sectors)
    }

    async fn flush_of_2014(&self) -> Result<()> {
        let mut replies = Vec::new();
        for (_, child) in &self.children {
            replies.push(child.flush().await);
        }
        let all: Vec<usize> = (0..replies.len()).collect();
        replies[winner(&replies, &all, false)]
    }
}

/// What a child reads, if it is all that was asked for.
fn whole(child: &dyn BlockDevice, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
    Box::pin(async move {
        let data = child.pread(offset, bytes).await?;
        if data.len() == bytes { Ok(data) } else { Err(Errno::EIO) }
    })
}

/// Who was first to answer what wins.
fn winner<T: PartialEq>(replies: &[T], among: &[usize], oldest: bool) -> usize {
    let rank = |&child: &usize| {
        let first = first(replies, child);
        (votes(replies, child), if oldest { replies.len() - first } else { first })
    };
    let best = among.iter().copied().max_by_key(rank).expect("somebody voted");
    first(replies, best)
}

fn votes<T: PartialEq>(replies: &[T], of: usize) -> usize {
    replies.iter().filter(|reply| **reply == replies[of]).count()
}

fn first<T: PartialEq>(replies: &[T], like: usize) -> usize {
    replies.iter().position(|reply| *reply == replies[like]).expect("it is like itself")
}

impl BlockDevice for Model {
    fn limits(&self) -> Limits {
        self.right.limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.right.length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        match self.array.read_pattern {
            _ if !self.is_plain => self.right.pread(offset, bytes),
            ReadPattern::Fifo if self.has(Mistake::LastFirst) => {
                Box::pin(self.read_from_the_last(offset, bytes))
            }
            ReadPattern::Fifo if !self.has(Mistake::FifoVotes) => self.right.pread(offset, bytes),
            _ if self.array.blkverify => self.right.pread(offset, bytes),
            _ => Box::pin(self.read_voted(offset, bytes)),
        }
    }

    fn pwrite(&self, offset: u64, data: Bytes, mut flags: Flags) -> IoFuture<'_, ()> {
        flags.fua &= !self.has(Mistake::NoFua);
        if !self.is_plain {
            return self.right.pwrite(offset, data, flags);
        }
        Box::pin(self.write(offset, data, flags.fua))
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, mut flags: Flags) -> IoFuture<'_, ()> {
        flags.fua &= !self.has(Mistake::NoFua);
        match self.mistake {
            Some(Mistake::NoFallback) if self.is_plain && flags == Flags::NONE => {
                Box::pin(self.zeroes_or_nothing(offset, bytes))
            }
            _ => self.right.pwrite_zeroes(offset, bytes, flags),
        }
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        match self.mistake {
            Some(Mistake::FlushOf2014) => Box::pin(self.flush_of_2014()),
            _ => self.right.flush(),
        }
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.right.pdiscard(offset, bytes)
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.right.block_status(offset, bytes)
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        self.right.truncate(bytes, prealloc)
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.right.close()
    }
}
