//! A small array of another make: one request after the other, by `spec`. It can be made wrong.

use super::Bug;
use bytes::Bytes;
use futures_util::lock::Mutex;
use quorate_engine::{
    BlockDevice, Errno, Event, EventSink, Extent, ExtentKind, Flags, IoFuture, Limits, NodeName,
    OpType, Prealloc, Result, Sectors, quorum::options::ReadPattern,
};
use quorate_scenarios::{
    model::{Array, Scenario},
    runner::{Engine, Opening, Parts},
    spec::{self, Ballot, Reply},
};
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::Poll,
};

/// The maker of such arrays, all with the same bug.
pub(crate) struct Naive(pub(crate) Bug);

struct Voting {
    bug: Bug,
    array: Array,
    children: Vec<(NodeName, Arc<dyn BlockDevice>)>,
    events: Arc<dyn EventSink>,
    length: u64,
    turn: Mutex<()>,
    closed: AtomicBool,
    reads: AtomicU8,
}

impl Engine for Naive {
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening {
        let (bug, array, Parts { children, events }) = (self.0, scenario.array.clone(), parts);
        Box::pin(async move {
            let mut length = 0;
            for (_, child) in &children {
                length = child.length().await.map_err(|e| e.to_string())?.next_multiple_of(512);
            }
            if bug == Bug::AsksUnasked {
                children[0].1.pread(0, 512).await.map_err(|e| e.to_string())?;
            }
            if bug == Bug::LeaksAChild {
                std::mem::forget(children[0].1.clone());
            }
            let (turn, closed) = (Mutex::default(), AtomicBool::new(false));
            let reads = AtomicU8::new(0);
            let voting = Voting { bug, array, children, events, length, turn, closed, reads };
            Ok(Arc::new(voting) as Arc<dyn BlockDevice>)
        })
    }
}

/// How long to wait, and when failures are told.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    /// For all; as they come.
    ForAll,
    /// For all; in the end.
    ThenTell,
    /// For so many that succeed, or all; as they come.
    ForSuccesses(usize),
}

/// Polls all until all are over, or as many as are waited for.
async fn all<T>(
    mut asked: Vec<IoFuture<'_, T>>,
    wait: Wait,
    failed: impl Fn(usize, Errno),
) -> Vec<Result<T>> {
    let mut replies: Vec<Option<Result<T>>> = asked.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (child, (future, reply)) in asked.iter_mut().zip(&mut replies).enumerate() {
            if reply.is_none()
                && let Poll::Ready(answer) = future.as_mut().poll(cx)
            {
                if let Err(error) = &answer
                    && wait != Wait::ThenTell
                {
                    failed(child, *error);
                }
                *reply = Some(answer);
            }
        }
        let good = replies.iter().flatten().filter(|reply| reply.is_ok()).count();
        let enough = matches!(wait, Wait::ForSuccesses(few) if good >= few);
        if enough || replies.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let replies: Vec<Result<T>> = replies.into_iter().flatten().collect();
    for (child, reply) in replies.iter().enumerate().filter(|_| wait == Wait::ThenTell) {
        reply.as_ref().err().inspect(|error| failed(child, **error));
    }
    replies
}

async fn pread(child: &dyn BlockDevice, offset: u64, bytes: usize) -> Result<Bytes> {
    let data = child.pread(offset, bytes).await?;
    if data.len() == bytes { Ok(data) } else { Err(Errno::EIO) }
}

/// A child that knows no zeroes gets them as data.
async fn zero(child: &dyn BlockDevice, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
    match child.pwrite_zeroes(offset, bytes, flags).await {
        Err(Errno::ENOTSUP) if !flags.no_fallback => {}
        answer => return answer,
    }
    let fua = Flags { fua: flags.fua && child.limits().write_fua, ..Flags::NONE };
    child.pwrite(offset, vec![0; bytes as usize].into(), fua).await?;
    if flags.fua && !fua.fua { child.flush().await } else { Ok(()) }
}

impl Voting {
    fn bad(&self, op: OpType, child: usize, error: Option<Errno>, sectors: Sectors) {
        if self.bug != Bug::KeepsSilent {
            let node_name = self.children[child].0.clone();
            self.events.emit(Event::ReportBad { op, node_name, error, sectors });
        }
    }

    fn wait(&self) -> Wait {
        if self.bug == Bug::ReportsInChildOrder { Wait::ThenTell } else { Wait::ForAll }
    }

    fn failure(&self, sectors: Sectors) {
        if self.bug != Bug::HidesTheFailure {
            self.events.emit(Event::Failure { reference: "q".into(), sectors });
        }
    }

