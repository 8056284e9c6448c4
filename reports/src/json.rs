//! A run as JSON Lines, for machines.
//!
//! The schema, version 1. Every line is an object with a `kind`; keys without a value are left out.
//! Times are `at_us`, microseconds of device time; a request is `"client.step"`; hashes are 16
//! hexadecimal digits, and equal hashes are equal data.
//!
//! | `kind` | keys |
//! |---|---|
//! | `run`, first line | `schema`, `scenario`, `token`, `commit`, `devices` (names; a `child` is an index) |
//! | `invoke` | `op`, `offset`, `bytes`, `hash` of what is written, `flags` |
//! | `complete` | `status`, and one of `data`, `length`, `extent` if it is `"ok"` and has one |
//! | `dropped` | |
//! | `submit` | `child`, `ordinal`, `op`, `origin`, `offset`, `bytes`, `hash`, `flags` |
//! | `injected` | `child`, `ordinal`, `rule`, `fault`, `status` |
//! | `reply` | `child`, `ordinal`, and as `complete` |
//! | `event`, `heard` | `qapi`: the event as QEMU sends it ([`crate::qapi::json`]) |
//! | `added`, `removed` | `child`, `name` |
//! | `refused` | `reason` |
//! | `not-opened` | `reason` |
//! | `control` | `step` |
//! | `end`, last line | `entries` (how many), `digest`, `verdict`, `child_ios`, `violations` |
//!
//! Lines between the first and the last also have `at_us` and, where there is one, `request`; and,
//! but for what digests leave out, `digest`: that of all lines so far. So two traces of one run are
//! compared by bisection ([`crate::recorded`]). The last line's `digest` has the final media in it.
//! `status` is `"ok"`, the name or number of an error, or `"abandoned"`. `data` is `{bytes, hash}`,
//! `extent` is `{bytes, holds: "data" | "zero"}`. `flags` lists those set: fua, may-unmap,
//! no-fallback. `op` of a request is one of read, write, write-zeroes, discard, flush, block-status,
//! length, truncate, invalidate, close; `origin` is `"guest"` or `"rewrite"`. A violation is
//! `{check, request, entry, reason}`, `entry` counting from 0 at the second line.

use crate::{
    qapi,
    run::{Run, Violation},
    trace::{Answer, Change, ChildCall, Entry, GuestOp, Outcome, Payload, What},
    words,
};
use quorate_engine::{Extent, ExtentKind, Result};
use quorate_faults::rule::Origin;
use serde::Serialize;
use serde_json::Value;
use std::io;

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// Writes the run, which is one of this commit, one object per line.
///
/// # Errors
/// Those of the writer.
pub fn write(run: &Run, commit: &str, to: &mut impl io::Write) -> io::Result<()> {
    let devices = run.devices.iter().map(|name| name.as_str()).collect();
    let (scenario, token) = (&run.name, &run.token);
    line(to, &Kind::Run { schema: SCHEMA, scenario, token, commit, devices })?;
    for (entry, digest) in run.trace.entries.iter().zip(run.trace.digests()) {
        let request = entry.request.map(|r| r.to_string());
        let digest = digest.map(|digest| digest.to_string());
        line(to, &Record { at_us: entry.at, request, kind: kind(entry), digest })?;
    }
    let end = Kind::End {
        entries: run.trace.entries.len(),
        digest: run.trace.digest.to_string(),
        verdict: run.verdict.word(),
        child_ios: run.child_ios,
        violations: run.violations.iter().map(violated).collect(),
    };
    line(to, &end)
}

#[derive(Serialize)]
struct Record<'a> {
    at_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(flatten)]
    kind: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind<'a> {
    Run {
        schema: u32,
        scenario: &'a str,
        token: &'a str,
        commit: &'a str,
        devices: Vec<&'a str>,
    },
    #[serde(rename = "not-opened")]
    NotOpened {
        reason: &'a str,
    },
    Invoke(Op),
    Complete(Status),
    Dropped,
    Submit {
        child: u32,
        ordinal: u64,
        origin: &'static str,
        #[serde(flatten)]
        op: Op,
    },
    Injected {
        child: u32,
        ordinal: u64,
        rule: &'a str,
        fault: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        outside: bool,
    },
    Spared {
        child: u32,
        ordinal: u64,
        rule: &'a str,
    },
    Reply {
        child: u32,
        ordinal: u64,
        #[serde(flatten)]
        status: Status,
    },
    Event {
        qapi: Value,
    },
    Heard {
        qapi: Value,
    },
    Added {
        child: u32,
        name: &'a str,
    },
    Removed {
        child: u32,
        name: &'a str,
    },
    Refused {
        reason: &'a str,
    },
    Control {
        step: &'a str,
    },
    End {
        entries: usize,
        digest: String,
        verdict: &'static str,
        child_ios: u64,
        violations: Vec<Violated<'a>>,
    },
}

