//! A trace laid out in rows and lanes, before any padding or colour.
//!
//! Within an instant the order is left to right, then down: an entry that belongs to the left of
//! the last one starts a new row.

use crate::{
    colour::Tone,
    qapi,
    run::Run,
    trace::{Answer, Change, ChildCall, Entry, GuestOp, Outcome, Payload, RequestId, What},
    words,
};
use quorate_engine::{Extent, ExtentKind, Result};
use quorate_faults::rule::{OpKind, Origin};
use std::{collections::BTreeMap, ops::Range};

/// What stands in one lane of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
    /// The children that it is about, where they share a lane.
    pub(super) who: Vec<u32>,
}

impl Cell {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone, who: Vec::new() }
    }
}

/// A line of the timeline, or a few where faults hit what was asked in it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) at: u64,
    /// The entries that it shows.
    pub(super) entries: Range<usize>,
    /// Per lane what happened, top to bottom.
    pub(super) lanes: Vec<Vec<Cell>>,
    /// What is of no lane.
    pub(super) across: Option<Cell>,
    /// Per lane whether something is still waited for.
    pub(super) busy: Vec<bool>,
    /// Whether the array was idle before.
    pub(super) after_idle: bool,
}

/// All rows of a run, and what was never answered.
pub(super) struct Layout<'a> {
    pub(super) rows: Vec<Row>,
    pub(super) requests: BTreeMap<RequestId, Request<'a>>,
    /// The children's operations that are waited for, by child and ordinal.
    pub(super) waiting: BTreeMap<(u32, u64), Waiting<'a>>,
    run: &'a Run,
    children: Children,
    last: Option<usize>,
}

/// A request as the rows need it.
#[derive(Default)]
pub(super) struct Request<'a> {
    pub(super) op: Option<&'a GuestOp>,
    pub(super) open: bool,
    /// The hashes of its data, in order of appearance.
    versions: Vec<u64>,
    /// Whether a child was asked for another range than the guest asked for.
    cut: bool,
}

/// A child's operation that was not answered.
pub(super) struct Waiting<'a> {
    pub(super) request: Option<RequestId>,
    pub(super) call: &'a ChildCall,
}

/// How children are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Children {
    /// A lane for each of so many.
    Lanes(usize),
    /// One lane for all of them, which names who it is about.
    Shared,
}

impl Children {
    pub(super) fn of(run: &Run) -> Self {
        let count = run.devices.len();
        if count <= LANES_MAX { Self::Lanes(count) } else { Self::Shared }
    }

    /// How many lanes there are: the guest's, those of the children, that of the events.
    pub(super) fn lanes(self) -> usize {
        match self {
            Self::Lanes(count) => count + 2,
            Self::Shared => 3,
        }
    }

    fn lane(self, child: u32) -> usize {
        match self {
            Self::Lanes(count) => {
                assert!((child as usize) < count, "every child of a trace is one of its devices");
                GUEST + 1 + child as usize
            }
            Self::Shared => GUEST + 1,
        }
    }
}

/// More children than this share one lane: 100 columns do not hold more.
const LANES_MAX: usize = 7;
/// The guest's lane.
const GUEST: usize = 0;

