//! Which error a request comes to: ours beside what `qemu-io` says, for errors that NBD has no words for.
//!
//! The children are QEMU's own: `blkdebug`, which fails as it is told to, over `null-co`, which reads as zeroes. Events
//! and requests to children are not seen here.

use super::{Compared, draws::Draws};
use crate::{
    fuzz::attempt,
    load,
    model::{Action, Array, Children, Disk, Expected, Payload, Request, Scenario, Zeroes},
    runner::Scratch,
};
use quorate_engine::{
    Errno, Flags,
    quorum::options::{Overlap, ReadPattern},
};
use quorate_faults::{
    draw::Domain,
    fault::{Applied, Fault},
    rule::{self, OpKind, Place, Rule, When},
    text::Size,
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

/// The case of a seed: one request to one to seven children, some of which fail, with few different errors.
#[must_use]
pub fn case(seed: u64) -> Scenario {
    let mut draws = Draws::new(seed, CASE);
    let children = 1 + draws.below(7);
    let threshold = 1 + draws.below(children);
    let pattern = *draws.pick(&[ReadPattern::Quorum, ReadPattern::Quorum, ReadPattern::Fifo]);
    let request = request(&mut draws);
    let errnos: Vec<Errno> = (0..1 + draws.below(3)).map(|_| errno(&mut draws)).collect();
    let sound = draws.below(4);
    let faults = (0..children).map(|_| {
        // Drawn for every child, so that one child more changes none of the others.
        let (is_sound, errno) = (draws.below(4) < sound, *draws.pick(&errnos));
        let on = *draws.pick(kinds(&request));
        (!is_sound).then(|| (errno, on.to_vec()))
    });
    let faults: Vec<_> = faults.collect();
    scenario(seed, threshold, pattern, request, &faults)
}

/// Every array of at most so many children, each of which is sound or fails with one of three errors, with every
/// threshold, either way of reading, and every request.
pub fn small(children_max: u32) -> impl Iterator<Item = Scenario> {
    let errors = ["EIO", "ENOSPC", "EUCLEAN"].map(|name| name.parse().expect("it is a name"));
    let answers = 1 + errors.len() as u64;
    let shapes = (1..=children_max).flat_map(|n| (1..=u64::from(n)).map(move |t| (n, t)));
    shapes.flat_map(move |(children, threshold)| {
        let patterns = [ReadPattern::Quorum, ReadPattern::Fifo];
        let whole = patterns.into_iter().flat_map(|pattern| REQUESTS.map(|kind| (pattern, kind)));
        whole.flat_map(move |(pattern, kind)| {
            (0..answers.pow(children)).map(move |number| {
                let faults = (0..children).map(|child| {
                    let digit = usize::try_from(number / answers.pow(child) % answers);
                    let errno = digit.expect("it is small").checked_sub(1).map(|at| errors[at]);
                    errno.map(|errno| (errno, kind.fails.to_vec()))
                });
                let faults: Vec<_> = faults.collect();
                scenario(number, threshold, pattern, kind.request(0, 512), &faults)
            })
        })
    })
}

/// What fails on a child, and in which kinds of operation.
type Failing = Option<(Errno, Vec<OpKind>)>;

fn scenario(
    seed: u64,
    threshold: u64,
    pattern: ReadPattern,
    request: Request,
    faults: &[Failing],
) -> Scenario {
    let base = load::parse(SCENARIO, "errno").expect("the text is a constant");
    let rules = (0..).zip(faults).filter_map(|(child, failing)| {
        let (errno, on) = failing.clone()?;
        Some(Rule {
            name: format!("c{child}"),
            on,
            child: rule::Children::Index(child),
            r#where: Place::default(),
            when: When::default(),
            r#do: Fault::Status { errno, applied: Applied::None },
        })
    });
    Scenario {
        seed,
        array: Array {
            children: Children::Count(u32::try_from(faults.len()).expect("there are few")),
            vote_threshold: usize::try_from(threshold).expect("there are few"),
            read_pattern: pattern,
            overlap: Overlap::Qemu,
            ..base.array
        },
        // As of null-co: it writes zeroes, and knows no flag.
        disk: Disk {
            bytes: Some(Size(DISK_BYTES)),
            zeroes: Some(Zeroes::Flags(Vec::new())),
            ..Disk::default()
        },
        rules: rules.collect(),
        steps: vec![Action::Request { request, background: None, expected: Expected::default() }],
        ..base
    }
}

/// A kind of request, and what of it fails where every error is tried.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    flags: Flags,
    fails: &'static [OpKind],
}

impl Kind {
    fn request(self, offset: u64, bytes: u64) -> Request {
        let flags = self.flags;
        match self.name {
            "read" => Request::Read { offset, bytes },
            "write" => Request::Write { offset, bytes, payload: Payload::Fill(0xcd), flags },
            _ => Request::WriteZeroes { offset, bytes, flags },
        }
    }
}

fn request(draws: &mut Draws) -> Request {
    let kind = *draws.pick(&REQUESTS);
    let offset = *draws.pick(&[0, 0, 512, 1000]);
    kind.request(offset, *draws.pick(&[512, 512, 1, 4096, 10_000]))
}

fn errno(draws: &mut Draws) -> Errno {
    if draws.below(8) == 0 {
        return Errno::ENOTSUP;
    }
    let number = 1 + draws.below(131);
    Errno::from_number(i32::try_from(number).expect("it is small")).expect("it is an error")
}

/// In which kinds of operations a child may fail. More would make the command too long.
fn kinds(request: &Request) -> &'static [&'static [OpKind]] {
    use OpKind::{Flush, Read, Write, WriteZeroes};
    match request {
        Request::Read { .. } => &[ALL, &[Read], &[Write]],
        Request::Write { .. } => &[ALL, &[Write], &[Flush]],
        _ => &[ALL, &[WriteZeroes], &[Write], &[Flush]],
    }
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

const REQUESTS: [Kind; 7] = {
    let none = Flags::NONE;
    let (may_unmap, no_fallback) = (true, true);
    let (read, write, zeroes) = ("read", "write", "write-zeroes");
    [
        Kind { name: read, flags: none, fails: ALL },
        Kind { name: write, flags: none, fails: ALL },
        Kind { name: write, flags: Flags::FUA, fails: &[OpKind::Flush] },
        Kind { name: zeroes, flags: none, fails: ALL },
        Kind { name: zeroes, flags: Flags::FUA, fails: &[OpKind::Flush] },
        Kind { name: zeroes, flags: Flags { may_unmap, ..none }, fails: ALL },
        Kind { name: zeroes, flags: Flags { no_fallback, ..none }, fails: ALL },
    ]
};
/// What fails if a child just fails.
const ALL: &[OpKind] = &[OpKind::Read, OpKind::Write, OpKind::WriteZeroes, OpKind::Flush];
const CASE: Domain = Domain::named("errno");
const DISK_BYTES: u64 = 65536;
/// A scenario of which most is put in later.
const SCENARIO: &str = "version = 1\nname = \"errno\"\narray = { children = 1, vote-threshold = 1 }\n\
                        expect = { idle-rules = true }\n";
