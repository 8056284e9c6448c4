//! What differs as decided, and how a definition is without it.

use super::sides::{Definition, Opened, node, node_names};
use crate::diff::Known;
use quorate_engine::quorum::{error::OpenError, options::OptionsError};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What explains that the sides differ in this definition, and the definition without it.
pub(super) fn explained(
    definition: &Definition,
    ours: Option<&OpenError>,
    theirs: &Opened,
) -> Option<(Known, Definition)> {
    let is_dotted = matches!(definition, Definition::Dotted(_));
    let known = candidates(is_dotted, ours.map(innermost), theirs);
    // What does not occur in it explains nothing.
    known.into_iter().find_map(|known| {
        let mut without = definition.clone();
        match &mut without {
            Definition::Json(value) if known == Known::Order => openable(value),
            Definition::Json(value) => each_array(value, &mut |array| leave_out(known, array)),
            Definition::Dotted(options) => leave_out_of(known, options, ours),
        }
        (without != *definition).then_some((known, without))
    })
}

/// Whether a definition comes to the same in QEMU without it.
pub(super) fn is_nothing_to_qemu(known: Known) -> bool {
    matches!(known, Known::Narrowed | Known::Ignored)
}

/// What lies behind the children's errors.
enum Innermost<'a> {
    Options(&'a OptionsError),
    Other(&'a OpenError),
}

fn innermost(error: &OpenError) -> Innermost<'_> {
    match error {
        OpenError::Child { source, .. } => innermost(source),
        OpenError::Options(error) => {
            let mut error = error;
            while let OptionsError::Child { source, .. } = error {
                error = source;
            }
            Innermost::Options(error)
        }
        other => Innermost::Other(other),
    }
}

/// What may explain such a difference.
fn candidates(is_dotted: bool, ours: Option<Innermost<'_>>, theirs: &Opened) -> Vec<Known> {
    let said = match theirs {
        Opened::Refused { text, .. } => text.as_str(),
        Opened::Taken | Opened::Died => "",
    };
    let options = match ours {
        Some(Innermost::Options(error)) => Some(error),
        _ => None,
    };
    let is_cycle = matches!(ours, Some(Innermost::Other(OpenError::Cycle { .. })));
    let of_options = options.and_then(|error| match error {
        OptionsError::ThresholdTooLow | OptionsError::ThresholdTooHigh => Some(Known::Narrowed),
        OptionsError::FifoBlkverify | OptionsError::FifoRewrite => Some(Known::Ignored),
        OptionsError::SameNode(_) => Some(Known::TwoVotes),
        OptionsError::Refused { .. } => Some(Known::NotHere),
        OptionsError::NotAChoice { name: "overlap", .. } => Some(Known::OurOwn),
        OptionsError::UnmapWithoutDiscard if is_dotted => Some(Known::Discards),
        OptionsError::Unsupported(_) => Some(Known::Order),
        _ => None,
    });
    let is_opening = options.is_some() && OPENING.iter().any(|start| said.starts_with(start));
    let of_texts = [
        (Known::OurOwn, said.contains("overlap'")),
        (Known::EmptyCache, said.ends_with("support the option 'cache'")),
        (Known::Driver, said.starts_with("Parameter 'driver' does not accept value")),
        (Known::EndsAtCycle, is_cycle || *theirs == Opened::Died),
        (Known::Order, is_opening),
        (Known::NoPermissions, PERMISSIONS.iter().any(|start| said.starts_with(start))),
    ];
    let of_texts = of_texts.into_iter().filter(|(_, may)| *may).map(|(known, _)| known);
    of_options.into_iter().chain(of_texts).collect()
}

/// Every array of a definition, from the outermost on.
fn each_array(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(object) = value.as_object_mut() else { return };
    if object.contains_key("children") {
        change(object);
    }
    let children = object.get_mut("children").and_then(Value::as_array_mut);
    for child in children.into_iter().flatten() {
        each_array(child, change);
    }
}

/// Leaves out whatever shows only once something is opened.
fn openable(value: &mut Value) {
    if node_names().any(|name| value["node-name"] == name) {
        value["node-name"] = "q".into();
    }
    each_array(value, &mut |array| {
        let children = array.get_mut("children").and_then(Value::as_array_mut);
        for child in children.into_iter().flatten() {
            match child {
                Value::Object(array) if array.contains_key("children") => {
                    array.remove("node-name");
                }
                Value::Object(other) if other.get("driver").is_some_and(|d| d != "null-co") => {}
                Value::String(_) | Value::Object(_) => *child = node(""),
                _ => {}
            }
        }
    });
}

