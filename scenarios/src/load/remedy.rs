//! What to write instead, where the reader of TOML only says what it did not find.

use std::ops::Range;

/// Its message about the value at `at`, with a remedy if there is one.
pub(super) fn remedy(message: &str, text: &str, at: Option<Range<usize>>) -> String {
    if message.ends_with("expected u8") {
        let key = at.and_then(|at| key_before(text.get(..at.start)?)).unwrap_or("this");
        return format!("`{key}` is a byte, 0 to 255");
    }
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let found = missing.and_then(|key| MISSING.iter().find(|(name, _)| *name == key));
    found
        .map_or_else(|| message.into(), |(key, write)| format!("`{key}` is missing: write {write}"))
}

/// The key of the value behind this text.
fn key_before(text: &str) -> Option<&str> {
    let key = text.trim_end().strip_suffix('=')?.trim_end();
    key.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()
}

/// Keys that must be there, and what to write.
const MISSING: &[(&str, &str)] = &[
    ("version", "`version = 1`, the version of the format"),
    ("name", "`name = \"…\"`"),
    ("array", "`[array]` with `children` and `vote-threshold`"),
    ("children", "`children = 3`, how many there are"),
    ("vote-threshold", "`vote-threshold = 2`, how many must agree"),
    ("requests", "`requests = 30`, how many to draw"),
    ("bytes-max", "`bytes-max = \"4KiB\"`, the longest request"),
    ("do", "`do = \"…\"`, what is to be done"),
    ("child", "`child = 0`, the number of a disk"),
    ("bytes", "`bytes = 512`, or `bytes = \"4KiB\"`"),
    ("fill", "`fill = 0`, a byte"),
];
