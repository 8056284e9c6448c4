//! What is read around a write that is smaller than a child's blocks.

use crate::{
    Finding,
    array::{Array, BLOCK, Manner, is, serve, shown},
    tell,
};
use quorate_engine::Errno;
use quorate_qemu::{Daemon, Error, Program};
use serde_json::json;

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "D6",
    title: "a write that needs a read around it ignores that the read failed, and writes something else there",
    ours: "the child's write fails with the read's error and is reported, and the block stays as it was",
    scenarios: &["failed-read-around-a-write-fails-the-write"],
    show: garbage_around,
}];

fn garbage_around(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let children = serve(&mut daemon, "AAA")?;
    let mut nodes = Vec::new();
    for child in &children {
        let node = format!("aligned-{child}");
        let blkdebug = json!({
            "driver": "blkdebug", "node-name": node, "image": child, "align": BLOCK,
        });
        daemon.obey("blockdev-add", &blkdebug)?;
        tell(&format!("  {node} is {child}, in blocks of {BLOCK} bytes only"));
        nodes.push(node);
    }
    let mut array = Array::over(daemon, children, &nodes, &json!({"vote-threshold": 2}))?;
    tell("  the reads of c0 and c1 fail with EIO");
    array.child(0).reads = Manner::Fails(Errno::EIO);
    array.child(1).reads = Manner::Fails(Errno::EIO);
    let acknowledged = array.write(700, 'B', 10)?.is_ok();
    let unheard = array.reports.is_empty();
    for index in 0..3 {
        let block = shown(array.child(index).at(512, BLOCK));
        tell(&format!("  c{index} now holds in its second block: {block}"));
    }
    tell("  the reads of c0 and c1 work again");
    array.child(0).reads = Manner::Works;
    array.child(1).reads = Manner::Works;
    // 512 to 700 were never written to.
    let untouched = array.read(512, 188)?;
    Ok(acknowledged && unheard && !is(&untouched, 'A'))
}