impl<'a> Layout<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let mut layout = Self {
            rows: Vec::new(),
            requests: BTreeMap::new(),
            waiting: BTreeMap::new(),
            run,
            children: Children::of(run),
            last: None,
        };
        for (index, entry) in run.trace.entries.iter().enumerate() {
            layout.add(index, entry);
        }
        layout.close();
        layout
    }

    fn add(&mut self, index: usize, entry: &'a Entry) {
        let at = (index, entry.at);
        let tag = entry.request.map(|r| format!("{r} ")).unwrap_or_default();
        match &entry.what {
            What::Invoke(op) => {
                let range = words::guest_range(op).map(|(o, b)| format!(" {}", words::range(o, b)));
                let flags = words::flags(words::guest_flags(op));
                let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
                let kind = words::short(words::guest_kind(op));
                let text = kind.to_owned() + &range.unwrap_or_default() + &flags;
                self.place(at, GUEST, None, Cell::new(Tone::Strong, format!("> {tag}{text}")));
                if let Some(id) = entry.request {
                    let request = Request { op: Some(op), open: true, ..Request::default() };
                    self.requests.insert(id, request);
                }
            }
            What::Complete(outcome) => {
                let (tone, text) = self.outcome(entry.request, outcome);
                self.place(at, GUEST, None, Cell::new(tone, format!("< {tag}{text}")));
                self.end(entry.request);
            }
            What::Dropped => {
                self.place(at, GUEST, None, Cell::new(Tone::Fault, format!("x {tag}given up")));
                self.end(entry.request);
            }
            What::Submit(call) => self.submit(at, entry.request, call),
            What::Injected { child, firing, .. } => {
                let text = match firing.status.map(words::errno) {
                    Some(status) if firing.fault == "status" => format!("! {status}"),
                    Some(status) => format!("! {} {status}", firing.fault),
                    None => format!("! {}", firing.fault),
                };
                self.note(at, *child, Cell::new(Tone::Fault, text));
            }
            What::Spared { child, rule, .. } => {
                self.note(at, *child, Cell::new(Tone::Faint, format!("- {rule} spared")));
            }
            What::Reply { child, ordinal, answer } => {
                let asked = self.waiting.get(&(*child, *ordinal)).and_then(|w| w.request);
                let request = entry.request.or(asked);
                let tag = request.map(|r| format!("{r} ")).unwrap_or_default();
                let (mark, tone, text) = self.answer(request, answer);
                let text = format!("{mark} {tag}{text}");
                self.place_child(at, *child, Cell::new(tone, text.trim_end()));
                self.waiting.remove(&(*child, *ordinal));
            }
            What::Event(event) => {
                let text = format!("* {tag}{}", qapi::text(event));
                self.place(at, self.children.lanes() - 1, None, Cell::new(Tone::Bad, text));
            }
            What::Heard(event) => self.heard(at, format!("* {tag}{}", qapi::text(event))),
            What::Membership(change) => {
                let device = |child: &u32| &self.run.devices[*child as usize];
                let text = match change {
                    Change::Added { child, name } => format!("{} joins as {name}", device(child)),
                    Change::Removed { child, name } => format!("{}, {name}, leaves", device(child)),
                    Change::Refused(reason) => format!("change refused: {reason}"),
                };
                self.across(at, Cell::new(Tone::Strong, format!("# {text}")));
            }
            What::NotOpened(reason) => {
                let text = format!("# the array does not open: {reason}");
                self.across(at, Cell::new(Tone::Bad, text));
            }
            What::Control(step) => self.across(at, Cell::new(Tone::Strong, format!("# {step}"))),
        }
    }

    fn submit(&mut self, at: (usize, u64), id: Option<RequestId>, call: &'a ChildCall) {
        let asked = words::child_range(call);
        let request = id.map(|id| self.requests.entry(id).or_default());
        let guest = request.as_ref().and_then(|r| words::guest_range(r.op?));
        let differs = asked.is_some() && asked != guest;
        let mut text = id.map(|id| format!("> {id} ")).unwrap_or_else(|| "> ".into());
        text += match call.origin {
            Origin::Guest => words::short(call.kind.word()),
            Origin::Rewrite => "rewrite",
        };
        if let Some(request) = request {
            request.cut |= differs && call.kind == OpKind::Read;
            if call.origin == Origin::Rewrite {
                text += &format!(" {}", letter(request.version(call.payload)));
            }
        }
        self.place_child(at, call.child, Cell::new(Tone::Plain, text));
        if let Some((offset, bytes)) = asked.filter(|_| differs && call.origin == Origin::Guest) {
            let range = format!("  {}", words::range(offset, bytes));
            self.note(at, call.child, Cell::new(Tone::Plain, range));
        }
        self.waiting.insert((call.child, call.ordinal), Waiting { request: id, call });
    }

    /// What the guest got; of data, which version.
    fn outcome(&self, id: Option<RequestId>, outcome: &Outcome) -> (Tone, String) {
        match outcome {
            Outcome::Data(Ok(data)) => {
                let request = id.and_then(|id| self.requests.get(&id));
                let hash = Payload::of(data).hash;
                match request.and_then(|r| r.versions.iter().position(|v| *v == hash)) {
                    Some(nth) => (Tone::Version(nth), letter(nth)),
                    None if request.is_some_and(|r| r.cut) => (Tone::Good, "data".into()),
                    None => (Tone::Bad, "data that no child gave".into()),
                }
            }
            Outcome::Data(Err(e)) => (Tone::Bad, words::errno(*e)),
            Outcome::Done(r) => done(*r),
            Outcome::Length(r) => length(*r),
            Outcome::Status(r) => status(*r),
        }
    }

    /// What a child answered; of data, which version.
    fn answer(&mut self, id: Option<RequestId>, answer: &Answer) -> (char, Tone, String) {
        let (tone, text) = match (answer, id) {
            (Answer::Data(Ok(payload)), Some(id)) => {
                let nth = self.requests.entry(id).or_default().version(*payload);
                (Tone::Version(nth), letter(nth))
            }
            (Answer::Data(Ok(payload)), None) => (Tone::Plain, words::size(payload.bytes)),
            (Answer::Data(Err(e)), _) => (Tone::Bad, words::errno(*e)),
            (Answer::Done(r), _) => done(*r),
            (Answer::Length(r), _) => length(*r),
            (Answer::Status(r), _) => status(*r),
            (Answer::Abandoned, _) => return ('x', Tone::Fault, String::new()),
        };
        ('<', tone, text)
    }

    fn end(&mut self, id: Option<RequestId>) {
        if let Some(request) = id.and_then(|id| self.requests.get_mut(&id)) {
            request.open = false;
        }
    }

    /// An event that came through the throttle: a second star, if it stands right above.
    fn heard(&mut self, (index, at): (usize, u64), text: String) {
        let lane = self.children.lanes() - 1;
        let row = self.current().filter(|row| row.at == at);
        if let Some(row) = row
            && let Some(cell) = row.lanes[lane].last_mut().filter(|cell| cell.text == text)
        {
            cell.text.insert(0, '*');
            row.entries.end = index + 1;
            return;
        }
        self.place((index, at), lane, None, Cell::new(Tone::Bad, format!("*{text}")));
    }

    fn place_child(&mut self, at: (usize, u64), child: u32, cell: Cell) {
        self.place(at, self.children.lane(child), Some(child), cell);
    }

    /// Puts a cell below what was just put in the child's lane.
    fn note(&mut self, at: (usize, u64), child: u32, cell: Cell) {
        let lane = self.children.lane(child);
        let shared = self.children == Children::Shared;
        let row = self.current().filter(|row| row.at == at.1 && !row.lanes[lane].is_empty());
        let Some(row) = row else { return self.place_child(at, child, cell) };
        row.entries.end = at.0 + 1;
        let same = |c: &&mut Cell| shared && c.text == cell.text;
        match row.lanes[lane].iter_mut().find(same) {
            Some(cell) => cell.who.push(child),
            None => {
                let who = if shared { vec![child] } else { Vec::new() };
                row.lanes[lane].push(Cell { who, ..cell });
            }
        }
    }

    fn place(&mut self, (index, at): (usize, u64), lane: usize, child: Option<u32>, cell: Cell) {
        let who = child.filter(|_| self.children == Children::Shared);
        let last = self.last;
        if let Some(row) = self.current().filter(|row| row.at == at) {
            let same = |c: &&mut Cell| c.text == cell.text && last == Some(lane);
            if let (Some(who), Some(cell)) = (who, row.lanes[lane].iter_mut().find(same)) {
                cell.who.push(who);
                row.entries.end = index + 1;
                return;
            }
            if last.is_some_and(|last| last < lane) {
                row.lanes[lane].push(Cell { who: who.into_iter().collect(), ..cell });
                row.entries.end = index + 1;
                self.last = Some(lane);
                return;
            }
        }
        let mut row = self.row(index, at);
        row.lanes[lane].push(Cell { who: who.into_iter().collect(), ..cell });
        self.rows.push(row);
        self.last = Some(lane);
    }

    fn across(&mut self, (index, at): (usize, u64), cell: Cell) {
        let row = self.row(index, at);
        self.rows.push(Row { across: Some(cell), ..row });
        // Nothing goes to the right of it.
        self.last = Some(self.children.lanes());
    }

    /// An empty row; what is waited for is now known of the one before.
    fn row(&mut self, index: usize, at: u64) -> Row {
        self.close();
        Row {
            at,
            entries: index..index + 1,
            lanes: vec![Vec::new(); self.children.lanes()],
            across: None,
            busy: vec![false; self.children.lanes()],
            after_idle: self.waiting.is_empty() && !self.requests.values().any(|r| r.open),
        }
    }

    /// Closes the last row.
    fn close(&mut self) {
        let mut busy = vec![false; self.children.lanes()];
        busy[GUEST] = self.requests.values().any(|r| r.open);
        if let Children::Lanes(_) = self.children {
            for (child, _) in self.waiting.keys() {
                busy[self.children.lane(*child)] = true;
            }
        }
        if let (Some(row), Some(_)) = (self.rows.last_mut(), self.last.take()) {
            row.busy = busy;
        }
    }

    /// The row that may still take cells.
    fn current(&mut self) -> Option<&mut Row> {
        self.last?;
        self.rows.last_mut()
    }
}

impl Request<'_> {
    fn version(&mut self, payload: Payload) -> usize {
        self.versions.iter().position(|v| *v == payload.hash).unwrap_or_else(|| {
            self.versions.push(payload.hash);
            self.versions.len() - 1
        })
    }
}

/// A, B … Z, A1, B1 …
fn letter(nth: usize) -> String {
    let letter = char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[nth % 26]);
    if nth < 26 { letter.into() } else { format!("{letter}{}", nth / 26) }
}

fn done(result: Result<()>) -> (Tone, String) {
    result.map_or_else(|e| (Tone::Bad, words::errno(e)), |()| (Tone::Good, "ok".into()))
}

fn length(result: Result<u64>) -> (Tone, String) {
    result.map_or_else(|e| (Tone::Bad, words::errno(e)), |bytes| (Tone::Good, words::size(bytes)))
}

fn status(result: Result<Extent>) -> (Tone, String) {
    let text = |extent: Extent| match extent.kind {
        ExtentKind::Data => format!("data {}", words::size(extent.bytes)),
        ExtentKind::Zero => format!("zero {}", words::size(extent.bytes)),
    };
    result.map_or_else(|e| (Tone::Bad, words::errno(e)), |extent| (Tone::Good, text(extent)))
}
