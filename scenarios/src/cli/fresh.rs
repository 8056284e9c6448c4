//! The same run in a process of its own.

use super::{COMMIT, error::CliError, exit, target};
use crate::fuzz::{Failed, attempt, repeat};
use quorate_reports::{
    Digest, Run, Verdict,
    recorded::{Recorded, RecordedError},
};
use std::{
    io::{self, BufReader, Seek},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// The run as a nondeterministic one, if it does not come out the same in a process of its own.
///
/// # Errors
/// There was no such process.
pub(super) fn repeated(executable: &Path, run: &Run) -> io::Result<Option<Run>> {
    compared(executable, run, ask(executable, &run.token)?)
}

/// A run of a fuzz that held, if it does not come out the same in a process of its own.
///
/// # Errors
/// There was no such process, or its scenario is not there any more.
pub(super) fn differs(
    executable: &Path,
    token: &str,
    digest: Digest,
    watchdog: Duration,
) -> Result<Option<Failed>, CliError> {
    let failed = |source| CliError::Process { token: token.into(), source };
    let answer = ask(executable, token).map_err(failed)?;
    let same = |run: &Recorded| run.ended(Verdict::Held.word(), &digest.to_string());
    if answer.as_ref().is_ok_and(same) {
        return Ok(None);
    }
    let target::Target { scenario, token } = target::resolve(token, None)?;
    let first = attempt::run_within(&scenario, &token, None, watchdog);
    let mut run = compared(executable, &first, answer).map_err(failed)?.unwrap_or_else(|| {
        let reason = format!(
            "repeated it has the digest {}, in this process and in one of its own: it does not \
             repeat, and that digest is all that is left of it",
            first.trace.digest
        );
        repeat::nondeterministic(&first, None, reason)
    });
    for violation in &mut run.violations {
        // Of the run in the fuzz there is only this to compare with.
        violation.reason = format!("in the fuzz its digest was {digest}; {}", violation.reason);
    }
    Ok(Some(Failed { token, scenario, run: Run { media: Vec::new(), ..run } }))
}

/// Whether a run comes back in a process of its own, which is ended if it does not in this time.
///
/// # Errors
/// There was no such process.
pub(super) fn comes_back(executable: &Path, token: &str, patience: Duration) -> io::Result<bool> {
    let mut process = silent(tracing(executable, token)).spawn()?;
    for _ in 0..patience.as_millis() {
        if process.try_wait()?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(1));
    }
    process.kill()?;
    process.wait().map(|_| false)
}

/// Whether a run breaks this law in a process of its own.
///
/// # Errors
/// There was no such process.
pub(super) fn breaks(executable: &Path, token: &str, law: &str) -> io::Result<bool> {
    let mut command = Command::new(executable);
    command.args(["replay", "--law", law, "--", token]);
    Ok(silent(command).status()?.code() == Some(exit::VIOLATED.into()))
}

/// What a process has answered.
type Answer = Result<Recorded, String>;

fn compared(executable: &Path, run: &Run, answer: Answer) -> io::Result<Option<Run>> {
    let place = "in a process of its own";
    match answer {
        Ok(mut second) => {
            let third = || ask(executable, &run.token).ok()?.ok();
            repeat::otherwise(run, place, &mut second, third)
        }
        Err(why) => {
            let reason = format!("{place} it gives no trace: {why}");
            Ok(Some(repeat::nondeterministic(run, None, reason)))
        }
    }
}

/// The command that runs what the token means and prints its trace.
fn tracing(executable: &Path, token: &str) -> Command {
    let mut command = Command::new(executable);
    command.args(["trace", "--format", "jsonl", "--", token]);
    command
}

/// A command of which nothing but its end is of interest.
fn silent(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Has a process of its own run what the token means.
fn ask(executable: &Path, token: &str) -> io::Result<Answer> {
    let mut file = tempfile::tempfile()?;
    let mut command = tracing(executable, token);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(Stdio::piped());
    let ended = command.spawn()?.wait_with_output()?;
    file.rewind()?;
    Ok(match Recorded::read(BufReader::new(file)) {
        Ok(recorded) if recorded.commit() != COMMIT => {
            let why = format!("its file is of commit {} by now", recorded.commit());
            return Err(io::Error::other(why));
        }
        Ok(recorded) => Ok(recorded),
        Err(RecordedError::Io(error)) => return Err(error),
        Err(error) => {
            let said = String::from_utf8_lossy(&ended.stderr);
            Err(format!("{error}; it ended with {} and said '{}'", ended.status, said.trim()))
        }
    })
}
