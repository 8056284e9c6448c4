//! `quorate exhaust`.

use super::{answer, quorate};
use quorate_scenarios::cli::exit;
use std::sync::{Arc, atomic::AtomicBool};

/// What these arguments print is as it was.
#[track_caller]
fn printed(args: &[&str]) -> String {
    let exhausted = quorate(&[&["exhaust"], args].concat());
    assert_eq!((exhausted.code, exhausted.err.as_str()), (exit::HELD, ""), "{}", exhausted.out);
    exhausted.out
}

#[test]
fn four_children_are_certified() {
    let quick = "read,read-fifo,read-repair,read-verify,write,flush";
    insta::assert_snapshot!(printed(&["--children", "4", "--operations", quick]));
}

#[test]
fn requests_at_once_are_certified() {
    let at_once = "write-fua,pairs-serialise,pairs-qemu,trio-serialise";
    insta::assert_snapshot!(printed(&["--children", "3", "--operations", at_once]));
}

#[test]
fn zeroes_are_certified() {
    insta::assert_snapshot!(printed(&["--children", "2", "--operations", "write-zeroes"]));
}

#[test]
fn machines_read_the_same() {
    let args = ["exhaust", "--children", "2", "--format", "json"];
    let json = quorate(&args).json();
    let rows = json["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 15, "each of seven with one child and with two, and read-verify");
    assert_eq!(
        (&json["children"], json["serialise"].as_array().map(Vec::len)),
        (&2.into(), Some(0))
    );
    let certificate = json["certificate"].as_str().expect("a text");
    assert!(printed(&["--children", "2"]).ends_with(&format!("\ncertificate  {certificate}\n")));

    let check =
        |certificate: &str| quorate(&["exhaust", "--children", "2", "--check", certificate]);
    assert_eq!(check(certificate).code, exit::HELD);
    let other = check(&"0".repeat(64));
    assert_eq!(other.code, exit::VIOLATED);
    assert!(other.out.contains("the certificate should be 0000"), "{}", other.out);
}

#[test]
fn an_interrupted_exhaustion_certifies_nothing() {
    for format in ["text", "json"] {
        let stop = Arc::new(AtomicBool::new(true));
        let stopped = answer(&["exhaust", "--format", format], &stop);
        assert_eq!(stopped.code, exit::INTERRUPTED);
        assert!(stopped.out.contains("interrupted"), "{}", stopped.out);
        assert!(!stopped.out.contains("certificate  "), "{}", stopped.out);
    }
}
