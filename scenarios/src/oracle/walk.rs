//! Follows one request through the record, demanding at each point what the rules say comes next.

use super::case::{Asked, Case};
use crate::spec::Reply;
use quorate_engine::{Errno, Event, Flags, Limits, OpType, Sectors};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    Answer, What, qapi,
    trace::{ChildCall, Payload},
};
use std::cell::Cell;

/// Where the record and the rules part.
pub(super) struct Deviation {
    /// The check that asks for what was not done.
    pub(super) check: &'static str,
    pub(super) entry: Option<usize>,
    pub(super) reason: String,
}

/// Why a walk ends early.
pub(super) enum Stop {
    /// The record and the rules part.
    Deviation(Deviation),
    /// The record of the request ends: the run stalled, or its caller gave up.
    Unfinished,
}

/// The next entries of one request.
pub(super) struct Walk<'a> {
    pub(super) case: &'a Case<'a>,
    asked: &'a Asked<'a>,
    at: usize,
    /// The entry at which the array's children were those that are asked now.
    since: Cell<usize>,
    /// The check that asks for the operations that come next.
    pub(super) asking: &'static str,
}

/// What a child must be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) kind: OpKind,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) flags: Flags,
    pub(super) payload: Payload,
}

/// What comes of one child's part.
struct Part {
    disk: u32,
    ask: Ask,
    ordinal: u64,
    /// How much of a write in the place of unsupported zeroes is asked for.
    written: u64,
    /// Whether zeroes are asked for now, of what is not written.
    zeroing: bool,
    /// Whether the flush behind such a write is asked for.
    flushed: bool,
    reply: Option<Reply<Payload>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(case: &'a Case<'a>, asked: &'a Asked<'a>) -> Self {
        Self { case, asked, at: 0, since: Cell::new(asked.invoked), asking: "fan-out" }
    }

