//! A child whose operations go wrong as a plan says.

use crate::{
    alteration::{Alteration, Flip},
    effect::Effect,
    host::{ChildOp, Host, Reply},
    inject::Plan,
    medium::{Medium, Piece, paste, to_u64, to_usize},
    operation::Operation,
    rule::OpKind,
};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc, Result};
use std::{
    future::{self, Future},
    iter,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A plain device as a child of an array, with the faults of a plan.
///
/// An operation is decided and registered with the host when its future is first polled. It is
/// applied when the host lets the device answer, and answered then.
pub struct FaultyChild {
    inner: Arc<Inner>,
}

struct Inner {
    child: u32,
    medium: Medium,
    plan: Arc<Plan>,
    host: Arc<dyn Host>,
    ordinal: AtomicU64,
}

impl FaultyChild {
    /// The child of this index, over `store`.
    ///
    /// # Panics
    ///
    /// If the plan is for fewer children.
    #[must_use]
    pub fn new(
        child: u32,
        store: Arc<dyn BlockDevice>,
        plan: Arc<Plan>,
        host: Arc<dyn Host>,
    ) -> Self {
        assert!(child < plan.children_count(), "a plan knows each child of its array");
        let medium = Medium::new(store, plan.asks_history(child));
        Self { inner: Arc::new(Inner { child, medium, plan, host, ordinal: AtomicU64::new(0) }) }
    }

    /// What the medium shows of a range: no operation, no fault of a reply, nothing is counted.
    #[must_use]
    pub fn visible(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(self.inner.medium.read(offset, bytes))
    }

    fn operate<T, F>(&self, operation: impl FnOnce(Arc<Inner>) -> F) -> IoFuture<'_, T>
    where
        T: 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Box::pin(Operation::new(operation(self.inner.clone()), &*self.inner.host))
    }

    fn store(&self) -> &Arc<dyn BlockDevice> {
        self.inner.medium.store()
    }
}

impl BlockDevice for FaultyChild {
    fn limits(&self) -> Limits {
        self.store().limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.operate(|inner| async move { inner.length().await })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.operate(move |inner| async move { inner.read(offset, bytes).await })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.write(offset, data, flags).await })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.operate(move |inner| async move { inner.write_zeroes(offset, bytes, flags).await })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.store().pdiscard(offset, bytes)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.operate(|inner| async move { inner.flush().await })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.operate(move |inner| async move { inner.block_status(offset, bytes).await })
    }

    fn truncate(&self, bytes: u64, prealloc: Prealloc) -> IoFuture<'_, ()> {
        self.store().truncate(bytes, prealloc)
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.store().close()
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.store().invalidate()
    }
}

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

    async fn length(&self) -> Result<u64> {
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

    async fn block_status(&self, offset: u64, bytes: u64) -> Result<Extent> {
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

    async fn flush(&self) -> Result<()> {
        let (op, effect) = self.submit(Asked::plain(OpKind::Flush, 0, 0)).await;
        let is_applied = effect.applied.is_none();
        let reply = self.apply(&op, &effect, async {
            if is_applied { self.medium.store().flush().await } else { Ok(()) }
        });
        let reply = reply.await;
        self.host.replied(&op, &Reply::Done(&reply));
        reply
    }

    async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
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

    async fn write(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
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

    async fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
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

/// A part of a write and the place where it lands.
struct Landing {
    from: Range<u64>,
    at: u64,
}

impl Landing {
    fn to(&self) -> Range<u64> {
        self.at..self.at + (self.from.end - self.from.start)
    }
}

/// The parts of a write that take place: what its rules let through, each part in its place or, as
/// the first rule about it says, in another.
fn landings(op: &ChildOp, effect: &Effect) -> Vec<Landing> {
    let whole = vec![op.range()];
    let mut parts: Vec<_> = effect.applied.clone().unwrap_or(whole);
    let mut astray = Vec::new();
    for alteration in &effect.alterations {
        let Alteration::Misdirect { range, to } = alteration else { continue };
        let mut left = Vec::new();
        for part in parts {
            let inside = part.start.max(range.start)..part.end.min(range.end);
            if inside.is_empty() {
                left.push(part);
                continue;
            }
            let around = [part.start..inside.start, inside.end..part.end];
            left.extend(around.into_iter().filter(|piece| !piece.is_empty()));
            let at = to + (inside.start - range.start);
            astray.push(Landing { from: inside, at });
        }
        parts = left;
    }
    let in_place = parts.into_iter().map(|from| Landing { at: from.start, from });
    in_place.chain(astray).collect()
}

/// The parts of a write with their data, as altered on the way.
fn pieces(op: &ChildOp, data: &Bytes, effect: &Effect) -> Vec<Piece> {
    let mut altered = data.to_vec();
    for alteration in &effect.alterations {
        if let Alteration::Flip(flips) = alteration {
            invert(&mut altered, op.offset, flips);
        }
    }
    let altered = Bytes::from(altered);
    let piece = |Landing { from, at }: Landing| {
        let inside = to_usize(from.start - op.offset)..to_usize(from.end - op.offset);
        Piece { offset: at, data: altered.slice(inside) }
    };
    landings(op, effect).into_iter().map(piece).collect()
}

fn invert(data: &mut [u8], offset: u64, flips: &[Flip]) {
    for flip in flips {
        data[to_usize(flip.at - offset)] ^= flip.mask;
    }
}
