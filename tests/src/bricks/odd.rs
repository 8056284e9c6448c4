//! A libgfapi that is odd: as some version of it was, or is at times.

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use quorate_engine::{
    Result,
    gluster::{
        api::{
            Access, Connected, Done, File, Gfapi, Opened, ReadDone, Refusal, Seek, Stat, Volume,
        },
        options::Cluster,
    },
};
use std::sync::Arc;

/// What is odd about it. All else is what is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// What fails leaves no error number.
    Numberless,
    /// It cannot seek, and says where it stands.
    Seekless,
    /// A seek has found something before its start.
    Backwards,
}

impl Odd {
    fn done(self, done: Done) -> Done {
        if self == Self::Numberless { Done { errno: 0, ..done } } else { done }
    }

    fn refused(self, refusal: Refusal) -> Refusal {
        if self == Self::Numberless { Refusal { errno: 0, ..refusal } } else { refusal }
    }
}

/// It, over another.
pub(super) struct OddGfapi(pub(super) Odd, pub(super) Arc<dyn Gfapi>);

struct OddVolume(Odd, Arc<dyn Volume>);

struct OddFile(Odd, Arc<dyn File>);

impl Gfapi for OddGfapi {
    fn connect<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Connected> {
        let odd = self.0;
        let volume = move |volume| Arc::new(OddVolume(odd, volume)) as Arc<dyn Volume>;
        let connected = self.1.connect(cluster);
        connected.map(move |c| c.map(volume).map_err(|refusal| odd.refused(refusal))).boxed()
    }
}

impl OddVolume {
    fn opened<'a>(&self, opened: BoxFuture<'a, Opened>) -> BoxFuture<'a, Opened> {
        let odd = self.0;
        let file = move |file| Arc::new(OddFile(odd, file)) as Arc<dyn File>;
        opened.map(move |o| o.map(file).map_err(|refusal| odd.refused(refusal))).boxed()
    }
}

impl Volume for OddVolume {
    fn open<'a>(&'a self, path: &'a str, access: Access) -> BoxFuture<'a, Opened> {
        self.opened(self.1.open(path, access))
    }

    fn create<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Opened> {
        self.opened(self.1.create(path))
    }
}

impl OddFile {
    fn done<'a>(&self, done: BoxFuture<'a, Done>) -> BoxFuture<'a, Done> {
        let odd = self.0;
        done.map(move |done| odd.done(done)).boxed()
    }
}

impl File for OddFile {
    fn pread(&self, offset: u64, bytes: usize) -> BoxFuture<'_, ReadDone> {
        let odd = self.0;
        let read = self.1.pread(offset, bytes);
        read.map(move |read| ReadDone { done: odd.done(read.done), ..read }).boxed()
    }

    fn pwrite(&self, offset: u64, data: Bytes) -> BoxFuture<'_, Done> {
        self.done(self.1.pwrite(offset, data))
    }

    fn zerofill(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.done(self.1.zerofill(offset, bytes))
    }

    fn discard(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.done(self.1.discard(offset, bytes))
    }

    fn fsync(&self) -> BoxFuture<'_, Done> {
        self.done(self.1.fsync())
    }

    fn ftruncate(&self, bytes: u64) -> BoxFuture<'_, Done> {
        self.done(self.1.ftruncate(bytes))
    }

    fn fallocate(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.done(self.1.fallocate(offset, bytes))
    }

    fn seek(&self, offset: u64, what: Seek) -> BoxFuture<'_, Done> {
        let stands = |at: u64| Done { ret: at.cast_signed(), errno: 0 };
        let found = self.1.seek(offset, what);
        match self.0 {
            Odd::Seekless => Box::pin(async move { stands(offset) }),
            Odd::Backwards => found
                .map(move |done| if done.ret < 0 { done } else { stands(offset.saturating_sub(1)) })
                .boxed(),
            Odd::Numberless => self.done(found),
        }
    }

    fn stat(&self) -> BoxFuture<'_, Result<Stat>> {
        self.1.stat()
    }

    fn close(&self) -> BoxFuture<'_, Done> {
        self.done(self.1.close())
    }
}
