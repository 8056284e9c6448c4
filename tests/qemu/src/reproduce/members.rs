//! Children that come and go, and that do not answer.

use crate::{
    Finding,
    array::{Array, BLOCK, BYTES, Disk, Manner, aborted, came, definition, is, serve},
    lost, tell,
};
use quorate_qemu::{Daemon, Error, Program, Request};
use serde_json::json;
use std::time::Duration;

pub(crate) const FINDINGS: [Finding; 7] = [
    Finding {
        id: "D4",
        title: "a child that is too short can be added; a write behind its end aborts the process",
        ours: "a child of another length cannot be added",
        scenarios: &["adding-a-shorter-child-is-refused"],
        show: short_child,
    },
    Finding {
        id: "D5",
        title: "a child that does not answer cannot be removed: the monitor and all requests stop with it",
        ours: "the child is removed at once, and what it owes counts as failed",
        scenarios: &["hung-child-can-be-removed-during-a-read"],
        show: hung_child,
    },
    Finding {
        id: "D12",
        title: "an overlay that is too short can be put over a child; a write behind its end aborts the process",
        ours: "a child stays the device that it was when it joined, and that has to have the array's length",
        scenarios: &["adding-a-shorter-child-is-refused", "length-changes-while-open"],
        show: short_overlay,
    },
    Finding {
        id: "D13",
        title: "an array with a node that is a child twice ends the process when it is made inactive",
        ours: "such an array does not open",
        scenarios: &["same-node-twice-is-refused"],
        show: double_inactive,
    },
    Finding {
        id: "S08",
        title: "children that are added empty win the vote against the full ones",
        ours: "the same: an added child has to be filled before",
        scenarios: &["blank-children-win-a-tie", "blank-children-erase-the-others"],
        show: blank_children,
    },
    Finding {
        id: "S17",
        title: "a node that is a child twice has two votes",
        ours: "such an array does not open",
        scenarios: &["same-node-twice-is-refused"],
        show: double_vote,
    },
    Finding {
        id: "S27",
        title: "a child that is too long can be added; with these children the array does not open again",
        ours: "a child of another length cannot be added",
        scenarios: &["adding-a-longer-child-is-refused"],
        show: long_child,
    },
];

/// Where the second half of an array begins.
const HALF: u64 = BYTES as u64 / 2;
/// Longer than anything takes here that is ever answered.
const PATIENCE: Duration = Duration::from_secs(2);

fn short_child(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "A", &json!({"vote-threshold": 1}))?;
    if !array.add('A', BYTES / 2)? {
        return Ok(false);
    }
    let behind = array.read(HALF, BLOCK)?;
    if is(&behind, '0') {
        tell("    so c1 has a vote on what it does not have, and it wins");
    }
    aborts_behind(&mut array, "c1")
}

fn short_overlay(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    array.daemon.serve("image", Disk::full('0', 8 * BYTES))?;
    lost::create(&mut array.daemon, &json!({"size": HALF, "cluster-size": 1024}))?;
    let overlay =
        json!({"driver": "qcow2", "node-name": "overlay", "file": "image", "backing": null});
    array.daemon.obey("blockdev-add", &overlay)?;
    tell(&format!("  overlay is an empty qcow2 image of {HALF} bytes"));
    let snapshot = json!({"node": "c1", "overlay": "overlay"});
    let answer = array.daemon.ask("blockdev-snapshot", &snapshot)?;
    let said = answer.as_ref().map_or_else(ToString::to_string, |_| "done".into());
    tell(&format!("  blockdev-snapshot {snapshot}: {said}"));
    if answer.is_err() {
        return Ok(false);
    }
    let answered = is(&array.read(HALF, BLOCK)?, 'A');
    Ok(answered && aborts_behind(&mut array, "overlay")?)
}

/// Whether a write of the second half ends the process.
fn aborts_behind(array: &mut Array, short: &str) -> Result<bool, Error> {
    match array.write(HALF, 'B', BLOCK) {
        Err(Error::Died { status, said }) => {
            Ok(aborted(&format!("a write behind the end of {short}"), status, &said))
        }
        other => other.map(|_| false),
    }
}

