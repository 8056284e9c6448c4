//! What QEMU makes of a case.

use super::{
    Played, Step,
    case::{Case, Reads, Turn},
};
use crate::{
    Medium,
    reads::{report, sectors, text},
    stage::letters,
};
use quorate_qemu::{Answer, Child, Client, Daemon, Error, Event, Program, Request, Ticket};
use serde_json::json;
use std::collections::BTreeMap;

/// A daemon, and the reports that its monitor lets pass late.
pub(super) struct Theirs<'a> {
    program: &'a Program,
    daemon: Daemon<Disk>,
    /// Further reports of nodes in one request, as they should come.
    expected: Reports,
    /// Those that have come.
    late: Reports,
    /// What arrays fail in, as should be told.
    failures: Reports,
    /// What has been told of that: the array, and its failure.
    told: Vec<(String, String)>,
    /// Of how many nodes late reports will never come.
    lost: usize,
    /// A verifier has found a difference.
    dead: bool,
}

/// By node, or by array.
type Reports = BTreeMap<String, Vec<String>>;

/// A child that keeps every request waiting if it is told to.
struct Disk {
    medium: Medium,
    waits: bool,
}

impl Child for Disk {
    fn bytes(&self) -> u64 {
        self.medium.bytes()
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if self.waits { Answer::Later } else { self.medium.answer(request) }
    }
}

/// An array that is open, and the names of its children.
struct Open {
    /// The case's seed and the first request: what its nodes are named by.
    array: String,
    client: Client,
    names: Vec<String>,
}

impl<'a> Theirs<'a> {
    pub(super) fn start(program: &'a Program) -> Self {
        let daemon = Daemon::start(program).expect("it starts");
        Self {
            program,
            daemon,
            expected: Reports::new(),
            late: Reports::new(),
            failures: Reports::new(),
            told: Vec::new(),
            lost: 0,
            dead: false,
        }
    }

    /// Plays a case. After each request with a report the array is opened anew by other names: so QEMU's monitor
    /// never holds back the first report of a node in a request.
    pub(super) fn play(&mut self, case: &Case, seed: u64) -> Result<Played, Error> {
        if self.dead {
            self.bury();
            self.daemon = Daemon::start(self.program)?;
        }
        let count = case.children.len();
        let images = (0..count).map(|child| case.image(child));
        let media = images.map(|bytes| Medium { bytes, holds_reads: false }).collect();
        let mut open = self.open(case, media, format!("{seed}-0"))?;
        let mut played = Played::default();
        for (at, turn) in case.turns.iter().enumerate() {
            if played.steps.last().is_some_and(Step::reports) {
                let media = self.close(&open)?;
                open = self.open(case, media, format!("{seed}-{at}"))?;
            }
            let mut step = Step::default();
            match self.ask(&open, turn, &mut step) {
                Ok(()) => {}
                Err(Error::Died { said, .. }) if case.reads == Reads::Verifying => {
                    step.lines.extend(said.lines().map(mismatch));
                    self.dead = true;
                }
                Err(error) => return Err(error),
            }
            let bytes = |name| self.daemon.child(name).medium.bytes.clone();
            step.media = open.names.iter().map(String::as_str).map(bytes).collect();
            played.steps.push(step);
            played.arrays.push(open.array.clone());
            if self.dead {
                return Ok(played);
            }
        }
        self.close(&open)?;
        Ok(played)
    }

    fn open(&mut self, case: &Case, media: Vec<Medium>, array: String) -> Result<Open, Error> {
        let daemon = &mut self.daemon;
        let name = format!("q-{array}");
        let names: Vec<_> = (0..media.len()).map(|child| format!("c{child}-{array}")).collect();
        for (name, medium) in names.iter().zip(media) {
            daemon.serve(name, Disk { medium, waits: false })?;
        }
        let node = json!({
            "driver": "quorum", "node-name": name, "children": names,
            "vote-threshold": case.threshold,
            "read-pattern": if case.reads == Reads::Fifo { "fifo" } else { "quorum" },
            "rewrite-corrupted": case.reads == Reads::Rewriting,
            "blkverify": case.reads == Reads::Verifying,
            // Or a request for zeroes would lose its permission to give space back.
            "discard": "unmap",
        });
        daemon.obey("blockdev-add", &node)?;
        let client = daemon.export(&name)?;
        for name in &names {
            daemon.child(name).waits = true;
        }
        Ok(Open { array, client, names })
    }

    fn close(&mut self, open: &Open) -> Result<Vec<Medium>, Error> {
        for name in &open.names {
            self.daemon.child(name).waits = false;
        }
        self.daemon.shut(open.client)?;
        self.daemon.obey("blockdev-del", &json!({"node-name": format!("q-{}", open.array)}))?;
        let media = open.names.iter().map(|name| Ok(self.daemon.retire(name)?.medium));
        media.collect()
    }

    fn ask(&mut self, open: &Open, turn: &Turn, step: &mut Step) -> Result<(), Error> {
        let mut script = turn.script();
        let ticket = self.daemon.submit(open.client, &turn.request)?;
        loop {
            self.quiet(open, ticket, step)?;
            let held = self.daemon.held();
            let waiting: Vec<_> =
                held.iter().map(|held| line(&held.child, &held.request)).collect();
            if !waiting.is_empty() && step.reply.is_some() {
                step.lines.push("answered".into());
            }
            let Some(at) = script.next(&waiting) else { return Ok(()) };
            let (held, line) = (held[at].clone(), &waiting[at]);
            let reply = match script.fault(line) {
                Some(error) => Err(error),
                None => match self.daemon.child(&held.child).medium.answer(&held.request) {
                    Answer::Now(reply) => reply,
                    Answer::Later => unreachable!("nothing of a medium is held"),
                },
            };
            self.daemon.release(at, &reply)?;
            step.lines.push(line.clone());
        }
    }

