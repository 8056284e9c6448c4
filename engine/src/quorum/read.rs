//! Reads: asked of all children and voted on, or of one after the other.

use super::{
    array::{Array, Membership},
    extents::{Claim, Mode},
    fan_out::{FanOut, One},
    member::whole,
    options::ReadPattern,
};
use crate::{
    device::Flags,
    errno::{Errno, Result},
    event::{Event, OpType, Sectors},
    vote::{self, ReadVerdict},
};
use bytes::{Bytes, BytesMut};

impl Array {
    pub(super) async fn read(&self, offset: u64, bytes: usize) -> Result<Bytes> {
        let claim = self.enter(offset, bytes as u64, |whole| self.read_mode(whole)).await?;
        let first = self.read_piece(&claim, offset, bytes).await?;
        if first.len() == bytes {
            return Ok(first);
        }
        let mut data = BytesMut::with_capacity(bytes);
        data.extend_from_slice(&first);
        while data.len() < bytes {
            let rest = bytes - data.len();
            let piece = self.read_piece(&claim, offset + data.len() as u64, rest).await?;
            data.extend_from_slice(&piece);
        }
        Ok(data.freeze())
    }

    /// A read that may repair keeps others off its bytes as a write does.
    fn read_mode(&self, whole: bool) -> Mode {
        if self.options.rewrite_corrupted() { self.write_mode(whole) } else { Mode::Shared }
    }

    /// Reads as much of the range as may be voted on as one.
    async fn read_piece(&self, claim: &Claim<'_>, offset: u64, bytes: usize) -> Result<Bytes> {
        let membership = self.members();
        let bytes = membership.cut(bytes as u64);
        match self.options.read_pattern() {
            ReadPattern::Quorum => self.read_voted(claim, &membership, offset, bytes).await,
            ReadPattern::Fifo => self.read_first(claim, &membership, offset, bytes).await,
        }
    }

    async fn read_voted(
        &self,
        claim: &Claim<'_>,
        membership: &Membership,
        offset: u64,
        bytes: usize,
    ) -> Result<Bytes> {
        let sectors = Sectors::covering(offset, bytes as u64);
        let members = &membership.members;
        let mut replies = FanOut::new(
            claim,
            members.iter(),
            |member| member.read(offset, bytes),
            |reply| whole(reply, bytes),
            |member, error| self.report_bad(OpType::Read, member, Some(error), sectors),
        )
        .await;
        match vote::read(&replies, self.options.vote_threshold()) {
            ReadVerdict::Unanimous { winner } => replies.swap_remove(winner),
            ReadVerdict::Majority { winner, dissent } => {
                let data = replies.swap_remove(winner)?;
                for &child in &dissent {
                    self.report_bad(OpType::Read, &members[child], None, sectors);
                }
                if self.options.rewrite_corrupted() {
                    self.rewrite(claim, membership, &dissent, offset, &data).await;
                }
                Ok(data)
            }
            ReadVerdict::NoMajority if self.options.blkverify() => {
                self.report_mismatch(&replies, offset, bytes as u64);
                Err(Errno::EIO)
            }
            ReadVerdict::NoMajority => {
                self.report_failure(sectors);
                Err(Errno::EIO)
            }
            ReadVerdict::TooFew { error } => {
                self.report_failure(sectors);
                Err(error)
            }
        }
    }

    /// Overwrites those who lost the vote with what won it.
    async fn rewrite(
        &self,
        claim: &Claim<'_>,
        membership: &Membership,
        losers: &[usize],
        offset: u64,
        data: &Bytes,
    ) {
        let losers = losers.iter().map(|&child| &membership.members[child]);
        let write = FanOut::new(
            claim,
            losers,
            |member| member.write(offset, data.clone(), Flags::NONE),
            |reply| reply,
            // As quorum_rewrite_bad_versions: the read has its data, so nobody hears of these.
            |_, _| {},
        );
        write.await;
    }

    fn report_mismatch(&self, replies: &[Result<Bytes>], offset: u64, bytes: u64) {
        let [Ok(a), Ok(b)] = replies else { unreachable!("both children of a verifier answered") };
        let first = vote::first_difference(a, b).expect("they differ");
        self.events.emit(Event::Mismatch {
            reference: self.options.node_name().clone(),
            offset,
            bytes,
            first_difference: offset + first as u64,
        });
    }

    /// One child after the other, until one answers.
    async fn read_first(
        &self,
        claim: &Claim<'_>,
        membership: &Membership,
        offset: u64,
        bytes: usize,
    ) -> Result<Bytes> {
        let sectors = Sectors::covering(offset, bytes as u64);
        let mut last = Errno::EIO;
        for member in &membership.members {
            match whole(One(claim, member, member.read(offset, bytes)).await, bytes) {
                Ok(data) => return Ok(data),
                Err(error) => {
                    self.report_bad(OpType::Read, member, Some(error), sectors);
                    last = error;
                }
            }
        }
        Err(last)
    }
}
