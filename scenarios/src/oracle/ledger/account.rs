//! What was done to the array, and what became of it: nothing that was injected may get lost.

use super::super::case::Case;
use quorate_reports::{Violation, What, summary::Summary};

/// Something that was done to the array.
pub(super) struct Cause {
    /// The entry that says so; none for what was so from the start.
    pub(super) entry: Option<usize>,
    pub(super) child: u32,
    pub(super) kind: CauseKind,
    ends: u16,
    /// Whether it made an answer wrong, and the child was not reported though it had to be.
    missed: bool,
}

/// What it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CauseKind {
    /// A rule fired.
    Rule,
    /// A step damaged the medium.
    Step,
    /// The disk held other bytes than most from the start.
    Fill,
    /// The disk joined later, with whatever it held.
    Join,
    /// The array did it: requests raced, or a repair was wrong. Nobody injected that.
    Array,
}

/// What can become of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The child was reported for it.
    Reported,
    /// A repair replaced what it had spoilt.
    Repaired,
    /// A later write did.
    Overwritten,
    /// A power cut or a crash took it away with the rest.
    CrashedAway,
    /// It had a part in an answer, outside of what is promised.
    Served,
    /// The answer was only later, and was waited for.
    Waited,
    /// Whoever would have met it had gone.
    GivenUp,
    /// What it spoilt is there, and nobody has voted on it.
    Latent,
    /// It changed nothing: the bytes were the same.
    Harmless,
}

impl End {
    /// All of them, the most telling first.
    const ALL: [Self; 9] = [
        Self::Reported,
        Self::Repaired,
        Self::Overwritten,
        Self::CrashedAway,
        Self::Served,
        Self::Waited,
        Self::GivenUp,
        Self::Latent,
        Self::Harmless,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Repaired => "repaired",
            Self::Overwritten => "overwritten",
            Self::CrashedAway => "crashed-away",
            Self::Served => "served",
            Self::Waited => "waited-for",
            Self::GivenUp => "given-up",
            Self::Latent => "latent-unread",
            Self::Harmless => "harmless",
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// All that was done to the array in one run.
#[derive(Default)]
pub(super) struct Account {
    pub(super) causes: Vec<Cause>,
}

impl Account {
    /// Notes something; returns its place.
    pub(super) fn open(&mut self, kind: CauseKind, child: u32, entry: Option<usize>) -> usize {
        self.causes.push(Cause { entry, child, kind, ends: 0, missed: false });
        self.causes.len() - 1
    }

    pub(super) fn end(&mut self, cause: usize, end: End) {
        self.causes[cause].ends |= end.bit();
    }

    /// Somebody had to be reported for it, and was not.
    pub(super) fn miss(&mut self, cause: usize) {
        self.causes[cause].missed = true;
    }
}

impl Cause {
    pub(super) fn ended(&self) -> Option<End> {
        let all = End::ALL.into_iter();
        all.filter(|_| !self.missed).find(|end| self.ends & end.bit() != 0)
    }

    fn is_injected(&self) -> bool {
        self.kind != CauseKind::Array
    }
}

pub(in crate::oracle) fn conservation(case: &Case<'_>, violations: &mut Vec<Violation>) {
    for cause in case.ledger.account.causes.iter().filter(|cause| cause.is_injected()) {
        if cause.ended().is_some() {
            continue;
        }
        let what = match cause.entry.map(|at| &case.entries()[at].what) {
            Some(What::Injected { firing, .. }) => {
                format!("the fault '{}' of the rule '{}'", firing.fault, firing.rule)
            }
            Some(What::Control(words)) => format!("'{words}'"),
            _ => "what the disk held at first".into(),
        };
        let reason = format!(
            "Nobody knows what became of {what} on c{}: it was not reported, repaired or \
             overwritten, and is not there any more either.",
            cause.child
        );
        violations.push(Case::violation("conservation", None, cause.entry, reason));
    }
}

/// Counts what became of the faults.
pub(in crate::oracle) fn count(case: &Case<'_>, summary: &mut Summary) {
    let injected = case.ledger.account.causes.iter().filter(|cause| cause.is_injected());
    for end in injected.filter_map(Cause::ended) {
        match summary.ends.get_mut(end.word()) {
            Some(count) => *count += 1,
            None => drop(summary.ends.insert(end.word().into(), 1)),
        }
    }
}
