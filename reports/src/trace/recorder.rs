//! Takes down what happens, and folds it into a digest entry by entry.

use super::{Answer, Change, Digest, Entry, GuestOp, Outcome, Payload, RequestId, Trace, What};
use bytes::Bytes;
use quorate_engine::{Errno, Event, Extent, ExtentKind, Flags, Image, NodeName, OpType, Sectors};
use sha2::{Digest as _, Sha256};
use twox_hash::{XxHash3_64, XxHash3_128};

/// Takes down what happens, and its digest as it goes.
#[derive(Debug, Default)]
pub struct Recorder {
    entries: Vec<Entry>,
    /// The last payload: children mostly hold the same, and comparing is cheaper than hashing.
    last: (Bytes, Payload),
    payloads: Vec<(usize, Payload)>,
    /// The digest so far.
    rolling: u128,
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

    /// The digest of what was recorded so far, without any media.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.rolling.to_be_bytes())
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
        if let Some(code) = encode(&what, |data| self.note_payload(data)) {
            self.rolling = folded(self.rolling, at, request, &code);
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
}

impl Trace {
    /// For each entry the digest of all that had happened by then, it included, but without any media;
    /// nothing for those that digests leave out.
    pub fn digests(&self) -> impl Iterator<Item = Option<Digest>> {
        let mut rolling = 0;
        self.entries.iter().enumerate().map(move |(number, Entry { at, request, what })| {
            let code = encode(what, |_| self.payload(number))?;
            rolling = folded(rolling, *at, *request, &code);
            Some(Digest(rolling.to_be_bytes()))
        })
    }
}

/// The digest of what came before and of an entry.
fn folded(before: u128, at: u64, request: Option<RequestId>, code: &[u64; 5]) -> u128 {
    let client = request.map_or(u64::MAX, |r| u64::from(r.client) << 32 | u64::from(r.step));
    let mut record = [0; 72];
    for (to, word) in record.chunks_exact_mut(8).zip([at, client].iter().chain(code)) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    record[56..].copy_from_slice(&before.to_le_bytes());
    XxHash3_128::oneshot(&record)
}

/// Five words that tell two different things apart; nothing for what the digest leaves out.
///
/// `payload` is the hash of the data that it carries.
fn encode(what: &What, payload: impl FnOnce(&Bytes) -> Payload) -> Option<[u64; 5]> {
    Some(match what {
        What::NotOpened(why) => [11 << 32, XxHash3_64::oneshot(why.as_bytes()), 0, 0, 0],
        What::Invoke(op) => encode_op(op, payload),
        What::Complete(outcome) => {
            let [a, b, c] = match outcome {
                Outcome::Data(r) => {
                    answer_words(&Answer::Data(r.as_ref().map(payload).map_err(|e| *e)))
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

fn encode_op(op: &GuestOp, payload: impl FnOnce(&Bytes) -> Payload) -> [u64; 5] {
    let tag = |n: u64, flags| (1 << 32) | n << 16 | flag_bits(flags);
    match op {
        GuestOp::Read { offset, bytes } => [tag(1, Flags::NONE), *offset, *bytes, 0, 0],
        GuestOp::Write { offset, data, flags } => {
            let payload = payload(data);
            [tag(2, *flags), *offset, payload.bytes, payload.hash, 0]
        }
        GuestOp::WriteZeroes { offset, bytes, flags } => [tag(3, *flags), *offset, *bytes, 0, 0],
        GuestOp::Discard { offset, bytes } => [tag(4, Flags::NONE), *offset, *bytes, 0, 0],
        GuestOp::Flush => [tag(5, Flags::NONE), 0, 0, 0, 0],
        GuestOp::BlockStatus { offset, bytes } => [tag(6, Flags::NONE), *offset, *bytes, 0, 0],
        GuestOp::Length => [tag(7, Flags::NONE), 0, 0, 0, 0],
        GuestOp::Truncate { bytes } => [tag(8, Flags::NONE), *bytes, 0, 0, 0],
        GuestOp::Invalidate => [tag(9, Flags::NONE), 0, 0, 0, 0],
        GuestOp::Close => [tag(10, Flags::NONE), 0, 0, 0, 0],
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
