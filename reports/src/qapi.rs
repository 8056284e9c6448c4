//! Events of an array as text: QAPI's JSON as QEMU sends it, and one short line for people.
//!
//! The short form is what scenario files and timelines use:
//!
//! ```text
//! bad c1 read 0+20            an outvoted child, with the sectors as first+count
//! bad c1 read 0+20 ENOSPC     a child that failed
//! failure q 0+20              a request without a quorum
//! mismatch q 1000+1000 at 1500   blkverify: offset+bytes, and the first byte that differs
//! ```
//!
//! A name that is empty, or has a space or a quote in it, is written as a JSON string.

use crate::words;
use quorate_engine::{Errno, Event, NodeName, OpType, Sectors};
use serde_json::{Value, json};

/// The event in QAPI's JSON form, with QEMU's order of keys and without a timestamp.
///
/// QEMU has no event for a blkverify mismatch; ours is `QUORATE_MISMATCH`.
#[must_use]
pub fn json(event: &Event) -> Value {
    match event {
        Event::ReportBad { op, node_name, error, sectors } => {
            let mut data = json!({
                "node-name": node_name.as_str(),
                "sectors-count": sectors.count,
                "sector-num": sectors.first,
                "type": words::op(*op),
            });
            if let Some(error) = error {
                data["error"] = error.message().into();
            }
            json!({ "event": "QUORUM_REPORT_BAD", "data": data })
        }
        Event::Failure { reference, sectors } => json!({
            "event": "QUORUM_FAILURE",
            "data": {
                "reference": reference.as_str(),
                "sectors-count": sectors.count,
                "sector-num": sectors.first,
            },
        }),
        Event::Mismatch { reference, offset, bytes, first_difference } => json!({
            "event": "QUORATE_MISMATCH",
            "data": {
                "reference": reference.as_str(),
                "offset": offset,
                "bytes": bytes,
                "first-difference": first_difference,
            },
        }),
    }
}

/// The line that QEMU prints before it exits, for the one event that it prints.
#[must_use]
pub fn qemu_line(event: &Event) -> Option<String> {
    match event {
        Event::Mismatch { offset, bytes, first_difference, .. } => Some(format!(
            "quorum: offset={offset} bytes={bytes} contents mismatch at offset {first_difference}"
        )),
        Event::ReportBad { .. } | Event::Failure { .. } => None,
    }
}

/// The event in its short form.
#[must_use]
pub fn text(event: &Event) -> String {
    match event {
        Event::ReportBad { op, node_name, error, sectors } => {
            let Sectors { first, count } = sectors;
            let error = error.map(|e| format!(" {}", words::errno(e))).unwrap_or_default();
            format!("bad {} {} {first}+{count}{error}", name(node_name), words::op(*op))
        }
        Event::Failure { reference, sectors } => {
            format!("failure {} {}+{}", name(reference), sectors.first, sectors.count)
        }
        Event::Mismatch { reference, offset, bytes, first_difference } => {
            format!("mismatch {} {offset}+{bytes} at {first_difference}", name(reference))
        }
    }
}

/// The text is not an event in its short form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event: '{text}': expected {expected}, found {found}")]
pub struct ParseEventError {
    text: String,
    expected: &'static str,
    found: String,
}

/// The event that this short form is of.
///
/// # Errors
/// Says what was expected where, if it is of none.
pub fn parse(text: &str) -> Result<Event, ParseEventError> {
    let mut words = Words { text, rest: text.trim() };
    let event = match words.next() {
        Some("bad") => Event::ReportBad {
            node_name: words.name()?,
            op: words.op()?,
            sectors: words.sectors()?,
            error: words.error()?,
        },
        Some("failure") => Event::Failure { reference: words.name()?, sectors: words.sectors()? },
        Some("mismatch") => {
            let reference = words.name()?;
            let (offset, bytes) = words.pair("a range of bytes such as 1000+1000")?;
            words.expect("at", |word| (word == "at").then_some(()))?;
            let first_difference = words.expect("an offset in bytes", |word| word.parse().ok())?;
            Event::Mismatch { reference, offset, bytes, first_difference }
        }
        other => return Err(words.error_at("bad, failure or mismatch", other)),
    };
    match words.next() {
        None => Ok(event),
        more => Err(words.error_at("the end", more)),
    }
}

/// What is left of a text, and the whole of it for the error.
struct Words<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    fn expect<T>(
        &mut self,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParseEventError> {
        let word = self.next();
        word.and_then(parse).ok_or_else(|| self.error_at(expected, word))
    }

    fn name(&mut self) -> Result<NodeName, ParseEventError> {
        let expected = "the name of a node";
        if !self.rest.starts_with('"') {
            return self.expect(expected, |word| Some(word.into()));
        }
        let mut strings = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        match strings.next() {
            Some(Ok(name)) => {
                self.rest = self.rest[strings.byte_offset()..].trim_start();
                Ok(name.into())
            }
            Some(Err(_)) | None => Err(self.error_at(expected, Some(self.rest))),
        }
    }

    fn op(&mut self) -> Result<OpType, ParseEventError> {
        self.expect("read, write or flush", |word| match word {
            "read" => Some(OpType::Read),
            "write" => Some(OpType::Write),
            "flush" => Some(OpType::Flush),
            _ => None,
        })
    }

    fn sectors(&mut self) -> Result<Sectors, ParseEventError> {
        let (first, count) = self.pair("a range of sectors such as 0+20")?;
        Ok(Sectors { first, count })
    }

    fn pair(&mut self, expected: &'static str) -> Result<(u64, u64), ParseEventError> {
        self.expect(expected, |word| {
            let (first, count) = word.split_once('+')?;
            Some((first.parse().ok()?, count.parse().ok()?))
        })
    }

    fn error(&mut self) -> Result<Option<Errno>, ParseEventError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.expect("an error such as ENOSPC, or the end", |word| word.parse().ok()).map(Some)
    }

    fn error_at(&self, expected: &'static str, found: Option<&str>) -> ParseEventError {
        let found = found.map_or_else(|| "the end".into(), |word| format!("'{word}'"));
        ParseEventError { text: self.text.into(), expected, found }
    }
}

fn name(name: &NodeName) -> String {
    let plain = |c: char| !c.is_whitespace() && c != '"';
    match name.as_str() {
        bare if !bare.is_empty() && bare.chars().all(plain) => bare.into(),
        other => Value::from(other).to_string(),
    }
}
