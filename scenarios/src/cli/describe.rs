//! Scenarios and runs in words.

use super::exit;
use crate::model::{Children, Gluster, Scenario, Schedule};
use anstyle::{AnsiColor, Style};
use quorate_engine::{
    QuorumOptions,
    quorum::options::{Overlap, ReadPattern},
};
use quorate_faults::{rule, text::Size};
use quorate_reports::{Colour, Run, Verdict, counted, summary::Summary, wrap};
use serde::Serialize;

/// How the options of a scenario can be unsafe, in a sentence each.
pub(super) fn warnings(scenario: &Scenario) -> Vec<String> {
    let array = &scenario.array;
    if scenario.random.is_some() {
        // Its array is not the one that runs.
        return Vec::new();
    }
    let mut options = QuorumOptions::builder("q", array.vote_threshold)
        .read_pattern(array.read_pattern)
        .read_only(array.read_only);
    for name in scenario.child_names() {
        options = options.node(name.as_str());
    }
    // What is refused does not become unsafe.
    let warnings = options.build().map(|options| options.warnings()).unwrap_or_default();
    warnings.into_iter().map(|warning| warning.to_string()).collect()
}

/// The options of the array and of the run, expanded, in lines.
pub(super) fn options(scenario: &Scenario) -> String {
    let mut lines = vec![drawn(scenario)];
    let array = array(scenario);
    if !array.is_empty() {
        lines.push(line("array", array));
    }
    lines.push(line("disks", disks(scenario)));
    if scenario.schedule != Schedule::default() {
        lines.push(line("order", scenario.schedule.to_string()));
    }
    lines.extend(scenario.rules.iter().map(|rule| line("fault", fault(rule))));
    lines.concat()
}

/// What a profile has drawn, in a line or two, if it was a swarm's.
pub(super) fn drawn(scenario: &Scenario) -> String {
    match scenario.drawn.is_empty() {
        true => String::new(),
        false => line("drawn", scenario.drawn.clone()),
    }
}

/// A word and what belongs to it.
pub(super) fn line(word: &str, text: String) -> String {
    let mut word = word;
    let mut lines = String::new();
    for line in wrap(&text, WIDTH - WORD_WIDTH - GAP) {
        lines += &format!("{word:<WORD_WIDTH$}{:GAP$}{line}\n", "");
        word = "";
    }
    lines
}

/// The word for a pattern.
pub(super) fn pattern(pattern: ReadPattern) -> &'static str {
    match pattern {
        ReadPattern::Quorum => "quorum",
        ReadPattern::Fifo => "fifo",
    }
}

/// The word for what overlapping requests do.
pub(super) fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Serialise => "serialise",
        Overlap::Qemu => "qemu",
    }
}

fn array(scenario: &Scenario) -> String {
    let array = &scenario.array;
    let mut parts = Vec::new();
    // Of a profile's array only this much is not drawn.
    if scenario.random.is_none() {
        parts.push(match &array.children {
            Children::Count(count) => counted(u64::from(*count), "child", "children"),
            Children::Named(names) => format!("children {}", names.join(" ")),
        });
        parts.push(format!("vote-threshold {}", array.vote_threshold));
        parts.push(format!("read-pattern {}", pattern(array.read_pattern)));
        parts.push(format!("overlap {}", overlap(array.overlap)));
    }
    for (on, word) in [
        (array.rewrite_corrupted && scenario.random.is_none(), "rewrite-corrupted"),
        (array.blkverify, "blkverify"),
        (array.read_only, "read-only"),
        (array.throttle, "throttled events"),
    ] {
        if on {
            parts.push(word.into());
        }
    }
    let mut text = parts.join(", ");
    for inner in &array.inner {
        let (name, children) = (&inner.name, inner.children.join(" "));
        text += &format!("; {name} is an array of {children}, {} agree", inner.vote_threshold);
    }
    text
}

fn disks(scenario: &Scenario) -> String {
    let gluster = match &scenario.gluster {
        None => String::new(),
        Some(Gluster { write_behind: true, one_name: false }) => "; on gluster".into(),
        Some(Gluster { write_behind: false, .. }) => "; on gluster, without write-behind".into(),
        Some(Gluster { one_name: true, .. }) => "; on gluster volumes of one name".into(),
    };
    let drawn = scenario.random.as_ref().map_or(0, |random| random.bricks);
    let bricks = match drawn {
        0 => String::new(),
        count => format!("; on gluster, {count} disturbances of bricks"),
    };
    plain_disks(scenario) + &gluster + &bricks
}

