//! Definitions that lead back to themselves.

use crate::{
    Finding,
    array::{BYTES, Disk, aborted},
    lost, tell,
};
use quorate_qemu::{Daemon, Error, Program};
use serde_json::{Value, json};

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "D9",
    title: "a definition that names the array around it ends the process",
    ours: "refused as a cycle, in QEMU's words for one that is not nested \
           (the test graph::arrays_are_opened_in_the_words_of_blockdev_add)",
    scenarios: &[],
    show: nested_cycle,
}];

fn nested_cycle(program: &Program) -> Result<bool, Error> {
    let plain = ends(program, &array(&json!("q")))?;
    let array_in_array = json!({"driver": "quorum", "vote-threshold": 1, "children": ["q"]});
    let nested = ends(program, &array(&array_in_array))?;
    let other_driver = ends(program, &array(&json!({"driver": "raw", "file": "q"})))?;
    let image = ends_by_image(program, &array(&array_in_array))?;
    Ok(!plain && nested && other_driver && image)
}

/// An array `q` over this child.
fn array(child: &Value) -> Value {
    json!({"driver": "quorum", "node-name": "q", "vote-threshold": 1, "children": [child]})
}

/// Whether this definition ends a daemon that has nothing else to do.
fn ends(program: &Program, node: &Value) -> Result<bool, Error> {
    add(&mut Daemon::start(program)?, node)
}

/// Whether it does so as the name of an image's backing file.
fn ends_by_image(program: &Program, node: &Value) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    daemon.serve("image", Disk::full('0', 64 * BYTES))?;
    let name = format!("json:{node}");
    lost::create(&mut daemon, &json!({"backing-file": name, "backing-fmt": "quorum"}))?;
    tell("  an image is made whose backing file is that");
    add(&mut daemon, &json!({"driver": "qcow2", "node-name": "opened", "file": "image"}))
}

fn add(daemon: &mut Daemon<Disk>, node: &Value) -> Result<bool, Error> {
    let answer = match daemon.ask("blockdev-add", node) {
        Err(Error::Died { status, said }) => {
            return Ok(aborted(&format!("blockdev-add {node}"), status, &said));
        }
        other => other?,
    };
    let said = answer.as_ref().map_or_else(ToString::to_string, |_| "done".into());
    tell(&format!("  blockdev-add {node}: {said}"));
    Ok(false)
}