fn hung_child(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    array.child(2).reads = Manner::Waits;
    let read = array.daemon.submit(array.client, &Request::Read { offset: 0, bytes: BLOCK })?;
    array.daemon.until_held(1)?;
    tell("  a read is under way; c0 and c1 have answered, and agree; c2 does not answer");
    array.daemon.set_patience(PATIENCE);
    let removal = json!({"parent": "q", "child": "children.2"});
    let unanswered = match array.daemon.ask("x-blockdev-change", &removal) {
        Err(error @ Error::Silent { .. }) => error,
        other => return other.map(|_| false),
    };
    tell(&format!("  x-blockdev-change {removal}: {unanswered}"));
    // Another read needs nothing of what c2 owes.
    array.child(2).reads = Manner::Works;
    let next = array.daemon.submit(array.client, &Request::Read { offset: 4096, bytes: BLOCK })?;
    let stuck = match array.daemon.settle() {
        Err(error @ Error::Silent { .. }) => {
            tell(&format!("  any other command of QMP: {error}"));
            true
        }
        other => other.map(|()| false)?,
    };
    let next_reply = array.daemon.reply(next);
    let said = next_reply.as_ref().map_or_else(|| "no answer either".into(), came);
    tell(&format!("  a read elsewhere: {said}"));
    let owed = array.child(2).at(0, BLOCK).to_vec();
    array.daemon.release(0, &Ok(owed))?;
    array.daemon.settle()?;
    let reply = array.daemon.wait(read)?;
    tell(&format!(
        "  c2 answers after all, and everything goes on; the first read: {}",
        came(&reply)
    ));
    Ok(stuck && next_reply.is_none())
}

fn blank_children(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 2}))?;
    array.add('0', BYTES)?;
    array.add('0', BYTES)?;
    Ok(is(&array.read(0, BLOCK)?, '0'))
}

fn double_vote(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let children = serve(&mut daemon, "ZA")?;
    let nodes = [0, 0, 1].map(|index: usize| children[index].clone());
    let options = json!({"vote-threshold": 2, "read-only": true});
    let mut array = match Array::over(daemon, children, &nodes, &options) {
        Err(error @ Error::Refused { .. }) => {
            tell(&format!("  {error}"));
            return Ok(false);
        }
        other => other?,
    };
    Ok(is(&array.read(0, BLOCK)?, 'Z'))
}

fn double_inactive(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let children = serve(&mut daemon, "A")?;
    let twice = [children[0].clone(), children[0].clone()];
    let array = definition("q", &twice, &json!({"vote-threshold": 1}));
    let opened = daemon.ask("blockdev-add", &array)?;
    let said = opened.as_ref().map_or_else(ToString::to_string, |_| "done".into());
    tell(&format!("  blockdev-add {array}: {said}"));
    let inactive = json!({"node-name": "q", "active": false});
    match daemon.ask("blockdev-set-active", &inactive) {
        Err(Error::Died { status, said }) => {
            Ok(aborted(&format!("blockdev-set-active {inactive}"), status, &said))
        }
        answer => {
            let said = answer?.map_or_else(|refusal| refusal.to_string(), |_| "done".into());
            tell(&format!("  blockdev-set-active {inactive}: {said}"));
            Ok(false)
        }
    }
}

fn long_child(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AA", &json!({"vote-threshold": 2}))?;
    if !array.add('A', 2 * BYTES)? {
        return Ok(false);
    }
    let reply = array.read(0, BLOCK)?;
    array.daemon.shut(array.client)?;
    array.daemon.obey("blockdev-del", &json!({"node-name": "q"}))?;
    let nodes = ["c0", "c1", "c2"].map(String::from);
    let definition = definition("q", &nodes, &json!({"vote-threshold": 2}));
    let again = array.daemon.ask("blockdev-add", &definition)?;
    let said = again.as_ref().map_or_else(ToString::to_string, |_| "done".into());
    tell(&format!("  q is removed and opened again with the same three children: {said}"));
    Ok(is(&reply, 'A') && again.is_err())
}
