//! `quorate export`.

use super::{COMMIT, ExportArgs, Host, error::CliError, exit, output::Pending, target};
use crate::{export, fuzz::attempt, load, model::Scenario};
use quorate_reports::{Run, Verdict};
use std::time::Duration;

pub(super) fn export(args: &ExportArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let file = args.output.as_deref().map(Pending::new).transpose()?;
    let target::Target { scenario, token } = target::resolve(&args.run, args.seed)?;
    let text = if args.scripted { scripted(&scenario, &token)? } else { load::write(&scenario) };
    match file {
        Some(file) => file.write(text.as_bytes())?,
        None => host.out.write_all(text.as_bytes()).map_err(CliError::Output)?,
    }
    Ok(exit::HELD)
}

/// The script of a run under a header that says what it is, once it has shown to be the same run.
fn scripted(scenario: &Scenario, token: &str) -> Result<String, CliError> {
    let run = |scenario: &Scenario| attempt::run_within(scenario, token, None, PATIENCE);
    let first = run(scenario);
    if first.verdict == Verdict::Timeout {
        return Err(CliError::Endless { token: token.into(), patience: PATIENCE });
    }
    let script = export::scripted(scenario, None)
        .map_err(|source| CliError::Plan { token: token.into(), source })?;
    // Were anything drawn, it would be drawn otherwise.
    let again = run(&Scenario { seed: !script.seed, ..script.clone() });
    let same = |a: &Run, b: &Run| a.trace.digest == b.trace.digest && a.verdict == b.verdict;
    if !same(&first, &again) {
        return Err(CliError::Script { token: token.into() });
    }
    let ends = match first.verdict {
        Verdict::Panicked => "It panics.".into(),
        verdict => format!("It ends {verdict}, with the digest {}.", first.trace.digest),
    };
    let token = token.replace(char::is_control, " ");
    let header = format!(
        "# The run {token} at commit {COMMIT}, with nothing left to be drawn: it is the same run\n\
         # whatever the seed. {ends}\n\n"
    );
    Ok(header + &load::write(&script))
}

/// How long to wait for a run that does not come back.
const PATIENCE: Duration = Duration::from_secs(30);
