//! Children that come and go, also while they hang, and arrays in arrays.

use super::super::{
    bed::Bed,
    stage::full,
    task::{Task, now},
};
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, Limits, NodeName, Quorum, QuorumOptions,
    quorum::error::ChangeError,
};
use std::sync::Arc;

/// Adds a child full of a letter and returns its name.
#[track_caller]
fn add(bed: &Bed, letter: char) -> Result<String, ChangeError> {
    let child = bed.stage.child(letter, Limits::NONE);
    let node = format!("new{}", bed.array.children().len());
    now(bed.array.add_child(node.into(), child)).map(|name| name.as_str().to_owned())
}

fn names(bed: &Bed) -> Vec<String> {
    bed.array.children().into_iter().map(|child| child.name.as_str().to_owned()).collect()
}

#[test]
fn the_highest_name_is_given_back_and_gaps_stay() {
    let bed = Bed::new("AAA", 2);
    assert_eq!(bed.array.remove_child("children.1").unwrap().node_name.as_str(), "c1");
    assert_eq!(add(&bed, 'A'), Ok("children.3".into()));
    bed.array.remove_child("children.3").unwrap();
    assert_eq!(add(&bed, 'A'), Ok("children.3".into()));
    assert_eq!(names(&bed), ["children.0", "children.2", "children.3"]);
}

#[test]
fn a_new_child_votes_at_once_as_the_last_and_gets_no_data() {
    let bed = Bed::new("AA", 1);
    add(&bed, 'B').unwrap();
    add(&bed, 'B').unwrap();
    bed.stage.take();
    assert_eq!(bed.read(0, 512), Ok("B".into()), "a tie goes to the newest version");
    bed.told(&["! c1 read outvoted 0+1", "! c0 read outvoted 0+1"]);
}

#[test]
fn a_child_of_another_length_is_refused() {
    let bed = Bed::new("AAA", 2);
    for (bytes, taken) in [(8192, true), (8191, true), (7680, false), (8193, false), (0, false)] {
        let child = bed.stage.child_of(vec![b'A'; bytes], Limits::NONE);
        let node = NodeName::from(format!("c-{bytes}"));
        let added = now(bed.array.add_child(node.clone(), child));
        match added {
            Ok(_) => assert!(taken, "{bytes}"),
            Err(error) => {
                let bytes = (bytes as u64).next_multiple_of(512);
                let expected = ChangeError::Length { node, bytes, expected: 8192 };
                assert!(!taken);
                assert_eq!(error, expected);
            }
        }
    }
    assert_eq!(names(&bed).len(), 5);
}

#[test]
fn a_child_that_does_not_fit_the_options_is_refused() {
    let verifier = Bed::with("AA", 2, Limits::NONE, |options| options.blkverify(true));
    assert_eq!(add(&verifier, 'A'), Err(ChangeError::Blkverify));

    let bed = Bed::new("AA", 2);
    bed.stage.fail("c2 length", Errno::EPERM);
    assert_eq!(add(&bed, 'A'), Err(ChangeError::Unreadable(Errno::EPERM)));
    assert_eq!(names(&bed), ["children.0", "children.1"]);
}

#[test]
fn a_read_only_child_joins_where_nothing_is_repaired() {
    for (rewrite, read_only) in [(true, true), (true, false), (false, true)] {
        let bed = Bed::with("AA", 2, Limits::NONE, |options| options.rewrite_corrupted(rewrite));
        let child = bed.stage.child('A', Limits { read_only, ..Limits::NONE });
        let added = now(bed.array.add_child("new".into(), child));
        let refused = rewrite && read_only;
        let expected = if refused { Err(ChangeError::ReadOnly) } else { Ok("children.2".into()) };
        assert_eq!(added, expected, "rewrites: {rewrite}, read-only: {read_only}");
    }
}

#[test]
fn a_node_is_a_child_once_but_one_without_a_name_is_no_node() {
    let bed = Bed::new("AA", 2);
    let join =
        |node: &str| now(bed.array.add_child(node.into(), bed.stage.child('A', Limits::NONE)));
    assert_eq!(join("c1"), Err(ChangeError::HasParent("c1".into())));
    assert_eq!(join("c2"), Ok("children.2".into()));
    assert_eq!(join("c2"), Err(ChangeError::HasParent("c2".into())));
    assert_eq!(join(""), Ok("children.3".into()));
    assert_eq!(join(""), Ok("children.4".into()));
}

#[test]
fn a_child_is_shown_with_both_its_names() {
    let bed = Bed::new("AA", 2);
    assert_eq!(format!("{:?}", bed.array.children()), "[children.0 (c0), children.1 (c1)]");
}

#[test]
fn a_closed_array_takes_no_child() {
    let bed = Bed::new("AA", 2);
    assert_eq!(now(bed.array.close()), Ok(()));
    let refused = add(&bed, 'A').unwrap_err();
    assert_eq!(refused.errno(), Errno::ENOMEDIUM);
    assert_eq!(refused.to_string(), "Node 'q' is closed");
    assert_eq!(names(&bed).len(), 2);
    bed.saw(&["c0 flush", "c1 flush", "c0 close", "c1 close"]);
}

#[test]
fn an_array_that_was_closed_in_the_meantime_takes_no_child() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c2 length");
    let child = bed.stage.child('A', Limits::NONE);
    let mut add = Task::start(bed.array.add_child("c2".into(), child));
    assert!(add.waits());
    assert_eq!(now(bed.array.close()), Ok(()));
    bed.stage.release("c2 length");
    assert_eq!(add.done(), Some(Err(ChangeError::Closed("q".into()))));
    assert_eq!(names(&bed).len(), 2);
}

