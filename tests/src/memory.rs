//! A fuzz of many hours needs as much memory as one of a second: a run that is over leaves nothing behind.

use futures_util::FutureExt;
use madsim::{Config, runtime::Runtime};
use quorate_engine::{
    BlockDevice, Flags, Gluster, GlusterOptions, Prealloc,
    gluster::{Client, create},
};
use quorate_scenarios::{catalog, expand::expand, fuzz::attempt, runner::Scratch};
use quorate_sim::gluster::{VolumeSpec, World};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, sync::Arc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many bytes are in use after this that were not before.
fn left_by(work: impl FnOnce()) -> i128 {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.bytes_allocated as i128 - change.bytes_deallocated as i128
}

/// The only test of this process: another's allocations would be counted, too.
#[test]
fn a_run_leaves_no_memory_behind() {
    let forgotten = left_by(|| std::mem::forget(Box::new([0_u8; 100])));
    assert!(forgotten >= 100, "what is left is counted: {forgotten}");
    let profiles: Vec<_> = catalog::all().filter(|s| s.random.is_some()).collect();
    assert!(
        profiles.iter().any(|profile| profile.name == "swarm-any"),
        "it has requests that hang"
    );
    for profile in &profiles {
        for seed in 0..20 {
            let scenario = expand(profile, seed);
            let run =
                || drop(attempt::run(&scenario, "memory", None, &mut Scratch::default(), None));
            // The first run may fill what a process has once.
            run();
            let left = left_by(run);
            let again = format!("quorate replay {}:{seed}", profile.name);
            assert_eq!(left, 0, "{left} bytes are left after {again}");
        }
    }
    clusters();
    let left = left_by(clusters);
    assert_eq!(left, 0, "{left} bytes are left of a world of clusters that was ended");
}

/// A brick that dies and takes a client's calls and connection along.
fn clusters() {
    Runtime::with_seed_and_config(1, Config::default()).block_on(async {
        let world = World::new();
        world.add_cluster("a", [VolumeSpec::new("v")]).await;
        let options = GlusterOptions::from_uri("gluster://a/v/i").expect("a URI");
        let client = Client::new(world.gfapi(), Arc::new(()));
        create(&options, 1 << 20, Prealloc::Full, &client).await.expect("there is space");
        let image = Gluster::open(options, &client).await.expect("it was made");
        let written = image.pwrite(0, vec![1; 1 << 16].into(), Flags::NONE).await;
        assert_eq!((written, image.flush().await), (Ok(()), Ok(())));
        assert_eq!(image.pread(0, 512).now_or_never(), None);
        world.brick("a", "v").kill();
        assert!(image.pread(0, 512).await.is_err());
        world.end().await;
    });
}
