//! The array: children that hold replicas, reads that are voted on, writes that are mirrored.
//!
//! What happens to one request, from the outside in:
//!
//! 1. [`Quorum`]'s own methods check the range, so that no child sees a request beyond the end;
//! 2. the request queues for its bytes (`extents`);
//! 3. it is cut into fragments no longer than the smallest child's limit, **each voted by itself**;
//! 4. each fragment goes to every child at once (`fan_out`), through what QEMU's block layer does for
//!    a child (`member`); a child that fails is reported as its answer arrives;
//! 5. [`crate::vote`] decides, and this module obeys.
//!
//! What requests in flight share is in `array`. Membership is an immutable list, swapped whole; a
//! fragment works on the list it started with.

mod array;
mod detached;
pub mod error;
mod extents;
mod fan_out;
mod member;
pub mod options;
mod read;
pub mod resolver;
mod write;

use crate::{
    device::{BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc},
    errno::{Errno, Result},
    event::{EventSink, NodeName},
};
use array::{Array, Membership};
use bytes::Bytes;
use detached::Detached;
use error::{ChangeError, OpenError};
use extents::{Mode, Queues};
use member::Member;
use options::QuorumOptions;
use resolver::Resolver;
use serde_json::Value;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, atomic::AtomicBool},
    task::{Context, Poll},
};

/// A quorum array.
///
/// ```
/// use quorate_engine::{BlockDevice, Flags, Memory, Quorum, QuorumOptions};
/// use std::sync::Arc;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let children: Vec<_> = (0..3).map(|_| Arc::new(Memory::new(1 << 20))).collect();
/// let mut options = QuorumOptions::builder("q", 2);
/// for (i, child) in children.iter().enumerate() {
///     options = options.child(format!("c{i}"), child.clone());
/// }
/// let events = |event| println!("{event:?}");
/// let quorum = Quorum::open(options.build()?, &(), Arc::new(events)).await?;
///
/// quorum.pwrite(0, b"three copies".as_slice().into(), Flags::NONE).await?;
/// children[1].pwrite(0, b"rot".as_slice().into(), Flags::NONE).await?;
/// assert_eq!(quorum.pread(0, 12).await?, b"three copies".as_slice()); // and c1 is reported
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap().unwrap();
/// ```
pub struct Quorum {
    array: Arc<Array>,
}

/// A child of an array.
#[derive(Clone)]
pub struct Child {
    /// Its name in the array, such as `children.0`.
    pub name: NodeName,
    /// The name of its node, which events carry.
    pub node_name: NodeName,
    /// The device.
    pub device: Arc<dyn BlockDevice>,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.node_name)
    }
}

impl Quorum {
    /// Opens an array: its children in index order, then their lengths.
    ///
    /// # Errors
    /// The first child that cannot be opened or whose length cannot be had, or lengths that differ
    /// when rounded up to whole sectors. Devices opened by then are closed again.
    pub async fn open(
        options: QuorumOptions,
        resolver: &dyn Resolver,
        events: Arc<dyn EventSink>,
    ) -> std::result::Result<Self, OpenError> {
        let mut devices = Vec::new();
        let members = match open_members(&options, resolver, &mut devices).await {
            Ok(members) => members,
            Err(error) => {
                for device in devices {
                    // The reason why the array does not open is the one worth telling.
                    let _ = device.close().await;
                }
                return Err(error);
            }
        };
        let bytes = members[0].rounded_bytes();
        let next_index = members.len();
        let members = members.into_iter().map(Arc::new).collect();
        let queues = Arc::<Queues>::default();
        let array = Array {
            options,
            bytes,
            membership: Mutex::new(Arc::new(Membership::new(members, next_index))),
            detached: Detached::new(queues.clone()),
            queues,
            closed: AtomicBool::new(false),
            events,
        };
        Ok(Self { array: Arc::new(array) })
    }

    /// The options it was opened with. The children may have changed since: see [`Self::children`].
    #[must_use]
    pub fn options(&self) -> &QuorumOptions {
        &self.array.options
    }

