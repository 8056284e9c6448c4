//! The engine's driver and arrays over simulated clusters.

use super::volume::{HOST, SETTINGS, seeded, simulate, spec};
use futures_util::{FutureExt, future::join};
use madsim::{
    rand::{Rng, thread_rng},
    time::sleep,
};
use quorate_engine::{
    BlockDevice, Errno, Event, Flags, Gluster, GlusterOptions, Prealloc, Quorum, QuorumOptions,
    gluster::{Client, Notice, create},
};
use quorate_sim::gluster::{Brick, Settings, World};
use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What was told, in order.
pub(super) struct Told<T>(Arc<Mutex<Vec<T>>>);

impl<T: Send + 'static> Told<T> {
    /// And who tells.
    fn by() -> (impl Fn(T) + Send + Sync, Self) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let told_here = told.clone();
        let tell = move |what| told_here.lock().expect("no test goes on after a panic").push(what);
        (tell, Self(told))
    }

    fn take(&self) -> Vec<T> {
        mem::take(&mut *self.0.lock().expect("no test goes on after a panic"))
    }
}

/// A client, and what it has to say beside its answers.
pub(super) fn client(world: &World) -> (Client, Told<Notice>) {
    let (tell, told) = Told::by();
    (Client::new(world.gfapi(), Arc::new(tell)), told)
}

pub(super) fn options(host: &str, volume: &str) -> GlusterOptions {
    GlusterOptions::from_uri(&format!("gluster://{host}/{volume}/i")).expect("a URI")
}

/// A new image of this length.
pub(super) async fn image(client: &Client, options: GlusterOptions, bytes: u64) -> Arc<Gluster> {
    create(&options, bytes, Prealloc::Off, client).await.expect("it can be made");
    Gluster::open(options, client).await.expect("it was made")
}

/// An array over new images, and what it reports.
pub(super) async fn array(
    client: &Client,
    images: &[(&str, &str)],
    bytes: u64,
) -> (Quorum, Told<Event>) {
    let mut builder = QuorumOptions::builder("q", images.len() / 2 + 1);
    for (i, (host, volume)) in images.iter().enumerate() {
        builder = builder.child(format!("c{i}"), image(client, options(host, volume), bytes).await);
    }
    let (tell, told) = Told::by();
    let options = builder.build().expect("valid options");
    let array = Quorum::open(options, &(), Arc::new(tell)).await;
    (array.expect("its children have one length"), told)
}

/// S35: by the volume's name alone both images would be on the first cluster.
#[test]
fn an_array_over_two_clusters_with_volumes_of_one_name_has_two_replicas() {
    simulate(async |world| {
        world.add_cluster("b", ["v0"].map(spec)).await;
        let (client, _) = client(world);
        let (array, told) = array(&client, &[(HOST, "v0"), ("b", "v0")], 1 << 20).await;
        array.pwrite(4096, vec![7; 512].into(), Flags::NONE).await.unwrap();
        array.flush().await.unwrap();
        for host in [HOST, "b"] {
            let replica = world.brick(host, "v0").contents("i").unwrap();
            assert_eq!(replica[4096..4608], [7; 512], "{host}");
        }
        assert!(world.brick("b", "v0").overwrite("i", 4096, &[8]));
        assert_eq!(array.pread(4096, 512).await, Err(Errno::EIO), "which QEMU would not notice");
        assert_eq!(told.take().len(), 1);
        array.close().await.unwrap();
    });
}

/// What is done to a brick.
type Act = fn(&Brick);

/// What can happen to a brick, and what mends it.
const DISTURBANCES: [(&str, Act, Act); 6] = [
    ("killed", Brick::kill, |_| ()),
    ("killed for a while", Brick::kill, Brick::start),
    ("paused", Brick::pause, Brick::resume),
    ("partitioned", Brick::partition, Brick::heal),
    ("cut", Brick::cut, |_| ()),
    ("full", Brick::fill_up, |_| ()),
];

