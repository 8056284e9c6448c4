//! The cases: one request to an array of which some children fail.

use crate::{
    diff::draws::Draws,
    load,
    model::{Action, Array, Children, Disk, Expected, Payload, Request, Scenario, Zeroes},
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

/// A kind of request, and what fails where all errors are tried.
#[derive(Clone, Copy)]
struct Kind {
    of: OpKind,
    flags: Flags,
    fails: &'static [OpKind],
}

impl Kind {
    fn request(self, offset: u64, bytes: u64) -> Request {
        let flags = self.flags;
        match self.of {
            OpKind::Read => Request::Read { offset, bytes },
            OpKind::Write => Request::Write { offset, bytes, payload: Payload::Fill(0xcd), flags },
            _ => Request::WriteZeroes { offset, bytes, flags },
        }
    }
}

fn request(draws: &mut Draws) -> Request {
    let kind = *draws.pick(&REQUESTS);
    let offset = *draws.pick(&[0, 0, 512, 1000]);
    kind.request(offset, *draws.pick(&[512, 512, 1, 0, 4096, 10_000]))
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
        Request::Read { .. } => &[ALL, &[Read]],
        Request::Write { .. } => &[ALL, &[Write], &[Flush]],
        _ => &[ALL, &[WriteZeroes], &[Write], &[Flush]],
    }
}

const REQUESTS: [Kind; 7] = {
    let none = Flags::NONE;
    let (may_unmap, no_fallback) = (true, true);
    let (read, write, zeroes) = (OpKind::Read, OpKind::Write, OpKind::WriteZeroes);
    [
        Kind { of: read, flags: none, fails: ALL },
        Kind { of: write, flags: none, fails: ALL },
        Kind { of: write, flags: Flags::FUA, fails: &[OpKind::Flush] },
        Kind { of: zeroes, flags: none, fails: ALL },
        Kind { of: zeroes, flags: Flags::FUA, fails: &[OpKind::Flush] },
        Kind { of: zeroes, flags: Flags { may_unmap, ..none }, fails: ALL },
        Kind { of: zeroes, flags: Flags { no_fallback, ..none }, fails: ALL },
    ]
};
/// What fails if a child just fails.
pub(super) const ALL: &[OpKind] =
    &[OpKind::Read, OpKind::Write, OpKind::WriteZeroes, OpKind::Flush];
const CASE: Domain = Domain::named("errno");
const DISK_BYTES: u64 = 65536;
/// A scenario of which most is put in later.
const SCENARIO: &str = "version = 1\nname = \"errno\"\narray = { children = 1, vote-threshold = 1 }\n\
                        expect = { idle-rules = true }\n";
