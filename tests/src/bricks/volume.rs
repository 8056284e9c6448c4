//! A world with a cluster in it, and shorthand for asking its volumes.

use bytes::Bytes;
use madsim::{Config, runtime::Runtime, time::TimeHandle};
use quorate_engine::gluster::{
    api::{Access, Connected, Done, File, Opened, ReadDone, Volume},
    options::{Cluster, PORT, Server},
};
use quorate_sim::gluster::{Brick, Settings, VolumeSpec, World};
use std::{sync::Arc, time::Duration};

/// The cluster that is there.
pub(super) const HOST: &str = "a";

pub(super) const SETTINGS: Settings = Settings {
    write_behind: true,
    keep_failed: false,
    ping_timeout: Duration::from_secs(2),
    stragglers: false,
    fails: None,
};

/// Lets a test happen beside a cluster with the volumes v0, v1 and v2.
pub(super) fn simulate<T>(test: impl AsyncFnOnce(&World) -> T) -> T {
    seeded(1, test)
}

pub(super) fn seeded<T>(seed: u64, test: impl AsyncFnOnce(&World) -> T) -> T {
    let mut runtime = Runtime::with_seed_and_config(seed, Config::default());
    runtime.set_time_limit(Duration::from_secs(10_000));
    runtime.block_on(async {
        let world = World::new();
        world.add_cluster(HOST, ["v0", "v1", "v2"].map(spec)).await;
        let result = test(&world).await;
        world.end().await;
        result
    })
}

pub(super) fn spec(name: &str) -> VolumeSpec {
    VolumeSpec { settings: SETTINGS, capacity: 64 << 20, ..VolumeSpec::new(name) }
}

/// A cluster as it is asked for.
pub(super) fn cluster(host: &str, volume: &str) -> Cluster {
    let servers = vec![Server::Inet { host: host.into(), port: PORT }];
    Cluster { servers, volume: volume.into(), debug: 4, logfile: "-".into() }
}

pub(super) async fn connect(world: &World, host: &str, volume: &str) -> Connected {
    world.gfapi().connect(&cluster(host, volume)).await
}

/// The volume v0 and its brick.
pub(super) async fn volume(world: &World) -> (Arc<dyn Volume>, Brick) {
    let volume = connect(world, HOST, "v0").await.expect("the volume is there");
    (volume, world.brick(HOST, "v0"))
}

/// The volume v0 without write-behind.
pub(super) async fn plain_volume(world: &World) -> (Arc<dyn Volume>, Brick) {
    world.brick(HOST, "v0").set(Settings { write_behind: false, ..SETTINGS });
    volume(world).await
}

pub(super) async fn open(volume: &dyn Volume, path: &str) -> Opened {
    volume.open(path, Access { write: true, direct: false }).await
}

/// A new file with these contents, on the brick.
pub(super) async fn create(volume: &dyn Volume, path: &str, contents: Vec<u8>) -> Arc<dyn File> {
    let file = volume.create(path).await.expect("the volume takes files");
    assert_eq!(write(&*file, 0, contents.clone()).await, ok(contents.len()));
    assert_eq!(file.fsync().await, ok(0));
    file
}

pub(super) async fn write(file: &dyn File, offset: u64, data: Vec<u8>) -> Done {
    file.pwrite(offset, data.into()).await
}

/// What was read, where nothing failed.
pub(super) async fn read(file: &dyn File, offset: u64, bytes: usize) -> Bytes {
    let ReadDone { done, buffer } = file.pread(offset, bytes).await;
    let read = usize::try_from(done.ret).unwrap_or_else(|_| panic!("{done:?}"));
    buffer.slice(..read)
}

pub(super) fn ok(ret: usize) -> Done {
    Done { ret: ret as i64, errno: 0 }
}

pub(super) fn error(errno: i32) -> Done {
    Done { ret: -1, errno }
}

/// What it comes to, and how many seconds it takes.
pub(super) async fn timed<T>(work: impl Future<Output = T>) -> (T, f64) {
    let clock = TimeHandle::current();
    let began = clock.elapsed();
    let result = work.await;
    (result, (clock.elapsed() - began).as_secs_f64())
}

pub(super) const EBADF: i32 = 9;
pub(super) const EBADFD: i32 = 77;
pub(super) const EFBIG: i32 = 27;
pub(super) const EINVAL: i32 = 22;
pub(super) const EIO: i32 = 5;
pub(super) const EISDIR: i32 = 21;
pub(super) const ENAMETOOLONG: i32 = 36;
pub(super) const ENOENT: i32 = 2;
pub(super) const ENOSPC: i32 = 28;
pub(super) const ENOTCONN: i32 = 107;
pub(super) const ENOTDIR: i32 = 20;
pub(super) const ENXIO: i32 = 6;
pub(super) const ETIMEDOUT: i32 = 110;
pub(super) const EDQUOT: i32 = 122;
