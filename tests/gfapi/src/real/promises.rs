//! What libgfapi by itself does not keep: order, answers at a close, seeks beside reads, dropped calls.

use super::{
    cases::Case,
    volume::{PLAIN, create, ok, open, read, volume, write},
};
use futures_lite::future::{block_on, poll_once};
use futures_util::future::{join, join_all, join3};
use quorate_engine::gluster::api::Seek;
use quorate_glusterd::Glusterd;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

pub(crate) const CASES: &[Case<Glusterd>] = &[
    ("overlapping_writes_keep_their_order", overlapping_writes_keep_their_order),
    ("a_read_sees_the_write_that_began_before", a_read_sees_the_write_that_began_before),
    ("threads_do_not_meet", threads_do_not_meet),
    ("a_close_lets_every_call_answer", a_close_lets_every_call_answer),
    ("calls_that_were_dropped_are_done", calls_that_were_dropped_are_done),
    ("seeks_beside_reads_are_right", seeks_beside_reads_are_right),
];

fn overlapping_writes_keep_their_order(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "order", vec![0; 12_288]);
    let wrong = (0..200).filter(|round| {
        let last = u8::try_from(round % 250).unwrap() + 3;
        let done = block_on(join3(
            file.pwrite(0, vec![1; 8192].into()),
            file.pwrite(4096, vec![2; 8192].into()),
            file.pwrite(4096, vec![last; 4096].into()),
        ));
        assert_eq!(done, (ok(8192), ok(8192), ok(4096)));
        read(&*file, 0, 12_288) != [[1; 4096], [last; 4096], [2; 4096]].concat()
    });
    assert_eq!(wrong.count(), 0, "of 200");
}

fn a_read_sees_the_write_that_began_before(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "stale", vec![0; 4096]);
    let stale = (0..200).filter(|round| {
        let data = vec![u8::try_from(round % 255).unwrap() + 1; 4096];
        let write = file.pwrite(0, data.clone().into());
        let (wrote, read) = block_on(join(write, file.pread(0, 4096)));
        assert_eq!((wrote, read.done), (ok(4096), ok(4096)));
        read.buffer != data
    });
    assert_eq!(stale.count(), 0, "of 200");
}

fn threads_do_not_meet(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "threads", vec![0; 1 << 20]);
    thread::scope(|scope| {
        for thread in 0..8u8 {
            let file = &file;
            scope.spawn(move || {
                for round in 0..100u8 {
                    let offset = (u64::from(thread) << 17) + u64::from(round % 32) * 4096;
                    let data = vec![(thread + 1) ^ round; 4096];
                    assert_eq!(write(&**file, offset, data.clone()), ok(4096));
                    assert_eq!(read(&**file, offset, 4096), data);
                }
            });
        }
    });
}

fn a_close_lets_every_call_answer(its: &Glusterd) {
    let volume = volume(its, PLAIN);
    drop(create(&*volume, "close", vec![1; 4 << 20]));
    for round in 0..20 {
        let file = open(&*volume, "close").unwrap();
        let reads = join_all((0..64).map(|i| file.pread(i << 16, 1 << 16)));
        let (reads, closed) = block_on(join(reads, file.close()));
        assert!(reads.iter().all(|read| read.done == ok(1 << 16)), "round {round}: {reads:?}");
        assert_eq!(closed, ok(0));
        let file = open(&*volume, "close").unwrap();
        let writes = (0..64).map(|i| file.pwrite(i << 16, vec![round; 1 << 16].into()));
        let (writes, synced, closed) =
            block_on(join3(join_all(writes), file.fsync(), file.close()));
        assert!(writes.iter().all(|write| *write == ok(1 << 16)), "round {round}: {writes:?}");
        assert_eq!((synced, closed), (ok(0), ok(0)));
    }
}

fn calls_that_were_dropped_are_done(its: &Glusterd) {
    let volume = volume(its, PLAIN);
    let file = create(&*volume, "dropped", vec![0; 4 << 20]);
    for i in 0..64u8 {
        let write = file.pwrite(u64::from(i) << 16, vec![i + 1; 1 << 16].into());
        block_on(poll_once(write));
        // Overlaps the write, so it waits, and is dropped while it does.
        block_on(poll_once(file.pread(u64::from(i) << 16, 1 << 16)));
    }
    drop(file.pwrite(0, vec![255; 1 << 16].into()));
    assert_eq!(block_on(file.close()), ok(0));
    let expected: Vec<u8> = (0..64).flat_map(|i| vec![i + 1; 1 << 16]).collect();
    let again = open(&*volume, "dropped").unwrap();
    assert!(read(&*again, 0, 4 << 20) == expected, "and not the one that was never polled");
}

fn seeks_beside_reads_are_right(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "seeks", vec![1; 1 << 20]);
    assert_eq!(block_on(file.ftruncate(64 << 20)), ok(0));
    assert_eq!(write(&*file, 32 << 20, vec![1; 1 << 20]), ok(1 << 20));
    assert_eq!(block_on(file.fsync()), ok(0));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for skew in 0..2 {
            let (file, over) = (&file, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let reads = (0..16).map(|i| file.pread(i * 4096 + skew, 4096));
                    let reads = block_on(join_all(reads));
                    assert!(reads.iter().all(|read| read.done == ok(4096)), "{reads:?}");
                }
            });
        }
        let wrong = (0..4000).filter(|_| {
            let data = block_on(file.seek(2 << 20, Seek::Data));
            let hole = block_on(file.seek(32 << 20, Seek::Hole));
            (data, hole) != (ok(32 << 20), ok(33 << 20))
        });
        let wrong = wrong.count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(wrong, 0, "of 4000");
    });
}
