//! Requests whose callers have gone: they go on, and others finish them.

use super::super::{
    bed::Bed,
    stage::full,
    task::{Task, now},
};
use quorate_engine::{BlockDevice, Errno, Flags, Limits};
use std::sync::{Arc, Mutex};

#[test]
fn a_request_that_was_never_polled_does_nothing() {
    let bed = Bed::new("AA", 2);
    drop(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    assert_eq!(bed.read(0, 512), Ok("A".into()));
    bed.saw(&["c0 read 0+512", "c1 read 0+512"]);
}

#[test]
fn a_dropped_write_keeps_its_bytes_until_the_children_have_answered() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let mut read = Task::start(bed.array.pread(0, 512));
    bed.stage.unhold();
    bed.stage.release("c1");
    assert!(read.waits());
    bed.stage.release("c0");
    assert_eq!(read.done(), Some(Ok(full('B', 512))));
}

#[test]
fn a_dropped_write_that_nobody_waited_for_is_finished_by_the_next_request() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    bed.stage.unhold();
    bed.stage.release("c0");
    bed.stage.release("c1");
    assert_eq!(bed.read(0, 512), Ok("B".into()));
}

#[test]
fn who_waited_before_the_caller_went_is_let_through_too() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c write");
    bed.stage.hold("c0");
    let write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    let mut read = Task::start(bed.array.pread(0, 512));
    assert!(read.waits());
    drop(write);
    assert!(read.waits());
    bed.stage.unhold();
    bed.stage.release("c0");
    assert_eq!(read.done(), Some(Ok(full('B', 512))));
}

#[test]
fn a_flush_that_waited_behind_a_dropped_one_is_let_through() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0");
    let first = Task::start(bed.array.flush());
    let mut second = Task::start(bed.array.flush());
    drop(first);
    bed.stage.unhold();
    bed.stage.release("c0");
    assert_eq!(second.done(), Some(Ok(())));
    bed.saw(&["c0 flush", "c1 flush", "c0 flush", "c1 flush"]);
}

/// The answer comes while one request polls the dropped write and another one looks in vain.
#[test]
fn an_answer_that_comes_while_somebody_helps_is_not_lost() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0 write");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let array = bed.array.clone();
    let waiting = Task::start(async move { array.pread(0, 512).await });
    let waiting = Arc::new(Mutex::new(waiting));
    let (stage, other) = (bed.stage.clone(), waiting.clone());
    bed.stage.meanwhile("c0 write", move || {
        stage.release("c0 write");
        assert!(other.lock().unwrap().waits(), "the dropped write is in other hands");
    });
    assert_eq!(bed.read(4096, 512), Ok("A".into()));
    assert_eq!(waiting.lock().unwrap().done(), Some(Ok(full('B', 512))));
}

/// The only request in flight has just helped, and is about to wait.
#[test]
fn an_answer_that_comes_before_the_helper_waits_is_not_lost() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0 write");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let stage = bed.stage.clone();
    bed.stage.meanwhile("c0 write", move || stage.release("c0 write"));
    let mut read = Task::start(bed.array.pread(0, 512));
    assert_eq!(read.done(), Some(Ok(full('B', 512))));
}

#[test]
fn the_second_half_of_a_dropped_request_is_done_too() {
    let bed = Bed::with("AAB", 2, Limits::NONE, |options| options.rewrite_corrupted(true));
    bed.stage.hold("c0");
    drop(Task::start(bed.array.pread(0, 512)));
    drop(Task::start(bed.array.pwrite(4096, full('C', 512), Flags::FUA)));
    bed.stage.unhold();
    bed.stage.release("c0 read");
    bed.stage.release("c0 write");
    bed.stage.take();
    assert_eq!(now(bed.array.length()), Ok(8192), "anybody helps");
    let lines = bed.stage.take();
    assert_eq!(bed.stage.holds(2), "ABCB");
    let flushes: Vec<_> = lines.iter().filter(|line| line.ends_with("flush")).collect();
    assert_eq!(flushes, ["c0 flush", "c1 flush", "c2 flush"]);
}

#[test]
fn the_failures_of_a_dropped_write_are_told() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1");
    bed.stage.fail("c1", Errno::EIO);
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    bed.stage.release("c1");
    bed.stage.unhold();
    let _ = bed.read(4096, 512);
    let told: Vec<_> = bed.stage.take();
    assert!(
        told.contains(&"! c1 write EIO 0+1".into()) && told.contains(&"! q failure 0+1".into())
    );
}

#[test]
fn closing_waits_for_dropped_requests() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let mut close = Task::start(bed.array.close());
    bed.stage.unhold();
    bed.stage.take();
    assert!(close.waits());
    bed.stage.release("c1");
    assert_eq!(close.done(), Some(Ok(())));
    bed.saw(&["c0 flush", "c1 flush", "c0 close", "c1 close"]);
}

#[test]
fn a_dropped_write_to_a_hung_child_ends_with_the_child() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c1 write");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let mut read = Task::start(bed.array.pread(0, 512));
    assert!(read.waits());
    bed.array.remove_child("children.1").unwrap();
    assert_eq!(read.done(), Some(Ok(full('B', 512))));
}

#[test]
fn who_helped_and_is_done_leaves_no_waker_behind() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c0 write");
    drop(Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE)));
    let mut helper = Task::start(bed.array.pread(4096, 512));
    assert_eq!(helper.done(), Some(Ok(full('A', 512))));
    let wakers = helper.wakers();
    drop(helper);
    assert_eq!(wakers.strong_count(), 0);
}

#[test]
fn an_array_with_dropped_requests_leaves_nothing_behind() {
    let Bed { stage, array } = Bed::new("AA", 2);
    let children: Vec<_> = array.children().into_iter().map(|child| child.device).collect();
    stage.hold("c1");
    drop(Task::start(array.pwrite(0, full('B', 512), Flags::NONE)));
    drop(Task::start(array.pread(0, 512)));
    drop(Task::start(array.flush()));
    assert!(children.iter().all(|child| Arc::strong_count(child) > 1));
    drop(array);
    assert!(children.iter().all(|child| Arc::strong_count(child) == 1));
    stage.release("c1 write");
    assert_eq!(stage.holds(1), "BA", "what a child was asked it does");
}
