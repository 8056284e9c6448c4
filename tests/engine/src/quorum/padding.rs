//! Children with a coarser alignment, and children that end inside the last sector.

use super::super::{
    bed::Bed,
    stage::{Outcome, Stage, full, letters},
    task::now,
};
use quorate_engine::{
    BlockDevice, Errno, Flags, Limits, Memory, Prealloc, Quorum, QuorumOptions,
    quorum::error::{ChangeError, OpenError},
};
use std::sync::Arc;

/// The second child takes whole sectors of 512 bytes, at most two at once.
fn bed(letters: [char; 3]) -> Bed {
    let stage = Stage::default();
    let sectors = Limits { request_alignment: 512, max_transfer: Some(1024), ..Limits::NONE };
    let limits = [Limits::NONE, sectors, Limits::NONE];
    let children =
        letters.into_iter().zip(limits).map(|(letter, limits)| stage.child(letter, limits));
    let children = children.collect();
    Bed::over(stage, 2, children, |options| options)
}

#[test]
fn a_read_is_padded_to_whole_sectors_and_cut_again() {
    let bed = bed(['A'; 3]);
    assert_eq!(bed.write(600, full('B', 10), Flags::NONE), Ok(()));
    bed.stage.take();
    assert_eq!(bed.read(599, 12), Ok("ABA".into()));
    bed.saw(&["c0 read 599+12", "c1 read 512+512", "c2 read 599+12"]);
    assert_eq!(bed.read(1000, 1000), Ok("A".into()));
    bed.saw(&["c0 read 1000+1000", "c1 read 512+1024", "c1 read 1536+512", "c2 read 1000+1000"]);
    assert_eq!(bed.read(512, 512), Ok("ABA".into()));
    bed.saw(&["c0 read 512+512", "c1 read 512+512", "c2 read 512+512"]);
}

#[test]
fn a_write_reads_its_sectors_and_writes_them_back() {
    let bed = bed(['A'; 3]);
    assert_eq!(bed.write(600, full('B', 10), Flags::NONE), Ok(()));
    bed.saw(&["c0 write 600+10 B", "c1 read 512+512", "c1 write 512+512 ABA", "c2 write 600+10 B"]);
    assert_eq!(bed.stage.image(1), bed.stage.image(0));
}

/// What lies between the first and the last sector is overwritten whole.
#[test]
fn a_long_write_reads_its_first_and_last_sector_only() {
    let table: [(u64, usize, &[&str], &str); 8] = [
        (600, 1900, &["c1 read 512+512", "c1 read 2048+512"], "512+2048 ABA"),
        (1024, 1100, &["c1 read 2048+512"], "1024+1536 BA"),
        (1024, 700, &["c1 read 1536+512"], "1024+1024 BA"),
        (600, 1448, &["c1 read 512+512"], "512+1536 AB"),
        (600, 936, &["c1 read 512+512"], "512+1024 AB"),
        (600, 500, &["c1 read 512+1024"], "512+1024 ABA"),
        (512, 100, &["c1 read 512+512"], "512+512 BA"),
        (512, 512, &[], "512+512 B"),
    ];
    for (offset, bytes, reads, write) in table {
        let stage = Stage::default();
        let sectors = Limits { request_alignment: 512, ..Limits::NONE };
        let children = vec![stage.child('A', Limits::NONE), stage.child('A', sectors)];
        let bed = Bed::over(stage, 2, children, |options| options);
        assert_eq!(bed.write(offset, full('B', bytes), Flags::NONE), Ok(()));
        let lines = bed.stage.take().into_iter().filter(|line| line.starts_with("c1"));
        let write = format!("c1 write {write}");
        let expected: Vec<_> = reads.iter().copied().chain([write.as_str()]).collect();
        assert_eq!(lines.collect::<Vec<_>>(), expected, "{offset}+{bytes}");
        assert_eq!(bed.stage.image(1), bed.stage.image(0), "{offset}+{bytes}");
    }
}

#[test]
fn the_last_sector_is_read_and_written_like_any_other() {
    let bed = bed(['A'; 3]);
    assert_eq!(bed.write(8000, full('B', 192), Flags::NONE), Ok(()));
    bed.told(&[]);
    assert_eq!(bed.read(7999, 193), Ok("AB".into()));
    bed.told(&[]);
    assert_eq!(bed.stage.image(1), bed.stage.image(0));
}

/// QEMU writes back whatever the buffer of the failed read holds.
#[test]
fn a_failed_read_inside_a_write_is_the_childs_failure_and_nothing_is_written() {
    for outcome in [Outcome::Failed(Errno::EIO), Outcome::Data(full('A', 100))] {
        let bed = bed(['A'; 3]);
        bed.stage.rule("c1 read", outcome);
        assert_eq!(bed.write(600, full('B', 10), Flags::NONE), Ok(()));
        bed.saw(&[
            "c0 write 600+10 B",
            "c1 read 512+512",
            "! c1 write EIO 1+1",
            "c2 write 600+10 B",
        ]);
        assert_eq!(bed.stage.holds(1), "A");
    }
}

