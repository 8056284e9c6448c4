//! What comes of a call.

use super::fake::{Fake, How, What};
use bytes::Bytes;
use futures_lite::future::{block_on, poll_once};
use futures_util::future::BoxFuture;
use quorate_engine::{
    Errno,
    gluster::api::{Access, Done, File, ReadDone, Refusal, Seek, Stat},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

#[test]
fn calls_are_answered_inside_their_submission() {
    let fake = Fake::new("inside", b"gluster");
    let file = fake.file();
    assert_eq!(block_on(file.pwrite(2, Bytes::from("oom"))), done(3));
    let read = block_on(file.pread(0, 10));
    assert_eq!((read.done, &read.buffer[..]), (done(7), &b"gloomer\0\0\0"[..]));
    assert_eq!(block_on(file.zerofill(6, 3)), done(0));
    assert_eq!(block_on(file.discard(0, 1)), done(0));
    assert_eq!(block_on(file.fsync()), done(0));
    assert_eq!(fake.contents(), b"\0loome\0\0\0");
    assert_eq!(block_on(file.ftruncate(4)), done(0));
    assert_eq!(block_on(file.fallocate(4, 2)), done(0));
    assert_eq!(fake.contents(), b"\0loo\0\0");
    assert_eq!(block_on(file.stat()), Ok(Stat { bytes: 6, allocated: 3 * 512 }));
    assert_eq!(block_on(file.seek(3, Seek::Hole)), done(3));
    assert_eq!(block_on(file.close()), done(0));
}

#[test]
fn calls_are_answered_later_and_by_any_thread() {
    let fake = Fake::new("later", &[0; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let mut writes: Vec<_> =
        (0..8u8).map(|i| begin(file.pwrite(u64::from(i) * 8, vec![i; 8].into()))).collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| fake.answer(0));
        }
        for write in writes.drain(..) {
            assert_eq!(block_on(write), done(8));
        }
    });
    let read = begin(file.pread(8, 56));
    thread::scope(|scope| {
        scope.spawn(|| fake.answer(0));
        let expected: Vec<u8> = (1..8).flat_map(|i| [i; 8]).collect();
        assert_eq!(block_on(read), ReadDone { done: done(56), buffer: expected.into() });
    });
    fake.how(How::Inside);
}

#[test]
fn a_failure_is_the_callbacks_own_error_number() {
    let fake = Fake::new("failure", &[0; 64]);
    let file = fake.file();
    fake.how(How::Held);
    for errno in [libc::ENOSPC, libc::EIO, 0] {
        for call in every_call(&*file) {
            let call = begin(call);
            fake.fail(0, errno);
            assert_eq!(block_on(call), Done { ret: -1, errno });
        }
        let stat = begin(file.stat());
        fake.fail(0, errno);
        let expected = Errno::from_number(errno).unwrap_or(Errno::EIO);
        assert_eq!(block_on(stat), Err(expected), "0 is an error, too");
    }
    fake.how(How::Inside);
}

#[test]
fn whatever_is_answered_is_handed_on() {
    let fake = Fake::new("odd", &[7; 64]);
    let file = fake.file();
    fake.how(How::Held);
    for ret in [0, 3, 64] {
        let write = begin(file.pwrite(0, vec![1; 8].into()));
        fake.tell(0, ret);
        assert_eq!(block_on(write), done(ret));
        let read = begin(file.pread(0, 8));
        fake.tell(0, ret);
        let told = usize::try_from(ret).unwrap().min(8);
        let buffer = [vec![7; told], vec![0; 8 - told]].concat().into();
        assert_eq!(block_on(read), ReadDone { done: done(ret), buffer }, "no more than it is told");
    }
    fake.how(How::Inside);
}

#[test]
fn a_call_that_is_not_taken_has_ended() {
    let fake = Fake::new("refused", &[0; 64]);
    let file = fake.file();
    for errno in [libc::EAGAIN, libc::EBADF, 0] {
        fake.how(How::Refused(errno));
        for call in every_call(&*file) {
            assert_eq!(block_on(call), Done { ret: -1, errno });
        }
        fake.how(How::Inside);
        assert_eq!(block_on(file.pwrite(0, vec![1; 8].into())), done(8), "nothing is in its way");
    }
}

