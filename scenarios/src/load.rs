//! Reads scenario files, and says where and why one cannot be used.

mod bounds;
mod remedy;
mod schedule;
mod write;

pub use write::write;

use crate::{
    model::{Action, Array, Awaited, Children, Random, Scenario},
    runner,
};
use miette::{Diagnostic, NamedSource, SourceSpan};
use quorate_faults::text::TimeRange;
use std::{fmt::Display, fs, io, path::Path};
use thiserror::Error;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A scenario that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the scenario file '{path}': {source}")]
    #[diagnostic(help("`quorate list` names the scenarios that need no file"))]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file does not say what a scenario says.
    #[error("{message}")]
    Content {
        /// What is wrong, and what would be right.
        message: String,
        /// The file's text.
        #[source_code]
        text: NamedSource<String>,
        /// The place.
        #[label("here")]
        at: Option<SourceSpan>,
    },
}

/// Reads a scenario from a file.
///
/// # Errors
/// The file cannot be read, or its content not be used.
pub fn file(path: &Path) -> Result<Scenario, LoadError> {
    let shown = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, &shown),
        Err(source) => Err(LoadError::Io { path: shown, source }),
    }
}

/// Reads a scenario from text; `source` names it in errors.
///
/// # Errors
/// The content cannot be used.
pub fn parse(text: &str, source: &str) -> Result<Scenario, LoadError> {
    let content = |message: String, at: Option<std::ops::Range<usize>>| LoadError::Content {
        message,
        text: NamedSource::new(source, text.to_owned()).with_language("toml"),
        at: at.map(SourceSpan::from),
    };
    let scenario: Scenario = toml::from_str(text)
        .map_err(|e| content(remedy::remedy(e.message(), text, e.span()), e.span()))?;
    check(&scenario).map_err(|wrong| {
        let at = DeTable::parse(text).ok().and_then(|table| place(&table, &wrong.path));
        content(wrong.message, at)
    })?;
    Ok(scenario)
}

/// What is wrong with values that are well formed each by itself.
struct Wrong {
    /// The keys that lead to the place; numbers count in lists.
    path: Vec<Key>,
    message: String,
}

