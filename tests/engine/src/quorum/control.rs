//! Length, block status, close, and invalidation.

use super::super::{
    bed::Bed,
    stage::{Outcome, Stage, full},
    task::{Task, now},
};
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, Limits, Quorum, QuorumOptions,
    quorum::error::OpenError,
};
use std::sync::Arc;

/// Opens an array over children of these lengths.
fn open(lengths: &[usize], stage: &Stage) -> Result<Quorum, OpenError> {
    let mut options = QuorumOptions::builder("q", 1);
    for (i, &bytes) in lengths.iter().enumerate() {
        let child = stage.child_of(vec![b'A'; bytes], Limits::NONE);
        options = options.child(format!("c{i}"), child);
    }
    let options = options.build().expect("the options are valid");
    let mut opened = None;
    Task::start(async { opened = Some(Quorum::open(options, &(), Arc::new(())).await) }).waits();
    opened.expect("nothing is held")
}

#[test]
fn lengths_agree_if_they_are_as_many_sectors() {
    for (lengths, expected) in [
        (&[1000, 1024][..], Ok(1024)),
        (&[1000], Ok(1024)),
        (&[0, 0], Ok(0)),
        (&[512, 513], Err(Errno::EIO)),
        (&[1024, 1024, 2048], Err(Errno::EIO)),
    ] {
        let length = match open(lengths, &Stage::default()) {
            Ok(array) => now(array.length()),
            Err(OpenError::Length(error)) => Err(error),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(length, expected, "{lengths:?}");
    }
}

#[test]
fn an_array_that_does_not_open_closes_its_children() {
    let stage = Stage::default();
    assert!(open(&[512, 1024], &stage).is_err());
    assert_eq!(stage.take(), ["c0 length", "c1 length", "c0 close", "c1 close"]);
    let stage = Stage::default();
    stage.fail("c0 length", Errno::EPERM);
    let Err(OpenError::Length(Errno::EPERM)) = open(&[512, 512], &stage) else { panic!() };
    assert_eq!(stage.take(), ["c0 length", "c0 close", "c1 close"]);
}

#[test]
fn the_first_error_is_the_answer_about_the_length() {
    let bed = Bed::new("AAA", 1);
    bed.stage.fail("c1 length", Errno::ENOSPC);
    bed.stage.fail("c2 length", Errno::EPERM);
    assert_eq!(now(bed.array.length()), Err(Errno::ENOSPC));
    bed.saw(&["c0 length", "c1 length"]);
}

#[test]
fn status_is_zero_for_the_shortest_run_if_all_say_so_and_else_the_longest_data() {
    use ExtentKind::{Data, Zero};
    for (answers, kind, bytes) in [
        ([(Zero, 4096), (Zero, 1024), (Zero, 2048)], Zero, 1024),
        ([(Zero, 4096), (Data, 512), (Zero, 2048)], Data, 512),
        ([(Data, 1024), (Data, 512), (Zero, 2048)], Data, 1024),
        ([(Data, 512), (Data, 1024), (Data, 700)], Data, 1024),
        ([(Zero, 9000), (Zero, 9000), (Zero, 9000)], Zero, 4096),
        ([(Zero, 9000), (Data, 9000), (Zero, 9000)], Data, 4096),
    ] {
        let bed = Bed::new("AAA", 2);
        for (child, (kind, bytes)) in ["c0", "c1", "c2"].into_iter().zip(answers) {
            bed.stage.rule(child, Outcome::Status(bytes, kind));
        }
        let status = now(bed.array.block_status(1024, 4096));
        assert_eq!(status, Ok(Extent { bytes, kind }), "{answers:?}");
        bed.told(&[]);
    }
}

#[test]
fn a_child_without_status_makes_the_whole_range_data_and_later_ones_are_not_asked() {
    for outcome in [Outcome::Failed(Errno::EIO), Outcome::Status(0, ExtentKind::Zero)] {
        let bed = Bed::new("AAA", 2);
        bed.stage.rule("c", Outcome::Status(512, ExtentKind::Zero));
        bed.stage.rule("c1", outcome);
        let whole = Extent { bytes: 4096, kind: ExtentKind::Data };
        assert_eq!(now(bed.array.block_status(1000, 4096)), Ok(whole));
        bed.saw(&["c0 status 1000+4096", "c1 status 1000+4096", "! c1 read EIO 1+9"]);
    }
}

#[test]
fn status_of_nothing_is_nothing() {
    let bed = Bed::new("AAA", 2);
    let nothing = Extent { bytes: 0, kind: ExtentKind::Data };
    assert_eq!(now(bed.array.block_status(8192, 0)), Ok(nothing));
    bed.saw(&[]);
}

#[test]
fn status_behind_a_childs_end_is_zero_and_padded_answers_are_cut() {
    let stage = Stage::default();
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    let children =
        vec![stage.child_of(vec![0; 1000], Limits::NONE), stage.child_of(vec![0; 1024], sectors)];
    let bed = Bed::over(stage, 2, children, |options| options);
    bed.stage.rule("c", Outcome::Status(512, ExtentKind::Zero));
    let zero = |bytes| Ok(Extent { bytes, kind: ExtentKind::Zero });
    assert_eq!(now(bed.array.block_status(100, 200)), zero(200));
    bed.saw(&["c0 status 100+200", "c1 status 0+512"]);
    assert_eq!(now(bed.array.block_status(100, 600)), zero(412));
    bed.saw(&["c0 status 100+600", "c1 status 0+1024"]);
    assert_eq!(now(bed.array.block_status(990, 30)), zero(30));
    bed.saw(&["c0 status 990+10", "c1 status 512+512"]);
    assert_eq!(now(bed.array.block_status(1010, 14)), zero(14));
    bed.saw(&["c1 status 512+512"]);
}

#[test]
fn closing_waits_for_requests_flushes_and_closes() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c0 write");
    bed.stage.hold("c2 flush");
    bed.stage.fail("c1 flush", Errno::EIO);
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    bed.stage.take();
    let mut close = Task::start(bed.array.close());
    let mut late = Task::start(bed.array.pread(4096, 512));
    bed.saw(&[]);
    bed.stage.release("c0 write");
    assert_eq!(write.done(), Some(Ok(())));
    assert!(close.waits());
    bed.saw(&["c0 flush", "c1 flush", "! c1 flush EIO 0+0", "c2 flush"]);
    bed.stage.release("c2 flush");
    assert_eq!(close.done(), Some(Ok(())));
    bed.saw(&["c0 close", "c1 close", "c2 close"]);
    assert_eq!(late.done(), Some(Err(Errno::ENOMEDIUM)));
}

