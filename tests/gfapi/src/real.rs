//! The wrapper over a real server: libgfapi, glusterd and its bricks as they are installed.
//!
//! Without arguments it runs itself once more in private namespaces beside a glusterd of its own, for
//! which it has to be root. Nothing is touched outside of them, and nothing outlives it: the kernel ends
//! the namespaces' first process with this one, and everything else with that.

#![expect(clippy::unwrap_used, reason = "tests, although the lint does not see it")]

#[path = "real/behaviour.rs"]
mod behaviour;
#[path = "real/faults.rs"]
mod faults;
#[path = "real/promises.rs"]
mod promises;
mod require;
#[path = "real/volume.rs"]
mod volume;

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    panic,
    process::{Command, ExitCode, Stdio},
};

/// A test: its name is what it claims.
type Case = (&'static str, fn());

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == INSIDE) {
        let filters = arguments.split_off(1);
        return inside(&filters);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in cases() {
            say(&format!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.into_iter().filter(|a| !a.starts_with('-')).collect();
    match missing() {
        Some(reason) => {
            require::skip("gluster", &reason);
            ExitCode::SUCCESS
        }
        None => beside_glusterd(&filters),
    }
}

/// What this machine lacks, if anything.
fn missing() -> Option<String> {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Some("only root can run a brick".into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    for tool in ["glusterd", "gluster", "unshare", "setpriv", "ip", "timeout"] {
        if !env::split_paths(&path).any(|directory| directory.join(tool).exists()) {
            return Some(format!("there is no {tool} (Debian: glusterfs-server, iproute2)"));
        }
    }
    if let Err(error) = glusterfs_sys::Api::load() {
        return Some(error.to_string());
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "true"]).stderr(Stdio::null());
    match unshare.status() {
        Ok(status) if status.success() => None,
        _ => Some("namespaces cannot be made here".into()),
    }
}

fn beside_glusterd(filters: &[String]) -> ExitCode {
    let directory = tempfile::Builder::new().prefix("quorate-gluster-").tempdir();
    let directory = directory.expect("there is a place for temporary files");
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"])
        .args(["--kill-child", "sh", "-c", include_str!("real/namespace.sh"), "sh"])
        .arg(directory.path())
        .arg(env::current_exe().expect("this is a program"))
        .arg(INSIDE)
        .args(filters)
        .stdin(Stdio::null())
        .status()
        .expect("setpriv was found");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn inside(filters: &[String]) -> ExitCode {
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(&**f));
    let mut failed = Vec::new();
    for (name, case) in cases().into_iter().filter(|(name, _)| chosen(name)) {
        let held = panic::catch_unwind(case).is_ok();
        say(&format!("test {name} ... {}", if held { "ok" } else { "FAILED" }));
        if !held {
            failed.push(name);
        }
    }
    say(&format!("real gluster: {} failed {failed:?}", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cases() -> Vec<Case> {
    [behaviour::CASES, promises::CASES, faults::CASES].concat()
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("stdout is there");
}

/// The argument of what runs in the namespaces.
const INSIDE: &str = "--inside";
