//! Which image of which volume is to be opened, and how.

use super::{error::GlusterOptionsError, json, uri};
use crate::{
    event::NodeName,
    quorum::options::{OptionsError, check_node_name},
};
use serde_json::Value;
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

/// The options of one image, of which no refused combination exists.
///
/// ```
/// # use quorate_engine::gluster::options::{GlusterOptions, Server};
/// let options = GlusterOptions::from_uri("gluster://10.0.0.1/pictures/2026/may.img")?;
/// let server = Server::Inet { host: "10.0.0.1".into(), port: 24007 };
/// assert_eq!(options.cluster().servers, [server.clone()]);
/// assert_eq!((&*options.cluster().volume, options.path()), ("pictures", "2026/may.img"));
///
/// let built = GlusterOptions::builder("pictures", "2026/may.img").server(server).build()?;
/// assert_eq!(built, options);
/// # Ok::<(), quorate_engine::gluster::GlusterOptionsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlusterOptions {
    pub(super) node_name: NodeName,
    pub(super) cluster: Cluster,
    pub(super) path: String,
    pub(super) read_only: bool,
    pub(super) auto_read_only: bool,
    pub(super) force_share: bool,
    pub(super) direct: bool,
    pub(super) no_flush: bool,
    pub(super) unmap: bool,
}

impl GlusterOptions {
    /// Options with the defaults: for writing, through the caches of the bricks, and discards change
    /// nothing. At least one server is to be added.
    pub fn builder(volume: impl Into<String>, path: impl Into<String>) -> GlusterBuilder {
        GlusterBuilder(Self::new(Vec::new(), volume.into(), path.into()))
    }

    /// Options with the defaults from `gluster[+tcp|+unix]://[host[:port]]/volume/path[?socket=path]`.
    ///
    /// The scheme may be absent (`//host/volume/path`, `/volume/path`), and so may the host, which is
    /// localhost then, and the port, which is 24007 then, as where it is 0. Slashes between host,
    /// volume and path do not count. Every part is decoded before it is looked at, so `%2F` separates
    /// like a slash. Userinfo and fragment are ignored, as QEMU does.
    ///
    /// # Errors
    /// It names no image, or not in one way only.
    pub fn from_uri(uri: &str) -> Result<Self, GlusterOptionsError> {
        let located = uri::parse(uri)?;
        Self::new(vec![located.server], located.volume, located.path).checked()
    }

    /// Options from the object that QMP's `blockdev-add` takes; `driver` may be absent.
    ///
    /// Also as [`QuorumOptions::from_dotted`](crate::QuorumOptions::from_dotted) leaves it of a
    /// command line: flags and numbers may be texts there, and `filename` may hold a URI in place of
    /// `volume`, `path` and `server`.
    ///
    /// # Errors
    /// What QEMU refuses, in its words and order, and what the engine refuses beyond that.
    pub fn from_json(value: &Value) -> Result<Self, GlusterOptionsError> {
        json::parse(value)
    }

