//! Why an array cannot be opened, and why its children cannot be changed.

use crate::{
    errno::Errno,
    event::NodeName,
    quorum::options::{OptionsError, QMP_CLASS},
};
use thiserror::Error;

/// Why a node cannot be opened. The texts are QEMU 10.0.2's wherever it has one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The options are refused.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A child cannot be opened. The text is the child's, the error number is not.
    #[error("{source}")]
    Child {
        /// Which child.
        index: usize,
        /// Why.
        source: Box<OpenError>,
    },
    /// The children's lengths cannot be had or differ.
    #[error("Could not refresh total sector count: {}", .0.message())]
    Length(Errno),
    /// No node has this name.
    #[error("Cannot find device='{0}' nor node-name='{0}'")]
    NotFound(NodeName),
    /// Another node has this name.
    #[error("Duplicate nodes with node-name='{0}'")]
    Duplicate(NodeName),
    /// Nothing else could ever name the node.
    #[error("'node-name' must be specified for the root node")]
    Unnamed,
    /// Something needs to write to a node that takes no writes.
    #[error("Block node is read-only")]
    ReadOnly,
    /// The node would be below itself.
    #[error("Making '{node}' a {child} child of '{parent}' would create a cycle")]
    Cycle {
        /// The node.
        node: NodeName,
        /// What it would be called.
        child: String,
        /// Whose child it would be.
        parent: NodeName,
    },
    /// The device itself cannot be opened.
    #[error("{text}")]
    Device {
        /// The error number.
        errno: Errno,
        /// What its driver says.
        text: String,
    },
}

impl OpenError {
    /// The error number.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Options(error) => error.errno(),
            Self::Length(errno) | Self::Device { errno, .. } => *errno,
            Self::ReadOnly => Errno::EACCES,
            // As quorum_open, which answers EINVAL whatever a child's own error was.
            _ => Errno::EINVAL,
        }
    }

    /// The class of a QMP error.
    #[must_use]
    pub fn class(&self) -> &'static str {
        QMP_CLASS
    }

    /// The error of an array whose child cannot be opened.
    #[must_use]
    pub fn of_child(self, index: usize) -> Self {
        Self::Child { index, source: Box::new(self) }
    }
}

/// Why children cannot be added or removed, with the texts of `x-blockdev-change`, or a node
/// removed, with those of `blockdev-del`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// There is no such parent.
    #[error("Cannot find device='{0}' nor node-name='{0}'")]
    NoParent(NodeName),
    /// Nothing is asked for.
    #[error("Either child or node must be specified")]
    Neither,
    /// Two things are asked for.
    #[error("The parameters child and node are in conflict")]
    Both,
    /// There is no such child.
    #[error("Node '{parent}' does not have child '{child}'")]
    NoChild {
        /// The array.
        parent: NodeName,
        /// The child's name in it.
        child: String,
    },
    /// There is no such node to add.
    #[error("Node '{0}' not found")]
    NoNode(NodeName),
    /// The parent is not an array.
    #[error("The node {0} does not support adding a child")]
    NotAnArray(NodeName),
    /// The node is somebody's child.
    #[error("The node {0} already has a parent")]
    HasParent(NodeName),
    /// Two children are what blkverify compares.
    #[error("Cannot add a child to a quorum in blkverify mode")]
    Blkverify,
    /// The node would be below itself.
    #[error("Making '{node}' a {child} child of '{parent}' would create a cycle")]
    Cycle {
        /// The node.
        node: NodeName,
        /// What it would be called.
        child: String,
        /// Whose child it would be.
        parent: NodeName,
    },
    /// The new child has another length. QEMU does not look.
    #[error("The node {node} is {bytes} bytes long, the children of the quorum {expected}")]
    Length {
        /// The node.
        node: NodeName,
        /// Its length in bytes.
        bytes: u64,
        /// What it should be.
        expected: u64,
    },
    /// The new child could not be asked for its length.
    #[error("Could not refresh total sector count: {}", .0.message())]
    Unreadable(Errno),
    /// Nothing is asked of the array any more. QEMU's is gone by then.
    #[error("Node '{0}' is closed")]
    Closed(NodeName),
    /// The new child takes no writes.
    #[error("Block node is read-only")]
    ReadOnly,
    /// Fewer children than the threshold would never reach it.
    #[error("The number of children cannot be lower than the vote threshold {0}")]
    BelowThreshold(usize),
    /// There is no such node to remove.
    #[error("Failed to find node with node-name='{0}'")]
    NotThere(NodeName),
    /// The node is somebody's child.
    #[error("Block device {0} is in use")]
    InUse(NodeName),
    /// The node was defined inside an array and goes when that array lets go of it.
    #[error("Node {0} is not owned by the monitor")]
    NotOwned(NodeName),
}

impl ChangeError {
    /// The error number.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Unreadable(errno) => *errno,
            Self::ReadOnly => Errno::EACCES,
            Self::Closed(_) => Errno::ENOMEDIUM,
            Self::InUse(_) => Errno::EBUSY,
            _ => Errno::EINVAL,
        }
    }

    /// The class of a QMP error.
    #[must_use]
    pub fn class(&self) -> &'static str {
        QMP_CLASS
    }
}
