//! The array behind its handle: who belongs to it, whose turn it is, and the questions that are asked
//! of one child after the other.

use super::{
    child_name,
    detached::Detached,
    error::ChangeError,
    extents::{Claim, Mode, Queues},
    fan_out::One,
    member::{self, Member},
    options::{Overlap, QuorumOptions},
};
use crate::{
    device::{Extent, ExtentKind, Limits, ZeroFlags},
    errno::{Errno, Result},
    event::{Event, EventSink, NodeName, OpType, Sectors},
};
use std::{
    future::{self, Future},
    ops::Range,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::Context,
};

/// What requests in flight share.
pub(super) struct Array {
    pub(super) options: QuorumOptions,
    pub(super) bytes: u64,
    pub(super) membership: Mutex<Arc<Membership>>,
    pub(super) queues: Arc<Queues>,
    pub(super) detached: Detached,
    pub(super) closed: AtomicBool,
    pub(super) events: Arc<dyn EventSink>,
}

/// Who belongs to the array.
pub(super) struct Membership {
    pub(super) members: Vec<Arc<Member>>,
    pub(super) limits: Limits,
    /// The number in the next added child's name.
    pub(super) next_index: usize,
}

impl Membership {
    pub(super) fn new(members: Vec<Arc<Member>>, next_index: usize) -> Self {
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
    pub(super) fn alignment(&self) -> u64 {
        let alignments = self.members.iter().map(|member| member.alignment());
        alignments.max().expect("an array has children")
    }
}

impl Array {
    pub(super) fn membership(&self) -> MutexGuard<'_, Arc<Membership>> {
        self.membership.lock().expect("nothing panics under this lock")
    }

    pub(super) fn members(&self) -> Arc<Membership> {
        self.membership().clone()
    }

    /// Queues for bytes and waits for the turn. `mode` hears whether the bytes are whole blocks of
    /// every child.
    ///
    /// # Errors
    /// `ENOMEDIUM` if the array is closed, `EINVAL` if the bytes are not all inside it.
    pub(super) async fn enter(
        &self,
        offset: u64,
        bytes: u64,
        mode: impl Fn(bool) -> Mode,
    ) -> Result<Claim<'_>> {
        let range = self.inside(offset, bytes)?;
        loop {
            let unit = self.membership().alignment();
            // A child with a larger alignment reads and writes the bytes around these.
            let around = range.start / unit * unit..range.end.next_multiple_of(unit);
            let whole = (offset | bytes).is_multiple_of(unit);
            let claim = self.wait(self.queues.data.claim(around, mode(whole))).await?;
            // Larger blocks come only between requests, but this one may have queued before them.
            if self.membership().alignment() <= unit {
                return Ok(claim);
            }
        }
    }

    /// The range of a request, if all of it lies inside the array.
    pub(super) fn inside(&self, offset: u64, bytes: u64) -> Result<Range<u64>> {
        let end = offset.checked_add(bytes).filter(|&end| end <= self.bytes);
        end.map(|end| offset..end).ok_or(Errno::EINVAL)
    }

    /// The last of the children from now on.
    pub(super) fn join(
        &self,
        membership: &mut Arc<Membership>,
        mut member: Member,
    ) -> std::result::Result<NodeName, ChangeError> {
        self.takes_children()?;
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

    /// Whether children may still join.
    pub(super) fn takes_children(&self) -> std::result::Result<(), ChangeError> {
        match self.closed.load(Ordering::SeqCst) {
            true => Err(ChangeError::Closed(self.options.node_name().clone())),
            false => Ok(()),
        }
    }

    pub(super) async fn wait<'a>(&self, claim: Claim<'a>) -> Result<Claim<'a>> {
        claim.turn().await;
        if self.closed.load(Ordering::SeqCst) { Err(Errno::ENOMEDIUM) } else { Ok(claim) }
    }

    /// Waits until no data are in flight, those of requests that nobody polls any more included.
    pub(super) async fn drained(&self) -> Claim<'_> {
        let claim = self.queues.data.drain();
        {
            let mut turn = pin!(claim.turn());
            let poll = |cx: &mut Context<'_>| self.detached.beside(cx, |cx| turn.as_mut().poll(cx));
            future::poll_fn(poll).await;
        }
        claim
    }

    /// How a write shares its bytes: alone, unless the order of overlapping writes is to be left to
    /// chance as QEMU leaves it, and no child has to read around them.
    pub(super) fn write_mode(&self, whole: bool) -> Mode {
        match self.options.overlap() {
            Overlap::Qemu if whole => Mode::Shared,
            _ => Mode::Exclusive,
        }
    }

    /// Waits for the turn of a flush, or enters a query, which has none to wait for.
    pub(super) async fn enter_control(&self, turn: Range<u64>, mode: Mode) -> Result<Claim<'_>> {
        self.wait(self.queues.control.claim(turn, mode)).await
    }

    pub(super) fn report_bad(
        &self,
        op: OpType,
        member: &Member,
        error: Option<Errno>,
        sectors: Sectors,
    ) {
        let node_name = member.child.node_name.clone();
        self.events.emit(Event::ReportBad { op, node_name, error, sectors });
    }

    pub(super) fn report_failure(&self, sectors: Sectors) {
        let reference = self.options.node_name().clone();
        self.events.emit(Event::Failure { reference, sectors });
    }

    pub(super) async fn length(&self) -> Result<u64> {
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
    pub(super) async fn block_status(&self, offset: u64, bytes: u64) -> Result<Extent> {
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
    pub(super) async fn close(&self) -> Result<()> {
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

    pub(super) async fn invalidate(&self) -> Result<()> {
        let claim = self.enter_control(QUERY, Mode::Shared).await?;
        for member in &self.members().members {
            // As quorum_invalidate_cache: a child that cannot is no reason to skip the next.
            let _ = One(&claim, member, member.child.device.invalidate()).await;
        }
        Ok(())
    }
}

/// Turns in [`Queues::control`]: flushes wait for each other, queries for nobody but the end.
pub(super) const FLUSH: Range<u64> = 0..1;
pub(super) const QUERY: Range<u64> = 1..2;
