//! What is worth knowing beside the answers.

use crate::errno::Errno;
use std::fmt;

/// Something about an image that no answer says, or not to everybody whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A flush failed. What was written may be lost, and gluster says so only once.
    Ejected {
        /// The image.
        image: String,
        /// The error number of the flush.
        errno: Errno,
    },
    /// The image could not be opened for writing, and was to be opened read-only then.
    OpenedReadOnly {
        /// The image.
        image: String,
        /// The error number of the first try.
        errno: Errno,
    },
    /// The image went away and nobody had waited for its close. Writes that were acknowledged may
    /// have failed.
    NotClosed {
        /// The image.
        image: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ejected { image, errno } => write!(
                f,
                "{image}: a flush failed ({}): acknowledged writes may be lost, so every later \
                 request fails; open the image again once gluster is well",
                errno.message()
            ),
            Self::OpenedReadOnly { image, errno } => {
                write!(f, "{image}: opened read-only, not for writing: {}", errno.message())
            }
            Self::NotClosed { image } => write!(
                f,
                "{image}: not closed: whether its last writes succeeded was not asked, close it \
                 before it is dropped"
            ),
        }
    }
}

/// Where notices go.
///
/// Called while a request runs, often from several threads; must not block.
pub trait Notices: Send + Sync {
    /// Takes one notice.
    fn notice(&self, notice: Notice);
}

impl<F: Fn(Notice) + Send + Sync> Notices for F {
    fn notice(&self, notice: Notice) {
        self(notice);
    }
}

/// Drops every notice.
impl Notices for () {
    fn notice(&self, _: Notice) {}
}
