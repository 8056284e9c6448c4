//! What a client may rely on: within the promised tolerance every request succeeds, reads are
//! right, and only children that misbehaved are reported. And always: nothing changes that nobody
//! asked to change.
//!
//! What a range may hold is kept by *cell*: a run of bytes that every write of the run covers whole
//! or not at all.

use super::{
    case::{Asked, Case},
    walk::node_name,
};
use crate::model::{Action, Promises};
use quorate_engine::{Event, SECTOR_BYTES};
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, Outcome, Violation, What};
use std::ops::Range;

/// Whether no more children misbehave than the threshold tolerates, where the scenario says so.
pub(super) fn promise(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if case.scenario.expect.promises != Promises::Correct {
        return;
    }
    if let Some((at, bad, count)) = case.beyond_tolerance() {
        let threshold = case.scenario.array.vote_threshold;
        let reason = format!(
            "The scenario promises more than it keeps: from here on {bad} of {count} children have \
             misbehaved, and {threshold} must agree. What is promised of the data is not checked \
             any further."
        );
        violations.push(Case::violation("promise", None, Some(at), reason));
    }
}

/// Up to which entry what is promised of the data can be checked.
fn promised_until(case: &Case<'_>) -> usize {
    match case.scenario.expect.promises {
        Promises::Correct => case.beyond_tolerance().map_or(usize::MAX, |(at, ..)| at),
        Promises::Conforming => 0,
    }
}

pub(super) fn availability(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let until = promised_until(case);
    for asked in &case.requests {
        let Some((at, outcome)) = asked.completed else { continue };
        if let Some(errno) = outcome.error().filter(|_| at < until && !may_fail(case, asked)) {
            let reason = format!(
                "The request failed with {errno}, though no more children misbehave than the \
                 threshold tolerates."
            );
            let (id, at) = (Some(asked.id), Some(at));
            violations.push(Case::violation("availability", id, at, reason));
        }
    }
}

/// Whether the rules let a request fail though enough children are well.
fn may_fail(case: &Case<'_>, asked: &Asked<'_>) -> bool {
    let by_rule = match asked.op {
        // Every child must tell its length, and the same.
        GuestOp::Length | GuestOp::Truncate { .. } => true,
        GuestOp::WriteZeroes { flags, .. } => flags.no_fallback,
        _ => false,
    };
    by_rule || case.refused(asked).is_some()
}

pub(super) fn blame(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let until = promised_until(case);
    for (at, entry) in case.notable() {
        let What::Event(Event::ReportBad { node_name: name, .. }) = &entry.what else { continue };
        let disk = (0..case.scenario.disks()).find(|&disk| node_name(disk) == *name);
        let nested = &case.scenario.array.inner;
        let reason = match disk {
            None if nested.iter().any(|inner| inner.name == name.as_str()) => continue,
            Some(disk) if !nested.is_empty() || case.belonged(disk, at) => {
                let guilty = case.has_misbehaved(disk, at) || case.removed_before(disk, at);
                if guilty || at >= until {
                    continue;
                }
                format!("{name} was reported, and nothing was wrong with it.")
            }
            _ => format!("{name} was reported, and is no child of the array."),
        };
        violations.push(Case::violation("blame", entry.request, Some(at), reason));
    }
}

/// Whether reads give what some write has left there that still counts.
pub(super) fn freshness(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let until = promised_until(case);
    if until == 0 {
        return;
    }
    sweep(case, until, |cells, asked, at, data| {
        if let Some(reason) = cells.wrong(asked, data) {
            violations.push(Case::violation("freshness", Some(asked.id), Some(at), reason));
        }
    });
}

/// What each cell may hold at an entry. Shows each read that is answered with data by then.
fn sweep<'a>(
    case: &'a Case<'a>,
    until: usize,
    mut read: impl FnMut(&Cells<'a>, &Asked<'a>, usize, &[u8]),
) -> Cells<'a> {
    let mut cells = Cells::new(case);
    for &(at, place) in case.moments.iter().take_while(|(at, _)| *at < until) {
        let asked = &case.requests[place];
        match &case.entries()[at].what {
            What::Complete(outcome) => {
                if let Outcome::Data(Ok(data)) = outcome {
                    read(&cells, asked, at, data);
                }
                cells.end(asked, at, outcome.error().is_none());
            }
            What::Dropped => cells.end(asked, at, false),
            _ => cells.begin(asked, at),
        }
    }
    cells
}