#[derive(Clone)]
enum Key {
    Name(&'static str),
    Number(usize),
    Own(String),
}

macro_rules! path {
    ($($key:expr),*) => { vec![$(Key::from($key)),*] };
}

impl From<&'static str> for Key {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Key {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

fn wrong(path: Vec<Key>, message: impl Display) -> Result<(), Wrong> {
    Err(Wrong { path, message: message.to_string() })
}

/// Whether a scenario can be used that was made rather than read.
pub(crate) fn is_sound(scenario: &Scenario) -> bool {
    check(scenario).is_ok()
}

fn check(scenario: &Scenario) -> Result<(), Wrong> {
    bounds::check(scenario)?;
    let Some(random) = &scenario.random else {
        check_array(scenario)?;
        check_disks(scenario)?;
        return check_course(scenario);
    };
    check_random(scenario, random)?;
    let of = |count: u32| {
        let array = Array { children: Children::Count(count), ..scenario.array.clone() };
        Scenario { array, ..scenario.clone() }
    };
    check_disks(&of(random.children.iter().copied().max().unwrap_or(0)))?;
    // What names a disk must find it however many are drawn.
    random.children.iter().try_for_each(|&count| check_course(&of(count)))
}

/// Rules, steps and expectations.
fn check_course(scenario: &Scenario) -> Result<(), Wrong> {
    check_budget(scenario)?;
    schedule::check(scenario)?;
    if let Err(error) = runner::plan(scenario) {
        let text = error.to_string();
        let is = |word, name: &str| text.starts_with(&format!("{word} '{name}':"));
        let rule = scenario.rules.iter().rposition(|rule| is("rule", &rule.name));
        let group = scenario.groups.iter().rposition(|group| is("group", &group.name));
        let path = match (rule, group) {
            (Some(at), _) => {
                let keys = error.place().split('.').map(|key| Key::Own(key.into()));
                path!["rule", at].into_iter().chain(keys).collect()
            }
            (None, Some(at)) => path!["group", at],
            (None, None) => path!["rule"],
        };
        return wrong(path, text);
    }
    for (client, steps) in scenario.scripts().enumerate() {
        let mut running: Vec<&str> = Vec::new();
        for (number, action) in steps.iter().enumerate() {
            let path = || match client {
                0 => path!["step", number],
                _ => path!["client", client - 1, "step", number],
            };
            check_step(scenario, action, &mut running).or_else(|message| wrong(path(), message))?;
        }
    }
    for (at, media) in scenario.expect.media.iter().enumerate() {
        inside(scenario, media.child, media.offset.0, media.bytes.0)
            .and_then(|()| bounds::memory(media.bytes.0, "what is compared"))
            .or_else(|message| wrong(path!["expect", "media", at], message))?;
    }
    Ok(())
}

/// Whether a budget knows enough of the array.
fn check_budget(scenario: &Scenario) -> Result<(), Wrong> {
    let Some(budget) = &scenario.budget else { return Ok(()) };
    if !scenario.array.inner.is_empty() {
        return wrong(path!["budget"], "a budget knows the votes of one array: there is `inner`");
    }
    let longest = scenario.request_bytes_max();
    match budget.chunk {
        Some(chunk) if chunk.0 < longest => {
            let message = format!(
                "there is a request of {longest} bytes: `chunk` is the longest one that there may \
                 be; leave it out, or ask for less"
            );
            wrong(path!["budget", "chunk"], message)
        }
        _ => Ok(()),
    }
}

fn check_random(scenario: &Scenario, random: &Random) -> Result<(), Wrong> {
    if random.children.is_empty() || random.children.contains(&0) {
        return wrong(path!["random", "children"], "an array has at least one child");
    }
    for (key, empty) in [
        ("read-pattern", random.read_pattern.is_empty()),
        ("rewrite-corrupted", random.rewrite_corrupted.is_empty()),
        ("overlap", random.overlap.is_empty()),
    ] {
        if empty {
            return wrong(path!["random", key], format!("`{key}` has nothing to draw from"));
        }
    }
    let bytes = scenario.disk(0).bytes;
    if !bytes.is_multiple_of(512) || random.bytes_max.0 > bytes || random.bytes_max.0 == 0 {
        let message = "a profile's disks are whole sectors of 512 bytes, and `bytes-max` is \
                       between 1 and their length";
        return wrong(path!["random", "bytes-max"], message);
    }
    if random.aims && bytes < AIMED_BYTES_MIN {
        let message = "a profile that aims needs disks of at least 4 KiB beside `bytes-max`";
        return wrong(path!["random", "aims"], message);
    }
    if random.span.is_some_and(|span| span.0 < random.bytes_max.0 || span.0 > bytes) {
        let message = "`span` is at least `bytes-max`, and at most the length of the disks";
        return wrong(path!["random", "span"], message);
    }
    if random.swarm && !bytes.is_multiple_of(BLOCK_BYTES_MAX) {
        let message = "a swarm's disks may have blocks of 4 KiB: their length is a multiple of it";
        return wrong(path!["random", "swarm"], message);
    }
    Ok(())
}

fn check_array(scenario: &Scenario) -> Result<(), Wrong> {
    let array = &scenario.array;
    let names = scenario.child_names();
    let count = names.len();
    // A scenario may be about options that an array refuses.
    if scenario.expect.open.is_some() {
        return Ok(());
    }
    if count == 0 {
        return wrong(path!["array", "children"], "an array has at least one child");
    }
    if array.vote_threshold == 0 || array.vote_threshold > count {
        let message = format!(
            "vote-threshold is {}; it must be between 1 and the number of children, {count}",
            array.vote_threshold
        );
        return wrong(path!["array", "vote-threshold"], message);
    }
    let inner = array.inner.iter().flat_map(|inner| inner.children.iter());
    let mut all: Vec<&String> = names.iter().chain(inner).collect();
    all.sort();
    if let Some(twice) = all.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("{} is a child twice: each disk has one place", twice[0]);
        return wrong(path!["array", "children"], message);
    }
    for (at, inner) in array.inner.iter().enumerate() {
        let (name, count) = (&inner.name, inner.children.len());
        if name == "q" || is_disk(name) || array.inner[..at].iter().any(|i| i.name == *name) {
            let message = format!("the name '{name}' is taken; give the inner array another one");
            return wrong(path!["array", "inner", at, "name"], message);
        }
        known(&inner.children, array, at)
            .or_else(|message| wrong(path!["array", "inner", at, "children"], message))?;
        if inner.vote_threshold == 0 || inner.vote_threshold > count {
            let message = format!(
                "vote-threshold is {}; it must be between 1 and the number of children, {count}",
                inner.vote_threshold
            );
            return wrong(path!["array", "inner", at, "vote-threshold"], message);
        }
    }
    known(&names, array, array.inner.len())
        .or_else(|message| wrong(path!["array", "children"], message))
}

