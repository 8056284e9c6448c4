//! An array in a thread of its own that changes while it is asked what its blocks are.

use crate::{
    Finding,
    array::{Disk, definition},
    tell,
};
use quorate_qemu::{Daemon, Error, Program};
use serde_json::json;
use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::{fs::FileExt, net::UnixStream},
    path::Path,
    time::Duration,
};

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "D8",
    title: "with the export in an iothread, a change of the children while block status is asked for never ends",
    ours: "there are no threads and no lock: the list of children is swapped at once, and requests under way \
           go on with the one that they started with",
    scenarios: &["hung-child-can-be-removed-during-a-read", "late-answers-change-nothing"],
    show: never_ending_change,
}];

/// Of 16 runs the longest took 41 of them, and half at most 3.
const TRIES: u32 = 300;
/// Longer than anything takes here that is ever answered.
const PATIENCE: Duration = Duration::from_secs(2);
const CHILDREN: [&str; 4] = ["c0", "c1", "c2", "c3"];
const FILE_BYTES: u64 = 4 << 20;
/// A block of data and a hole, by turns.
const RUN: usize = 4096;

fn never_ending_change(program: &Program) -> Result<bool, Error> {
    // QEMU's own children: they answer at once, and tell their holes.
    let mut store: Daemon<Disk> = Daemon::start(program)?;
    for child in CHILDREN {
        // In the daemon's own directory, which is removed however this ends.
        let path = store.exports().with_file_name(child);
        sparse(&path).map_err(|source| unusable("files are made", source))?;
        let node = json!({
            "driver": "file", "node-name": child, "filename": path.to_string_lossy(),
        });
        store.obey("blockdev-add", &node)?;
        let export = json!({"type": "nbd", "id": child, "node-name": child, "writable": true});
        store.obey("block-export-add", &export)?;
    }
    tell(
        "  one qemu-storage-daemon exports c0 to c3, files of 4 MiB with a hole behind every 4 KiB",
    );
    tell(
        "  another has a quorum over these, exported from an iothread; of it, block status of 4 MiB is asked \
          for eight times at once, and while that is answered c1 is removed",
    );
    for attempt in 1..=TRIES {
        if let Some(hangs) = change(program, &store)? {
            tell(&format!("  that was attempt {attempt}"));
            return Ok(hangs);
        }
    }
    tell(&format!("  {TRIES} attempts, and each change was answered"));
    Ok(false)
}

/// Whether the change hangs this time, or ends the daemon; `None` if it is answered.
fn change(program: &Program, store: &Daemon<Disk>) -> Result<Option<bool>, Error> {
    let mut daemon: Daemon<Disk> = Daemon::start(program)?;
    daemon.obey("object-add", &json!({"qom-type": "iothread", "id": "thread"}))?;
    for child in CHILDREN {
        let path = store.exports();
        let node = json!({
            "driver": "nbd", "node-name": child, "export": child,
            "server": {"type": "unix", "path": path.to_string_lossy()},
        });
        daemon.obey("blockdev-add", &node)?;
    }
    let nodes = CHILDREN.map(String::from);
    daemon.obey("blockdev-add", &definition("q", &nodes, &json!({"vote-threshold": 2})))?;
    let export = json!({
        "type": "nbd", "id": "q", "node-name": "q", "writable": true, "iothread": "thread",
    });
    daemon.obey("block-export-add", &export)?;
    let asked = ask_status(&daemon.exports(), "q");
    let _asking = asked.map_err(|source| unusable("block status is asked for", source))?;
    daemon.set_patience(PATIENCE);
    let removal = json!({"parent": "q", "child": "children.1"});
    match daemon.ask("x-blockdev-change", &removal) {
        Err(error @ Error::Silent { .. }) => {
            tell(&format!("  x-blockdev-change {removal}: {error}"));
        }
        Err(error @ Error::Died { .. }) => {
            tell(&format!("  x-blockdev-change {removal} does not hang: {error}"));
            return Ok(Some(false));
        }
        other => return other.map(|_| None),
    }
    match daemon.settle() {
        Err(error @ Error::Silent { .. }) => {
            tell(&format!("  any other command of QMP: {error}"));
            Ok(Some(true))
        }
        other => other.map(|()| None),
    }
}

fn sparse(path: &Path) -> io::Result<()> {
    let file = File::create(path)?;
    file.set_len(FILE_BYTES)?;
    for start in (0..FILE_BYTES).step_by(2 * RUN) {
        file.write_all_at(&[b'A'; RUN], start)?;
    }
    Ok(())
}

/// Connects with an export and asks for the status of all of it, and waits for the first answer. The driver's
/// own client knows no structured replies, and block status has no others.
fn ask_status(socket: &Path, export: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_exact(&mut [0; 18])?;
    stream.write_all(&3_u32.to_be_bytes())?;
    let name = with_length(export);
    option(&mut stream, STRUCTURED, &[])?;
    let context = [&name[..], &1_u32.to_be_bytes(), &with_length("base:allocation")].concat();
    option(&mut stream, SET_CONTEXT, &context)?;
    option(&mut stream, GO, &[&name[..], &[0, 0]].concat())?;
    for cookie in 1..=8_u64 {
        let mut request = 0x2560_9513_u32.to_be_bytes().to_vec();
        request.extend([0, BLOCK_STATUS].into_iter().flat_map(u16::to_be_bytes));
        request.extend([cookie, 0].into_iter().flat_map(u64::to_be_bytes));
        request.extend(u32::try_from(FILE_BYTES).expect("it is small").to_be_bytes());
        stream.write_all(&request)?;
    }
    // With the first answer the others are under way.
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Asks for an option and waits until it is granted.
fn option(stream: &mut UnixStream, option: u32, data: &[u8]) -> io::Result<()> {
    let length = u32::try_from(data.len()).expect("it is small");
    let header = [&b"IHAVEOPT"[..], &option.to_be_bytes(), &length.to_be_bytes()].concat();
    stream.write_all(&[&header, data].concat())?;
    loop {
        let mut reply = [0; 20];
        stream.read_exact(&mut reply)?;
        let number = |at: usize| {
            u32::from_be_bytes(*reply[at..].first_chunk().expect("the reply is longer"))
        };
        let (kind, length) = (number(12), number(16));
        io::copy(&mut Read::by_ref(stream).take(length.into()), &mut io::sink())?;
        if kind == ACK {
            return Ok(());
        }
        if kind & REFUSED != 0 {
            return Err(io::Error::other(format!("option {option} of NBD is refused: {kind:#x}")));
        }
    }
}

fn with_length(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("it is small");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn unusable(during: &'static str, source: io::Error) -> Error {
    Error::Socket { during, source }
}

const GO: u32 = 7;
const STRUCTURED: u32 = 8;
const SET_CONTEXT: u32 = 10;
const ACK: u32 = 1;
const REFUSED: u32 = 1 << 31;
const BLOCK_STATUS: u16 = 7;
