//! What happened in a run, in order, and the digest that two equal runs share.
//!
//! Times are device time in microseconds; nothing here knows the wall clock.

use bytes::Bytes;
use quorate_engine::{
    Errno, Event, Extent, ExtentKind, Flags, Image, NodeName, OpType, Result, Sectors,
};
use quorate_faults::{
    host::Firing,
    rule::{OpKind, Origin},
};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};
use twox_hash::{XxHash3_64, XxHash3_128};

/// A client's request: the client's number and the number of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Which client, from 0.
    pub client: u16,
    /// Which of its steps, from 0.
    pub step: u32,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.client, self.step)
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in microseconds of device time.
    pub at: u64,
    /// On behalf of which request, if of any.
    pub request: Option<RequestId>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The array refuses to open.
    NotOpened(String),
    /// A client asks the array.
    Invoke(GuestOp),
    /// The array answers.
    Complete(Outcome),
    /// A client gives up on its request, which is detached.
    Dropped,
    /// The array asks a child.
    Submit(ChildCall),
    /// A fault rule fires on the operation that was just submitted.
    Injected {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// The rule and its effect.
        firing: Box<Firing>,
    },
    /// A fault rule would have fired on the operation that was just submitted, but for the budget.
    Spared {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// The name of the rule.
        rule: Arc<str>,
    },
    /// A child answers the array.
    Reply {
        /// The child.
        child: u32,
        /// The child's operation.
        ordinal: u64,
        /// What it answered.
        answer: Answer,
    },
    /// The array reports something.
    Event(Event),
    /// An event that got through a throttled sink.
    Heard(Event),
    /// A child joins or leaves the array.
    Membership(Change),
    /// A step of the scenario that is no request.
    Control(String),
}

/// A request to the array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestOp {
    /// Read.
    Read {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Write.
    Write {
        /// Where.
        offset: u64,
        /// What.
        data: Bytes,
        /// How.
        flags: Flags,
    },
    /// Write zeroes.
    WriteZeroes {
        /// Where.
        offset: u64,
        /// How many.
        bytes: u64,
        /// How.
        flags: Flags,
    },
    /// Discard.
    Discard {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Flush.
    Flush,
    /// Query the block status.
    BlockStatus {
        /// Where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// Query the length.
    Length,
    /// Resize.
    Truncate {
        /// The new length.
        bytes: u64,
    },
    /// Drop caches.
    Invalidate,
    /// Close.
    Close,
}

/// The array's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To a read.
    Data(Result<Bytes>),
    /// To whatever gives back nothing.
    Done(Result<()>),
    /// To a length query.
    Length(Result<u64>),
    /// To a status query.
    Status(Result<Extent>),
}

impl Outcome {
    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<Errno> {
        match self {
            Self::Data(r) => r.as_ref().err().copied(),
            Self::Done(r) => r.err(),
            Self::Length(r) => r.err(),
            Self::Status(r) => r.err(),
        }
    }
}

/// An operation that the array asks of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCall {
    /// The child: its device's number, which it keeps whatever joins or leaves.
    pub child: u32,
    /// The child's operations are numbered from 1.
    pub ordinal: u64,
    /// What kind.
    pub kind: OpKind,
    /// Where.
    pub offset: u64,
    /// How much.
    pub bytes: u64,
    /// How.
    pub flags: Flags,
    /// On whose behalf.
    pub origin: Origin,
    /// The hash of the data to be written.
    pub payload: Payload,
}

/// Data by their hash: equal hashes are equal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payload {
    /// How many bytes.
    pub bytes: u64,
    /// Their hash.
    pub hash: u64,
}

impl Payload {
    /// The length and the hash of some data.
    #[must_use]
    pub fn of(data: &Bytes) -> Self {
        Self { bytes: data.len() as u64, hash: XxHash3_64::oneshot(data) }
    }
}

/// A child's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a read.
    Data(Result<Payload>),
    /// To a write or a flush.
    Done(Result<()>),
    /// To a length query.
    Length(Result<u64>),
    /// To a status query.
    Status(Result<Extent>),
    /// None: the child was removed, or whoever asked has gone.
    Abandoned,
}

/// A change of the array's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A child was added as the last.
    Added {
        /// Its device's number.
        child: u32,
        /// Its name in the array.
        name: NodeName,
    },
    /// A child was removed.
    Removed {
        /// Its device's number.
        child: u32,
        /// Its name in the array.
        name: NodeName,
    },
    /// A change was refused.
    Refused(String),
}

/// What happened in one run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In order.
    pub entries: Vec<Entry>,
    /// The digest of the entries and of the final media.
    pub digest: Digest,
    /// The payloads of the entries that carry data, by the entry's number.
    payloads: Vec<(usize, Payload)>,
}

