//! `quorate replay`.

use super::{
    COMMIT, Host, ReplayArgs, describe,
    error::CliError,
    exit,
    failure::{self, Size},
    fresh, run, target,
};
use crate::{
    fuzz::{attempt, repeat},
    metamorphic,
    model::Scenario,
};
use quorate_reports::{
    Run, Verdict,
    recorded::{Recorded, RecordedError},
    timeline,
};
use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

pub(super) fn replay(args: &ReplayArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let target::Target { scenario, token } = target::resolve(&args.run, None)?;
    let mut other =
        args.against.as_deref().map(|path| read(path, &scenario, &token)).transpose()?;
    run::warn(&scenario, host)?;
    let mut run = attempt::run_within(&scenario, &token, None, args.watchdog);
    if let Some(law) = args.law.as_deref().and_then(metamorphic::place) {
        run = attempt::against(law, &scenario, run, None);
    }
    let unexpected = args.check_digest.filter(|digest| *digest != run.trace.digest);
    let mut same = Vec::new();
    if args.verify || unexpected.is_some() {
        let executable = host.executable.as_deref();
        match verified(args, &scenario, &run, executable)? {
            Some(otherwise) => run = otherwise,
            None => {
                let process = executable.map_or("", |_| " and in a process of its own");
                same.push(format!("in another thread{process}"));
            }
        }
    }
    if let (Some(path), Some(other)) = (&args.against, &mut other) {
        let place = format!("in '{}'", path.display());
        let otherwise = compared(&run, &place, other).map_err(|error| CliError::Trace {
            path: path.clone(),
            token: token.clone(),
            source: error.into(),
        })?;
        match otherwise {
            Some(otherwise) => run = otherwise,
            None => same.push(place),
        }
    }
    let mut text = String::new();
    if run.verdict != Verdict::Held {
        text += &timeline::render(&run, host.colour);
        text.push('\n');
        text += &failure::card_below_timeline(Size::Full, &run, &scenario, host, &token);
        text.push('\n');
    } else {
        text += &describe::drawn(&scenario);
    }
    text += &describe::verdict_line(&run, host.colour);
    for place in same {
        text += &format!("the same {place}, event by event\n");
    }
    let mut code = describe::exit_code(run.verdict);
    if let Some(digest) = unexpected {
        text += &format!(
            "the digest should be {digest}: the run is another one. Seeds are promised for one \
             commit only, files for all. Where that digest is from, --format jsonl of `quorate \
             trace` writes what --against compares\n"
        );
        code = exit::VIOLATED;
    }
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(code)
}

/// The run as a nondeterministic one, if it does not come out the same elsewhere.
fn verified(
    args: &ReplayArgs,
    scenario: &Scenario,
    run: &Run,
    executable: Option<&Path>,
) -> Result<Option<Run>, CliError> {
    let again =
        || repeat::recorded(&attempt::run_within(scenario, &run.token, None, args.watchdog));
    let otherwise = repeat::otherwise(run, "in another thread", &mut again(), || Some(again()));
    match (otherwise.expect("what is in memory can be read"), executable) {
        (None, Some(executable)) => fresh::repeated(executable, run)
            .map_err(|source| CliError::Process { token: run.token.clone(), source }),
        (otherwise, _) => Ok(otherwise),
    }
}

/// The run as one that does not hold, if it is not what was recorded.
fn compared(run: &Run, place: &str, recorded: &mut Recorded) -> io::Result<Option<Run>> {
    let mut otherwise = repeat::otherwise(run, place, recorded, || None)?;
    if let Some(run) = otherwise.as_mut().filter(|_| recorded.commit() != COMMIT) {
        run.verdict = Verdict::Violated;
        for violation in &mut run.violations {
            violation.check = "against";
            violation.reason = format!(
                "that trace is of commit {}, and this program of {COMMIT}: {}",
                recorded.commit(),
                violation.reason
            );
        }
    }
    Ok(otherwise)
}

/// A trace to compare a run of this scenario with.
fn read(path: &Path, scenario: &Scenario, token: &str) -> Result<Recorded, CliError> {
    let file = File::open(path).map_err(RecordedError::Io);
    let trace = file.and_then(|file| Recorded::read(BufReader::new(file)));
    let trace = trace.map_err(|source| CliError::Trace {
        path: path.into(),
        token: token.into(),
        source,
    })?;
    // Where a file lies may differ between machines, what it is called does not.
    let seed = |token: &str| token.rsplit_once(':').and_then(|(_, seed)| seed.parse::<u64>().ok());
    if trace.scenario() != scenario.name || seed(trace.token()) != seed(token) {
        return Err(CliError::OtherTrace {
            path: path.into(),
            found: trace.token().into(),
            wanted: token.into(),
        });
    }
    Ok(trace)
}
