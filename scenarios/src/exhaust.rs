//! Every vote that a few children can have, put to the engine itself, and a certificate of it.
//!
//! *One request*: for every number of children and every threshold, every way in which the children can
//! answer, up to the names of contents and errors, in every order. The [specification](crate::spec::request)
//! tells what must happen, step by step; the engine is polled by hand, over children that answer as told, and
//! has to do the same: ask the same of the same children, report the same events at the same time, and
//! answer the same, no sooner and no later.
//!
//! *Requests at once* on three children, see [`together`]: every moment for the second of two, every order.
//!
//! Nothing of this is drawn, and nothing depends on the clock or on threads. The certificate is a SHA-256
//! of all that happened, in text: who prints the same has an engine that does the same.

use crate::runner::Engine;
use clap::ValueEnum;
use quorate_engine::quorum::options::Overlap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, str::FromStr, sync::atomic::AtomicBool};
use thiserror::Error;

mod bed;
mod choices;
mod classes;
mod difference;
mod hand;
mod journal;
mod single;
mod tally;
mod task;
pub mod together;
mod work;

pub use difference::Difference;

use tally::Hash;
use together::Example;

/// The most children of which every vote can be gone through: seven have fifteen billion
/// reads with repairs.
pub const CHILDREN_MAX: usize = 6;

/// What is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A read that is voted on.
    Read,
    /// A read from one child after the other.
    ReadFifo,
    /// A read after which children that lost the vote are overwritten.
    ReadRepair,
    /// A read of two children that are compared.
    ReadVerify,
    /// A write.
    Write,
    /// A write that is flushed; up to 4 children.
    WriteFua,
    /// Zeroes, which some children may not support; up to 3 children.
    WriteZeroes,
    /// A flush.
    Flush,
    /// Two requests at once that take turns, 3 children.
    PairsSerialise,
    /// Two requests at once that race, 3 children.
    PairsQemu,
    /// A write and two repairing reads at once that take turns, 3 children.
    TrioSerialise,
    /// A write and two repairing reads at once that race, 3 children.
    TrioQemu,
}

impl Subject {
    /// Every one, in the order of the certificate.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// As the command line names it.
    #[must_use]
    pub fn word(self) -> String {
        let value = self.to_possible_value().expect("none is left out");
        value.get_name().into()
    }

    /// How many children it takes at least.
    #[must_use]
    pub fn children_min(self) -> usize {
        match self {
            Self::ReadVerify => 2,
            _ if self.overlap().is_some() => together::CHILDREN,
            _ => 1,
        }
    }

    /// Whether requests race or take turns, if there are several.
    fn overlap(self) -> Option<Overlap> {
        match self {
            Self::PairsSerialise | Self::TrioSerialise => Some(Overlap::Serialise),
            Self::PairsQemu | Self::TrioQemu => Some(Overlap::Qemu),
            _ => None,
        }
    }

    fn units(self, children: usize) -> Vec<Unit> {
        let units = match (self, self.overlap()) {
            (_, None) => {
                return single::units(self, children).into_iter().map(Unit::Single).collect();
            }
            (_, Some(_)) if children != together::CHILDREN => Vec::new(),
            (Self::TrioSerialise | Self::TrioQemu, Some(overlap)) => together::trio(overlap),
            (_, Some(overlap)) => together::pairs(overlap),
        };
        units.into_iter().map(Unit::Together).collect()
    }
}

/// What to go through, and how.
pub struct Exhaust<'a> {
    /// The most children.
    pub children: usize,
    /// Of what.
    pub subjects: Vec<Subject>,
    /// On how many threads.
    pub jobs: usize,
    /// Whose array it is; our own engine's, if not given.
    pub engine: Option<&'a dyn Engine>,
}

/// All was as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    /// The most children.
    pub children: usize,
    /// What was gone through.
    pub rows: Vec<Row>,
    /// What comes of requests at once where they take turns.
    pub serialise: Vec<together::Row>,
    /// What comes of requests at once where they race.
    pub qemu: Vec<together::Row>,
    /// The shortest ways to come to harm, the worst first, without repairs and with them.
    pub examples: Vec<Example>,
    /// A hash of all that happened.
    pub certificate: Certificate,
}

/// A subject with so many children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// What was gone through.
    pub subject: Subject,
    /// How many children there were.
    pub children: usize,
    /// How many cases there are.
    pub cases: u64,
    /// A hash of all that happened in them.
    pub certificate: Certificate,
}