#[test]
fn a_range_that_no_file_has_is_refused_unasked() {
    let fake = Fake::new("ranges", &[0; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let refused = Done { ret: -1, errno: libc::EINVAL };
    let beyond = i64::MAX as u64;
    for (offset, bytes) in [(u64::MAX, 1), (beyond, 1), (beyond + 1, 0), (beyond - 1, 2)] {
        assert_eq!(block_on(file.pread(offset, bytes)).done, refused);
        assert_eq!(block_on(file.pwrite(offset, vec![1; bytes].into())), refused);
        for call in [File::zerofill, File::discard, File::fallocate] {
            assert_eq!(block_on(call(&*file, offset, bytes as u64)), refused);
        }
    }
    assert_eq!(block_on(file.zerofill(1, u64::MAX)), refused);
    assert_eq!(block_on(file.ftruncate(beyond + 1)), refused);
    assert_eq!(block_on(file.seek(beyond + 1, Seek::Data)), refused);
    assert_eq!(block_on(file.pread(0, usize::MAX / 2)).done.errno, libc::ENOMEM);
    assert_eq!(fake.in_flight(), []);
    fake.how(How::Inside);
}

#[test]
fn a_file_is_opened_as_it_is_asked_for() {
    let fake = Fake::new("opened", b"");
    let volume = fake.volume();
    let flags = |access| {
        drop(block_on(volume.open("a/b", access)).unwrap());
        let journal = fake.journal();
        let open = journal.iter().rfind(|line| line.starts_with("open")).unwrap();
        i32::from_str_radix(open.strip_prefix("open a/b ").unwrap(), 8).unwrap()
    };
    assert_eq!(flags(Access { write: false, direct: false }), libc::O_RDONLY);
    assert_eq!(flags(Access { write: true, direct: false }), libc::O_RDWR);
    assert_eq!(flags(Access { write: false, direct: true }), libc::O_RDONLY | libc::O_DIRECT);
    assert_eq!(flags(Access { write: true, direct: true }), libc::O_RDWR | libc::O_DIRECT);
    drop(block_on(volume.create("new")).unwrap());
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
    fake.wait_for(&format!("creat new {flags:o} 600"));

    fake.how(How::Refused(0));
    let refused = block_on(volume.open("a", Access { write: true, direct: false })).err();
    assert_eq!(refused, Some(Refusal { errno: 0, text: None }));
    fake.how(How::Inside);
}

#[test]
fn a_wake_that_panics_ends_in_the_callback() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let fake = Fake::new("panics", &[7; 8]);
    let file = fake.file();
    fake.how(How::Held);
    let mut read = file.pread(0, 8);
    let waker = Waker::from(Arc::new(Panics));
    assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    fake.answer(0);
    let quiet = Waker::noop();
    let Poll::Ready(read) = read.as_mut().poll(&mut Context::from_waker(quiet)) else {
        panic!("it was answered")
    };
    assert_eq!(read, ReadDone { done: done(8), buffer: vec![7; 8].into() });
    fake.how(How::Inside);
}

#[test]
fn who_polled_last_is_woken() {
    #[derive(Default)]
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let fake = Fake::new("woken", &[7; 8]);
    let file = fake.file();
    fake.how(How::Held);
    let mut read = file.pread(0, 8);
    let woken = [(); 2].map(|()| {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        woken
    });
    fake.answer(0);
    assert_eq!(woken.map(|woken| woken.0.load(Ordering::SeqCst)), [false, true]);
    fake.how(How::Inside);
}

#[test]
fn a_seek_has_a_descriptor_of_its_own_and_waits_for_the_cache() {
    let fake = Fake::new("seeks", &[0; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let seek = begin(file.seek(8, Seek::Data));
    fake.wait_in_flight(1);
    assert_eq!(fake.in_flight(), [What::Stat], "which write-behind answers when it has written");
    fake.answer(0);
    fake.answer(0);
    assert_eq!(block_on(seek), done(8));
    fake.how(How::Inside);
    assert_eq!(block_on(file.seek(16, Seek::Hole)), done(16));
    let journal = fake.journal();
    let of_seeks = |line: &&String| line.starts_with("dup") || line.starts_with("seek");
    let seeks: Vec<_> = journal.iter().filter(of_seeks).collect();
    let data = format!("seek {} on dup of a", libc::SEEK_DATA);
    let hole = format!("seek {} on dup of a", libc::SEEK_HOLE);
    assert_eq!(seeks, ["dup a", &data, &hole]);
}

/// One call of each kind that ends in a [`Done`] and of which the first part can fail.
fn every_call(file: &dyn File) -> Vec<BoxFuture<'_, Done>> {
    vec![
        file.pwrite(0, vec![1; 8].into()),
        Box::pin(async { file.pread(0, 8).await.done }),
        file.zerofill(0, 8),
        file.discard(0, 8),
        file.fsync(),
        file.ftruncate(8),
        file.fallocate(0, 8),
        file.seek(0, Seek::Data),
    ]
}

fn begin<T>(mut call: BoxFuture<'_, T>) -> BoxFuture<'_, T> {
    assert!(block_on(poll_once(&mut call)).is_none(), "it is held");
    call
}

fn done(ret: i64) -> Done {
    Done { ret, errno: 0 }
}