fn plain_disks(scenario: &Scenario) -> String {
    let one = |number: u32| {
        let disk = scenario.disk(number);
        let mut text = Size(disk.bytes).to_string();
        if disk.fill != 0 {
            text += &format!(" of {:#04x}", disk.fill);
        }
        if let Some(latency) = disk.latency {
            text += &format!(", answers in {latency}");
        }
        if disk.limits.request_alignment > 1 {
            text += &format!(", alignment {}", disk.limits.request_alignment);
        }
        if let Some(most) = disk.limits.max_transfer {
            text += &format!(", requests up to {}", Size(u64::from(most)));
        }
        if disk.limits.read_only {
            text += ", read-only";
        }
        text
    };
    if scenario.random.is_some() {
        let own =
            scenario.child.keys().map(|number| format!("; c{0} {1}", number.0, one(number.0)));
        return format!("{} each{}", one(u32::MAX), own.collect::<String>());
    }
    let all: Vec<String> = (0..scenario.disks()).map(one).collect();
    match all.first() {
        None => "none".into(),
        Some(first) if all.iter().all(|disk| disk == first) => {
            format!("{} of {first}", all.len())
        }
        Some(_) => {
            let named = all.iter().enumerate().map(|(number, disk)| format!("c{number} {disk}"));
            named.collect::<Vec<_>>().join("; ")
        }
    }
}

fn fault(rule: &rule::Rule) -> String {
    let on: Vec<&str> = rule.on.iter().map(|kind| kind.word()).collect();
    let list = |list: &[u32]| list.iter().map(|n| format!("c{n}")).collect::<Vec<_>>().join(" ");
    let who = match &rule.child {
        rule::Children::Any => "any child".into(),
        rule::Children::Atlas => "any child that the budget allows".into(),
        rule::Children::Index(number) => format!("c{number}"),
        rule::Children::List(numbers) => list(numbers),
        rule::Children::Drawn { members: rule::Members::Group(name), .. } => name.clone(),
        rule::Children::Drawn { members: rule::Members::List(numbers), .. } => list(numbers),
    };
    let mut text = match on.is_empty() {
        true => format!("{}: strikes {who}", rule.name),
        false => format!("{}: on {} of {who}", rule.name, on.join(", ")),
    };
    if rule.when != rule::When::default() {
        text += &format!(", when {}", inline(&rule.when));
    }
    format!("{text}, do {}", inline(&rule.r#do))
}

/// As a scenario file has it.
fn inline(value: &impl Serialize) -> String {
    toml::Value::try_from(value).expect("rules can be written").to_string()
}

/// The verdict in a line, and in further ones what requests wait for.
pub(super) fn verdict_line(run: &Run, colour: Colour) -> String {
    let mut lines = format!(
        "{}  {}, {}, digest {}\n",
        verdict(run.verdict, colour),
        run.token,
        counted(run.child_ios, "child operation", "child operations"),
        run.trace.digest
    );
    for wait in run.waits.iter().take(WAITS_MAX) {
        lines += &format!("  {wait}\n");
    }
    if run.waits.len() > WAITS_MAX {
        lines += &format!("  … {} more\n", run.waits.len() - WAITS_MAX);
    }
    lines
}

/// The verdict in its colour.
pub(super) fn verdict(verdict: Verdict, colour: Colour) -> String {
    let of = if verdict == Verdict::Held { AnsiColor::Green } else { AnsiColor::Red };
    paint(verdict.word(), of.on_default(), colour)
}

/// The exit code that a verdict means.
pub(super) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Held => exit::HELD,
        Verdict::Internal => exit::INTERNAL,
        _ => exit::VIOLATED,
    }
}

/// The exit code that many runs mean: what is known of the array comes first.
pub(super) fn exit_code_of(summary: &Summary) -> u8 {
    let verdicts = summary.verdicts.iter().filter(|(_, runs)| **runs > 0);
    let codes: Vec<u8> = verdicts.map(|(verdict, _)| exit_code(*verdict)).collect();
    let worst = codes.into_iter().max().unwrap_or(exit::HELD);
    // What was declared and never seen is a blind spot of the harness.
    if worst == exit::HELD && !summary.unreached().is_empty() { exit::VIOLATED } else { worst }
}

/// A title.
pub(super) fn strong(text: &str, colour: Colour) -> String {
    paint(text, Style::new().bold(), colour)
}

/// The begin of a warning.
pub(super) fn warning(colour: Colour) -> String {
    paint("warning", AnsiColor::Yellow.on_default().bold(), colour)
}

fn paint(text: &str, style: Style, colour: Colour) -> String {
    match colour {
        Colour::Off => text.into(),
        Colour::On => format!("{}{text}{}", style.render(), style.render_reset()),
    }
}

/// An object for machines, and the end of its last line.
pub(super) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value);
    text.expect("keys are strings, and nothing fails to be written") + "\n"
}

/// How many requests are named that wait.
const WAITS_MAX: usize = 6;
const WIDTH: usize = 96;
const GAP: usize = 2;
const WORD_WIDTH: usize = "client".len();
