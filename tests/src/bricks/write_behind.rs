//! Writes that are acknowledged before the brick has them: table 3.3, rows 1 to 6.

use super::volume::{
    EBADFD, ENOTCONN, SETTINGS, create, error, ok, open, plain_volume, read, simulate, timed,
    volume, write,
};
use futures_util::future::join_all;
use quorate_engine::{Errno, gluster::api::Seek};
use quorate_sim::gluster::{Brick, Settings};
use std::time::Duration;

/// Starts a brick and waits for the client.
async fn back(brick: &Brick) {
    brick.start();
    let ((), took) = timed(brick.connected()).await;
    assert!((0.0..3.2).contains(&took), "{took}");
}

async fn dies(brick: &Brick) {
    brick.kill();
    madsim::time::sleep(Duration::from_millis(20)).await;
}

/// Row 1.
#[test]
fn a_dead_brick_fails_reads_and_syncs_and_acknowledges_writes() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        dies(&brick).await;
        let (read_done, took) = timed(file.pread(0, 4096)).await;
        assert_eq!(read_done.done, error(ENOTCONN));
        assert!(took < 0.01, "at once, not after {took}");
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.stat().await, Err(Errno::ENOTCONN), "it waits for the write");
        assert_eq!(file.fsync().await, error(ENOTCONN));
        assert_eq!(file.stat().await, Err(Errno::EBADFD));
        assert_eq!(file.ftruncate(10).await, error(EBADFD));
        assert_eq!(file.seek(0, Seek::Data).await, error(EBADFD));
        assert_eq!(file.discard(0, 4096).await, error(EBADFD));
        assert_eq!(file.fallocate(0, 4096).await, error(EBADFD));
        assert_eq!(open(&*volume, "f").await.err().map(|r| r.errno), Some(ENOTCONN));
        back(&brick).await;
        assert_eq!(read(&*file, 0, 8192).await, [1; 8192].as_slice());
    });
}

/// Row 2.
#[test]
fn what_a_failed_fsync_told_is_lost_and_told_once() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        dies(&brick).await;
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.fsync().await, error(ENOTCONN));
        back(&brick).await;
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(file.close().await, ok(0));
        assert_eq!(brick.contents("f").unwrap(), [1; 8192].as_slice());
    });
}

/// Row 3.
#[test]
fn what_no_fsync_was_asked_for_is_kept_until_the_brick_is_back() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        dies(&brick).await;
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(write(&*file, 2048, vec![3; 4096]).await, ok(4096));
        back(&brick).await;
        assert_eq!(file.fsync().await, ok(0));
        let expected = [vec![2; 2048], vec![3; 4096], vec![1; 2048]].concat();
        assert_eq!(read(&*file, 0, 8192).await, expected);
        assert_eq!(brick.contents("f").unwrap(), expected);
    });
}

/// Row 4.
#[test]
fn what_failed_to_sync_is_kept_if_it_is_to_be() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        brick.set(Settings { keep_failed: true, ..SETTINGS });
        let file = create(&*volume, "f", vec![1; 8192]).await;
        dies(&brick).await;
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.fsync().await, error(ENOTCONN));
        assert_eq!(file.fsync().await, error(ENOTCONN));
        back(&brick).await;
        assert_eq!(file.fsync().await, ok(0));
        let expected = [vec![2; 4096], vec![1; 4096]].concat();
        assert_eq!(read(&*file, 0, 8192).await, expected);
        assert_eq!(brick.contents("f").unwrap(), expected);
    });
}

/// Row 5.
#[test]
fn a_close_is_the_last_place_where_a_loss_is_told() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        for keep_failed in [false, true] {
            brick.set(Settings { keep_failed, ..SETTINGS });
            let file = create(&*volume, "f", vec![1; 8192]).await;
            dies(&brick).await;
            assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
            assert_eq!(file.close().await, error(ENOTCONN));
            back(&brick).await;
            madsim::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(brick.contents("f").unwrap(), [1; 8192].as_slice());
        }
    });
}

/// Row 6.
#[test]
fn without_write_behind_the_write_fails_and_nothing_is_lost() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        dies(&brick).await;
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, error(ENOTCONN));
        assert_eq!(file.close().await, error(EBADFD));
        back(&brick).await;
        assert_eq!(brick.contents("f").unwrap(), [1; 8192].as_slice());
    });
}

