//! Changes of a scenario after which requests must come out as they did: other bytes, one more child, and
//! another order of answers.

use super::{Runs, in_turn, is_majority, outcomes};
use crate::{
    model::{Action, Children, Disk, Number, Order, Payload, Request, Scenario, Schedule},
    runner::Finished,
};
use quorate_faults::{
    fault::Fault,
    rule::{self, Rule},
};
use quorate_reports::{Outcome, What};

/// It matters who answers the same, and not what: every byte that the scenario gives is another one.
pub(super) fn masking(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let mut plain = in_turn(scenario);
    // Stuck bits are stuck at a value, and a budget knows which children begin with another one.
    plain.rules.retain(|rule| !matches!(rule.r#do, Fault::Stuck { .. }));
    let bytes: u64 = (0..plain.disks()).map(|number| plain.disk(number).bytes).sum();
    if plain.budget.is_some() || bytes > FILLED_BYTES_MAX {
        return None;
    }
    for (number, fill) in (1..=u8::MAX).cycle().zip(fills(&mut plain)) {
        *fill = number;
    }
    let mut masked = plain.clone();
    fills(&mut masked).for_each(|fill| *fill ^= MASK);
    masked.disk.fill = Some(masked.disk.fill.unwrap_or(0));
    let disks = masked.child.values_mut().chain([&mut masked.disk]);
    disks.filter_map(|disk| disk.fill.as_mut()).for_each(|fill| *fill ^= MASK);
    for rule in &mut masked.rules {
        if let Fault::Zero { fill, .. } = &mut rule.r#do {
            *fill ^= MASK;
        }
    }
    let (plain, masked) = (run.of(&plain)?, run.of(&masked)?);
    if !events(&plain).eq(events(&masked)) {
        return Some("With other bytes other events are told.".into());
    }
    let same = outcomes(&plain).zip(outcomes(&masked)).all(|pair| match pair {
        (Outcome::Data(Ok(one)), Outcome::Data(Ok(other))) => {
            one.iter().map(|byte| byte ^ MASK).eq(other.iter().copied())
        }
        (one, other) => one == other,
    });
    (!same).then(|| "With other bytes a request comes out otherwise.".into())
}

/// What each write writes, the same byte all over.
fn fills(scenario: &mut Scenario) -> impl Iterator<Item = &mut u8> {
    scenario.steps.iter_mut().filter_map(|step| match step {
        Action::Request { request: Request::Write { payload, .. }, .. } => {
            if *payload == Payload::Stamp {
                *payload = Payload::Fill(0);
            }
            match payload {
                Payload::Fill(fill) => Some(fill),
                Payload::Stamp => None,
            }
        }
        _ => None,
    })
}

/// What enough children agree on, one more sound child does not change: it can only agree, or be alone.
pub(super) fn one_more(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let plain = in_turn(scenario);
    let (names, disks) = (plain.child_names(), plain.disks());
    let is_clear = 2 * plain.array.vote_threshold > names.len() + 1;
    if plain.budget.is_some() || !is_majority(&plain) || !is_clear {
        return None;
    }
    let mut more = plain.clone();
    // As the first disk, so that requests are cut and padded as they were.
    let first = plain.child.get(&Number(0)).cloned();
    more.child.insert(Number(disks), Disk { fill: None, ..first.unwrap_or_default() });
    more.array.children = Children::Named([names, vec![format!("c{disks}")]].concat());
    more.array.disks = Some(disks + 1);
    more.rules.iter_mut().for_each(|rule| spare(rule, disks));
    let (plain, more) = (run.of(&plain)?, run.of(&more)?);
    let kept = outcomes(&plain).zip(outcomes(&more)).all(|(plain, more)| {
        // Who lacked an answer may have it now.
        plain.error().is_some() || plain == more
    });
    (!kept).then(|| "With one more sound child a request comes out otherwise.".into())
}

/// A rule for all disks is one for those that there were.
fn spare(rule: &mut Rule, disks: u32) {
    if matches!(rule.child, rule::Children::Any | rule::Children::Atlas) {
        rule.child = rule::Children::List((0..disks).collect());
    }
}

/// In which order children answer decides neither what comes of a request nor what they hold, as long as
/// nobody asks before everybody has answered.
pub(super) fn order(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let mut plain = in_turn(scenario);
    // A budget spares those who come later.
    if plain.budget.is_some() {
        return None;
    }
    plain.schedule = Schedule::default();
    let order = Order::Uniform;
    let other = Scenario { schedule: Schedule { order, pauses: Vec::new() }, ..plain.clone() };
    let (plain, other) = (run.of(&plain)?, run.of(&other)?);
    if !outcomes(&plain).eq(outcomes(&other)) {
        return Some("In another order of answers a request comes out otherwise.".into());
    }
    let mut media = plain.media.iter().zip(&other.media);
    let differ = media.position(|(plain, other)| !plain.pages().eq(other.pages()));
    differ.map(|disk| format!("In another order of answers c{disk} holds something else."))
}

fn events(finished: &Finished) -> impl Iterator<Item = &quorate_engine::Event> {
    finished.trace.entries.iter().filter_map(|entry| match &entry.what {
        What::Event(event) => Some(event),
        _ => None,
    })
}

/// What is changed in each byte.
const MASK: u8 = 0x5a;
/// Disks that hold something take memory.
const FILLED_BYTES_MAX: u64 = 64 << 20;
