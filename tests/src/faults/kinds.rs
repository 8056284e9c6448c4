//! Opening, closing, discarding and resizing can go wrong like everything else; a frozen child and a
//! healed one.

use super::{Bench, line, sector, tags};
use bytes::Bytes;
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Flags, Prealloc, Result};
use quorate_faults::{device::Frozen, host::Delay};

/// One operation of each kind, by what it answers; `None` where it does not.
fn ask(bench: &Bench, kind: &str) -> Option<Result<()>> {
    let child = &bench.children[0];
    match kind {
        "read" => child.pread(0, 512).now_or_never().map(|reply| reply.map(drop)),
        "write" => child.pwrite(0, Bytes::from(vec![99; 512]), Flags::NONE).now_or_never(),
        "write-zeroes" => child.pwrite_zeroes(0, 512, Flags::NONE).now_or_never(),
        "flush" => child.flush().now_or_never(),
        "block-status" => child.block_status(0, 512).now_or_never().map(|reply| reply.map(drop)),
        "length" => child.length().now_or_never().map(|reply| reply.map(drop)),
        "open" => child.open().now_or_never(),
        "close" => child.close().now_or_never(),
        "discard" => child.pdiscard(0, 512).now_or_never(),
        "truncate" => child.truncate(4096, Prealloc::Off).now_or_never(),
        _ => unreachable!("no kind of operation is called {kind}"),
    }
}

const KINDS: [&str; 10] = [
    "read",
    "write",
    "write-zeroes",
    "flush",
    "block-status",
    "length",
    "open",
    "close",
    "discard",
    "truncate",
];

#[test]
fn every_kind_fails_hangs_and_is_late() {
    for kind in KINDS {
        let rule = |fault: &str| line("r", &format!("\"{kind}\""), "0", &format!("do = {fault}"));
        let bench = Bench::new(1, &rule("{ fault = \"status\", errno = \"EACCES\" }"));
        assert_eq!(ask(&bench, kind), Some(Err(Errno::EACCES)), "{kind}");
        assert_eq!(tags(&bench.stores[0].bytes())[0], 1, "{kind} has not taken place");
        assert_eq!(bench.fired().len(), 1, "{kind}");
        let bench = Bench::new(1, &rule("{ fault = \"hang\" }"));
        assert_eq!(ask(&bench, kind), None, "{kind}");
        let bench = Bench::new(1, &rule("{ fault = \"delay\", dist = \"fixed\", min = \"1s\" }"));
        assert_eq!(ask(&bench, kind), Some(Ok(())), "{kind}");
        let second = std::time::Duration::from_secs(1);
        assert_eq!(*bench.host.delays.lock().unwrap(), [Delay::After(second)], "{kind}");
    }
}

#[test]
fn discards_and_resizes_are_lost_refused_or_done_all_the_same() {
    for (fault, answer, is_done) in [
        ("{ fault = \"lost\" }", Ok(()), false),
        ("{ fault = \"unsupported\" }", Err(Errno::ENOTSUP), false),
        ("{ fault = \"status\", errno = \"EIO\", applied = \"all\" }", Err(Errno::EIO), true),
    ] {
        let rule = |kind: &str| line("r", kind, "0", &format!("do = {fault}"));
        let bench = Bench::new(1, &rule("\"discard\""));
        assert_eq!(ask(&bench, "discard"), Some(answer), "{fault}");
        assert_eq!(tags(&bench.stores[0].bytes())[0], if is_done { 0 } else { 1 }, "{fault}");
        let bench = Bench::new(1, &rule("\"truncate\""));
        assert_eq!(ask(&bench, "truncate"), Some(answer), "{fault}");
        assert_eq!(bench.stores[0].bytes().len(), if is_done { 4096 } else { 8192 }, "{fault}");
    }
    let torn = "do = { fault = \"torn\", keep = { subset = \"01\" } }";
    let bench = Bench::new(1, &line("r", "\"discard\"", "0", torn));
    bench.children[0].pdiscard(0, 1536).now_or_never().expect("answers").unwrap();
    assert_eq!(tags(&bench.stores[0].bytes())[..4], [1, 0, 3, 4]);
}

#[test]
fn closing_is_an_operation_only_where_a_rule_could_tell() {
    let bench = Bench::new(1, &line("r", "\"read\"", "0", "do = { fault = \"hang\" }"));
    assert_eq!(ask(&bench, "close"), Some(Ok(())));
    assert_eq!(bench.host.calls.lock().unwrap().len(), 0);
    let never = "when = { nth = 2 }\ndo = { fault = \"hang\" }";
    let bench = Bench::new(1, &line("r", "\"close\"", "0", never));
    assert_eq!(ask(&bench, "close"), Some(Ok(())));
    let calls = bench.host.calls.lock().unwrap().clone();
    assert_eq!(calls, ["submitted 1 Close", "complete 1", "replied 1"]);
}

const ROT: &str = "do = { fault = \"rot\", bytes = 512, heal = \"never\" }";

#[test]
fn a_healed_child_shows_the_truth_and_is_left_alone() {
    let bench = Bench::new(1, &line("r", "\"read\"", "0", ROT));
    assert_ne!(bench.read(0, 0, 512).unwrap(), sector(1));
    bench.children[0].heal();
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(1));
    assert_eq!(bench.fired().len(), 1, "the rule is over");
}

#[test]
fn a_dead_child_fails_whatever_it_is_asked() {
    for kind in KINDS {
        let bench = Bench::new(1, "");
        bench.children[0].freeze(Frozen::Dead(Errno::ENOMEDIUM));
        assert_eq!(ask(&bench, kind), Some(Err(Errno::ENOMEDIUM)), "{kind}");
        assert_eq!(bench.stores[0].bytes(), super::content(), "{kind}");
        bench.children[0].heal();
        assert_eq!(ask(&bench, kind), Some(Ok(())), "{kind}");
    }
}

#[test]
fn a_hung_child_answers_nothing() {
    for kind in KINDS {
        let bench = Bench::new(1, "");
        bench.children[0].freeze(Frozen::Hung);
        assert_eq!(ask(&bench, kind), None, "{kind}");
        assert_eq!(bench.stores[0].bytes(), super::content(), "{kind}");
    }
}

#[test]
fn a_stale_child_acknowledges_and_never_changes() {
    for kind in KINDS {
        let bench = Bench::new(1, "");
        bench.write(0, 0, &[7; 512]).unwrap();
        bench.children[0].freeze(Frozen::Stale);
        assert_eq!(ask(&bench, kind), Some(Ok(())), "{kind}");
        assert_eq!(bench.read(0, 0, 512).unwrap(), sector(7), "{kind}");
        assert_eq!(bench.stores[0].bytes().len(), 8192, "{kind}");
        assert_eq!(*bench.stores[0].flushes.lock().unwrap(), 0, "{kind}");
    }
}

#[test]
fn a_frozen_child_is_spared_by_its_rules() {
    let bench = Bench::new(1, &line("r", "\"read\"", "0", "do = { fault = \"hang\" }"));
    bench.children[0].freeze(Frozen::Stale);
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(1));
    assert_eq!(bench.plan.unfired(), ["r"]);
}