#[test]
fn an_array_over_three_volumes_outlives_a_brick_in_a_workload() {
    let runs = DISTURBANCES.iter().flat_map(|what| [(what, false), (what, true)]);
    for (seed, ((name, disturb, mend), write_behind)) in (0..).zip(runs) {
        let run = format!("seed {seed}, {name}, write-behind {write_behind}");
        seeded(seed, async |world| {
            for volume in ["v0", "v1", "v2"] {
                world.brick(HOST, volume).set(Settings { write_behind, ..SETTINGS });
            }
            let (client, _) = client(world);
            let images = ["v0", "v1", "v2"].map(|volume| (HOST, volume));
            let (array, told) = array(&client, &images, 64 << 10).await;
            let mut content = vec![0; 64 << 10];
            for step in 0..200 {
                match step {
                    5 => disturb(&world.brick(HOST, "v1")),
                    100 => mend(&world.brick(HOST, "v1")),
                    _ => {}
                }
                let sector = thread_rng().gen_range(0..120);
                let range = sector * 512..(sector + thread_rng().gen_range(1..8)) * 512;
                if thread_rng().gen_ratio(1, 2) {
                    let byte = thread_rng().r#gen();
                    let data = vec![byte; range.len()];
                    let written = array.pwrite(range.start as u64, data.into(), Flags::NONE).await;
                    assert_eq!(written, Ok(()), "{run}, step {step}");
                    content[range].fill(byte);
                } else {
                    let read = array.pread(range.start as u64, range.len()).await;
                    assert!(read == Ok(content[range].to_vec().into()), "{run}, step {step}");
                }
                if step % 10 == 0 {
                    assert_eq!(array.flush().await, Ok(()), "{run}, step {step}");
                }
            }
            assert_eq!(array.flush().await, Ok(()), "{run}");
            for volume in ["v0", "v2"] {
                let replica = world.brick(HOST, volume).contents("i").unwrap();
                assert!(replica == content, "{run}: {volume}");
            }
            let events = told.take();
            assert!(
                !events.is_empty() && events.iter().all(blames_the_second),
                "{run}: {events:?}"
            );
        });
    }
}

fn blames_the_second(event: &Event) -> bool {
    match event {
        Event::ReportBad { node_name, .. } => node_name.as_str() == "c1",
        Event::Failure { .. } | Event::Mismatch { .. } => false,
    }
}

#[test]
fn a_replica_that_was_changed_behind_gluster_is_outvoted() {
    for change in [
        |brick: &Brick| brick.overwrite("i", 100, &[9]),
        |brick: &Brick| brick.truncate("i", 100),
        |brick: &Brick| brick.truncate("i", 0),
    ] {
        simulate(async |world| {
            let (client, _) = client(world);
            let images = ["v0", "v1", "v2"].map(|volume| (HOST, volume));
            let (array, told) = array(&client, &images, 1 << 20).await;
            array.pwrite(0, vec![1; 4096].into(), Flags::NONE).await.unwrap();
            array.flush().await.unwrap();
            assert!(change(&world.brick(HOST, "v1")));
            assert_eq!(array.pread(0, 4096).await.unwrap(), [1; 4096].as_slice());
            let events = told.take();
            assert!(events.len() == 1 && events.iter().all(blames_the_second), "{events:?}");
        });
    }
}

#[test]
fn the_tail_of_an_image_of_odd_length_can_be_read() {
    simulate(async |world| {
        let (client, _) = client(world);
        world.brick(HOST, "v0").put("i", &[1; 10_007]);
        let plain = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
        assert_eq!(plain.length().await, Ok(10_007));
        assert_eq!(plain.pread(10_000, 7).await.unwrap(), [1; 7].as_slice());
        assert_eq!(plain.pread(10_000, 8).await, Err(Errno::EINVAL));
        let direct = options(HOST, "v0").change().direct(true).build().unwrap();
        let direct = Gluster::open(direct, &client).await.unwrap();
        assert_eq!(direct.length().await, Ok(10_240));
        let tail = [vec![1; 10_007 - 9728], vec![0; 10_240 - 10_007]].concat();
        assert_eq!(direct.pread(9728, 512).await.unwrap(), tail);
    });
}

#[test]
fn a_short_write_is_an_error() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        brick.set(Settings { write_behind: false, ..SETTINGS });
        let (client, _) = client(world);
        let image = image(&client, options(HOST, "v0"), 1 << 20).await;
        brick.limit(4096, Errno::ENOSPC);
        let write = image.pwrite(0, vec![1; 8192].into(), Flags::NONE).await;
        assert_eq!(write, Err(Errno::EIO));
        let write = image.pwrite(4096, vec![1; 8192].into(), Flags::NONE).await;
        assert_eq!(write, Err(Errno::ENOSPC));
        assert_eq!(image.pwrite(0, vec![2; 512].into(), Flags::NONE).await, Ok(()));
        assert_eq!(image.flush().await, Ok(()));
    });
}

