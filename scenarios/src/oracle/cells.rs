//! What each byte may hold, and what it holds on a sound child.
//!
//! Both are kept by *cell*: a run of bytes that every write of the run, and every piece of it that is
//! voted on by itself, covers whole or not at all.

use super::case::{Asked, Case};
use bytes::{Bytes, BytesMut};
use quorate_reports::GuestOp;
use std::ops::Range;

/// What each cell may hold, as the run goes by.
pub(super) struct Cells<'a> {
    case: &'a Case<'a>,
    /// Where cells begin and end.
    bounds: Vec<u64>,
    states: Vec<State<'a>>,
    /// The entries in which the reads began that are not over.
    reads: Vec<usize>,
}

struct State<'a> {
    /// The values that a read may give.
    may: Vec<Candidate<'a>>,
    sound: Sound<'a>,
}

/// What every child holds that has done all it was asked, and nothing else.
#[derive(Clone, Copy)]
enum Sound<'a> {
    /// What it held at first.
    First,
    /// What this write has left.
    Written(&'a Asked<'a>),
    /// Writes have raced, or one was left half way: nobody can say.
    Unknown,
}

/// A value that a cell may hold.
struct Candidate<'a> {
    /// The write; the disk's first bytes, if none.
    write: Option<&'a Asked<'a>>,
    began: usize,
    over: Option<usize>,
    /// When a later write was acknowledged.
    superseded: Option<usize>,
}

impl Candidate<'_> {
    /// Whether one who began to read at this entry may see it; who looks in the end, if at none.
    fn is_seen(&self, began: usize) -> bool {
        match began {
            usize::MAX => self.superseded.is_none(),
            began => self.superseded.is_none_or(|gone| gone > began),
        }
    }
}

/// How the bytes of a read are wrong.
pub(super) struct Wrong {
    pub(super) range: Range<u64>,
    pub(super) kind: WrongKind,
    /// The write whose bytes they are, by the entry in which it was over.
    pub(super) written: Option<usize>,
}

/// What wrong bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WrongKind {
    /// What was there before an acknowledged write.
    Old,
    /// Neither old nor new, where a write failed or was given up.
    Third,
    /// What nobody has written.
    Strange,
}

