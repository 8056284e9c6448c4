//! Futures that are dropped while gluster works for them.
//!
//! The library writes into the memory of a read when it answers, so under AddressSanitizer these fail if
//! that memory is gone by then, and if anything is left over afterwards.

use super::fake::{Fake, How, What};
use futures_lite::future::{block_on, poll_once};
use quorate_engine::gluster::api::{Done, File};
use std::{
    sync::{Arc, Weak},
    task::{Context, Wake, Waker},
    thread,
};

#[test]
fn a_read_that_was_dropped_leaves_its_memory_to_gluster() {
    let fake = Fake::new("dropped read", &[7; 1 << 16]);
    let file = fake.file();
    fake.how(How::Held);
    for _ in 0..8 {
        assert!(block_on(poll_once(file.pread(0, 1 << 16))).is_none());
    }
    // Other memory takes the place of what should not have been freed.
    let other: Vec<_> = (0..64).map(|_| vec![1u8; 1 << 16]).collect();
    for _ in 0..8 {
        fake.answer(0);
    }
    assert!(other.iter().all(|memory| memory.iter().all(|byte| *byte == 1)));
    fake.how(How::Inside);
    assert_eq!(block_on(file.close()), Done { ret: 0, errno: 0 });
}

#[test]
fn a_write_that_was_dropped_is_done() {
    let fake = Fake::new("dropped write", &[0; 8]);
    let file = fake.file();
    fake.how(How::Held);
    assert!(block_on(poll_once(file.pwrite(0, vec![1; 8].into()))).is_none());
    assert!(block_on(poll_once(file.pwrite(0, vec![2; 4].into()))).is_none());
    assert!(block_on(poll_once(file.fallocate(4, 8))).is_none());
    drop(file.pwrite(0, vec![3; 8].into()));
    for _ in 0..3 {
        fake.answer(0);
    }
    let file: Arc<dyn File> = file;
    let mut close = file.close();
    assert!(block_on(poll_once(&mut close)).is_none());
    fake.answer(0);
    assert_eq!(block_on(close), Done { ret: 0, errno: 0 });
    assert_eq!(fake.contents(), [2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0]);
    fake.how(How::Inside);
}

#[test]
fn nothing_is_kept_of_who_does_not_wait_any_more() {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {
            panic!("nobody waits");
        }
    }
    let fake = Fake::new("wakers", &[0; 8]);
    let file = fake.file();
    fake.how(How::Held);
    let mut kept: Weak<Nobody> = Weak::new();
    for _ in 0..2 {
        // The second one waits for the first.
        let nobody = Arc::new(Nobody);
        kept = Arc::downgrade(&nobody);
        let waker = Waker::from(nobody);
        let mut write = file.pwrite(0, vec![1; 8].into());
        assert!(write.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(kept.upgrade().is_none(), "although neither was answered");
    fake.answer(0);
    fake.answer(0);
    fake.how(How::Inside);
}

#[test]
fn the_future_and_the_answer_may_race() {
    let fake = Fake::new("race", &[7; 512]);
    let file = fake.file();
    fake.how(How::Held);
    thread::scope(|scope| {
        scope.spawn(|| (0..2000).for_each(|_| fake.answer(0)));
        for i in 0..2000 {
            let mut read = file.pread(i % 64, 256);
            match block_on(poll_once(&mut read)) {
                None if i % 2 == 0 => drop(read),
                None => assert_eq!(block_on(read).buffer, vec![7; 256]),
                Some(read) => assert_eq!(read.buffer, vec![7; 256]),
            }
        }
    });
    assert_eq!(fake.in_flight(), []);
    fake.how(How::Inside);
}

#[test]
fn a_file_that_was_dropped_is_closed_when_its_calls_have_ended() {
    let fake = Fake::new("dropped file", &[7; 512]);
    let file = fake.file();
    fake.how(How::Held);
    assert!(block_on(poll_once(file.pread(0, 256))).is_none());
    assert!(block_on(poll_once(file.pwrite(0, vec![1; 256].into()))).is_none());
    drop(file);
    fake.answer(0);
    fake.wait_in_flight(1);
    assert!(matches!(fake.in_flight()[..], [What::Write { .. }]), "which waited for the read");
    fake.answer(0);
    fake.wait_for("close a, 0 callbacks lost");
    fake.answer(0);
    fake.wait_for("fini");
    fake.answer(0);
    fake.wait_for("ended");
    assert_eq!(fake.contents()[..256], [1; 256]);
}
