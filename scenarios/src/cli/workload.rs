//! What clients ask, and what a profile draws, in words.

use super::describe::{line, overlap, pattern};
use crate::model::{
    Action, Awaited, Expected, Payload, Promises, Random, Request, Scenario, Selection,
    ThresholdChoice,
};
use quorate_engine::{ExtentKind, Flags};
use quorate_faults::device::Frozen;
use quorate_reports::{counted, flags, qapi, range, size};

/// What the clients do, in lines.
pub(super) fn clients(scenario: &Scenario) -> String {
    let mut text = String::new();
    for (number, steps) in scenario.scripts().enumerate().filter(|(_, steps)| !steps.is_empty()) {
        let shown: Vec<String> = steps.iter().take(STEPS_MAX).map(step).collect();
        let more = steps.len().saturating_sub(STEPS_MAX);
        let more = if more == 0 { String::new() } else { format!("; … and {more} more") };
        text += &line("client", format!("{number}: {}{more}", shown.join("; ")));
    }
    text
}

/// What a profile draws, in lines, also where there is only one choice.
pub(super) fn profile(random: &Random, promises: Promises) -> String {
    let children: Vec<String> = random.children.iter().map(u32::to_string).collect();
    let one_child = random.children.iter().all(|count| *count == 1);
    let children =
        format!("{} {}", choice(&children), if one_child { "child" } else { "children" });
    let threshold = match random.threshold {
        ThresholdChoice::Majority => "more than half of them, up to all",
        ThresholdChoice::Any => "anything from 1 to all of them",
        ThresholdChoice::Minority => "from 1 to half of them",
    };
    let mut text = line("random", format!("{children}, vote-threshold {threshold}"));
    if random.swarm {
        text +=
            &line("", "a swarm: each seed has a part of what follows, with other weights".into());
    }
    let drawn: Vec<String> = [
        ("read-pattern", words(&random.read_pattern, pattern)),
        ("rewrite-corrupted", words(&random.rewrite_corrupted, on_off)),
        ("overlap", words(&random.overlap, overlap)),
    ]
    .map(|(key, values)| format!("{key} {}", choice(&values)))
    .into();
    text += &line("", drawn.join(", "));
    let requests = counted(u64::from(random.requests), "request", "requests");
    let clients = counted(u64::from(random.clients), "client", "clients");
    text +=
        &line("", format!("{requests} of up to {} by {clients}: {}", random.bytes_max, random.mix));
    for (percent, what) in [
        (random.unaligned, "begin and end anywhere, the others at sectors"),
        (random.dropped, "run in the background and are given up on"),
    ] {
        if percent > 0 {
            text += &line("", format!("{percent} requests in 100 {what}"));
        }
    }
    if random.aims {
        text += &line("", "each seed aims at a few votes, which say what the array is like".into());
    }
    if let Some(runs) = random.reach {
        let runs = counted(runs, "run", "runs");
        text += &line("", format!("after {runs} every vote that can be has been seen"));
    }
    if random.faults.is_empty() {
        return text + &line("", "no faults".into());
    }
    let families: Vec<&str> = random.faults.iter().map(|family| family.word()).collect();
    text += &line("", format!("faults at {} of operations: {}", random.rate, families.join(", ")));
    let whom = match promises {
        Promises::Correct => "on few enough children for every request to succeed and be right",
        Promises::Within => "on any child: requests are right that meet few enough of them",
        Promises::Conforming => "on any child: reads may be wrong, as the rules say",
    };
    text + &line("", whom.into())
}