#[test]
fn a_failed_fsync_ejects_the_image_and_says_so() {
    for keep_failed in [false, true] {
        simulate(async |world| {
            let brick = world.brick(HOST, "v0");
            brick.set(Settings { keep_failed, ..SETTINGS });
            let (client, told) = client(world);
            let image = image(&client, options(HOST, "v0"), 1 << 20).await;
            brick.fill_up();
            let data = vec![1; 512];
            assert_eq!(image.pwrite(4096, data.into(), Flags::NONE).await, Ok(()));
            assert_eq!(image.flush().await, Err(Errno::ENOSPC));
            assert_eq!(image.flush().await, Err(Errno::ENOMEDIUM));
            assert_eq!(image.pread(0, 512).await, Err(Errno::ENOMEDIUM));
            assert_eq!(image.close().await, Err(Errno::ENOSPC));
            let name = options(HOST, "v0").to_string();
            let ejected = Notice::Ejected { image: name, errno: Errno::ENOSPC };
            assert_eq!(told.take(), [ejected]);
            sleep(Duration::from_secs(1)).await;
            brick.limit(1 << 20, Errno::ENOSPC);
            let again = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
            assert_eq!(again.pread(4096, 512).await.unwrap(), [0; 512].as_slice(), "it is lost");
            assert_eq!(again.close().await, Ok(()));
        });
    }
}

/// Gluster tells a loss once: whoever flushes next must hear of it.
#[test]
fn a_flush_that_was_dropped_takes_no_failure_along() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        let image = image(&client, options(HOST, "v0"), 1 << 20).await;
        brick.kill();
        sleep(Duration::from_millis(20)).await;
        assert_eq!(image.pwrite(0, vec![1; 512].into(), Flags::NONE).await, Ok(()));
        assert_eq!(image.flush().now_or_never(), None, "it has begun");
        brick.start();
        brick.connected().await;
        assert_eq!(image.flush().await, Err(Errno::ENOMEDIUM), "the other one has ejected it");
        assert_eq!(image.close().await, Err(Errno::ENOTCONN), "which is why");
    });
}

#[test]
fn a_read_that_was_dropped_leaves_the_image_as_it_was() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        let image = image(&client, options(HOST, "v0"), 1 << 20).await;
        brick.pause();
        assert_eq!(image.pread(0, 4096).now_or_never(), None);
        let write = image.pwrite(0, vec![1; 4096].into(), Flags::NONE);
        let resume = async {
            sleep(Duration::from_secs(1)).await;
            brick.resume();
        };
        assert_eq!(join(write, resume).await.0, Ok(()));
        assert_eq!(image.pread(0, 4096).await.unwrap(), [1; 4096].as_slice());
        assert_eq!(image.close().await, Ok(()));
    });
}

#[test]
fn an_array_waits_for_a_brick_that_stands_still_once() {
    simulate(async |world| {
        let (client, _) = client(world);
        let images = ["v0", "v1", "v2"].map(|volume| (HOST, volume));
        let (array, _) = array(&client, &images, 1 << 20).await;
        array.pwrite(0, vec![1; 4096].into(), Flags::NONE).await.unwrap();
        array.flush().await.unwrap();
        world.brick(HOST, "v2").pause();
        let (read, took) = super::volume::timed(array.pread(0, 4096)).await;
        assert_eq!(read.unwrap(), [1; 4096].as_slice());
        assert!((4.0..4.1).contains(&took), "{took}");
        let (read, took) = super::volume::timed(array.pread(0, 4096)).await;
        assert_eq!(read.unwrap(), [1; 4096].as_slice());
        assert!(took < 0.1, "{took}");
    });
}

#[test]
fn an_image_can_have_its_space_provided() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        for prealloc in [Prealloc::Falloc, Prealloc::Full] {
            create(&options(HOST, "v0"), 1 << 20, prealloc, &client).await.unwrap();
            let image = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
            assert_eq!(image.allocated().await, Ok(1 << 20), "{prealloc:?}");
            brick.fill_up();
            let write = image.pwrite(4096, vec![1; 4096].into(), Flags::NONE).await;
            assert_eq!((write, image.flush().await), (Ok(()), Ok(())));
            assert_eq!(image.close().await, Ok(()));
            let refused = create(&options(HOST, "v0"), 2 << 20, prealloc, &client).await;
            assert_eq!(refused.map_err(|error| error.errno()), Err(Errno::ENOSPC));
            brick.limit(64 << 20, Errno::ENOSPC);
        }
    });
}