/// Whether at the end sound disks hold what some write has left there that still counts.
pub(super) fn replicas(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let end = case.entries().len();
    if promised_until(case) < end {
        return;
    }
    let cells = sweep(case, end, |_, _, _, _| {});
    // Cells that nobody ever wrote to are the business of `untouched`.
    let written = |cell: &usize| cells.states[*cell].iter().any(|c| c.write.is_some());
    let written: Vec<usize> = (0..cells.states.len()).filter(written).collect();
    for (disk, image) in (0..).zip(&case.finished.media) {
        if case.has_misbehaved(disk, end) || !case.members_at(end).contains(&disk) {
            continue;
        }
        for &cell in &written {
            let range = cells.bounds[cell]..cells.bounds[cell + 1];
            let held = image.read(range.start, index(range.end - range.start));
            if !cells.may_hold(cell, &range, &held, usize::MAX) {
                let reason = format!(
                    "c{disk} is sound, and holds at {} bytes from {} on what no write that still \
                     counts has left there.",
                    range.end - range.start,
                    range.start
                );
                violations.push(Case::violation("replicas", None, None, reason));
            }
        }
    }
}

/// Bytes outside every write, on every disk and but for what faults may have altered there.
pub(super) fn untouched(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for (disk, image) in (0..).zip(&case.finished.media) {
        let fill = case.disks[disk as usize].fill;
        let mut touched: Vec<Range<u64>> =
            case.requests.iter().filter_map(|asked| changes(case, asked.op)).collect();
        for (_, entry) in case.notable() {
            if let What::Injected { child, firing, .. } = &entry.what
                && *child == disk
            {
                let bytes = firing
                    .taint
                    .iter()
                    .map(|s| s.first * SECTOR_BYTES..(s.first + s.count) * SECTOR_BYTES);
                touched.extend(bytes);
            }
        }
        for action in case.scenario.scripts().flatten() {
            if let Action::Corrupt { child, offset, bytes, .. } = action
                && *child == disk
            {
                touched.push(*offset..offset + bytes);
            }
        }
        touched.extend(repaired(case, disk));
        if let Some(at) = changed_outside(image, touched, fill) {
            let reason = format!("Byte {at} of c{disk} has changed, and nobody asked for that.");
            violations.push(Case::violation("untouched", None, None, reason));
        }
    }
}

/// What was written to a disk inside of what a client read, where reads repair. Which repairs there
/// must be, and with which bytes, is for `conformance` to say.
fn repaired(case: &Case<'_>, disk: u32) -> Vec<Range<u64>> {
    if !case.scenario.array.rewrite_corrupted {
        return Vec::new();
    }
    let reads = || {
        case.requests.iter().filter_map(|asked| match asked.op {
            GuestOp::Read { offset, bytes } => Some(*offset..offset + bytes),
            _ => None,
        })
    };
    let writes = case.entries().iter().filter_map(|entry| match &entry.what {
        What::Submit(call) if call.child == disk && call.kind == OpKind::Write => {
            Some(call.offset..call.offset + call.bytes)
        }
        _ => None,
    });
    let inside = |a: &Range<u64>, b: Range<u64>| a.start.max(b.start)..a.end.min(b.end);
    writes.flat_map(|write| reads().map(move |read| inside(&write, read))).collect()
}

/// The first byte outside the ranges that is not `fill`. Where nothing takes memory, nothing changed.
fn changed_outside(
    image: &quorate_engine::Image,
    mut touched: Vec<Range<u64>>,
    fill: u8,
) -> Option<u64> {
    touched.sort_by_key(|range| (range.start, range.end));
    let mut ranges = touched.into_iter().peekable();
    let mut touched_to = 0;
    for (start, page) in image.pages() {
        let end = image.bytes().min(start + page.len() as u64);
        let mut at = start;
        while at < end {
            while let Some(range) = ranges.next_if(|range| range.start <= at.max(touched_to)) {
                touched_to = touched_to.max(range.end);
            }
            if at < touched_to {
                at = touched_to;
                continue;
            }
            let stop = ranges.peek().map_or(end, |range| range.start.min(end));
            let bytes = &page[index(at - start)..index(stop - start)];
            if !only(fill, bytes) {
                let found = bytes.iter().position(|byte| *byte != fill).unwrap_or_default();
                return Some(at + found as u64);
            }
            at = stop;
        }
    }
    None
}

