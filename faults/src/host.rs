//! The seam to whoever runs an array: time, completion order, observation.

use crate::{
    alteration::Alteration,
    rule::{OpKind, Origin},
};
use bytes::Bytes;
use quorate_engine::{Errno, Extent, Flags, Result, Sectors};
use std::{future::Future, ops::Range, pin::Pin, sync::Arc, time::Duration};

/// The future of a device's answer.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An operation whose caller has gone, to be polled to its end.
pub type Detached = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs an array: the only thing outside that a faulty child knows.
///
/// Its methods are called while a request is polled and must not block. For one operation the order
/// is `submitted`, `fired` or `spared` for each rule, `complete`, `replied`.
pub trait Host: Send + Sync {
    /// The simulated time.
    fn now(&self) -> Duration;

    /// On whose behalf the operation of this kind is that is being submitted.
    fn origin(&self, kind: OpKind) -> Origin;

    /// The number of the request that is being served, if it is known: what strikes its operations
    /// adds up. Where it is not, a budget looks at each operation alone.
    fn request(&self) -> Option<u64>;

    /// Hears of each operation, once and before anything else about it.
    fn submitted(&self, op: &ChildOp);

    /// Says when the device answers: after its own latency and `delay`. Asked once per operation.
    ///
    /// The wait of [`Delay::Never`] ends only where the host gives the child up; the operation then
    /// answers `ECANCELED`.
    fn complete(&self, op: &ChildOp, delay: Delay) -> Wait;

    /// Hears of each rule that fired on an operation.
    fn fired(&self, op: &ChildOp, firing: Firing);

    /// Hears of each rule that would have fired on the operation of a child of this number, or struck
    /// the child by itself (0), but for the budget.
    fn spared(&self, child: u32, ordinal: u64, rule: &Arc<str>);

    /// Hears of each rule that strikes a child by itself, at the moment it does.
    fn struck(&self, child: u32, firing: Firing) {
        let _ = (child, firing);
    }

    /// Hears what the array is answered, at the moment it leaves.
    fn replied(&self, op: &ChildOp, reply: &Reply<'_>);

    /// Takes over an operation whose future was dropped before its end.
    ///
    /// A device finishes what it has begun, so a host that can run futures polls it to its end. The
    /// default gives the operation up: what it had not done yet is never done.
    fn detach(&self, rest: Detached) {
        drop(rest);
    }
}

/// An operation of one child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildOp {
    /// The index of the child.
    pub child: u32,
    /// The number of the operation among this child's, from one.
    pub ordinal: u64,
    /// What it is.
    pub kind: OpKind,
    /// Where it begins; zero for a flush or a length.
    pub offset: u64,
    /// How many bytes it is about; zero for a flush or a length.
    pub bytes: u64,
    /// How a write is to be done.
    pub flags: Flags,
    /// What a write writes.
    pub data: Option<Bytes>,
    /// On whose behalf it is.
    pub origin: Origin,
}

impl ChildOp {
    /// The bytes that it is about.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes
    }
}

/// What faults add to the time of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// This much.
    After(Duration),
    /// It never comes.
    Never,
}

impl Delay {
    /// Nothing.
    pub const NONE: Self = Self::After(Duration::ZERO);
}

/// One rule that fired on one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// The word of its fault.
    pub fault: &'static str,
    /// Which match of this rule and child it was, from one.
    pub matched: u64,
    /// The error that it makes the operation answer.
    pub status: Option<Errno>,
    /// The bytes of a write that it lets through to their place, in order; `None` for all.
    pub applied: Option<Vec<Range<u64>>>,
    /// What it adds to the time of the answer.
    pub delay: Delay,
    /// What it alters.
    pub alterations: Vec<Alteration>,
    /// The sectors whose bytes may be wrong because of it: on the medium of this child if the
    /// operation changes it or the fault stays there, else in this answer only.
    pub taint: Vec<Sectors>,
    /// Whether other children may hold or answer the same wrong bytes because of it.
    pub colluding: bool,
    /// Whether it goes beyond the budget, which only observes.
    pub outside: bool,
}

/// What the array is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// To a read.
    Data(&'a Result<Bytes>),
    /// To a write or a flush.
    Done(&'a Result<()>),
    /// To a query of the length.
    Length(&'a Result<u64>),
    /// To a query of the status.
    Status(&'a Result<Extent>),
}
