//! An array over children in the hand.

use super::{
    hand::{Contents, Hand},
    task::Task,
};
use crate::{
    load,
    model::{Array, Children, Scenario},
    runner::{self, Engine, Parts},
    spec,
};
use bytes::Bytes;
use quorate_engine::{
    BlockDevice, NodeName,
    quorum::options::{Overlap, ReadPattern},
};
use std::sync::{Arc, Mutex};

/// What the array of a story is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) children: usize,
    pub(super) threshold: usize,
    pub(super) pattern: ReadPattern,
    pub(super) repairs: bool,
    pub(super) verifies: bool,
    pub(super) overlap: Overlap,
}

/// An array, and its children.
pub(super) struct Bed {
    pub(super) hand: Arc<Hand>,
    pub(super) array: Arc<dyn BlockDevice>,
}

impl Shape {
    /// An array with nothing special.
    pub(super) fn new(children: usize, threshold: usize) -> Self {
        Self {
            children,
            threshold,
            pattern: ReadPattern::Quorum,
            repairs: false,
            verifies: false,
            overlap: Overlap::Serialise,
        }
    }

    /// The same for the specification.
    pub(super) fn spec(&self) -> spec::request::Array {
        spec::request::Array {
            name: "q".into(),
            children: self.names(),
            threshold: self.threshold,
            pattern: self.pattern,
            repairs: self.repairs,
            verifies: self.verifies,
        }
    }

    fn names(&self) -> Vec<NodeName> {
        (0..self.children).map(|child| format!("c{child}").into()).collect()
    }

    fn scenario(&self) -> Scenario {
        let mut scenario = load::parse(SCENARIO, "exhaust").expect("the text is a constant");
        scenario.array = Array {
            children: Children::Count(u32::try_from(self.children).expect("there are few")),
            vote_threshold: self.threshold,
            read_pattern: self.pattern,
            rewrite_corrupted: self.repairs,
            blkverify: self.verifies,
            overlap: self.overlap,
            ..scenario.array
        };
        scenario
    }
}

impl Bed {
    /// Opens our own engine's array, or another one.
    ///
    /// # Errors
    /// It does not open, and why.
    pub(super) fn open(
        shape: &Shape,
        contents: Contents,
        engine: Option<&dyn Engine>,
    ) -> Result<Self, String> {
        let hand = Hand::new(contents);
        let devices = (0..shape.children).map(|child| hand.child(child));
        let children = shape.names().into_iter().zip(devices).collect();
        let parts = Parts { children, events: hand.clone() };
        let scenario = shape.scenario();
        let opened = Mutex::new(None);
        let mut task = Task::new(Box::pin(async {
            let array = match engine {
                Some(engine) => engine.open(&scenario, parts).await,
                None => {
                    let quorum = runner::quorum(&scenario.array, parts).await;
                    quorum.map(|quorum| quorum as Arc<dyn BlockDevice>)
                }
            };
            *opened.lock().expect("nobody else holds it") = Some(array);
            Ok(Bytes::new())
        }));
        let waits = task.go_on().is_none();
        drop(task);
        let opened = opened.into_inner().expect("nobody else holds it");
        match opened {
            Some(opened) if !waits => Ok(Self { hand, array: opened? }),
            _ => Err("it waits for something other than its children's lengths".into()),
        }
    }
}

/// A scenario whose array is put in later.
const SCENARIO: &str =
    "version = 1\nname = \"exhaust\"\narray = { children = 1, vote-threshold = 1 }\n";
