//! The volumes, and shorthand for asking them.

use bytes::Bytes;
use futures_lite::future::block_on;
use quorate_engine::gluster::{
    api::{Access, Connected, Done, File, Gfapi, Opened, ReadDone, Volume},
    options::{Cluster, Server},
};
use quorate_gfapi::{Libgfapi, Patience};
use quorate_glusterd::{Glusterd, Wanted};
use std::{sync::Arc, time::Duration};

/// The volume to which nothing happens.
pub(crate) const PLAIN: usize = 0;

/// The volume whose brick dies and comes back.
pub(crate) const MORTAL: usize = 1;

/// The volume whose brick is soon full.
pub(crate) const SMALL: usize = 2;

/// The volumes of the tests.
pub(crate) fn wanted() -> [Wanted; 3] {
    let small = Wanted { space: Some(16 << 20), ..Wanted::default() };
    [Wanted::default(), Wanted::default(), small]
}

/// Longer than anything here takes, and shorter than what libgfapi waits by itself.
pub(crate) const PATIENCE: Patience =
    Patience { server: Duration::from_secs(2), volume: Duration::from_secs(20) };

/// For a glusterd to come up, or to do one thing.
pub(crate) const PATIENT: Duration = Duration::from_secs(60);

pub(crate) fn glusterd(its: &Glusterd) -> Server {
    let (host, port) = its.server();
    Server::Inet { host: host.into(), port }
}

pub(crate) fn connect(servers: Vec<Server>, volume: &str, patience: Patience) -> Connected {
    let cluster = Cluster { servers, volume: volume.into(), debug: 4, logfile: "/dev/null".into() };
    block_on(library(patience).connect(&cluster))
}

pub(crate) fn library(patience: Patience) -> Libgfapi {
    Libgfapi::load(patience).expect("it was there")
}

pub(crate) fn volume(its: &Glusterd, n: usize) -> Arc<dyn Volume> {
    connect(vec![glusterd(its)], its.volume(n), PATIENCE).expect("the volume is there")
}

pub(crate) fn open(volume: &dyn Volume, path: &str) -> Opened {
    block_on(volume.open(path, Access { write: true, direct: false }))
}

/// A new file with these contents, on the medium.
pub(crate) fn create(volume: &dyn Volume, path: &str, contents: Vec<u8>) -> Arc<dyn File> {
    let file = block_on(volume.create(path)).expect("the volume takes files");
    let bytes = i64::try_from(contents.len()).expect("a short file");
    assert_eq!(write(&*file, 0, contents), ok(bytes));
    assert_eq!(block_on(file.fsync()), ok(0));
    file
}

pub(crate) fn write(file: &dyn File, offset: u64, data: Vec<u8>) -> Done {
    block_on(file.pwrite(offset, data.into()))
}

/// What was read, where nothing failed.
pub(crate) fn read(file: &dyn File, offset: u64, bytes: usize) -> Bytes {
    let ReadDone { done, buffer } = block_on(file.pread(offset, bytes));
    let read = usize::try_from(done.ret).unwrap_or_else(|_| panic!("{done:?}"));
    buffer.slice(..read)
}

pub(crate) fn ok(ret: i64) -> Done {
    Done { ret, errno: 0 }
}

pub(crate) fn error(errno: i32) -> Done {
    Done { ret: -1, errno }
}