    /// The node as `blockdev-add` takes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json::print(self)
    }

    /// The same options, to be changed.
    pub fn change(self) -> GlusterBuilder {
        GlusterBuilder(self)
    }

    /// The name of the image's node; empty where nobody named it.
    #[must_use]
    pub fn node_name(&self) -> &NodeName {
        &self.node_name
    }

    /// The volume and its servers.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The image's path on the volume.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// Whether writes are refused where the image cannot be opened for them.
    #[must_use]
    pub fn auto_read_only(&self) -> bool {
        self.auto_read_only
    }

    /// Whether requests go past the page caches of the bricks, in blocks of 512 bytes.
    #[must_use]
    pub fn direct(&self) -> bool {
        self.direct
    }

    /// Whether a flush does nothing.
    #[must_use]
    pub fn no_flush(&self) -> bool {
        self.no_flush
    }

    /// Whether a discard gives space back.
    #[must_use]
    pub fn unmap(&self) -> bool {
        self.unmap
    }

    pub(super) fn new(servers: Vec<Server>, volume: String, path: String) -> Self {
        Self {
            node_name: "".into(),
            cluster: Cluster { servers, volume, debug: DEBUG, logfile: LOGFILE.into() },
            path,
            read_only: false,
            auto_read_only: false,
            force_share: false,
            direct: false,
            no_flush: false,
            unmap: false,
        }
    }

    /// What no door lets through.
    pub(super) fn checked(mut self) -> Result<Self, GlusterOptionsError> {
        if !self.node_name.as_str().is_empty() {
            check_node_name(self.node_name.as_str())?;
        }
        let Cluster { servers, volume, logfile, .. } = &mut self.cluster;
        if servers.is_empty() {
            return Err(OptionsError::Missing("server".into()).into());
        }
        text("volume", volume)?;
        if volume.contains('/') {
            return Err(GlusterOptionsError::Volume(volume.clone()));
        }
        text("path", &self.path)?;
        text("logfile", logfile)?;
        for server in servers {
            match server {
                Server::Inet { host, port } => {
                    text("host", host)?;
                    *port = if *port == 0 { PORT } else { *port };
                }
                Server::Unix { path } => text("socket", path)?,
            }
        }
        Ok(self)
    }

    /// The servers, for people.
    pub(super) fn servers(&self) -> String {
        let servers: Vec<_> = self.cluster.servers.iter().map(Server::to_string).collect();
        servers.join(", ")
    }
}

/// Volume, path and servers.
impl fmt::Display for GlusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.trim_start_matches('/');
        write!(f, "{}/{path} on {}", self.cluster.volume, self.servers())
    }
}

/// Options of an image in the making.
#[must_use]
#[derive(Clone, Debug)]
pub struct GlusterBuilder(GlusterOptions);

impl GlusterBuilder {
    /// Adds a server, to be asked after those that were added before.
    pub fn server(mut self, server: Server) -> Self {
        self.0.cluster.servers.push(server);
        self
    }

    /// Sets how much gluster logs: 0 for nothing to 9, which any larger number means, too.
    pub fn debug(mut self, debug: u8) -> Self {
        self.0.cluster.debug = debug.min(DEBUG_MAX);
        self
    }

    /// Sets where gluster logs to; `-` is the standard error.
    pub fn logfile(mut self, logfile: impl Into<String>) -> Self {
        self.0.cluster.logfile = logfile.into();
        self
    }

    /// Names the image's node.
    pub fn node_name(mut self, node_name: impl Into<NodeName>) -> Self {
        self.0.node_name = node_name.into();
        self
    }

    /// Sets whether writes are refused.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.0.read_only = read_only;
        self
    }

    /// Sets whether writes are refused where the image cannot be opened for them.
    pub fn auto_read_only(mut self, auto_read_only: bool) -> Self {
        self.0.auto_read_only = auto_read_only;
        self
    }

    /// Sets whether requests go past the page caches of the bricks.
    pub fn direct(mut self, direct: bool) -> Self {
        self.0.direct = direct;
        self
    }

    /// Sets whether a flush does nothing.
    pub fn no_flush(mut self, no_flush: bool) -> Self {
        self.0.no_flush = no_flush;
        self
    }

    /// Sets whether a discard gives space back.
    pub fn unmap(mut self, unmap: bool) -> Self {
        self.0.unmap = unmap;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// There is no server, or a text is empty or has a zero byte in it.
    pub fn build(self) -> Result<GlusterOptions, GlusterOptionsError> {
        self.0.checked()
    }
}

/// Texts become C's.
fn text(what: &'static str, text: &str) -> Result<(), GlusterOptionsError> {
    if text.is_empty() {
        return Err(GlusterOptionsError::Empty(what));
    }
    if text.contains('\0') { Err(GlusterOptionsError::Nul(what)) } else { Ok(()) }
}

/// How much gluster logs where nobody says, and at most.
pub(super) const DEBUG: u8 = 4;
pub(super) const DEBUG_MAX: u8 = 9;

/// The standard error.
const LOGFILE: &str = "-";
