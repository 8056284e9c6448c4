//! What the calls do when all is well, and what is refused: table 3.1.

use super::volume::{
    EBADF, EFBIG, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, create, error, ok, open,
    plain_volume, read, simulate, volume, write,
};
use futures_util::{
    FutureExt,
    future::{join, join_all, join3},
};
use quorate_engine::{
    Errno,
    gluster::api::{Access, Refusal, Seek, Stat},
};

/// Rows 1 and 2.
#[test]
fn a_read_ends_where_the_file_does() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "short", vec![1; 10_000]).await;
        let straddles = file.pread(8192, 4096).await;
        assert_eq!((straddles.done, straddles.buffer.len()), (ok(1808), 4096));
        assert!(straddles.buffer[1808..].iter().all(|&byte| byte != 0), "rubbish behind the end");
        for offset in [10_000, 20_000] {
            let behind = file.pread(offset, 512).await;
            assert_eq!(behind.done, ok(0));
            assert!(behind.buffer.iter().all(|&byte| byte != 0));
        }
    });
}

/// Row 3.
#[test]
fn past_the_page_cache_only_whole_sectors_go() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 10_000]).await;
        assert_eq!(write(&*file, 333, vec![2; 777]).await, ok(777));
        let expected = [vec![1; 333], vec![2; 777], vec![1; 8890]].concat();
        assert_eq!(read(&*file, 0, 10_000).await, expected);
        let direct = volume.open("f", Access { write: true, direct: true }).await.unwrap();
        assert_eq!(read(&*direct, 512, 512).await, expected[512..1024]);
        assert_eq!(direct.pread(1, 512).await.done, error(EINVAL));
        assert_eq!(write(&*direct, 1, vec![3; 512]).await, ok(512), "acknowledged by the cache");
        assert_eq!(direct.fsync().await, error(EINVAL));
    });
}

/// Rows 4 and 5.
#[test]
fn offsets_that_no_file_has_are_refused() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "offsets", vec![1; 100]).await;
        let beyond = i64::MAX as u64;
        for offset in [u64::MAX, beyond + 1, beyond] {
            assert_eq!(write(&*file, offset, vec![1; 100]).await, error(EINVAL));
            assert_eq!(file.discard(offset, 100).await, error(EINVAL));
            assert_eq!(file.zerofill(offset, 100).await, error(EINVAL));
            assert_eq!(file.fallocate(offset, 100).await, error(EINVAL));
            assert_eq!(file.pread(offset, 100).await.done, error(EINVAL));
        }
        assert_eq!(file.ftruncate(u64::MAX).await, error(EINVAL));
        assert_eq!(file.seek(u64::MAX, Seek::Data).await, error(EINVAL));
        assert_eq!(file.fsync().await, ok(0), "the brick has heard of none of them");
    });
}

/// Row 5.
#[test]
fn a_write_to_where_the_disk_has_no_file_is_acknowledged_and_told_once() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "far", vec![1; 100]).await;
        assert_eq!(write(&*file, 1 << 62, vec![1; 100]).await, ok(100));
        assert_eq!(file.fsync().await, error(EFBIG));
        assert_eq!(file.fsync().await, ok(0));
    });
}

/// Row 6.
#[test]
fn a_write_behind_the_end_extends_the_file_by_a_hole() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 100]).await;
        assert_eq!(write(&*file, 20_000, Vec::new()).await, ok(0));
        assert_eq!(file.stat().await.unwrap().bytes, 100);
        assert_eq!(write(&*file, 20_000, vec![2; 10]).await, ok(10));
        assert_eq!(file.stat().await.unwrap(), Stat { bytes: 20_010, allocated: 8192 });
        let expected = [vec![1; 100], vec![0; 19_900], vec![2; 10]].concat();
        assert_eq!(read(&*file, 0, 30_000).await, expected);
        assert_eq!(brick.contents("f").unwrap(), expected);
    });
}