impl Trace {
    /// The payload of the data that a client's request or the answer to it carries; nothing's, if
    /// the entry carries none.
    #[must_use]
    pub fn payload(&self, entry: usize) -> Payload {
        let at = self.payloads.binary_search_by_key(&entry, |(number, _)| *number);
        at.map_or_else(|_| Payload::default(), |at| self.payloads[at].1)
    }
}

/// The name of everything observable in a run: requests and answers, the children's operations and
/// replies, events, final media. Not rule names, notes, or anything of the machine.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes down what happens, and its digest as it goes.
#[derive(Debug, Default)]
pub struct Recorder {
    entries: Vec<Entry>,
    rolling: u128,
    /// The last payload: children mostly hold the same, and comparing is cheaper than hashing.
    last: (Bytes, Payload),
    payloads: Vec<(usize, Payload)>,
}

impl Recorder {
    /// A recorder that uses the memory of an earlier run's trace.
    #[must_use]
    pub fn reusing(trace: Trace) -> Self {
        let Trace { mut entries, mut payloads, .. } = trace;
        entries.clear();
        payloads.clear();
        Self { entries, payloads, ..Self::default() }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The hash of some data.
    pub fn payload(&mut self, data: &Bytes) -> Payload {
        let last = &self.last.0;
        let same = last.as_ptr() == data.as_ptr() && last.len() == data.len();
        if !same && last != data || data.is_empty() {
            self.last = (data.clone(), Payload::of(data));
        }
        self.last.1
    }

    /// The same for the entry that is being added.
    fn note_payload(&mut self, data: &Bytes) -> Payload {
        let payload = self.payload(data);
        self.payloads.push((self.entries.len(), payload));
        payload
    }

    /// Adds an entry.
    pub fn push(&mut self, at: u64, request: Option<RequestId>, what: What) {
        if let Some(code) = self.encode(&what) {
            let client =
                request.map_or(u64::MAX, |r| u64::from(r.client) << 32 | u64::from(r.step));
            let mut record = [0; 72];
            for (to, word) in record.chunks_exact_mut(8).zip([at, client].iter().chain(&code)) {
                to.copy_from_slice(&word.to_le_bytes());
            }
            record[56..].copy_from_slice(&self.rolling.to_le_bytes());
            self.rolling = XxHash3_128::oneshot(&record);
        }
        self.entries.push(Entry { at, request, what });
    }

    /// Ends the recording with the final media.
    #[expect(single_use_lifetimes, reason = "an anonymous one in `impl Trait` is unstable")]
    pub fn finish<'a>(self, media: impl IntoIterator<Item = &'a Image>) -> Trace {
        let mut all = Sha256::new();
        all.update(self.rolling.to_le_bytes());
        for image in media {
            let mut rolling = u128::from(image.bytes());
            // A page of zeroes is no page, so that every environment counts the same.
            for (offset, page) in image.pages().filter(|(_, page)| !is_zero(page)) {
                let hash = XxHash3_64::oneshot(page);
                let mut record = [0; 32];
                record[..16].copy_from_slice(&rolling.to_le_bytes());
                record[16..24].copy_from_slice(&offset.to_le_bytes());
                record[24..].copy_from_slice(&hash.to_le_bytes());
                rolling = XxHash3_128::oneshot(&record);
            }
            all.update(rolling.to_le_bytes());
        }
        let digest = all.finalize();
        let digest = Digest(std::array::from_fn(|i| digest[i]));
        Trace { entries: self.entries, digest, payloads: self.payloads }
    }

    /// Five words that tell two different things apart; nothing for what the digest leaves out.
    fn encode(&mut self, what: &What) -> Option<[u64; 5]> {
        Some(match what {
            What::NotOpened(why) => [11 << 32, XxHash3_64::oneshot(why.as_bytes()), 0, 0, 0],
            What::Invoke(op) => self.encode_op(op),
            What::Complete(outcome) => {
                let [a, b, c] = match outcome {
                    Outcome::Data(r) => {
                        let payload = r.as_ref().map(|data| self.note_payload(data));
                        answer_words(&Answer::Data(payload.map_err(|e| *e)))
                    }
                    Outcome::Done(r) => answer_words(&Answer::Done(*r)),
                    Outcome::Length(r) => answer_words(&Answer::Length(*r)),
                    Outcome::Status(r) => answer_words(&Answer::Status(*r)),
                };
                [2 << 32, a, b, c, 0]
            }
            What::Dropped => [3 << 32, 0, 0, 0, 0],
            What::Submit(c) => {
                let tag = (4 << 32) | (c.kind as u64) << 16 | flag_bits(c.flags);
                let at = u64::from(c.child) << 48 | c.ordinal;
                [tag, at, c.offset, c.bytes, c.payload.hash]
            }
            What::Reply { child, ordinal, answer } => {
                let [a, b, c] = answer_words(answer);
                [5 << 32, u64::from(*child) << 48 | ordinal, a, b, c]
            }
            What::Event(event) => encode_event(6 << 32, event),
            What::Heard(event) => encode_event(7 << 32, event),
            What::Membership(change) => match change {
                Change::Added { child, name } => [8 << 32, u64::from(*child), text(name), 0, 0],
                Change::Removed { child, name } => [9 << 32, u64::from(*child), text(name), 0, 0],
                Change::Refused(why) => [10 << 32, XxHash3_64::oneshot(why.as_bytes()), 0, 0, 0],
            },
            What::Injected { .. } | What::Spared { .. } | What::Control(_) => return None,
        })
    }

