//! Closing a file, and letting a connection go.

use super::fake::{Fake, How, What};
use futures_lite::future::{block_on, poll_once};
use futures_util::future::{join, join_all};
use quorate_engine::{
    Errno,
    gluster::api::{Done, Seek},
};

#[test]
fn a_close_waits_for_every_call() {
    let fake = Fake::new("close waits", &[7; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let reads = join_all((0..8).map(|i| file.pread(i * 8, 8)));
    let mut all = Box::pin(join(join(reads, file.fsync()), file.close()));
    assert!(block_on(poll_once(&mut all)).is_none());
    for left in (0..9).rev() {
        assert_eq!(fake.in_flight().len(), left + 1);
        assert!(!fake.in_flight().contains(&What::Close));
        fake.answer(left);
        assert!(block_on(poll_once(&mut all)).is_none());
    }
    fake.wait_for("close a, 0 callbacks lost");
    fake.fail(0, libc::ENOSPC);
    let ((reads, synced), closed) = block_on(all);
    assert!(reads.iter().all(|read| read.done.ret == 8 && read.buffer == vec![7; 8]));
    assert_eq!(synced, Done { ret: 0, errno: 0 });
    assert_eq!(closed, error(libc::ENOSPC), "a lost write is told here");
    fake.how(How::Inside);
}

/// Where gluster looks at its queue only when the next call comes, and everybody waits for this one.
#[test]
fn a_call_without_an_answer_is_followed_by_a_read() {
    let fake = Fake::new("forgotten", &[7; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let mut write = file.pwrite(0, vec![1; 8].into());
    assert!(block_on(poll_once(&mut write)).is_none());
    let mut close = file.close();
    assert!(block_on(poll_once(&mut close)).is_none());
    fake.wait_in_flight(2);
    assert!(matches!(fake.in_flight()[1], What::Read { offset: 0, memory } if memory.bytes == 1));
    fake.how(How::Inside);
    fake.answer(0);
    assert_eq!(block_on(write).ret, 8);
    assert!(block_on(poll_once(&mut close)).is_none(), "it waits for that read, too");
    fake.answer(0);
    assert_eq!(block_on(close).ret, 0);
    assert!(fake.journal().iter().any(|line| line == "close a, 0 callbacks lost"));
}

#[test]
fn a_closed_file_takes_no_call() {
    let fake = Fake::new("closed", &[7; 64]);
    let file = fake.file();
    assert_eq!(block_on(file.close()).ret, 0);
    let bad = error(libc::EBADF);
    assert_eq!(block_on(file.pread(0, 8)).done, bad);
    assert_eq!(block_on(file.pwrite(0, vec![1; 8].into())), bad);
    assert_eq!(block_on(file.seek(0, Seek::Data)), bad);
    assert_eq!(block_on(file.stat()), Err(Errno::from_number(libc::EBADF).unwrap()));
    assert_eq!(block_on(file.close()), bad);
    drop(file);
    fake.wait_for("ended");
    let closed = fake.journal().iter().filter(|line| line.starts_with("close")).count();
    assert_eq!(closed, 1, "once");
}

#[test]
fn both_descriptors_are_closed_and_neither_failure_is_lost() {
    let (no_space, gone) = (libc::ENOSPC, libc::ENOTCONN);
    let cases = [(0, 0, 0), (no_space, 0, no_space), (0, gone, gone), (no_space, gone, no_space)];
    for (i, (of_io, of_seek, expected)) in cases.into_iter().enumerate() {
        let fake = Fake::new(&format!("descriptors {i}"), &[7; 64]);
        let file = fake.file();
        assert_eq!(block_on(file.seek(0, Seek::Data)).ret, 0);
        fake.how(How::Held);
        let mut close = file.close();
        assert!(block_on(poll_once(&mut close)).is_none());
        for (name, errno) in [("a", of_io), ("dup of a", of_seek)] {
            fake.wait_for(&format!("close {name}, 0 callbacks lost"));
            if errno == 0 { fake.answer(0) } else { fake.fail(0, errno) }
        }
        fake.how(How::Inside);
        assert_eq!(block_on(close).errno, expected);
    }
}

#[test]
fn a_connection_lives_as_long_as_its_last_file() {
    let fake = Fake::new("last file", &[7; 64]);
    let file = fake.file();
    // Its volume is gone already.
    assert_eq!(block_on(file.pread(0, 8)).buffer, vec![7; 8]);
    assert!(!fake.journal().contains(&"fini".into()));
    drop(file);
    fake.wait_for("ended");
    let journal = fake.journal();
    let at = |line: &str| journal.iter().position(|entry| entry == line).unwrap();
    assert!(at("close a, 0 callbacks lost") < at("fini"));
}

#[test]
fn nobody_waits_for_a_connection_to_end() {
    let fake = Fake::new("slow end", &[7; 64]);
    let volume = fake.volume();
    fake.how(How::Held);
    drop(volume);
    // This thread is here although the library has not come back.
    fake.wait_in_flight(1);
    assert_eq!(fake.in_flight(), [What::Fini]);
    fake.answer(0);
    fake.wait_for("ended");
}

fn error(errno: i32) -> Done {
    Done { ret: -1, errno }
}
