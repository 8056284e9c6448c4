//! An array over children on a stage, and what tests ask of it.

use super::{
    stage::{Manual, Stage, letters},
    task::now,
};
use bytes::Bytes;
use quorate_engine::{
    BlockDevice, Flags, Limits, Quorum, QuorumOptions, Result, quorum::options::QuorumBuilder,
};
use std::sync::Arc;

/// An array over children on a stage.
pub(super) struct Bed {
    pub(super) stage: Stage,
    pub(super) array: Arc<Quorum>,
}

impl Bed {
    /// An array of 8192 bytes, with a child for each letter, full of it.
    pub(super) fn new(letters: &str, threshold: usize) -> Self {
        Self::with(letters, threshold, Limits::NONE, |options| options)
    }

    /// The same with options, and with the limits of every child.
    pub(super) fn with(
        letters: &str,
        threshold: usize,
        limits: Limits,
        options: impl FnOnce(QuorumBuilder) -> QuorumBuilder,
    ) -> Self {
        let stage = Stage::default();
        let children: Vec<_> = letters.chars().map(|letter| stage.child(letter, limits)).collect();
        Self::over(stage, threshold, children, options)
    }

    pub(super) fn over(
        stage: Stage,
        threshold: usize,
        children: Vec<Arc<Manual>>,
        options: impl FnOnce(QuorumBuilder) -> QuorumBuilder,
    ) -> Self {
        let mut builder = QuorumOptions::builder("q", threshold);
        for child in children {
            builder = builder.child(format!("c{}", child.child), child);
        }
        let events = stage.clone();
        let sink = Arc::new(move |event| events.note(&event));
        let options = options(builder).build().expect("the test's options are valid");
        let array = now(async { Quorum::open(options, &(), sink).await.map(Arc::new) });
        let array = array.expect("the children have one length");
        stage.take();
        Self { stage, array }
    }

    /// Asserts what happened since the last look.
    #[track_caller]
    pub(super) fn saw(&self, lines: &[&str]) {
        assert_eq!(self.stage.take(), lines);
    }

    /// Asserts which events there were since the last look.
    #[track_caller]
    pub(super) fn told(&self, lines: &[&str]) {
        let told: Vec<_> = self.stage.take().into_iter().filter(|l| l.starts_with('!')).collect();
        assert_eq!(told, lines);
    }

    #[track_caller]
    pub(super) fn read(&self, offset: u64, bytes: usize) -> Result<String> {
        now(self.array.pread(offset, bytes)).map(|data| letters(&data))
    }

    #[track_caller]
    pub(super) fn write(&self, offset: u64, data: Bytes, flags: Flags) -> Result<()> {
        now(self.array.pwrite(offset, data, flags))
    }

    #[track_caller]
    pub(super) fn zero(&self, offset: u64, bytes: u64, flags: Flags) -> Result<()> {
        now(self.array.pwrite_zeroes(offset, bytes, flags))
    }
}