    /// Waits until QEMU itself waits: for a child, or for what to do after its reply.
    fn quiet(&mut self, open: &Open, ticket: Ticket, step: &mut Step) -> Result<(), Error> {
        let mut quiet = 0;
        for _ in 0..LOOKS_MAX {
            let before = self.daemon.held().len();
            for event in self.daemon.events()? {
                self.note(open, &event, step);
            }
            step.reply = step.reply.take().or_else(|| self.daemon.reply(ticket));
            let held = self.daemon.held().len();
            let waits = held == before && (held > 0 || step.reply.is_some());
            quiet = if waits { quiet + 1 } else { 0 };
            if quiet == LOOKS {
                return Ok(());
            }
        }
        panic!("QEMU neither answers {ticket:?} nor asks a child for anything");
    }

    fn note(&mut self, open: &Open, event: &Event, step: &mut Step) {
        let Some((node, array, line)) = reported(event) else { return self.note_failure(event) };
        let late = if array == open.array { step.tell_once(line) } else { Some(line) };
        if let Some(line) = late {
            self.late.entry(node).or_default().push(line);
        }
    }

    fn note_failure(&mut self, event: &Event) {
        if event.name == "QUORUM_FAILURE" {
            let array = text(event, "reference");
            let array = array.strip_prefix("q-").expect("every array has such a name");
            self.told.push((array.into(), format!("! q failure {}", sectors(event))));
        }
    }

    /// Expects the further reports of a step, and its failures.
    pub(super) fn expect(&mut self, array: &str, step: &Step) {
        for line in &step.again {
            let node = format!("{}-{array}", Step::teller(line));
            self.expected.entry(node).or_default().push(line.clone());
        }
        let failures = self.failures.entry(array.into()).or_default();
        failures.extend(step.failures.iter().cloned());
    }

    /// Gives up what the monitor of a daemon that is dead held back.
    fn bury(&mut self) {
        let (expected, late) = (lasts(&self.expected), lasts(&self.late));
        self.lost += expected.iter().filter(|(node, line)| late.get(*node) != Some(*line)).count();
        self.expected.clear();
        self.late.clear();
        self.dead = false;
    }

    /// Waits for all reports that are late: of each node the last one comes, and others may have been dropped for it.
    ///
    /// Of how many nodes they died with a daemon, and how many failures were told of.
    pub(super) fn finish(mut self) -> Result<(usize, usize), Error> {
        if self.dead {
            self.bury();
        }
        for _ in 0..LOOKS_MAX {
            if lasts(&self.expected) == lasts(&self.late) {
                break;
            }
            for event in self.daemon.events()? {
                match reported(&event) {
                    Some((node, _, line)) => self.late.entry(node).or_default().push(line),
                    None => self.note_failure(&event),
                }
            }
        }
        assert_eq!(lasts(&self.late), lasts(&self.expected), "the last of the late reports");
        for (node, lines) in self.late {
            let expected = &self.expected[&node];
            assert!(lines.iter().all(|line| expected.contains(line)), "{lines:?} of {expected:?}");
        }
        for (array, failure) in &self.told {
            let expected = &self.failures[array];
            assert!(expected.contains(failure), "q-{array}: {failure} of {expected:?}");
        }
        Ok((self.lost, self.told.len()))
    }
}

fn lasts(reports: &Reports) -> BTreeMap<&str, Option<&String>> {
    reports.iter().map(|(node, lines)| (node.as_str(), lines.last())).collect()
}

/// The node of a report, what its array is called, and the report in the words of the stage.
fn reported(event: &Event) -> Option<(String, String, String)> {
    if event.name != "QUORUM_REPORT_BAD" {
        return None;
    }
    let node = text(event, "node-name");
    let (_, array) = node.split_once('-').expect("every child is named by its array");
    let (array, line) = (array.to_owned(), report(event, array));
    Some((node, array, line))
}

/// A request to a child in the words of the stage.
fn line(node: &str, request: &Request) -> String {
    let (child, _) = node.split_once('-').expect("every child is named by its array");
    let flag = |set: bool, word| if set { word } else { "" };
    match request {
        Request::Read { offset, bytes } => format!("{child} read {offset}+{bytes}"),
        Request::Write { offset, data, fua } => {
            let (bytes, fua) = (data.len(), flag(*fua, " fua"));
            format!("{child} write {offset}+{bytes} {}{fua}", letters(data))
        }
        Request::Zeroes { offset, bytes, fua, may_unmap } => {
            let (fua, unmap) = (flag(*fua, " fua"), flag(*may_unmap, " unmap"));
            format!("{child} zero {offset}+{bytes}{fua}{unmap}")
        }
        Request::Flush => format!("{child} flush"),
    }
}

/// What a verifier says before it ends its process, in the words of the stage.
fn mismatch(said: &str) -> String {
    let number = |key: &str| {
        let rest = said.split_once(key).map_or("", |(_, rest)| rest);
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned()
    };
    if !said.starts_with("quorum: offset=") {
        return said.into();
    }
    let (offset, bytes) = (number("offset="), number("bytes="));
    format!("! q mismatch {offset}+{bytes} at {}", number("at offset "))
}

/// QEMU waits when it has asked for nothing new in so many rounds of its loop.
const LOOKS: u32 = 2;
/// So many rounds take at least some seconds.
const LOOKS_MAX: u32 = 200_000;
