//! A run as a timeline for people: device time downwards, one lane per child.
//!
//! ```text
//!    µs  guest              c0          c1          c2          events
//!     0  > 0.0 read 0+1K    > 0.0 read  > 0.0 read  > 0.0 read
//!        │                  │           ! corrupt   │
//!   120  │                  < 0.0 A     │           │
//!   180  │                              < 0.0 B     │
//!   240  │                                          < 0.0 A     * 0.0 bad c1 read 0+2
//!        < 0.0 A
//! ```
//!
//! Within an instant the order is left to right, then down. With more than seven children they share
//! a lane, whose cells begin with the names of those that they are about.

use crate::{
    colour::{Colour, Tone},
    run::{Run, Verdict, Violation},
    trace::{RequestId, What},
    words,
};
use rows::{Cell, Children, Layout, Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

mod rows;

/// The whole run: a header, the legend, the rows, what was left open and what did not hold.
#[must_use]
pub fn render(run: &Run, colour: Colour) -> String {
    let layout = Layout::of(run);
    let mut lines = header(run, colour);
    lines.push(String::new());
    lines.extend(LEGEND.iter().map(|line| colour.paint(Tone::Faint, line)));
    lines.push(String::new());
    Table::of(run, &layout.rows, colour).write(Violated::Explained, &mut lines);
    let mut footer = left_open(run, &layout, colour);
    for violation in run.violations.iter().filter(|violation| violation.entry.is_none()) {
        footer.extend(violated(violation, Violated::Explained, colour));
    }
    if !footer.is_empty() {
        lines.push(String::new());
        lines.extend(footer);
    }
    text(lines)
}

/// The rows that show a violation, under the names of the lanes: those of its request before all
/// others, then those around it.
///
/// Without an entry it is the end of the request or of the run, and what was left open.
#[must_use]
pub fn excerpt(run: &Run, violation: Option<&Violation>, colour: Colour) -> String {
    let layout = Layout::of(run);
    let rows: Vec<Row> = chosen(run, &layout.rows, violation)
        .into_iter()
        .map(|at| layout.rows[at].clone())
        .collect();
    let mut lines = Vec::new();
    let first = rows.first().map_or(0, |row| row.entries.start);
    lines.extend(skipped(0..first, " before", colour));
    Table::of(run, &rows, colour).write(Violated::Named, &mut lines);
    let end = rows.last().map_or(0, |row| row.entries.end);
    lines.extend(skipped(end..run.trace.entries.len(), " after", colour));
    if violation.is_none_or(|violation| violation.entry.is_none()) {
        lines.extend(left_open(run, &layout, colour));
    }
    text(lines)
}

/// The rows of an excerpt, by importance as far as there is room, and then in order.
fn chosen(run: &Run, rows: &[Row], violation: Option<&Violation>) -> BTreeSet<usize> {
    let request = violation.and_then(|violation| violation.request);
    let has = |row: usize, which: &dyn Fn(&What) -> bool| {
        let entries = &run.trace.entries[rows[row].entries.clone()];
        entries.iter().any(|e| request.is_some() && e.request == request && which(&e.what))
    };
    let own: Vec<usize> = (0..rows.len()).filter(|&row| has(row, &|_| true)).collect();
    let shown = |entry| rows.iter().position(|row| row.entries.contains(&entry));
    let place = violation.and_then(|violation| shown(violation.entry?));
    let at = place.or(own.last().copied()).unwrap_or(rows.len().saturating_sub(1));
    let is_cause = |what: &What| matches!(what, What::Injected { .. } | What::Event(_));
    let causes = own.iter().copied().filter(|&row| has(row, &is_cause));
    let nearest = |mut rows: Vec<usize>| {
        rows.sort_by_key(|row| row.abs_diff(at));
        rows
    };
    let around = at.saturating_sub(EXCERPT_BEFORE)..rows.len().min(at + 1 + EXCERPT_AFTER);
    let wanted = [at].into_iter().chain(own.first().copied()).chain(causes);
    let wanted = wanted.chain(nearest(own.clone())).chain(nearest(around.collect()));
    let mut chosen = BTreeSet::new();
    let mut room = EXCERPT_LINES;
    for row in wanted.filter(|row| *row < rows.len()) {
        let depth = rows[row].lanes.iter().map(Vec::len).max().unwrap_or(0).max(1);
        if depth <= room && chosen.insert(row) {
            room -= depth;
        }
    }
    chosen
}

/// How many entries are left out, if any.
fn skipped(entries: Range<usize>, which: &str, colour: Colour) -> Option<String> {
    let count = words::counted(entries.len() as u64, "entry", "entries");
    let text = colour.paint(Tone::Faint, &format!("… {count}{which} …"));
    (!entries.is_empty()).then_some(text)
}

fn header(run: &Run, colour: Colour) -> Vec<String> {
    let entries = &run.trace.entries;
    let clients: BTreeSet<_> = entries.iter().filter_map(|e| Some(e.request?.client)).collect();
    let verdict = if run.verdict == Verdict::Held { Tone::Good } else { Tone::Bad };
    let token = if run.token == run.name { String::new() } else { format!("  {}", run.token) };
    let facts = [
        words::counted(run.devices.len() as u64, "child", "children"),
        words::counted(clients.len() as u64, "client", "clients"),
        words::counted(run.child_ios, "child operation", "child operations"),
        format!("{} µs", words::thousands(entries.last().map_or(0, |e| e.at))),
        format!("digest {}", run.trace.digest),
    ];
    let name = colour.paint(Tone::Strong, &run.name);
    vec![
        format!("{name}{token}  {}", colour.paint(verdict, run.verdict.word())),
        colour.paint(Tone::Faint, &facts.join(", ")),
    ]
}

/// What was never answered.
fn left_open(run: &Run, layout: &Layout<'_>, colour: Colour) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, request) in layout.requests.iter().filter(|(_, request)| request.open) {
        let op = request.op.map_or("request", words::guest_kind);
        lines.push(format!("{id} {op}{}", waiting(run, layout, Some(*id))));
    }
    let open = |id: Option<RequestId>| id.is_some_and(|id| layout.requests[&id].open);
    let answered: BTreeSet<_> =
        layout.waiting.values().map(|w| w.request).filter(|id| !open(*id)).collect();
    for id in answered {
        let whose = id.map(|id| format!("{id}, detached")).unwrap_or_else(|| "no request".into());
        lines.push(format!("{whose}{}", waiting(run, layout, id)));
    }
    let paint = |line| colour.paint(Tone::Fault, &format!("open at the end: {line}"));
    lines.into_iter().map(paint).collect()
}

