//! Requests on the same bytes: in turns, or left to chance.

use super::super::{
    bed::Bed,
    stage::{Stage, full},
    task::{Task, now},
};
use futures_lite::future::poll_once;
use quorate_engine::{
    BlockDevice, Flags, Limits, Quorum,
    quorum::options::{Overlap, QuorumBuilder},
};
use std::{
    sync::Arc,
    task::{Context, Wake, Waker},
};

fn left_to_chance(letters: &str, threshold: usize) -> Bed {
    Bed::with(letters, threshold, Limits::NONE, |options| options.overlap(Overlap::Qemu))
}

#[test]
fn overlapping_writes_take_turns_in_the_order_they_came() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1 write");
    let write = |offset, letter| bed.array.pwrite(offset, full(letter, 512), Flags::NONE);
    let mut first = Task::start(write(0, 'B'));
    let mut second = Task::start(write(511, 'C'));
    let mut third = Task::start(write(1022, 'D'));
    bed.saw(&["c0 write 0+512 B", "c1 write 0+512 B"]);
    bed.stage.release("c1");
    assert!(second.waits(), "the first has not been polled since");
    assert_eq!(first.done(), Some(Ok(())));
    assert!(second.waits());
    assert!(third.waits());
    bed.saw(&["c0 write 511+512 C", "c1 write 511+512 C"]);
    bed.stage.release("c1");
    assert_eq!(second.done(), Some(Ok(())));
    assert!(third.waits());
    bed.saw(&["c0 write 1022+512 D", "c1 write 1022+512 D"]);
    bed.stage.release("c1");
    assert_eq!(third.done(), Some(Ok(())));
    assert_eq!([0, 1].map(|i| bed.stage.holds(i)), ["BCDA"; 2]);
}

#[test]
fn neighbours_do_not_wait_for_each_other() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1 write 512");
    let mut held = Task::start(bed.array.pwrite(512, full('B', 512), Flags::NONE));
    assert_eq!(bed.write(0, full('C', 512), Flags::NONE), Ok(()));
    assert_eq!(bed.zero(1024, 512, Flags::NONE), Ok(()));
    assert_eq!(bed.read(0, 512), Ok("C".into()));
    assert!(held.waits());
}

#[test]
fn every_kind_of_request_waits_for_a_write_of_its_bytes() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1 write");
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    let mut read = Task::start(bed.array.pread(500, 100));
    let mut zero = Task::start(bed.array.pwrite_zeroes(500, 100, Flags::NONE));
    let mut discard = Task::start(bed.array.pdiscard(500, 100));
    bed.saw(&["c0 write 0+512 B", "c1 write 0+512 B"]);
    bed.stage.release("c1");
    assert_eq!(write.done(), Some(Ok(())));
    assert!(read.done().is_some_and(|data| data.is_ok()));
    assert_eq!(zero.done(), Some(Ok(())));
    assert_eq!(discard.done(), Some(Ok(())));
}

#[test]
fn a_write_waits_for_a_read_of_its_bytes_and_reads_for_no_read() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1 read 0+512");
    let mut read = Task::start(bed.array.pread(0, 512));
    assert_eq!(bed.read(0, 511), Ok("A".into()));
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    assert!(write.waits());
    let mut late = Task::start(bed.array.pread(0, 100));
    assert!(late.waits(), "turns are fair");
    bed.stage.release("c1 read");
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!(late.done(), Some(Ok(full('B', 100))));
}

#[test]
fn left_to_chance_nobody_waits_and_replicas_part() {
    let bed = left_to_chance("AA", 2);
    bed.stage.hold("c");
    let write = |letter| bed.array.pwrite(0, full(letter, 512), Flags::NONE);
    let (mut first, mut second) = (Task::start(write('B')), Task::start(write('C')));
    let mut read = Task::start(bed.array.pread(0, 512));
    for operation in ["c0 write 0+512 B", "c0 write 0+512 C", "c1 write 0+512 C"] {
        bed.stage.release(operation);
    }
    for operation in ["c1 write 0+512 B", "c0 read", "c1 read"] {
        bed.stage.release(operation);
    }
    assert_eq!(first.done(), Some(Ok(())));
    assert_eq!(second.done(), Some(Ok(())));
    assert_eq!(read.done(), Some(Err(quorate_engine::Errno::EIO)));
    assert_eq!([0, 1].map(|i| bed.stage.holds(i)), ["CA", "BA"]);
}

