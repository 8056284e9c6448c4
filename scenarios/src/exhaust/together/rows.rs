//! What comes of meetings, put together.

use super::{Hazard, Meeting, Unit};
use serde::Serialize;
use std::{cmp::Reverse, collections::BTreeMap};

/// What came of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Which.
    #[serde(flatten)]
    pub meeting: Meeting,
    /// In how many ways they can go on beside each other.
    pub interleavings: u64,
    /// In how many of these it goes wrong, by how.
    pub hazards: BTreeMap<Hazard, u64>,
}

/// The shortest way to come to harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Example {
    /// How it goes wrong.
    pub hazard: Hazard,
    /// Which requests.
    #[serde(flatten)]
    pub meeting: Meeting,
    /// What happens, line by line.
    pub story: Vec<String>,
}

/// What came of a unit.
#[derive(Default)]
pub(in crate::exhaust) struct Harm {
    pub(in crate::exhaust) hazards: BTreeMap<Hazard, u64>,
    pub(in crate::exhaust) examples: Vec<Example>,
}

/// Adds what came of a unit to the rows, the last of which may be of the same meeting.
pub(in crate::exhaust) fn add(rows: &mut Vec<Row>, unit: &Unit, interleavings: u64, harm: &Harm) {
    if rows.last().is_none_or(|row| row.meeting != unit.meeting) {
        let meeting = unit.meeting.clone();
        rows.push(Row { meeting, interleavings: 0, hazards: BTreeMap::new() });
    }
    let row = rows.last_mut().expect("it is there by now");
    row.interleavings += interleavings;
    for (hazard, count) in &harm.hazards {
        *row.hazards.entry(*hazard).or_default() += count;
    }
}

/// Keeps the shortest example of each hazard, without repairs and with them, the worst first; rather one
/// in which a majority must agree.
pub(in crate::exhaust) fn keep_shorter(examples: &mut Examples, example: Example) {
    let key = (Reverse(example.hazard), example.meeting.rewrite_corrupted);
    let rank = |example: &Example| (!example.meeting.is_majority(), example.story.len());
    match examples.get(&key) {
        Some(kept) if rank(kept) <= rank(&example) => {}
        _ => drop(examples.insert(key, example)),
    }
}

/// One for each hazard, without repairs and with them.
pub(in crate::exhaust) type Examples = BTreeMap<(Reverse<Hazard>, bool), Example>;