fn leave_out(known: Known, array: &mut Map<String, Value>) {
    let is = |array: &Map<String, Value>, option: &str, values: &[&str]| {
        array.get(option).and_then(Value::as_str).is_some_and(|value| values.contains(&value))
    };
    match known {
        Known::Narrowed => {
            if let Some(threshold) = array.get("vote-threshold").and_then(Value::as_i64) {
                array.insert("vote-threshold".into(), narrowed(threshold.into()).into());
            }
        }
        Known::Ignored if is(array, "read-pattern", &["fifo"]) => {
            array.remove("blkverify");
            array.remove("rewrite-corrupted");
        }
        Known::NotHere => {
            if is(array, "detect-zeroes", &["on", "unmap"]) {
                array.remove("detect-zeroes");
            }
            if array.get("active") == Some(&false.into()) {
                array.remove("active");
            }
        }
        Known::OurOwn => {
            array.remove("overlap");
        }
        Known::EmptyCache if array.get("cache") == Some(&Map::new().into()) => {
            array.remove("cache");
        }
        Known::NoPermissions => {
            array.remove("rewrite-corrupted");
        }
        Known::TwoVotes | Known::Driver | Known::EndsAtCycle => {
            let mut seen = BTreeSet::new();
            let children = array.get_mut("children").and_then(Value::as_array_mut);
            for child in children.into_iter().flatten() {
                let stays = match (known, &*child) {
                    (Known::TwoVotes, Value::String(name)) => seen.insert(name.clone()),
                    (Known::EndsAtCycle, Value::String(name)) => name != "q",
                    (Known::Driver, Value::Object(node)) => {
                        let driver = node.get("driver").and_then(Value::as_str);
                        driver.is_none_or(|driver| DRIVERS.contains(&driver))
                    }
                    _ => true,
                };
                if !stays {
                    *child = node(child.as_str().unwrap_or_default());
                }
            }
        }
        _ => {}
    }
}

fn leave_out_of(known: Known, options: &mut Vec<String>, ours: Option<&OpenError>) {
    let before = std::mem::take(options);
    let fifo: Vec<String> = before
        .iter()
        .filter_map(|option| option.strip_suffix("read-pattern=fifo"))
        .map(str::to_owned)
        .collect();
    let unknown = match ours.map(innermost) {
        Some(Innermost::Options(OptionsError::Unsupported(name))) => Some(name.clone()),
        _ => None,
    };
    let mut seen = BTreeSet::new();
    for option in before {
        let (key, value) = option.split_once('=').unwrap_or((&option, ""));
        let (prefix, name) = split(key);
        let goes = match known {
            Known::Ignored => {
                fifo.iter().any(|fifo| fifo == prefix)
                    && ["blkverify", "rewrite-corrupted"].contains(&name)
            }
            Known::NotHere => name == "detect-zeroes" && ["on", "unmap"].contains(&value),
            Known::Discards => name == "detect-zeroes" && value == "unmap",
            Known::OurOwn => name == "overlap",
            Known::Order => {
                unknown.as_deref().is_some_and(|unknown| [name, bare(name)].contains(&unknown))
                    || name == "size"
                    || name == "node-name" && !prefix.is_empty()
            }
            Known::TwoVotes => {
                name.is_empty() && !prefix.is_empty() && !seen.insert(value.to_owned())
            }
            _ => false,
        };
        let threshold = value.parse().ok().filter(|_| name == "vote-threshold");
        match threshold {
            Some(number) if known == Known::Narrowed => {
                options.push(format!("{key}={}", narrowed(number)));
            }
            _ if known == Known::Order && name == "driver" && value != "null-co" => {
                options.push(format!("{key}=quorum"));
            }
            _ if known == Known::Order && name.is_empty() && !prefix.is_empty() => {
                options.push(format!("{key}.driver=null-co"));
            }
            _ if goes && known == Known::TwoVotes => options.push(format!("{key}.driver=null-co")),
            _ if goes => {}
            _ => options.push(option),
        }
    }
}

/// A key's prefix, such as `children.0.`, and what is said of the array there. A reference's key is all prefix.
fn split(key: &str) -> (&str, &str) {
    let mut at = 0;
    while let Some(rest) = key[at..].strip_prefix("children.") {
        match rest.find('.') {
            Some(dot) => at = key.len() - rest.len() + dot + 1,
            None => return (key, ""),
        }
    }
    key.split_at(at)
}

/// The option that is meant by a name without a value.
fn bare(name: &str) -> &str {
    name.strip_prefix("no").unwrap_or(name)
}

/// A number as it is after 64 bits and then 32.
fn narrowed(number: i128) -> i32 {
    let bytes = number.to_le_bytes();
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The drivers of definitions that are right.
const DRIVERS: [&str; 2] = ["quorum", "null-co"];
/// How QEMU says what it finds out by opening.
const OPENING: [&str; 8] = [
    "Cannot find device",
    "Duplicate nodes with",
    "Could not refresh",
    "Making '",
    "Block node is read-only",
    "Unknown driver",
    "Invalid node-name",
    "Node name too long",
];
/// How it says that one may not write.
const PERMISSIONS: [&str; 2] = ["Permission conflict on node", "Block node is read-only"];
