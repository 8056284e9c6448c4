//! A request that runs.

use super::{Act, Failure, Piece, Request, changes};
use crate::diff::script::{Unshowable, unshowable};
use bytes::Bytes;
use quorate_engine::{Errno, Event, Image, SECTOR_BYTES};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    Answer, GuestOp, Outcome, RequestId,
    trace::{ChildCall, Payload},
};
use std::{collections::BTreeMap, ops::Range};

/// A request that runs, and what its children have answered so far.
pub(super) struct Asked {
    pub(super) id: RequestId,
    op: GuestOp,
    shown: Vec<Piece>,
    written: Vec<Piece>,
    pub(super) events: Vec<Event>,
    calls: Vec<Call>,
    /// What was read or written.
    touched: Vec<(u32, Range<u64>)>,
    /// Whether a child was to make something durable by a flag.
    by_flag: bool,
}

/// What was asked of a child, and how it failed, if it did.
struct Call {
    disk: u32,
    kind: OpKind,
    range: Range<u64>,
    failed: Option<Errno>,
}

impl Asked {
    pub(super) fn new(id: RequestId, op: GuestOp) -> Self {
        let (shown, written, events, calls, touched) = Default::default();
        Self { id, op, shown, written, events, calls, touched, by_flag: false }
    }

    /// A child is asked and will answer so; `medium` is what it holds.
    pub(super) fn child(
        &mut self,
        call: &ChildCall,
        answer: Answer,
        medium: &mut Image,
        bytes: &BTreeMap<Payload, Bytes>,
    ) -> Result<(), Unshowable> {
        let disk = call.child;
        if !matches!(call.kind, OpKind::Read | OpKind::Write | OpKind::WriteZeroes | OpKind::Flush)
        {
            return outside(call, answer, medium);
        }
        let range = call.offset..call.offset + call.bytes;
        if range.end > medium.bytes() {
            return unshowable(format!("c{disk} is asked for what is beyond its end"));
        }
        let failed = match answer {
            // As the engine: an answer of another length is none.
            Answer::Data(Ok(payload)) if payload.bytes != call.bytes => Some(Errno::EIO),
            Answer::Data(Ok(_)) | Answer::Done(Ok(())) => None,
            Answer::Data(Err(errno)) | Answer::Done(Err(errno)) => Some(errno),
            Answer::Abandoned | Answer::Length(_) | Answer::Status(_) => {
                return unshowable(format!("c{disk} does not answer everything"));
            }
        };
        self.by_flag |= call.flags.fua;
        self.calls.push(Call { disk, kind: call.kind, range: range.clone(), failed });
        if failed.is_some() || range.is_empty() {
            return Ok(());
        }
        let known = |payload: &Payload| {
            let why = || Unshowable(format!("what c{disk} was given or gave is not known"));
            bytes.get(payload).cloned().ok_or_else(why)
        };
        let data = match (call.kind, answer) {
            (OpKind::Flush, _) => return Ok(()),
            (OpKind::Read, Answer::Data(Ok(payload))) => {
                return self.read(call, &known(&payload)?, medium);
            }
            (OpKind::WriteZeroes, _) => vec![0; length(call.bytes)].into(),
            _ => known(&call.payload)?,
        };
        medium.write(call.offset, &data);
        self.touched.push((disk, range));
        self.written.push(Piece { disk, offset: call.offset, data });
        Ok(())
    }

    /// A child gives these bytes.
    fn read(
        &mut self,
        call: &ChildCall,
        data: &Bytes,
        medium: &mut Image,
    ) -> Result<(), Unshowable> {
        let held = medium.read(call.offset, length(call.bytes));
        for piece in changes(call.child, call.offset, &held, data) {
            let end = piece.offset + piece.data.len() as u64;
            let is_there = |(disk, range): &(u32, Range<u64>)| {
                *disk == piece.disk && range.start < end && piece.offset < range.end
            };
            if self.touched.iter().any(is_there) {
                return unshowable(format!(
                    "c{} changes what it holds within a request",
                    call.child
                ));
            }
            medium.write(piece.offset, &piece.data);
            self.shown.push(piece);
        }
        self.touched.push((call.child, call.offset..call.offset + call.bytes));
        Ok(())
    }

