//! Options as QMP sends them: every value has a JSON type, and all types are checked first.

use crate::quorum::options::{
    ChildSpec, DRIVER, OptionsError, Overlap, QuorumOptions, ReadPattern,
    draft::{DetectZeroes, Discard, Draft, DraftChild, Generic, is_quorum},
    error::DEPTH_MAX,
    overlap_named, read_pattern_named,
};
use serde_json::{Map, Value};

pub(super) fn parse(value: &Value) -> Result<QuorumOptions, OptionsError> {
    outermost(value)?.validate()
}

/// The same, but `None` where there is no name.
pub(super) fn parse_named(value: &Value) -> Result<Option<QuorumOptions>, OptionsError> {
    let draft = outermost(value)?;
    let is_named = draft.generic.as_ref().is_ok_and(|generic| generic.node_name.is_some());
    is_named.then(|| draft.validate()).transpose()
}

fn outermost(value: &Value) -> Result<Draft, OptionsError> {
    let object = value.as_object().ok_or_else(|| wrong_type("arguments", "object"))?;
    draft(object, "", 0)
}

/// Checks the definition of a child, and all of it where it is an array itself.
pub(super) fn check_definition(
    definition: &Map<String, Value>,
    path: &str,
    depth: usize,
) -> Result<(), OptionsError> {
    check_types(definition, path, depth)?;
    if is_quorum(definition) {
        draft(definition, path, depth)?.validate()?;
    }
    Ok(())
}

/// The types of a child's definition. Of drivers other than quorum nothing more is known here.
fn check_types(
    definition: &Map<String, Value>,
    path: &str,
    depth: usize,
) -> Result<(), OptionsError> {
    let object = Object { object: definition, path };
    if object.text("driver")?.is_none() {
        return Err(OptionsError::Missing(object.full("driver")));
    }
    if is_quorum(definition) {
        draft(definition, path, depth)?;
    }
    Ok(())
}

/// As the visitors that QAPI generates: members in the order of the schema, left-over names last.
fn draft(object: &Map<String, Value>, path: &str, depth: usize) -> Result<Draft, OptionsError> {
    if depth > DEPTH_MAX {
        return Err(OptionsError::TooDeep);
    }
    let object = Object { object, path };
    if let Some(driver) = object.text("driver")?.filter(|&driver| driver != DRIVER) {
        return Err(not_a_choice("driver", driver));
    }
    let generic = generic(&object)?;
    let blkverify = object.boolean("blkverify")?;
    let children = children(&object, depth)?;
    let threshold = object.integer("vote-threshold")?;
    let rewrite_corrupted = object.boolean("rewrite-corrupted")?;
    let read_pattern = object
        .text("read-pattern")?
        .map(|name| read_pattern_named(name).ok_or_else(|| not_a_choice("read-pattern", name)));
    let read_pattern = read_pattern.transpose()?;
    let overlap = object.text("overlap")?.map(overlap_named).transpose()?;
    object.refuse_others(&[&GENERIC[..], &KNOWN].concat())?;
    Ok(Draft {
        generic: Ok(generic),
        children: Ok(children),
        threshold: Ok(threshold),
        read_pattern: Ok(read_pattern.unwrap_or(ReadPattern::Quorum)),
        rewrite_corrupted: Ok(rewrite_corrupted.unwrap_or(false)),
        blkverify: Ok(blkverify.unwrap_or(false)),
        overlap: Ok(overlap.unwrap_or(Overlap::Serialise)),
        unknown: None,
        depth,
    })
}

pub(crate) fn generic(object: &Object<'_>) -> Result<Generic, OptionsError> {
    let node_name = object.text("node-name")?.map(str::to_owned);
    let discard = object.text("discard")?.map(|discard| match discard {
        "ignore" => Ok(Discard::Ignore),
        "unmap" => Ok(Discard::Unmap),
        _ => Err(not_a_choice("discard", discard)),
    });
    let discard = discard.transpose()?;
    let (cache_direct, cache_no_flush) = cache(object)?;
    let active = object.boolean("active")?;
    let read_only = object.boolean("read-only")?;
    let auto_read_only = object.boolean("auto-read-only")?;
    let force_share = object.boolean("force-share")?;
    let detect_zeroes = object.text("detect-zeroes")?.map(|detect| {
        detect_zeroes_named(detect).ok_or_else(|| not_a_choice("detect-zeroes", detect))
    });
    Ok(Generic {
        node_name,
        read_only,
        auto_read_only,
        force_share,
        cache_direct,
        cache_no_flush,
        active,
        discard: discard.map(Ok),
        detect_zeroes: detect_zeroes.transpose()?.map(Ok),
    })
}

