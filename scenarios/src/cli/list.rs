//! `quorate list`.

use super::{Host, ListArgs, ListFormat, describe, error::CliError, exit};
use crate::{catalog, model::Scenario};
use serde::Serialize;

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    group: &'static str,
    title: &'a str,
    covers: &'a [String],
}

pub(super) fn list(args: &ListArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let scenarios: Vec<Scenario> = catalog::all().collect();
    let text = match args.format {
        ListFormat::Text => text(&scenarios, host),
        ListFormat::Json => json(&scenarios),
        ListFormat::Names => scenarios.iter().map(|s| s.name.clone() + "\n").collect(),
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(exit::HELD)
}

fn group(scenario: &Scenario) -> &'static str {
    match (scenario.random.is_some(), scenario.hazard) {
        (true, _) => RANDOM,
        (false, true) => HAZARDS,
        (false, false) => SCENARIOS,
    }
}

fn text(scenarios: &[Scenario], host: &Host<'_>) -> String {
    let width = scenarios.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, about) in GROUPS {
        let members: Vec<_> = scenarios.iter().filter(|s| group(s) == name).collect();
        if members.is_empty() {
            continue;
        }
        let title = describe::strong(name, host.colour);
        text += &format!("{title}, {about}\n");
        for Scenario { name, title, .. } in members {
            text += &format!("  {name:<width$}  {title}\n");
        }
        text.push('\n');
    }
    text + "quorate explain NAME says what one is about.\n"
}

fn json(scenarios: &[Scenario]) -> String {
    let listed: Vec<Listed<'_>> = scenarios
        .iter()
        .map(|s| Listed { name: &s.name, group: group(s), title: &s.title, covers: &s.covers })
        .collect();
    describe::json(&listed)
}

const SCENARIOS: &str = "scenarios";
const HAZARDS: &str = "hazards";
const RANDOM: &str = "random profiles";
const GROUPS: [(&str, &str); 3] = [
    (SCENARIOS, "which hold by the rules of the array"),
    (HAZARDS, "which pin what is dangerous by design"),
    (RANDOM, "from which a seed draws a scenario"),
];
