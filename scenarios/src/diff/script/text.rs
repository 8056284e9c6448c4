//! The text of a script.

use super::{
    case::{Act, Case, Failure, Piece, Request},
    payloads::Payloads,
};
use crate::model::{DiskSpec, Scenario};
use quorate_engine::{
    Errno, Event, EventSink, Flags, event::Throttle, quorum::options::ReadPattern,
};
use quorate_faults::rule::OpKind;
use quorate_reports::{GuestOp, Outcome, Run, qapi, wrap};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(super) fn render(scenario: &Scenario, run: &Run, case: &Case) -> String {
    let mut script = Script { scenario, text: head(scenario, run), payloads: Payloads::default() };
    script.disks();
    script.children(&scenario.child_names());
    case.acts.iter().for_each(|act| script.act(act));
    script.end(case);
    script.text
}

/// A script as far as it goes.
struct Script<'a> {
    scenario: &'a Scenario,
    text: String,
    payloads: Payloads,
}

impl Script<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn disks(&mut self) {
        for number in 0..self.scenario.disks() {
            let DiskSpec { bytes, fill, limits, .. } = self.scenario.disk(number);
            let mut options = String::new();
            if limits.request_alignment > 1 {
                _ = write!(options, ",\"align\":{}", limits.request_alignment);
            }
            if let Some(longest) = limits.max_transfer {
                _ = write!(options, ",\"max-transfer\":{longest}");
            }
            let mut line = format!("disk {number} {bytes} {fill:02x}");
            if limits.read_only {
                let own = ",\"read-only\":true";
                _ = write!(line, " {} {}", quoted(&(options + own)), quoted(own));
            } else if !options.is_empty() {
                _ = write!(line, " {}", quoted(&options));
            }
            self.line(line);
        }
        for inner in &self.scenario.array.inner {
            let node = json!({
                "driver": "quorum", "node-name": inner.name, "children": inner.children,
                "vote-threshold": inner.vote_threshold,
            });
            self.line(format!("inner+=({})", quoted(&node.to_string())));
        }
        let writable = if self.scenario.array.read_only { "off" } else { "on" };
        self.line(format!("writable={writable}"));
    }

    fn children(&mut self, names: &[String]) {
        let array = &self.scenario.array;
        let mut node = json!({
            "driver": "quorum", "node-name": "q", "children": names,
            "vote-threshold": array.vote_threshold,
        });
        let mut set = |is_set: bool, key: &str, value: Value| {
            if is_set {
                node[key] = value;
            }
        };
        set(array.read_pattern == ReadPattern::Fifo, "read-pattern", json!("fifo"));
        set(array.rewrite_corrupted, "rewrite-corrupted", json!(true));
        set(array.blkverify, "blkverify", json!(true));
        set(array.read_only, "read-only", json!(true));
        self.line(format!("array={}", quoted(&node.to_string())));
    }

    fn act(&mut self, act: &Act) {
        self.line("");
        match act {
            Act::Request(request) => self.request(request),
            Act::Children(names) => self.children(names),
            Act::Refused(why) => self.line(format!("refused {}", quoted(why))),
            Act::Skipped(what) => {
                self.line(format!("echo {}", quoted(&format!("(left out: {what})"))));
            }
        }
    }

    fn request(&mut self, request: &Request) {
        let Request { id, op, outcome, shown, failures, written, events } = request;
        self.line(format!("request {id} {}", quoted(&words(op))));
        self.pieces("holds", shown);
        for failure in failures {
            self.fails(failure);
        }
        if matches!(op, GuestOp::WriteZeroes { .. }) {
            self.no_zeroes(failures);
        }
        match outcome {
            Outcome::Data(Ok(data)) => {
                let name = self.payloads.name(data, &mut self.text);
                self.line(format!("answers ok {name}"));
            }
            _ => {
                if let Some(errno) = outcome.error() {
                    let told = told(errno, op);
                    self.line(format!("answers {}", quoted(&told.message())));
                    if told != errno {
                        self.line(format!("echo '    over NBD {errno} comes as {told}'"));
                    }
                }
            }
        }
        self.reports(events);
        let ask = self.ask(op);
        self.line(ask);
        self.pieces("gets", written);
        self.line("came");
    }

    fn pieces(&mut self, command: &str, pieces: &[Piece]) {
        for Piece { disk, offset, data } in pieces {
            let name = self.payloads.name(data, &mut self.text);
            self.line(format!("{command} {disk} {offset} {name}"));
        }
    }

    fn fails(&mut self, failure: &Failure) {
        let Failure { disk, kind, errno, sector } = failure;
        let sector = sector.map(|sector| format!(" {sector}")).unwrap_or_default();
        let (kind, number, words) = (kind.word(), errno.number(), quoted(&errno.message()));
        self.line(format!("fails {disk} {kind} {number} {words}{sector}"));
    }

    /// Disks that have no zeroes of their own say so.
    fn no_zeroes(&mut self, failures: &[Failure]) {
        for disk in 0..self.scenario.disks() {
            let is_said =
                |failure: &Failure| failure.disk == disk && failure.kind == OpKind::WriteZeroes;
            if self.scenario.disk(disk).limits.zeroes.is_none() && !failures.iter().any(is_said) {
                let (kind, errno) = (OpKind::WriteZeroes, Errno::ENOTSUP);
                self.fails(&Failure { disk, kind, errno, sector: None });
            }
        }
    }

    fn reports(&mut self, events: &[Event]) {
        let (passed, is_delayed) = passed(events);
        let words: Vec<String> = passed.iter().map(|event| quoted(&event_words(event))).collect();
        if !words.is_empty() {
            self.line(format!("reports {}", words.join(" \\\n    ")));
        }
        let why = match (is_delayed, in_order(events)) {
            (true, _) => {
                "the monitor passes one report of a kind a second, and the last one after it"
            }
            (false, false) => "here children fail in their order: that of reports is not compared",
            (false, true) => return,
        };
        self.line(format!("unordered={}", quoted(why)));
    }

    fn ask(&mut self, op: &GuestOp) -> String {
        match op {
            GuestOp::Read { offset, bytes } => format!("ask 'read -v {offset} {bytes}'"),
            GuestOp::Write { offset, data, flags } => {
                let fua = if flags.fua { " -f" } else { "" };
                let bytes = data.len();
                let payload = match data.iter().all(|byte| *byte == data[0]) {
                    true => format!("-P 0x{:02x}", data[0]),
                    false => format!("-s {}", self.payloads.name(data, &mut self.text)),
                };
                format!("ask 'write{fua} {payload} {offset} {bytes}'")
            }
            GuestOp::WriteZeroes { offset, bytes, flags } => {
                let Flags { fua, may_unmap, no_fallback } = *flags;
                let set = [(fua, " -f"), (may_unmap, " -u"), (no_fallback, " -n")];
                let set: String =
                    set.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).collect();
                format!("ask 'write -z{set} {offset} {bytes}'")
            }
            GuestOp::Discard { offset, bytes } => format!("ask 'discard {offset} {bytes}'"),
            // A read-only array passes no flush on, and lets nothing be written.
            GuestOp::Flush if self.scenario.array.read_only => "ask flush".into(),
            GuestOp::Flush => "flush".into(),
            GuestOp::BlockStatus { .. }
            | GuestOp::Length
            | GuestOp::Truncate { .. }
            | GuestOp::Invalidate
            | GuestOp::Close => unreachable!("such a request is none of the case's"),
        }
    }

    fn end(&mut self, case: &Case) {
        self.line("");
        if !case.doubtful.is_empty() {
            let names: Vec<String> = case.doubtful.iter().map(|disk| format!("c{disk}")).collect();
            let text = format!(
                "(left out: what {} beside this is left with, by faults that no request shows)",
                names.join(", ")
            );
            self.line(format!("echo {}", quoted(&text)));
        }
        if !case.left.is_empty() {
            self.line("name='the end'");
            self.pieces("gets", &case.left);
            self.line("media");
        }
        self.line("finish");
    }
}

