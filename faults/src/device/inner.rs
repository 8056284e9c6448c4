//! The operations of a faulty child: decided, waited for, applied, answered.

use super::{
    Inner,
    landing::{distort, landings, pieces},
};
use crate::{
    alteration::Alteration,
    effect::{Effect, Status},
    host::{ChildOp, Reply},
    inject::Decision,
    medium::{Manner, Piece, paste, to_u64, to_usize},
    rule::OpKind,
    seen::Seen,
};
use bytes::Bytes;
use quorate_engine::{Extent, Flags, Prealloc, Result};
use std::{
    future::{self, Future},
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
        if let Some(effect) = self.troubles.effect(kind, || self.host.now()) {
            if !effect.is_clean() {
                self.plan.failed(&op, self.host.request(), self.host.now());
            }
            return (op, effect);
        }
        self.take_off(&op);
        // Looked at before the rules count, so that a match is sure to have what it is about. Where
        // that takes a real device time, operations may be counted in another order.
        let needs = self.plan.needs(self.child, kind);
        let seen = if needs.any() { self.look(needs).await } else { Seen::default() };
        let request = self.host.request();
        let decision = self.plan.decide(&op, request, &seen, || self.host.now());
        let Decision { mut effect, firings, spared } = decision;
        for firing in firings {
            self.host.fired(&op, firing);
        }
        for rule in &spared {
            self.host.spared(op.child, op.ordinal, rule);
        }
        effect.life = self.troubles.life();
        if let Err(errno) = self.strike_down(&effect.alterations).await {
            effect.status.get_or_insert(Status::Error(errno));
        }
        (op, effect)
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
            match (alteration, &mut reply) {
                (Alteration::Kind(kind), Ok(extent)) => extent.kind = *kind,
                (Alteration::Extent { bytes }, Ok(extent)) => extent.bytes = *bytes,
                _ => {}
            }
        }
        self.host.replied(&op, &Reply::Status(&reply));
        reply
    }

    pub(super) async fn flush(&self) -> Result<()> {
        let mark = self.medium.mark();
        let earlier = self.troubles.take_deferred();
        let (op, effect) = self.submit(Asked::plain(OpKind::Flush, 0, 0)).await;
        let is_applied = effect.applied.is_none();
        let reply = self.apply(&op, &effect, async {
            if is_applied { self.medium.flush(mark).await } else { Ok(()) }
        });
        let reply = reply.await.and(earlier.map_or(Ok(()), Err));
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Read, offset, to_u64(bytes))).await;
        let reply = match self.apply(&op, &effect, future::ready(Ok(()))).await {
            Err(errno) => Err(errno),
            Ok(()) => match self.medium.error(&op.range()) {
                Some(errno) => Err(errno),
                None if effect.alterations.is_empty() => self.medium.read(offset, bytes).await,
                None => self.read_altered(&op, &effect).await,
            },
        };
        self.host.replied(&op, &Reply::Data(&reply));
        reply
    }

    async fn read_altered(&self, op: &ChildOp, effect: &Effect) -> Result<Bytes> {
        let mut data = self.medium.read(op.offset, to_usize(op.bytes)).await?.to_vec();
        let mut bytes_max = data.len();
        for alteration in &effect.alterations {
            match alteration {
                Alteration::Misdirect { range, to } => {
                    let bytes = to_usize(range.end - range.start);
                    let other = self.medium.read(*to, bytes).await?;
                    paste(&mut data, op.offset, range.start, &other);
                }
                Alteration::Stale { range, versions } => {
                    let old = self.medium.read_back(range, *versions).await?;
                    paste(&mut data, op.offset, range.start, &old);
                }
                Alteration::Fill { range, byte } => {
                    let bytes = vec![*byte; to_usize(range.end - range.start)];
                    paste(&mut data, op.offset, range.start, &bytes);
                }
                Alteration::Short { bytes } => bytes_max = bytes_max.min(to_usize(*bytes)),
                _ => distort(&mut data, op.offset, alteration),
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
                true => self.medium.write([Piece { offset, data }], manner(&op, &effect)).await,
                false => self.medium.write(pieces(&op, &data, &effect), manner(&op, &effect)).await,
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
            self.medium.write_zeroes(ranges, manner(&op, &effect)).await
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    pub(super) async fn discard(&self, offset: u64, bytes: u64) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Discard, offset, bytes)).await;
        let reply = self.apply(&op, &effect, async {
            let mut ranges: Vec<Range<u64>> =
                landings(&op, &effect).into_iter().map(|landing| landing.to()).collect();
            let widened = effect.alterations.iter().filter_map(|alteration| match alteration {
                Alteration::Widen(range) => Some(range.clone()),
                _ => None,
            });
            ranges.extend(widened);
            self.medium.discard(ranges, manner(&op, &effect)).await
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
                true => self.medium.truncate(bytes, prealloc).await,
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
        let deferred = self.troubles.take_deferred();
        let (op, effect) = self.submit(Asked::plain(OpKind::Close, 0, 0)).await;
        // A device is closed whatever it answers, unless it never does.
        let reply = self.apply(&op, &effect, self.medium.store().close()).await;
        let reply = reply.and(deferred.map_or(Ok(()), Err));
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
        if !effect.is_endless() {
            self.host.complete(op, effect.delay()).await;
        }
        if let Some(errno) = self.troubles.cut_off(effect.life) {
            self.plan.failed(op, self.host.request(), self.host.now());
            self.plan.took_place(op, None);
            return Err(errno);
        }
        let done = change.await;
        let settled = self.settle(&effect.alterations).await;
        let is_write = matches!(op.kind, OpKind::Write | OpKind::WriteZeroes);
        let is_clean = is_write && done.is_ok() && effect.is_clean();
        self.plan.took_place(op, is_clean.then(|| op.range()));
        if self.medium.keeps_cache() {
            self.troubles.end(op.ordinal);
        }
        if effect.is_endless() {
            self.host.complete(op, effect.delay()).await;
        }
        effect.error().map_or(done.and(settled), Err)
    }
}

fn manner(op: &ChildOp, effect: &Effect) -> Manner {
    let is_volatile = effect.alterations.contains(&Alteration::Volatile);
    Manner { write: op.ordinal, flags: op.flags, is_volatile }
}