#[test]
fn closing_waits_for_flushes_and_queries() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0");
    let mut flush = Task::start(bed.array.flush());
    let mut length = Task::start(bed.array.length());
    bed.stage.unhold();
    bed.stage.take();
    let mut close = Task::start(bed.array.close());
    bed.stage.release("c0 flush");
    assert_eq!(flush.done(), Some(Ok(())));
    assert!(close.waits(), "the query may still ask a child");
    bed.saw(&["c1 flush"]);
    bed.stage.release("c0 length");
    assert_eq!(length.done(), Some(Ok(8192)));
    assert_eq!(close.done(), Some(Ok(())));
    bed.saw(&["c1 length", "c0 flush", "c1 flush", "c0 close", "c1 close"]);
}

#[test]
fn closing_waits_for_a_request_for_nothing() {
    for offset in [0, 512] {
        let bed = Bed::new("AA", 2);
        bed.stage.hold("c0 read");
        let mut read = Task::start(bed.array.pread(offset, 0));
        let mut close = Task::start(bed.array.close());
        assert!(close.waits());
        bed.stage.release("c0 read");
        assert_eq!(read.done(), Some(Ok(full('A', 0))));
        assert_eq!(close.done(), Some(Ok(())));
    }
}

#[test]
fn a_closed_array_has_no_medium() {
    let bed = Bed::new("AAA", 2);
    assert_eq!(now(bed.array.close()), Ok(()));
    bed.stage.take();
    let gone = Err(Errno::ENOMEDIUM);
    assert_eq!(bed.read(0, 1), Err(Errno::ENOMEDIUM));
    assert_eq!(bed.write(0, full('B', 1), Flags::NONE), gone);
    assert_eq!(bed.zero(0, 1, Flags::NONE), gone);
    assert_eq!(now(bed.array.flush()), gone);
    assert_eq!(now(bed.array.pdiscard(0, 1)), gone);
    assert_eq!(now(bed.array.invalidate()), gone);
    assert_eq!(now(bed.array.length()), Err(Errno::ENOMEDIUM));
    assert_eq!(now(bed.array.block_status(0, 1)), Err(Errno::ENOMEDIUM));
    assert_eq!(now(bed.array.close()), Ok(()), "once more is no error");
    bed.saw(&[]);
}

#[test]
fn closing_reaches_every_child_and_tells_the_first_error() {
    let bed = Bed::new("AAA", 2);
    bed.stage.fail("c0 close", Errno::EIO);
    bed.stage.fail("c1 close", Errno::ENOSPC);
    assert_eq!(now(bed.array.close()), Err(Errno::EIO));
    let lines = bed.stage.take();
    assert_eq!(lines[3..], ["c0 close", "c1 close", "c2 close"]);

    let bed = Bed::new("AA", 2);
    bed.stage.fail("c0 flush", Errno::ENOSPC);
    bed.stage.fail("c0 close", Errno::EIO);
    assert_eq!(now(bed.array.close()), Err(Errno::ENOSPC), "the flush came first");
}

#[test]
fn a_read_only_array_closes_without_a_flush() {
    let bed = Bed::with("AA", 2, Limits::NONE, |options| options.read_only(true));
    assert_eq!(now(bed.array.close()), Ok(()));
    bed.saw(&["c0 close", "c1 close"]);
}

#[test]
fn invalidation_reaches_every_child_in_spite_of_errors() {
    let bed = Bed::new("AAA", 2);
    bed.stage.fail("c0", Errno::EIO);
    bed.stage.fail("c1", Errno::EIO);
    assert_eq!(now(bed.array.invalidate()), Ok(()));
    bed.saw(&["c0 invalidate", "c1 invalidate", "c2 invalidate"]);
}