fn head(scenario: &Scenario, run: &Run) -> String {
    let mut about = format!("Case {}", run.token);
    if !scenario.title.is_empty() {
        _ = write!(about, ": {}", scenario.title);
    }
    let mut head = String::from("#!/bin/bash\n");
    for line in wrap(&about, 110).iter().chain(&wrap(ABOUT, 110)) {
        _ = writeln!(head, "# {line}");
    }
    head + START
}

/// In single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn words(op: &GuestOp) -> String {
    let how = |flags: &Flags| {
        quorate_reports::flags(*flags).iter().map(|flag| format!(", {flag}")).collect::<String>()
    };
    match op {
        GuestOp::Read { offset, bytes } => format!("read {bytes} bytes at {offset}"),
        GuestOp::Write { offset, data, flags } => {
            format!("write {} bytes at {offset}{}", data.len(), how(flags))
        }
        GuestOp::WriteZeroes { offset, bytes, flags } => {
            format!("write {bytes} zeroes at {offset}{}", how(flags))
        }
        GuestOp::Discard { offset, bytes } => format!("discard {bytes} bytes at {offset}"),
        GuestOp::Flush => "flush".into(),
        GuestOp::BlockStatus { .. }
        | GuestOp::Length
        | GuestOp::Truncate { .. }
        | GuestOp::Invalidate
        | GuestOp::Close => unreachable!("such a request is none of the case's"),
    }
}