#[derive(Default, Serialize)]
struct Op {
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
}

#[derive(Default, Serialize)]
struct Status {
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extent: Option<Held>,
}

#[derive(Serialize)]
struct Data {
    bytes: u64,
    hash: String,
}

#[derive(Serialize)]
struct Held {
    bytes: u64,
    holds: &'static str,
}

#[derive(Serialize)]
struct Violated<'a> {
    check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<usize>,
    reason: &'a str,
}

fn line(to: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

fn kind(entry: &Entry) -> Kind<'_> {
    match &entry.what {
        What::NotOpened(reason) => Kind::NotOpened { reason },
        What::Invoke(op) => Kind::Invoke(guest_op(op)),
        What::Complete(outcome) => Kind::Complete(match outcome {
            Outcome::Data(r) => {
                answered(&Answer::Data(r.as_ref().map(Payload::of).map_err(|e| *e)))
            }
            Outcome::Done(r) => answered(&Answer::Done(*r)),
            Outcome::Length(r) => answered(&Answer::Length(*r)),
            Outcome::Status(r) => answered(&Answer::Status(*r)),
        }),
        What::Dropped => Kind::Dropped,
        What::Submit(call) => Kind::Submit {
            child: call.child,
            ordinal: call.ordinal,
            origin: match call.origin {
                Origin::Guest => "guest",
                Origin::Rewrite => "rewrite",
            },
            op: child_op(call),
        },
        What::Injected { child, ordinal, firing } => Kind::Injected {
            child: *child,
            ordinal: *ordinal,
            rule: &firing.rule,
            fault: firing.fault,
            status: firing.status.map(words::errno),
            outside: firing.outside,
        },
        What::Spared { child, ordinal, rule } => {
            Kind::Spared { child: *child, ordinal: *ordinal, rule }
        }
        What::Reply { child, ordinal, answer } => {
            Kind::Reply { child: *child, ordinal: *ordinal, status: answered(answer) }
        }
        What::Event(event) => Kind::Event { qapi: qapi::json(event) },
        What::Heard(event) => Kind::Heard { qapi: qapi::json(event) },
        What::Membership(Change::Added { child, name }) => {
            Kind::Added { child: *child, name: name.as_str() }
        }
        What::Membership(Change::Removed { child, name }) => {
            Kind::Removed { child: *child, name: name.as_str() }
        }
        What::Membership(Change::Refused(reason)) => Kind::Refused { reason },
        What::Control(step) => Kind::Control { step },
    }
}

fn guest_op(op: &GuestOp) -> Op {
    let (offset, bytes) = words::guest_range(op).unzip();
    let hash = match op {
        GuestOp::Write { data, .. } => Some(hex(Payload::of(data).hash)),
        _ => None,
    };
    let flags = words::flags(words::guest_flags(op));
    Op { op: words::guest_kind(op), offset, bytes, hash, flags }
}

fn child_op(call: &ChildCall) -> Op {
    let (offset, bytes) = words::child_range(call).unzip();
    let hash = (call.payload != Payload::default()).then(|| hex(call.payload.hash));
    Op { op: call.kind.word(), offset, bytes, hash, flags: words::flags(call.flags) }
}

fn answered(answer: &Answer) -> Status {
    match answer {
        Answer::Data(r) => {
            let data = r.ok().map(|p| Data { bytes: p.bytes, hash: hex(p.hash) });
            Status { status: word(r), data, ..Status::default() }
        }
        Answer::Done(r) => Status { status: word(r), ..Status::default() },
        Answer::Length(r) => Status { status: word(r), length: r.ok(), ..Status::default() },
        Answer::Status(r) => {
            Status { status: word(r), extent: r.ok().map(held), ..Status::default() }
        }
        Answer::Abandoned => Status { status: "abandoned".into(), ..Status::default() },
    }
}

fn held(extent: Extent) -> Held {
    let holds = match extent.kind {
        ExtentKind::Data => "data",
        ExtentKind::Zero => "zero",
    };
    Held { bytes: extent.bytes, holds }
}

fn word<T>(result: &Result<T>) -> String {
    result.as_ref().err().map_or_else(|| "ok".into(), |e| words::errno(*e))
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

fn violated(violation: &Violation) -> Violated<'_> {
    Violated {
        check: violation.check,
        request: violation.request.map(|r| r.to_string()),
        entry: violation.entry,
        reason: &violation.reason,
    }
}