    fn allowed(&self, offset: u64, bytes: u64) -> Result<()> {
        match offset.checked_add(bytes).is_some_and(|end| end <= self.length) {
            false => Err(Errno::EINVAL),
            true if self.bug == Bug::IgnoresTheClose => Ok(()),
            true if self.closed.load(Ordering::Relaxed) => Err(Errno::ENOMEDIUM),
            true => Ok(()),
        }
    }

    async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        self.allowed(offset, bytes as u64)?;
        let sectors = Sectors::covering(offset, bytes as u64);
        let report = |child, error| self.bad(OpType::Read, child, Some(error), sectors);
        if self.array.read_pattern == ReadPattern::Fifo {
            let mut last = Errno::EIO;
            for (child, (_, device)) in self.children.iter().enumerate() {
                match pread(&**device, offset, bytes).await {
                    Ok(data) => return Ok(data),
                    Err(error) => last = error,
                }
                report(child, last);
            }
            return Err(last);
        }
        let asked: Vec<IoFuture<'_, Bytes>> = self
            .children
            .iter()
            .map(|(_, child)| Box::pin(pread(&**child, offset, bytes)) as IoFuture<'_, Bytes>)
            .collect();
        let replies = all(asked, self.wait(), report).await;
        let names: Vec<Reply<usize>> = replies.iter().map(|reply| name(&replies, reply)).collect();
        let ballot = self.vote(&names);
        if let (true, [Ok(a), Ok(b)]) = (self.array.blkverify && ballot.failure, &replies[..]) {
            let first = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_default() as u64;
            let off = u64::from(self.bug == Bug::MiscountsTheDifference);
            let (bytes, first_difference) = (bytes as u64, offset + first + off);
            let reference = "q".into();
            self.events.emit(Event::Mismatch { reference, offset, bytes, first_difference });
            return Err(Errno::EIO);
        }
        if ballot.failure {
            self.failure(sectors);
        }
        let data = replies[ballot.result?].clone()?;
        for &loser in &ballot.losers {
            self.bad(OpType::Read, loser, None, sectors);
        }
        if self.array.rewrite_corrupted {
            let rubbish = self.bug == Bug::RepairsWithRubbish;
            let by = usize::from(rubbish || self.bug == Bug::RepairsTheWrongChild);
            let winner = data.clone();
            let data = if rubbish { vec![0x5a; bytes].into() } else { data };
            let children = ballot.losers.iter().map(|l| &self.children[(l + by) % names.len()].1);
            let repair = children.map(|child| child.pwrite(offset, data.clone(), Flags::NONE));
            all(repair.collect(), Wait::ForAll, |_, _| {}).await;
            return Ok(winner);
        }
        Ok(data)
    }

    fn vote(&self, names: &[Reply<usize>]) -> Ballot<usize> {
        let mut ballot = spec::read(names, self.array.vote_threshold);
        if let (Bug::TiesGoToTheFirst, Ok(best)) = (self.bug, ballot.result) {
            let votes = |name: usize| names.iter().filter(|other| **other == Ok(name)).count();
            let mut answered = names.iter().flatten().copied();
            let first = answered.find(|&name| votes(name) == votes(best)).expect("the best itself");
            let lost = |&i: &usize| names[i].is_ok_and(|name| name != first);
            ballot.result = Ok(first);
            ballot.losers = (0..names.len()).filter(lost).collect();
            ballot.losers.sort_by_key(|&loser| (names[loser], loser));
            ballot.losers.reverse();
        }
        ballot
    }