    fn encode_op(&mut self, op: &GuestOp) -> [u64; 5] {
        let tag = |n: u64, flags| (1 << 32) | n << 16 | flag_bits(flags);
        match op {
            GuestOp::Read { offset, bytes } => [tag(1, Flags::NONE), *offset, *bytes, 0, 0],
            GuestOp::Write { offset, data, flags } => {
                let payload = self.note_payload(data);
                [tag(2, *flags), *offset, payload.bytes, payload.hash, 0]
            }
            GuestOp::WriteZeroes { offset, bytes, flags } => {
                [tag(3, *flags), *offset, *bytes, 0, 0]
            }
            GuestOp::Discard { offset, bytes } => [tag(4, Flags::NONE), *offset, *bytes, 0, 0],
            GuestOp::Flush => [tag(5, Flags::NONE), 0, 0, 0, 0],
            GuestOp::BlockStatus { offset, bytes } => [tag(6, Flags::NONE), *offset, *bytes, 0, 0],
            GuestOp::Length => [tag(7, Flags::NONE), 0, 0, 0, 0],
            GuestOp::Truncate { bytes } => [tag(8, Flags::NONE), *bytes, 0, 0, 0],
            GuestOp::Invalidate => [tag(9, Flags::NONE), 0, 0, 0, 0],
            GuestOp::Close => [tag(10, Flags::NONE), 0, 0, 0, 0],
        }
    }
}

/// Without an early end inside a piece, so that its bytes are looked at many at a time.
fn is_zero(page: &[u8]) -> bool {
    page.chunks(64).all(|piece| piece.iter().fold(0, |any, byte| any | byte) == 0)
}

fn encode_event(tag: u64, event: &Event) -> [u64; 5] {
    match event {
        Event::ReportBad { op, node_name, error, sectors } => {
            let op = match op {
                OpType::Read => 1,
                OpType::Write => 2,
                OpType::Flush => 3,
            };
            let Sectors { first, count } = *sectors;
            [tag | op << 16 | error_word(*error), text(node_name), first, count, 0]
        }
        Event::Failure { reference, sectors } => {
            [tag | 4 << 16, text(reference), sectors.first, sectors.count, 0]
        }
        Event::Mismatch { reference, offset, bytes, first_difference } => {
            [tag | 5 << 16, text(reference), *offset, *bytes, *first_difference]
        }
    }
}

fn answer_words(answer: &Answer) -> [u64; 3] {
    match answer {
        Answer::Data(Ok(payload)) => [1, payload.bytes, payload.hash],
        Answer::Done(Ok(())) => [2, 0, 0],
        Answer::Length(Ok(bytes)) => [3, *bytes, 0],
        Answer::Status(Ok(Extent { bytes, kind: ExtentKind::Data })) => [4, *bytes, 0],
        Answer::Status(Ok(Extent { bytes, kind: ExtentKind::Zero })) => [5, *bytes, 0],
        Answer::Abandoned => [6, 0, 0],
        Answer::Data(Err(e)) | Answer::Done(Err(e)) => [7, error_word(Some(*e)), 0],
        Answer::Length(Err(e)) | Answer::Status(Err(e)) => [8, error_word(Some(*e)), 0],
    }
}

fn error_word(error: Option<Errno>) -> u64 {
    error.map_or(0, |e| u64::from(e.number().unsigned_abs()))
}

fn flag_bits(flags: Flags) -> u64 {
    u64::from(flags.fua) | u64::from(flags.may_unmap) << 1 | u64::from(flags.no_fallback) << 2
}

fn text(name: &NodeName) -> u64 {
    XxHash3_64::oneshot(name.as_str().as_bytes())
}
