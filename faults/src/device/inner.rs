//! The operations of a faulty child: decided, waited for, applied, answered.

use super::{
    Inner,
    landing::{invert, landings, pieces},
};
use crate::{
    alteration::Alteration,
    effect::Effect,
    host::{ChildOp, Reply},
    medium::{Piece, paste, to_u64, to_usize},
    rule::OpKind,
};
use bytes::Bytes;
use quorate_engine::{Extent, Flags, Prealloc, Result};
use std::{
    future::{self, Future},
    iter,
    ops::Range,
    sync::atomic::Ordering,
};

/// A request to the device and its arguments.
struct Asked {
    kind: OpKind,
    range: Range<u64>,
    flags: Flags,
    data: Option<Bytes>,
}

impl Asked {
    fn plain(kind: OpKind, offset: u64, bytes: u64) -> Self {
        Self { kind, range: offset..offset + bytes, flags: Flags::NONE, data: None }
    }
}

impl Inner {
    /// Decides and announces an operation.
    async fn submit(&self, asked: Asked) -> (ChildOp, Effect) {
        let Asked { kind, range, flags, data } = asked;
        let op = ChildOp {
            child: self.child,
            ordinal: self.ordinal.fetch_add(1, Ordering::Relaxed) + 1,
            kind,
            offset: range.start,
            bytes: range.end - range.start,
            flags,
            data,
            origin: self.host.origin(kind),
        };
        self.host.submitted(&op);
        if let Some(effect) = self.frozen_effect() {
            return (op, effect);
        }
        // Asked before the rules count, so that a match is sure to have another place. Where that
        // takes a real device time, operations may be counted in another order.
        let length = match self.plan.asks_length(self.child, kind) {
            // A device that cannot tell its length has no other place to offer.
            true => self.medium.store().length().await.unwrap_or(0),
            false => 0,
        };
        let decision = self.plan.decide(&op, self.host.request(), length, || self.host.now());
        for firing in &decision.firings {
            self.host.fired(&op, firing);
        }
        for rule in &decision.spared {
            self.host.spared(&op, rule);
        }
        (op, decision.effect)
    }

