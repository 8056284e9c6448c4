//! What a fuzz was asked to run, so that nothing counts twice and nothing is forgotten.

use super::{Fuzz, Shard};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, num::NonZeroU64, ops::Range, str::FromStr};
use thiserror::Error;

/// What one fuzz was asked to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Which of them.
    pub shard: Shard,
    /// The names of the scenarios, in order: seed `s` is run on number `s` modulo their count.
    pub sources: Vec<String>,
}

impl Part {
    /// What this fuzz is asked to run.
    #[must_use]
    pub fn of(fuzz: &Fuzz) -> Self {
        let sources = fuzz.sources.iter().map(|source| source.name.clone()).collect();
        Self { seeds: fuzz.seeds.clone(), shard: fuzz.shard, sources }
    }

    /// A run of both, by its token.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<String> {
        let start = self.seeds.start.max(other.seeds.start);
        let end = self.seeds.end.min(other.seeds.end);
        let both = |name, own, others| Some((name, shared(own, others, start..end)?));
        let pairs = (0..).zip(&self.sources).flat_map(|(at, name)| {
            let others = (0..).zip(&other.sources).filter(move |(_, other)| *other == name);
            others.map(move |(other_at, _)| (name, self.class(at), other.class(other_at)))
        });
        let runs = pairs.filter_map(|(name, own, others)| both(name, own, others));
        runs.min_by_key(|(_, seed)| *seed).map(|(name, seed)| format!("{name}:{seed}"))
    }

    /// The seeds that run on the source of this number.
    fn class(&self, number: u64) -> Class {
        let sources = self.sources.len() as u128;
        let first = u128::from(self.shard.number - 1) * sources + u128::from(number);
        Class { first, period: sources * u128::from(self.shard.count.get()) }
    }

    /// Where it stands among others.
    pub(super) fn order(&self) -> (Whole<'_>, u64) {
        (self.whole(), self.shard.number)
    }

    /// What is the same for all shards of a fuzz.
    fn whole(&self) -> Whole<'_> {
        (self.seeds.start, self.seeds.end, self.shard.count, &self.sources)
    }
}

/// Seeds, how many shards, and the scenarios.
type Whole<'a> = (u64, u64, NonZeroU64, &'a [String]);

/// The shards that are not there of the fuzzes of which one is, in order.
#[must_use]
pub fn missing(parts: &[Part]) -> Vec<Shard> {
    let wholes: BTreeSet<_> = parts.iter().map(Part::whole).collect();
    let mut missing = Vec::new();
    for whole in wholes {
        let of_whole = parts.iter().filter(|part| part.whole() == whole);
        let there: BTreeSet<u64> = of_whole.map(|part| part.shard.number).collect();
        let count = whole.2;
        let numbers = (1..=count.get()).filter(|number| !there.contains(number));
        // Nobody reads further, and a count may be anything.
        missing.extend(numbers.take(MISSING_MAX).map(|number| Shard { number, count }));
    }
    missing
}

/// The seeds that leave one rest when divided.
#[derive(Clone, Copy)]
struct Class {
    first: u128,
    period: u128,
}

/// The first seed in the range that both classes have.
fn shared(one: Class, other: Class, seeds: Range<u64>) -> Option<u64> {
    let (coarse, fine) = if one.period < other.period { (other, one) } else { (one, other) };
    let start = u128::from(seeds.start);
    let skipped = start.saturating_sub(coarse.first).div_ceil(coarse.period);
    let mut seed = coarse.first + skipped * coarse.period;
    // After so many steps the rests of the finer class come round again.
    for _ in 0..fine.period {
        if seed >= u128::from(seeds.end) {
            return None;
        }
        if seed % fine.period == fine.first {
            return u64::try_from(seed).ok();
        }
        seed += coarse.period;
    }
    None
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seeds {}..{}", self.seeds.start, self.seeds.end)?;
        if self.shard.count.get() > 1 {
            write!(f, ", shard {}", self.shard)?;
        }
        match self.sources.as_slice() {
            [one] => write!(f, ", of {one}"),
            many => write!(f, ", of {} scenarios", many.len()),
        }
    }
}

/// The text is no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a shard is one of several parts: write 1/4, 2/4, 3/4 or 4/4")]
pub struct ParseShardError;

impl FromStr for Shard {
    type Err = ParseShardError;

    fn from_str(text: &str) -> Result<Self, ParseShardError> {
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<NonZeroU64>().ok()).flatten()
        };
        let (part, count) = text.split_once('/').ok_or(ParseShardError)?;
        let part = number(part).ok_or(ParseShardError)?;
        let count = number(count).filter(|count| part <= *count).ok_or(ParseShardError)?;
        Ok(Self { number: part.get(), count })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl TryFrom<String> for Shard {
    type Error = ParseShardError;

    fn try_from(text: String) -> Result<Self, ParseShardError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// How many missing shards of one fuzz are named.
const MISSING_MAX: usize = 8;
