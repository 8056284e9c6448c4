//! `quorate digest`, with which a fuzz asks another process, and the asking.

use super::{Host, describe, error::CliError, target};
use crate::fuzz::attempt;
use quorate_reports::{Digest, Verdict};
use std::{path::Path, process::Command, time::Duration};

pub(super) fn digest(token: &str, host: &mut Host<'_>) -> Result<u8, CliError> {
    let target::Target { scenario, token } = target::resolve(token, None)?;
    let run = attempt::run_within(&scenario, &token, None, PATIENCE);
    writeln!(host.out, "{}", answer(run.verdict, run.trace.digest)).map_err(CliError::Output)?;
    Ok(describe::exit_code(run.verdict))
}

/// What a process of its own says of a run that held; nothing if it says the same.
pub(super) fn differs(
    executable: &Path,
    token: &str,
    expected: Digest,
) -> std::io::Result<Option<String>> {
    let output = Command::new(executable).args(["digest", "--", token]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = answer(Verdict::Held, expected);
    Ok((said.trim() != expected)
        .then(|| format!("it is '{expected}' here, and '{}' in a process of its own", said.trim())))
}

fn answer(verdict: Verdict, digest: Digest) -> String {
    format!("{verdict} {digest}")
}

const PATIENCE: Duration = Duration::from_secs(30);
