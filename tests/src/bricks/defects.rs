//! What defects of QEMU's driver come to on a cluster: the bugs of the museum that show there.

use super::{
    driver::{array, client, image, options},
    odd::{Odd, OddGfapi},
    volume::{HOST, seeded, simulate, timed},
};
use futures_util::{FutureExt, future::join};
use madsim::time::sleep;
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, Gluster, Prealloc,
    gluster::{Client, create},
};
use quorate_sim::gluster::World;
use std::{sync::Arc, time::Duration};

fn odd_client(odd: Odd, world: &World) -> Client {
    Client::new(Arc::new(OddGfapi(odd, world.gfapi())), Arc::new(()))
}

/// G02.
#[test]
fn a_volume_without_its_brick_is_an_error_although_no_number_says_so() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        brick.kill();
        let client = odd_client(Odd::Numberless, world);
        let made = create(&options(HOST, "v0"), 512, Prealloc::Off, &client).await;
        assert_eq!(made.map_err(|error| error.errno()), Err(Errno::EIO));
        let opened = Gluster::open(options(HOST, "v0"), &client).await;
        assert_eq!(opened.err().map(|error| error.errno()), Some(Errno::EIO));
        assert_eq!(brick.contents("i"), None);
    });
}

/// G16.
#[test]
fn a_seek_that_goes_backwards_has_found_data() {
    simulate(async |world| {
        let client = odd_client(Odd::Backwards, world);
        world.brick(HOST, "v0").put("i", &[1; 8192]);
        let image = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
        let data = Extent { bytes: 4096, kind: ExtentKind::Data };
        assert_eq!(image.block_status(4096, 4096).await, Ok(data));
        assert_eq!(image.close().await, Ok(()));
    });
}

/// G17.
#[test]
fn where_nobody_can_seek_nothing_is_a_hole() {
    simulate(async |world| {
        let client = odd_client(Odd::Seekless, world);
        world.brick(HOST, "v0").put("i", &[1; 8192]);
        let image = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
        for (offset, bytes) in [(0, 8192), (4096, 512)] {
            let data = Extent { bytes, kind: ExtentKind::Data };
            assert_eq!(image.block_status(offset, bytes).await, Ok(data));
        }
        assert_eq!(image.close().await, Ok(()));
    });
}

/// G18.
#[test]
fn an_extent_of_a_direct_image_ends_where_a_block_does() {
    simulate(async |world| {
        let (client, _) = client(world);
        world.brick(HOST, "v0").put("i", &[1; 10_007]);
        let direct = options(HOST, "v0").change().direct(true).build().unwrap();
        let image = Gluster::open(direct, &client).await.unwrap();
        let data = Extent { bytes: 2048, kind: ExtentKind::Data };
        assert_eq!(image.block_status(8192, 2048).await, Ok(data));
        assert_eq!(image.close().await, Ok(()));
    });
}

/// S37: nothing is read there, and the buffer holds what was in it before.
#[test]
fn what_somebody_else_has_cut_off_reads_as_zeroes() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        brick.put("i", &[1; 8192]);
        let image = Gluster::open(options(HOST, "v0"), &client).await.unwrap();
        assert!(brick.truncate("i", 4096));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(image.pread(4096, 4096).await.unwrap(), [0; 4096].as_slice());
        assert_eq!(image.close().await, Ok(()));
    });
}

/// S38: an array that believed it would have its data on one brick of three.
#[test]
fn an_array_hears_of_losses_although_no_number_says_so() {
    simulate(async |world| {
        let client = odd_client(Odd::Numberless, world);
        let images = ["v0", "v1", "v2"].map(|volume| (HOST, volume));
        let (array, _) = array(&client, &images, 1 << 20).await;
        for volume in ["v1", "v2"] {
            world.brick(HOST, volume).fill_up();
        }
        let write = array.pwrite(4096, vec![1; 512].into(), Flags::NONE).await;
        assert_eq!(write, Ok(()), "acknowledged by the caches");
        assert_eq!(array.flush().await, Err(Errno::EIO));
    });
}

/// S39: what is in flight when the image is ejected ends as it would have, and nobody waits for it.
#[test]
fn a_flush_that_fails_leaves_alone_what_is_in_flight() {
    let overtaken = (0..20).filter(|&seed| {
        seeded(seed, async |world| {
            let brick = world.brick(HOST, "v0");
            let (client, _) = client(world);
            let image = image(&client, options(HOST, "v0"), 1 << 20).await;
            image.pwrite(0, vec![1; 4096].into(), Flags::NONE).await.unwrap();
            image.flush().await.unwrap();
            brick.fill_up();
            brick.slow(Duration::from_millis(1)..Duration::from_millis(50));
            image.pwrite(4096, vec![2; 512].into(), Flags::NONE).await.unwrap();
            let ((read, of_read), (flushed, of_flush)) =
                join(timed(image.pread(0, 4096)), timed(image.flush())).await;
            assert_eq!(read.unwrap(), [1; 4096].as_slice(), "seed {seed}");
            assert_eq!(flushed, Err(Errno::ENOSPC), "seed {seed}");
            assert_eq!(image.pread(0, 1).now_or_never(), Some(Err(Errno::ENOMEDIUM)));
            of_flush < of_read
        })
    });
    assert_ne!(overtaken.count(), 0, "of 20");
}

/// M58: nobody else is told.
#[test]
fn a_close_tells_of_a_write_that_is_lost() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        let image = image(&client, options(HOST, "v0"), 8192).await;
        brick.fill_up();
        assert_eq!(image.pwrite(4096, vec![1; 512].into(), Flags::NONE).await, Ok(()));
        assert_eq!(image.close().await, Err(Errno::ENOSPC));
        assert_eq!(brick.contents("i").unwrap(), [0; 8192].as_slice());
    });
}

/// M59: gluster would make the file longer.
#[test]
fn a_write_behind_the_end_of_an_image_never_reaches_the_brick() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        let (client, _) = client(world);
        let image = image(&client, options(HOST, "v0"), 8192).await;
        for offset in [8192, 8191, 1 << 40] {
            let write = image.pwrite(offset, vec![1; 512].into(), Flags::NONE).await;
            assert_eq!(write, Err(Errno::EINVAL), "{offset}");
        }
        assert_eq!(image.flush().await, Ok(()));
        assert_eq!(brick.contents("i").unwrap().len(), 8192);
        assert_eq!(image.close().await, Ok(()));
    });
}
