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
//! Membership is an immutable list, swapped whole; a fragment works on the list it started with.

mod detached;
pub mod error;
mod extents;
mod fan_out;
mod member;
pub mod options;
mod read;
mod write;

use crate::{
    device::{BlockDevice, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc, ZeroFlags},
    errno::{Errno, Result},
    event::{Event, EventSink, NodeName, OpType, Sectors},
    graph::Resolver,
};
use bytes::Bytes;
use detached::Detached;
use error::{ChangeError, OpenError};
use extents::{Claim, Mode, Queues};
use fan_out::One;
use member::Member;
use options::{Overlap, QuorumOptions};
use serde_json::Value;
use std::{
    fmt,
    future::{self, Future},
    ops::Range,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
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

/// What requests in flight share.
struct Array {
    options: QuorumOptions,
    bytes: u64,
    membership: Mutex<Arc<Membership>>,
    queues: Arc<Queues>,
    detached: Detached,
    closed: AtomicBool,
    events: Arc<dyn EventSink>,
}

/// Who belongs to the array.
struct Membership {
    members: Vec<Arc<Member>>,
    limits: Limits,
    /// The number in the next added child's name.
    next_index: usize,
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

impl Membership {
    fn new(members: Vec<Arc<Member>>, next_index: usize) -> Self {
        let limits = || members.iter().map(|m| &m.limits);
        let zeroes = |has: fn(ZeroFlags) -> bool| limits().all(|l| l.zeroes.is_some_and(has));
        let limits = Limits {
            request_alignment: 1,
            // As bdrv_merge_limits, for an array above; whatever is longer is cut here.
            max_transfer: limits().filter_map(|l| l.max_transfer).min(),
            write_fua: false,
            zeroes: Some(ZeroFlags {
                fua: zeroes(|z| z.fua),
                may_unmap: zeroes(|z| z.may_unmap),
                no_fallback: zeroes(|z| z.no_fallback),
            }),
            read_only: false,
        };
        Self { members, limits, next_index }
    }

    /// The largest alignment that one of the children asks for.
    fn alignment(&self) -> u64 {
        let alignments = self.members.iter().map(|member| member.alignment());
        alignments.max().expect("an array has children")
    }
}

impl Array {
    fn membership(&self) -> MutexGuard<'_, Arc<Membership>> {
        self.membership.lock().expect("nothing panics under this lock")
    }

    fn members(&self) -> Arc<Membership> {
        self.membership().clone()
    }

    /// Queues for bytes and waits for the turn. `mode` hears whether the bytes are whole blocks of
    /// every child.
    ///
    /// # Errors
    /// `ENOMEDIUM` if the array is closed, `EINVAL` if the bytes are not all inside it.
    async fn enter(
        &self,
        offset: u64,
        bytes: u64,
        mode: impl Fn(bool) -> Mode,
    ) -> Result<Claim<'_>> {
        let range = self.inside(offset, bytes)?;
        loop {
            let unit = self.members().alignment();
            // A child with a larger alignment reads and writes the bytes around these.
            let around = range.start / unit * unit..range.end.next_multiple_of(unit);
            let whole = (offset | bytes).is_multiple_of(unit);
            let claim = self.wait(self.queues.data.claim(around, mode(whole))).await?;
            // Larger blocks come only between requests, but this one may have queued before them.
            if self.members().alignment() <= unit {
                return Ok(claim);
            }
        }
    }

    /// The range of a request, if all of it lies inside the array.
    fn inside(&self, offset: u64, bytes: u64) -> Result<Range<u64>> {
        let end = offset.checked_add(bytes).filter(|&end| end <= self.bytes);
        end.map(|end| offset..end).ok_or(Errno::EINVAL)
    }

    /// The last of the children from now on.
    fn join(
        &self,
        membership: &mut Arc<Membership>,
        mut member: Member,
    ) -> std::result::Result<NodeName, ChangeError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(ChangeError::Closed(self.options.node_name().clone()));
        }
        // A node without a name cannot be told from others.
        let node = &member.child.node_name;
        let is_same = |other: &Arc<Member>| other.child.node_name == *node;
        if !node.as_str().is_empty() && membership.members.iter().any(is_same) {
            return Err(ChangeError::HasParent(node.clone()));
        }
        let name = child_name(membership.next_index);
        member.child.name = name.clone();
        let members = membership.members.iter().cloned().chain([Arc::new(member)]).collect();
        *membership = Arc::new(Membership::new(members, membership.next_index + 1));
        Ok(name)
    }

    async fn wait<'a>(&self, claim: Claim<'a>) -> Result<Claim<'a>> {
        claim.turn().await;
        if self.closed.load(Ordering::SeqCst) { Err(Errno::ENOMEDIUM) } else { Ok(claim) }
    }

    /// Waits until no data are in flight, those of requests that nobody polls any more included.
    async fn drained(&self) -> Claim<'_> {
        let claim = self.queues.data.drain();
        {
            let mut turn = pin!(claim.turn());
            let poll = |cx: &mut Context<'_>| {
                let seen = self.detached.help();
                let done = turn.as_mut().poll(cx);
                if done.is_pending() {
                    self.detached.rest(seen, cx);
                }
                done
            };
            future::poll_fn(poll).await;
        }
        claim
    }

    /// How a write shares its bytes: alone, unless the order of overlapping writes is to be left to
    /// chance as QEMU leaves it, and no child has to read around them.
    fn write_mode(&self, whole: bool) -> Mode {
        match self.options.overlap() {
            Overlap::Qemu if whole => Mode::Shared,
            _ => Mode::Exclusive,
        }
    }

    /// Waits for the turn of a flush, or enters a query, which has none to wait for.
    async fn enter_control(&self, turn: Range<u64>, mode: Mode) -> Result<Claim<'_>> {
        self.wait(self.queues.control.claim(turn, mode)).await
    }

    fn report_bad(&self, op: OpType, member: &Member, error: Option<Errno>, sectors: Sectors) {
        let node_name = member.child.node_name.clone();
        self.events.emit(Event::ReportBad { op, node_name, error, sectors });
    }

    fn report_failure(&self, sectors: Sectors) {
        let reference = self.options.node_name().clone();
        self.events.emit(Event::Failure { reference, sectors });
    }

    async fn length(&self) -> Result<u64> {
        let claim = self.enter_control(QUERY, Mode::Shared).await?;
        let membership = self.members();
        let mut agreed = None;
        for member in &membership.members {
            let bytes = One(&claim, member, member.child.device.length()).await?;
            let bytes = member::round_up(bytes)?;
            if *agreed.get_or_insert(bytes) != bytes {
                return Err(Errno::EIO);
            }
        }
        Ok(agreed.expect("an array has children"))
    }

    /// Zero only if all children say so, for the shortest of their runs; else data for the longest
    /// run of data.
    async fn block_status(&self, offset: u64, bytes: u64) -> Result<Extent> {
        self.inside(offset, bytes)?;
        let claim = self.enter_control(QUERY, Mode::Shared).await?;
        if bytes == 0 {
            return Ok(Extent { bytes: 0, kind: ExtentKind::Data });
        }
        let membership = self.members();
        let (mut zero, mut data) = (bytes, 0);
        for member in &membership.members {
            match One(&claim, member, member.block_status(offset, bytes)).await {
                Ok(Extent { bytes, kind: ExtentKind::Zero }) => zero = zero.min(bytes),
                Ok(Extent { bytes, kind: ExtentKind::Data }) => data = data.max(bytes),
                Err(error) => {
                    let sectors = Sectors::covering(offset, bytes);
                    self.report_bad(OpType::Read, member, Some(error), sectors);
                    data = bytes;
                    break;
                }
            }
        }
        Ok(match data {
            0 => Extent { bytes: zero, kind: ExtentKind::Zero },
            _ => Extent { bytes: data, kind: ExtentKind::Data },
        })
    }

    /// Waits for what is in flight, flushes, and closes the children, all of them. The first error
    /// is the answer.
    async fn close(&self) -> Result<()> {
        let data = self.queues.data.drain();
        data.turn().await;
        let control = self.queues.control.drain();
        control.turn().await;
        {
            // Under the lock: a child that joins before this is closed with the others.
            let _membership = self.membership();
            if self.closed.swap(true, Ordering::SeqCst) {
                return Ok(());
            }
        }
        let mut result = self.flush_members(&control).await;
        for member in &self.members().members {
            let closed = One(&control, member, member.child.device.close()).await;
            result = result.and(closed);
        }
        result
    }

    async fn invalidate(&self) -> Result<()> {
        let claim = self.enter_control(QUERY, Mode::Shared).await?;
        for member in &self.members().members {
            // As quorum_invalidate_cache: a child that cannot is no reason to skip the next.
            let _ = One(&claim, member, member.child.device.invalidate()).await;
        }
        Ok(())
    }
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
        let seen = this.array.detached.help();
        let work = this.work.as_mut().expect("a future that is done is not polled again");
        let done = work.as_mut().poll(cx);
        match done {
            Poll::Ready(_) => this.work = None,
            Poll::Pending => this.array.detached.rest(seen, cx),
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

/// Turns in [`Queues::control`]: flushes wait for each other, queries for nobody but the end.
const FLUSH: Range<u64> = 0..1;
const QUERY: Range<u64> = 1..2;
