//! Bricks that die, stand still and are cut off: table 3.3, rows 7 to 10, 14 and 16.

use super::volume::{
    ENOTCONN, SETTINGS, create, error, ok, plain_volume, read, simulate, timed, volume, write,
};
use futures_util::future::{join, join_all};
use madsim::time::sleep;
use quorate_engine::gluster::api::{ReadDone, Stat};
use quorate_sim::gluster::{Brick, Settings};
use std::time::Duration;

/// Row 7.
#[test]
fn what_is_in_flight_when_a_brick_dies_fails_soon() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 1 << 20]).await;
        let writes = join_all((0..16).map(|i| file.pwrite(i << 16, vec![2; 1 << 16].into())));
        let kill = async {
            sleep(Duration::from_millis(8)).await;
            brick.kill();
        };
        let ((writes, ()), took) = timed(join(writes, kill)).await;
        assert!(took < 0.05, "{took}");
        assert!(writes.iter().any(|done| *done == error(ENOTCONN)), "{writes:?}");
        brick.start();
        brick.connected().await;
        let found = read(&*file, 0, 1 << 20).await;
        for (done, piece) in writes.iter().zip(found.chunks(1 << 16)) {
            assert!(*done != ok(1 << 16) || piece[0] == 2, "what was answered is done");
            assert!(piece.iter().all(|byte| *byte == piece[0]));
        }
    });
}

/// Row 8.
#[test]
fn a_brick_that_stands_still_is_given_up_after_twice_the_ping_timeout() {
    for stop in [Brick::pause, Brick::partition] {
        simulate(async |world| {
            let (volume, brick) = volume(world).await;
            let file = create(&*volume, "f", vec![1; 8192]).await;
            stop(&brick);
            let (read, took) = timed(file.pread(0, 4096)).await;
            assert_eq!(read.done, error(ENOTCONN));
            assert!((4.0..4.1).contains(&took), "{took}");
            let (read, took) = timed(file.pread(0, 4096)).await;
            assert_eq!(read.done, error(ENOTCONN));
            assert!(took < 0.01, "now it is known: {took}");
        });
    }
}

#[test]
fn who_is_heard_now_and_then_is_not_given_up() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.slow(Duration::from_millis(1400)..Duration::from_millis(1600));
        // Something is always pending.
        let reads = |offset: u64| {
            let file = &file;
            async move {
                sleep(Duration::from_millis(offset)).await;
                for _ in 0..5 {
                    assert_eq!(file.pread(offset, 10).await.done, ok(10));
                }
            }
        };
        let (_, took) = timed(join(reads(0), reads(1000))).await;
        assert!((12.0..18.0).contains(&took), "{took}");
    });
}

/// Row 8: shorter pauses.
#[test]
fn a_call_that_is_answered_late_is_answered() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.pause();
        let resume = async {
            sleep(Duration::from_secs(3)).await;
            brick.resume();
        };
        let calls = join(file.pwrite(0, vec![2; 4096].into()), file.pread(4096, 4096));
        let (((written, read), ()), took) = timed(join(calls, resume)).await;
        assert_eq!((written, read.done), (ok(4096), ok(4096)));
        assert!((3.0..3.1).contains(&took), "{took}");
        assert!(brick.is_connected());
    });
}

/// Row 9.
#[test]
fn a_write_that_failed_is_done_when_the_brick_goes_on() {
    for (stop, goes_on) in
        [(Brick::pause as fn(&_), Brick::resume as fn(&_)), (Brick::partition, Brick::heal)]
    {
        simulate(async |world| {
            let (volume, brick) = plain_volume(world).await;
            let file = create(&*volume, "f", vec![1; 1 << 16]).await;
            stop(&brick);
            let writes = (0..8).map(|i| file.pwrite(i << 12, vec![2; 1 << 12].into()));
            let (done, took) = timed(join_all(writes)).await;
            assert_eq!(done, [error(ENOTCONN); 8]);
            assert!((4.0..4.1).contains(&took), "{took}");
            assert_eq!(brick.contents("f").unwrap(), vec![1; 1 << 16]);
            sleep(Duration::from_secs(7)).await;
            goes_on(&brick);
            brick.connected().await;
            let expected = [vec![2; 1 << 15], vec![1; 1 << 15]].concat();
            assert_eq!(read(&*file, 0, 1 << 16).await, expected, "all of it, before anything else");
        });
    }
}

/// Row 9 after a partition, as measured: the client was back after 2 s, the write came after 10 s.
#[test]
fn a_write_that_failed_may_undo_a_later_one_after_a_partition() {
    for stragglers in [false, true] {
        simulate(async |world| {
            let (volume, brick) = plain_volume(world).await;
            brick.set(Settings { write_behind: false, stragglers, ..SETTINGS });
            let file = create(&*volume, "f", vec![1; 8192]).await;
            brick.partition();
            assert_eq!(write(&*file, 0, vec![2; 4096]).await, error(ENOTCONN));
            sleep(Duration::from_secs(5)).await;
            brick.heal();
            let ((), took) = timed(brick.connected()).await;
            assert_eq!(took < 3.1, stragglers, "{took}");
            assert_eq!(write(&*file, 0, vec![3; 4096]).await, ok(4096));
            assert_eq!(file.fsync().await, ok(0));
            assert_eq!(read(&*file, 0, 4096).await, [3; 4096].as_slice());
            sleep(Duration::from_secs(10)).await;
            let found = if stragglers { 2 } else { 3 };
            assert_eq!(read(&*file, 0, 4096).await, [found; 4096].as_slice());
        });
    }
}

