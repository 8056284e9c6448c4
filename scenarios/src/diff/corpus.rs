//! Cases with what the real QEMU made of them, as text: for whoever has no QEMU.
//!
//! A corpus is JSON Lines. The first line says which QEMU answered, and when; each of the others is a case: a
//! scenario that draws nothing, and QEMU's story, turn by turn.

use super::{
    Both, Known, NotCompared, case,
    story::Story,
    twin::{OverNbd, played},
};
use crate::{
    export,
    model::{Action, Expect, Scenario},
    runner::{Engine, Finished, Scratch},
};
use quorate_engine::Image;
use quorate_reports::Verdict;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use thiserror::Error;
use twox_hash::XxHash3_64;

/// Cases, and who answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// Who, and when.
    pub source: Source,
    /// The cases.
    pub cases: Vec<Recorded>,
}

/// Who answered, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The version of QEMU.
    pub qemu: String,
    /// The day.
    pub recorded: String,
}

/// A case, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The scenario.
    pub scenario: Scenario,
    /// Whether it ends where a verifier found a difference, as QEMU's process does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// What the array did: a line for each request to it and for each answer of a disk, with all that came of it.
    pub turns: Vec<String>,
    /// The digest of what each disk holds at the end.
    pub media: Vec<String>,
}

/// What of a corpus cannot be read.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// There is no first line.
    #[error(
        "a corpus begins with a line that says which QEMU answered, and when; this one is empty"
    )]
    Empty,
    /// A line is not what it should be.
    #[error("line {number} of the corpus is wrong: {error}; record it again")]
    Line {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
}

impl Corpus {
    /// Reads a corpus.
    ///
    /// # Errors
    /// A line is not what it should be.
    pub fn parse(text: &str) -> Result<Self, CorpusError> {
        let wrong = |number| move |error| CorpusError::Line { number, error };
        let mut lines = (1..).zip(text.lines());
        let (number, source) = lines.next().ok_or(CorpusError::Empty)?;
        let source = serde_json::from_str(source).map_err(wrong(number))?;
        let case = |(number, line)| serde_json::from_str(line).map_err(wrong(number));
        Ok(Self { source, cases: lines.map(case).collect::<Result<_, _>>()? })
    }
}

/// As it is read.
impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |value: serde_json::Result<String>| value.map_err(|_| fmt::Error);
        writeln!(f, "{}", json(serde_json::to_string(&self.source))?)?;
        self.cases.iter().try_for_each(|case| writeln!(f, "{}", json(serde_json::to_string(case))?))
    }
}

impl Recorded {
    /// What QEMU did, of a comparison at [`Pace::Ordered`](super::Pace::Ordered). Nothing, if that is known to be
    /// something else than what the engine does.
    #[must_use]
    pub fn of_qemu(both: &Both) -> Option<Self> {
        let ended = match both.known[..] {
            [] => false,
            [Known::EndsAtMismatch] => true,
            _ => return None,
        };
        Some(Self::of(&both.scenario, &both.theirs, ended))
    }

    /// What our engine makes of the same scenario, or another one.
    ///
    /// # Errors
    /// It goes wrong.
    pub fn again(
        &self,
        engine: Option<Arc<dyn Engine>>,
        scratch: &mut Scratch,
    ) -> Result<Self, NotCompared> {
        let run = played(&self.scenario, &OverNbd(engine), scratch)?;
        Ok(Self::of(&self.scenario, &run, self.ended))
    }

    fn of(scenario: &Scenario, run: &Finished, ended: bool) -> Self {
        let mut story = Story::of(run);
        if ended {
            story.until_mismatch();
        }
        Self {
            scenario: scenario.clone(),
            ended,
            turns: story.lines(),
            media: story.media().iter().map(digest).collect(),
        }
    }

    /// Where what came of it elsewhere differs from this.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let name = &self.scenario.name;
        let line = |lines: &[String], at: usize| {
            lines.get(at).cloned().unwrap_or_else(|| "nothing more".into())
        };
        let longest = self.turns.len().max(other.turns.len());
        if let Some(at) = (0..longest).find(|&at| self.turns.get(at) != other.turns.get(at)) {
            let (this, that) = (line(&self.turns, at), line(&other.turns, at));
            return Some(format!("{name}, turn {at}:\nrecorded: {this}\nnow: {that}"));
        }
        let (this, that) = (&self.media, &other.media);
        let disk = (0..this.len().max(that.len())).find(|&n| this.get(n) != that.get(n))?;
        Some(format!("{name}: c{disk} holds other bytes at the end"))
    }
}

/// The first requests of a concrete scenario, as one that draws nothing and can be compared.
///
/// # Errors
/// It cannot be compared, or cannot be run.
pub fn still(scenario: &Scenario, requests: usize) -> Result<Scenario, NotCompared> {
    let mut suited = case::suited(scenario).map_err(NotCompared::Unsuited)?;
    let mut left = requests;
    suited.steps.retain(|step| {
        let keeps = left > 0;
        left -= usize::from(keeps && matches!(step, Action::Request { .. }));
        keeps
    });
    let script = export::scripted(&suited, Some(&OverNbd(None)));
    let script =
        script.map_err(|error| NotCompared::Broken(Verdict::Internal, error.to_string()))?;
    // What is said of it is not compared.
    let (said, expect) = (String::new(), Expect::default());
    let (title, explain, drawn) = (said.clone(), said.clone(), said);
    Ok(Scenario { title, explain, drawn, covers: Vec::new(), expect, ..script })
}

/// What tells images apart, whichever of their zeroes take memory.
fn digest(image: &Image) -> String {
    let mut rolling = image.bytes();
    for (offset, page) in image.pages().filter(|(_, page)| page.iter().any(|byte| *byte != 0)) {
        let words = [rolling, offset, XxHash3_64::oneshot(page)];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        rolling = XxHash3_64::oneshot(&bytes);
    }
    format!("{rolling:016x}")
}
