//! What QEMU makes of a case.

use super::{
    Played, Step,
    case::{Case, Reads, Turn},
};
use crate::{Medium, reads, stage::letters};
use quorate_qemu::{Answer, Child, Client, Daemon, Error, Program, Request};
use serde_json::json;

/// A daemon that plays one case after the other.
pub(super) struct Theirs<'a> {
    program: &'a Program,
    daemon: Daemon<Disk>,
    /// A verifier has found a difference.
    dead: bool,
}

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

impl<'a> Theirs<'a> {
    pub(super) fn start(program: &'a Program) -> Self {
        let daemon = Daemon::start_leaping(program).expect("it starts");
        Self { program, daemon, dead: false }
    }

    pub(super) fn play(&mut self, case: &Case) -> Result<Played, Error> {
        if self.dead {
            self.daemon = Daemon::start_leaping(self.program)?;
            self.dead = false;
        }
        let names: Vec<_> = (0..case.children.len()).map(|child| format!("c{child}")).collect();
        let client = self.open(case, &names)?;
        let mut played = Played::default();
        for turn in &case.turns {
            let mut step = Step::default();
            match self.ask(client, turn, &mut step) {
                Ok(()) => {}
                Err(Error::Died { said, .. }) if case.reads == Reads::Verifying => {
                    step.lines.extend(said.lines().map(mismatch));
                    self.dead = true;
                }
                Err(error) => return Err(error),
            }
            let bytes = |name: &String| self.daemon.child(name).medium.bytes.clone();
            step.media = names.iter().map(bytes).collect();
            played.steps.push(step);
            if self.dead {
                return Ok(played);
            }
        }
        self.close(client, &names)?;
        Ok(played)
    }

    fn open(&mut self, case: &Case, names: &[String]) -> Result<Client, Error> {
        let daemon = &mut self.daemon;
        let children = names.iter().enumerate().map(|(child, name)| {
            let medium = Medium { bytes: case.image(child), holds_reads: false };
            (name.clone(), Disk { medium, waits: false })
        });
        let node = json!({
            "driver": "quorum", "node-name": "q",
            "vote-threshold": case.threshold,
            "read-pattern": if case.reads == Reads::Fifo { "fifo" } else { "quorum" },
            "rewrite-corrupted": case.reads == Reads::Rewriting,
            "blkverify": case.reads == Reads::Verifying,
            // Or a request for zeroes would lose its permission to give space back.
            "discard": "unmap",
        });
        let client = daemon.open(&node, children)?;
        for name in names {
            daemon.child(name).waits = true;
        }
        Ok(client)
    }

    fn close(&mut self, client: Client, names: &[String]) -> Result<(), Error> {
        for name in names {
            self.daemon.child(name).waits = false;
        }
        self.daemon.close(client).map(drop)
    }

    fn ask(&mut self, client: Client, turn: &Turn, step: &mut Step) -> Result<(), Error> {
        let mut script = turn.script();
        let ticket = self.daemon.submit(client, &turn.request)?;
        loop {
            self.daemon.rest()?;
            step.lines.extend(self.daemon.take_events().iter().filter_map(reads::line));
            step.reply = step.reply.take().or_else(|| self.daemon.reply(ticket));
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
}

/// A request to a child in the words of the stage.
fn line(child: &str, request: &Request) -> String {
    let flag = |set: bool, word| if set { word } else { "" };
    match request {
        Request::Read { offset, bytes } => format!("{child} read {offset}+{bytes}"),
        Request::Write { offset, data, fua } => {
            let (bytes, fua) = (data.len(), flag(*fua, " fua"));
            format!("{child} write {offset}+{bytes} {}{fua}", letters(data))
        }
        Request::Zeroes { offset, bytes, fua, may_unmap, .. } => {
            let (fua, unmap) = (flag(*fua, " fua"), flag(*may_unmap, " unmap"));
            format!("{child} zero {offset}+{bytes}{fua}{unmap}")
        }
        Request::Discard { offset, bytes } => format!("{child} discard {offset}+{bytes}"),
        Request::Flush => format!("{child} flush"),
        Request::Status { .. } => unreachable!("no disk offers that"),
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
