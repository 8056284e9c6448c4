//! Reads of a voting array, of a `fifo` array and of a verifier.

use super::super::{
    bed::Bed,
    stage::{Outcome, full},
    task::{Task, now},
};
use quorate_engine::{BlockDevice, Errno, Flags, Limits, quorum::options::ReadPattern::Fifo};

#[test]
fn failures_are_told_as_they_come_and_errors_vote_by_child() {
    let bed = Bed::new("AAA", 2);
    for (child, error) in
        ["c0 read", "c1 read", "c2 read"].into_iter().zip([Errno::EIO, Errno::ENOSPC, Errno::EPERM])
    {
        bed.stage.hold(child);
        bed.stage.fail(child, error);
    }
    let mut read = Task::start(bed.array.pread(512, 512));
    bed.saw(&["c0 read 512+512", "c1 read 512+512", "c2 read 512+512"]);
    for (child, told) in [("c2", "! c2 read EPERM 1+1"), ("c0", "! c0 read EIO 1+1")] {
        bed.stage.release(child);
        assert!(read.waits());
        bed.saw(&[told]);
    }
    bed.stage.release("c1");
    assert_eq!(read.done(), Some(Err(Errno::EPERM)), "the last of a tie by child, not by time");
    bed.saw(&["! c1 read ENOSPC 1+1", "! q failure 1+1"]);
}

#[test]
fn a_read_waits_for_all_children_although_the_threshold_is_reached() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c1");
    let mut read = Task::start(bed.array.pread(0, 4));
    assert!(read.waits());
    bed.stage.release("c1");
    assert_eq!(read.done(), Some(Ok(full('A', 4))));
}

#[test]
fn losers_are_told_newest_version_first_and_without_an_error() {
    let bed = Bed::new("ABCBA", 2);
    assert_eq!(bed.read(1000, 1000), Ok("B".into()));
    bed.told(&["! c2 read outvoted 1+3", "! c4 read outvoted 1+3", "! c0 read outvoted 1+3"]);
}

#[test]
fn those_who_failed_are_not_blamed_again_by_the_vote() {
    let bed = Bed::new("ABAA", 2);
    bed.stage.fail("c0", Errno::EIO);
    assert_eq!(bed.read(0, 512), Ok("A".into()));
    bed.told(&["! c0 read EIO 0+1", "! c1 read outvoted 0+1"]);
}

#[test]
fn without_a_majority_nobody_is_blamed() {
    let bed = Bed::new("ABC", 2);
    assert_eq!(bed.read(0, 512), Err(Errno::EIO));
    bed.told(&["! q failure 0+1"]);
}

#[test]
fn too_few_answers_fail_although_they_agree() {
    let bed = Bed::new("AAA", 2);
    bed.stage.fail("c0", Errno::EIO);
    bed.stage.fail("c1", Errno::ENOSPC);
    assert_eq!(bed.read(0, 512), Err(Errno::ENOSPC));
    bed.told(&["! c0 read EIO 0+1", "! c1 read ENOSPC 0+1", "! q failure 0+1"]);
}

#[test]
fn events_carry_whole_sectors() {
    for (offset, bytes, told) in [
        (0, 1, "! q failure 0+1"),
        (511, 2, "! q failure 0+2"),
        (700, 10, "! q failure 1+1"),
        (1000, 100, "! q failure 1+2"),
        (1024, 7168, "! q failure 2+14"),
    ] {
        let bed = Bed::new("AB", 2);
        assert_eq!(bed.read(offset, bytes), Err(Errno::EIO));
        bed.told(&[told]);
    }
}

#[test]
fn an_answer_of_another_length_is_an_error_of_the_child() {
    for length in [0, 511, 513, 1024] {
        let bed = Bed::new("AAA", 2);
        bed.stage.rule("c1 read", Outcome::Data(full('A', length)));
        assert_eq!(bed.read(0, 512), Ok("A".into()));
        bed.told(&["! c1 read EIO 0+1"]);
    }
}

