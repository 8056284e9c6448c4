//! Gluster volumes, through the real libgfapi.
//!
//! [`Libgfapi`] is a [`Gfapi`], so the engine's driver works over it. The library is loaded when the
//! program runs; nothing of gluster is needed to build.
//!
//! - `connect`: servers are tried first, as libgfapi itself waits 42 s for one that does not answer,
//! - `instance`: every call of libgfapi that is made, and what it demands,
//! - `call`: a call that was begun, its buffer, and the callback,
//! - `turns`: calls whose ranges overlap, which libgfapi does not keep in order,
//! - `file`: an open file.
//!
//! What is odd about libgfapi's answers is left to the driver. Only what would make an answer wrong or
//! lose it is dealt with here: a file is closed once its calls have answered, as closing it earlier drops
//! their callbacks; seeking has a descriptor of its own, as it races with I/O on the same; and offsets
//! that no file has are refused, as gluster acknowledges writes there.

#![expect(unsafe_code, reason = "calls into a library in C")]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod call;
mod connect;
mod errno;
mod file;
mod instance;
mod turns;

use futures_util::future::BoxFuture;
use glusterfs_sys::{Api, LoadError};
use quorate_engine::gluster::{
    api::{Connected, Gfapi},
    options::Cluster,
};
use std::time::Duration;

/// Clusters that are reached through libgfapi.
#[derive(Clone, Copy, Debug)]
pub struct Libgfapi {
    api: &'static Api,
    patience: Patience,
}

/// How long a connection may take to come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until a server takes a connection.
    pub server: Duration,
    /// From then on until the volume is there. libgfapi goes on in the background, and what comes of
    /// it is let go.
    pub volume: Duration,
}

impl Patience {
    /// Five seconds for a server and thirty for a volume, which usually takes a fiftieth of one.
    pub const USUAL: Self =
        Self { server: Duration::from_secs(5), volume: Duration::from_secs(30) };
}

impl Libgfapi {
    /// Over the library of this machine.
    ///
    /// # Errors
    /// It cannot be loaded, or is too old.
    pub fn load(patience: Patience) -> Result<Self, &'static LoadError> {
        Ok(Self { api: Api::load()?, patience })
    }

    /// Over any functions that behave as libgfapi's do.
    ///
    /// # Safety
    /// They do what `glusterfs/api/glfs.h` says, whichever thread calls them: pointers that they gave
    /// are valid until they are given to `glfs_close` or `glfs_fini`; a submission that succeeds leads to
    /// at most one callback with its `data`, one that fails to none; and the memory of a read has been
    /// written, as much of it as the callback is told, and is not touched after that.
    #[must_use]
    pub unsafe fn over(api: &'static Api, patience: Patience) -> Self {
        Self { api, patience }
    }
}

impl Gfapi for Libgfapi {
    fn connect<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Connected> {
        Box::pin(async {
            let (api, patience, cluster) = (self.api, self.patience, cluster.clone());
            quorate_pool::run(move || connect::connect(api, patience, &cluster)).await
        })
    }
}
