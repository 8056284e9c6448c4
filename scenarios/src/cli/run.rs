//! `quorate run`.

use super::{
    COMMIT, Format, Host, RunArgs,
    args::Env,
    describe,
    error::CliError,
    failure,
    place::{self, Place},
    target,
};
use crate::{fuzz::attempt, model::Scenario};
use quorate_reports::{Run, Verdict};
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    token: &'a str,
    commit: &'a str,
    verdict: Verdict,
    digest: String,
    child_ios: u64,
    warnings: &'a [String],
    violations: Vec<Violated<'a>>,
    waits: &'a [String],
    drawn: &'a str,
}

#[derive(Serialize)]
struct Violated<'a> {
    check: &'a str,
    request: Option<String>,
    entry: Option<usize>,
    reason: &'a str,
}

pub(super) fn run(args: &RunArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let target::Target { scenario, token } = target::resolve(&args.scenario, args.seed)?;
    let environment = match place::only(args.env, &args.place, host)? {
        Place::Here(environment) => environment,
        Place::Elsewhere(code) => return Ok(code),
    };
    let warnings = warn(&scenario, host)?;
    let run = attempt::run_on_within(environment, &scenario, &token, None, args.watchdog)?;
    let text = match args.format {
        Format::Json => describe::json(&report(&run, &scenario, &warnings)),
        Format::Text => {
            let mut text = String::new();
            if run.verdict == Verdict::Held {
                text += &describe::drawn(&scenario);
            } else {
                text += &match args.env {
                    Env::Sim => failure::card(&run, &scenario, &host.program, &token, host.colour),
                    env => {
                        let again = format!("{} run {token} --env {}", host.program, env.word());
                        failure::card_elsewhere(&run, &scenario, &again, host.colour)
                    }
                };
                text.push('\n');
            }
            text + &describe::verdict_line(&run, host.colour)
        }
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(describe::exit_code(run.verdict))
}

/// Says why the array cannot be safe, if it cannot.
pub(super) fn warn(scenario: &Scenario, host: &mut Host<'_>) -> Result<Vec<String>, CliError> {
    let warnings = describe::warnings(scenario);
    for warning in &warnings {
        let word = describe::warning(host.err_colour);
        writeln!(host.err, "{word}: {warning}").map_err(CliError::Output)?;
    }
    Ok(warnings)
}

fn report<'a>(run: &'a Run, scenario: &'a Scenario, warnings: &'a [String]) -> Report<'a> {
    let violated = run.violations.iter().map(|v| Violated {
        check: v.check,
        request: v.request.map(|request| request.to_string()),
        entry: v.entry,
        reason: &v.reason,
    });
    Report {
        name: &run.name,
        token: &run.token,
        commit: COMMIT,
        verdict: run.verdict,
        digest: run.trace.digest.to_string(),
        child_ios: run.child_ios,
        warnings,
        violations: violated.collect(),
        waits: &run.waits,
        drawn: &scenario.drawn,
    }
}
