//! Options as command lines have them: one text, dotted keys, and no types but those that a key
//! asks for.

use crate::quorum::options::{
    ChildSpec, DRIVER, OptionsError, Overlap, QuorumOptions, ReadPattern,
    draft::{Discard, Draft, DraftChild, Generic},
    error::DEPTH_MAX,
    json::detect_zeroes_named,
    overlap_named, read_pattern_named,
};
use serde_json::{Map, Value};

/// Keys and values in the order in which the keys were first seen.
type Entries = Vec<(String, String)>;

pub(super) fn parse(text: &str) -> Result<QuorumOptions, OptionsError> {
    let mut entries = split(text);
    match take(&mut entries, "driver") {
        None => Err(OptionsError::NoDriver),
        Some(driver) if driver != DRIVER => Err(OptionsError::UnknownDriver(driver)),
        Some(_) => draft(entries, 0).validate(),
    }
}

/// The definition of a child as JSON, checked where it is one of an array.
pub(super) fn definition(
    mut entries: Entries,
    depth: usize,
) -> Result<Map<String, Value>, OptionsError> {
    let Some((_, driver)) = entries.iter().find(|(key, _)| key == "driver") else {
        return Err(OptionsError::NoDriver);
    };
    if driver != DRIVER {
        return nest(entries, depth);
    }
    take(&mut entries, "driver");
    let node = draft(entries, depth).validate()?.to_json();
    Ok(node.as_object().expect("a node is an object").clone())
}

fn draft(mut entries: Entries, depth: usize) -> Draft {
    let generic = generic(&mut entries);
    let children = children(&mut entries);
    let threshold = take(&mut entries, "vote-threshold");
    let read_pattern = take(&mut entries, "read-pattern");
    let overlap = take(&mut entries, "overlap");
    let rewrite_corrupted = take_on_off(&mut entries, "rewrite-corrupted");
    let blkverify = take_on_off(&mut entries, "blkverify");
    Draft {
        generic,
        children,
        threshold: threshold.map_or(Ok(0), |text| number("vote-threshold", &text)),
        read_pattern: read_pattern.map_or(Ok(ReadPattern::Quorum), |name| {
            read_pattern_named(&name).ok_or(OptionsError::ReadPattern)
        }),
        rewrite_corrupted: rewrite_corrupted.map(|flag| flag.unwrap_or(false)),
        blkverify: blkverify.map(|flag| flag.unwrap_or(false)),
        overlap: overlap.map_or(Ok(Overlap::Serialise), |name| overlap_named(&name)),
        unknown: entries.into_iter().next().map(|(key, _)| key),
        depth,
    }
}

fn generic(entries: &mut Entries) -> Result<Generic, OptionsError> {
    // As qemu_opts_absorb_qdict, which takes the options in the order of their hashes.
    let [cache_no_flush, active, auto_read_only, read_only, cache_direct, force_share] =
        ["cache.no-flush", "active", "auto-read-only", "read-only", "cache.direct", "force-share"]
            .map(|key| take_on_off(entries, key));
    let node_name = take(entries, "node-name");
    let discard = take(entries, "discard").map(|discard| match discard.as_str() {
        "off" | "ignore" => Ok(Discard::Ignore),
        "on" | "unmap" => Ok(Discard::Unmap),
        _ => Err(OptionsError::Discard),
    });
    let detect_zeroes = take(entries, "detect-zeroes")
        .map(|detect| detect_zeroes_named(&detect).ok_or(OptionsError::DetectZeroes(detect)));
    Ok(Generic {
        cache_no_flush: cache_no_flush?,
        active: active?,
        auto_read_only: auto_read_only?,
        read_only: read_only?,
        cache_direct: cache_direct?,
        force_share: force_share?,
        node_name,
        discard,
        detect_zeroes,
    })
}