/// As the script says it of QEMU's: errors as QEMU has them.
fn event_words(event: &Event) -> String {
    match event {
        Event::ReportBad { op, node_name, error: Some(error), sectors } => {
            let (op, node_name, sectors) = (*op, node_name.clone(), *sectors);
            let bare = Event::ReportBad { op, node_name, error: None, sectors };
            format!("{} {}", qapi::text(&bare), error.message())
        }
        Event::Mismatch { .. } => qapi::text(event).replacen(" q ", " ", 1),
        _ => qapi::text(event),
    }
}

/// What a client over NBD is told: the daemon itself says why a read failed, all else is one of eight.
fn told(errno: Errno, op: &GuestOp) -> Errno {
    match errno {
        _ if matches!(op, GuestOp::Read { .. }) => errno,
        Errno::EPERM | Errno::EIO | Errno::ENOMEM | Errno::ENOSPC | Errno::ENOTSUP => errno,
        Errno::ESHUTDOWN => errno,
        _ if errno.name() == Some("EOVERFLOW") => errno,
        Errno::EROFS => Errno::EPERM,
        Errno::EFBIG | Errno::EDQUOT => Errno::ENOSPC,
        _ => Errno::EINVAL,
    }
}

/// What of these events, which all happen at once, passes the monitor, and whether something does so later.
fn passed(events: &[Event]) -> (Vec<Event>, bool) {
    let (now, passed) = (AtomicU64::new(0), Collected::default());
    let clock = || Duration::from_secs(now.load(Ordering::Relaxed));
    let throttle = Throttle::new(&passed, clock, Duration::from_secs(1));
    events.iter().for_each(|event| throttle.emit(event.clone()));
    let is_delayed = throttle.deadline().is_some();
    now.store(2, Ordering::Relaxed);
    throttle.expire();
    drop(throttle);
    (passed.0.into_inner().expect("nobody panics with it"), is_delayed)
}

/// Keeps events.
#[derive(Default)]
struct Collected(Mutex<Vec<Event>>);

impl EventSink for &Collected {
    fn emit(&self, event: Event) {
        self.0.lock().expect("nobody panics with it").push(event);
    }
}

/// Whether the children that fail in the same way are reported in their order, as they are in the script.
fn in_order(events: &[Event]) -> bool {
    let number = |name: &str| name.strip_prefix('c')?.parse::<u32>().ok();
    let failed = events.iter().filter_map(|event| match event {
        Event::ReportBad { op, node_name, error: Some(_), sectors } => {
            Some((*op, *sectors, number(node_name.as_str())))
        }
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    failed.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)).all(<[_]>::is_sorted)
}

const ABOUT: &str = "It shows with QEMU's tools alone what QEMU's quorum makes of this case, beside what the engine \
    of quorate makes of it. For each request a qemu-storage-daemon is started over raw files below blkdebug. \
    Needs bash, coreutils, diffutils, qemu-storage-daemon and qemu-io; leaves nothing behind. Exit code: \
    0 if there is a difference, 1 if there is none, 2 if it could not be tried.";
const START: &str = include_str!("start.sh");
