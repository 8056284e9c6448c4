//! Keyed randomness: a draw is a function of its key, never of what was drawn before.
//!
//! The key is (seed, domain, child, ordinal), the draw one ChaCha8 block at it. Taking away one
//! operation or one rule therefore shifts no other draw. The block is computed here because a
//! generator of `rand_chacha` fills four at a time, of which a keyed draw wants one; the words are
//! those of its `ChaCha8Rng` for the same key, stream and position.

use crate::text::Ratio;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::ops::Range;

/// What a draw decides, so that equal ordinals of different purposes do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(u64);

impl Domain {
    /// How long a healthy device takes.
    pub const LATENCY: Self = Self(1);
    /// Which operations a client issues.
    pub const WORKLOAD: Self = Self(2);
    /// Which rules a generated plan has.
    pub const PLAN: Self = Self(3);
    /// Which completion comes first.
    pub const SCHEDULE: Self = Self(4);

    /// The domain of this name: the same in every build and on every host.
    #[must_use]
    pub const fn named(name: &str) -> Self {
        let mut hash = FNV_OFFSET;
        let mut at = 0;
        while at < name.len() {
            hash = (hash ^ name.as_bytes()[at] as u64).wrapping_mul(FNV_PRIME);
            at += 1;
        }
        // The top bit keeps names and constants apart.
        Self(hash | (1 << 63))
    }

    /// A further domain of the same name, for a second decision about the same thing.
    #[must_use]
    pub const fn lane(self, lane: u32) -> Self {
        Self(self.0 ^ ((lane as u64).wrapping_mul(LANE_FACTOR) >> 1))
    }
}

/// The source of every draw of a run.
#[derive(Clone, Debug)]
pub struct Keyed {
    seed: u64,
}

impl Keyed {
    /// A source whose draws depend on `seed` and their keys only.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draw at this key.
    #[must_use]
    pub fn draw(&self, domain: Domain, child: u32, ordinal: u64) -> Draw {
        let [seed, domain, ordinal] = [self.seed, domain.0, ordinal].map(halves);
        let mut start = [0; WORDS];
        start[..4].copy_from_slice(&CONSTANTS);
        start[4..6].copy_from_slice(&seed);
        start[6..8].copy_from_slice(&domain);
        start[12..14].copy_from_slice(&ordinal);
        start[14] = child;
        Draw { words: block(start) }
    }
}

/// Sixteen random words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    words: [u32; WORDS],
}

impl Draw {
    /// The word at `index`, below eight; what lies behind is for longer streams.
    #[must_use]
    pub fn word(&self, index: usize) -> u32 {
        assert!(index < WORDS_PLAIN, "a draw has {WORDS_PLAIN} words to give");
        self.words[index]
    }

    /// A number below `count`, from the words at `index` and behind it.
    ///
    /// Its bias is below `count` in 2^64.
    #[must_use]
    pub fn below(&self, index: usize, count: u64) -> u64 {
        assert!(count > 0, "there is no number below zero");
        let wide = u128::from(self.wide(index)) * u128::from(count);
        u64::try_from(wide >> 64).expect("a product of two words, halved")
    }

    /// Whether an event of this probability happens, from the words at `index` and behind it.
    #[must_use]
    pub fn hit(&self, index: usize, ratio: Ratio) -> bool {
        self.below(index, ratio.denominator()) < ratio.numerator()
    }

    /// A number of the range, from the words at `index` and behind it.
    #[must_use]
    pub fn in_range(&self, index: usize, range: Range<u64>) -> u64 {
        assert!(range.start < range.end, "no number lies in an empty range");
        range.start + self.below(index, range.end - range.start)
    }

    /// An exponentially distributed number of this mean, from the words at `index` and behind it.
    ///
    /// In integers, so that every host draws the same.
    #[must_use]
    pub fn exponential(&self, index: usize, mean: u64) -> u64 {
        let nats = (u128::from(negative_log2(self.wide(index) | 1)) * LN_2) >> 64;
        u64::try_from((nats * u128::from(mean)) >> LOG2_FRACTION_BITS).unwrap_or(u64::MAX)
    }

    /// Random bytes without end, independent of the words.
    pub(crate) fn expand(&self) -> Stream {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(4).zip(&self.words[WORDS_PLAIN..]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(key))
    }

    fn wide(&self, index: usize) -> u64 {
        (u64::from(self.word(index)) << 32) | u64::from(self.word(index + 1))
    }
}

/// What a draw expands to.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The next number below `count`.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        assert!(count > 0, "there is no number below zero");
        let wide = u128::from(self.0.next_u64()) * u128::from(count);
        u64::try_from(wide >> 64).expect("a product of two words, halved")
    }
}

fn halves(word: u64) -> [u32; 2] {
    let low = u32::try_from(word & u64::from(u32::MAX)).expect("masked");
    [low, u32::try_from(word >> 32).expect("shifted")]
}

/// One ChaCha8 block, row by row, so that four quarter rounds are done at a time.
fn block(start: [u32; WORDS]) -> [u32; WORDS] {
    let row = |at: usize| -> Row { std::array::from_fn(|column| start[4 * at + column]) };
    let (mut a, mut b, mut c, mut d) = (row(0), row(1), row(2), row(3));
    for _ in 0..4 {
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        // The diagonals become columns, and back.
        (b, c, d) = (turned(b, 1), turned(c, 2), turned(d, 3));
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        (b, c, d) = (turned(b, 3), turned(c, 2), turned(d, 1));
    }
    let rows = [a, b, c, d];
    std::array::from_fn(|at| rows[at / 4][at % 4].wrapping_add(start[at]))
}

type Row = [u32; 4];

#[inline(always)]
fn quarter_rounds(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    for (left, right) in [(16, 12), (8, 7)] {
        *a = std::array::from_fn(|i| a[i].wrapping_add(b[i]));
        *d = std::array::from_fn(|i| (d[i] ^ a[i]).rotate_left(left));
        *c = std::array::from_fn(|i| c[i].wrapping_add(d[i]));
        *b = std::array::from_fn(|i| (b[i] ^ c[i]).rotate_left(right));
    }
}

#[inline(always)]
fn turned(row: Row, by: usize) -> Row {
    std::array::from_fn(|i| row[(i + by) % 4])
}

/// `-log2(word / 2^64)` in fixed point, by repeated squaring of the mantissa.
fn negative_log2(word: u64) -> u64 {
    assert!(word > 0, "zero has no logarithm");
    let zeros = word.leading_zeros();
    let mut mantissa = word << zeros;
    let mut log2 = 0;
    for _ in 0..LOG2_FRACTION_BITS {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let carry = u32::from(square >> 127 == 1);
        mantissa = u64::try_from(square >> (63 + carry)).expect("normalised to 64 bits");
        log2 = (log2 << 1) | u64::from(carry);
    }
    (u64::from(zeros + 1) << LOG2_FRACTION_BITS) - log2
}

/// "expand 32-byte k", as every ChaCha block begins.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
const WORDS: usize = 16;
const WORDS_PLAIN: usize = 8;
const LOG2_FRACTION_BITS: u32 = 32;
/// The natural logarithm of two, times 2^64.
const LN_2: u128 = 0xB172_17F7_D1CF_79AB;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const LANE_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
