//! A few requests after each other of many small arrays: what the real QEMU makes of them, and what the engine does.
//!
//! A case is drawn from its seed ([`case`]): the array, what its children hold, three to eight requests, which child
//! fails in what, and who of those that were asked answers next. Every request to a child is held on both sides and
//! answered in that order, each when the array has dealt with the answer before. Compared for every request are
//! what it came to, what each child was asked for, in the order of the answers (kind, extent, flags, and the bytes with
//! runs as one), where in between somebody was reported or the array failed, and every byte of every child thereafter.
//! One thing is known to differ, and is counted: QEMU ends its process where blkverify finds a difference, and the
//! engine answers `EIO`; what each says of the place is compared.

mod case;
mod ours;
mod theirs;

use super::{given_seed, qemu, say};
use case::{Case, Reads};
use quorate_engine::Errno;
use quorate_qemu::{Program, Request};
use std::collections::BTreeMap;
use theirs::Theirs;

/// At least so many requests are compared from each seed on, and more until every mistake is noticed.
const REQUESTS: usize = 300;
const SEED: u64 = 1;

/// What it is, and a change of a case that comes to the same.
type Mistake = (&'static str, fn(&mut Case));

/// What an engine could do wrong, as changes of what it is given; the comparison has to notice each.
const MISTAKES: [Mistake; 5] = [
    ("a vote that asks for one more", |case| {
        case.threshold = (case.threshold + 1).min(case.children.len());
    }),
    ("rewrites that are forgotten", |case| {
        if case.reads == Reads::Rewriting {
            case.reads = Reads::Voted;
        }
    }),
    ("fifo reads that are voted on", |case| {
        if case.reads == Reads::Fifo {
            case.reads = Reads::Voted;
        }
    }),
    ("writes that forget to flush", |case| {
        for turn in &mut case.turns {
            if let Request::Write { fua, .. } = &mut turn.request {
                *fua = false;
            }
        }
    }),
    ("zeroes that are refused and not written instead", |case| {
        let faults = case.turns.iter_mut().flat_map(|turn| &mut turn.faults).flatten();
        let refusals = faults.filter(|f| f.of == "zero" && f.error == Errno::ENOTSUP);
        refusals.for_each(|fault| fault.error = Errno::EIO);
    }),
];
/// The most cases that it may take to notice all of them.
const CASES_MAX: usize = 1000;

/// What a case came to.
#[derive(Debug, Default)]
struct Played {
    steps: Vec<Step>,
}

/// What a request came to.
#[derive(Debug, Default)]
struct Step {
    /// None if a verifier has found a difference.
    reply: Option<Result<Vec<u8>, Errno>>,
    /// What children were asked for, and what was told.
    lines: Vec<String>,
    /// What each child holds.
    media: Vec<Vec<u8>>,
}

impl Step {
    /// Where it differs from that of QEMU.
    fn difference(&self, theirs: &Self) -> Option<String> {
        if self.lines != theirs.lines {
            return Some(format!("ours   {:?}\ntheirs {:?}", self.lines, theirs.lines));
        }
        if self.reply != theirs.reply {
            return Some(format!("ours   {:?}\ntheirs {:?}", self.reply, theirs.reply));
        }
        let child = self.media.iter().zip(&theirs.media).position(|(a, b)| a != b)?;
        let (ours, theirs) = (&self.media[child], &theirs.media[child]);
        let at = ours.iter().zip(theirs).position(|(a, b)| a != b)?;
        let (a, b) = (char::from(ours[at]), char::from(theirs[at]));
        Some(format!("byte {at} of c{child}: {a:?} is ours, {b:?} theirs"))
    }
}

impl Played {
    /// The first difference from what QEMU did.
    fn difference(&self, theirs: &Self) -> Option<String> {
        let steps = self.steps.iter().zip(&theirs.steps).enumerate();
        let of = |(at, (a, b)): (_, (&Step, &Step))| {
            a.difference(b).map(|text| format!("request {at}:\n{text}"))
        };
        let counts = (self.steps.len(), theirs.steps.len());
        let ends = || (counts.0 != counts.1).then(|| format!("of {counts:?} requests"));
        steps.map(of).find_map(|found| found).or_else(ends)
    }
}

/// What was compared, and how it came out.
#[derive(Default)]
struct Tally {
    cases: usize,
    requests: usize,
    succeeded: usize,
    asked: usize,
    events: usize,
    mismatches: usize,
    /// By seed.
    differences: BTreeMap<u64, String>,
    /// After how many cases each mistake was noticed.
    noticed: BTreeMap<&'static str, usize>,
}

#[test]
fn the_engine_goes_through_sequences_as_qemu_does() {
    let Some(program) = qemu() else { return };
    compare(&program, SEED, REQUESTS);
    if let Some(given) = given_seed() {
        compare(&program, given, REQUESTS);
    }
}

#[test]
#[ignore = "it takes half a minute"]
fn twenty_thousand_requests_come_to_the_same() {
    let Some(program) = qemu() else { return };
    compare(&program, 1_000_000, 20_000);
}

/// Compares at least so many requests, of cases from a seed on.
fn compare(program: &Program, first: u64, requests: usize) {
    let mut tally = Tally::default();
    // Verifiers end their daemon.
    let (mut lasting, mut verifying) = (Theirs::start(program), Theirs::start(program));
    let mut unnoticed = MISTAKES.to_vec();
    let mut seed = first;
    while tally.requests < requests || !unnoticed.is_empty() {
        let names: Vec<_> = unnoticed.iter().map(|(name, _)| *name).collect();
        let patient = tally.cases < CASES_MAX || names.is_empty();
        assert!(patient, "{CASES_MAX} cases were no answer to {names:?}");
        let case = Case::of(seed);
        let ours = ours::play(&case);
        let verifies = case.reads == Reads::Verifying;
        let daemon = if verifies { &mut verifying } else { &mut lasting };
        let theirs = daemon.play(&case);
        let theirs = theirs.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{case:?}"));
        if let Some(text) = ours.difference(&theirs) {
            tally.differences.insert(seed, format!("{text}\n{case:?}"));
        }
        tally.count(&ours);
        unnoticed.retain(|(name, make)| {
            let mut mistaken = case.clone();
            make(&mut mistaken);
            let misses = ours::play(&mistaken).difference(&theirs).is_none();
            if !misses {
                tally.noticed.insert(name, tally.cases);
            }
            misses
        });
        seed = seed.wrapping_add(1);
    }
    tally.say(program, first);
    if let Some((seed, text)) = tally.differences.first_key_value() {
        panic!(
            "ours and that of QEMU {} differ in {text}\nand others of the seeds {:?}\n\
             QUORATE_SEED={seed} cargo test -p quorate-qemu-tests the_engine_goes_through",
            program.version(),
            tally.differences.keys(),
        );
    }
}

impl Tally {
    fn count(&mut self, played: &Played) {
        self.cases += 1;
        self.requests += played.steps.len();
        for step in &played.steps {
            self.succeeded += usize::from(matches!(step.reply, Some(Ok(_))));
            let events = step.lines.iter().filter(|line| line.starts_with('!')).count();
            self.asked += step.lines.len() - events;
            self.events += events;
            self.mismatches += usize::from(step.reply.is_none());
        }
    }

    fn say(&self, program: &Program, first: u64) {
        say(&format!(
            "qemu {}: {} requests of {} cases compared from seed {first} on, of which {} succeed; {} requests to \
             children, {} events; {} cases differ",
            program.version(),
            self.requests,
            self.cases,
            self.succeeded,
            self.asked,
            self.events,
            self.differences.len(),
        ));
        say(&format!(
            "in {} of them QEMU's verifier found a difference and ended",
            self.mismatches
        ));
        for (name, cases) in &self.noticed {
            say(&format!("{name}: noticed in case {cases}"));
        }
    }
}