/// Two writes beside each other meet in the sector that one child reads and writes whole.
#[test]
fn writes_that_share_a_childs_sector_take_turns_even_where_chance_rules() {
    for overlap in [Overlap::Qemu, Overlap::Serialise] {
        let stage = Stage::default();
        let sectors = Limits { request_alignment: 512, ..Limits::NONE };
        let children = vec![stage.child('A', Limits::NONE), stage.child('A', sectors)];
        let bed = Bed::over(stage, 2, children, |options| options.overlap(overlap));
        bed.stage.hold("c1");
        let mut left = Task::start(bed.array.pwrite(0, full('B', 256), Flags::NONE));
        let mut right = Task::start(bed.array.pwrite(256, full('C', 256), Flags::NONE));
        bed.saw(&["c0 write 0+256 B", "c1 read 0+512"]);
        bed.stage.unhold();
        bed.stage.release("c1 read");
        assert_eq!(left.done(), Some(Ok(())));
        assert_eq!(right.done(), Some(Ok(())));
        assert_eq!([0, 1].map(|i| bed.stage.holds(i)), ["BCA"; 2]);
    }
}

/// Whatever is not whole blocks of a child, at its start or its end, makes that child read first.
#[test]
fn parts_of_a_childs_sectors_are_never_left_to_chance() {
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    for (offset, bytes, in_turns) in [
        (512, 512, false),
        (0, 1024, false),
        (0, 256, true),
        (512, 256, true),
        (256, 256, true),
        (256, 512, true),
        (100, 411, true),
    ] {
        let bed = Bed::with("AA", 2, sectors, |options| options.overlap(Overlap::Qemu));
        bed.stage.hold("c0");
        let write = |letter| bed.array.pwrite(offset, full(letter, bytes), Flags::NONE);
        let _first = Task::start(write('B'));
        bed.stage.take();
        let _second = Task::start(write('C'));
        assert_eq!(bed.stage.take().is_empty(), in_turns, "{offset}+{bytes}");
    }
}

#[test]
fn requests_in_two_blocks_of_a_child_do_not_wait_for_each_other() {
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    let bed = Bed::with("AA", 2, sectors, |options| options);
    bed.stage.hold("c1 write 512");
    let mut held = Task::start(bed.array.pwrite(512, full('B', 512), Flags::NONE));
    assert_eq!(bed.write(0, full('C', 512), Flags::NONE), Ok(()));
    assert_eq!(bed.write(1024, full('D', 1), Flags::NONE), Ok(()));
    assert_eq!(bed.read(2047, 1), Ok("A".into()));
    let mut neighbour = Task::start(bed.array.pwrite(511, full('E', 1), Flags::NONE));
    assert_eq!(neighbour.done(), Some(Ok(())));
    let mut same = Task::start(bed.array.pread(1023, 1));
    assert!(same.waits());
    assert!(held.waits());
}

#[test]
fn a_request_that_waits_for_its_turn_can_be_dropped() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1 write 0+512 B");
    let mut first = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    let second = Task::start(bed.array.pwrite(0, full('C', 512), Flags::NONE));
    drop(second);
    let mut third = Task::start(bed.array.pread(0, 512));
    bed.stage.release("c1");
    assert_eq!(first.done(), Some(Ok(())));
    // A write that was polled counts as started: it happens, as a child's would.
    assert_eq!(third.done(), Some(Ok(full('C', 512))));
    assert_eq!(now(bed.array.close()), Ok(()));
}

/// What lies around the repaired bytes in that sector may be somebody's write by then.
#[test]
fn a_repair_of_part_of_a_sector_keeps_writes_off_even_where_chance_rules() {
    let stage = Stage::default();
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    let limits = [Limits::NONE, Limits::NONE, sectors];
    let children = ['A', 'A', 'X'].into_iter().zip(limits);
    let children = children.map(|(letter, limits)| stage.child(letter, limits)).collect();
    let options = |options: QuorumBuilder| options.overlap(Overlap::Qemu).rewrite_corrupted(true);
    let bed = Bed::over(stage, 2, children, options);
    bed.stage.hold("c2 write 0+512 AX");
    let mut read = Task::start(bed.array.pread(0, 256));
    let mut write = Task::start(bed.array.pwrite(256, full('B', 256), Flags::NONE));
    assert!(write.waits());
    bed.stage.release("c2 write");
    assert_eq!(read.done(), Some(Ok(full('A', 256))));
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["ABA", "ABA", "ABX"]);
}

