//! What faults do to a child beside the answer to an operation.

use super::Inner;
use crate::{
    alteration::{Alteration, Run},
    crash,
    draw::Draw,
    fault::{Crash, Dirty},
    host::{ChildOp, Delay, Firing},
    inject::Decision,
    matching,
    medium::{Piece, to_usize},
    rule::OpKind,
    seen::{Needs, Seen},
    strike::Strike,
};
use bytes::Bytes;
use quorate_engine::Result;

impl Inner {
    /// What rules look at of the child.
    pub(super) async fn look(&self, needs: Needs) -> Seen {
        let mut seen = Seen::default();
        if needs.length {
            // A device that cannot tell its length has no other place to offer.
            seen.length = self.medium.store().length().await.unwrap_or(0);
        }
        if needs.volatile {
            seen.volatile = self.medium.volatile();
        }
        if needs.in_flight {
            for (&write, pieces) in &*self.troubles.in_flight() {
                let run = |piece: &Piece| Run { write, range: piece.range() };
                seen.volatile.in_flight.extend(pieces.iter().map(run));
            }
        }
        if needs.history {
            seen.replaced = self.medium.replaced();
            seen.written = self.medium.written();
        }
        seen
    }

    /// A rule strikes by itself.
    pub(super) async fn struck(&self, strike: &Strike) {
        if self.troubles.are_rules_over() {
            return;
        }
        let seen = self.look(self.plan.needs_of(strike.rule)).await;
        let decision = self.plan.decide_strike(strike, self.child, &seen);
        let Decision { effect, firings, spared } = decision;
        for firing in firings {
            self.host.struck(self.child, firing);
        }
        for rule in &spared {
            self.host.spared(self.child, 0, rule);
        }
        // Nobody waits for an answer that could say what a store had to say against it.
        let _ = self.strike_down(&effect.alterations).await;
        let _ = self.settle(&effect.alterations).await;
    }

    pub(super) async fn cut_power(
        &self,
        crash: &Crash,
        fails_in_flight: bool,
        draw: &Draw,
    ) -> Firing {
        let needs = Needs { volatile: true, in_flight: fails_in_flight, ..Needs::default() };
        let volatile = self.look(needs).await.volatile;
        let crash::Left { kept, lost, flips } = crash::left(&crash.keep, &volatile, draw);
        let until = self.host.now().saturating_add(crash.down);
        let in_flight = match fails_in_flight {
            true => self.troubles.crash(until, crash.errno),
            false => Vec::new(),
        };
        // What a store has to say against it nobody could be told.
        let _ = self.medium.crash(&kept, &flips, in_flight).await;
        let (down, errno) = (crash.down, crash.errno);
        let alterations = vec![Alteration::Crash { kept, lost, flips, down, errno }];
        Firing {
            rule: "cut-power".into(),
            fault: "crash",
            matched: 1,
            status: None,
            applied: None,
            delay: Delay::NONE,
            taint: matching::taint_of(&alterations),
            alterations,
            colluding: false,
            outside: false,
        }
    }

    /// What befalls the child at once, while the operation that sets it off is in flight.
    pub(super) async fn strike_down(&self, alterations: &[Alteration]) -> Result<()> {
        for alteration in alterations {
            match alteration {
                Alteration::Crash { kept, flips, down, errno, .. } => {
                    let until = self.host.now().saturating_add(*down);
                    let in_flight = self.troubles.crash(until, *errno);
                    self.medium.crash(kept, flips, in_flight).await?;
                }
                Alteration::Rollback { write, .. } => self.medium.roll_back(*write).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What stays behind once the operation has taken place.
    pub(super) async fn settle(&self, alterations: &[Alteration]) -> Result<()> {
        for alteration in alterations {
            match alteration {
                Alteration::Rot { flips, heal } => self.medium.rot(flips, *heal),
                Alteration::Stuck { bits, level } => self.medium.stick(bits, *level),
                Alteration::Unreadable { range, errno, heal } => {
                    self.medium.spoil(range, *errno, *heal);
                }
                Alteration::Ghost { range, view, heal } => {
                    self.medium.haunt(range, *view, *heal).await?;
                }
                Alteration::Replay(runs) => self.medium.replay(runs).await?,
                Alteration::Flush { dirty, errno, kept, left, .. } => {
                    self.medium.flush_part(kept, left, *dirty).await?;
                    self.troubles.change(|state| match dirty {
                        Dirty::Latch => state.latch = *errno,
                        Dirty::Eject => state.is_ejected = true,
                        Dirty::Deferred => state.deferred = *errno,
                        Dirty::Retain | Dirty::MarkClean | Dirty::Revert | Dirty::Lie => {}
                    });
                }
                Alteration::ReadOnly => self.troubles.change(|state| state.is_read_only = true),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes down what an operation is to write, where a crash may need it.
    pub(super) fn take_off(&self, op: &ChildOp) {
        if !self.medium.keeps_cache() || op.bytes == 0 {
            return;
        }
        let data = match (op.kind, &op.data) {
            (OpKind::Write, Some(data)) => data.clone(),
            (OpKind::WriteZeroes | OpKind::Discard, _) => Bytes::from(vec![0; to_usize(op.bytes)]),
            _ => return,
        };
        self.troubles.begin(op.ordinal, vec![Piece { offset: op.offset, data }]);
    }
}
