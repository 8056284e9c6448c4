//! The words that every renderer uses for the same thing.

use crate::trace::{ChildCall, GuestOp};
use quorate_engine::{Errno, Flags, OpType};
use quorate_faults::rule::OpKind;

pub(crate) fn guest_kind(op: &GuestOp) -> &'static str {
    match op {
        GuestOp::Read { .. } => "read",
        GuestOp::Write { .. } => "write",
        GuestOp::WriteZeroes { .. } => "write-zeroes",
        GuestOp::Discard { .. } => "discard",
        GuestOp::Flush => "flush",
        GuestOp::BlockStatus { .. } => "block-status",
        GuestOp::Length => "length",
        GuestOp::Truncate { .. } => "truncate",
        GuestOp::Invalidate => "invalidate",
        GuestOp::Close => "close",
    }
}

/// The last part of a word, for narrow lanes: `zeroes`, `status`.
pub(crate) fn short(kind: &'static str) -> &'static str {
    kind.rsplit('-').next().unwrap_or(kind)
}

/// The offset and the bytes that a request is about; a resize is about all of the device.
pub(crate) fn guest_range(op: &GuestOp) -> Option<(u64, u64)> {
    match op {
        GuestOp::Read { offset, bytes }
        | GuestOp::WriteZeroes { offset, bytes, .. }
        | GuestOp::Discard { offset, bytes }
        | GuestOp::BlockStatus { offset, bytes } => Some((*offset, *bytes)),
        GuestOp::Write { offset, data, .. } => Some((*offset, data.len() as u64)),
        GuestOp::Truncate { bytes } => Some((0, *bytes)),
        GuestOp::Flush | GuestOp::Length | GuestOp::Invalidate | GuestOp::Close => None,
    }
}

pub(crate) fn guest_flags(op: &GuestOp) -> Flags {
    match op {
        GuestOp::Write { flags, .. } | GuestOp::WriteZeroes { flags, .. } => *flags,
        _ => Flags::NONE,
    }
}

/// The offset and the bytes that a child's operation is about, if about a range.
pub(crate) fn child_range(call: &ChildCall) -> Option<(u64, u64)> {
    match call.kind {
        OpKind::Flush | OpKind::Length | OpKind::Open | OpKind::Close => None,
        _ => Some((call.offset, call.bytes)),
    }
}

pub(crate) fn op(op: OpType) -> &'static str {
    match op {
        OpType::Read => "read",
        OpType::Write => "write",
        OpType::Flush => "flush",
    }
}

/// The name, or the bare number where there is none: either parses again.
pub(crate) fn errno(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.number().to_string(), Into::into)
}

/// The flags that are set.
#[must_use]
pub fn flags(flags: Flags) -> Vec<&'static str> {
    let Flags { fua, may_unmap, no_fallback } = flags;
    let named = [(fua, "fua"), (may_unmap, "may-unmap"), (no_fallback, "no-fallback")];
    named.into_iter().filter_map(|(set, name)| set.then_some(name)).collect()
}

/// `4K+512`: offset and bytes.
#[must_use]
pub fn range(offset: u64, bytes: u64) -> String {
    format!("{}+{}", size(offset), size(bytes))
}

/// Bytes, with K, M or G where that is exact.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let exact = units.iter().find(|(shift, _)| bytes >> shift << shift == bytes && bytes > 0);
    exact.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 child`, `3 children`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// A reason in lines of at most this many characters. Where it breaks a line, there is one; a line that
/// begins with a blank stays as it is.
#[must_use]
pub fn reason(text: &str, width: usize) -> Vec<String> {
    let lines = |line: &str| match line.starts_with(' ') || line.is_empty() {
        true => vec![line.to_owned()],
        false => wrap(line, width),
    };
    text.lines().flat_map(lines).collect()
}

/// The words of a text in lines of at most this many characters, if no single word is longer.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.into()),
        }
    }
    lines
}
