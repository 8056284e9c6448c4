//! QEMU's own tests, as scenarios, on the engine and on the real QEMU.
//!
//! `tests/qemu/IOTESTS.md` has what became of each of their cases.

#[path = "../gfapi/src/require.rs"]
mod require;

use quorate_qemu::Program;
use quorate_scenarios::{
    catalog,
    diff::{NotCompared, Pace, Tally, Twin},
    runner::Scratch,
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// What no comparison over NBD can ask. `tests/qemu/src/iotests.rs` asks QEMU in another way.
const ASKED_ELSEWHERE: [&str; 3] =
    ["event-rate-limit", "event-rate-limit-in-fifo-pattern", "rewrite-through-a-read-only-array"];

/// The machine's QEMU, if it has one.
pub(crate) fn qemu() -> Option<Program> {
    let found = Program::find();
    found.map_err(|missing| require::skip("qemu", &format!("{missing}; 0 compared"))).ok()
}

#[test]
fn what_qemus_own_tests_ask_comes_to_the_same_there() {
    let Some(program) = qemu() else { return };
    let twin = Twin::new(&program, Pace::Ordered);
    let mut left_out = BTreeMap::new();
    let mut scratch = Scratch::default();
    for scenario in catalog::all() {
        if !scenario.covers.iter().any(|word| word.starts_with("iotest ")) {
            continue;
        }
        match twin.compare(&scenario, &mut scratch) {
            Ok(both) => {
                assert!(both.violation.is_none(), "{}: {:#?}", scenario.name, both.violation);
            }
            Err(NotCompared::Unsuited(why)) => {
                left_out.insert(scenario.name, why);
            }
            Err(other) => panic!("{}: {other:?}", scenario.name),
        }
    }
    let names: Vec<_> = left_out.keys().map(String::as_str).collect();
    assert_eq!(names, ASKED_ELSEWHERE, "{left_out:?}");
    let (version, Tally { cases, requests, .. }) = (program.version(), twin.tally());
    // Not by a macro, which the test harness would keep to itself.
    let mut stderr = io::stderr();
    writeln!(
        stderr,
        "qemu {version}: {cases} scenarios of QEMU's tests compared, {requests} requests"
    )
    .expect("stderr is there");
}
