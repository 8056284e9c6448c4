//! What fails, and how: what two runs have in common that fail in the same way.

use crate::model::{Action, Request, Scenario};
use quorate_faults::{device::Frozen, fault::Fault};
use quorate_reports::{Run, Verdict, Violation, card};
use std::collections::BTreeSet;

/// What fails in a run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The verdict.
    pub verdict: Verdict,
    /// What the failure is filed under: the first check that fails, or the verdict.
    pub check: String,
    /// The kind of the request that shows it, if it is one that does.
    kind: Option<Kind>,
    /// What was said, as far as it tells one failure from another.
    words: String,
    /// The claims of the file that fail, whether first or not.
    claims: BTreeSet<&'static str>,
}

/// Kinds of requests that go different ways through an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Flush,
    Other,
}

impl Property {
    /// What fails in this run of the scenario; nothing, if it holds.
    pub(super) fn of(scenario: &Scenario, run: &Run) -> Option<Self> {
        if run.verdict == Verdict::Held {
            return None;
        }
        let check = card::class(run);
        let first = run.violations.iter().filter(|found| found.check == check);
        let first = first.min_by_key(|found| found.entry.unwrap_or(usize::MAX));
        let failed = run.violations.iter().map(|found| found.check);
        Some(Self {
            verdict: run.verdict,
            check: check.into(),
            kind: first.and_then(|found| kind(scenario, found)),
            words: first.map(|found| words(run.verdict, found)).unwrap_or_default(),
            claims: failed.filter(|check| CLAIMS.contains(check)).collect(),
        })
    }

    /// Whether a failure is this one: nothing else fails first, and no claim fails that did not before.
    pub(super) fn is_shown_by(&self, other: &Self) -> bool {
        other.verdict == self.verdict
            && other.check == self.check
            && other.kind == self.kind
            && other.words == self.words
            && other.claims.is_subset(&self.claims)
    }

    /// Whether it is the file that says what must be, rather than a law: then it must go on to have
    /// reason to say so.
    pub(super) fn is_claim(&self) -> bool {
        self.check != QUIESCENCE && CLAIMS.contains(&self.check.as_str())
    }

    /// Whether a scenario gives the array a chance: of one that stalls, nothing else may be the reason;
    /// and what is claimed of disks that were healed stays as it is.
    pub(super) fn is_fair_in(&self, first: &Scenario, scenario: &Scenario) -> bool {
        if self.is_claim() {
            return healed(first).eq(healed(scenario));
        }
        if self.verdict != Verdict::Stalled {
            return true;
        }
        // What is held back is released by a step, or waits for another.
        let steps = |scenario: &Scenario| scenario.scripts().flatten().count();
        let is_held = scenario.scripts().flatten().any(holds_back);
        (!is_held || steps(scenario) == steps(first))
            && (scenario.expect.stall == first.expect.stall || !hangs(scenario))
    }
}

/// Whether a step is about what disks keep back.
pub(super) fn holds_back(action: &Action) -> bool {
    matches!(action, Action::Hold(_) | Action::Release { .. } | Action::Order(_))
}

/// How many steps each client has from where it heals disks on.
fn healed(scenario: &Scenario) -> impl Iterator<Item = usize> {
    let from = |steps: &[Action]| {
        let at = steps.iter().position(|action| matches!(action, Action::Heal { .. }));
        at.map(|at| steps.len() - at)
    };
    scenario.scripts().filter_map(from)
}

/// Whether disks may go without answering.
fn hangs(scenario: &Scenario) -> bool {
    let freezes = |action| matches!(action, &Action::Freeze { how: Frozen::Hung, .. });
    scenario.rules.iter().any(|rule| matches!(rule.r#do, Fault::Hang { .. }))
        || scenario.scripts().flatten().any(freezes)
}

fn kind(scenario: &Scenario, found: &Violation) -> Option<Kind> {
    let request = found.request?;
    let steps = scenario.scripts().nth(usize::from(request.client))?;
    let Action::Request { request, .. } = steps.get(request.step as usize)? else { return None };
    Some(match request {
        Request::Read { .. } => Kind::Read,
        Request::Write { .. } | Request::WriteZeroes { .. } => Kind::Write,
        Request::Flush | Request::Close => Kind::Flush,
        _ => Kind::Other,
    })
}

/// The words of a failure without its numbers, where a check alone does not say what failed.
fn words(verdict: Verdict, found: &Violation) -> String {
    let is_told = matches!(verdict, Verdict::Panicked | Verdict::Internal);
    if !is_told && found.check != "expectations" {
        return String::new();
    }
    // Of a panic the place counts, of which file and line are numbers, too.
    let (said, place) = match found.reason.rsplit_once(", at ") {
        Some((said, place)) if is_told => (said, place),
        _ => (found.reason.as_str(), ""),
    };
    let mut words: Vec<String> = said.split(' ').map(without_numbers).collect();
    words.push(place.into());
    words.join(" ")
}

/// Bytes stay, as `0x41`: they are what was found. Other numbers say where.
fn without_numbers(word: &str) -> String {
    if word.starts_with("0x") {
        return word.into();
    }
    let mut without = String::new();
    for c in word.chars() {
        match c {
            '0'..='9' if without.ends_with('#') => {}
            '0'..='9' => without.push('#'),
            c => without.push(c),
        }
    }
    without
}

/// Checks of what a scenario says of itself, which may be said without reason; all others are laws.
const CLAIMS: [&str; 4] = ["expectations", "promise", "idle rule", QUIESCENCE];
const QUIESCENCE: &str = "quiescence";
