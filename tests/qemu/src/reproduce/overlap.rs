//! Requests for the same bytes at the same time: no child is faulty in any of these.

use crate::{
    Finding,
    array::{Array, BLOCK, Manner, is},
    tell,
};
use quorate_engine::Errno;
use quorate_qemu::{Error, Program};
use serde_json::json;

pub(crate) const FINDINGS: [Finding; 3] = [
    Finding {
        id: "D1",
        title: "an acknowledged write is lost, as reads beside it repair the children that have it",
        ours: "requests for the same bytes take turns, so the reads wait for the write",
        scenarios: &["repair-waits-for-the-write", "repair-loses-an-acknowledged-write"],
        show: lost_write,
    },
    Finding {
        id: "D2",
        title: "a read beside a write fails, or blames a child, though nothing is wrong",
        ours: "the read waits for the write",
        scenarios: &["read-waits-for-the-write", "read-beside-a-write-finds-no-quorum"],
        show: read_beside_a_write,
    },
    Finding {
        id: "D3",
        title: "two writes at the same time reach the children in different orders, and these differ for good",
        ours: "the second write starts when the first one is over",
        scenarios: &["overlapping-writes-take-turns", "overlapping-writes-diverge"],
        show: writes_diverge,
    },
];

fn lost_write(program: &Program) -> Result<bool, Error> {
    let options = json!({"vote-threshold": 2, "rewrite-corrupted": true});
    let mut array = Array::open(program, "AAA", &options)?;
    array.set_writes(Manner::Waits);
    let write = array.start('B', 3)?;
    // Only that write is held: repairs are done at once.
    array.set_writes(Manner::Works);
    let mut old = true;
    for child in 0..2 {
        array.land(child, 'B')?;
        old &= is(&array.read(0, BLOCK)?, 'A');
        array.tell_media();
    }
    array.land(2, 'B')?;
    let acknowledged = array.end(write, 'B')?.is_ok();
    let after = array.read(0, BLOCK)?;
    array.tell_media();
    Ok(old && acknowledged && is(&after, 'A'))
}

fn read_beside_a_write(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 2}))?;
    array.set_writes(Manner::Waits);
    let write = array.start('B', 2)?;
    array.land(0, 'B')?;
    let beside = array.read(0, BLOCK)?;
    array.land(1, 'B')?;
    let acknowledged = array.end(write, 'B')?.is_ok();
    let after = array.read(0, BLOCK)?;
    tell("  the same with three children:");
    let mut three = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    three.set_writes(Manner::Waits);
    let write = three.start('B', 3)?;
    three.land(0, 'B')?;
    let blamed = is(&three.read(0, BLOCK)?, 'A') && three.reported("QUORUM_REPORT_BAD");
    three.land(1, 'B')?;
    three.land(2, 'B')?;
    let acknowledged = three.end(write, 'B')?.is_ok() && acknowledged;
    Ok(beside == Err(Errno::EIO) && acknowledged && is(&after, 'B') && blamed)
}

fn writes_diverge(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 2}))?;
    array.set_writes(Manner::Waits);
    let first = array.start('B', 2)?;
    let second = array.start('C', 4)?;
    for (child, letter) in [(0, 'B'), (0, 'C'), (1, 'C'), (1, 'B')] {
        array.land(child, letter)?;
    }
    let acknowledged = array.end(first, 'B')?.is_ok() && array.end(second, 'C')?.is_ok();
    let replies = [array.read(0, BLOCK)?, array.read(0, BLOCK)?];
    Ok(acknowledged && replies.iter().all(|reply| *reply == Err(Errno::EIO)))
}
