//! `quorate explain`.

use super::{ExplainArgs, Host, describe, error::CliError, exit, target, workload};
use crate::{catalog, fuzz::attempt};
use quorate_reports::{Run, What, counted, qapi, wrap};
use std::time::Duration;

pub(super) fn explain(args: &ExplainArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let (name, seed) = target::split(&args.scenario)?;
    let target::Target { scenario: concrete, token } = target::resolve(&args.scenario, None)?;
    // A seed asks for what it draws.
    let (scenario, title) = match seed {
        Some(_) => (concrete.clone(), token.clone()),
        None => {
            target::source(name).map(|source| (source.scenario.clone(), source.scenario.name))?
        }
    };
    let mut text = describe::strong(&title, host.colour);
    if !scenario.title.is_empty() {
        text += &format!(": {}", scenario.title);
    }
    text.push('\n');
    if scenario.hazard {
        text += "A hazard: it is about what is dangerous by design.\n";
    }
    for word in &scenario.covers {
        let meaning = catalog::meaning(word).map(|meaning| format!(": {meaning}"));
        text += &format!("Covers {word}{}.\n", meaning.unwrap_or_default());
    }
    text.push('\n');
    for paragraph in scenario.explain.split("\n\n").filter(|p| !p.trim().is_empty()) {
        text += &(wrap(paragraph, WIDTH).join("\n") + "\n\n");
    }
    text += &describe::options(&scenario);
    text += &match &scenario.random {
        Some(random) => workload::profile(random, scenario.expect.promises),
        None => workload::clients(&scenario),
    };
    for warning in describe::warnings(&scenario) {
        text += &format!("\n{}\n", wrap(&format!("Not safe: {warning}."), WIDTH).join("\n"));
    }
    let run = attempt::run_within(&concrete, &token, None, PATIENCE);
    let from = scenario.random.as_ref().map(|_| format!(" with seed {}", concrete.seed));
    let from = from.unwrap_or_default();
    text += &format!("\nIt ends{from}: {}", describe::verdict(run.verdict, host.colour));
    text += &ending(&run);
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(exit::HELD)
}

/// What the array reported, and what did not hold.
fn ending(run: &Run) -> String {
    let events: Vec<String> = run
        .trace
        .entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Event(event) => Some(qapi::text(event)),
            What::NotOpened(error) => Some(format!("the array does not open: {error}")),
            _ => None,
        })
        .collect();
    let mut text = match events.len() {
        0 => ", without an event.\n".into(),
        count => format!(", with {}:\n", counted(count as u64, "event", "events")),
    };
    for event in events.iter().take(EVENTS_MAX) {
        text += &format!("  {event}\n");
    }
    if events.len() > EVENTS_MAX {
        text += &format!("  … {} more\n", events.len() - EVENTS_MAX);
    }
    for violation in &run.violations {
        text += &format!("{}: {}\n", violation.check, violation.reason);
    }
    text
}

const WIDTH: usize = 96;
const EVENTS_MAX: usize = 12;
/// How long to wait for a run that does not come back.
const PATIENCE: Duration = Duration::from_secs(30);
