//! Options that are taken for something else.

use crate::{
    Finding,
    array::{Array, BLOCK, Manner, definition, is, serve},
    tell,
};
use quorate_engine::Errno;
use quorate_qemu::{Daemon, Error, Program};
use serde_json::json;

pub(crate) const FINDINGS: [Finding; 2] = [
    Finding {
        id: "D7",
        title: "a threshold that does not fit into 32 bits is taken for its low 32 bits",
        ours: "the number is compared as it was given, and refused",
        scenarios: &["threshold-is-not-narrowed"],
        show: narrowed_threshold,
    },
    Finding {
        id: "S14",
        title: "read-pattern=fifo ignores blkverify and rewrite-corrupted, which it was given",
        ours: "fifo is refused together with either",
        scenarios: &["fifo-refuses-verification", "fifo-refuses-rewriting"],
        show: ignored_options,
    },
];

fn narrowed_threshold(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let children = serve(&mut daemon, "AA")?;
    let mut accepted = Vec::new();
    for threshold in [4_294_967_297_i64, -4_294_967_295, 4_294_967_296] {
        let options = json!({"vote-threshold": threshold});
        let answer = daemon.ask("blockdev-add", &definition("q", &children, &options))?;
        let said = answer.as_ref().map_or_else(ToString::to_string, |_| "opens".into());
        tell(&format!("  a quorum of two children with vote-threshold {threshold}: {said}"));
        if answer.is_ok() {
            accepted.push(threshold);
            daemon.obey("blockdev-del", &json!({"node-name": "q"}))?;
        }
    }
    if !accepted.contains(&4_294_967_297) {
        return Ok(false);
    }
    let options = json!({"vote-threshold": 4_294_967_297_i64});
    let mut array = Array::over(daemon, children.clone(), &children, &options)?;
    tell("  the writes of c1 fail with EIO");
    array.child(1).writes = Manner::Fails(Errno::EIO);
    Ok(array.write(0, 'B', BLOCK)?.is_ok())
}

fn ignored_options(program: &Program) -> Result<bool, Error> {
    let options = json!({
        "vote-threshold": 1, "read-pattern": "fifo", "blkverify": true, "rewrite-corrupted": true,
    });
    let mut array = match Array::open(program, "ABC", &options) {
        Err(error @ Error::Refused { .. }) => {
            tell(&format!("  {error}"));
            return Ok(false);
        }
        other => other?,
    };
    let reply = array.read(0, BLOCK)?;
    array.tell_media();
    let unrepaired = array.child(1).at(0, 1) == b"B" && array.child(2).at(0, 1) == b"C";
    Ok(is(&reply, 'A') && unrepaired && array.reports.is_empty())
}
