//! What the rules say of questions about the array: what a range holds, and how long it is.

use super::{super::walk::Stop, Rules, ask};
use crate::spec::{self, Reply};
use quorate_engine::{Errno, Extent, ExtentKind, OpType};
use quorate_faults::rule::OpKind;
use quorate_reports::trace::Payload;

impl Rules<'_> {
    pub(super) fn block_status(&self, offset: u64, bytes: u64) -> Result<Extent, Stop> {
        if bytes == 0 {
            return Ok(Extent { bytes: 0, kind: ExtentKind::Data });
        }
        let report = Some((OpType::Read, spec::covering(offset, bytes)));
        let disks = self.walk.borrow().members();
        let (mut zero, mut data) = (vec![bytes], Vec::new());
        for &disk in disks {
            let ask = ask(OpKind::BlockStatus, offset, bytes);
            match self.walk.borrow_mut().one(disk, ask, report)? {
                // Whatever a child says of what lies behind the range, nobody has asked for it.
                Ok(said) if said.hash == ExtentKind::Zero as u64 => {
                    zero.push(said.bytes.min(bytes));
                }
                Ok(said) => data.push(said.bytes.min(bytes)),
                Err(_) => {
                    data.push(bytes);
                    break;
                }
            }
        }
        Ok(match data.into_iter().max() {
            Some(bytes) => Extent { bytes, kind: ExtentKind::Data },
            None => {
                let shortest = zero.into_iter().min().unwrap_or(bytes);
                Extent { bytes: shortest, kind: ExtentKind::Zero }
            }
        })
    }

    pub(super) fn length(&self) -> Result<Reply<u64>, Stop> {
        let disks = self.walk.borrow().members();
        let mut lengths = Vec::new();
        for &disk in disks {
            match self.walk.borrow_mut().one(disk, ask(OpKind::Length, 0, 0), None)? {
                Ok(Payload { bytes, .. }) if bytes > (i64::MAX as u64) / 512 * 512 => {
                    return Ok(Err(Errno::EFBIG));
                }
                Ok(payload) => lengths.push(payload.bytes.next_multiple_of(512)),
                Err(errno) => return Ok(Err(errno)),
            }
            if lengths.iter().any(|length| *length != lengths[0]) {
                return Ok(Err(Errno::EIO));
            }
        }
        Ok(Ok(lengths[0]))
    }
}
