//! What many runs came to: counts that can be added up, between threads and between machines.

use crate::{
    colour::{Colour, Tone},
    run::Verdict,
    words::{counted, thousands, wrap},
};
use quorate_engine::OpType;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub mod cell;
mod reach;
mod shape;

pub use cell::Cell;
pub use reach::{Reach, cores};
pub use shape::{Form, ParseShapeError, Shape};

/// What many runs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Runs by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Runs by profile.
    pub profiles: BTreeMap<String, u64>,
    /// Faults that fired, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What became of faults, by kind of end.
    #[serde(default)]
    pub ends: BTreeMap<String, u64>,
    /// Votes by shape.
    pub shapes: BTreeMap<Shape, u64>,
    /// Votes by cell, of arrays of up to [`cell::Parts::CHILDREN_MAX`] children.
    #[serde(default)]
    pub cells: BTreeMap<Cell, u64>,
    /// What profiles declare that they reach.
    #[serde(default)]
    pub reach: BTreeMap<String, Reach>,
    /// Faults that a budget did not allow.
    #[serde(default)]
    pub spared: u64,
    /// Operations that children completed.
    pub child_ios: u64,
    /// The time that passed.
    pub elapsed: Duration,
    /// The processor time spent.
    pub cpu: Duration,
    /// The failures kept.
    pub failures: BTreeSet<Failure>,
}

/// One failed run, as the summary keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What it is filed under ([`crate::card::class`]).
    pub class: String,
    /// What replays it: `profile:number`, on the same commit.
    pub token: String,
    /// Where the run was saved, if it was: it replays on later commits too.
    pub file: Option<String>,
    /// What did not hold.
    pub reason: String,
}

impl Summary {
    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// Whether every run held.
    #[must_use]
    pub fn all_held(&self) -> bool {
        self.verdicts.iter().all(|(verdict, runs)| *verdict == Verdict::Held || *runs == 0)
    }

    /// Adds what ran beside it: everything adds up, but the time passed is the longer of the two.
    ///
    /// The order of merging does not matter.
    pub fn merge(&mut self, other: Self) {
        add(&mut self.verdicts, other.verdicts);
        add(&mut self.profiles, other.profiles);
        add(&mut self.faults, other.faults);
        add(&mut self.ends, other.ends);
        add(&mut self.shapes, other.shapes);
        add(&mut self.cells, other.cells);
        for (profile, reach) in other.reach {
            match self.reach.get_mut(&profile) {
                Some(own) => own.merge(reach),
                None => drop(self.reach.insert(profile, reach)),
            }
        }
        self.spared += other.spared;
        self.child_ios += other.child_ios;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.cpu += other.cpu;
        self.failures.extend(other.failures);
    }
}