/// Which operations of which children a request waits for.
fn waiting(run: &Run, layout: &Layout<'_>, id: Option<RequestId>) -> String {
    let mut alike: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for call in layout.waiting.values().filter(|w| w.request == id).map(|w| w.call) {
        let range = words::child_range(call).map(|(o, b)| format!(" {}", words::range(o, b)));
        let op = call.kind.word().to_owned() + &range.unwrap_or_default();
        alike.entry(op).or_default().push(call.child);
    }
    let alike: Vec<_> =
        alike.into_iter().map(|(op, who)| format!("{op} of {}", names(run, &who))).collect();
    if alike.is_empty() { String::new() } else { format!(", waiting for {}", alike.join(", ")) }
}

/// How much is said of a violation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Violated {
    Named,
    Explained,
}

fn violated(violation: &Violation, how: Violated, colour: Colour) -> Vec<String> {
    let request = violation.request.map(|r| format!(" ({r})")).unwrap_or_default();
    let mut text = format!("{}{request}", violation.check);
    if how == Violated::Explained {
        text += &format!(": {}", violation.reason);
    }
    let mut mark = "!! ";
    let mut lines = Vec::new();
    for line in words::reason(&text, REASON_WIDTH) {
        lines.push(colour.paint(Tone::Bad, &format!("{mark}{line}")));
        mark = "   ";
    }
    lines
}

/// Rows with the widths that they need.
struct Table<'a> {
    run: &'a Run,
    rows: &'a [Row],
    colour: Colour,
    headings: Vec<String>,
    time: usize,
    widths: Vec<usize>,
}

impl<'a> Table<'a> {
    fn of(run: &'a Run, rows: &'a [Row], colour: Colour) -> Self {
        let mut headings = vec!["guest".to_owned()];
        match Children::of(run) {
            Children::Lanes(_) => headings.extend(run.devices.iter().map(|name| name.to_string())),
            Children::Shared => headings.push("children".into()),
        }
        headings.push("events".into());
        let mut widths: Vec<_> = headings.iter().map(|heading| width(heading)).collect();
        for row in rows {
            for (widest, cells) in widths.iter_mut().zip(&row.lanes) {
                *widest = cells.iter().fold(*widest, |w, cell| w.max(width(&full(run, cell))));
            }
        }
        let time = rows.iter().map(|row| words::thousands(row.at).len()).max();
        let time = time.unwrap_or(0).max(TIME_WIDTH_MIN);
        Self { run, rows, colour, headings, time, widths }
    }