fn cache(object: &Object<'_>) -> Result<(Option<bool>, Option<bool>), OptionsError> {
    let Some(value) = object.object.get("cache") else { return Ok((None, None)) };
    let path = object.full("cache");
    let cache = value.as_object().ok_or_else(|| wrong_type(&path, "object"))?;
    let cache = Object { object: cache, path: &path };
    let flags = (cache.boolean("direct")?, cache.boolean("no-flush")?);
    cache.refuse_others(&["direct", "no-flush"])?;
    Ok(flags)
}

fn children(object: &Object<'_>, depth: usize) -> Result<Vec<DraftChild>, OptionsError> {
    let path = object.full("children");
    let children = object.object.get("children");
    let children = children.ok_or_else(|| OptionsError::Missing(path.clone()))?;
    let children = children.as_array().ok_or_else(|| wrong_type(&path, "array"))?;
    let child = |(index, value): (usize, &Value)| match value {
        Value::String(name) => Ok(DraftChild::Spec(ChildSpec::Node(name.into()))),
        Value::Object(definition) => {
            check_types(definition, &format!("{path}[{index}]"), depth + 1)?;
            Ok(DraftChild::Spec(ChildSpec::Inline(definition.clone())))
        }
        // QEMU knows no name for the member of a list.
        _ => Err(wrong_type("null", "BlockdevRef")),
    };
    children.iter().enumerate().map(child).collect()
}

/// How zeroes may be detected.
pub(super) fn detect_zeroes_named(name: &str) -> Option<DetectZeroes> {
    match name {
        "off" => Some(DetectZeroes::Off),
        "on" => Some(DetectZeroes::On),
        "unmap" => Some(DetectZeroes::Unmap),
        _ => None,
    }
}

/// A JSON object, and the path that leads to it.
pub(crate) struct Object<'a> {
    pub(crate) object: &'a Map<String, Value>,
    pub(crate) path: &'a str,
}

impl<'a> Object<'a> {
    pub(crate) fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, OptionsError> {
        let text =
            |value: &'a Value| value.as_str().ok_or_else(|| wrong_type(&self.full(name), "string"));
        self.object.get(name).map(text).transpose()
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, OptionsError> {
        let boolean =
            |value: &Value| value.as_bool().ok_or_else(|| wrong_type(&self.full(name), "boolean"));
        self.object.get(name).map(boolean).transpose()
    }

    fn integer(&self, name: &str) -> Result<i128, OptionsError> {
        let full = self.full(name);
        match self.object.get(name) {
            None => Err(OptionsError::Missing(full)),
            Some(value) => {
                value.as_i64().map(i128::from).ok_or_else(|| wrong_type(&full, "integer"))
            }
        }
    }

    pub(crate) fn refuse_others(&self, known: &[&str]) -> Result<(), OptionsError> {
        match self.object.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(OptionsError::Unexpected(self.full(name))),
            None => Ok(()),
        }
    }
}

pub(crate) fn wrong_type(name: &str, expected: &'static str) -> OptionsError {
    OptionsError::WrongType { name: name.into(), expected }
}

pub(crate) fn not_a_choice(name: &'static str, value: &str) -> OptionsError {
    OptionsError::NotAChoice { name, value: value.into() }
}

/// What every node's object may hold.
pub(crate) const GENERIC: [&str; 9] = [
    "driver",
    "node-name",
    "discard",
    "cache",
    "active",
    "read-only",
    "auto-read-only",
    "force-share",
    "detect-zeroes",
];

/// What an array's object may hold beside it.
const KNOWN: [&str; 6] =
    ["blkverify", "children", "vote-threshold", "rewrite-corrupted", "read-pattern", "overlap"];
