//! Why options are refused. The texts are QEMU 10.0.2's wherever it has one.

use crate::{errno::Errno, event::NodeName};
use thiserror::Error;

/// Why options are refused.
///
/// Of options with several faults, the one that QEMU 10.0.2 names first is reported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// A mandatory option is absent; JSON form.
    #[error("Parameter '{0}' is missing")]
    Missing(String),
    /// The JSON type is wrong.
    #[error("Invalid parameter type for '{name}', expected: {expected}")]
    WrongType {
        /// The option, with the path that leads to it.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A choice that does not exist; JSON form.
    #[error("Parameter '{name}' does not accept value '{value}'")]
    NotAChoice {
        /// The option.
        name: &'static str,
        /// What was asked for.
        value: String,
    },
    /// An option that does not exist; JSON form.
    #[error("Parameter '{0}' is unexpected")]
    Unexpected(String),
    /// An option that does not exist; dotted form.
    #[error("Block format 'quorum' does not support the option '{0}'")]
    Unsupported(String),
    /// A node without a driver; dotted form.
    #[error("Must specify either driver or file")]
    NoDriver,
    /// A driver other than `quorum`; dotted form.
    #[error("Unknown driver '{0}'")]
    UnknownDriver(String),
    /// Not a number; dotted form.
    #[error("Parameter '{0}' expects a number")]
    NotANumber(&'static str),
    /// A number beyond 64 bits; dotted form.
    #[error("Value '{value}' is too large for parameter '{name}'")]
    TooLarge {
        /// The option.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Neither on nor off; dotted form.
    #[error("Parameter '{0}' expects 'on' or 'off'")]
    NotOnOff(&'static str),
    /// No such read pattern; dotted form.
    #[error("Please set read-pattern as fifo or quorum")]
    ReadPattern,
    /// No such way to discard; dotted form.
    #[error("Invalid discard option")]
    Discard,
    /// No such way to detect zeroes; dotted form.
    #[error("invalid parameter value: {0}")]
    DetectZeroes(String),
    /// Zeroes are to be unmapped where nothing may be.
    #[error(
        "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap"
    )]
    UnmapWithoutDiscard,
    /// A writable image cannot be shared.
    #[error("force-share=on can only be used with read-only images")]
    SharedWritable,
    /// A name that is not a letter followed by letters, digits, `-`, `.` and `_`.
    #[error("Invalid node-name: '{0}'")]
    NodeName(String),
    /// A name of more than 31 bytes.
    #[error("Node name too long")]
    NodeNameTooLong,
    /// The children are not numbered from 0 on, or one is both a reference and a definition.
    #[error("Option children is not a valid array")]
    NotAnArray,
    /// An array without children.
    #[error("Number of provided children must be 1 or more")]
    NoChildren,
    /// A threshold that every request would reach.
    #[error("Parameter 'vote-threshold' expects a value >= 1")]
    ThresholdTooLow,
    /// A threshold that no request would reach.
    #[error("threshold may not exceed children count")]
    ThresholdTooHigh,
    /// blkverify compares two children and needs both to agree.
    #[error("blkverify=on can only be set if there are exactly two files and vote-threshold is 2")]
    Blkverify,
    /// blkverify reports a difference, rewriting removes it.
    #[error("rewrite-corrupted=on cannot be used with blkverify=on")]
    BlkverifyRewrite,
    /// A fifo array compares nothing. QEMU ignores blkverify there.
    #[error("blkverify=on cannot be used with read-pattern=fifo, which compares nothing")]
    FifoBlkverify,
    /// A fifo array finds nobody outvoted. QEMU ignores rewrite-corrupted there.
    #[error("rewrite-corrupted=on cannot be used with read-pattern=fifo, which never votes")]
    FifoRewrite,
    /// A node would have two votes. QEMU lets it.
    #[error("Node '{0}' cannot be two children of one quorum: it would have two votes")]
    SameNode(NodeName),
    /// A value that QEMU takes and this engine has no meaning for.
    #[error("{option} is not supported on a quorum: {reason}")]
    Refused {
        /// The option and its value.
        option: &'static str,
        /// What to do instead.
        reason: &'static str,
    },
    /// A name that is a value and a group of options at once; dotted form.
    #[error("Cannot mix scalar and non-scalar keys: '{0}'")]
    MixedKeys(String),
    /// A definition inside a definition inside a definition, and so on.
    #[error("Definitions are nested more than {DEPTH_MAX} levels deep")]
    TooDeep,
    /// The definition of a child is refused.
    #[error("{source}")]
    Child {
        /// Which child.
        index: usize,
        /// Why.
        source: Box<OptionsError>,
    },
}

impl OptionsError {
    /// The error number: `ERANGE` for a threshold out of range, `EINVAL` for everything else.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::ThresholdTooLow | Self::ThresholdTooHigh => Errno::ERANGE,
            // As quorum_open, which answers EINVAL whatever a child's own error was.
            _ => Errno::EINVAL,
        }
    }

    /// The class of a QMP error.
    #[must_use]
    pub fn class(&self) -> &'static str {
        QMP_CLASS
    }

    pub(super) fn of_child(self, index: usize) -> Self {
        Self::Child { index, source: Box::new(self) }
    }
}

/// Levels of definitions that are read.
pub(super) const DEPTH_MAX: usize = 32;

/// Every error that this crate words has this class in QEMU.
pub(crate) const QMP_CLASS: &str = "GenericError";