/// Rows 7 and 10.
#[test]
fn zeroes_extend_and_discards_do_not() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "zeroes", vec![1; 1 << 20]).await;
        assert_eq!(file.discard(65_530, 131_072).await, ok(0));
        let expected = [&[1][..], &[0; 131_072], &[1]].concat();
        assert_eq!(read(&*file, 65_529, 131_074).await, expected);
        let stat = Stat { bytes: 1 << 20, allocated: (1 << 20) - 31 * 4096 };
        assert_eq!(file.stat().await, Ok(stat));
        assert_eq!(file.discard((1 << 20) - 10, 4096).await, ok(0));
        assert_eq!(file.discard(1 << 30, 1 << 40).await, ok(0));
        assert_eq!(file.stat().await.unwrap().bytes, 1 << 20);
        assert_eq!(file.zerofill((1 << 20) - 20, 40).await, ok(0));
        assert_eq!(file.stat().await.unwrap().bytes, (1 << 20) + 20);
        assert_eq!(read(&*file, (1 << 20) - 21, 100).await, [&[1][..], &[0; 40]].concat());
    });
}

/// Rows 4, 8 and 10.
#[test]
fn nothing_is_nothing_but_for_a_write() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "nothing", vec![1; 100]).await;
        assert_eq!(write(&*file, 50, Vec::new()).await, ok(0));
        assert_eq!(file.pread(0, 0).await.done, error(EINVAL));
        assert_eq!(file.discard(0, 0).await, error(EINVAL));
        assert_eq!(file.zerofill(0, 0).await, error(EINVAL));
        assert_eq!(file.fallocate(0, 0).await, error(EINVAL));
    });
}

/// Row 11.
#[test]
fn a_file_is_cut_and_grows() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "cut", vec![1; 10_000]).await;
        assert_eq!(file.ftruncate(5000).await, ok(0));
        assert_eq!(file.ftruncate(20_000).await, ok(0));
        assert_eq!(read(&*file, 4999, 100).await, [&[1][..], &[0; 99]].concat());
        assert_eq!(file.fallocate(20_000, 1 << 20).await, ok(0));
        let Stat { bytes, allocated } = file.stat().await.unwrap();
        assert_eq!(bytes, 20_000 + (1 << 20));
        assert!(((1 << 20)..(2 << 20)).contains(&allocated), "{allocated}");
        assert_eq!(file.ftruncate((16 << 40) - 4096).await, ok(0));
        assert_eq!(file.ftruncate(1 << 62).await, error(EFBIG));
        assert_eq!(file.ftruncate(0).await, ok(0));
        assert_eq!(file.stat().await, Ok(Stat { bytes: 0, allocated: 0 }));
    });
}

/// Row 12.
#[test]
fn a_length_is_right_though_nothing_is_on_the_brick() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        for end in (1..10).map(|i| i * 1000) {
            assert_eq!(write(&*file, end - 1000, vec![1; 1000]).await, ok(1000));
            assert!((brick.contents("f").unwrap().len() as u64) < end, "not yet");
            assert_eq!(file.stat().await.unwrap().bytes, end);
        }
    });
}

/// Row 13.
#[test]
fn seeks_find_data_and_holes() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "holes", vec![1; 65_536]).await;
        assert_eq!(file.ftruncate(2 << 20).await, ok(0));
        assert_eq!(write(&*file, 1 << 20, vec![1; 65_536]).await, ok(65_536));
        // What is only acknowledged is data, too.
        for (offset, what, found) in [
            (0, Seek::Data, ok(0)),
            (0, Seek::Hole, ok(65_536)),
            (65_536, Seek::Data, ok(1 << 20)),
            (65_536, Seek::Hole, ok(65_536)),
            ((1 << 20) + 65_536, Seek::Data, error(ENXIO)),
            ((2 << 20) - 1, Seek::Hole, ok((2 << 20) - 1)),
            (2 << 20, Seek::Hole, error(ENXIO)),
            (2 << 20, Seek::Data, error(ENXIO)),
        ] {
            assert_eq!(file.seek(offset, what).await, found, "{what:?} from {offset}");
        }
    });
}

/// Row 15.
#[test]
fn a_file_that_is_not_open_for_writing_acknowledges_writes() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        drop(create(&*volume, "f", vec![1; 100]).await);
        let file = volume.open("f", Access { write: false, direct: false }).await.unwrap();
        assert_eq!(write(&*file, 0, vec![2; 10]).await, ok(10));
        assert_eq!(file.pread(0, 100).await.done, error(EBADF));
        assert_eq!(file.fsync().await, error(EBADF));
        assert_eq!(brick.contents("f").unwrap(), [1; 100].as_slice());
    });
}

