//! Whether each request does what the rules say with what its children answer: who is asked what,
//! in which order failures are reported, what the vote comes to, who is repaired, what is answered.
//!
//! An entry belongs to the request that was polled as it was made. What a dropped request still does is
//! done while others are polled, so only requests that were over before the first one was dropped are
//! followed. The checks that follow no request judge the others, too.

mod questions;

use super::{
    answer::Answer,
    case::{Asked, Case},
    walk::{Ask, BOUNCE_BYTES_MAX, Deviation, Stop, Walk, zeroes},
};
use crate::spec::{self, Reply};
use bytes::Bytes;
use quorate_engine::{Errno, Event, Flags, OpType, Sectors, quorum::options::ReadPattern};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    GuestOp, Violation, What,
    summary::{Form, Shape, Summary},
    trace::Payload,
};
use std::{cell::RefCell, ops::Range};

pub(super) fn conformance(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for asked in judged(case) {
        if let Err(deviation) = Rules::new(case, asked).request() {
            violations.push(Case::violation(
                deviation.check,
                Some(asked.id),
                deviation.entry,
                deviation.reason,
            ));
        }
    }
}

/// Counts the shapes of all votes, and the faults that fired.
pub(super) fn count(case: &Case<'_>, summary: &mut Summary) {
    for shape in case.shapes.borrow().iter() {
        *summary.shapes.entry(*shape).or_default() += 1;
    }
    for (_, entry) in case.notable() {
        if let What::Injected { firing, .. } = &entry.what {
            match summary.faults.get_mut(firing.fault) {
                Some(count) => *count += 1,
                None => drop(summary.faults.insert(firing.fault.into(), 1)),
            }
        }
    }
    summary.child_ios += case.finished.child_ios;
}

/// The requests that can be followed: those of a plain array whose disks take them as they are, and
/// that were over before any request was given up.
fn judged<'a>(case: &'a Case<'a>) -> impl Iterator<Item = &'a Asked<'a>> {
    let scenario = case.scenario;
    let plain = scenario.array.inner.is_empty()
        && case
            .disks
            .iter()
            .all(|disk| disk.limits.request_alignment == 1 && disk.bytes == case.disks[0].bytes);
    let first_drop = case.first_drop();
    // What is never over is so behind every drop.
    let over = move |asked: &&Asked<'_>| asked.over().unwrap_or(usize::MAX) <= first_drop;
    case.requests.iter().filter(move |_| plain).filter(over)
}

/// The rules, as they bear on one request.
pub(super) struct Rules<'a> {
    case: &'a Case<'a>,
    pub(super) asked: &'a Asked<'a>,
    walk: RefCell<Walk<'a>>,
    threshold: usize,
}

impl<'a> Rules<'a> {
    fn new(case: &'a Case<'a>, asked: &'a Asked<'a>) -> Self {
        let walk = RefCell::new(Walk::new(case, asked));
        let threshold = case.scenario.array.vote_threshold;
        Self { case, asked, walk, threshold }
    }

    fn request(&self) -> Result<(), Deviation> {
        match self.answer() {
            Ok(answer) => self.compare(&answer),
            Err(Stop::Unfinished) => match self.asked.completed {
                None => Ok(()),
                Some((at, _)) => Err(Deviation {
                    check: "completion",
                    entry: Some(at),
                    reason: "The request was answered before the rules say it is over.".into(),
                }),
            },
            Err(Stop::Deviation(deviation)) => Err(deviation),
        }
    }

