//! Writes: the same to everybody, counted against the threshold.

use super::super::{
    bed::Bed,
    stage::full,
    task::{Task, now},
};
use crate::graph::Disk;
use quorate_engine::{
    BlockDevice, Errno, Flags, Limits, Quorum, QuorumOptions, quorum::options::ReadPattern,
};
use std::sync::Arc;

#[test]
fn everybody_is_asked_at_once_and_waited_for() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c");
    let mut write = Task::start(bed.array.pwrite(100, full('B', 200), Flags::NONE));
    bed.saw(&["c0 write 100+200 B", "c1 write 100+200 B", "c2 write 100+200 B"]);
    for child in ["c1", "c2"] {
        bed.stage.release(child);
        assert!(write.waits(), "the threshold alone is not enough");
    }
    bed.stage.release("c0");
    assert_eq!(write.done(), Some(Ok(())));
}

#[test]
fn a_write_lets_go_of_its_data() {
    let disks = [Disk::zeroed(512), Disk::zeroed(512)];
    let options = QuorumOptions::builder("q", 2).child("c0", disks[0].clone());
    let options = options.child("c1", disks[1].clone()).build().expect("the options are valid");
    let array = now(async { Quorum::open(options, &(), Arc::new(())).await.map(Arc::new) });
    let array = array.expect("the children are there");
    let data = full('B', 512);
    assert_eq!(now(array.pwrite(0, data.clone(), Flags::FUA)), Ok(()));
    assert!(data.is_unique(), "somebody still holds what was written");
}

#[test]
fn enough_successes_hide_failures_that_are_told() {
    let bed = Bed::new("AAA", 2);
    bed.stage.fail("c1 write", Errno::ENOSPC);
    assert_eq!(bed.write(0, full('B', 512), Flags::NONE), Ok(()));
    bed.told(&["! c1 write ENOSPC 0+1"]);
}

#[test]
fn too_few_successes_fail_and_nothing_is_rolled_back() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c");
    bed.stage.fail("c0 write", Errno::ENOSPC);
    bed.stage.fail("c1 write", Errno::EIO);
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    bed.stage.take();
    for (child, told) in [("c1", "! c1 write EIO 0+1"), ("c0", "! c0 write ENOSPC 0+1")] {
        bed.stage.release(child);
        assert!(write.waits());
        bed.saw(&[told]);
    }
    bed.stage.release("c2");
    assert_eq!(write.done(), Some(Err(Errno::EIO)), "by child, not by time");
    bed.saw(&["! q failure 0+1"]);
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["A", "A", "BA"]);
}

#[test]
fn a_forced_write_is_a_plain_write_and_then_a_flush_of_all() {
    let limits = Limits { write_fua: true, ..Limits::NONE };
    let bed = Bed::with("AAA", 2, limits, |options| options);
    assert_eq!(bed.write(0, full('B', 512), Flags::FUA), Ok(()));
    bed.saw(&[
        "c0 write 0+512 B",
        "c1 write 0+512 B",
        "c2 write 0+512 B",
        "c0 flush",
        "c1 flush",
        "c2 flush",
    ]);
}

#[test]
fn the_flush_decides_about_a_forced_write() {
    let bed = Bed::new("AAA", 2);
    bed.stage.fail("c0 flush", Errno::EIO);
    bed.stage.fail("c1 flush", Errno::ENOSPC);
    assert_eq!(bed.write(0, full('B', 512), Flags::FUA), Err(Errno::ENOSPC));
    bed.told(&["! c0 flush EIO 0+0", "! c1 flush ENOSPC 0+0"]);
}

#[test]
fn a_forced_write_that_failed_flushes_nobody() {
    let bed = Bed::new("AA", 2);
    bed.stage.fail("c1 write", Errno::EIO);
    assert_eq!(bed.write(0, full('B', 512), Flags::FUA), Err(Errno::EIO));
    assert!(!bed.stage.take().iter().any(|line| line.ends_with("flush")));
}

#[test]
fn a_write_of_nothing_is_asked_of_all() {
    let bed = Bed::new("AAA", 3);
    assert_eq!(bed.write(512, full('B', 0), Flags::NONE), Ok(()));
    bed.saw(&["c0 write 512+0 ", "c1 write 512+0 ", "c2 write 512+0 "]);
    bed.stage.fail("c2", Errno::EIO);
    assert_eq!(bed.write(512, full('B', 0), Flags::NONE), Err(Errno::EIO));
}

#[test]
fn a_fifo_array_writes_to_everybody() {
    let fifo = ReadPattern::Fifo;
    let bed = Bed::with("AB", 2, Limits::NONE, |options| options.read_pattern(fifo));
    bed.stage.fail("c1", Errno::EIO);
    assert_eq!(bed.write(0, full('C', 1), Flags::NONE), Err(Errno::EIO));
    bed.saw(&["c0 write 0+1 C", "c1 write 0+1 C", "! c1 write EIO 0+1", "! q failure 0+1"]);
}

#[test]
fn a_read_only_array_asks_nobody_to_change_or_flush_anything() {
    let bed = Bed::with("AAA", 2, Limits::NONE, |options| options.read_only(true));
    assert!(bed.array.limits().read_only);
    assert_eq!(bed.write(0, full('B', 512), Flags::NONE), Err(Errno::EPERM));
    assert_eq!(bed.zero(0, 512, Flags::NONE), Err(Errno::EPERM));
    assert_eq!(now(bed.array.flush()), Ok(()));
    bed.saw(&[]);
    assert_eq!(bed.read(0, 512), Ok("A".into()));
}

#[test]
fn a_discard_succeeds_and_children_hear_nothing() {
    let bed = Bed::new("AAA", 2);
    assert_eq!(now(bed.array.pdiscard(0, 8192)), Ok(()));
    bed.saw(&[]);
}

#[test]
fn an_array_has_no_other_length() {
    let bed = Bed::new("AAA", 2);
    let truncate = now(bed.array.truncate(512, quorate_engine::Prealloc::Off));
    assert_eq!(truncate, Err(Errno::ENOTSUP));
    bed.saw(&[]);
}
