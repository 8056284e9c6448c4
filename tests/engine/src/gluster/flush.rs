//! Flushes, what a failed one does to its image, and closing.

use super::{Bed, NAME, plain};
use crate::task::{Task, now};
use quorate_engine::{BlockDevice, Errno, Flags, Gluster, Prealloc, Result, gluster::Notice};

#[test]
fn a_flush_is_an_fsync_and_anything_but_0_is_its_failure() {
    for (ret, errno, expected) in [
        (0, 0, Ok(())),
        (0, 5, Ok(())),
        (1, 0, Err(Errno::EIO)),
        (-1, 28, Err(Errno::ENOSPC)),
        (-1, 0, Err(Errno::EIO)),
    ] {
        let bed = Bed::holding(&[0; 8]);
        let image = bed.open(plain);
        bed.fake.answer("fsync", ret, errno);
        assert_eq!(now(image.flush()), expected, "{ret} {errno}");
    }
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(|image| image.no_flush(true));
    assert_eq!(now(image.flush()), Ok(()));
    assert_eq!(bed.fake.journal(), Vec::<String>::new(), "nobody wanted it");
}

#[test]
fn a_failed_flush_ejects_the_image_for_good() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(|image| image.unmap(true));
    bed.fake.answer("fsync", -1, 28);
    assert_eq!(now(image.flush()), Err(Errno::ENOSPC));
    assert_eq!(bed.fake.journal(), ["fsync", "drop", "disconnect h:24007 v"]);
    assert_eq!(bed.told(), [Notice::Ejected { image: NAME.into(), errno: Errno::ENOSPC }]);
    // G08: the second fsync would succeed, and the data would be gone.
    assert!(every_request(&image).iter().all(|answer| *answer == Err(Errno::ENOMEDIUM)));
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
    for _ in 0..2 {
        assert_eq!(now(image.close()), Err(Errno::ENOSPC), "it was not closed in order");
    }
    drop(image);
    assert_eq!(bed.told(), [], "it has been told already");
}

/// S39: QEMU closes the file under them.
#[test]
fn the_file_of_an_ejected_image_is_closed_after_the_last_request_in_flight() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("p");
    let mut write = Task::start(image.pwrite(0, vec![1; 4].into(), Flags::NONE));
    let mut read = Task::start(image.pread(4, 4));
    bed.fake.answer("fsync", -1, 107);
    assert!(now(image.flush()).is_err());
    assert_eq!(now(image.pread(0, 1)), Err(Errno::ENOMEDIUM));
    assert_eq!(bed.fake.journal(), ["pwrite 0+4", "pread 4+4", "fsync"], "and no close");
    bed.fake.release("p");
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!(bed.fake.journal(), Vec::<String>::new(), "the read is still there");
    assert!(read.done().expect("it was released").is_ok());
    assert_eq!(bed.fake.journal(), ["drop", "disconnect h:24007 v"]);
}

#[test]
fn a_request_that_was_dropped_holds_no_file_open() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("pwrite");
    let write = Task::start(image.pwrite(0, vec![1; 4].into(), Flags::NONE));
    bed.fake.answer("fsync", -1, 107);
    assert!(now(image.flush()).is_err());
    bed.fake.journal();
    drop(write);
    assert_eq!(bed.fake.journal(), ["drop", "disconnect h:24007 v"], "gluster ends the write");
}

#[test]
fn flushes_take_turns_and_those_that_wait_share_one() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("fsync");
    let mut flushes: Vec<_> = (0..4).map(|_| Task::start(image.flush())).collect();
    assert_eq!(bed.fake.journal(), ["fsync"]);
    bed.fake.release("fsync");
    assert!(flushes.iter_mut().all(|flush| flush.done() == Some(Ok(()))));
    assert_eq!(bed.fake.journal(), ["fsync"], "one more for three");
    assert_eq!(now(image.flush()), Ok(()));
    assert_eq!(bed.fake.journal(), ["fsync"], "and one that began later has its own");
}

#[test]
fn no_flush_succeeds_that_waited_for_one_which_failed() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("fsync");
    let mut flushes: Vec<_> = (0..3).map(|_| Task::start(image.flush())).collect();
    bed.fake.answer("fsync", -1, 107);
    bed.fake.release("fsync");
    let answers: Vec<_> = flushes.iter_mut().map(|flush| flush.done().unwrap()).collect();
    let gone = Err(Errno::ENOMEDIUM);
    assert_eq!(answers, [Err("ENOTCONN".parse().unwrap()), gone, gone]);
}

