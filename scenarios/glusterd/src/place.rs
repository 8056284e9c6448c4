//! Where a glusterd runs, as people write it.

use std::{fmt, str::FromStr};
use thiserror::Error;

/// Where a glusterd runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In private namespaces of this machine, beside this program.
    Namespace,
    /// In a container of podman or docker.
    Container,
    /// It is there already.
    Host(Host),
}

/// A cluster that is there already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Its name or address; an IPv6 address has no brackets.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// The volumes that may be used, of which there is one for each child; if there is none here, they are
    /// quorate-0, quorate-1 and so on.
    pub volumes: Vec<String>,
}

/// What names no place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{text}' is no place for a glusterd: {why}")]
pub struct PlaceError {
    text: String,
    why: &'static str,
}

impl PlaceError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        "write namespace, container, or HOST[:PORT] of a server that is there, such as 10.0.0.1 or [fd00::1]:24007"
    }
}

/// `namespace`, `container` or `HOST[:PORT]`.
impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let refuse = |why| Err(PlaceError { text: text.into(), why });
        match text {
            "namespace" => return Ok(Self::Namespace),
            "container" => return Ok(Self::Container),
            _ => (),
        }
        let (name, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((name, ""))) => (name, None),
            Some(Some((name, rest))) => match rest.strip_prefix(':') {
                Some(port) => (name, Some(port)),
                None => return refuse("something follows the bracket that is no port"),
            },
            Some(None) => return refuse("the bracket is not closed"),
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return refuse("an IPv6 address is written in brackets");
                }
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        if name.is_empty() {
            return refuse("the host has no name");
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if name.starts_with('-') || !name.chars().all(legal) {
            return refuse("no host has this name");
        }
        let port = match port.map(str::parse) {
            None => PORT,
            Some(Ok(port)) if port != 0 => port,
            Some(_) => return refuse("a port is a number from 1 to 65535"),
        };
        Ok(Self::Host(Host { name: name.into(), port, volumes: Vec::new() }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace => f.write_str("namespace"),
            Self::Container => f.write_str("container"),
            Self::Host(host) => host.fmt(f),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

/// glusterd's port.
pub(crate) use quorate_engine::gluster::options::PORT;
