//! What becomes of a test whose server, library or header is not there.

use std::{
    env,
    io::{self, Write},
};

/// Says that the suite is skipped, and why.
///
/// # Panics
/// `QUORATE_REQUIRE` names the suite: then it is not skipped.
#[track_caller]
pub(crate) fn skip(suite: &str, reason: &str) {
    let required = env::var("QUORATE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == suite), "{suite} is required: {reason}");
    // Not by a macro, which the test harness would keep to itself.
    writeln!(io::stderr(), "SKIP {suite}: {reason}").expect("stderr is there");
}