#[test]
fn a_read_of_nothing_is_asked_of_all_and_can_fail() {
    let bed = Bed::new("AAA", 2);
    assert_eq!(bed.read(512, 0), Ok(String::new()));
    bed.saw(&["c0 read 512+0", "c1 read 512+0", "c2 read 512+0"]);
    bed.stage.fail("c0", Errno::EIO);
    bed.stage.fail("c2", Errno::EIO);
    assert_eq!(bed.read(8192, 0), Err(Errno::EIO));
    bed.told(&["! c0 read EIO 16+0", "! c2 read EIO 16+0", "! q failure 16+0"]);
}

#[test]
fn a_request_beyond_the_end_reaches_no_child() {
    let bed = Bed::new("AAA", 2);
    for (offset, bytes) in [(8192, 1), (8191, 2), (0, 8193), (u64::MAX, 1), (u64::MAX, 0)] {
        assert_eq!(bed.read(offset, bytes), Err(Errno::EINVAL), "{offset}+{bytes}");
        let data = full('B', bytes);
        assert_eq!(bed.write(offset, data, Flags::FUA), Err(Errno::EINVAL));
        let bytes = bytes as u64;
        assert_eq!(bed.zero(offset, bytes, Flags::NONE), Err(Errno::EINVAL));
        let status = now(bed.array.block_status(offset, bytes));
        assert_eq!(status, Err(Errno::EINVAL));
        let discard = now(bed.array.pdiscard(offset, bytes));
        assert_eq!(discard, Err(Errno::EINVAL));
    }
    bed.saw(&[]);
}

#[test]
fn fifo_asks_one_after_the_other_until_one_answers() {
    let bed = Bed::with("ABC", 3, Limits::NONE, |options| options.read_pattern(Fifo));
    bed.stage.hold("c");
    bed.stage.fail("c0", Errno::EIO);
    let mut read = Task::start(bed.array.pread(0, 512));
    bed.saw(&["c0 read 0+512"]);
    bed.stage.release("c0");
    assert!(read.waits());
    bed.saw(&["! c0 read EIO 0+1", "c1 read 0+512"]);
    bed.stage.release("c1");
    assert_eq!(read.done(), Some(Ok(full('B', 512))), "whatever the threshold");
    bed.saw(&[]);
}

#[test]
fn fifo_fails_with_the_last_error_and_without_a_failure_event() {
    let bed = Bed::with("AAA", 1, Limits::NONE, |options| options.read_pattern(Fifo));
    bed.stage.fail("c0", Errno::ENOSPC);
    bed.stage.rule("c1", Outcome::Data(full('A', 100)));
    bed.stage.fail("c2", Errno::EPERM);
    assert_eq!(bed.read(0, 512), Err(Errno::EPERM));
    bed.told(&["! c0 read ENOSPC 0+1", "! c1 read EIO 0+1", "! c2 read EPERM 0+1"]);
}

#[test]
fn a_verifier_tells_where_its_children_differ() {
    let bed = Bed::with("AA", 2, Limits::NONE, |options| options.blkverify(true));
    assert_eq!(bed.read(0, 8192), Ok("A".into()));
    let other = [full('A', 500), full('B', 500)].concat();
    bed.stage.rule("c1 read", Outcome::Data(other.into()));
    bed.stage.take();
    assert_eq!(bed.read(1000, 1000), Err(Errno::EIO));
    bed.told(&["! q mismatch 1000+1000 at 1500"]);
}

#[test]
fn a_verifier_with_a_failed_child_only_lacks_its_quorum() {
    let bed = Bed::with("AB", 2, Limits::NONE, |options| options.blkverify(true));
    bed.stage.fail("c1", Errno::ENOSPC);
    assert_eq!(bed.read(0, 512), Err(Errno::ENOSPC));
    bed.told(&["! c1 read ENOSPC 0+1", "! q failure 0+1"]);
}
