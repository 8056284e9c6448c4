//! `quorate conform`.

use super::{
    ConformArgs, Format, Host, describe,
    error::CliError,
    exit,
    place::{self, Place},
    target::{self, Target},
};
use crate::{
    catalog,
    conform::{Likeness, compare, known},
    env::Environment,
    fuzz::attempt,
    runner::Scratch,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How one scenario compares.
#[derive(Serialize)]
struct Row {
    name: String,
    verdict: &'static str,
    digest: String,
    /// By environment: whether it is the same, and what is to be said of it.
    compared: BTreeMap<&'static str, Compared>,
}

#[derive(Serialize)]
struct Compared {
    likeness: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

pub(super) fn conform(args: &ConformArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    place::check(&args.env, &args.place)?;
    let names = match args.scenario.is_empty() {
        false => args.scenario.clone(),
        true => catalog::names().into_iter().map(String::from).collect(),
    };
    let targets = names.iter().map(|name| target::resolve(name, None));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    let mut environments = Vec::new();
    for env in &BTreeSet::from_iter(&args.env) {
        match place::of(**env, &args.place, host)? {
            Place::Here(environment) => environments.push((env.word(), environment)),
            Place::Elsewhere(code) => return Ok(code),
        }
    }
    let mut rows = Vec::new();
    for target in &targets {
        let row = row(target, &environments)?;
        if args.format == Format::Text {
            let text = line(&row);
            host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
            host.out.flush().map_err(CliError::Output)?;
        }
        rows.push(row);
    }
    let text = match args.format {
        Format::Json => describe::json(&rows),
        Format::Text => sums(&rows, &environments),
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    let differs = |row: &Row| row.compared.values().any(|compared| compared.likeness == OTHER);
    Ok(if rows.iter().any(differs) { exit::VIOLATED } else { exit::HELD })
}

fn row(
    target: &Target,
    environments: &[(&'static str, Arc<dyn Environment>)],
) -> Result<Row, CliError> {
    let Target { scenario, token } = target;
    let simulated = attempt::run(scenario, token, None, &mut Scratch::default(), None);
    let mut compared = BTreeMap::new();
    for (word, environment) in environments {
        let (likeness, note) = match compare(scenario, &simulated, &**environment)? {
            Likeness::Same => (SAME, String::new()),
            Likeness::Alike => (ALIKE, String::new()),
            Likeness::Other(what, why) => match known::reason(word, &scenario.name, what) {
                Some(reason) => (KNOWN, reason.into()),
                None => (OTHER, why),
            },
            Likeness::Contrary(why) => (OTHER, why),
            Likeness::Unsuited(why) => (UNSUITED, why),
        };
        compared.insert(*word, Compared { likeness, note });
    }
    let (verdict, digest) = (simulated.verdict.word(), simulated.trace.digest.to_string());
    Ok(Row { name: token.clone(), verdict, digest, compared })
}

fn line(row: &Row) -> String {
    let of = |(word, compared): (&&str, &Compared)| {
        let note = match compared.note.as_str() {
            "" => String::new(),
            note => format!(" ({note})"),
        };
        format!("  {word} {}{note}", compared.likeness)
    };
    let compared: String = row.compared.iter().map(of).collect();
    format!("{:<58}{:<9}{compared}\n", row.name, row.verdict)
}

fn sums(rows: &[Row], environments: &[(&'static str, Arc<dyn Environment>)]) -> String {
    let mut text = format!("\n{} scenarios\n", rows.len());
    for (word, _) in environments {
        let count =
            |likeness| rows.iter().filter(|row| row.compared[word].likeness == likeness).count();
        let counts =
            [SAME, ALIKE, KNOWN, OTHER, UNSUITED].map(|likeness| (likeness, count(likeness)));
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts.map(|(likeness, n)| format!("{n} {likeness}")).collect();
        text += &format!("  {word:<8} {}\n", counts.join(", "));
    }
    text
}

const SAME: &str = "same";
const ALIKE: &str = "alike";
const KNOWN: &str = "differs as known";
const OTHER: &str = "DIFFERS";
const UNSUITED: &str = "left out";