/// Whether these are disks or among the first so many inner arrays.
fn known(names: &[String], array: &Array, inner: usize) -> Result<(), String> {
    let is_inner = |name: &String| array.inner[..inner].iter().any(|other| other.name == *name);
    match names.iter().find(|name| !is_disk(name) && !is_inner(name)) {
        Some(name) => Err(format!(
            "there is no node '{name}': disks are c0, c1 and so on, others are `inner`, each \
             before whoever has it for a child"
        )),
        None => Ok(()),
    }
}

fn is_disk(name: &str) -> bool {
    name.strip_prefix('c').is_some_and(|number| number.parse::<u32>().is_ok())
}

fn check_disks(scenario: &Scenario) -> Result<(), Wrong> {
    for number in scenario.child.keys() {
        if number.0 >= scenario.disks() {
            let message =
                format!("there is no disk {}: the array has {}", number.0, scenario.disks());
            return wrong(vec![Key::Name("child"), Key::Own(number.0.to_string())], message);
        }
    }
    let mut filled = 0_u64;
    for number in 0..scenario.disks() {
        let disk = scenario.disk(number);
        let alignment = u64::from(disk.limits.request_alignment);
        let own = number.to_string();
        let path = || match scenario.child.keys().any(|key| key.0 == number) {
            true => vec![Key::Name("child"), Key::Own(own.clone())],
            false => path!["disk"],
        };
        if !alignment.is_power_of_two() {
            return wrong(path(), format!("alignment {alignment} is no power of two"));
        }
        if !disk.bytes.is_multiple_of(alignment) || disk.bytes > DISK_BYTES_MAX {
            let message = format!(
                "a disk's length is a multiple of its alignment, {alignment}, and at most 1 TiB"
            );
            return wrong(path(), message);
        }
        if disk.fill != 0 {
            filled = filled.saturating_add(disk.bytes);
            bounds::memory(filled, "all that disks hold which do not begin as zeroes")
                .or_else(|message| wrong(path(), message))?;
        }
        if let Some(most) = disk.limits.max_transfer
            && (most == 0 || !u64::from(most).is_multiple_of(alignment))
        {
            let message =
                format!("max-transfer is a multiple of the alignment, {alignment}, and not zero");
            return wrong(path(), message);
        }
        disk.latency.map_or(Ok(()), latency).or_else(|message| wrong(path(), message))?;
    }
    Ok(())
}

/// A latency is drawn from the whole range, so it must have an end.
fn latency(time: TimeRange) -> Result<(), String> {
    match time.end.is_some_and(|end| time.start <= end) {
        true => Ok(()),
        false => Err(format!(
            "a latency has an end, and not before its start: {time} has not; write \
             \"20us..200us\", or \"5ms..5ms\" for a fixed one"
        )),
    }
}

