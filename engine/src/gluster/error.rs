//! Why an image cannot be had, with QEMU 10.0.2's texts wherever it has one.

use super::{api::Refusal, options::GlusterOptions};
use crate::{
    errno::Errno,
    quorum::{error::OpenError, options::OptionsError},
};
use std::fmt;
use thiserror::Error;

/// Why options are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GlusterOptionsError {
    /// The URI names no image.
    #[error("invalid URI {uri}: {fault}\nUsage: {USAGE}")]
    Uri {
        /// The URI.
        uri: String,
        /// What is wrong with it.
        fault: UriFault,
    },
    /// An option of any node is refused, or has the wrong type.
    #[error(transparent)]
    Common(#[from] OptionsError),
    /// A server that is reached neither over TCP nor over a socket.
    #[error("Parameter 'type' may be 'inet' or 'unix'\nhint: check in 'server' array index '{0}'")]
    ServerType(usize),
    /// What QEMU's addresses have and gluster's have not.
    #[error("Parameter{0} not supported\nhint: check in 'server' array index '{1}'")]
    Address(&'static str, usize),
    /// Two names of one thing.
    #[error(
        "Conflicting parameters 'path' and 'socket'\nhint: check in 'server' array index '{0}'"
    )]
    TwoPaths(usize),
    /// Not a port.
    #[error("'{0}' is not a valid port number: write 1 to 65535, or 0 for 24007")]
    Port(String),
    /// Something that has to be there is empty.
    #[error("The {0} of a gluster image must not be empty")]
    Empty(&'static str),
    /// Volumes have simple names.
    #[error("'{0}' is not a gluster volume: its name contains a slash")]
    Volume(String),
    /// C ends a text at its first zero byte.
    #[error("The {0} of a gluster image must not contain a zero byte")]
    Nul(&'static str),
    /// A value that QEMU takes and this engine has no meaning for.
    #[error("{option} is not supported on a gluster image: {reason}")]
    Refused {
        /// The option and its value.
        option: &'static str,
        /// Why, or what to do instead.
        reason: &'static str,
    },
}

impl GlusterOptionsError {
    /// The error number, always `EINVAL`.
    #[must_use]
    pub fn errno(&self) -> Errno {
        Errno::EINVAL
    }
}

impl From<GlusterOptionsError> for OpenError {
    fn from(error: GlusterOptionsError) -> Self {
        match error {
            GlusterOptionsError::Common(error) => Self::Options(error),
            error => Self::Device { errno: error.errno(), text: error.to_string() },
        }
    }
}

/// What is wrong with a URI. QEMU says for all of them that the URI is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UriFault {
    /// Not what RFC 3986 calls a URI or a relative reference.
    #[error("{0}; every other character is written as % and two hexadecimal digits")]
    Syntax(String),
    /// Something else than gluster.
    #[error("its scheme is '{0}'")]
    Scheme(String),
    /// A transport that gluster has given up.
    #[error("gluster has no RDMA any more, write gluster+tcp")]
    Rdma,
    /// No volume, or no image on it.
    #[error("it does not name a volume and an image on it")]
    Path,
    /// A path that depends on who reads it.
    #[error("its path contains '.' or '..'; write the path without them")]
    Dots,
    /// A zero byte, or not UTF-8.
    #[error("its {0} is not UTF-8 without zero bytes")]
    Text(&'static str),
    /// An address in brackets that no socket takes.
    #[error("'{0}' is not an address; a link-local one cannot be given in a URI")]
    Address(String),
    /// A port that cannot be.
    #[error("'{0}' is not a port: write 1 to 65535, or none for 24007")]
    Port(String),
    /// A parameter that means nothing here.
    #[error("it has the parameter '{0}', and only gluster+unix takes one, 'socket=path'")]
    Parameter(String),
    /// Over a socket, and which one is not said.
    #[error("gluster+unix needs the parameter 'socket=path'")]
    NoSocket,
    /// Two sockets. QEMU takes the last.
    #[error("it names two sockets")]
    TwoSockets,
    /// Over a socket of this machine and to a host.
    #[error("gluster+unix takes neither host nor port")]
    HostAndSocket,
}

/// Why an image cannot be opened or created.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GlusterError {
    /// There is no connection to the volume.
    #[error(
        "Gluster connection for volume {}, path {} failed to connect: {refusal}\nhint: failed on \
         {}. Please refer to gluster logs for more info",
        .options.cluster().volume, .options.path(), .options.servers()
    )]
    Connect {
        /// The image.
        options: Box<GlusterOptions>,
        /// What gluster says.
        refusal: Refusal,
    },
    /// The volume is there, the file cannot be opened.
    #[error("Could not open '{options}': {refusal}")]
    Open {
        /// The image.
        options: Box<GlusterOptions>,
        /// What gluster says.
        refusal: Refusal,
    },
    /// The file is open and has no length.
    #[error("Could not refresh total sector count of '{options}': {}", .errno.message())]
    Length {
        /// The image.
        options: Box<GlusterOptions>,
        /// The error number.
        errno: Errno,
    },
    /// No file can be that long.
    #[error("An image of {0} bytes is too long: a file ends below 2^63")]
    TooLong(u64),
    /// The file cannot be created. Nothing has changed.
    #[error("Could not create '{options}': {refusal}")]
    Create {
        /// The image.
        options: Box<GlusterOptions>,
        /// What gluster says.
        refusal: Refusal,
    },
    /// The file was created and did not become what it should be.
    #[error(
        "Could not make '{options}' {bytes} bytes long: {}; {}, remove it or create it again",
        .errno.message(),
        if *.emptied { "an empty file is left" } else { "an unfinished file is left" }
    )]
    Unfinished {
        /// The image.
        options: Box<GlusterOptions>,
        /// How long it should be.
        bytes: u64,
        /// The error number of whatever failed first.
        errno: Errno,
        /// Whether it could be emptied.
        emptied: bool,
    },
}

impl GlusterError {
    /// The error number.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Connect { refusal, .. }
            | Self::Open { refusal, .. }
            | Self::Create { refusal, .. } => refusal.number(),
            Self::Length { errno, .. } | Self::Unfinished { errno, .. } => *errno,
            Self::TooLong(_) => Errno::EFBIG,
        }
    }
}

impl From<GlusterError> for OpenError {
    fn from(error: GlusterError) -> Self {
        Self::Device { errno: error.errno(), text: error.to_string() }
    }
}

impl Refusal {
    /// The error number, `EIO` where the library left none.
    #[must_use]
    pub fn number(&self) -> Errno {
        Errno::from_number(self.errno).unwrap_or(Errno::EIO)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Errno::from_number(self.errno) {
            Some(errno) => f.write_str(&errno.message())?,
            None => f.write_str("gluster gives no reason")?,
        }
        self.text.as_ref().map_or(Ok(()), |text| write!(f, ": {text}"))
    }
}

/// How a URI is written.
const USAGE: &str = "gluster[+tcp|+unix]://[host[:port]]/volume/path[?socket=path]";
