//! Zeroes that are wanted only if they are quick.

use crate::{
    Finding,
    array::{Disk, byte, definition, shown},
    tell,
};
use quorate_qemu::{Daemon, Error, Program};
use serde_json::{Value, json};
use std::{fs, process::Stdio};

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "S16",
    title: "zeroes that must be quick leave children different, or raise an alarm for a mere question",
    ours: "the same; the runs are hazards of the catalog",
    scenarios: &["no-fallback-zeroes-diverge", "no-fallback-zeroes-raise-an-alarm"],
    show: quick_zeroes,
}];

const FILE_BYTES: usize = 65536;

fn quick_zeroes(program: &Program) -> Result<bool, Error> {
    let one = zeroed(program, &["c1"])?;
    let diverge = one.acknowledged && one.media == "0A0";
    let two = zeroed(program, &["c1", "c2"])?;
    let alarm = !two.acknowledged && two.media == "0AA" && two.failure;
    Ok(diverge && alarm)
}

/// What came of the request.
struct Zeroed {
    acknowledged: bool,
    failure: bool,
    /// The first letter of each child.
    media: String,
}

/// Has an array of three files zeroed if that is quick, which these of them say it is not.
fn zeroed(program: &Program, unable: &[&str]) -> Result<Zeroed, Error> {
    let mut daemon: Daemon<Disk> = Daemon::start(program)?;
    let mut nodes = Vec::new();
    let mut paths = Vec::new();
    for child in ["c0", "c1", "c2"] {
        // In the daemon's own directory, which is removed however this ends.
        let path = daemon.exports().with_file_name(child);
        let unmade = |source| Error::Socket { during: "files are made", source };
        fs::write(&path, vec![byte('A'); FILE_BYTES]).map_err(unmade)?;
        let file = json!({"driver": "file", "filename": path.to_string_lossy()});
        let fails = json!([{"event": "none", "iotype": "write-zeroes", "errno": ENOTSUP}]);
        let node = if unable.contains(&child) {
            json!({"driver": "blkdebug", "node-name": child, "image": file, "inject-error": fails})
        } else {
            json!({"driver": "file", "node-name": child, "filename": path.to_string_lossy()})
        };
        daemon.obey("blockdev-add", &node)?;
        nodes.push(child.to_owned());
        paths.push(path);
    }
    tell(&format!(
        "  c0, c1 and c2 are files full of A; zeroes fail with ENOTSUP on {}",
        unable.join(" and ")
    ));
    daemon.obey("blockdev-add", &definition("q", &nodes, &json!({"vote-threshold": 2})))?;
    let export = json!({"type": "nbd", "id": "q", "node-name": "q", "writable": true});
    daemon.obey("block-export-add", &export)?;
    // QEMU on both sides: what is seen needs nothing of ours.
    let url = format!("nbd+unix:///q?socket={}", daemon.exports().display());
    let mut io = program.io();
    let name = io.get_program().to_string_lossy().into_owned();
    let io = io.args(["-f", "raw", "-c", "write -z -n 0 4k", &url]).stdin(Stdio::null()).output();
    let io = io.map_err(|source| Error::Process { program: name, source })?;
    let said = [io.stdout, io.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    tell(&format!("  qemu-io 'write -z -n 0 4k': {}", said.lines().next().unwrap_or("nothing")));
    let mut failure = false;
    for event in daemon.events()? {
        if event.name.starts_with("QUORUM_") {
            failure |= event.name == "QUORUM_FAILURE";
            tell(&format!("    {} {}", event.name, Value::from(event.data)));
        }
    }
    let mut media = String::new();
    for path in paths {
        let unread = |source| Error::Socket { during: "files are read", source };
        let first = fs::read(path).map_err(unread)?[0];
        media.push(if first == 0 { '0' } else { char::from(first) });
    }
    let each: Vec<_> = media.chars().map(|letter| shown(&[byte(letter)])).collect();
    tell(&format!("    the children's first bytes: {}", each.join(", ")));
    Ok(Zeroed { acknowledged: io.status.success(), failure, media })
}

const ENOTSUP: i32 = 95;