/// Two requests that had nothing to do with each other meet in a block of the child that joins.
#[test]
fn a_child_with_larger_blocks_joins_between_requests() {
    let bed = Bed::new("AA", 2);
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    let child = bed.stage.child('A', sectors);
    bed.stage.hold("c0 write 0+256");
    let mut left = Task::start(bed.array.pwrite(0, full('B', 256), Flags::NONE));
    let mut add = Task::start(bed.array.add_child("c2".into(), child));
    // In the queue behind the child: cut to its blocks only once it is there.
    let mut mid = Task::start(bed.array.pwrite(256, full('C', 128), Flags::NONE));
    let mut right = Task::start(bed.array.pwrite(384, full('D', 128), Flags::NONE));
    assert!(add.waits());
    assert!(mid.waits());
    assert!(right.waits());
    bed.stage.hold("c2 read");
    bed.stage.release("c0");
    assert_eq!(left.done(), Some(Ok(())));
    assert_eq!(add.done(), Some(Ok("children.2".into())));
    assert!(mid.waits());
    assert!(right.waits(), "it lets the one before it go first, and shares its block");
    assert!(mid.waits());
    bed.stage.unhold();
    bed.stage.release("c2 read");
    assert_eq!(mid.done(), Some(Ok(())));
    assert_eq!(right.done(), Some(Ok(())));
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["BCDA", "BCDA", "ACDA"]);
}

/// Nobody polls the write that the new child waits for.
#[test]
fn a_child_with_larger_blocks_helps_a_request_that_was_given_up() {
    let bed = Bed::new("AA", 2);
    let sectors = Limits { request_alignment: 512, ..Limits::NONE };
    let child = bed.stage.child('A', sectors);
    bed.stage.hold("c0 write");
    let write = Task::start(bed.array.pwrite(0, full('B', 256), Flags::NONE));
    drop(write);
    let mut add = Task::start(bed.array.add_child("c2".into(), child));
    assert!(add.waits());
    bed.stage.release("c0");
    assert_eq!(add.done(), Some(Ok("children.2".into())));
}

/// It was polled by one task and is waited for by another.
#[test]
fn a_request_that_moved_wakes_the_task_it_moved_to() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c1");
    let mut first = bed.array.pwrite(0, full('B', 512), Flags::NONE);
    let mut second = bed.array.pwrite(0, full('C', 512), Flags::NONE);
    assert_eq!(now(poll_once(&mut first)), None);
    assert_eq!(now(poll_once(&mut second)), None);
    let (mut first, mut second) = (Task::start(first), Task::start(second));
    assert!(first.waits());
    assert!(second.waits());
    bed.array.remove_child("children.1").unwrap();
    assert_eq!(first.done(), Some(Ok(())), "it has lost its child");
    assert_eq!(second.done(), Some(Ok(())), "its turn has come");
}

/// Uses an array when it is dropped.
struct Nosy(Arc<Quorum>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = self.0.remove_child("children.2");
    }
}

#[test]
fn a_waker_that_is_replaced_may_use_the_array() {
    for in_turn in [true, false] {
        let bed = Bed::new("AAA", 2);
        bed.stage.hold("c1");
        let mut first = bed.array.pwrite(0, full('B', 512), Flags::NONE);
        let mut second = bed.array.pwrite(0, full('C', 512), Flags::NONE);
        assert_eq!(now(poll_once(&mut first)), None);
        // The child lets go of the waker too.
        let stage = bed.stage.clone();
        bed.stage.meanwhile("c1", move || stage.release("c1"));
        let moved = if in_turn { &mut first } else { &mut second };
        let nosy = Waker::from(Arc::new(Nosy(bed.array.clone())));
        assert!(moved.as_mut().poll(&mut Context::from_waker(&nosy)).is_pending());
        drop(nosy);
        assert_eq!(bed.array.children().len(), 3, "the array has the last of this waker");
        assert_eq!(now(poll_once(moved)), in_turn.then_some(Ok(())));
        assert_eq!(bed.array.children().len(), 2, "it has replaced it");
    }
}
