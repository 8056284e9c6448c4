//! What a fault leaves in doubt.

use crate::{
    alteration::{Alteration, Flip},
    effect::{Effect, Status},
    host::ChildOp,
    rule::OpKind,
};
use std::ops::Range;

/// What is in doubt because of a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Harm {
    /// Bytes of the medium, until they are written.
    pub(crate) medium: Vec<Range<u64>>,
    /// Bytes of the medium, for good.
    pub(crate) lasting: Vec<Range<u64>>,
    /// What the request that asked is answered.
    pub(crate) reply: Reply,
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
    /// The harm that `own` does, which a rule makes of `op`.
    pub(crate) fn of(own: &Effect, op: &ChildOp) -> Self {
        let mut harm = Self::default();
        match own.status {
            Some(Status::Never) => harm.fatal = true,
            Some(Status::Error(_)) => harm.reply = Reply::Failing,
            None => {}
        }
        if let Some(applied) = &own.applied {
            harm.held_back(op, applied);
        }
        for alteration in &own.alterations {
            harm.add(alteration, op);
        }
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
        harm.fatal |= op.kind == OpKind::Length && harm.reply != Reply::Sound;
        harm
    }

    /// Whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// All bytes of the medium that are in doubt.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = &Range<u64>> {
        self.medium.iter().chain(&self.lasting)
    }

    fn held_back(&mut self, op: &ChildOp, applied: &[Range<u64>]) {
        let mut start = op.offset;
        for piece in applied {
            self.doubt(start..piece.start);
            start = piece.end;
        }
        self.doubt(start..op.range().end);
    }

    fn add(&mut self, alteration: &Alteration, op: &ChildOp) {
        let is_write = matches!(op.kind, OpKind::Write | OpKind::WriteZeroes);
        match alteration {
            Alteration::Flip(flips) if is_write => self.medium.extend(bytes(flips)),
            Alteration::Misdirect { range, to } if is_write => {
                self.doubt(range.clone());
                self.doubt(*to..*to + (range.end - range.start));
            }
            Alteration::Flip(_)
            | Alteration::Misdirect { .. }
            | Alteration::Stale { .. }
            | Alteration::Zero { .. }
            | Alteration::Length { .. }
            | Alteration::Kind(_) => self.reply = Reply::Wrong,
            Alteration::Rot { flips, heal } => {
                let to = match heal {
                    crate::fault::Heal::Overwrite => &mut self.medium,
                    crate::fault::Heal::Never => &mut self.lasting,
                };
                to.extend(bytes(flips));
                self.reply = Reply::Wrong;
            }
            Alteration::Short { .. } => self.reply = self.reply.max(Reply::Failing),
        }
    }

    fn doubt(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.medium.push(range);
        }
    }
}

fn bytes(flips: &[Flip]) -> impl Iterator<Item = Range<u64>> {
    flips.iter().map(|flip| flip.at..flip.at + 1)
}
