//! What QEMU does not tell.

use crate::{
    Finding,
    array::{Array, BLOCK, BYTES, Disk, Manner, came, is, quorum, serve},
    tell,
};
use quorate_engine::Errno;
use quorate_qemu::{Daemon, Error, Program, Request};
use serde_json::{Value, json};
use std::{slice::from_ref, time::Duration};

pub(crate) const FINDINGS: [Finding; 6] = [
    Finding {
        id: "D11",
        title: "while a job copies a child, reports of that child name a node that nobody has named",
        ours: "a report names the node that the array was given; there are no jobs to put others in between",
        scenarios: &["read-corrupt"],
        show: report_of_a_copied_child,
    },
    Finding {
        id: "S12",
        title: "a read of read-pattern=fifo that every child fails raises no QUORUM_FAILURE",
        ours: "the same, for what watches QEMU's events; the run is a hazard of the catalog",
        scenarios: &["fifo-answers-the-last-error"],
        show: fifo_failure,
    },
    Finding {
        id: "S13",
        title: "a flush below the threshold raises no QUORUM_FAILURE",
        ours: "the same, for what watches QEMU's events; the run is a hazard of the catalog",
        scenarios: &["flush-reports-bad-but-no-failure"],
        show: flush_failure,
    },
    Finding {
        id: "S18",
        title: "of bad sectors that are read within a second only the first and the last are reported",
        ours: "the engine reports each; QEMU's limit is an option of the simulated monitor",
        scenarios: &["reports-of-other-sectors-are-swallowed"],
        show: swallowed_reports,
    },
    Finding {
        id: "S19",
        title: "failures of different arrays within a second are taken for one another",
        ours: "the engine reports each; QEMU's limit is an option of the simulated monitor",
        scenarios: &["failure-events-share-one-limit"],
        show: swallowed_failures,
    },
    Finding {
        id: "S20",
        title: "a repair that fails is not reported",
        ours: "the same, for what watches QEMU's events; the run is a hazard of the catalog",
        scenarios: &["rewrite-errors-are-ignored"],
        show: failed_repair,
    },
];

/// Longer than the second for which QEMU holds events back.
const PATIENCE: Duration = Duration::from_secs(3);

fn fifo_failure(program: &Program) -> Result<bool, Error> {
    let options = json!({"vote-threshold": 1, "read-pattern": "fifo"});
    let mut array = Array::open(program, "AAA", &options)?;
    tell("  all reads fail with EIO");
    for index in 0..3 {
        array.child(index).reads = Manner::Fails(Errno::EIO);
    }
    let failed = array.read(0, BLOCK)?.is_err();
    Ok(failed && array.reported("QUORUM_REPORT_BAD") && !array.reported("QUORUM_FAILURE"))
}

fn flush_failure(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    tell("  the flushes of c0 and c1 fail with EIO");
    array.child(0).flushes = Manner::Fails(Errno::EIO);
    array.child(1).flushes = Manner::Fails(Errno::EIO);
    let failed = array.flush()?.is_err();
    Ok(failed && array.reported("QUORUM_REPORT_BAD") && !array.reported("QUORUM_FAILURE"))
}

fn swallowed_reports(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AAA", &json!({"vote-threshold": 2}))?;
    array.daemon.set_patience(PATIENCE);
    tell("  c1 holds Z in its first four sectors");
    array.child(1).media[..4 * BLOCK as usize].fill(b'Z');
    let mut read = true;
    for sector in 0..4 {
        read &= is(&array.read(sector * u64::from(BLOCK), BLOCK)?, 'A');
    }
    let more = array.daemon.until_event("QUORUM_REPORT_BAD");
    late(more)?;
    array.tell_reports()?;
    let sectors: Vec<_> =
        array.reports.iter().map(|event| event.data["sector-num"].clone()).collect();
    Ok(read && sectors == [0, 3])
}

fn swallowed_failures(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    daemon.set_patience(PATIENCE);
    let children = serve(&mut daemon, "AAA")?;
    let mut clients = Vec::new();
    for child in &children {
        daemon.child(child).reads = Manner::Fails(Errno::EIO);
        let options = json!({"vote-threshold": 1});
        clients.push(quorum(&mut daemon, &format!("q-{child}"), from_ref(child), &options)?);
    }
    tell("  all reads fail with EIO");
    for (client, child) in clients.into_iter().zip(&children) {
        let reply = daemon.request(client, &Request::Read { offset: 0, bytes: BLOCK })?;
        tell(&format!("  a read of q-{child}: {}", came(&reply)));
    }
    let failed = |daemon: &mut Daemon<_>| -> Result<Vec<String>, Error> {
        let events = daemon.events()?.into_iter().filter(|event| event.name == "QUORUM_FAILURE");
        Ok(events.map(|event| event.data["reference"].as_str().unwrap_or("?").into()).collect())
    };
    let mut told = failed(&mut daemon)?;
    let more = daemon.until_event("QUORUM_FAILURE");
    late(more)?;
    told.extend(failed(&mut daemon)?);
    tell(&format!("  QUORUM_FAILURE is told of {}", told.join(", ")));
    Ok(told == ["q-c0", "q-c2"])
}

fn failed_repair(program: &Program) -> Result<bool, Error> {
    let options = json!({"vote-threshold": 2, "rewrite-corrupted": true});
    let mut array = Array::open(program, "AZA", &options)?;
    tell("  the writes of c1 fail with EIO");
    array.child(1).writes = Manner::Fails(Errno::EIO);
    let reply = array.read(0, BLOCK)?;
    array.tell_media();
    let unrepaired = array.child(1).at(0, 1) == b"Z";
    let told = array.reports.iter().any(|event| event.data.get("type") == Some(&json!("write")));
    Ok(is(&reply, 'A') && unrepaired && !told)
}

fn report_of_a_copied_child(program: &Program) -> Result<bool, Error> {
    let mut array = Array::open(program, "AZA", &json!({"vote-threshold": 2}))?;
    array.daemon.serve("copy", Disk::full('0', BYTES))?;
    let job = json!({"job-id": "backup", "device": "c1", "target": "copy", "sync": "none"});
    array.daemon.obey("blockdev-backup", &job)?;
    tell(&format!("  blockdev-backup {job}: done"));
    let reply = array.read(0, BLOCK)?;
    let names: Vec<_> = array.reports.iter().map(|event| event.data["node-name"].clone()).collect();
    let unknown = |name: &Value| name.as_str().is_some_and(|name| name.starts_with('#'));
    Ok(is(&reply, 'A') && names.len() == 1 && unknown(&names[0]))
}

/// A monitor that holds nothing back has nothing more to tell.
fn late(more: Result<(), Error>) -> Result<(), Error> {
    match more {
        Err(Error::Silent { .. }) => Ok(()),
        other => other,
    }
}