/// A SHA-256; as text 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate(pub [u8; 32]);

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unproved {
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The first case in which the array does not do what it must.
    #[error("{0}")]
    Differs(Box<Difference>),
}

/// Goes through all of it; `progressed` hears how many of how many parts are done.
///
/// # Errors
/// The first case in which the array does not do what it must, whatever the number of jobs; or somebody
/// asked to stop.
///
/// # Panics
/// If there are to be more than [`CHILDREN_MAX`] children.
pub fn run(
    exhaust: &Exhaust<'_>,
    stop: &AtomicBool,
    mut progressed: impl FnMut(usize, usize),
) -> Result<Proof, Unproved> {
    assert!(exhaust.children <= CHILDREN_MAX, "nobody waits for so many cases");
    let mut parts: Vec<(Subject, usize, Unit)> = Vec::new();
    for &subject in Subject::all().iter().filter(|subject| exhaust.subjects.contains(subject)) {
        for children in 1..=exhaust.children {
            parts.extend(subject.units(children).into_iter().map(|unit| (subject, children, unit)));
        }
    }
    let total = parts.len();
    let run = |(_, _, unit): &(Subject, usize, Unit)| unit.run(exhaust.engine, stop);
    let done = work::all(&parts, exhaust.jobs, stop, run, |done| progressed(done, total));
    let done = done.map_err(|ended| match ended {
        work::Ended::Interrupted => Unproved::Interrupted,
        work::Ended::Failed(difference) => Unproved::Differs(difference),
    })?;
    Ok(sum_up(exhaust.children, &parts, done))
}

/// A part that one thread goes through.
enum Unit {
    Single(single::Unit),
    Together(together::Unit),
}

/// What came of a unit.
struct Done {
    cases: u64,
    hash: Hash,
    harm: together::Harm,
}

impl Unit {
    fn run(&self, engine: Option<&dyn Engine>, stop: &AtomicBool) -> Result<Done, Box<Difference>> {
        let (cases, hash, harm) = match self {
            Self::Single(unit) => {
                let (cases, hash, ()) = unit.run(engine, stop)?.finish();
                (cases, hash, together::Harm::default())
            }
            Self::Together(unit) => unit.run(engine, stop)?.finish(),
        };
        Ok(Done { cases, hash, harm })
    }
}

fn sum_up(children: usize, parts: &[(Subject, usize, Unit)], done: Vec<Done>) -> Proof {
    let mut rows: Vec<(Row, Sha256)> = Vec::new();
    let (mut serialise, mut qemu) = (Vec::new(), Vec::new());
    let mut examples = BTreeMap::new();
    for ((subject, children, unit), done) in parts.iter().zip(done) {
        let same =
            |(row, _): &&mut (Row, Sha256)| (row.subject, row.children) == (*subject, *children);
        if rows.last_mut().filter(same).is_none() {
            let certificate = Certificate([0; 32]);
            let row = Row { subject: *subject, children: *children, cases: 0, certificate };
            rows.push((row, Sha256::new()));
        }
        let (row, hash) = rows.last_mut().expect("it is there by now");
        row.cases += done.cases;
        hash.update(done.hash);
        if let Unit::Together(unit) = unit {
            let turns = unit.overlap == Overlap::Serialise;
            let of = if turns { &mut serialise } else { &mut qemu };
            together::add(of, unit, done.cases, &done.harm);
            for example in done.harm.examples {
                together::keep_shorter(&mut examples, example);
            }
        }
    }
    let finished = rows.into_iter().map(|(row, hash)| {
        let certificate = Certificate(hash.finalize().into());
        Row { certificate, ..row }
    });
    let rows: Vec<Row> = finished.collect();
    let mut all = Sha256::new();
    for Row { subject, children, cases, certificate } in &rows {
        all.update(format!("{} {children} {cases} {certificate}\n", subject.word()));
    }
    let certificate = Certificate(all.finalize().into());
    Proof {
        children,
        rows,
        serialise,
        qemu,
        examples: examples.into_values().collect(),
        certificate,
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The text is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a certificate is 64 hexadecimal digits, as `quorate exhaust` prints it")]
pub struct ParseCertificateError;

impl FromStr for Certificate {
    type Err = ParseCertificateError;

    fn from_str(text: &str) -> Result<Self, ParseCertificateError> {
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
        let digits = digits.ok_or(ParseCertificateError)?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect();
        match digits.len() {
            64 => Ok(Self(bytes.try_into().expect("64 digits are 32 bytes"))),
            _ => Err(ParseCertificateError),
        }
    }
}
