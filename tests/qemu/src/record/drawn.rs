//! Cases in which many different things happen: drawn from the profiles of the catalog, and some of its other
//! scenarios.

use super::asked;
use quorate_scenarios::{
    catalog,
    diff::{NotCompared, Twin, corpus::still},
    expand::expand,
    model::Scenario,
};
use std::collections::BTreeSet;

/// How many cases a corpus has.
const CASES: usize = 500;
/// Out of so many of each profile.
const CANDIDATES: u64 = 80;
/// No longer than this, as text.
const BYTES_MAX: usize = 13_000;

struct Candidate {
    scenario: Scenario,
    /// Its length as text.
    bytes: usize,
    /// What happens in it.
    shapes: BTreeSet<String>,
}

/// The cases: one of each profile that can be compared after the other, and one that is none.
pub(super) fn scenarios(twin: &Twin) -> Result<Vec<Scenario>, String> {
    let (profiles, others): (Vec<_>, Vec<_>) =
        catalog::all().partition(|scenario| scenario.random.is_some());
    let draw = |profile: &Scenario, seed| Scenario {
        name: format!("{}:{seed}", profile.name),
        ..expand(profile, seed)
    };
    let drawn = profiles.iter().map(|profile| {
        let length = |seed| 4 + usize::try_from(seed % 5).expect("it is small");
        candidates(twin, (0..CANDIDATES).map(|seed| (draw(profile, seed), length(seed))))
    });
    let others = candidates(twin, others.into_iter().map(|scenario| (scenario, usize::MAX)));
    let mut sources = drawn.chain([others]).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    let mut scenarios = Vec::new();
    while scenarios.len() < CASES && sources.iter().any(|candidates| !candidates.is_empty()) {
        let chosen = sources.iter_mut().filter_map(|candidates| choose(candidates, &mut seen));
        scenarios.extend(chosen);
    }
    scenarios.truncate(CASES);
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}

/// Those of the scenarios that can be compared, cut to so many requests each.
fn candidates(
    twin: &Twin,
    scenarios: impl Iterator<Item = (Scenario, usize)>,
) -> Result<Vec<Candidate>, String> {
    let mut candidates = Vec::new();
    for (scenario, requests) in scenarios {
        let still = match still(&scenario, requests) {
            Ok(still) => still,
            Err(NotCompared::Unsuited(_)) => continue,
            Err(other) => return Err(format!("{}: {other:?}", scenario.name)),
        };
        let votes = format!("{} of {}", still.array.vote_threshold, still.disks());
        let Some(case) = asked(twin, &still)? else { continue };
        let bytes = serde_json::to_string(&case).map_err(|error| error.to_string())?.len();
        // One that does not open has nothing to tell.
        if bytes > BYTES_MAX || case.turns.len() < 2 {
            continue;
        }
        let shapes = case.turns.iter().map(|turn| format!("{votes} {}", shape(turn))).collect();
        candidates.push(Candidate { scenario: still, bytes, shapes });
    }
    Ok(candidates)
}

/// Takes the one with most for its length that was not seen before; of equally good ones the first.
fn choose(candidates: &mut Vec<Candidate>, seen: &mut BTreeSet<String>) -> Option<Scenario> {
    let worth = |at: &usize| {
        let Candidate { bytes, shapes, .. } = &candidates[*at];
        shapes.difference(seen).count() * BYTES_MAX / bytes
    };
    let best = (0..candidates.len()).rev().max_by_key(worth)?;
    let best = candidates.remove(best);
    seen.extend(best.shapes);
    Some(best.scenario)
}

/// A turn without where it happens, and with which bytes.
fn shape(turn: &str) -> String {
    let mut words: Vec<&str> = turn.split(' ').collect();
    let mut before = "";
    words.retain(|word| {
        let is_name = matches!(before, "of" | "bytes");
        before = word;
        !is_name && !word.starts_with(|c: char| c.is_ascii_digit() || c == '#')
    });
    words.join(" ")
}
