//! Bricks that die.

use super::{
    Case,
    volume::{PATIENCE, connect, create, error, glusterd, ok, open, read, volume, write},
};
use futures_lite::future::block_on;
use quorate_engine::gluster::api::Seek;
use std::{fs, process::Command, thread, time::Duration};

pub(crate) const CASES: &[Case] = &[
    ("a_dead_brick_fails_reads_and_syncs", a_dead_brick_fails_reads_and_syncs),
    ("a_seek_does_not_hide_a_full_brick", a_seek_does_not_hide_a_full_brick),
];

fn a_dead_brick_fails_reads_and_syncs() {
    let volume = volume("v1");
    let file = create(&*volume, "brick", vec![1; 1 << 20]);
    let other = create(&*volume, "other", vec![1; 4096]);
    let clean = create(&*volume, "clean", vec![1; 4096]);
    kill_brick("v1");
    let read_at = |offset| block_on(file.pread(offset, 4096)).done;
    assert_eq!(read_at(0), error(libc::ENOTCONN));
    assert_eq!(write(&*file, 0, vec![2; 4096]), ok(4096), "acknowledged by the cache");
    assert_eq!(block_on(file.fsync()), error(libc::ENOTCONN), "and told here");
    assert_eq!(write(&*other, 0, vec![2; 4096]), ok(4096));
    assert_eq!(block_on(other.close()), error(libc::ENOTCONN), "or here, the last place");
    let refused = connect(vec![glusterd()], "v1", PATIENCE).err().unwrap();
    assert_eq!(refused.errno, libc::EIO);
    // What needs a descriptor of the brick's says so.
    assert_eq!(block_on(clean.fsync()), error(libc::ENOTCONN));
    assert_eq!(block_on(clean.ftruncate(10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.zerofill(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.discard(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.fallocate(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.seek(0, Seek::Data)), error(libc::EBADFD));
    assert_eq!(open(&*volume, "clean").err().unwrap().errno, libc::ENOTCONN);
    assert_eq!(block_on(clean.close()), ok(0), "nothing of it was cached");

    gluster(&["volume", "start", "v1", "force"]);
    let synced = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        block_on(file.fsync()) == ok(0)
    });
    assert!(synced, "the brick is back, and so is the connection");
    assert_eq!(read(&*file, 0, 8192), [[2; 4096], [1; 4096]].concat(), "the cache was kept");
    assert_eq!(block_on(file.close()), ok(0));
}

fn a_seek_does_not_hide_a_full_brick() {
    let no_space = error(libc::ENOSPC);
    let file = create(&*volume("full"), "full", Vec::new());
    let mut written = (0..40).map(|i| write(&*file, i << 19, vec![1; 1 << 19]));
    assert!(written.any(|done| done == no_space), "20 MiB do not go into 16");
    // It waits for the writes, so it fails with them; but it is not they whose failure it tells.
    assert_eq!(block_on(file.seek(0, Seek::Data)), no_space);
    assert_eq!(block_on(file.fsync()), no_space);
    assert_eq!(block_on(file.fsync()), no_space);
    assert_eq!(block_on(file.close()), no_space);
}

fn kill_brick(volume: &str) {
    let pids = format!("/run/gluster/vols/{volume}");
    for entry in fs::read_dir(pids).expect("the volume was started") {
        let pid = fs::read_to_string(entry.expect("it was listed").path()).expect("a pid");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("there is a kill").success());
    }
}

fn gluster(arguments: &[&str]) {
    let output = Command::new("gluster").arg("--mode=script").args(arguments).output();
    let output = output.expect("there is a gluster");
    assert!(output.status.success(), "{output:?}");
}
