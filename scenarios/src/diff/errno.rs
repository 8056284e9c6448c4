//! Which error a request comes to: ours beside what `qemu-io` says, for errors that NBD has no words for.
//!
//! The children are QEMU's own: `blkdebug`, which fails as it is told to, over `null-co`, which reads as zeroes. Events
//! and requests to children are not seen here.

mod case;

use super::Compared;
use crate::{
    fuzz::attempt,
    model::{Action, Request, Scenario},
    runner::Scratch,
};
use case::ALL;
pub use case::{case, small};
use quorate_engine::{Flags, quorum::options::ReadPattern};
use quorate_faults::{
    fault::Fault,
    rule::{self, OpKind, Rule},
};
use quorate_qemu::{Cache, Error, Io, Program};
use quorate_reports::{Verdict, What};
use serde_json::{Value, json};

/// What one side makes of a scenario: for each request nothing, or the text of its error.
pub type Answers = Vec<Result<(), String>>;

/// Compares errors. It keeps one `qemu-io` for all.
#[derive(Debug)]
pub struct Errnos {
    io: Io,
    scratch: Scratch,
}

impl Errnos {
    /// Starts `qemu-io`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Program) -> Result<Self, Error> {
        Ok(Self { io: Io::start(program)?, scratch: Scratch::default() })
    }

    /// Puts a scenario to both sides.
    ///
    /// # Errors
    /// `qemu-io` ends, hangs, or says what it never said.
    ///
    /// # Panics
    /// The scenario is not one that [`case`] draws, or a part of one.
    pub fn compare(&mut self, scenario: &Scenario) -> Result<Compared, Error> {
        let theirs = self.theirs(scenario)?;
        let ours = self.ours(scenario);
        let operations = theirs.len() as u64;
        let difference = match ours {
            Ok(ours) => difference(&ours, &theirs),
            Err(why) => Some(format!("our run {why}; QEMU answers {theirs:?}")),
        };
        Ok(Compared { operations, known: Vec::new(), difference })
    }

    /// What our engine makes of it, or what is wrong with its run by our own rules.
    ///
    /// # Errors
    /// The run does not hold, and why.
    pub fn ours(&mut self, scenario: &Scenario) -> Result<Answers, String> {
        let run = attempt::run(scenario, &scenario.name, None, &mut self.scratch, None);
        if run.verdict != Verdict::Held {
            let why: Vec<_> = run.violations.iter().map(|v| v.reason.as_str()).collect();
            return Err(format!("is {}: {}", run.verdict.word(), why.join("; ")));
        }
        let answers = run.trace.entries.iter().filter_map(|entry| match &entry.what {
            What::Complete(outcome) => Some(outcome.error().map_or(Ok(()), |e| Err(e.message()))),
            _ => None,
        });
        let answers = answers.collect();
        self.scratch.reclaim(run.trace);
        Ok(answers)
    }

    /// What QEMU makes of it.
    ///
    /// # Errors
    /// As [`Errnos::compare`].
    ///
    /// # Panics
    /// As [`Errnos::compare`].
    pub fn theirs(&mut self, scenario: &Scenario) -> Result<Answers, Error> {
        let node = format!("json:{}", node(scenario));
        if let Some(why) = self.io.open(cache(scenario), &node)? {
            return Err(Error::Protocol(format!("{why:?} when it was to open {node}")));
        }
        let answers = scenario.steps.iter().map(|step| self.request(step)).collect();
        self.io.close()?;
        answers
    }

    fn request(&mut self, step: &Action) -> Result<Result<(), String>, Error> {
        let command = command(step);
        let said = self.io.run(&command)?;
        if said.is_empty() {
            return Ok(Ok(()));
        }
        let (_, why) = said.trim_end().split_once(" failed: ").ok_or_else(|| {
            Error::Protocol(format!("{said:?} when it was asked for {command:?}"))
        })?;
        Ok(Err(why.into()))
    }
}

/// The first request that comes to something else.
#[must_use]
pub fn difference(ours: &Answers, theirs: &Answers) -> Option<String> {
    let word = |answer: Option<&Result<(), String>>| match answer {
        None => "nothing".to_owned(),
        Some(Ok(())) => "success".to_owned(),
        Some(Err(text)) => format!("'{text}'"),
    };
    let at = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
    let (ours, theirs) = (word(ours.get(at)), word(theirs.get(at)));
    Some(format!("request {at} comes to {ours} with us and to {theirs} with QEMU"))
}

fn cache(scenario: &Scenario) -> Cache {
    // Both have a flush follow a write: the flag of the write, and the mode of the whole.
    let is_fua = |step: &Action| flags(step).fua;
    match scenario.steps.iter().all(is_fua) && scenario.seed % 2 == 1 {
        true => Cache::Writethrough,
        false => Cache::Writeback,
    }
}

fn flags(step: &Action) -> Flags {
    match step {
        Action::Request {
            request: Request::Write { flags, .. } | Request::WriteZeroes { flags, .. },
            ..
        } => *flags,
        _ => Flags::NONE,
    }
}

/// The array of a scenario, in QEMU's own words.
fn node(scenario: &Scenario) -> Value {
    let reads =
        |step: &Action| matches!(step, Action::Request { request: Request::Read { .. }, .. });
    // Without it a read leaves the buffer as it was. Nothing more than is needed: commands are short.
    let mut zeroes = json!({"driver": "null-co"});
    if scenario.steps.iter().any(reads) {
        zeroes["read-zeroes"] = true.into();
    }
    let children = (0..scenario.disks()).map(|child| {
        let rules = scenario.rules.iter().filter(|r| r.child == rule::Children::Index(child));
        let errors: Vec<Value> = rules.flat_map(injected).collect();
        match errors.is_empty() {
            true => zeroes.clone(),
            false => json!({"driver": "blkdebug", "image": zeroes, "inject-error": errors}),
        }
    });
    let children: Vec<Value> = children.collect();
    let mut node = json!({
        "driver": "quorum", "children": children, "vote-threshold": scenario.array.vote_threshold,
    });
    if scenario.array.read_pattern == ReadPattern::Fifo {
        node["read-pattern"] = "fifo".into();
    }
    node
}

fn injected(rule: &Rule) -> Vec<Value> {
    let Fault::Status { errno, .. } = &rule.r#do else {
        panic!("a case has no other faults than errors, and not {:?}", rule.r#do)
    };
    let error = json!({"event": "none", "errno": errno.number()});
    if rule.on == ALL {
        return vec![error];
    }
    let of = |kind: &OpKind| {
        let mut error = error.clone();
        error["iotype"] = kind.word().into();
        error
    };
    rule.on.iter().map(of).collect()
}

/// A step as `qemu-io` has it, without figures behind a success.
fn command(step: &Action) -> String {
    let Action::Request { request, background: None, .. } = step else {
        panic!("a case has requests one after the other, and not {step:?}")
    };
    let flags = flags(step);
    let words = [(flags.fua, " -f"), (flags.may_unmap, " -u"), (flags.no_fallback, " -n")];
    let words: String = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    match request {
        Request::Read { offset, bytes } => format!("read -q {offset} {bytes}"),
        Request::Write { offset, bytes, .. } => format!("write -q{words} {offset} {bytes}"),
        Request::WriteZeroes { offset, bytes, .. } => {
            format!("write -q -z{words} {offset} {bytes}")
        }
        other => panic!("a case has no other requests than reads and writes, and not {other:?}"),
    }
}
