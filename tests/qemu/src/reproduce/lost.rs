//! A child that loses its driver for good.

use crate::{
    Finding,
    array::{Array, BLOCK, BYTES, Disk, is, serve},
    tell,
};
use quorate_qemu::{Daemon, Error, Program, Request};
use serde_json::{Value, json};

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "S26",
    title: "a child that loses its driver for good makes every later request of the array fail",
    ours: "such a child fails alone, and the others answer",
    scenarios: &["child-that-fails-for-good-fails-alone"],
    show: lost_driver,
}];

/// A cluster of the image.
const CLUSTER: u64 = 1024;
/// Where an image says where its first table is, and the bits of an entry that are a place.
const TABLE_AT: usize = 40;
const PLACE: u64 = 0x00ff_ffff_ffff_fe00;

fn lost_driver(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let mut children = serve(&mut daemon, "AA")?;
    daemon.serve("image", Disk::full('0', 8 * BYTES))?;
    create(&mut daemon, &json!({"cluster-size": CLUSTER}))?;
    let node = json!({"driver": "qcow2", "node-name": "c2", "file": "image"});
    daemon.obey("blockdev-add", &node)?;
    let client = daemon.export("c2")?;
    let all = Request::Write { offset: 0, data: vec![b'A'; BYTES], fua: false };
    let filled = daemon.request(client, &all)?.is_ok();
    daemon.shut(client)?;
    daemon.obey("blockdev-del", &json!({"node-name": "c2"}))?;
    damage(&mut daemon.child("image").media);
    daemon.obey("blockdev-add", &node)?;
    tell(
        "  c2 is a qcow2 image of the same content, whose first cluster is said to be where none can be",
    );
    children.push("image".into());
    let nodes = ["c0", "c1", "c2"].map(String::from);
    let mut array = Array::over(daemon, children, &nodes, &json!({"vote-threshold": 2}))?;
    let acknowledged = array.write(0, 'B', BLOCK)?.is_ok();
    let told = array.reports.len();
    let fail = [array.read(0, BLOCK)?, array.write(0, 'C', BLOCK)?, array.flush()?]
        .iter()
        .all(Result::is_err);
    let untold = array.reports.len() == told;
    let removal = json!({"parent": "q", "child": "children.2"});
    array.daemon.obey("x-blockdev-change", &removal)?;
    tell(&format!("  x-blockdev-change {removal}: done"));
    let works = is(&array.read(0, BLOCK)?, 'B');
    Ok(filled && acknowledged && fail && untold && works)
}

/// Makes a qcow2 image of the node `image`, with these options.
pub(crate) fn create(daemon: &mut Daemon<Disk>, more: &Value) -> Result<(), Error> {
    let mut options = json!({"driver": "qcow2", "file": "image", "size": BYTES});
    for (key, value) in more.as_object().into_iter().flatten() {
        options[key] = value.clone();
    }
    daemon.obey("blockdev-create", &json!({"job-id": "create", "options": options}))?;
    while daemon.obey("query-jobs", &json!({}))?[0]["status"] != "concluded" {
        daemon.until_event("JOB_STATUS_CHANGE")?;
        daemon.events()?;
    }
    daemon.obey("job-dismiss", &json!({"id": "create"})).map(|_| ())
}

/// Moves the first cluster of the image half a cluster on.
fn damage(image: &mut [u8]) {
    let entry = |image: &[u8], at: usize| {
        u64::from_be_bytes(*image[at..].first_chunk().expect("the image is longer"))
    };
    let place = |entry: u64| usize::try_from(entry & PLACE).expect("the image is small");
    let second = place(entry(image, place(entry(image, TABLE_AT))));
    let moved = entry(image, second) | (CLUSTER / 2);
    image[second..][..8].copy_from_slice(&moved.to_be_bytes());
}