fn check_step<'a>(
    scenario: &Scenario,
    action: &'a Action,
    running: &mut Vec<&'a str>,
) -> Result<(), String> {
    let disk = |child: u32| match child < scenario.disks() {
        true => Ok(()),
        false => Err(format!("there is no disk {child}: there are {}", scenario.disks())),
    };
    bounds::check_step(action)?;
    match action {
        Action::Request { background, expected, .. } => {
            let data =
                expected.holds.is_some() || expected.length.is_some() || expected.extent.is_some();
            if let (Some(Awaited::Failure(errno)), true) = (expected.result, data) {
                return Err(format!(
                    "a request that fails with {errno} answers nothing that could be compared; \
                     leave out `expect`, or what the answer holds"
                ));
            }
            if let Some(name) = background {
                if running.contains(&name.as_str()) {
                    return Err(format!("a request '{name}' is running already"));
                }
                running.push(name);
            }
            Ok(())
        }
        Action::Wait { name } | Action::Drop { name } => {
            let at = running.iter().position(|other| other == name);
            let at = at.ok_or_else(|| format!("no request before this step has `as = \"{name}\"`"));
            running.remove(at?);
            Ok(())
        }
        Action::Hold(which) | Action::Release { which, .. } => which.child.map_or(Ok(()), disk),
        Action::Order(children)
        | Action::CutPower { children: Some(children), .. }
        | Action::Heal { children: Some(children) }
        | Action::Freeze { children, .. } => children.iter().copied().try_for_each(disk),
        Action::Latency { child, time } => disk(*child).and_then(|()| latency(*time)),
        Action::Brick { .. } if scenario.gluster.is_none() => {
            Err("a disk has a brick on gluster only: add a table [gluster], which may be empty"
                .into())
        }
        Action::Brick { child, .. } => disk(*child),
        Action::Add { child, .. } => disk(*child),
        Action::Corrupt { bytes: 0, .. } => {
            Err("a step that corrupts no byte does nothing: count `bytes` from 1".into())
        }
        Action::Corrupt { child, offset, bytes, .. } => {
            disk(*child)?;
            inside(scenario, *child, *offset, *bytes)
        }
        Action::CutPower { children: None, .. }
        | Action::Heal { children: None }
        | Action::Sleep(_)
        | Action::Join(_)
        | Action::Remove { .. } => Ok(()),
    }
}

fn inside(scenario: &Scenario, child: u32, offset: u64, bytes: u64) -> Result<(), String> {
    if child >= scenario.disks() {
        return Err(format!("there is no disk {child}: there are {}", scenario.disks()));
    }
    let length = scenario.disk(child).bytes;
    match offset.checked_add(bytes).is_some_and(|end| end <= length) {
        true => Ok(()),
        false => Err(format!("the range ends beyond the disk, which is {length} bytes long")),
    }
}

/// Where in the text the value is that the keys lead to; or as far as they lead.
fn place(table: &Spanned<DeTable<'_>>, path: &[Key]) -> Option<std::ops::Range<usize>> {
    let (first, rest) = path.split_first()?;
    let name = |key: &Key| match key {
        Key::Name(name) => Some((*name).to_owned()),
        Key::Own(name) => Some(name.clone()),
        Key::Number(_) => None,
    };
    let mut value = table.get_ref().get(name(first)?.as_str())?;
    for key in rest {
        let inner = match (value.get_ref(), key) {
            (DeValue::Array(list), Key::Number(at)) => list.get(*at),
            (DeValue::Table(table), key) => name(key).and_then(|name| table.get(name.as_str())),
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    Some(value.span())
}

/// The largest blocks that a swarm draws.
const BLOCK_BYTES_MAX: u64 = 4096;
/// The shortest disk of a profile that aims.
const AIMED_BYTES_MIN: u64 = 8192;
/// The longest disk.
const DISK_BYTES_MAX: u64 = 1 << 40;
