//! Writes, zeroes and flushes: mirrored to all children, counted against the threshold.

use super::{
    array::{Array, FLUSH, Membership},
    extents::{Claim, Mode},
    fan_out::{FanOut, One},
    member::{BOUNCE_BYTES_MAX, Member},
};
use crate::{
    device::{Flags, IoFuture},
    errno::{Errno, Result},
    event::{OpType, Sectors},
    vote,
};
use bytes::Bytes;

impl Array {
    pub(super) async fn write(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
        let claim = self.enter_write(offset, data.len() as u64).await?;
        let mut rest = data;
        let mut at = offset;
        loop {
            let membership = self.members();
            let piece = rest.split_to(membership.cut(rest.len() as u64));
            self.write_piece(&claim, &membership, at, &piece).await?;
            at += piece.len() as u64;
            if rest.is_empty() {
                break;
            }
        }
        // Children never see FUA: the whole array is flushed instead.
        if flags.fua { self.flush().await } else { Ok(()) }
    }

    /// As bdrv_co_do_pwrite_zeroes does for the array's own node.
    pub(super) async fn write_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
        let claim = self.enter_write(offset, bytes).await?;
        let (mut at, end) = (offset, offset + bytes);
        let mut flush = false;
        while at < end {
            let membership = self.members();
            let able = membership.limits.zeroes.expect("an array always takes zeroes");
            if flags.no_fallback && !able.no_fallback {
                return Err(Errno::ENOTSUP);
            }
            let passed = Flags {
                fua: flags.fua && able.fua,
                may_unmap: flags.may_unmap && able.may_unmap,
                no_fallback: flags.no_fallback,
            };
            match self.zero_piece(&claim, &membership, at, end - at, passed).await {
                Err(Errno::ENOTSUP) if !flags.no_fallback => {
                    // The vote itself came to ENOTSUP: once more, as a write, and reported again.
                    let bytes = membership.cut((end - at).min(BOUNCE_BYTES_MAX.into()));
                    let zeroes = Bytes::from(vec![0; bytes]);
                    self.write_piece(&claim, &membership, at, &zeroes).await?;
                    at += zeroes.len() as u64;
                    flush |= flags.fua;
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    at = end;
                    flush |= flags.fua && !able.fua;
                }
            }
        }
        if flush { self.flush().await } else { Ok(()) }
    }

    async fn enter_write(&self, offset: u64, bytes: u64) -> Result<Claim<'_>> {
        if self.options.read_only() {
            return Err(Errno::EPERM);
        }
        self.enter(offset, bytes, |whole| self.write_mode(whole)).await
    }

    async fn write_piece(
        &self,
        claim: &Claim<'_>,
        membership: &Membership,
        offset: u64,
        data: &Bytes,
    ) -> Result<()> {
        let sectors = Sectors::covering(offset, data.len() as u64);
        let write = |m| Member::write(m, offset, data.clone(), Flags::NONE);
        self.mirror(claim, membership, sectors, write).await
    }

    async fn zero_piece(
        &self,
        claim: &Claim<'_>,
        membership: &Membership,
        offset: u64,
        bytes: u64,
        flags: Flags,
    ) -> Result<()> {
        let sectors = Sectors::covering(offset, bytes);
        let zero = |m| Member::write_zeroes(m, offset, bytes, flags);
        self.mirror(claim, membership, sectors, zero).await
    }

    /// Asks all children the same and counts. Nothing is rolled back where too few succeed.
    async fn mirror<'a>(
        &self,
        claim: &'a Claim<'_>,
        membership: &'a Membership,
        sectors: Sectors,
        ask: impl Fn(&'a Member) -> IoFuture<'a, ()>,
    ) -> Result<()> {
        let members = membership.members.iter();
        let report = |member: &Member, error| {
            self.report_bad(OpType::Write, member, Some(error), sectors);
        };
        let replies = FanOut::new(claim, members, ask, |reply| reply, report).await;
        let counted = vote::count(&replies, self.options.vote_threshold());
        if counted.is_err() {
            self.report_failure(sectors);
        }
        counted
    }

    /// Waits for an earlier flush, not for writes in flight.
    pub(super) async fn flush(&self) -> Result<()> {
        let claim = self.enter_control(FLUSH, Mode::Exclusive).await?;
        self.flush_members(&claim).await
    }

    /// One child after the other, all of them, also after failures. Too few successes are an error
    /// but no `Failure` event.
    pub(super) async fn flush_members(&self, claim: &Claim<'_>) -> Result<()> {
        if self.options.read_only() {
            return Ok(());
        }
        let membership = self.members();
        let mut replies = Vec::with_capacity(membership.members.len());
        for member in &membership.members {
            let reply = One(claim, member, member.flush()).await;
            if let Err(error) = reply {
                self.report_bad(OpType::Flush, member, Some(error), Sectors::NONE);
            }
            replies.push(reply);
        }
        vote::count(&replies, self.options.vote_threshold())
    }
}

impl Membership {
    /// How much of a request of this length is voted on as one.
    pub(super) fn cut(&self, bytes: u64) -> usize {
        let most = self.limits.max_transfer.map_or(u64::MAX, u64::from);
        usize::try_from(bytes.min(most)).expect("a request fits into memory")
    }
}