/// As qdict_array_entries: `children.0`, `children.1` and so on, each either one value or a group.
fn children(entries: &mut Entries) -> Result<Vec<DraftChild>, OptionsError> {
    let (mut left, others): (Entries, Entries) =
        std::mem::take(entries).into_iter().partition(|(key, _)| key.starts_with("children."));
    *entries = others;
    for (key, _) in &mut left {
        key.drain(.."children.".len());
    }
    let mut children = Vec::new();
    while !left.is_empty() {
        let index = children.len().to_string();
        let reference = take(&mut left, &index);
        let group = take_group(&mut left, &index);
        children.push(match (reference, group.is_empty()) {
            (Some(name), true) => DraftChild::Spec(ChildSpec::Node(name.into())),
            (None, false) => DraftChild::Dotted(group),
            (Some(_), false) | (None, true) => return Err(OptionsError::NotAnArray),
        });
    }
    Ok(children)
}

/// Turns dotted keys into objects, and objects whose keys are 0, 1 and so on into arrays.
fn nest(entries: Entries, depth: usize) -> Result<Map<String, Value>, OptionsError> {
    if depth > DEPTH_MAX {
        return Err(OptionsError::TooDeep);
    }
    let mut left = entries;
    let mut object = Map::new();
    while let Some((key, _)) = left.first() {
        let head = key.split('.').next().expect("a split has a first part").to_owned();
        let value = take(&mut left, &head);
        let group = take_group(&mut left, &head);
        let value = match value {
            Some(value) if group.is_empty() => Value::String(value),
            Some(_) => return Err(OptionsError::MixedKeys(head)),
            None => list_or_object(nest(group, depth + 1)?),
        };
        object.insert(head, value);
    }
    Ok(object)
}

fn list_or_object(mut object: Map<String, Value>) -> Value {
    let indices = (0..object.len()).map(|index| index.to_string());
    let indices: Vec<String> = indices.collect();
    if !indices.iter().all(|index| object.contains_key(index)) {
        return object.into();
    }
    indices.iter().filter_map(|index| object.remove(index)).collect()
}

/// As opts_do_parse: `key=value` or a bare `key`, which is on, or off where it begins with `no`.
fn split(text: &str) -> Entries {
    let mut entries: Entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let (key, value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after);
                (key, value, after)
            }
            None => match key.strip_prefix("no") {
                Some(key) => (key, "off".into(), after),
                None => (key, "on".into(), after),
            },
        };
        rest = after.strip_prefix(',').unwrap_or(after);
        match entries.iter_mut().find(|(seen, _)| seen == key) {
            Some((_, first)) => *first = value,
            None => entries.push((key.into(), value)),
        }
    }
    entries
}

/// A value up to a single comma, two of which are one, and what follows it.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(',').unwrap_or(rest.len());
        value.push_str(&rest[..end]);
        rest = &rest[end..];
        match rest.strip_prefix(",,") {
            Some(after) => {
                value.push(',');
                rest = after;
            }
            None => return (value, rest),
        }
    }
}

/// As parse_uint64_full of base 0: what C's strtoull reads, all of it.
pub(crate) fn number(name: &'static str, text: &str) -> Result<i128, OptionsError> {
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hexadecimal {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    // A second sign would pass from_str_radix, and digits that are no digits must not.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(OptionsError::NotANumber(name));
    }
    let magnitude = u64::from_str_radix(digits, radix).map(i128::from);
    let magnitude =
        magnitude.map_err(|_| OptionsError::TooLarge { name, value: text.to_owned() })?;
    Ok(if negative { -magnitude } else { magnitude })
}

fn take(entries: &mut Entries, key: &str) -> Option<String> {
    let at = entries.iter().position(|(other, _)| other == key)?;
    Some(entries.remove(at).1)
}

fn take_on_off(entries: &mut Entries, key: &'static str) -> Result<Option<bool>, OptionsError> {
    let flag = |value: String| on_off(&value).ok_or(OptionsError::NotOnOff(key));
    take(entries, key).map(flag).transpose()
}

/// What a flag's text says.
pub(crate) fn on_off(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// The entries below `head.`, without it.
fn take_group(entries: &mut Entries, head: &str) -> Entries {
    let below = |key: &str| key.strip_prefix(head)?.strip_prefix('.').map(str::to_owned);
    let (mut group, mut others) = (Entries::new(), Entries::new());
    for (key, value) in std::mem::take(entries) {
        match below(&key) {
            Some(key) => group.push((key, value)),
            None => others.push((key, value)),
        }
    }
    *entries = others;
    group
}