    pub(super) async fn length(&self) -> Result<u64> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Length, 0, 0)).await;
        self.host.complete(&op, effect.delay()).await;
        let said = effect.alterations.iter().find_map(|alteration| match alteration {
            Alteration::Length { bytes } => Some(*bytes),
            _ => None,
        });
        let reply = match (effect.error(), said) {
            (Some(errno), _) => Err(errno),
            (None, Some(bytes)) => Ok(bytes),
            (None, None) => self.medium.store().length().await,
        };
        self.host.replied(&op, &Reply::Length(&reply));
        reply
    }

    pub(super) async fn block_status(&self, offset: u64, bytes: u64) -> Result<Extent> {
        let (op, effect) = self.submit(Asked::plain(OpKind::BlockStatus, offset, bytes)).await;
        self.host.complete(&op, effect.delay()).await;
        let mut reply = match effect.error() {
            Some(errno) => Err(errno),
            None => self.medium.store().block_status(offset, bytes).await,
        };
        for alteration in &effect.alterations {
            if let (Alteration::Kind(kind), Ok(extent)) = (alteration, &mut reply) {
                extent.kind = *kind;
            }
        }
        self.host.replied(&op, &Reply::Status(&reply));
        reply
    }

    pub(super) async fn flush(&self) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Flush, 0, 0)).await;
        let is_applied = effect.applied.is_none();
        let reply = self.apply(&op, &effect, async {
            if is_applied { self.medium.store().flush().await } else { Ok(()) }
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Read, offset, to_u64(bytes))).await;
        let reply = match self.apply(&op, &effect, future::ready(Ok(()))).await {
            Err(errno) => Err(errno),
            Ok(()) if effect.alterations.is_empty() => self.medium.read(offset, bytes).await,
            Ok(()) => self.read_altered(&op, &effect).await,
        };
        self.host.replied(&op, &Reply::Data(&reply));
        reply
    }

    async fn read_altered(&self, op: &ChildOp, effect: &Effect) -> Result<Bytes> {
        let mut data = self.medium.read(op.offset, to_usize(op.bytes)).await?.to_vec();
        let mut bytes_max = data.len();
        for alteration in &effect.alterations {
            match alteration {
                Alteration::Flip(flips) => invert(&mut data, op.offset, flips),
                Alteration::Misdirect { range, to } => {
                    let bytes = to_usize(range.end - range.start);
                    let other = self.medium.read(*to, bytes).await?;
                    paste(&mut data, op.offset, range.start, &other);
                }
                Alteration::Stale { range, versions } => {
                    let old = self.medium.read_back(range, *versions).await?;
                    paste(&mut data, op.offset, range.start, &old);
                }
                Alteration::Zero { range } => {
                    let zeroes = vec![0; to_usize(range.end - range.start)];
                    paste(&mut data, op.offset, range.start, &zeroes);
                }
                Alteration::Short { bytes } => bytes_max = bytes_max.min(to_usize(*bytes)),
                Alteration::Rot { .. } | Alteration::Length { .. } | Alteration::Kind(_) => {}
            }
        }
        data.truncate(bytes_max);
        Ok(data.into())
    }

    pub(super) async fn write(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
        let range = offset..offset + to_u64(data.len());
        let asked = Asked { kind: OpKind::Write, range, flags, data: Some(data.clone()) };
        let (op, effect) = self.submit(asked).await;
        let reply = self.apply(&op, &effect, async {
            match effect.is_clean() {
                true => self.medium.write(iter::once(Piece { offset, data }), flags).await,
                false => self.medium.write(pieces(&op, &data, &effect), flags).await,
            }
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
        let asked = Asked { flags, ..Asked::plain(OpKind::WriteZeroes, offset, bytes) };
        let (op, effect) = self.submit(asked).await;
        let reply = self.apply(&op, &effect, async {
            let ranges = landings(&op, &effect).into_iter().map(|landing| landing.to()).collect();
            self.medium.write_zeroes(ranges, flags).await
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn discard(&self, offset: u64, bytes: u64) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Discard, offset, bytes)).await;
        let reply = self.apply(&op, &effect, async {
            let ranges = landings(&op, &effect).into_iter().map(|landing| landing.to()).collect();
            self.medium.discard(ranges).await
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn truncate(&self, bytes: u64, prealloc: Prealloc) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Truncate, 0, bytes)).await;
        let is_applied = effect.applied.is_none();
        let reply = self.apply(&op, &effect, async {
            match is_applied {
                true => self.medium.store().truncate(bytes, prealloc).await,
                false => Ok(()),
            }
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    /// The device is opened, or closed: nothing but an answer.
    pub(super) async fn open(&self) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Open, 0, 0)).await;
        let reply = self.apply(&op, &effect, future::ready(Ok(()))).await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn close(&self) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Close, 0, 0)).await;
        // A device is closed whatever it answers, unless it never does.
        let reply = self.apply(&op, &effect, self.medium.store().close()).await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    /// Waits for the device and changes it, or the other way round where the wait has no end.
    async fn apply(
        &self,
        op: &ChildOp,
        effect: &Effect,
        change: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let done = if effect.is_endless() {
            let done = change.await;
            self.rot(effect);
            self.host.complete(op, effect.delay()).await;
            done
        } else {
            self.host.complete(op, effect.delay()).await;
            let done = change.await;
            self.rot(effect);
            done
        };
        let is_write = matches!(op.kind, OpKind::Write | OpKind::WriteZeroes);
        let is_clean = is_write && done.is_ok() && effect.is_clean();
        self.plan.took_place(op, is_clean.then(|| op.range()));
        effect.error().map_or(done, Err)
    }

    fn rot(&self, effect: &Effect) {
        for alteration in &effect.alterations {
            if let Alteration::Rot { flips, heal } = alteration {
                self.medium.rot(flips, *heal);
            }
        }
    }
}