/// The summary for people.
#[must_use]
pub fn render(summary: &Summary, colour: Colour) -> String {
    let mut text = headline(summary, colour);
    let verdicts = summary.verdicts.iter().map(|(verdict, runs)| {
        let tone = if *verdict == Verdict::Held { Tone::Good } else { Tone::Bad };
        (verdict.word(), *runs, tone)
    });
    let plain = |(word, count): (&'_ String, &u64)| (word.clone(), *count, Tone::Plain);
    let blocks = [
        block("runs", verdicts.map(|(word, runs, tone)| (word.into(), runs, tone)), colour),
        block("profiles", summary.profiles.iter().map(plain), colour),
        block("faults fired", summary.faults.iter().map(plain), colour),
        block("faults ended", summary.ends.iter().map(plain), colour),
    ];
    text += &beside(blocks);
    if summary.spared > 0 {
        let spared = counted(summary.spared, "fault", "faults");
        text += &format!("  {spared} more than the budgets allow were left out\n");
    }
    text += &votes(summary, colour);
    text += &reach::render(summary, colour);
    text += &failures(summary, colour);
    text
}

fn headline(summary: &Summary, colour: Colour) -> String {
    let runs = counted(summary.runs(), "run", "runs");
    let held = if summary.all_held() {
        colour.paint(Tone::Good, "all held")
    } else {
        let failed = summary.runs() - summary.verdicts.get(&Verdict::Held).copied().unwrap_or(0);
        colour.paint(Tone::Bad, &format!("{} did not hold", thousands(failed)))
    };
    let per_second = |time: Duration| {
        let rate = u128::from(summary.runs()) * 1_000_000 / time.as_micros().max(1);
        thousands(u64::try_from(rate).unwrap_or(u64::MAX))
    };
    format!(
        "{}, {held}, {}\n{} seeds/s, {} per core-second, {} elapsed, {} of processor time\n",
        colour.paint(Tone::Strong, &runs),
        counted(summary.child_ios, "child operation", "child operations"),
        per_second(summary.elapsed),
        per_second(summary.cpu),
        seconds(summary.elapsed),
        seconds(summary.cpu),
    )
}

/// A table of words and counts: its lines and their width without colour.
type Block = Vec<(usize, String)>;

fn block(
    title: &str,
    rows: impl Iterator<Item = (String, u64, Tone)>,
    colour: Colour,
) -> Option<Block> {
    let rows: Vec<_> = rows.map(|(word, count, tone)| (word, thousands(count), tone)).collect();
    let words = rows.iter().map(|(word, ..)| word.chars().count()).max()?;
    let counts = rows.iter().map(|(_, count, _)| count.len()).max()?;
    let width = (words + GAP + counts).max(title.len());
    let counts = width - words - GAP;
    let mut block = vec![(title.len(), colour.paint(Tone::Strong, title))];
    for (word, count, tone) in rows {
        let text = format!("{word:<words$}  {count:>counts$}");
        block.push((width, colour.paint(tone, &text)));
    }
    Some(block)
}

/// Blocks next to each other.
fn beside(blocks: [Option<Block>; 4]) -> String {
    let blocks: Vec<_> = blocks.into_iter().flatten().collect();
    let depth = blocks.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for level in 0..depth {
        text.push('\n');
        let mut missing = 2;
        for block in &blocks {
            let width = block.iter().map(|(width, _)| *width).max().unwrap_or(0);
            if let Some((used, line)) = block.get(level) {
                text += &" ".repeat(missing);
                text += line;
                missing = width - used;
            } else {
                missing += width;
            }
            missing += BLOCK_GAP;
        }
    }
    if depth > 0 { format!("{text}\n") } else { text }
}

/// How votes came out, by operation; `never` is where the runs have a blind spot.
fn votes(summary: &Summary, colour: Colour) -> String {
    if summary.shapes.is_empty() {
        return String::new();
    }
    let ops = [OpType::Read, OpType::Write, OpType::Flush];
    let mut rows = Vec::new();
    for form in Form::ALL {
        let count = |op: &OpType| {
            let of = summary.shapes.iter().filter(|(s, _)| s.form == form && s.op == *op);
            form.can_be_of(*op).then(|| of.map(|(_, count)| count).sum::<u64>())
        };
        let counts = ops.each_ref().map(count);
        // A single profile is not meant to see every form; together they are.
        if summary.profiles.len() > 1 || counts.iter().flatten().any(|count| *count > 0) {
            rows.push((form, counts));
        }
    }
    let cell = |count: Option<u64>| match count {
        None => (String::new(), Tone::Plain),
        Some(0) => ("never".into(), Tone::Fault),
        Some(count) => (thousands(count), Tone::Plain),
    };
    let longest = rows.iter().flat_map(|(_, counts)| counts).map(|c| cell(*c).0.len()).max();
    let width = longest.unwrap_or(0).max("flush".len());
    let title = format!("{:<FORM_WIDTH$}", "votes");
    let mut text = format!("\n  {}", colour.paint(Tone::Strong, &title));
    for op in ["read", "write", "flush"] {
        text += &colour.paint(Tone::Strong, &format!("  {op:>width$}"));
    }
    for (form, counts) in rows {
        let mut line = format!("\n  {:<FORM_WIDTH$}", form.word());
        for (word, tone) in counts.map(cell) {
            line += &" ".repeat(GAP + width - word.len());
            line += &colour.paint(tone, &word);
        }
        text += line.trim_end_matches(' ');
    }
    let sizes: BTreeSet<_> = summary.shapes.keys().map(|s| (s.children, s.threshold)).collect();
    let children = |size: Option<&(u8, u8)>| size.map_or(0, |(children, _)| *children);
    let (least, most) = (children(sizes.first()), children(sizes.last()));
    let shapes = counted(summary.shapes.len() as u64, "vote shape", "vote shapes");
    let pairs = counted(sizes.len() as u64, "threshold/children pair", "threshold/children pairs");
    let children = match least == most {
        true => counted(u64::from(most), "child", "children"),
        false => format!("{least} to {most} children"),
    };
    format!("{text}\n  {shapes}, {pairs}, {children}\n")
}

fn failures(summary: &Summary, colour: Colour) -> String {
    if summary.failures.is_empty() {
        return String::new();
    }
    let count = summary.failures.len();
    let title = counted(count as u64, "failure kept", "failures kept");
    let mut text = format!("\n  {}\n", colour.paint(Tone::Strong, &title));
    for Failure { class, token, file, reason } in summary.failures.iter().take(FAILURES_MAX) {
        let file = file.as_ref().map(|file| format!("  {file}")).unwrap_or_default();
        text += &format!("  {}  {token}{file}\n", colour.paint(Tone::Bad, class));
        // What stands below its first paragraph is for the card.
        for line in wrap(reason.split("\n\n").next().unwrap_or_default(), REASON_WIDTH) {
            text += &format!("    {line}\n");
        }
    }
    if count > FAILURES_MAX {
        let more = thousands((count - FAILURES_MAX) as u64);
        text += &colour.paint(Tone::Faint, &format!("  … {more} more\n"));
    }
    text
}

fn add<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{} s", thousands(time.as_secs()), time.subsec_millis() / 100)
}

const GAP: usize = 2;
const BLOCK_GAP: usize = 4;
const FORM_WIDTH: usize = "fifo-fallback".len();
const FAILURES_MAX: usize = 10;
const REASON_WIDTH: usize = 92;