/// A step in a few words.
fn step(action: &Action) -> String {
    match action {
        Action::Request { request, background, expected } => {
            let background = background.as_ref().map(|name| format!(" as {name}"));
            asked(request) + &background.unwrap_or_default() + &awaited(expected)
        }
        Action::Wait { name } => format!("wait {name}"),
        Action::Drop { name } => format!("drop {name}"),
        Action::Sleep(time) => format!("sleep {time}"),
        Action::Hold(which) => format!("hold {}", selection(which)),
        Action::Release { which, count: None } => format!("release {}", selection(which)),
        Action::Release { which, count: Some(count) } => {
            format!("release {count} of {}", selection(which))
        }
        Action::Order(disks) => format!("order {}", names(disks)),
        Action::Latency { child, time } => format!("latency c{child} {time}"),
        Action::Corrupt { child, offset, bytes, fill } => {
            format!("corrupt c{child} {} with {fill:#04x}", range(*offset, *bytes))
        }
        Action::CutPower { children: None, .. } => "cut the power".into(),
        Action::CutPower { children: Some(disks), .. } => {
            format!("cut the power of {}", names(disks))
        }
        Action::Join(None) => "join".into(),
        Action::Join(Some(time)) => format!("join for {time}"),
        Action::Heal { children: None } => "heal".into(),
        Action::Heal { children: Some(disks) } => format!("heal {}", names(disks)),
        Action::Freeze { children, how } => {
            let how = match how {
                Frozen::Dead(errno) => errno.to_string(),
                Frozen::Hung => "hung".into(),
                Frozen::Stale => "stale".into(),
            };
            format!("freeze {} as {how}", names(children))
        }
        Action::Brick { child, what } => format!("{} the brick of c{child}", what.word()),
        Action::Add { child, refused } => format!("add c{child}{}", refusal(refused)),
        Action::Remove { name, refused } => format!("remove {name}{}", refusal(refused)),
    }
}

fn names(disks: &[u32]) -> String {
    disks.iter().map(|disk| format!("c{disk}")).collect::<Vec<_>>().join(" ")
}

fn asked(request: &Request) -> String {
    let with = |set: &Flags| flags(*set).iter().map(|flag| format!(" {flag}")).collect::<String>();
    match request {
        Request::Read { offset, bytes } => format!("read {}", range(*offset, *bytes)),
        Request::Write { offset, bytes, payload, flags } => {
            let what = match payload {
                Payload::Fill(byte) => format!(" of {byte:#04x}"),
                Payload::Stamp => String::new(),
            };
            format!("write {}{what}{}", range(*offset, *bytes), with(flags))
        }
        Request::WriteZeroes { offset, bytes, flags } => {
            format!("write-zeroes {}{}", range(*offset, *bytes), with(flags))
        }
        Request::Discard { offset, bytes } => format!("discard {}", range(*offset, *bytes)),
        Request::Flush => "flush".into(),
        Request::BlockStatus { offset, bytes } => {
            format!("block-status {}", range(*offset, *bytes))
        }
        Request::Length => "length".into(),
        Request::Truncate { bytes } => format!("truncate {}", size(*bytes)),
        Request::Invalidate => "invalidate".into(),
        Request::Close => "close".into(),
    }
}

/// What must come of a request: `→ ok of 0x32, bad c1 read 0+2`.
fn awaited(expected: &Expected) -> String {
    let Expected { result, holds, length, extent, events } = expected;
    let result = result.map(|result| match result {
        Awaited::Success => "ok".into(),
        Awaited::Failure(errno) => errno.to_string(),
    });
    let extent = extent.map(|extent| match extent.kind {
        ExtentKind::Data => format!("data {}", size(extent.bytes)),
        ExtentKind::Zero => format!("zero {}", size(extent.bytes)),
    });
    let values = [result, holds.map(|byte| format!("{byte:#04x}")), length.map(size), extent];
    let mut parts: Vec<String> = values.into_iter().flatten().collect();
    parts.extend(events.iter().flatten().map(|event| qapi::text(&event.0)));
    if events.as_ref().is_some_and(Vec::is_empty) {
        parts.push("no event".into());
    }
    if parts.is_empty() { String::new() } else { format!(" → {}", parts.join(", ")) }
}

fn selection(which: &Selection) -> String {
    let disk = which.child.map_or("all".into(), |child| format!("c{child}"));
    disk + &which.on.map(|kind| format!(" {}", kind.word())).unwrap_or_default()
}

fn refusal(refused: &Option<String>) -> String {
    refused.as_ref().map(|why| format!(" → refused: {why}")).unwrap_or_default()
}

fn words<T: Copy>(values: &[T], word: fn(T) -> &'static str) -> Vec<String> {
    values.iter().map(|value| word(*value).into()).collect()
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// `1, 2 or 3`, `quorum (2 in 3) or fifo (1 in 3)`: without the odds, if they are even.
fn choice(values: &[String]) -> String {
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(other, _)| *other == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let even = counts.iter().all(|(_, count)| *count == counts[0].1);
    let odds = |(value, count): &(&String, usize)| match even {
        true => (*value).clone(),
        false => format!("{value} ({count} in {})", values.len()),
    };
    let words: Vec<String> = counts.iter().map(odds).collect();
    match words.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        one => one.concat(),
    }
}

/// How many steps of a client are shown.
const STEPS_MAX: usize = 12;
