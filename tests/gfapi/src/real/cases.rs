//! Tests that share a glusterd, one after the other.

use std::{
    env,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process::{self, ExitCode},
    thread,
    time::Duration,
};

/// A test of something there: its name is what it claims.
pub(crate) type Case<T> = (&'static str, fn(&T));

/// Those that the command line chooses; none if it asks only what there is, which is then said.
pub(crate) fn chosen<T>(all: &[Case<T>]) -> Option<Vec<Case<T>>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in all {
            say(&format!("{name}: test"));
        }
        return None;
    }
    let filters: Vec<_> = arguments.into_iter().filter(|a| !a.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(&**f));
    Some(all.iter().filter(|(name, _)| chosen(name)).copied().collect())
}

/// Runs them, and says how each ended.
pub(crate) fn run<T>(suite: &str, cases: &[Case<T>], there: &T) -> ExitCode {
    let mut failed = Vec::new();
    for (name, case) in cases {
        let held = panic::catch_unwind(AssertUnwindSafe(|| case(there))).is_ok();
        say(&format!("test {name} ... {}", if held { "ok" } else { "FAILED" }));
        if !held {
            failed.push(name);
        }
    }
    say(&format!("{suite}: {} failed {failed:?}", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