/// Row 10.
#[test]
fn a_connection_that_was_cut_is_back_after_three_seconds() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        let cut = async { brick.cut() };
        let (done, ()) = join(file.pwrite(0, vec![2; 8192].into()), cut).await;
        assert_eq!(done, error(ENOTCONN), "in flight");
        assert_eq!(file.pread(0, 10).await.done, error(ENOTCONN));
        let ((), took) = timed(brick.connected()).await;
        assert!((3.0..3.1).contains(&took), "{took}");
        assert_eq!(write(&*file, 0, vec![3; 8192]).await, ok(8192));
    });
}

#[test]
fn a_connection_may_be_cut_at_the_moment_of_an_answer() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        brick.slow(Duration::from_millis(5)..Duration::from_millis(20));
        let mut answered = 0;
        for round in 0..200_u64 {
            let reads = join_all((0..16).map(|i| file.pread(i * 512, 512)));
            let cut = async {
                sleep(Duration::from_micros(10_000 + round * 250)).await;
                brick.cut();
            };
            let (reads, ()) = join(reads, cut).await;
            for ReadDone { done, .. } in reads {
                assert!(done == ok(512) || done == error(ENOTCONN), "{done:?}");
                answered += usize::from(done == ok(512));
            }
            brick.connected().await;
        }
        assert!((100..3100).contains(&answered), "{answered} of 3200");
    });
}

/// Row 14.
#[test]
fn bytes_that_change_behind_glusters_back_are_read_as_they_are() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        assert!(brick.overwrite("f", 100, &[9; 10]));
        assert!(!brick.overwrite("g", 100, &[9; 10]));
        let expected = [vec![1; 100], vec![9; 10], vec![1; 8082]].concat();
        assert_eq!(read(&*file, 0, 8192).await, expected);
    });
}

/// Row 16, and row 12 of 3.1.
#[test]
fn a_length_is_stale_for_a_second() {
    simulate(async |world| {
        let (volume, brick) = volume(world).await;
        let file = create(&*volume, "f", vec![1; 8192]).await;
        let whole = Ok(Stat { bytes: 8192, allocated: 8192 });
        assert_eq!(file.stat().await, whole);
        assert!(brick.truncate("f", 50));
        sleep(Duration::from_millis(900)).await;
        assert_eq!(file.stat().await, whole);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(file.stat().await.unwrap().bytes, 50);
        assert!(brick.truncate("f", 60));
        assert_eq!(file.stat().await.unwrap().bytes, 50);
        assert_eq!(file.pread(0, 100).await.done, ok(60), "reads are not served from it");
        assert_eq!(file.stat().await.unwrap().bytes, 60, "and who reads sees it");
        assert!(brick.truncate("f", 70));
        assert_eq!(write(&*file, 0, vec![1]).await, ok(1));
        assert_eq!(file.stat().await.unwrap().bytes, 70, "as who changes it");
    });
}

#[test]
fn a_length_that_was_asked_for_before_a_write_is_not_believed_after_it() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", Vec::new()).await;
        brick.slow(Duration::from_millis(1)..Duration::from_millis(400));
        for end in 1..20 {
            sleep(Duration::from_secs(1)).await;
            let extends = file.pwrite(end - 1, vec![1].into());
            let (before, done) = join(file.stat(), extends).await;
            assert!([end - 1, end].contains(&before.unwrap().bytes));
            assert_eq!(done, ok(1));
            assert_eq!(file.stat().await.unwrap().bytes, end);
        }
    });
}

#[test]
fn slow_answers_overtake_each_other_and_slow_requests_do_not() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![0; 4096]).await;
        let other = super::volume::open(&*volume, "f").await.unwrap();
        brick.slow(Duration::from_millis(100)..Duration::from_millis(900));
        let mut ended = Vec::new();
        for round in 0..20 {
            // Two handles do not wait for each other.
            let (mut first, mut second) = (file.pwrite(0, vec![1; 512].into()), None);
            let answered = futures_util::future::poll_fn(|cx| {
                use std::task::Poll;
                let first = first.as_mut().poll(cx);
                let second = second.get_or_insert_with(|| other.pwrite(512, vec![1; 512].into()));
                match (first, second.as_mut().poll(cx)) {
                    (Poll::Ready(_), _) => Poll::Ready(1),
                    (_, Poll::Ready(_)) => Poll::Ready(2),
                    _ => Poll::Pending,
                }
            });
            let (first, took) = timed(answered).await;
            assert!((0.2..1.9).contains(&took), "round {round}: {took}");
            ended.push(first);
            sleep(Duration::from_secs(2)).await;
        }
        assert!(ended.contains(&1) && ended.contains(&2), "{ended:?}");
    });
}
