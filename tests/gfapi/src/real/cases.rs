//! Tests that share a glusterd, one after the other.

use std::{
    env,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process, thread,
    time::Duration,
};

/// A test of something there: its name is what it claims.
pub(crate) type Case<T> = (&'static str, fn(&T));

/// Says what there is, if the command line asks for that only.
pub(crate) fn listed<T, U>(some: &[Case<T>], others: &[Case<U>]) -> bool {
    let asked = env::args().any(|argument| argument == "--list");
    if asked {
        let names = some.iter().map(|case| case.0).chain(others.iter().map(|case| case.0));
        names.for_each(|name| say(&format!("{name}: test")));
    }
    asked
}

/// Runs those that the command line chooses, and says how each ended; whether all held.
pub(crate) fn run<T>(suite: &str, all: &[Case<T>], there: &T) -> bool {
    let filters: Vec<_> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(&**f));
    let mut failed = Vec::new();
    for (name, case) in all.iter().filter(|(name, _)| chosen(name)) {
        let held = panic::catch_unwind(AssertUnwindSafe(|| case(there))).is_ok();
        say(&format!("test {name} ... {}", if held { "ok" } else { "FAILED" }));
        if !held {
            failed.push(name);
        }
    }
    say(&format!("{suite}: {} failed {failed:?}", failed.len()));
    failed.is_empty()
}

/// Ends this process if it is still there after so long.
#[expect(clippy::disallowed_methods, reason = "a thread that waits for what hangs")]
pub(crate) fn watch(most: Duration) {
    thread::spawn(move || {
        thread::sleep(most);
        say(&format!("not done within {most:?}"));
        process::exit(1);
    });
}

pub(crate) fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("stdout is there");
}
