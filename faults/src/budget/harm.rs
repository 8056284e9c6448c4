//! What a fault leaves in doubt.

use crate::{
    alteration::{Alteration, Flip, Run},
    effect::{Effect, Status},
    fault::{Dirty, Heal},
    host::ChildOp,
    rule::OpKind,
};
use std::{ops::Range, time::Duration};

/// What is in doubt because of a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Harm {
    /// Bytes of the medium, until they are written.
    pub(crate) medium: Vec<Range<u64>>,
    /// Bytes of the medium, until their sectors are written whole.
    pub(crate) sectors: Vec<Range<u64>>,
    /// Bytes of the medium, for good.
    pub(crate) lasting: Vec<Range<u64>>,
    /// What the request that asked is answered.
    pub(crate) reply: Reply,
    /// Bytes that fail whatever is read with them.
    pub(crate) is_unreadable: bool,
    /// The child may fail whatever it is asked, for so long, and what it is asked now.
    pub(crate) out: Option<Duration>,
    /// Nothing can bear it: the request, or the array, does not survive a single such child.
    pub(crate) fatal: bool,
}

/// What the request that asked is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    #[default]
    Sound,
    /// An error.
    Failing,
    /// Something that is not so.
    Wrong,
}

impl Harm {
    /// The harm that `own` does, which a rule makes of an operation, or which strikes by itself.
    pub(crate) fn of(own: &Effect, op: Option<&ChildOp>) -> Self {
        let mut harm = Self::default();
        match own.status {
            Some(Status::Never) => harm.fatal = true,
            Some(Status::Error(_)) => harm.reply = Reply::Failing,
            None => {}
        }
        if let (Some(op), Some(applied)) = (op, &own.applied) {
            harm.held_back(op, applied);
        }
        for alteration in &own.alterations {
            harm.add(alteration, op.map(|op| op.kind));
        }
        let Some(op) = op else { return harm };
        // Only data are voted on. Who asks for zeroes and hears that there are none writes them, and a
        // status that cannot be had is data.
        let is_harmless = match op.kind {
            OpKind::BlockStatus => harm.reply != Reply::Wrong,
            OpKind::WriteZeroes => own.is_unsupported() && !op.flags.no_fallback,
            _ => false,
        };
        if is_harmless {
            harm.reply = Reply::Sound;
            harm.medium.clear();
        }
        let is_single = matches!(op.kind, OpKind::Length | OpKind::Open | OpKind::Close);
        harm.fatal |= is_single && harm.reply != Reply::Sound;
        harm
    }

    /// Of an operation that is not even begun, or is cut off.
    pub(crate) fn of_failed(op: &ChildOp) -> Self {
        let medium = if is_change(op.kind) { vec![op.range()] } else { Vec::new() };
        Self { medium, reply: Reply::Failing, ..Self::default() }
    }

    /// Whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// All bytes of the medium that are in doubt.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = &Range<u64>> {
        self.medium.iter().chain(&self.sectors).chain(&self.lasting)
    }

    fn held_back(&mut self, op: &ChildOp, applied: &[Range<u64>]) {
        let mut start = op.offset;
        for piece in applied {
            self.doubt(start..piece.start);
            start = piece.end;
        }
        self.doubt(start..op.range().end);
    }

    fn add(&mut self, alteration: &Alteration, kind: Option<OpKind>) {
        // What the medium shows from now on, a read that is under way shows already.
        let is_read = kind == Some(OpKind::Read);
        let is_write = kind.is_some_and(is_change);
        match alteration {
            Alteration::Flip(bits) | Alteration::Force { bits, .. } => {
                self.medium.extend(bytes(bits).filter(|_| is_write));
                self.wrong_if(!is_write);
            }
            Alteration::Rot { flips, heal } => {
                self.until(*heal).extend(bytes(flips));
                self.wrong_if(is_read);
            }
            Alteration::Stuck { bits, .. } => {
                self.lasting.extend(bytes(bits));
                self.wrong_if(is_read);
            }
            Alteration::Unreadable { range, heal, .. } => {
                let to = match heal {
                    Heal::Overwrite => &mut self.sectors,
                    Heal::Never => &mut self.lasting,
                };
                to.push(range.clone());
                self.is_unreadable = true;
                self.wrong_if(is_read);
            }
            Alteration::Ghost { range, heal, .. } => {
                self.until(*heal).push(range.clone());
                self.wrong_if(is_read);
            }
            Alteration::Misdirect { range, to } => {
                if is_write {
                    self.doubt(range.clone());
                    self.doubt(*to..*to + (range.end - range.start));
                }
                self.wrong_if(!is_write);
            }
            Alteration::Replay(runs) => self.doubt_runs(runs),
            Alteration::Widen(range) => self.doubt(range.clone()),
            Alteration::Rollback { ranges, .. } => self.medium.extend(ranges.iter().cloned()),
            Alteration::Flush { dirty, errno, left, .. } => {
                if errno.is_some() {
                    self.reply = self.reply.max(Reply::Failing);
                }
                match dirty {
                    Dirty::Revert => self.doubt_runs(left),
                    Dirty::Latch | Dirty::Eject | Dirty::Deferred => self.out = Some(Duration::MAX),
                    // What is not durable is in doubt when it is lost, and not before.
                    Dirty::Retain | Dirty::MarkClean | Dirty::Lie => {}
                }
            }
            Alteration::Crash { kept, lost, down, .. } => {
                self.doubt_runs(kept);
                self.doubt_runs(lost);
                self.out = self.out.max(Some(*down));
            }
            Alteration::ReadOnly => self.out = Some(Duration::MAX),
            Alteration::Short { .. } => self.reply = self.reply.max(Reply::Failing),
            Alteration::Stale { .. }
            | Alteration::Fill { .. }
            | Alteration::Length { .. }
            | Alteration::Kind(_)
            | Alteration::Extent { .. } => self.wrong_if(true),
            Alteration::Volatile => {}
        }
    }

    fn wrong_if(&mut self, is_wrong: bool) {
        if is_wrong {
            self.reply = Reply::Wrong;
        }
    }

    /// What is in doubt until that heals it.
    fn until(&mut self, heal: Heal) -> &mut Vec<Range<u64>> {
        match heal {
            Heal::Overwrite => &mut self.medium,
            Heal::Never => &mut self.lasting,
        }
    }

    fn doubt_runs(&mut self, runs: &[Run]) {
        self.medium.extend(runs.iter().map(|run| run.range.clone()));
    }

    fn doubt(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.medium.push(range);
        }
    }
}

/// Whether operations of this kind change the medium.
fn is_change(kind: OpKind) -> bool {
    matches!(kind, OpKind::Write | OpKind::WriteZeroes | OpKind::Discard)
}

fn bytes(flips: &[Flip]) -> impl Iterator<Item = Range<u64>> {
    flips.iter().map(|flip| flip.at..flip.at + 1)
}