    /// Who belongs to the array as the next thing happens.
    pub(super) fn members(&self) -> &'a [u32] {
        let entry = self.asked.entries.get(self.at).copied();
        self.since.set(entry.unwrap_or(self.case.entries().len()));
        self.case.members_at(self.since.get())
    }

    /// The entry of the last answer of a disk so far.
    pub(super) fn last_answer(&self, disk: u32) -> Option<usize> {
        let is_answer = |at: &&usize| match &self.case.entries()[**at].what {
            What::Reply { child, .. } => *child == disk,
            _ => false,
        };
        self.asked.entries[..self.at].iter().rfind(is_answer).copied()
    }

    /// The next entry, to look at first.
    fn peek(&mut self) -> Result<(usize, &'a What), Stop> {
        loop {
            let at = *self.asked.entries.get(self.at).ok_or(Stop::Unfinished)?;
            match &self.case.entries()[at].what {
                What::Injected { .. } | What::Spared { .. } | What::Control(_) | What::Heard(_) => {
                    self.at += 1
                }
                What::Dropped => return Err(Stop::Unfinished),
                what => return Ok((at, what)),
            }
        }
    }

    /// The next entry, which is then over, leaving out what says nothing about the engine.
    fn next(&mut self) -> Result<(usize, &'a What), Stop> {
        let next = self.peek()?;
        self.at += 1;
        Ok(next)
    }

    /// Whether the next thing is that a disk is asked for this.
    pub(super) fn is_next(&mut self, disk: u32, kind: OpKind) -> bool {
        let next = self.peek().map(|(_, what)| what);
        matches!(next, Ok(What::Submit(call)) if (call.child, call.kind) == (disk, kind))
    }

    /// Demands an event.
    pub(super) fn event(&mut self, want: &Event) -> Result<(), Stop> {
        let (at, what) = self.next()?;
        match what {
            What::Event(event) if event == want => Ok(()),
            _ => {
                let check = of_event(want);
                Err(unexpected(at, what, &format!("the event '{}'", qapi::text(want)), check))
            }
        }
    }

    /// Demands that all of these disks are asked the same at once, and gathers their answers.
    /// Failures are reported as they arrive, if `report` says for what.
    pub(super) fn gather(
        &mut self,
        disks: &[u32],
        ask: Ask,
        report: Option<(OpType, Sectors)>,
    ) -> Result<Vec<Reply<Payload>>, Stop> {
        let mut parts = Vec::with_capacity(disks.len());
        for &disk in disks {
            let mut part = Part {
                disk,
                ask,
                ordinal: 0,
                written: 0,
                zeroing: false,
                flushed: false,
                reply: None,
            };
            let limits = self.case.disks[disk as usize].limits;
            // A child that says it knows no zeroes is not even asked for them.
            let unable = ask.kind == OpKind::WriteZeroes && limits.zeroes.is_none();
            let instead = unable.then(|| instead_of_zeroes(&part, Err(Errno::ENOTSUP), &limits));
            let first = instead.flatten().unwrap_or(ask);
            // Nor is one that has left since the request began with it.
            let at = self.peek()?.0;
            if self.case.removed_within(disk, self.since.get()..at) {
                part.reply = Some(Err(Errno::ECANCELED));
                self.reported(disk, Errno::ECANCELED, report)?;
                parts.push(part);
                continue;
            }
            part.ordinal = self.submitted(disk, first)?;
            part.written = if unable { first.bytes } else { 0 };
            part.zeroing = first.kind == OpKind::WriteZeroes;
            parts.push(part);
        }
        while parts.iter().any(|part| part.reply.is_none()) {
            self.arrival(&mut parts, report)?;
        }
        Ok(parts.into_iter().filter_map(|part| part.reply).collect())
    }

    /// Demands that this one disk is asked, and waits for its answer.
    pub(super) fn one(
        &mut self,
        disk: u32,
        ask: Ask,
        report: Option<(OpType, Sectors)>,
    ) -> Result<Reply<Payload>, Stop> {
        Ok(self.gather(&[disk], ask, report)?.remove(0))
    }

    fn submitted(&mut self, disk: u32, ask: Ask) -> Result<u64, Stop> {
        let (at, what) = self.next()?;
        match what {
            What::Submit(call) if call.child == disk && asks(call, ask) => Ok(call.ordinal),
            _ => {
                let Ask { kind, offset, bytes, .. } = ask;
                let want = format!("{} of {bytes} bytes at {offset} on c{disk}", kind.word());
                Err(unexpected(at, what, &want, self.asking))
            }
        }
    }

    /// The next answer of a child, or its removal.
    fn arrival(
        &mut self,
        parts: &mut [Part],
        report: Option<(OpType, Sectors)>,
    ) -> Result<(), Stop> {
        let (at, what) = self.peek()?;
        let removed = |part: &&mut Part| {
            part.reply.is_none() && self.case.removed_within(part.disk, self.since.get()..at)
        };
        let answered = |part: &&mut Part| match what {
            What::Reply { child, ordinal, .. } => {
                part.reply.is_none() && (part.disk, part.ordinal) == (*child, *ordinal)
            }
            _ => false,
        };
        if let (Some(part), What::Reply { answer, .. }) = (parts.iter_mut().find(answered), what) {
            self.next()?;
            return self.answer(part, answer, report);
        }
        if let Some(part) = parts.iter_mut().find(removed) {
            part.reply = Some(Err(Errno::ECANCELED));
            return self.reported(part.disk, Errno::ECANCELED, report);
        }
        let waiting = parts.iter().filter(|part| part.reply.is_none());
        let waiting: Vec<String> = waiting.map(|part| format!("c{}", part.disk)).collect();
        Err(unexpected(at, what, &format!("an answer of {}", waiting.join(", ")), self.asking))
    }

    fn answer(
        &mut self,
        part: &mut Part,
        answer: &Answer,
        report: Option<(OpType, Sectors)>,
    ) -> Result<(), Stop> {
        let reply = match answer {
            // A read of another length than was asked for is a failure.
            Answer::Data(Ok(payload)) if payload.bytes != part.ask.bytes => Err(Errno::EIO),
            Answer::Data(reply) => *reply,
            Answer::Done(reply) => reply.map(|()| Payload::default()),
            Answer::Length(reply) => reply.map(|bytes| Payload { bytes, hash: 0 }),
            // So is a status of nothing.
            Answer::Status(Ok(extent)) if extent.bytes == 0 && part.ask.bytes > 0 => {
                Err(Errno::EIO)
            }
            Answer::Status(reply) => {
                reply.map(|extent| Payload { bytes: extent.bytes, hash: extent.kind as u64 })
            }
            Answer::Abandoned => Err(Errno::ECANCELED),
        };
        let limits = self.case.disks[part.disk as usize].limits;
        if let Some(more) = instead_of_zeroes(part, reply, &limits) {
            part.ordinal = self.submitted(part.disk, more)?;
            part.written += if more.kind == OpKind::Write { more.bytes } else { 0 };
            part.zeroing = more.kind == OpKind::WriteZeroes;
            part.flushed = more.kind == OpKind::Flush;
            return Ok(());
        }
        part.reply = Some(reply);
        reply.map_or_else(|errno| self.reported(part.disk, errno, report), |_| Ok(()))
    }

    fn reported(
        &mut self,
        disk: u32,
        errno: Errno,
        report: Option<(OpType, Sectors)>,
    ) -> Result<(), Stop> {
        let Some((op, sectors)) = report else { return Ok(()) };
        let (node_name, error) = (self.case.names[disk as usize].clone(), Some(errno));
        self.event(&Event::ReportBad { op, node_name, error, sectors })
    }

    /// Demands that the request is answered now, and nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        let (at, what) = self.next()?;
        if !matches!(what, What::Complete(_)) {
            return Err(unexpected(at, what, "the answer", self.asking));
        }
        match self.next() {
            Ok((at, what)) => Err(unexpected(at, what, "nothing after the answer", self.asking)),
            Err(_) => Ok(()),
        }
    }
}