#[test]
fn as_many_children_as_the_threshold_asks_for_stay() {
    let bed = Bed::new("AAA", 2);
    let refused = bed.array.remove_child("children.7").unwrap_err();
    assert_eq!(refused.to_string(), "Node 'q' does not have child 'children.7'");
    bed.array.remove_child("children.0").unwrap();
    let refused = bed.array.remove_child("children.1").unwrap_err();
    assert_eq!(refused, ChangeError::BelowThreshold(2));
    assert_eq!(names(&bed), ["children.1", "children.2"]);
}

#[test]
fn what_a_hung_child_holds_up_goes_on_without_it() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c1");
    let mut read = Task::start(bed.array.pread(0, 512));
    let mut write = Task::start(bed.array.pwrite(512, full('B', 512), Flags::FUA));
    let mut zero = Task::start(bed.array.pwrite_zeroes(1024, 512, Flags::NONE));
    let mut flush = Task::start(bed.array.flush());
    let mut length = Task::start(bed.array.length());
    let mut status = Task::start(bed.array.block_status(0, 512));
    let mut invalidate = Task::start(bed.array.invalidate());
    bed.stage.take();
    let gone = bed.array.remove_child("children.1").unwrap();
    assert_eq!(gone.node_name.as_str(), "c1");
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    assert_eq!(flush.done(), Some(Ok(())));
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!(zero.done(), Some(Ok(())));
    assert_eq!(length.done(), Some(Err(Errno::ECANCELED)));
    let data = Extent { bytes: 512, kind: ExtentKind::Data };
    assert_eq!(status.done(), Some(Ok(data)));
    assert_eq!(invalidate.done(), Some(Ok(())));
    bed.told(&[
        "! c1 read ECANCELED 0+1",
        "! c1 flush ECANCELED 0+0",
        "! c1 write ECANCELED 1+1",
        "! c1 write ECANCELED 2+1",
        "! c1 read ECANCELED 0+1",
    ]);
    assert_eq!(bed.write(0, full('C', 512), Flags::NONE), Ok(()));
    bed.saw(&["c0 write 0+512 C", "c2 write 0+512 C"]);
}

#[test]
fn a_hung_repair_ends_with_its_child() {
    let bed = Bed::with("AAB", 2, Limits::NONE, |options| options.rewrite_corrupted(true));
    bed.stage.hold("c2 write");
    let mut read = Task::start(bed.array.pread(0, 512));
    bed.array.remove_child("children.2").unwrap();
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
}

#[test]
fn closing_does_not_wait_for_a_child_that_was_removed() {
    let bed = Bed::new("AAA", 2);
    bed.stage.hold("c0 read");
    bed.stage.hold("c2 close");
    let mut read = Task::start(bed.array.pread(0, 512));
    let mut close = Task::start(bed.array.close());
    bed.stage.take();
    bed.array.remove_child("children.0").unwrap();
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    assert!(close.waits());
    bed.saw(&["! c0 read ECANCELED 0+1", "c1 flush", "c2 flush", "c1 close", "c2 close"]);
}

/// Somebody else may use it by then.
#[test]
fn a_removed_child_is_asked_nothing_more() {
    let bed = Bed::with("AAB", 2, Limits::NONE, |options| options.rewrite_corrupted(true));
    bed.stage.hold("c0");
    let mut flush = Task::start(bed.array.flush());
    let mut read = Task::start(bed.array.pread(0, 512));
    bed.stage.take();
    bed.array.remove_child("children.2").unwrap();
    bed.stage.release("c0 flush");
    bed.stage.release("c0 read");
    assert_eq!(flush.done(), Some(Ok(())));
    assert_eq!(read.done(), Some(Ok(full('A', 512))));
    bed.saw(&["c1 flush", "! c2 flush ECANCELED 0+0", "! c2 read outvoted 0+1"]);
    assert_eq!(bed.stage.holds(2), "B");
}

#[test]
fn a_request_keeps_the_children_it_started_with() {
    let bed = Bed::new("AA", 2);
    bed.stage.hold("c1");
    let mut write = Task::start(bed.array.pwrite(0, full('B', 512), Flags::NONE));
    add(&bed, 'A').unwrap();
    bed.stage.release("c1");
    assert_eq!(write.done(), Some(Ok(())));
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["BA", "BA", "A"]);
}

#[test]
fn an_array_in_an_array_fails_and_is_then_reported() {
    let inner = Bed::new("AB", 2);
    let events = inner.stage.clone();
    let options = QuorumOptions::builder("outer", 2)
        .child("in", inner.array.clone())
        .child("c2", inner.stage.child('A', Limits::NONE))
        .child("c3", inner.stage.child('A', Limits::NONE))
        .build()
        .unwrap();
    let sink = Arc::new(move |event| events.note(&event));
    let outer = now(async { Quorum::open(options, &(), sink).await.map(Arc::new) }).unwrap();
    let outer = Bed { stage: inner.stage.clone(), array: outer };
    outer.stage.take();
    assert_eq!(outer.read(0, 512), Ok("A".into()));
    outer.told(&["! q failure 0+1", "! in read EIO 0+1"]);
    outer.stage.fail("c1 flush", Errno::ENOSPC);
    assert_eq!(now(outer.array.flush()), Ok(()));
    outer.told(&["! c1 flush ENOSPC 0+0", "! in flush ENOSPC 0+0"]);
}

#[test]
fn the_json_of_an_array_names_the_children_it_has_now() {
    let bed = Bed::new("AAA", 2);
    add(&bed, 'A').unwrap();
    bed.array.remove_child("children.0").unwrap();
    let json = bed.array.to_json();
    assert_eq!(json["children"], serde_json::json!(["c1", "c2", "new3"]));
}
