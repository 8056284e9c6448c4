//! The real QEMU as an engine of the runner: its children are the run's, its array is what clients ask.
//!
//! ```text
//!   runner ──pread──▶ Array ──NBD──▶ QEMU's export ─▶ its quorum ──NBD──▶ Hand ──pread──▶ the run's disks
//! ```
//!
//! Whoever polls a request has all of that go on until QEMU waits for a disk, and so does the run. What a
//! disk answers is handed on when the device queue lets the disk answer.

use super::hand::{Hand, reply};
use crate::{
    model::Scenario,
    runner::{Engine, Members, Opened, Opening, OpeningArray, Parts},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use quorate_engine::{
    BlockDevice, Errno, Extent, Flags, IoFuture, Limits, NodeName, Prealloc, Result as IoResult,
};
use quorate_qemu::{Reply, Request, Ticket};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

/// The real QEMU, for one run at a time.
#[derive(Clone)]
pub(super) struct Qemu(Arc<Mutex<Hand>>);

impl Qemu {
    pub(super) fn new(hand: Hand) -> Self {
        Self(Arc::new(Mutex::new(hand)))
    }

    pub(super) fn hand(&self) -> MutexGuard<'_, Hand> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Engine for Qemu {
    fn open(&self, scenario: &Scenario, parts: Parts) -> Opening {
        let opening = self.open_array(scenario, parts);
        Box::pin(async { Ok(opening.await?.device) })
    }

    fn open_array(&self, scenario: &Scenario, parts: Parts) -> OpeningArray {
        let (qemu, scenario) = (self.clone(), scenario.clone());
        Box::pin(async move {
            // As the engine asks them, so that their operations have the same numbers.
            let mut lengths = Vec::new();
            for (name, child) in &parts.children {
                let length = child.length().await;
                lengths.push(length.map_err(|errno| format!("{name} has no length: {errno}"))?);
            }
            let bytes = qemu.hand().open(&scenario, parts, &lengths)?;
            let array = Arc::new(Array { qemu, bytes });
            Ok(Opened { device: array.clone(), members: Some(array) })
        })
    }
}

/// The array that is open.
struct Array {
    qemu: Qemu,
    bytes: u64,
}

impl Drop for Array {
    fn drop(&mut self) {
        self.qemu.hand().close();
    }
}

impl Array {
    fn ask(&self, request: Request) -> Asking {
        Asking { qemu: self.qemu.clone(), request: Some(request), ticket: None }
    }

    fn tell(&self, request: Request) -> IoFuture<'_, ()> {
        let asking = self.ask(request);
        Box::pin(async { asking.await.map(|_| ()) })
    }
}

impl BlockDevice for Array {
    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(async { Ok(self.bytes) })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        let asking = self.ask(Request::Read { offset, bytes: short(bytes as u64) });
        Box::pin(async { asking.await.map(Bytes::from) })
    }

    fn pwrite(&self, offset: u64, data: Bytes, Flags { fua, .. }: Flags) -> IoFuture<'_, ()> {
        self.tell(Request::Write { offset, data: data.into(), fua })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        let Flags { fua, may_unmap, no_fallback } = flags;
        self.tell(Request::Zeroes { offset, bytes: short(bytes), fua, may_unmap, no_fallback })
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.tell(Request::Flush)
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.tell(Request::Discard { offset, bytes: short(bytes) })
    }

    fn block_status(&self, _: u64, _: u64) -> IoFuture<'_, Extent> {
        unasked()
    }

    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        unasked()
    }

    fn close(&self) -> IoFuture<'_, ()> {
        unasked()
    }
}

/// What a suited scenario does not ask.
fn unasked<'a, T: 'a>() -> IoFuture<'a, T> {
    Box::pin(async { Err(Errno::ENOTSUP) })
}

/// Requests are shorter than NBD's longest.
fn short(bytes: u64) -> u32 {
    u32::try_from(bytes).expect("a suited request is short")
}

impl Members for Array {
    fn add(
        &self,
        node_name: NodeName,
        device: Arc<dyn BlockDevice>,
    ) -> BoxFuture<'_, Result<NodeName, String>> {
        Box::pin(async move {
            let length = device.length().await;
            let length = length.map_err(|errno| format!("{node_name} has no length: {errno}"))?;
            self.qemu.hand().add(&node_name, device, length)
        })
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        self.qemu.hand().remove(name)
    }

    fn names(&self) -> Vec<(NodeName, NodeName)> {
        self.qemu.hand().names()
    }
}

/// A request to QEMU's array.
struct Asking {
    qemu: Qemu,
    /// Until it is sent.
    request: Option<Request>,
    /// From then on.
    ticket: Option<Ticket>,
}

impl Future for Asking {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let Self { qemu, request, ticket } = &mut *self;
        let mut hand = qemu.hand();
        if let Some(request) = request.take() {
            *ticket = hand.submit(&request);
        }
        let Some(ticket) = *ticket else { return Poll::Ready(Err(Errno::EIO)) };
        hand.go_on(ticket, cx.waker())
    }
}

/// What a child is asked, done by its device.
pub(super) fn done(device: Arc<dyn BlockDevice>, request: Request) -> IoFuture<'static, Vec<u8>> {
    Box::pin(async move {
        let done: IoResult<()> = match request {
            Request::Read { offset, bytes } => {
                let data = device.pread(offset, bytes as usize).await;
                // One that is too short is no answer, to the engine as well.
                let whole = data.map(Vec::from).and_then(|data| match data.len() {
                    length if length == bytes as usize => Ok(data),
                    _ => Err(Errno::EIO),
                });
                return reply(whole);
            }
            Request::Write { offset, data, fua } => {
                device.pwrite(offset, data.into(), Flags { fua, ..Flags::NONE }).await
            }
            Request::Zeroes { offset, bytes, fua, may_unmap, no_fallback } => {
                let flags = Flags { fua, may_unmap, no_fallback };
                device.pwrite_zeroes(offset, bytes.into(), flags).await
            }
            Request::Discard { offset, bytes } => device.pdiscard(offset, bytes.into()).await,
            Request::Flush => device.flush().await,
            Request::Status { offset, bytes } => {
                let extent = device.block_status(offset, bytes.into()).await;
                return reply(extent.map(|extent| quorate_qemu::status(&[extent])));
            }
        };
        reply(done.map(|()| Vec::new()))
    })
}