/// What a child gets in the place of zeroes that it does not support: a write, piece by piece, that
/// is FUA where the zeroes were and the child can; where it cannot, a flush behind the last piece.
/// A child that may know zeroes is asked for the rest behind each piece.
fn instead_of_zeroes(part: &Part, reply: Reply<Payload>, limits: &Limits) -> Option<Ask> {
    let Ask { kind, offset, bytes, flags, .. } = part.ask;
    let unable = limits.zeroes.is_none();
    let unsupported = (part.zeroing || unable && part.written == 0) && reply == Err(Errno::ENOTSUP);
    let going_on = part.written > 0 && reply.is_ok();
    if kind != OpKind::WriteZeroes || flags.no_fallback || !unsupported && !going_on {
        return None;
    }
    let plain = |kind| Ask { kind, flags: Flags::NONE, ..part.ask };
    let zeroed = part.zeroing && !unsupported;
    if part.written < bytes && !zeroed && !part.flushed {
        let (offset, rest) = (offset + part.written, bytes - part.written);
        if !unsupported && !unable {
            return Some(Ask { offset, bytes: rest, ..part.ask });
        }
        let most = limits.max_transfer.map_or(BOUNCE_BYTES_MAX, u64::from);
        let piece = rest.min(most.min(BOUNCE_BYTES_MAX));
        let flags = Flags { fua: flags.fua && limits.write_fua, ..Flags::NONE };
        let payload = zeroes(piece);
        return Some(Ask { offset, bytes: piece, flags, payload, ..plain(OpKind::Write) });
    }
    let flush = flags.fua && !limits.write_fua && !part.flushed;
    flush.then(|| Ask { offset: 0, bytes: 0, ..plain(OpKind::Flush) })
}

/// The payload of as many zeroes.
pub(super) fn zeroes(bytes: u64) -> Payload {
    let length = usize::try_from(bytes).expect("a buffer of this length fits into memory");
    Payload::of(&vec![0; length].into())
}

fn asks(call: &ChildCall, ask: Ask) -> bool {
    let same = (call.kind, call.offset, call.bytes) == (ask.kind, ask.offset, ask.bytes);
    same && (call.flags, call.payload) == (ask.flags, ask.payload)
}

/// Where the record holds something else than what this check asks for.
fn unexpected(at: usize, what: &What, want: &str, check: &'static str) -> Stop {
    let check = match what {
        What::Event(event) => of_event(event),
        What::Complete(_) if check == "fan-out" => "completion",
        _ => check,
    };
    let found = match what {
        What::Submit(c) => {
            format!("{} of {} bytes at {} on c{}", c.kind.word(), c.bytes, c.offset, c.child)
        }
        What::Reply { child, .. } => format!("an answer of c{child}"),
        What::Event(event) => format!("the event '{}'", qapi::text(event)),
        What::Complete(_) => "the answer".into(),
        other => format!("{other:?}"),
    };
    let reason = format!("The rules want {want} next; the engine did this: {found}.");
    Stop::Deviation(Deviation { check, entry: Some(at), reason })
}

/// The check that asks for an event.
fn of_event(event: &Event) -> &'static str {
    match event {
        Event::ReportBad { .. } => "reports",
        Event::Failure { .. } => "failure-events",
        Event::Mismatch { .. } => "conformance",
    }
}

/// The most zeroes that are written as data in one piece.
pub(super) const BOUNCE_BYTES_MAX: u64 = 16 << 20;
