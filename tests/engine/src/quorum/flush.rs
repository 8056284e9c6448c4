//! Flushes: one child after the other, in turns with each other and with nothing else.

use super::super::{
    bed::Bed,
    stage::full,
    task::{Task, now},
};
use quorate_engine::{BlockDevice, Errno, Flags};

#[test]
fn children_are_flushed_one_after_the_other_also_after_errors() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c");
    bed.stage.fail("c0", Errno::EIO);
    let mut flush = Task::start(bed.array.flush());
    bed.saw(&["c0 flush"]);
    bed.stage.release("c0");
    assert!(flush.waits());
    bed.saw(&["! c0 flush EIO 0+0", "c1 flush"]);
    bed.stage.release("c1");
    assert!(flush.waits());
    bed.saw(&["c2 flush"]);
    bed.stage.release("c2");
    assert_eq!(flush.done(), Some(Ok(())));
    bed.saw(&[]);
}

/// `.` is a success. A failure is an error and never a failure event.
#[test]
fn too_few_successes_fail_with_the_error_that_won() {
    for (word, threshold, expected) in [
        ("e..", 2, Ok(())),
        ("es.", 2, Err(Errno::ENOSPC)),
        ("se.", 2, Err(Errno::EIO)),
        ("ese", 1, Err(Errno::EIO)),
        ("e.", 2, Err(Errno::EIO)),
        (".e", 1, Ok(())),
    ] {
        let bed = Bed::new(&"A".repeat(word.len()), threshold);
        let mut told = Vec::new();
        for (i, outcome) in word.chars().enumerate() {
            let error = match outcome {
                'e' => Errno::EIO,
                's' => Errno::ENOSPC,
                _ => continue,
            };
            bed.stage.fail(&format!("c{i}"), error);
            told.push(format!("! c{i} flush {error} 0+0"));
        }
        assert_eq!(now(bed.array.flush()), expected, "{word} at {threshold}");
        bed.told(&told.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_second_flush_waits_for_the_first() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1");
    let mut first = Task::start(bed.array.flush());
    let mut second = Task::start(bed.array.flush());
    bed.saw(&["c0 flush", "c1 flush"]);
    bed.stage.unhold();
    bed.stage.release("c1");
    assert!(second.waits(), "the first has not been polled since");
    assert_eq!(first.done(), Some(Ok(())));
    assert_eq!(second.done(), Some(Ok(())));
    bed.saw(&["c0 flush", "c1 flush"]);
}

#[test]
fn a_flush_waits_for_no_write_and_no_read() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0 write");
    bed.stage.hold("c0 read");
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    let mut read = Task::start(bed.array.pread(4096, 512));
    assert_eq!(now(bed.array.flush()), Ok(()));
    assert!(write.waits());
    assert!(read.waits());
}

#[test]
fn no_write_waits_for_a_flush_but_a_forced_one() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0 flush");
    let mut flush = Task::start(bed.array.flush());
    assert_eq!(bed.write(0, full('B', 512), Flags::NONE), Ok(()));
    let mut forced = Task::start(bed.array.pwrite(0, full('C', 512), Flags::FUA));
    assert!(forced.waits());
    bed.stage.unhold();
    bed.stage.release("c0 flush");
    assert_eq!(flush.done(), Some(Ok(())));
    assert_eq!(forced.done(), Some(Ok(())));
}
