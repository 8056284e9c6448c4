//! Requests longer than a child takes are cut, and each fragment is a request of its own.

use super::super::{
    bed::Bed,
    stage::{Outcome, Stage, full},
    task::now,
};
use quorate_engine::{BlockDevice, Errno, Flags, Limits, Quorum, QuorumOptions};
use std::sync::Arc;

/// Three children, of which the second takes 1024 bytes at most.
fn bed(letters: &str) -> Bed {
    let stage = Stage::default();
    let children = letters.chars().zip([None, Some(1024), Some(4096)]);
    let children = children
        .map(|(letter, max_transfer)| stage.child(letter, Limits { max_transfer, ..Limits::NONE }))
        .collect();
    Bed::over(stage, 2, children, |options| options)
}

#[test]
fn each_fragment_is_asked_of_all_before_the_next() {
    let bed = bed("AAA");
    assert_eq!(bed.read(100, 2500), Ok("A".into()));
    let mut lines = Vec::new();
    for range in ["100+1024", "1124+1024", "2148+452"] {
        lines.extend(["c0", "c1", "c2"].map(|child| format!("{child} read {range}")));
    }
    bed.saw(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn each_fragment_is_voted_by_itself() {
    let bed = bed("AAA");
    for (child, range) in [("c0", "0+1024"), ("c1", "1024+1024"), ("c2", "2048+1024")] {
        bed.stage.rule(&format!("{child} read {range}"), Outcome::Data(full('X', 1024)));
    }
    assert_eq!(bed.read(0, 3072), Ok("A".into()), "each child is wrong somewhere");
    bed.told(&["! c0 read outvoted 0+2", "! c1 read outvoted 2+2", "! c2 read outvoted 4+2"]);
}

#[test]
fn the_fragments_of_a_read_are_put_together_in_order() {
    let bed = bed("AAA");
    for (offset, letter) in [(0, 'B'), (1024, 'C'), (2048, 'D')] {
        assert_eq!(bed.write(offset, full(letter, 1024), Flags::NONE), Ok(()));
    }
    assert_eq!(bed.read(0, 4096), Ok("BCDA".into()));
}

#[test]
fn a_read_stops_at_its_first_failing_fragment() {
    let bed = bed("ABC");
    assert_eq!(bed.read(0, 3072), Err(Errno::EIO));
    bed.saw(&["c0 read 0+1024", "c1 read 0+1024", "c2 read 0+1024", "! q failure 0+2"]);
}

#[test]
fn a_write_stops_at_its_first_failing_fragment_and_earlier_ones_stay() {
    let bed = bed("AAA");
    bed.stage.fail("c0 write 1024", Errno::EIO);
    bed.stage.fail("c1 write 1024", Errno::EIO);
    assert_eq!(bed.write(0, full('B', 3072), Flags::FUA), Err(Errno::EIO));
    bed.told(&["! c0 write EIO 2+2", "! c1 write EIO 2+2", "! q failure 2+2"]);
    for child in 0..2 {
        let image = bed.stage.image(child);
        assert_eq!((image[1023], image[1024], image[2048]), (b'B', b'A', b'A'));
    }
}

#[test]
fn zeroes_are_cut_only_where_they_are_written() {
    let bed = bed("AAA");
    bed.stage.fail("c1 zero", Errno::ENOTSUP);
    assert_eq!(bed.zero(0, 2500, Flags::NONE), Ok(()));
    bed.saw(&[
        "c0 zero 0+2500",
        "c1 zero 0+2500",
        "c1 write 0+1024 .",
        "c1 zero 1024+1476",
        "c1 write 1024+1024 .",
        "c1 zero 2048+452",
        "c1 write 2048+452 .",
        "c2 zero 0+2500",
    ]);
    bed.stage.rule("c1 zero 1024", Outcome::Obeyed);
    assert_eq!(bed.zero(0, 2500, Flags::NONE), Ok(()));
    bed.saw(&[
        "c0 zero 0+2500",
        "c1 zero 0+2500",
        "c1 write 0+1024 .",
        "c1 zero 1024+1476",
        "c2 zero 0+2500",
    ]);
}

/// The outer array votes on what the inner one can vote on at once.
#[test]
fn an_array_above_cuts_as_the_children_below_ask() {
    let inner = bed("AAA");
    assert_eq!(inner.array.limits().max_transfer, Some(1024));
    let stage = inner.stage.clone();
    let options = QuorumOptions::builder("outer", 1)
        .child("in", inner.array.clone())
        .child("c3", stage.child('A', Limits::NONE))
        .build()
        .unwrap();
    let sink = Arc::new(|_| {});
    let outer = now(async { Quorum::open(options, &(), sink).await.map(Arc::new) }).unwrap();
    stage.take();
    assert_eq!(now(outer.pread(0, 1500)), Ok(full('A', 1500)));
    let mut lines = Vec::new();
    for range in ["0+1024", "1024+476"] {
        lines.extend(["c0", "c1", "c2", "c3"].map(|child| format!("{child} read {range}")));
    }
    assert_eq!(stage.take(), lines);
}
