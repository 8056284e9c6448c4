//! What comes of votes in which nobody remembers who missed a write.

use crate::{
    Finding,
    array::{Array, BLOCK, BYTES, Manner, is, serve},
    tell,
};
use quorate_engine::Errno;
use quorate_qemu::{Daemon, Error, Program};
use serde_json::json;

pub(crate) const FINDINGS: [Finding; 8] = [
    Finding {
        id: "S01",
        title: "after a write that one of two children missed, the old data win the tie",
        ours: "the same, as a vote without memory cannot know better; the run is a hazard of the catalog",
        scenarios: &["stale-tie-wins"],
        show: stale_tie,
    },
    Finding {
        id: "S02",
        title: "with rewrite-corrupted that tie wipes the acknowledged write off the child that has it",
        ours: "the same, as a vote without memory cannot know better; the run is a hazard of the catalog",
        scenarios: &["repair-destroys-an-acknowledged-write"],
        show: tie_repair,
    },
    Finding {
        id: "S04",
        title: "one child misses the write and another the flush: both are acknowledged, and a power cut \
                brings the old data back",
        ours: "the same, as no record ties a flush to the writes before; the run is a hazard of the catalog",
        scenarios: &["disjoint-write-flush"],
        show: disjoint_write_flush,
    },
    Finding {
        id: "S06",
        title: "a write that failed leaves a block that cannot be read any more",
        ours: "the same, as nothing is rolled back; the run is a hazard of the catalog",
        scenarios: &["failed-write-makes-a-block-unreadable"],
        show: poisoned_block,
    },
    Finding {
        id: "S09",
        title: "three sectors that can be read one by one cannot be read at once",
        ours: "the same, as a vote is over the whole request; the run is a hazard of the catalog",
        scenarios: &["one-vote-over-the-whole-request"],
        show: granularity,
    },
    Finding {
        id: "S11",
        title: "read-pattern=fifo answers with what the first child had before a write that it missed",
        ours: "the same, as fifo asks nobody else; the run is a hazard of the catalog",
        scenarios: &["fifo-serves-stale-data"],
        show: stale_fifo,
    },
    Finding {
        id: "D10",
        title: "the transfer limit of a child that joins does not count, that of one that has left goes on",
        ours: "the limits of the children that there are count for every request",
        scenarios: &["added-child-brings-its-limit", "removed-child-takes-its-limit-along"],
        show: stale_limits,
    },
    Finding {
        id: "S28",
        title: "whether a read fails depends on how much one of the children transfers at once",
        ours: "the same, as each fragment is a vote; the scenarios show it",
        scenarios: &["fragments-are-voted-by-themselves", "smallest-limit-cuts-for-all"],
        show: fragments,
    },
];

fn stale_tie(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 1}))?;
    let acknowledged = missed_write(&mut array, 1)?;
    Ok(acknowledged && is(&array.read(0, BLOCK)?, 'A'))
}

fn tie_repair(program: &Program) -> Result<bool, Error> {
    let options = json!({"vote-threshold": 1, "rewrite-corrupted": true});
    let mut array = Array::open(program, "AA", &options)?;
    let acknowledged = missed_write(&mut array, 1)?;
    let reply = array.read(0, BLOCK)?;
    array.tell_media();
    Ok(acknowledged && is(&reply, 'A') && array.child(0).at(0, 1) == b"A")
}

fn disjoint_write_flush(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    let mut acknowledged = missed_write(&mut array, 2)?;
    tell("  the flush of c0 fails with EIO");
    array.child(0).flushes = Manner::Fails(Errno::EIO);
    acknowledged &= array.flush()?.is_ok();
    tell("  a power cut: c0 loses what it could not flush");
    array.child(0).media.fill(b'A');
    array.tell_media();
    Ok(acknowledged && is(&array.read(0, BLOCK)?, 'A'))
}