#[test]
fn a_file_of_which_nothing_is_cached_is_closed_without_its_brick() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        assert_eq!(file.stat().await.unwrap().bytes, 8192);
        dies(&brick).await;
        assert_eq!(file.stat().await.unwrap().bytes, 8192, "as it was known a moment ago");
        assert_eq!(file.fsync().await, error(ENOTCONN));
        assert_eq!(file.close().await, ok(0));
    });
}

/// An error lands on whatever has to wait for the writes that failed.
#[test]
fn a_failed_write_is_told_by_whatever_waits_for_it() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        let other = create(&*volume, "g", vec![1; 8192]).await;
        brick.limit(brick.used(), Errno::ENOSPC);
        assert_eq!(write(&*file, 1 << 20, vec![2; 4096]).await, ok(4096));
        let full = error(Errno::ENOSPC.number());
        assert_eq!(read(&*file, 0, 8192).await, [1; 8192].as_slice(), "which does not overlap");
        assert_eq!(file.pread(1 << 20, 10).await.done, full);
        assert_eq!(file.stat().await, Err(Errno::ENOSPC));
        assert_eq!(file.zerofill(0, 10).await, full);
        assert_eq!(file.ftruncate(10).await, full);
        assert_eq!(
            other.stat().await.unwrap().bytes,
            8192,
            "another file has nothing to do with it"
        );
        assert_eq!(other.fsync().await, ok(0));
        assert_eq!(file.fsync().await, full);
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(file.stat().await.unwrap().bytes, 8192);
    });
}

#[test]
fn no_more_than_the_window_is_acknowledged() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        dies(&brick).await;
        let piece = 128 << 10;
        for i in 0..9 {
            assert_eq!(write(&*file, i * piece, vec![1; piece as usize]).await, ok(piece as usize));
        }
        assert_eq!(write(&*file, 9 * piece, vec![1; 10]).await, error(ENOTCONN));
        back(&brick).await;
        assert_eq!(write(&*file, 9 * piece, vec![2; 10]).await, ok(10));
        assert_eq!(file.fsync().await, ok(0));
        let expected = [vec![1; 9 * piece as usize], vec![2; 10]].concat();
        assert!(brick.contents("f").unwrap() == expected);
    });
}

#[test]
fn more_than_the_window_waits_until_it_is_on_the_brick() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        let piece = 128 << 10;
        let writes = (0..32).map(|i| file.pwrite(i * piece, vec![1; piece as usize].into()));
        let (done, took) = timed(join_all(writes)).await;
        assert_eq!(done, [ok(piece as usize); 32]);
        assert!(took > 0.002, "it takes a while to get there and back: {took}");
        assert!(brick.contents("f").unwrap().len() >= 22 * piece as usize);
    });
}

#[test]
fn a_file_that_is_made_again_gets_nothing_of_what_was_cached_of_it() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        brick.fill_up();
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(file.stat().await, Err(Errno::ENOSPC));
        let again = volume.create("f").await.unwrap();
        brick.limit(1 << 20, Errno::ENOSPC);
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(again.stat().await.unwrap().bytes, 0);
    });
}

#[test]
fn the_writes_of_all_who_have_a_file_open_are_one_cache() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let first = create(&*volume, "f", vec![1; 8192]).await;
        let second = open(&*volume, "f").await.unwrap();
        brick.slow(Duration::from_millis(300)..Duration::from_millis(301));
        assert_eq!(write(&*first, 0, vec![2; 4096]).await, ok(4096));
        assert_eq!(brick.contents("f").unwrap(), [1; 8192].as_slice(), "not on the brick yet");
        assert_eq!(read(&*second, 0, 4096).await, [2; 4096].as_slice());
    });
}

/// The first fails when it arrives, and there is space again when the second does.
#[test]
fn a_write_waits_for_an_earlier_one_that_it_overlaps() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        brick.slow(Duration::from_millis(100)..Duration::from_millis(101));
        brick.fill_up();
        assert_eq!(write(&*file, 0, vec![2; 4096]).await, ok(4096));
        madsim::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(write(&*file, 0, vec![3; 4096]).await, ok(4096));
        madsim::time::sleep(Duration::from_millis(70)).await;
        brick.limit(1 << 20, Errno::ENOSPC);
        madsim::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(brick.contents("f").unwrap(), [].as_slice(), "nobody has asked again");
        assert_eq!(file.fsync().await, ok(0));
        assert_eq!(brick.contents("f").unwrap(), [3; 4096].as_slice());
    });
}
