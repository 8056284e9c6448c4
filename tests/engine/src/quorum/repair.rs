//! `rewrite-corrupted`: those who lost a vote get what won it.

use super::super::{
    bed::Bed,
    stage::full,
    task::{Task, now},
};
use quorate_engine::{BlockDevice, Errno, Limits, quorum::options::Overlap};

fn bed(letters: &str, threshold: usize) -> Bed {
    Bed::with(letters, threshold, Limits::NONE, |options| options.rewrite_corrupted(true))
}

#[test]
fn losers_are_overwritten_in_the_order_of_their_blame() {
    let bed = bed("ABCBA", 2);
    assert_eq!(bed.read(512, 1000), Ok("B".into()));
    let reads = ["c0", "c1", "c2", "c3", "c4"].map(|child| format!("{child} read 512+1000"));
    let mut lines: Vec<_> = reads.iter().map(String::as_str).collect();
    lines.extend(["! c2 read outvoted 1+2", "! c4 read outvoted 1+2", "! c0 read outvoted 1+2"]);
    lines.extend(["c2 write 512+1000 B", "c4 write 512+1000 B", "c0 write 512+1000 B"]);
    bed.saw(&lines);
    assert_eq!([0, 2, 4].map(|i| bed.stage.holds(i)), ["ABA", "CBC", "ABA"]);
    assert_eq!(bed.read(512, 1000), Ok("B".into()));
    bed.told(&[]);
}

#[test]
fn a_read_waits_for_its_repairs_and_ignores_their_errors() {
    let bed = bed("ABAC", 2);
    bed.stage.hold("c1 write");
    bed.stage.hold("c3 write");
    bed.stage.fail("c1 write", Errno::EIO);
    let mut read = Task::start(bed.array.pread(0, 512));
    bed.stage.release("c1 write");
    assert!(read.waits());
    bed.told(&["! c3 read outvoted 0+1", "! c1 read outvoted 0+1"]);
    bed.stage.release("c3 write");
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    bed.saw(&[]);
    assert_eq!([1, 3].map(|i| bed.stage.holds(i)), ["B", "AC"]);
}

#[test]
fn those_who_failed_are_not_repaired() {
    let bed = bed("AAAB", 2);
    bed.stage.fail("c0 read", Errno::EIO);
    assert_eq!(bed.read(0, 512), Ok("A".into()));
    let lines = bed.stage.take();
    let writes: Vec<_> = lines.iter().filter(|line| line.contains("write")).collect();
    assert_eq!(writes, ["c3 write 0+512 A"]);
}

#[test]
fn nothing_is_repaired_without_a_winner_or_without_a_loser() {
    let split = bed("ABC", 2);
    assert_eq!(split.read(0, 512), Err(Errno::EIO));
    let alone = bed("AAA", 2);
    alone.stage.fail("c0 read", Errno::EIO);
    assert_eq!(alone.read(0, 512), Ok("A".into()));
    for bed in [split, alone] {
        assert!(!bed.stage.take().iter().any(|line| line.contains("write")));
    }
}

#[test]
fn a_repair_takes_its_turn_among_writes() {
    let bed = bed("AAB", 2);
    bed.stage.hold("c2 write");
    let mut read = Task::start(bed.array.pread(0, 512));
    let mut write = Task::start(bed.array.pwrite(0, full('C', 512), Default::default()));
    bed.stage.take();
    assert!(write.waits());
    bed.saw(&[]);
    bed.stage.unhold();
    bed.stage.release("c2 write");
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["CA", "CA", "CB"]);
}

#[test]
fn reads_that_may_repair_take_turns() {
    let bed = bed("AAB", 2);
    bed.stage.hold("c2 write");
    let mut first = Task::start(bed.array.pread(0, 512));
    bed.stage.take();
    let mut second = Task::start(bed.array.pread(511, 512));
    assert!(second.waits());
    bed.saw(&[]);
    bed.stage.unhold();
    bed.stage.release("c2 write");
    assert_eq!(first.done(), Some(Ok(full('A', 512))));
    assert_eq!(second.done(), Some(Ok(full('A', 512))));
    assert_eq!(bed.stage.holds(2), "AB");
}

/// The hazard that `overlap = qemu` keeps: a repair brings back what a write has just replaced.
#[test]
fn left_to_chance_a_repair_undoes_a_write() {
    let bed = Bed::with("AAB", 2, Limits::NONE, |options| {
        options.rewrite_corrupted(true).overlap(Overlap::Qemu)
    });
    bed.stage.hold("c2 write 0+512 A");
    let mut read = Task::start(bed.array.pread(0, 512));
    assert_eq!(now(bed.array.pwrite(0, full('C', 512), Default::default())), Ok(()));
    bed.stage.release("c2 write");
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["CA", "CA", "AB"]);
}
