//! What run a name, a file or a seed means.

use super::{error::CliError, values};
use crate::{
    catalog, expand,
    fuzz::Source,
    load::{self, LoadError},
    model::Scenario,
};
use quorate_faults::inject::Plan;
use std::{io, path::Path};

/// A run that was asked for.
pub(super) struct Target {
    /// The concrete scenario.
    pub(super) scenario: Scenario,
    /// What names it.
    pub(super) token: String,
}

/// The run that a token means; `seed` is one given beside it.
pub(super) fn resolve(token: &str, seed: Option<u64>) -> Result<Target, CliError> {
    let (name, own) = split(token)?;
    if own.is_some() && seed.is_some() {
        return Err(CliError::TwoSeeds { token: token.into() });
    }
    let Source { name, scenario } = source(name)?;
    let given = own.or(seed);
    let seed = given.unwrap_or(scenario.seed);
    let token =
        if given.is_some() || scenario.random.is_some() { format!("{name}:{seed}") } else { name };
    let scenario = expand::expand(&scenario, seed);
    // A profile draws rules beside those of its file, whose names may be taken.
    match Plan::new(seed, scenario.rules.clone(), &scenario.groups, scenario.disks()) {
        Ok(_) => Ok(Target { scenario, token }),
        Err(source) => Err(CliError::Plan { token, source: source.into() }),
    }
}

/// The scenario of a name or of a file.
pub(super) fn source(name: &str) -> Result<Source, CliError> {
    let scenario = match catalog::scenario(name) {
        Some(scenario) => scenario,
        None if is_path(name) => load::file(Path::new(name)).map_err(unreadable)?,
        None => return Err(unknown(name)),
    };
    Ok(Source { name: name.into(), scenario })
}

/// Why a name names nothing.
fn unknown(name: &str) -> CliError {
    match values::seed(name) {
        Ok(seed) => CliError::OnlySeed { seed, profiles: profiles() },
        Err(_) => CliError::Unknown { name: name.into(), near: near(name) },
    }
}

fn unreadable(error: LoadError) -> CliError {
    match error {
        LoadError::Io { path, source } if source.kind() == io::ErrorKind::InvalidData => {
            CliError::NotText { path }
        }
        error => CliError::Load(error),
    }
}

/// Before and behind the last colon, if there is a seed to be.
pub(super) fn split(token: &str) -> Result<(&str, Option<u64>), CliError> {
    if catalog::text(token).is_some() || Path::new(token).is_file() {
        return Ok((token, None));
    }
    let Some((name, seed)) = token.rsplit_once(':') else { return Ok((token, None)) };
    let wrong = |_| CliError::Seed { seed: seed.into(), token: token.into() };
    values::seed(seed).map(|seed| (name, Some(seed))).map_err(wrong)
}

/// Whether it looks like a file rather than a name.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    path.exists() || path.components().count() > 1 || path.extension().is_some()
}

/// The names of the profiles.
fn profiles() -> String {
    let profiles = catalog::all().filter(|scenario| scenario.random.is_some());
    profiles.map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}

/// The names that somebody may have meant.
fn near(name: &str) -> String {
    let likeness = |other: &str| {
        let within = !name.is_empty() && (other.contains(name) || name.contains(other));
        if within { 1.0 } else { strsim::normalized_damerau_levenshtein(name, other) }
    };
    let mut names: Vec<(f64, &str)> =
        catalog::names().into_iter().map(|other| (likeness(other), other)).collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> = names
        .iter()
        .filter(|(likeness, _)| *likeness >= LIKE)
        .take(NEAR_MAX)
        .map(|(_, name)| format!("'{name}'"))
        .collect();
    match near.as_slice() {
        [] => format!(
            "`quorate list` names what there is; a file is named by its path; profiles, which take \
             a seed, are {}",
            profiles()
        ),
        near => format!("did you mean {}? `quorate list` names all", near.join(" or ")),
    }
}

const LIKE: f64 = 0.6;
const NEAR_MAX: usize = 3;