#[test]
fn a_failed_padded_read_is_told_as_the_request_it_belongs_to() {
    let bed = bed(['A'; 3]);
    bed.stage.fail("c1 read", Errno::ENOSPC);
    assert_eq!(bed.read(1000, 1000), Ok("A".into()));
    bed.told(&["! c1 read ENOSPC 1+3"]);
}

#[test]
fn wrong_bytes_outside_the_request_do_not_lose_the_vote() {
    let bed = bed(['A'; 3]);
    let mut sector = full('A', 512).to_vec();
    sector[0] = b'X';
    bed.stage.rule("c1 read", Outcome::Data(sector.into()));
    assert_eq!(bed.read(513, 511), Ok("A".into()));
    bed.told(&[]);
    assert_eq!(bed.read(512, 512), Ok("A".into()));
    bed.told(&["! c1 read outvoted 1+1"]);
}

#[test]
fn a_request_for_nothing_is_not_padded() {
    let bed = bed(['A'; 3]);
    assert_eq!(bed.read(100, 0), Ok(String::new()));
    assert_eq!(bed.write(100, full('B', 0), Flags::NONE), Ok(()));
    bed.saw(&["c0 read 100+0", "c2 read 100+0", "c0 write 100+0 ", "c2 write 100+0 "]);
}

/// A child of 1000 bytes in an array of 1024.
fn short() -> Bed {
    let stage = Stage::default();
    let lengths = [1000, 1024, 1024];
    let children = lengths.map(|bytes| stage.child_of(vec![b'A'; bytes], Limits::NONE));
    Bed::over(stage, 2, children.into(), |options| options)
}

#[test]
fn bytes_behind_a_childs_end_read_as_zeroes() {
    let bed = short();
    assert_eq!(now(bed.array.length()), Ok(1024));
    bed.stage.take();
    let data = now(bed.array.pread(990, 34)).unwrap();
    assert_eq!(letters(&data), "A");
    bed.saw(&["c0 read 990+10", "c1 read 990+34", "c2 read 990+34", "! c0 read outvoted 1+1"]);
    for (offset, bytes) in [(1000, 24), (1010, 10), (1023, 1)] {
        assert_eq!(bed.zero(1000, 24, Flags::NONE), Ok(()));
        bed.stage.take();
        assert_eq!(bed.read(offset, bytes), Ok(".".into()));
        bed.told(&[]);
    }
}

#[test]
fn a_write_behind_a_childs_end_is_that_childs_enospc() {
    let bed = short();
    assert_eq!(bed.write(990, full('B', 34), Flags::NONE), Ok(()));
    bed.told(&["! c0 write ENOSPC 1+1"]);
    assert_eq!(bed.zero(990, 34, Flags::NONE), Ok(()));
    bed.saw(&["c0 zero 990+10", "c1 zero 990+34", "c2 zero 990+34"]);
}

#[test]
fn a_child_with_limits_that_are_none_is_refused() {
    for (request_alignment, max_transfer) in
        [(0, None), (3, None), (512, Some(100)), (512, Some(0)), (1, Some(0))]
    {
        let limits = Limits { request_alignment, max_transfer, ..Limits::NONE };
        let bed = Bed::new("AA", 2);
        let child = bed.stage.child('A', limits);
        let added = now(bed.array.add_child("new".into(), child.clone()));
        assert_eq!(added, Err(ChangeError::Unreadable(Errno::EINVAL)));
        let options = QuorumOptions::builder("r", 1).child("new", child).build().unwrap();
        let opened = now(async { Quorum::open(options, &(), Arc::new(|_| {})).await.map(drop) });
        assert_eq!(opened, Err(OpenError::Length(Errno::EINVAL)));
    }
}

#[test]
fn a_length_that_no_signed_number_counts_is_refused() {
    let most = i64::MAX as u64;
    for bytes in [u64::MAX, most + 1, most] {
        let child = Arc::new(Memory::new(bytes));
        let options = QuorumOptions::builder("r", 1).child("c", child).build().unwrap();
        let opened = now(async { Quorum::open(options, &(), Arc::new(|_| {})).await.map(drop) });
        assert_eq!(opened, Err(OpenError::Length(Errno::EFBIG)));
    }
    let child = Arc::new(Memory::new(4096));
    let options = QuorumOptions::builder("r", 1).child("c", child.clone()).build().unwrap();
    let array = now(async { Quorum::open(options, &(), Arc::new(|_| {})).await.map(Arc::new) });
    let array = array.unwrap();
    assert_eq!(now(child.truncate(u64::MAX, Prealloc::Off)), Ok(()));
    assert_eq!(now(array.length()), Err(Errno::EFBIG));
}
