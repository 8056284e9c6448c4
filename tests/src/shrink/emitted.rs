//! The test that a failure becomes: it compiles, and fails as long as the failure is there.

use super::{WRONG, with};
use quorate_scenarios::{load, shrink::emit};
use std::panic;

/// What is checked in is what comes out now.
#[test]
fn what_is_emitted_is_what_was_compiled() {
    let before = load::parse(WRONG, "wrong").expect("a scenario");
    let shrunk = with(None, &before).expect("it fails");
    let emitted = emit::test(&shrunk.scenario, &shrunk.property);
    assert_eq!(emitted, include_str!("emitted/wrong.rs"));
}

#[test]
fn what_is_emitted_fails_as_it_should() {
    // A test in here is called by nobody else.
    mod pasted {
        include!("emitted/wrong.rs");

        pub(super) fn call() {
            wrong_holds();
        }
    }
    let failed = panic::catch_unwind(pasted::call).expect_err("the expectation is wrong");
    let said = failed.downcast_ref::<String>().expect("it says why");
    assert!(said.contains("Byte 0 of the data is 0x32, not 0x33."), "{said}");
}