fn poisoned_block(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 2}))?;
    let before = array.read(0, BLOCK)?;
    let acknowledged = missed_write(&mut array, 1)?;
    let after = array.read(0, BLOCK)?;
    Ok(is(&before, 'A') && !acknowledged && after == Err(Errno::EIO))
}

fn granularity(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    damage_in_turns(&mut array);
    let at_once = array.read(0, 3 * BLOCK)?;
    let mut one_by_one = true;
    for sector in 0..3 {
        one_by_one &= is(&array.read(sector * u64::from(BLOCK), BLOCK)?, 'A');
    }
    Ok(at_once == Err(Errno::EIO) && one_by_one)
}

fn stale_fifo(program: &Program) -> Result<bool, Error> {
    let options = json!({"vote-threshold": 1, "read-pattern": "fifo"});
    let mut array = Array::open(program, "AAA", &options)?;
    let acknowledged = missed_write(&mut array, 0)?;
    Ok(acknowledged && is(&array.read(0, BLOCK)?, 'A'))
}

fn fragments(program: &Program) -> Result<bool, Error> {
    let mut array = with_limit(program, "AAA", &["c0", "c1", "limited"])?;
    let reply = array.read(0, 3 * BLOCK)?;
    tell("  the same without that limit:");
    let mut plain = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    damage_in_turns(&mut plain);
    Ok(is(&reply, 'A') && plain.read(0, 3 * BLOCK)? == Err(Errno::EIO))
}

fn stale_limits(program: &Program) -> Result<bool, Error> {
    let mut array = with_limit(program, "AAA", &["c0", "c1"])?;
    array.daemon.obey("x-blockdev-change", &json!({"parent": "q", "node": "limited"}))?;
    tell("  limited is added to q");
    let joined = array.read(0, 3 * BLOCK)?;
    tell("  the same with four children, of which the limited one is removed:");
    let mut array = with_limit(program, "AAAA", &["c0", "c1", "c2", "limited"])?;
    array.daemon.obey("x-blockdev-change", &json!({"parent": "q", "child": "children.3"}))?;
    tell("  limited is removed from q");
    let left = array.read(0, 3 * BLOCK)?;
    Ok(joined == Err(Errno::EIO) && is(&left, 'A'))
}

/// An array over these nodes, with two votes: children that are full of these letters, and one more that is the last of
/// them with a limit. The first three are each wrong in a sector of their own.
fn with_limit(program: &Program, letters: &str, nodes: &[&str]) -> Result<Array, Error> {
    let mut daemon = Daemon::start(program)?;
    let children = serve(&mut daemon, letters)?;
    let last = children.last().expect("there are letters");
    let limited = json!({
        "driver": "blkdebug", "node-name": "limited", "image": last, "max-transfer": BLOCK,
        "align": BLOCK,
    });
    daemon.obey("blockdev-add", &limited)?;
    tell(&format!("  limited is {last}, and takes at most {BLOCK} bytes at once"));
    let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    let mut array = Array::over(daemon, children, &nodes, &json!({"vote-threshold": 2}))?;
    damage_in_turns(&mut array);
    Ok(array)
}

/// Each child is wrong in a sector of its own.
fn damage_in_turns(array: &mut Array) {
    let sector = BLOCK as usize;
    for index in 0..3 {
        array.child(index).media[index * sector..][..sector].fill(b'Z');
        tell(&format!("  c{index} holds Z in its sector {index}"));
    }
    debug_assert!(3 * sector <= BYTES, "a child is longer than that");
}

/// A write that a child fails; whether it is acknowledged.
fn missed_write(array: &mut Array, index: usize) -> Result<bool, Error> {
    tell(&format!("  the writes of c{index} fail with EIO"));
    array.child(index).writes = Manner::Fails(Errno::EIO);
    let acknowledged = array.write(0, 'B', BLOCK)?.is_ok();
    array.child(index).writes = Manner::Works;
    tell(&format!("  the writes of c{index} work again"));
    array.tell_media();
    Ok(acknowledged)
}
