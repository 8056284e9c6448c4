//! Which image of which volume is to be opened, and how.

use std::fmt;

/// A volume, and who knows where its bricks are.
///
/// Two images whose clusters are equal share a connection. All of it counts: volumes of one name on
/// two clusters are two volumes, and a connection has one log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cluster {
    /// Whom to ask, in this order; never empty.
    pub servers: Vec<Server>,
    /// The volume's name.
    pub volume: String,
    /// How much gluster logs: 0 for nothing to 9 for everything.
    pub debug: u8,
    /// Where gluster logs to; `-` is the standard error.
    pub logfile: String,
}

/// A volume-file server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// Over TCP.
    Inet {
        /// The name or address; an IPv6 address has no brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// Over a socket of this machine.
    Unix {
        /// The socket's path.
        path: String,
    },
}

/// glusterd's port.
pub const PORT: u16 = 24007;

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Inet { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => f.write_str(path),
        }
    }
}