/// Gluster says once that writes are lost, and the only one who could have heard it is gone.
#[test]
fn a_flush_that_was_given_up_on_takes_no_failure_along() {
    for close in [false, true] {
        let bed = Bed::holding(&[0; 8]);
        let image = bed.open(plain);
        bed.fake.hold("fsync");
        drop(Task::start(image.flush()));
        bed.fake.answer("fsync", -1, 28);
        bed.fake.release("fsync");
        let later = if close { now(image.close()) } else { now(image.flush()) };
        let expected = if close { Errno::ENOSPC } else { Errno::ENOMEDIUM };
        assert_eq!(later, Err(expected));
        assert_eq!(bed.told(), [Notice::Ejected { image: NAME.into(), errno: Errno::ENOSPC }]);
        let asked = bed.fake.journal();
        assert_eq!(asked.iter().filter(|line| *line == "fsync").count(), 1, "{asked:?}");
    }
}

#[test]
fn a_flush_that_is_given_up_on_stops_nobody_behind_it() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("fsync");
    let first = Task::start(image.flush());
    let mut second = Task::start(image.flush());
    let third = Task::start(image.flush());
    drop(first);
    drop(third);
    assert!(second.waits());
    bed.fake.release("fsync");
    assert_eq!(second.done(), Some(Ok(())));
}

#[test]
fn what_the_close_of_the_file_comes_to_is_the_answer() {
    for (ret, errno, expected) in [
        (0, 0, Ok(())),
        (-1, 107, Err("ENOTCONN".parse().unwrap())),
        (-1, 0, Err(Errno::EIO)),
        (1, 0, Err(Errno::EIO)),
    ] {
        let bed = Bed::holding(&[0; 8]);
        let image = bed.open(plain);
        bed.fake.answer("close", ret, errno);
        bed.fake.hold("close");
        let mut close = Task::start(image.close());
        assert!(close.waits());
        assert!(every_request(&image).iter().all(|answer| *answer == Err(Errno::ENOMEDIUM)));
        bed.fake.release("close");
        assert_eq!(close.done(), Some(expected));
        assert_eq!(bed.fake.journal(), ["close", "drop", "disconnect h:24007 v"]);
        assert_eq!(now(image.close()), Ok(()), "nothing is left to be closed");
        drop(close);
        drop(image);
        assert_eq!(bed.told(), []);
    }
}

#[test]
fn a_writable_image_that_nobody_closed_is_noticed() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    drop(image);
    assert_eq!(bed.told(), [Notice::NotClosed { image: NAME.into() }]);
    assert_eq!(bed.fake.journal(), ["drop", "disconnect h:24007 v"]);
    drop(bed.open(|image| image.read_only(true)));
    assert_eq!(bed.told(), [], "nothing was written");
    let image = bed.open(plain);
    bed.fake.hold("close");
    drop(Task::start(image.close()));
    bed.fake.answer("close", -1, 28);
    bed.fake.release("close");
    drop(image);
    assert_eq!(bed.told(), [Notice::NotClosed { image: NAME.into() }], "nobody has heard of it");
}

#[test]
fn notices_say_what_happened_and_what_to_do() {
    let image = || NAME.to_owned();
    let texts = [
        Notice::Ejected { image: image(), errno: Errno::ENOSPC },
        Notice::OpenedReadOnly { image: image(), errno: Errno::EROFS },
        Notice::NotClosed { image: image() },
    ]
    .map(|notice| notice.to_string());
    assert_eq!(
        texts,
        [
            "v/i on h:24007: a flush failed (No space left on device): acknowledged writes may be \
             lost, so every later request fails; open the image again once gluster is well",
            "v/i on h:24007: opened read-only, not for writing: Read-only file system",
            "v/i on h:24007: not closed: whether its last writes succeeded was not asked, close \
             it before it is dropped",
        ]
    );
}

/// What each kind of request is answered but a close.
fn every_request(image: &Gluster) -> Vec<Result<()>> {
    vec![
        now(image.length()).map(drop),
        now(image.allocated()).map(drop),
        now(image.pread(0, 4)).map(drop),
        now(image.pread(0, 0)).map(drop),
        now(image.pwrite(0, vec![1; 4].into(), Flags::NONE)),
        now(image.pwrite_zeroes(0, 4, Flags::NONE)),
        now(image.pdiscard(0, 4)),
        now(image.flush()),
        now(image.block_status(0, 4)).map(drop),
        now(image.truncate(4, Prealloc::Off)),
        now(image.invalidate()),
    ]
}