    fn write(&self, how: Violated, lines: &mut Vec<String>) {
        let headings = self.headings.iter().map(|h| (h.clone(), Tone::Strong)).collect();
        lines.push(self.line("µs", headings));
        let mut last: Option<&Row> = None;
        for row in self.rows {
            let same_time = last.is_some_and(|last| last.at == row.at);
            // What a scenario does before a request belongs to it.
            let together = last.is_some_and(|last| last.across.is_some()) && same_time;
            let left_out = last.map_or(0..0, |last| last.entries.end..row.entries.start);
            let gap = skipped(left_out, " left out", self.colour);
            let follows = gap.is_none();
            lines.extend(gap.map(|gap| " ".repeat(self.time + GAP) + &gap));
            if row.after_idle && last.is_some() && !together && follows {
                lines.push(String::new());
            }
            let time = if same_time { String::new() } else { words::thousands(row.at) };
            self.write_row(row, &time, lines);
            let shown = |v: &&Violation| v.entry.is_some_and(|e| row.entries.contains(&e));
            for violation in self.run.violations.iter().filter(shown) {
                let violated = violated(violation, how, self.colour).into_iter();
                lines.extend(violated.map(|line| " ".repeat(self.time + GAP) + &line));
            }
            last = Some(row);
        }
    }

    fn write_row(&self, row: &Row, time: &str, lines: &mut Vec<String>) {
        if let Some(Cell { text, tone, .. }) = &row.across {
            let text = self.colour.paint(*tone, text);
            lines.push(self.line(time, Vec::new()) + &" ".repeat(GAP) + &text);
            return;
        }
        let depth = row.lanes.iter().map(Vec::len).max().unwrap_or(0);
        for level in 0..depth {
            let cell = |(lane, cells): (usize, &Vec<Cell>)| match cells.get(level) {
                Some(cell) => (full(self.run, cell), cell.tone),
                None if row.busy[lane] => ("│".into(), Tone::Faint),
                None => (String::new(), Tone::Plain),
            };
            let cells = row.lanes.iter().enumerate().map(cell).collect();
            lines.push(self.line(if level == 0 { time } else { "" }, cells));
        }
    }

    fn line(&self, time: &str, cells: Vec<(String, Tone)>) -> String {
        let pad = |used: usize, of: usize| " ".repeat(of.saturating_sub(used));
        let mut line = pad(width(time), self.time) + &self.colour.paint(Tone::Faint, time);
        let mut missing = 0;
        for ((text, tone), wide) in cells.iter().zip(&self.widths) {
            if !text.is_empty() {
                line += &" ".repeat(missing + GAP);
                line += &self.colour.paint(*tone, text);
                missing = wide - width(text);
            } else {
                missing += GAP + wide;
            }
        }
        line
    }
}

fn full(run: &Run, cell: &Cell) -> String {
    match cell.who.as_slice() {
        [] => cell.text.clone(),
        who => format!("{} {}", names(run, who), cell.text),
    }
}

/// `c0..c3 c5`: runs of neighbours by their ends.
fn names(run: &Run, who: &[u32]) -> String {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for &child in who {
        match runs.last_mut().filter(|run| run.end == child) {
            Some(run) => run.end += 1,
            None => runs.push(child..child + 1),
        }
    }
    let text = |children: &Range<u32>| match children.end - children.start {
        1 => device(run, children.start),
        2 => format!("{} {}", device(run, children.start), device(run, children.end - 1)),
        _ => format!("{}..{}", device(run, children.start), device(run, children.end - 1)),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn device(run: &Run, child: u32) -> String {
    run.devices[child as usize].to_string()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn text(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The same for every run.
const LEGEND: [&str; 4] = [
    "> asked   < answered   x given up or abandoned   │ waited for   # step or change of the array",
    "! fault   * event      ** event that came through the throttle  !! what did not hold",
    "A B C  data of one request, a letter for each different content in order of appearance",
    "read 4K+512  offset+bytes; in events sectors, first+count; an instant reads left to right",
];

const GAP: usize = 2;
const TIME_WIDTH_MIN: usize = 5;
const REASON_WIDTH: usize = 88;
const EXCERPT_BEFORE: usize = 6;
const EXCERPT_AFTER: usize = 3;
/// How many lines of rows an excerpt has at most.
const EXCERPT_LINES: usize = 14;
