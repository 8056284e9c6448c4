//! The event throttle: the first at once, then the last of each period.

use quorate_engine::{Errno, Event, EventSink, OpType, Sectors, event::Throttle};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Each row is a moment in milliseconds, what happens then, what is passed on by it, and when the
/// next event that is held back is due.
///
/// `c0.1` is a report about c0 that can be told apart by its number, `F` a failure, `M` a mismatch,
/// `-` the owner's timer. The period is a second.
#[track_caller]
fn check(rows: &[(u64, &str, &str, Option<u64>)]) {
    let passed = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::new(AtomicU64::new(0));
    let (sink, now) = (passed.clone(), clock.clone());
    let throttle = Throttle::new(
        move |event: Event| sink.lock().expect("nothing panics under this lock").push(name(&event)),
        move || Duration::from_millis(now.load(Ordering::SeqCst)),
        Duration::from_secs(1),
    );
    for (at, what, expected, deadline) in rows {
        clock.store(*at, Ordering::SeqCst);
        match *what {
            "-" => throttle.expire(),
            what => throttle.emit(event(what)),
        }
        let passed =
            std::mem::take(&mut *passed.lock().expect("nothing panics under this lock")).join(" ");
        assert_eq!(passed, *expected, "{what} at {at}");
        assert_eq!(throttle.deadline(), deadline.map(Duration::from_millis), "{what} at {at}");
    }
}

fn event(name: &str) -> Event {
    let (who, number) = name.split_once('.').expect("a number");
    let first = number.parse().expect("a number");
    let sectors = Sectors { first, count: 1 };
    match who {
        "F" => Event::Failure { reference: "q".into(), sectors },
        "G" => Event::Failure { reference: "other".into(), sectors },
        "M" => Event::Mismatch {
            reference: "q".into(),
            offset: first,
            bytes: 1,
            first_difference: first,
        },
        child => {
            let (op, error) = (OpType::Read, Some(Errno::EIO));
            Event::ReportBad { op, node_name: child.into(), error, sectors }
        }
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Failure { reference, sectors } => {
            let who = if reference.as_str() == "q" { "F" } else { "G" };
            format!("{who}.{}", sectors.first)
        }
        Event::Mismatch { offset, .. } => format!("M.{offset}"),
        Event::ReportBad { node_name, sectors, .. } => format!("{node_name}.{}", sectors.first),
    }
}

#[test]
fn the_first_passes_and_the_last_of_a_period_follows() {
    check(&[
        (0, "c0.1", "c0.1", None),
        (1, "c0.2", "", Some(1000)),
        (2, "c0.3", "", Some(1000)),
        (999, "-", "", Some(1000)),
        (1000, "-", "c0.3", None),
        (1001, "c0.4", "", Some(2000)),
        (2000, "-", "c0.4", None),
        (2999, "-", "", None),
        (3000, "c0.5", "c0.5", None),
    ]);
}

#[test]
fn a_quiet_period_lets_the_next_pass_at_once() {
    check(&[
        (0, "c0.1", "c0.1", None),
        (1000, "c0.2", "c0.2", None),
        (1999, "c0.3", "", Some(2000)),
    ]);
}

#[test]
fn each_child_has_its_own_period() {
    check(&[
        (0, "c0.1", "c0.1", None),
        (10, "c1.1", "c1.1", None),
        (20, "c0.2", "", Some(1000)),
        (30, "c1.2", "", Some(1000)),
        (1000, "-", "c0.2", Some(1010)),
        (1010, "-", "c1.2", None),
    ]);
}

#[test]
fn one_arrays_failure_hides_anothers() {
    check(&[(0, "F.1", "F.1", None), (5, "G.1", "", Some(1000)), (1000, "-", "G.1", None)]);
}

#[test]
fn a_failure_does_not_wait_for_reports() {
    check(&[(0, "c0.1", "c0.1", None), (0, "F.1", "F.1", None), (1, "F.2", "", Some(1000))]);
}

#[test]
fn a_mismatch_always_passes() {
    check(&[(0, "M.1", "M.1", None), (0, "M.2", "M.2", None), (1, "M.3", "M.3", None)]);
}

#[test]
fn what_is_due_passes_before_what_comes_late() {
    check(&[
        (0, "c0.1", "c0.1", None),
        (100, "c1.1", "c1.1", None),
        (200, "c1.2", "", Some(1100)),
        (300, "c0.2", "", Some(1000)),
        // The owner's timer is late: what became due comes first, and begins a period.
        (5000, "c0.3", "c0.2 c1.2", Some(6000)),
        (6000, "-", "c0.3", None),
    ]);
}
