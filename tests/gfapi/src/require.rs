//! What becomes of a test whose server, library or header is not there.

use std::{
    env,
    io::{self, Write},
};

/// Whether `QUORATE_REQUIRE` names the suite, or what it is part of: the first word of its name.
pub(crate) fn required(suite: &str) -> bool {
    let required = env::var("QUORATE_REQUIRE").unwrap_or_default();
    required.split(',').any(|name| suite.split(' ').next() == Some(name))
}

/// Says that the suite is skipped, and why.
///
/// # Panics
/// It is required: then nothing is skipped.
#[track_caller]
pub(crate) fn skip(suite: &str, reason: &str) {
    assert!(!required(suite), "{suite} is required: {reason}");
    // Not by a macro, which the test harness would keep to itself.
    writeln!(io::stderr(), "SKIP {suite}: {reason}").expect("stderr is there");
}
