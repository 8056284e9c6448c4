//! What goes over the simulated network.

use bytes::Bytes;
use madsim::net::{Endpoint, Receiver, Sender};
use quorate_engine::{
    Result,
    gluster::api::{Access, Seek, Stat},
};
use std::{any::Any, io, net::SocketAddr, time::Duration};

/// To a volume-file server: where a volume's brick is. The answer is an `Option<SocketAddr>`.
pub(super) struct Where(pub(super) String);

/// To a brick.
pub(super) struct Request {
    pub(super) id: u64,
    /// When it arrives at the earliest, by the time since the runtime began.
    pub(super) not_before: Duration,
    pub(super) ask: Ask,
}

/// What a brick is asked.
pub(super) enum Ask {
    /// The first of a connection: who is there.
    Hello {
        client: u64,
        /// Whether what it has sent over another connection is to be done before.
        waits: bool,
    },
    Open {
        path: String,
    },
    Create {
        path: String,
    },
    Of(Opened, What),
}

/// A file as it was opened.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub(super) file: u64,
    pub(super) access: Access,
}

/// What is asked of a file.
pub(super) enum What {
    Read {
        offset: u64,
        bytes: usize,
    },
    Write {
        offset: u64,
        data: Bytes,
    },
    Zerofill {
        offset: u64,
        bytes: u64,
    },
    Discard {
        offset: u64,
        bytes: u64,
    },
    Truncate {
        bytes: u64,
    },
    Allocate {
        offset: u64,
        bytes: u64,
    },
    Seek {
        offset: u64,
        what: Seek,
    },
    Stat,
    /// An fsync.
    Sync,
    /// Before a close.
    Flush,
}

/// A brick's answer.
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) answer: Result<Given>,
}

/// What an answer gives.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A count, or where a seek ended.
    Count(u64),
    /// What was read, and how long the file is.
    Data(Bytes, Stat),
    Stat(Stat),
    File(u64),
}

impl Given {
    /// The count of what gives one.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Data(..) | Self::Stat(_) | Self::File(_) => 0,
        }
    }
}

/// Opens a connection from the node that this runs on.
pub(super) async fn dial(to: SocketAddr) -> io::Result<(Sender, Receiver)> {
    Endpoint::bind(ANY).await?.connect1(to).await
}

/// The next message of a connection; none once the other side has gone away.
pub(super) async fn receive<T: Any>(receiver: &mut Receiver) -> Option<T> {
    let message = receiver.recv().await.ok()?;
    Some(*message.downcast().expect("each side knows what the other says"))
}

const ANY: &str = "0.0.0.0:0";