    /// The children, in the order in which they vote.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        self.array.members().members.iter().map(|m| m.child.clone()).collect()
    }

    /// Adds a child, which votes from now on as the last. Nothing is copied to it.
    ///
    /// Requests in flight go on without it. Only a child with a larger alignment than all the
    /// others waits for them, so also for a child that hangs until that one is removed: around
    /// bytes that are not whole blocks of its own it reads and writes more than those requests
    /// asked for.
    ///
    /// # Errors
    /// A blkverify array takes no third child, a closed one none, and no array the same node twice;
    /// and a child of another length is refused, which QEMU accepts and then aborts on.
    pub async fn add_child(
        &self,
        node_name: NodeName,
        device: Arc<dyn BlockDevice>,
    ) -> std::result::Result<NodeName, ChangeError> {
        if self.array.options.blkverify() {
            return Err(ChangeError::Blkverify);
        }
        self.array.takes_children()?;
        let name = NodeName::from("");
        let node = node_name.clone();
        let child = Child { name, node_name, device };
        let member = Member::new(child).await.map_err(ChangeError::Unreadable)?;
        let (bytes, expected) = (member.rounded_bytes(), self.array.bytes);
        if bytes != expected {
            return Err(ChangeError::Length { node, bytes, expected });
        }
        if self.array.options.rewrite_corrupted() && member.limits.read_only {
            return Err(ChangeError::ReadOnly);
        }
        let mut drained = None;
        loop {
            {
                let mut membership = self.array.membership();
                if member.alignment() <= membership.alignment() || drained.is_some() {
                    return self.array.join(&mut membership, member);
                }
            }
            drained = Some(self.array.drained().await);
        }
    }

    /// Removes a child at once, also one that hangs: what it has not answered counts as failed with
    /// `ECANCELED` and is reported. Its device stays open. An operation that hung may still land:
    /// the device must not be added again before it has answered whatever it was asked.
    ///
    /// # Errors
    /// There is no such child, or the remaining ones could not reach the threshold.
    pub fn remove_child(&self, child: &str) -> std::result::Result<Child, ChangeError> {
        let array = &self.array;
        let gone = {
            let mut membership = array.membership();
            let at = membership.members.iter().position(|m| m.child.name.as_str() == child);
            let Some(at) = at else {
                let parent = array.options.node_name().clone();
                return Err(ChangeError::NoChild { parent, child: child.into() });
            };
            let threshold = array.options.vote_threshold();
            if membership.members.len() <= threshold {
                return Err(ChangeError::BelowThreshold(threshold));
            }
            let mut members = membership.members.clone();
            let gone = members.remove(at);
            // The highest name is given back, other gaps stay.
            let last = child_name(membership.next_index - 1);
            let next_index = membership.next_index - usize::from(gone.child.name == last);
            *membership = Arc::new(Membership::new(members, next_index));
            gone
        };
        gone.remove();
        array.queues.wake_all();
        Ok(gone.child.clone())
    }

    /// The array as `blockdev-add` would open it now: its options, and its children by name.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let children = self.children().into_iter().map(|c| c.node_name.as_str().into());
        self.array.options.to_json_with(children)
    }
}

async fn open_members(
    options: &QuorumOptions,
    resolver: &dyn Resolver,
    devices: &mut Vec<Arc<dyn BlockDevice>>,
) -> std::result::Result<Vec<Member>, OpenError> {
    let mut children = Vec::new();
    for (index, spec) in options.children().iter().enumerate() {
        let resolved = resolver.resolve(spec, index).await;
        let (node_name, device) = resolved.map_err(|error| error.of_child(index))?;
        devices.push(device.clone());
        if options.rewrite_corrupted() && device.limits().read_only {
            return Err(OpenError::ReadOnly);
        }
        children.push(Child { name: child_name(index), node_name, device });
    }
    let mut members: Vec<Member> = Vec::new();
    for child in children {
        let member = Member::new(child).await.map_err(OpenError::Length)?;
        let agreed = members.first().map_or(member.rounded_bytes(), Member::rounded_bytes);
        if member.rounded_bytes() != agreed {
            return Err(OpenError::Length(Errno::EIO));
        }
        members.push(member);
    }
    Ok(members)
}

fn child_name(index: usize) -> NodeName {
    format!("children.{index}").into()
}

impl Quorum {
    /// Makes a request of an operation on the array.
    fn request<T, W>(&self, work: impl FnOnce(Arc<Array>) -> W) -> IoFuture<'_, T>
    where
        T: 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let work = Box::pin(work(self.array.clone()));
        Box::pin(Request { array: self.array.clone(), work: Some(work), started: false })
    }
}

/// A request that is detached, not cancelled, when its caller drops it.
struct Request<T: 'static> {
    array: Arc<Array>,
    work: Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>,
    started: bool,
}

impl<T> Future for Request<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        this.started = true;
        let work = this.work.as_mut().expect("a future that is done is not polled again");
        let done = this.array.detached.beside(cx, |cx| work.as_mut().poll(cx));
        if done.is_ready() {
            this.work = None;
        }
        done
    }
}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take().filter(|_| self.started) {
            self.array.detached.push(Box::pin(async move {
                // Whoever could have used the result has gone.
                let _ = work.await;
            }));
        }
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        self.array.detached.clear();
    }
}

impl BlockDevice for Quorum {
    fn limits(&self) -> Limits {
        Limits { read_only: self.array.options.read_only(), ..self.array.members().limits }
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.request(|array| async move { array.length().await })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.request(move |array| async move { array.read(offset, bytes).await })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.request(move |array| async move { array.write(offset, data, flags).await })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.request(move |array| async move { array.write_zeroes(offset, bytes, flags).await })
    }

    /// Succeeds without asking a child, as in QEMU, whose driver has no discard.
    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.request(move |array| async move {
            array.enter(offset, bytes, |_| Mode::Shared).await.map(|_| ())
        })
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.request(|array| async move { array.flush().await })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.request(move |array| async move { array.block_status(offset, bytes).await })
    }

    /// `ENOTSUP`: an array cannot be resized.
    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async { Err(Errno::ENOTSUP) })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.request(|array| async move { array.close().await })
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.request(|array| async move { array.invalidate().await })
    }
}