/// The bytes that a request may change: what lies on the disks of those that it names.
fn changes(case: &Case<'_>, op: &GuestOp) -> Option<Range<u64>> {
    let (start, bytes) = match op {
        GuestOp::Write { offset, data, .. } => (*offset, data.len() as u64),
        GuestOp::WriteZeroes { offset, bytes, .. } => (*offset, *bytes),
        _ => return None,
    };
    let length = case.disks[0].bytes;
    (start <= length).then(|| start..start.saturating_add(bytes).min(length))
}

/// What each cell may hold, as the run goes by.
struct Cells<'a> {
    case: &'a Case<'a>,
    /// Where cells begin and end.
    bounds: Vec<u64>,
    states: Vec<Vec<Candidate<'a>>>,
    /// The entries in which the reads began that are not over.
    reads: Vec<usize>,
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

impl<'a> Cells<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        let ends = case.requests.iter().filter_map(|asked| changes(case, asked.op));
        let mut bounds: Vec<u64> = ends.flat_map(|range| [range.start, range.end]).collect();
        bounds.extend([0, case.disks[0].bytes]);
        bounds.sort_unstable();
        bounds.dedup();
        let first = || Candidate { write: None, began: 0, over: Some(0), superseded: None };
        let states = (1..bounds.len()).map(|_| vec![first()]).collect();
        Self { case, bounds, states, reads: Vec::new() }
    }

    fn cells(&self, range: &Range<u64>) -> Range<usize> {
        let first = self.bounds.partition_point(|bound| *bound <= range.start) - 1;
        let last = self.bounds.partition_point(|bound| *bound < range.end);
        first..last.min(self.states.len())
    }

    fn begin(&mut self, asked: &'a Asked<'a>, at: usize) {
        if let GuestOp::Read { .. } = asked.op {
            self.reads.push(at);
        }
        let Some(range) = changes(self.case, asked.op) else { return };
        for cell in self.cells(&range) {
            let new = Candidate { write: Some(asked), began: at, over: None, superseded: None };
            self.states[cell].push(new);
        }
    }

    fn end(&mut self, asked: &'a Asked<'a>, at: usize, acknowledged: bool) {
        self.reads.retain(|began| *began != asked.invoked);
        let Some(range) = changes(self.case, asked.op) else { return };
        // What was superseded before every open read began can be seen no more.
        let oldest = self.reads.iter().copied().min().unwrap_or(at);
        for cell in self.cells(&range) {
            for candidate in &mut self.states[cell] {
                if candidate.began == asked.invoked {
                    candidate.over = Some(at);
                } else if acknowledged && candidate.over.is_some_and(|over| over < asked.invoked) {
                    candidate.superseded.get_or_insert(at);
                }
            }
            self.states[cell].retain(|c| c.superseded.is_none_or(|gone| gone >= oldest));
        }
    }

    /// Why a read's data cannot be.
    fn wrong(&self, asked: &Asked<'_>, data: &[u8]) -> Option<String> {
        let GuestOp::Read { offset, bytes } = asked.op else { return None };
        let range = *offset..offset + bytes;
        self.cells(&range).find_map(|cell| {
            let start = self.bounds[cell].max(range.start);
            let piece = start..self.bounds[cell + 1].min(range.end);
            let held = &data[index(piece.start - offset)..index(piece.end - offset)];
            let fine = self.may_hold(cell, &piece, held, asked.invoked);
            (!fine).then(|| {
                let length = piece.end - piece.start;
                format!(
                    "The {length} bytes from {start} on are what no write that still counted when \
                     the read began has left there."
                )
            })
        })
    }

    /// Whether a piece of a cell may hold these bytes for one who began to read at this entry.
    fn may_hold(&self, cell: usize, piece: &Range<u64>, held: &[u8], began: usize) -> bool {
        self.states[cell].iter().any(|candidate| {
            let seen = match began {
                usize::MAX => candidate.superseded.is_none(),
                began => candidate.superseded.is_none_or(|gone| gone > began),
            };
            seen && match candidate.write.map(|asked| asked.op) {
                None => only(self.case.fill(), held),
                Some(GuestOp::Write { offset, data, .. }) => {
                    data[index(piece.start - offset)..index(piece.end - offset)] == *held
                }
                Some(_) => only(0, held),
            }
        })
    }
}

/// Whether there is nothing but this byte: without an early end, so that it is done many at a time.
fn only(byte: u8, bytes: &[u8]) -> bool {
    bytes.chunks(256).all(|chunk| chunk.iter().fold(0, |differ, b| differ | (b ^ byte)) == 0)
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("an offset inside a buffer")
}