    /// The request is answered.
    pub(super) fn over(self, outcome: Outcome) -> Result<Act, Unshowable> {
        let bytes = match &self.op {
            GuestOp::Read { bytes, .. }
            | GuestOp::WriteZeroes { bytes, .. }
            | GuestOp::Discard { bytes, .. } => Some(*bytes),
            GuestOp::Write { data, .. } => Some(data.len() as u64),
            GuestOp::Flush => None,
            GuestOp::BlockStatus { .. } | GuestOp::Truncate { .. } | GuestOp::Invalidate => {
                return unshowable(format!("request {} has no counterpart in qemu-io", self.id));
            }
            GuestOp::Length | GuestOp::Close => {
                if outcome.error().is_some() || !self.events.is_empty() || !self.written.is_empty()
                {
                    return unshowable(format!("request {} asks for more than data", self.id));
                }
                return Ok(Act::Skipped(format!("request {}, which asks for no data", self.id)));
            }
        };
        if bytes == Some(0) {
            return unshowable("NBD has no requests about nothing");
        }
        if self.calls.is_empty() && outcome.error().is_some() {
            return unshowable("no child is asked, as they are not like files");
        }
        let failures = self.failures()?;
        if self.by_flag && failures.iter().any(|failure| failure.kind == OpKind::Flush) {
            return unshowable("a file takes no FUA: another flush follows, and fails");
        }
        let Self { id, op, shown, written, events, .. } = self;
        Ok(Act::Request(Request { id, op, outcome, shown, failures, written, events }))
    }

    /// The least that makes exactly those calls fail that did.
    fn failures(&self) -> Result<Vec<Failure>, Unshowable> {
        let mut failures: Vec<Failure> = Vec::new();
        for call in &self.calls {
            let Call { disk, kind, failed: Some(errno), .. } = *call else { continue };
            let alike = |other: &&Call| other.disk == disk && other.kind == kind;
            let mut others = self.calls.iter().filter(alike);
            let sector = match others.all(|other| other.failed == call.failed) {
                true => None,
                false => Some(self.sector(call)?),
            };
            let failure = Failure { disk, kind, errno, sector };
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        Ok(failures)
    }

    /// A sector whose first byte this call touches, and no other one of its kind that ended otherwise.
    fn sector(&self, call: &Call) -> Result<u64, Unshowable> {
        let sectors =
            call.range.start.div_ceil(SECTOR_BYTES)..call.range.end.div_ceil(SECTOR_BYTES);
        let is_own = |sector: &u64| {
            let meets = |other: &Call| {
                (other.disk, other.kind) == (call.disk, call.kind)
                    && other.failed != call.failed
                    && other.range.contains(&(sector * SECTOR_BYTES))
            };
            !self.calls.iter().any(meets)
        };
        let found = sectors.into_iter().find(is_own);
        let why = || Unshowable(format!("c{} answers otherwise within a request", call.disk));
        found.ok_or_else(why)
    }
}

/// A child is asked for what no script can have fail: that has to work.
pub(super) fn outside(call: &ChildCall, answer: Answer, medium: &Image) -> Result<(), Unshowable> {
    let is_fine = match answer {
        Answer::Data(result) => result.is_ok(),
        Answer::Done(result) => result.is_ok(),
        Answer::Length(result) => result == Ok(medium.bytes()),
        Answer::Status(result) => result.is_ok(),
        Answer::Abandoned => false,
    };
    let is_data = matches!(call.kind, OpKind::Read | OpKind::Write | OpKind::WriteZeroes);
    let (disk, kind) = (call.child, call.kind.word());
    match (is_fine, is_data) {
        (true, false) => Ok(()),
        (true, true) => unshowable(format!("c{disk} is asked outside of requests")),
        (false, _) => unshowable(format!("the {kind} of c{disk} does not come out as it should")),
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).expect("it lies inside a small disk")
}
