//! Other programs, which can be stopped and do not run for ever.

use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use thiserror::Error;

/// What a program came to.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
    /// How long that took.
    pub took: Duration,
}

/// Why nothing is known of a program.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// Somebody wants the run to end.
    #[error("interrupted")]
    Interrupted,
    /// It went on for too long, and was ended.
    #[error("{program} did not end within {limit:?}")]
    Endless {
        /// Which program.
        program: String,
        /// How long it had.
        limit: Duration,
    },
    /// It did not do what it is there for.
    #[error("{program} ended with {status}:\n{tail}")]
    Failed {
        /// Which program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it complained of.
        tail: String,
    },
    /// It could not be run.
    #[error("{program}: {error}")]
    Io {
        /// Which program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It printed something that makes no sense.
    #[error("{program} printed what nobody understands: {what}")]
    Unclear {
        /// Which program.
        program: String,
        /// What is not understood.
        what: String,
    },
}

/// Runs a program to its end, unless it takes longer than `limit` or somebody sets `stop`.
///
/// # Errors
/// It could not be run, or had to be ended.
pub fn run(
    command: &mut Command,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Finished, ProcessError> {
    let program = name(command);
    let io = |error| ProcessError::Io { program: program.clone(), error };
    // Files, not pipes: nobody has to empty them while it runs.
    let (mut out, mut err) = (tempfile::tempfile().map_err(io)?, tempfile::tempfile().map_err(io)?);
    command.stdin(Stdio::null());
    command.stdout(out.try_clone().map_err(io)?).stderr(err.try_clone().map_err(io)?);
    let began = wall_clock();
    let mut child = command.spawn().map_err(io)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(io)? {
            break status;
        }
        let late = began.elapsed() > limit;
        if late || stop.load(Ordering::Relaxed) {
            child.kill().and_then(|()| child.wait()).map_err(io)?;
            return Err(match late {
                true => ProcessError::Endless { program, limit },
                false => ProcessError::Interrupted,
            });
        }
        thread::sleep(TICK);
    };
    let took = began.elapsed();
    // The terminal's Ctrl-C ends it as well, perhaps before anybody here has heard of it.
    thread::sleep(TICK);
    if stop.load(Ordering::Relaxed) {
        return Err(ProcessError::Interrupted);
    }
    let (out, err) = (text(&mut out).map_err(io)?, text(&mut err).map_err(io)?);
    Ok(Finished { status, out, err, took })
}

/// What cargo has built.
#[derive(Debug)]
pub struct Built {
    /// The program.
    pub program: PathBuf,
    /// The folder of its package.
    pub package: PathBuf,
    /// How long that took.
    pub took: Duration,
}

/// Builds one program with cargo in the copy of the sources.
///
/// # Errors
/// It does not build.
pub fn build(
    tree: &Path,
    target: &Path,
    what: &[&str],
    stop: &AtomicBool,
) -> Result<Built, ProcessError> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(tree).env("CARGO_TARGET_DIR", target).args(what);
    cargo.args(["--profile", "museum", "--message-format", "json-render-diagnostics"]);
    // The settings of whoever builds the museum are not those of what the museum builds.
    for name in ["CARGO_MANIFEST_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    let done = run(&mut cargo, BUILD_LIMIT, stop)?;
    let program = name(&cargo);
    if !done.status.success() {
        return Err(failed(program, &done));
    }
    let built = done.out.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = |name| message.get(name).and_then(Value::as_str).map(PathBuf::from);
        let (program, manifest) = (path("executable")?, path("manifest_path")?);
        Some(Built { program, package: manifest.parent()?.into(), took: done.took })
    });
    built.ok_or_else(|| ProcessError::Unclear { program, what: "no executable is named".into() })
}

/// The error of a program that should have ended well.
pub(crate) fn failed(program: String, done: &Finished) -> ProcessError {
    let lines: Vec<&str> = done.err.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    ProcessError::Failed { program, status: done.status, tail }
}

/// What to call a command in a message.
pub(crate) fn name(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "how long a build takes is by the clock on the wall")]
fn wall_clock() -> Instant {
    Instant::now()
}

/// How often to look whether a program has ended.
const TICK: Duration = Duration::from_millis(20);
/// A first build compiles whatever the workspace depends on.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
const TAIL_LINES: usize = 40;