    fn answer(&self) -> Result<Answer, Stop> {
        let op = self.asked.op;
        let answer = match self.case.refused(self.asked) {
            Some(errno) if matches!(op, GuestOp::Read { .. }) => Answer::Data(Err(errno)),
            Some(errno) if matches!(op, GuestOp::BlockStatus { .. }) => Answer::Status(Err(errno)),
            Some(errno) if *op == GuestOp::Length => Answer::Length(Err(errno)),
            Some(errno) => Answer::Done(Err(errno)),
            None => match op {
                GuestOp::Read { offset, bytes } => Answer::Data(self.read(*offset, *bytes)?),
                GuestOp::Write { offset, data, flags } => {
                    Answer::Done(self.write(*offset, data, *flags)?)
                }
                GuestOp::WriteZeroes { offset, bytes, flags } => {
                    Answer::Done(self.write_zeroes(*offset, *bytes, *flags)?)
                }
                GuestOp::Close if self.case.closed_before(self.asked) => Answer::Done(Ok(())),
                GuestOp::Flush => Answer::Done(self.flush()?),
                GuestOp::Close => Answer::Done(self.close()?),
                GuestOp::Discard { .. } | GuestOp::Invalidate => Answer::Done(Ok(())),
                GuestOp::BlockStatus { offset, bytes } => {
                    Answer::Status(Ok(self.block_status(*offset, *bytes)?))
                }
                GuestOp::Length => Answer::Length(self.length()?),
                GuestOp::Truncate { .. } => Answer::Done(Err(Errno::ENOTSUP)),
            },
        };
        self.walk.borrow_mut().end()?;
        Ok(answer)
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Result<Vec<Payload>, Errno>, Stop> {
        let mut pieces = Vec::new();
        let mut done = 0;
        loop {
            let piece = self.cut(bytes - done);
            let reply = match self.case.scenario.array.read_pattern {
                ReadPattern::Quorum => self.read_voted(offset + done, piece)?,
                ReadPattern::Fifo => self.read_first(offset + done, piece)?,
            };
            match reply {
                Ok(payload) => pieces.push(payload),
                Err(errno) => return Ok(Err(errno)),
            }
            done += piece;
            if done == bytes {
                return Ok(Ok(pieces));
            }
        }
    }

    fn read_voted(&self, offset: u64, bytes: u64) -> Result<Reply<Payload>, Stop> {
        let sectors = spec::covering(offset, bytes);
        let ask = ask(OpKind::Read, offset, bytes);
        let disks = self.walk.borrow().members();
        let replies = self.walk.borrow_mut().gather(disks, ask, Some((OpType::Read, sectors)))?;
        self.shape(OpType::Read, &replies);
        let ballot = spec::read(&replies, self.threshold);
        let answered = replies.iter().all(Result::is_ok);
        if self.case.scenario.array.blkverify && ballot.failure && answered {
            self.mismatch(disks, offset, bytes)?;
            return Ok(ballot.result);
        }
        if ballot.failure {
            self.event(&self.failure(sectors))?;
        }
        for &loser in &ballot.losers {
            self.event(&Event::ReportBad {
                op: OpType::Read,
                node_name: self.case.names[disks[loser] as usize].clone(),
                error: None,
                sectors,
            })?;
        }
        if let (Ok(payload), true) = (ballot.result, self.case.scenario.array.rewrite_corrupted) {
            let losers: Vec<u32> = ballot.losers.iter().map(|&loser| disks[loser]).collect();
            let ask = Ask { kind: OpKind::Write, payload, ..ask };
            self.walk.borrow_mut().asking = "rewrites";
            self.walk.borrow_mut().gather(&losers, ask, None)?;
            self.walk.borrow_mut().asking = "fan-out";
        }
        Ok(ballot.result)
    }

    fn mismatch(&self, disks: &[u32], offset: u64, bytes: u64) -> Result<(), Stop> {
        let all = &self.case.finished.compared;
        let answers: Vec<&Bytes> = disks
            .iter()
            .filter_map(|disk| self.walk.borrow().last_answer(*disk))
            .filter_map(|at| Some(&all[all.binary_search_by_key(&at, |(at, _)| *at).ok()?].1))
            .collect();
        let [a, b] = answers[..] else { unreachable!("both children that are compared answered") };
        let first = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_default();
        let (reference, first_difference) = (self.array(), offset + first as u64);
        self.event(&Event::Mismatch { reference, offset, bytes, first_difference })
    }

    fn read_first(&self, offset: u64, bytes: u64) -> Result<Reply<Payload>, Stop> {
        let report = Some((OpType::Read, spec::covering(offset, bytes)));
        let disks = self.walk.borrow().members();
        let mut last = Errno::EIO;
        for (tried, &disk) in disks.iter().enumerate() {
            let ask = ask(OpKind::Read, offset, bytes);
            match self.walk.borrow_mut().one(disk, ask, report)? {
                Ok(payload) => {
                    let first = if tried == 0 { Form::FifoFirst } else { Form::FifoFallback };
                    self.push_shape(OpType::Read, disks.len(), first);
                    return Ok(Ok(payload));
                }
                Err(errno) => last = errno,
            }
        }
        self.push_shape(OpType::Read, disks.len(), Form::FifoNone);
        Ok(Err(last))
    }

    fn write(&self, offset: u64, data: &Bytes, flags: Flags) -> Result<Reply<()>, Stop> {
        let mut done = 0;
        loop {
            let piece = self.cut(data.len() as u64 - done);
            let payload = self.piece_of(self.asked.invoked, data, done..done + piece);
            let ask = Ask { payload, ..ask(OpKind::Write, offset + done, piece) };
            if let Err(errno) = self.mirrored(ask)? {
                return Ok(Err(errno));
            }
            done += piece;
            if done == data.len() as u64 {
                return if flags.fua { self.flush() } else { Ok(Ok(())) };
            }
        }
    }

    fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> Result<Reply<()>, Stop> {
        let (mut done, mut flush) = (0, false);
        while done < bytes {
            let disks = self.walk.borrow().members();
            let caps = |has: fn(quorate_engine::ZeroFlags) -> bool| {
                let mut zeroes = disks.iter().map(|&n| self.case.disks[n as usize].limits.zeroes);
                zeroes.all(|z| z.is_some_and(has))
            };
            if flags.no_fallback && !caps(|z| z.no_fallback) {
                return Ok(Err(Errno::ENOTSUP));
            }
            let fua = flags.fua && caps(|z| z.fua);
            let may_unmap = flags.may_unmap && caps(|z| z.may_unmap);
            let passed = Flags { fua, may_unmap, no_fallback: flags.no_fallback };
            let rest = bytes - done;
            let zero = Ask { flags: passed, ..ask(OpKind::WriteZeroes, offset + done, rest) };
            match self.mirrored(zero)? {
                Err(Errno::ENOTSUP) if !flags.no_fallback => {
                    let piece = self.cut(rest.min(BOUNCE_BYTES_MAX));
                    let payload = zeroes(piece);
                    let ask = Ask { payload, ..ask(OpKind::Write, offset + done, piece) };
                    if let Err(errno) = self.mirrored(ask)? {
                        return Ok(Err(errno));
                    }
                    done += piece;
                    flush |= flags.fua;
                }
                Err(errno) => return Ok(Err(errno)),
                Ok(()) => {
                    done = bytes;
                    flush |= flags.fua && !fua;
                }
            }
        }
        if flush { self.flush() } else { Ok(Ok(())) }
    }

    fn mirrored(&self, ask: Ask) -> Result<Reply<()>, Stop> {
        let sectors = spec::covering(ask.offset, ask.bytes);
        let disks = self.walk.borrow().members();
        let replies = self.walk.borrow_mut().gather(disks, ask, Some((OpType::Write, sectors)))?;
        self.shape(OpType::Write, &replies);
        let enough = spec::enough(&replies, self.threshold);
        if enough.is_err() {
            self.event(&self.failure(sectors))?;
        }
        Ok(enough)
    }

    fn flush(&self) -> Result<Reply<()>, Stop> {
        if self.case.scenario.array.read_only {
            return Ok(Ok(()));
        }
        let disks = self.walk.borrow().members();
        let mut replies = Vec::new();
        for &disk in disks {
            let report = Some((OpType::Flush, Sectors::NONE));
            replies.push(self.walk.borrow_mut().one(disk, ask(OpKind::Flush, 0, 0), report)?);
        }
        self.shape(OpType::Flush, &replies);
        Ok(spec::enough(&replies, self.threshold))
    }

    /// A flush, and then all children are closed. The record has only those closes that a rule could
    /// befall; the first error of all is the answer.
    fn close(&self) -> Result<Reply<()>, Stop> {
        let mut reply = self.flush()?;
        let disks = self.walk.borrow().members();
        for &disk in disks {
            if self.walk.borrow_mut().is_next(disk, OpKind::Close) {
                let closed = self.walk.borrow_mut().one(disk, ask(OpKind::Close, 0, 0), None)?;
                reply = reply.and(closed.map(|_| ()));
            }
        }
        Ok(reply)
    }

    /// The payload of a piece of the data that an entry carries.
    pub(super) fn piece_of(&self, entry: usize, data: &Bytes, piece: Range<u64>) -> Payload {
        if piece == (0..data.len() as u64) {
            return self.case.finished.trace.payload(entry);
        }
        Payload::of(&data.slice(index(piece.start)..index(piece.end)))
    }

    /// How much of a request is voted on as one.
    fn cut(&self, bytes: u64) -> u64 {
        let disks = self.walk.borrow().members();
        let limits = disks.iter().filter_map(|&n| self.case.disks[n as usize].limits.max_transfer);
        limits.map(u64::from).min().unwrap_or(bytes).min(bytes)
    }

    fn event(&self, event: &Event) -> Result<(), Stop> {
        self.walk.borrow_mut().event(event)
    }

    fn failure(&self, sectors: Sectors) -> Event {
        Event::Failure { reference: self.array(), sectors }
    }

    fn array(&self) -> quorate_engine::NodeName {
        "q".into()
    }

    fn shape(&self, op: OpType, replies: &[Reply<Payload>]) {
        let form = match Form::of(replies, self.threshold) {
            Form::NoMajority if self.case.scenario.array.blkverify => Form::Mismatch,
            form => form,
        };
        self.push_shape(op, replies.len(), form);
    }

    fn push_shape(&self, op: OpType, children: usize, form: Form) {
        let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let (children, threshold) = (small(children), small(self.threshold));
        self.case.shapes.borrow_mut().push(Shape { op, children, threshold, form });
    }
}

fn ask(kind: OpKind, offset: u64, bytes: u64) -> Ask {
    Ask { kind, offset, bytes, flags: Flags::NONE, payload: Payload::default() }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("an offset inside a buffer")
}