impl<'a> Cells<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Self {
        let cut = case.disks.iter().filter_map(|disk| disk.limits.max_transfer).min();
        let mut bounds = vec![0, case.disks[0].bytes];
        for asked in &case.requests {
            let Some(range) = changes(case, asked.op) else { continue };
            bounds.extend([range.start, range.end]);
            if let Some(cut) = cut.filter(|cut| *cut > 0) {
                bounds.extend(range.step_by(index(cut.into())));
            }
        }
        bounds.sort_unstable();
        bounds.dedup();
        let first = || Candidate { write: None, began: 0, over: Some(0), superseded: None };
        let state = || State { may: vec![first()], sound: Sound::First };
        let states = (1..bounds.len()).map(|_| state()).collect();
        Self { case, bounds, states, reads: Vec::new() }
    }

    fn cells(&self, range: &Range<u64>) -> Range<usize> {
        let first = self.bounds.partition_point(|bound| *bound <= range.start) - 1;
        let last = self.bounds.partition_point(|bound| *bound < range.end);
        first..last.min(self.states.len()).max(first)
    }

    /// The pieces of a range by cell.
    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (usize, Range<u64>)> + '_ {
        self.cells(&range).map(move |cell| {
            let start = self.bounds[cell].max(range.start);
            (cell, start..self.bounds[cell + 1].min(range.end))
        })
    }

    pub(super) fn begin(&mut self, asked: &'a Asked<'a>, at: usize) {
        if let GuestOp::Read { .. } = asked.op {
            self.reads.push(at);
        }
        let Some(range) = changes(self.case, asked.op) else { return };
        for cell in self.cells(&range) {
            let new = Candidate { write: Some(asked), began: at, over: None, superseded: None };
            self.states[cell].may.push(new);
        }
    }

    pub(super) fn end(&mut self, asked: &'a Asked<'a>, at: usize, acknowledged: bool) {
        self.reads.retain(|began| *began != asked.invoked);
        let Some(range) = changes(self.case, asked.op) else { return };
        // What was superseded before every open read began can be seen no more.
        let oldest = self.reads.iter().copied().min().unwrap_or(at);
        for cell in self.cells(&range) {
            let may = &mut self.states[cell].may;
            for candidate in &mut *may {
                if candidate.began == asked.invoked {
                    candidate.over = Some(at);
                } else if acknowledged && candidate.over.is_some_and(|over| over < asked.invoked) {
                    candidate.superseded.get_or_insert(at);
                }
            }
            may.retain(|c| c.superseded.is_none_or(|gone| gone >= oldest));
        }
    }

    /// A child is asked for a part of a write: from now on sound children hold it, or will before
    /// anybody may look.
    pub(super) fn written(&mut self, asked: &'a Asked<'a>, part: &Range<u64>) {
        let Some(whole) = changes(self.case, asked.op) else { return };
        let range = common(&whole, part);
        for cell in self.cells(&range) {
            let all = range.start <= self.bounds[cell] && self.bounds[cell + 1] <= range.end;
            let sound = &mut self.states[cell].sound;
            match sound {
                Sound::Written(by) if by.invoked == asked.invoked => {}
                _ if all => *sound = Sound::Written(asked),
                _ => *sound = Sound::Unknown,
            }
        }
    }

    /// Nobody can say what sound children hold there.
    pub(super) fn blur(&mut self, range: &Range<u64>) {
        for cell in self.cells(range) {
            self.states[cell].sound = Sound::Unknown;
        }
    }

    /// Whether a sound child holds these bytes there; nothing, if nobody can say.
    pub(super) fn is_sound(&self, offset: u64, data: &[u8]) -> Option<bool> {
        let mut same = true;
        for (cell, piece) in self.pieces(offset..offset + data.len() as u64) {
            let held = &data[index(piece.start - offset)..index(piece.end - offset)];
            same &= match self.states[cell].sound {
                Sound::Unknown => return None,
                Sound::First => only(self.case.fill(), held),
                Sound::Written(asked) => is_of(asked, &piece, held),
            };
        }
        Some(same)
    }

    /// What a sound child holds there, if anybody can say.
    pub(super) fn sound(&self, range: Range<u64>) -> Option<Bytes> {
        let mut data = BytesMut::with_capacity(index(range.end - range.start));
        for (cell, piece) in self.pieces(range) {
            let end = data.len() + index(piece.end - piece.start);
            match self.states[cell].sound {
                Sound::Unknown => return None,
                Sound::First => data.resize(end, self.case.fill()),
                Sound::Written(asked) => match asked.op {
                    GuestOp::Write { offset, data: written, .. } => data.extend_from_slice(
                        &written[index(piece.start - offset)..index(piece.end - offset)],
                    ),
                    _ => data.resize(end, 0),
                },
            }
        }
        Some(data.freeze())
    }

    /// What is wrong with a read's data, if anything.
    pub(super) fn wrong(&self, asked: &Asked<'_>, data: &[u8]) -> Option<Wrong> {
        let GuestOp::Read { offset, .. } = asked.op else { return None };
        let range = *offset..offset + data.len() as u64;
        self.pieces(range).find_map(|(cell, piece)| {
            let held = &data[index(piece.start - offset)..index(piece.end - offset)];
            let fine = self.may_hold(cell, &piece, held, asked.invoked);
            (!fine).then(|| self.diagnosis(cell, piece, held, asked.invoked))
        })
    }

    fn diagnosis(&self, cell: usize, range: Range<u64>, held: &[u8], began: usize) -> Wrong {
        let old = self.case.requests.iter().rev().find(|asked| {
            let covers = changes(self.case, asked.op)
                .is_some_and(|all| all.start <= range.start && range.end <= all.end);
            covers && is_of(asked, &range, held)
        });
        let written = old.and_then(Asked::over);
        let seen = self.states[cell].may.iter().filter(|candidate| candidate.is_seen(began));
        let kind = match seen.count() {
            _ if old.is_some() || only(self.case.fill(), held) => WrongKind::Old,
            1 => WrongKind::Strange,
            _ => WrongKind::Third,
        };
        Wrong { range, kind, written }
    }

    /// The cells that somebody has written to, and where they lie.
    pub(super) fn touched(&self) -> impl Iterator<Item = (usize, Range<u64>)> + '_ {
        // Cells that nobody ever wrote to are the business of others.
        let written = |state: &State<'_>| state.may.iter().any(|c| c.write.is_some());
        let cells = self.states.iter().enumerate().filter(move |(_, state)| written(state));
        cells.map(|(cell, _)| (cell, self.bounds[cell]..self.bounds[cell + 1]))
    }

    /// Whether a piece of a cell may hold these bytes for one who began to read at this entry.
    pub(super) fn may_hold(
        &self,
        cell: usize,
        piece: &Range<u64>,
        held: &[u8],
        began: usize,
    ) -> bool {
        self.states[cell].may.iter().any(|candidate| {
            candidate.is_seen(began)
                && match candidate.write {
                    None => only(self.case.fill(), held),
                    Some(asked) => is_of(asked, piece, held),
                }
        })
    }
}

/// Whether these bytes are what a write leaves there.
fn is_of(asked: &Asked<'_>, piece: &Range<u64>, held: &[u8]) -> bool {
    match asked.op {
        GuestOp::Write { offset, data, .. } => {
            data[index(piece.start - offset)..index(piece.end - offset)] == *held
        }
        _ => only(0, held),
    }
}

/// The bytes that a request may change: what lies on the disks of those that it names.
pub(super) fn changes(case: &Case<'_>, op: &GuestOp) -> Option<Range<u64>> {
    let (start, bytes) = match op {
        GuestOp::Write { offset, data, .. } => (*offset, data.len() as u64),
        GuestOp::WriteZeroes { offset, bytes, .. } => (*offset, *bytes),
        _ => return None,
    };
    let length = case.disks[0].bytes;
    (start <= length).then(|| start..start.saturating_add(bytes).min(length))
}

/// Whether there is nothing but this byte: without an early end, so that it is done many at a time.
pub(super) fn only(byte: u8, bytes: &[u8]) -> bool {
    bytes.chunks(256).all(|chunk| chunk.iter().fold(0, |differ, b| differ | (b ^ byte)) == 0)
}

/// What both ranges cover; empty, if nothing.
pub(super) fn common(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

pub(super) fn overlaps(a: &Range<u64>, b: &Range<u64>) -> bool {
    !common(a, b).is_empty()
}

pub(super) fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("an offset inside a buffer")
}