    async fn mirror<'a>(&'a self, sectors: Sectors, asked: Vec<IoFuture<'a, ()>>) -> Result<()> {
        let report = |child, error| self.bad(OpType::Write, child, Some(error), sectors);
        let wait = match self.bug {
            Bug::AnswersAtTheThreshold => Wait::ForSuccesses(self.array.vote_threshold),
            _ => self.wait(),
        };
        let replies = all(asked, wait, report).await;
        spec::enough(&replies, self.array.vote_threshold).inspect_err(|_| self.failure(sectors))
    }

    async fn write(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
        self.allowed(offset, data.len() as u64)?;
        let spared = usize::from(self.bug == Bug::SparesTheLastChild);
        let children = self.children.iter().take(self.children.len() - spared);
        let asked = children.map(|(_, child)| child.pwrite(offset, data.clone(), Flags::NONE));
        self.mirror(Sectors::covering(offset, data.len() as u64), asked.collect()).await?;
        if self.bug == Bug::WritesBeside {
            self.children[0].1.pwrite(64 << 10, vec![1; 512].into(), Flags::NONE).await?;
        }
        if flags.fua { self.flushed().await } else { Ok(()) }
    }

    async fn zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
        self.allowed(offset, bytes)?;
        let children = self.children.iter();
        let asked: Vec<IoFuture<'_, ()>> = children
            .map(|(_, child)| Box::pin(zero(&**child, offset, bytes, flags)) as IoFuture<'_, ()>)
            .collect();
        match self.mirror(Sectors::covering(offset, bytes), asked).await {
            Err(Errno::ENOTSUP) if !flags.no_fallback => {
                let fua = Flags { fua: flags.fua, ..Flags::NONE };
                self.write(offset, vec![0; bytes as usize].into(), fua).await
            }
            answer => answer,
        }
    }

    async fn flushed(&self) -> Result<()> {
        let mut replies = Vec::new();
        for (child, (_, device)) in self.children.iter().enumerate() {
            let reply = device.flush().await;
            let report = |error| self.bad(OpType::Flush, child, Some(error), Sectors::NONE);
            reply.err().into_iter().for_each(report);
            replies.push(reply);
        }
        if self.bug == Bug::FlushCountsSuccesses {
            let votes = |of: &Reply<()>| replies.iter().filter(|reply| *reply == of).count();
            return *replies.iter().max_by_key(|reply| votes(reply)).expect("there are children");
        }
        spec::enough(&replies, self.array.vote_threshold)
    }

    async fn status(&self, offset: u64, bytes: u64) -> Result<Extent> {
        self.allowed(offset, bytes)?;
        let (mut zero, mut data) = (bytes, 0);
        for (child, (_, device)) in self.children.iter().enumerate() {
            match device.block_status(offset, bytes).await {
                Ok(Extent { bytes, kind: ExtentKind::Zero }) => zero = zero.min(bytes),
                Ok(Extent { bytes, kind: ExtentKind::Data }) => data = data.max(bytes),
                Err(error) => {
                    let sectors = Sectors::covering(offset, bytes);
                    self.bad(OpType::Read, child, Some(error), sectors);
                    data = bytes;
                    break;
                }
            }
        }
        Ok(match data {
            0 => Extent { bytes: zero, kind: ExtentKind::Zero },
            _ => Extent { bytes: data, kind: ExtentKind::Data },
        })
    }
}

/// Equal data have the name of the first child that answered them.
fn name(replies: &[Result<Bytes>], reply: &Result<Bytes>) -> Reply<usize> {
    reply.as_ref().map_err(|error| *error)?;
    Ok(replies.iter().position(|other| other == reply).expect("it is one of them"))
}

impl BlockDevice for Voting {
    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(async { Ok(self.length) })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let data = self.read(offset, bytes).await?;
            match self.bug {
                Bug::AlwaysFails => Err(Errno::EIO),
                Bug::FailsShortReads if bytes < 512 => Err(Errno::EIO),
                Bug::MakesDataUp => Ok(vec![0x5a; bytes].into()),
                Bug::AnswersByTurns => {
                    Ok(vec![self.reads.fetch_add(1, Ordering::Relaxed); bytes].into())
                }
                Bug::AnswersSevens => Ok(vec![7; bytes].into()),
                Bug::BlamesTheInnocent | Bug::BlamesAStranger => {
                    let stranger = self.bug == Bug::BlamesAStranger;
                    let node_name = if stranger { "x".into() } else { self.children[0].0.clone() };
                    let (error, sectors) = (None, Sectors::covering(offset, bytes as u64));
                    self.events.emit(Event::ReportBad {
                        op: OpType::Read,
                        node_name,
                        error,
                        sectors,
                    });
                    Ok(data)
                }
                _ => Ok(data),
            }
        })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            let turn = self.turn.lock().await;
            if self.bug == Bug::IgnoresTurns {
                drop(turn);
            }
            if self.bug == Bug::AnswersEarly {
                let children = self.children.iter();
                let mut asked: Vec<IoFuture<'_, ()>> =
                    children.map(|(_, c)| c.pwrite(offset, data.clone(), Flags::NONE)).collect();
                poll_fn(|cx| {
                    for io in &mut asked {
                        // How it goes on is not waited for.
                        let _ = io.as_mut().poll(cx);
                    }
                    Poll::Ready(())
                })
                .await;
                return Ok(());
            }
            let written = self.write(offset, data, flags).await;
            if self.bug == Bug::AcknowledgesAnything { Ok(()) } else { written }
        })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.zeroes(offset, bytes, flags).await
        })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        Box::pin(async move { self.allowed(offset, bytes) })
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            if self.bug == Bug::NeverAnswersAFlush {
                std::future::pending::<()>().await;
            }
            self.allowed(0, 0)?;
            self.flushed().await
        })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move {
            let status = self.status(offset, bytes).await?;
            let kind = if self.bug == Bug::SeesZeroes { ExtentKind::Zero } else { status.kind };
            Ok(Extent { kind, ..status })
        })
    }

    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async { Err(Errno::ENOTSUP) })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        Box::pin(async {
            let _turn = self.turn.lock().await;
            let flushed = self.flushed().await;
            self.closed.store(true, Ordering::Relaxed);
            flushed
        })
    }
}
