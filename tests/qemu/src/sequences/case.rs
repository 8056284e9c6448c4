//! What is asked of both sides: an array, a few requests one after the other, and what its children make of them.

use super::super::reads::ERRORS;
use quorate_engine::Errno;
use quorate_qemu::Request;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

#[derive(Clone, Debug)]
pub(super) struct Case {
    /// What each child holds at first instead of `A`s.
    pub(super) children: Vec<Vec<Patch>>,
    pub(super) threshold: usize,
    pub(super) reads: Reads,
    pub(super) turns: Vec<Turn>,
}

/// Bytes from here to there, and the letter that they are.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    from: usize,
    to: usize,
    letter: u8,
}

/// How an array reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// By a vote.
    Voted,
    /// By a vote, and who lost it is overwritten.
    Rewriting,
    /// From one child after the other.
    Fifo,
    /// From two children that have to agree.
    Verifying,
}

/// A request, and what the children make of it.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) request: Request,
    /// For each child.
    pub(super) faults: Vec<Option<Fault>>,
    /// Whoever is the first here of those that were asked for something is the next to answer.
    pub(super) order: Vec<usize>,
}

/// What a child fails in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// The beginning of such a request's line.
    pub(super) of: &'static str,
    pub(super) error: Errno,
    /// How often, in one turn.
    pub(super) times: usize,
}

/// The turn as far as it has come.
pub(super) struct Script<'a> {
    order: &'a [usize],
    faults: Vec<Option<Fault>>,
}

impl Turn {
    pub(super) fn script(&self) -> Script<'_> {
        Script { order: &self.order, faults: self.faults.clone() }
    }
}

impl Script<'_> {
    /// Which of these lines is answered next.
    pub(super) fn next(&self, waiting: &[String]) -> Option<usize> {
        let of = |child: &usize| {
            let start = format!("c{child} ");
            waiting.iter().position(|line| line.starts_with(&start))
        };
        self.order.iter().find_map(of)
    }

    /// How the child that was asked for what this line says fails now, if it does.
    pub(super) fn fault(&mut self, line: &str) -> Option<Errno> {
        for (child, fault) in self.faults.iter_mut().enumerate() {
            let Some(fault) = fault else { continue };
            if fault.times > 0 && line.starts_with(&format!("c{child} {}", fault.of)) {
                fault.times -= 1;
                return Some(fault.error);
            }
        }
        None
    }
}

impl Case {
    /// What a child holds at first.
    pub(super) fn image(&self, child: usize) -> Vec<u8> {
        let mut image = vec![b'A'; BYTES];
        for &Patch { from, to, letter } in &self.children[child] {
            image[from..to].fill(letter);
        }
        image
    }

    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let reads = match dice.below(10) {
            0..4 => Reads::Voted,
            4..7 => Reads::Rewriting,
            7..9 => Reads::Fifo,
            _ => Reads::Verifying,
        };
        let verifies = reads == Reads::Verifying;
        let count = if verifies { 2 } else { 1 + dice.below(5) };
        let threshold = if verifies { 2 } else { 1 + dice.below(count) };
        // Verifiers end at the first difference.
        let chances = if verifies { 10 } else { 2 };
        let children = (0..count).map(|_| dice.patches(chances)).collect();
        let errors = [0, 1].map(|_| ERRORS[dice.below(ERRORS.len())]);
        let turns = (0..3 + dice.below(6)).map(|at| dice.turn(at, count, errors)).collect();
        Self { children, threshold, reads, turns }
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u32()).expect("a usize has at least 32 bits") % end
    }

    /// One of so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn patches(&mut self, chances: usize) -> Vec<Patch> {
        if !self.once_in(chances) {
            return Vec::new();
        }
        (0..1 + self.below(2)).map(|_| self.patch()).collect()
    }

    fn patch(&mut self) -> Patch {
        let (offset, bytes) = self.range();
        Patch { from: offset, to: offset + bytes, letter: [b'B', b'C'][self.below(2)] }
    }

    /// Bytes near the start, so that requests meet; half of them whole sectors.
    fn range(&mut self) -> (usize, usize) {
        if self.once_in(2) {
            (512 * self.below(5), 512 * (1 + self.below(3)))
        } else {
            (self.below(2560), 1 + self.below(1536))
        }
    }

    fn turn(&mut self, at: usize, count: usize, errors: [Errno; 2]) -> Turn {
        let (offset, bytes) = self.range();
        let short = u32::try_from(bytes).expect("it is small");
        let fua = self.once_in(4);
        let request = match self.below(10) {
            0..4 => Request::Read { offset: offset as u64, bytes: short },
            4..7 => {
                let letters = b"Aabcdefgh";
                let letter = if self.once_in(3) { letters[0] } else { letters[1 + at] };
                Request::Write { offset: offset as u64, data: vec![letter; bytes], fua }
            }
            7..9 => {
                let may_unmap = self.once_in(2);
                Request::Zeroes {
                    offset: offset as u64,
                    bytes: short,
                    fua,
                    may_unmap,
                    no_fallback: false,
                }
            }
            _ => Request::Flush,
        };
        // How many of five children fail: at times none, at times all.
        let failing = [0, 2, 2, 2, 3, 5][self.below(6)];
        let faults = (0..count)
            .map(|_| (self.below(5) < failing).then(|| self.fault(&request, errors, failing == 5)));
        let faults = faults.collect();
        let mut left: Vec<_> = (0..count).collect();
        let order = (0..count).map(|_| left.remove(self.below(left.len()))).collect();
        Turn { request, faults, order }
    }

    fn fault(&mut self, request: &Request, errors: [Errno; 2], all: bool) -> Fault {
        // In everything, or only in what may follow upon the first request: rewrites, and flushes for FUA.
        let mut of = match request {
            _ if all => "",
            Request::Read { .. } => ["", "write"][self.below(2)],
            Request::Write { .. } | Request::Zeroes { .. } => ["", "write", "flush"][self.below(3)],
            _ => "",
        };
        let mut error = errors[self.below(2)];
        // A child that refuses zeroes is asked to write them. If most refuse that, too, the array writes.
        if matches!(request, Request::Zeroes { .. }) {
            match self.below(3) {
                0 => (of, error) = ("zero", Errno::ENOTSUP),
                1 => (of, error) = ("", Errno::ENOTSUP),
                _ => {}
            }
        }
        let times = [1, 2, usize::MAX, usize::MAX][self.below(4)];
        Fault { of, error, times }
    }
}

/// How long every child is.
const BYTES: usize = 8192;
