//! `quorate trace`.

use super::{
    COMMIT, Host, TraceArgs, TraceFormat, describe,
    error::CliError,
    output::Pending,
    place::{self, Place},
    target,
};
use crate::fuzz::attempt;
use quorate_reports::{Colour, json, timeline};
use std::time::Duration;

pub(super) fn trace(args: &TraceArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let environment = match place::only(args.env, &args.place, host)? {
        Place::Here(environment) => environment,
        Place::Elsewhere(code) => return Ok(code),
    };
    let file = args.output.as_deref().map(Pending::new).transpose()?;
    let target::Target { scenario, token } = target::resolve(&args.run, None)?;
    let run = attempt::run_on_within(environment, &scenario, &token, None, PATIENCE)?;
    let colour = if file.is_some() { Colour::Off } else { host.colour };
    let content = match args.format {
        TraceFormat::Timeline => timeline::render(&run, colour).into_bytes(),
        TraceFormat::Jsonl => {
            let mut lines = Vec::new();
            json::write(&run, COMMIT, &mut lines).expect("a vector takes everything");
            lines
        }
    };
    match file {
        Some(file) => file.write(&content)?,
        None => host.out.write_all(&content).map_err(CliError::Output)?,
    }
    Ok(describe::exit_code(run.verdict))
}

/// How long to wait for a run that does not come back.
const PATIENCE: Duration = Duration::from_secs(30);