/// Row 16.
#[test]
fn what_is_not_a_file_is_named() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        drop(create(&*volume, "f", vec![1]).await);
        brick.put("some/where/g", &[2]);
        for (path, errno) in [
            ("nowhere", ENOENT),
            ("no/where", ENOENT),
            ("f/below", ENOTDIR),
            ("/", EISDIR),
            ("some/where", EISDIR),
            ("", EINVAL),
            (&*"x".repeat(300), ENAMETOOLONG),
        ] {
            let refused = Some(Refusal { errno, text: None });
            assert_eq!(open(&*volume, path).await.err(), refused, "{path}");
        }
        assert_eq!(volume.create("no/where").await.err().map(|r| r.errno), Some(ENOENT));
        let file = open(&*volume, "../some//where/g").await.unwrap();
        assert_eq!(read(&*file, 0, 10).await, [2].as_slice());
    });
}

#[test]
fn a_closed_file_is_closed() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "closed", vec![1; 100]).await;
        assert_eq!(file.close().await, ok(0));
        assert_eq!(file.close().await, error(EBADF));
        assert_eq!(write(&*file, 0, vec![1]).await, error(EBADF));
        assert_eq!(file.pread(0, 1).await.done, error(EBADF));
        assert_eq!(file.seek(0, Seek::Data).await, error(EBADF));
        assert_eq!(file.stat().await, Err(Errno::EBADF));
    });
}

#[test]
fn overlapping_calls_take_effect_in_the_order_in_which_they_began() {
    simulate(async |world| {
        for volume in [volume(world).await.0, plain_volume(world).await.0] {
            let file = create(&*volume, "order", vec![0; 12_288]).await;
            for last in 3..30 {
                let writes = join3(
                    file.pwrite(0, vec![1; 8192].into()),
                    file.pwrite(4096, vec![2; 8192].into()),
                    file.pwrite(4096, vec![last; 4096].into()),
                );
                let (done, read) = join(writes, file.pread(0, 12_288)).await;
                assert_eq!(done, (ok(8192), ok(8192), ok(4096)));
                let expected = [[1; 4096], [last; 4096], [2; 4096]].concat();
                assert_eq!(read.buffer, expected);
            }
        }
    });
}

/// 3.2: a close that does not wait drops callbacks.
#[test]
fn a_close_waits_for_every_call() {
    simulate(async |world| {
        let (volume, _) = volume(world).await;
        drop(create(&*volume, "close", vec![1; 64 << 10]).await);
        let file = open(&*volume, "close").await.unwrap();
        let reads = join_all((0..64).map(|i| file.pread(i << 10, 1 << 10)));
        let writes = join_all((0..64).map(|i| file.pwrite(i << 10, vec![2; 1 << 10].into())));
        let (reads, writes, closed) = join3(reads, writes, file.close()).await;
        assert!(reads.iter().all(|read| read.done == ok(1 << 10)), "{reads:?}");
        assert!(writes.iter().all(|write| *write == ok(1 << 10)), "{writes:?}");
        assert_eq!(closed, ok(0));
        let again = open(&*volume, "close").await.unwrap();
        assert_eq!(read(&*again, 0, 64 << 10).await, vec![2; 64 << 10]);
    });
}

#[test]
fn calls_that_were_dropped_are_done() {
    simulate(async |world| {
        for (volume, brick) in [volume(world).await, plain_volume(world).await] {
            let file = create(&*volume, "dropped", vec![0; 64 << 10]).await;
            for i in 0..16_u8 {
                let write = file.pwrite(u64::from(i) << 12, vec![i + 1; 1 << 12].into());
                assert_eq!(write.now_or_never(), None);
                // Overlaps the write, so it waits, and is dropped while it does.
                assert!(file.pread(u64::from(i) << 12, 1 << 12).now_or_never().is_none());
            }
            drop(file.pwrite(0, vec![255; 1 << 12].into()));
            assert_eq!(file.close().await, ok(0));
            let expected: Vec<u8> = (0..16).flat_map(|i| vec![i + 1; 1 << 12]).collect();
            let found = brick.contents("dropped").unwrap();
            assert!(found == expected, "and not the one that was never polled");
        }
    });
}

#[test]
fn a_file_that_is_dropped_is_closed_and_its_volume_with_it() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![0; 100]).await;
        drop(volume);
        assert_eq!(write(&*file, 0, vec![1; 100]).await, ok(100));
        assert!(brick.is_connected());
        drop(file);
        while brick.is_connected() {
            madsim::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(brick.contents("f").unwrap(), [1; 100].as_slice());
    });
}
