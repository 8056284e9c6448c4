//! Bricks that get full: row 9 of table 3.1, rows 11 to 13 of 3.3.

use super::volume::{
    EDQUOT, ENOSPC, SETTINGS, create, error, ok, plain_volume, read, simulate, volume, write,
};
use quorate_engine::{Errno, gluster::api::Seek};
use quorate_sim::gluster::Settings;

/// Row 11.
#[test]
fn a_full_brick_is_told_of_after_the_acknowledgement() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        for place in 0..4 {
            let file = create(&*volume, "f", vec![1; 8192]).await;
            brick.fill_up();
            assert_eq!(write(&*file, 1 << 20, vec![2; 4096]).await, ok(4096));
            match place {
                0 => assert_eq!(file.fsync().await, error(ENOSPC)),
                1 => assert_eq!(file.close().await, error(ENOSPC)),
                2 => assert_eq!(file.stat().await, Err(Errno::ENOSPC)),
                _ => assert_eq!(file.seek(0, Seek::Data).await, error(ENOSPC)),
            }
            // What else would write it, once there is space?
            file.close().await;
            brick.limit(1 << 20, Errno::ENOSPC);
        }
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.fill_up();
        assert_eq!(write(&*file, 4096, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.fsync().await, ok(0), "what has its space may be written again");
    });
}

/// Row 11, with what our wrapper and QEMU ask of write-behind.
#[test]
fn what_does_not_fit_stays_in_a_cache_that_keeps_it() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        brick.set(Settings { keep_failed: true, ..SETTINGS });
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.fill_up();
        assert_eq!(write(&*file, 1 << 20, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.seek(0, Seek::Data).await, error(ENOSPC));
        assert_eq!(file.fsync().await, error(ENOSPC));
        assert_eq!(file.fsync().await, error(ENOSPC));
        brick.limit(1 << 20, Errno::ENOSPC);
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(read(&*file, 1 << 20, 4096).await, [2; 4096].as_slice());
        brick.fill_up();
        assert_eq!(write(&*file, 2 << 20, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.close().await, error(ENOSPC));
    });
}

#[test]
fn the_rest_of_a_write_that_did_not_fit_is_written_when_there_is_space() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.fill_up();
        let data: Vec<u8> = (0..12_288).map(|i| (i / 100) as u8 + 2).collect();
        assert_eq!(write(&*file, 4000, data.clone()).await, ok(12_288));
        assert_eq!(file.pread(4000, 10).await.done, ok(10), "which is on the brick");
        assert_eq!(file.pread(8192, 10).await.done, error(ENOSPC));
        brick.limit(1 << 20, Errno::ENOSPC);
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(brick.contents("f").unwrap(), [vec![1; 4000], data].concat());
    });
}

/// Row 12.
#[test]
fn without_write_behind_the_write_is_short() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.limit(8192 + 8192, Errno::ENOSPC);
        assert_eq!(write(&*file, 10_000, vec![2; 20_000]).await, ok(2 * 4096 + 8192 - 10_000));
        assert_eq!(write(&*file, 20_000, vec![2; 10]).await, error(ENOSPC));
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(file.stat().await.unwrap().bytes, 16_384);
    });
}

/// Row 13.
#[test]
fn a_quota_has_its_own_error() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.limit(8192, Errno::EDQUOT);
        assert_eq!(write(&*file, 1 << 20, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.fsync().await, error(EDQUOT));
    });
}

/// Row 9 of 3.1.
#[test]
fn a_full_brick_has_no_room_for_holes() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.fill_up();
        assert_eq!(file.discard(0, 4096).await, error(ENOSPC));
        assert_eq!(file.zerofill(8192, 4096).await, error(ENOSPC));
        assert_eq!(file.fallocate(8192, 4096).await, error(ENOSPC));
        assert_eq!(file.zerofill(0, 4096).await, ok(0));
        assert_eq!(file.ftruncate(4096).await, ok(0));
        assert_eq!(file.discard(0, 4096).await, ok(0), "there is room again");
    });
}
