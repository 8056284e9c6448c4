//! What holds of the text of a scenario.

use crate::run::{self, Held};
use quorate_scenarios::{
    expand::expand,
    load::{self, LoadError},
    model::{Action, Children, Expected, Scenario},
};

/// Loads the text, if it is a scenario, and asserts that it comes out the same when it is written; else
/// that the error says what is wrong and where.
///
/// # Panics
/// If it is not so.
#[must_use]
pub fn load(text: &str) -> Option<Scenario> {
    match load::parse(text, "text") {
        Ok(scenario) => {
            survives(&scenario);
            Some(scenario)
        }
        Err(error) => {
            explained(text, &error);
            None
        }
    }
}

/// Asserts that a scenario is the same when it is written and read again.
///
/// # Panics
/// If it is not.
pub fn survives(scenario: &Scenario) {
    let written = load::write(scenario);
    let again =
        load::parse(&written, "written").unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again, *scenario, "what is written loads as another scenario:\n{written}");
}

/// Asserts that an error has words and a place inside of the text.
///
/// # Panics
/// If it has not.
pub fn explained(text: &str, error: &LoadError) {
    let LoadError::Content { message, at, .. } = error else {
        panic!("text is no file, and cannot be missing: {error}");
    };
    assert!(message.len() > 8, "too short an answer: {message}");
    let Some(at) = at else {
        // Only what is not there has no place.
        assert!(message.contains("missing"), "nobody knows where that is: {message}\n{text}");
        return;
    };
    let (start, end) = (at.offset(), at.offset() + at.len());
    assert!(text.get(start..end).is_some(), "{start}..{end} is no part of the text: {message}");
}

/// Runs what the text says, as far as it is small, and asserts that the array kept to its rules; what the
/// file expects is its own affair.
///
/// # Panics
/// If the array did not.
pub fn runs(scenario: &Scenario) {
    if scenario.random.as_ref().is_some_and(|random| random.requests > ACTIONS_MAX) {
        return;
    }
    let mut scenario = expand(scenario, scenario.seed);
    if scenario.expect.open.is_some() || !is_small(&scenario) {
        return;
    }
    scenario.limits.steps = scenario.limits.steps.min(20_000);
    scenario.expect = run::nothing_expected();
    let clients = scenario.clients.iter_mut().map(|client| &mut client.steps);
    for action in std::iter::once(&mut scenario.steps).chain(clients).flatten() {
        if let Action::Request { expected, .. } = action {
            *expected = Expected::default();
        }
    }
    // A wait for what the text itself holds back is right, too.
    let _: Held = run::held(&scenario);
}

/// Whether a run is over in no time.
fn is_small(scenario: &Scenario) -> bool {
    let bytes = |action: &Action| match action {
        Action::Corrupt { bytes, .. } => *bytes,
        _ => 0,
    };
    let members = match &scenario.array.children {
        Children::Count(count) => *count as usize,
        Children::Named(names) => names.len(),
    };
    let fragment = |number| scenario.disk(number).limits.max_transfer.unwrap_or(u32::MAX);
    let filled =
        |number| if scenario.disk(number).fill == 0 { 0 } else { scenario.disk(number).bytes };
    let actions = || scenario.scripts().flatten();
    scenario.disks() <= 16
        && members <= 16
        && actions().count() <= ACTIONS_MAX as usize
        && actions().map(bytes).fold(0, u64::saturating_add) <= BYTES_MAX
        && scenario.request_bytes_max() <= BYTES_MAX
        && (0..scenario.disks()).all(|number| fragment(number) >= 512)
        && (0..scenario.disks()).map(filled).fold(0, u64::saturating_add) <= BYTES_MAX
}

/// How many steps a small run has at most.
const ACTIONS_MAX: u32 = 50;
/// What a small run reads, writes or fills at most.
const BYTES_MAX: u64 = 1 << 20;
