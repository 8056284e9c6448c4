//! From a run to a scenario that draws nothing: the same run, whatever its seed.
//!
//! Whatever was drawn in the run is written down as it came out: how long each operation of a disk
//! took, which operations each rule struck, and what it did to them. Steps, array and expectations
//! stay as they are; the schedule goes, as the times say in which order operations complete.

mod fixed;
mod operations;

use crate::{
    model::{Disk, Number, Scenario, Schedule},
    runner::{self, Engine, Recording},
};
use operations::{Operations, Struck};
use quorate_faults::{
    check::PlanError,
    fault::{Delaying, Fault},
    rule::{Children, OpKind, Place, Rule, When},
};
use std::{collections::BTreeSet, time::Duration};

/// The scenario of the run that this scenario has on our own engine, or on another one, with nothing
/// left to be drawn.
///
/// # Errors
/// A rule of the scenario can never fire, or names what is not there.
pub fn scripted(scenario: &Scenario, engine: Option<&dyn Engine>) -> Result<Scenario, PlanError> {
    let recording = runner::record(scenario, engine)?;
    Ok(script(scenario, &recording))
}

fn script(scenario: &Scenario, recording: &Recording) -> Scenario {
    let operations = Operations::of(scenario, recording);
    let mut names = BTreeSet::new();
    let struck = scenario.rules.iter().flat_map(|rule| script_rule(rule, &operations, &mut names));
    let mut rules: Vec<Rule> = struck.collect();
    let seen = seen(scenario, &operations, &rules, &mut names);
    let mut expect = scenario.expect.clone();
    // A disk that is frozen sees no rule.
    expect.idle_rules |= !seen.is_empty();
    rules.extend(seen);
    let mut child = scenario.child.clone();
    for (number, latencies) in operations.latencies() {
        let disk: &mut Disk = child.entry(Number(number)).or_default();
        disk.latencies = Some(latencies);
    }
    // What a budget let through is written down; what it did not is gone.
    Scenario {
        budget: None,
        groups: Vec::new(),
        rules,
        child,
        schedule: Schedule::default(),
        expect,
        random: None,
        ..scenario.clone()
    }
}

/// What a rule did: rules for each disk and each different effect.
fn script_rule(
    rule: &Rule,
    operations: &Operations<'_>,
    names: &mut BTreeSet<String>,
) -> Vec<Rule> {
    let mut effects: Vec<(u32, Fault, Moments)> = Vec::new();
    for Struck { child, alarm, op, firing } in operations.struck_by(&rule.name) {
        let landed = |write| operations.landed(child, write);
        for mut fault in fixed::faults(&rule.r#do, op, firing, landed) {
            if let (Fault::Crash(crash), None) = (&mut fault, op) {
                crash.down = crash.down.saturating_sub(Duration::from_micros(alarm.late));
            }
            let is_like = |(other, known, moments): &(u32, Fault, Moments)| {
                *other == child && *known == fault && moments.at.is_none() && op.is_some()
            };
            let known = effects.iter().position(is_like).unwrap_or(effects.len());
            if known == effects.len() {
                let at = op.is_none().then(|| Duration::from_micros(alarm.at));
                let moments = Moments { at, ordinals: Vec::new() };
                effects.push((child, fault, moments));
            }
            effects[known].2.ordinals.extend(op.map(|op| op.ordinal));
        }
    }
    let is_one = effects.len() == 1;
    let scripted = effects.into_iter().map(|(child, fault, moments)| {
        let name = if is_one { rule.name.clone() } else { format!("{} c{child}", rule.name) };
        let mut scripted = Rule {
            name: own(name, names),
            on: rule.on.clone(),
            child: Children::Index(child),
            r#where: rule.r#where.clone(),
            when: When { at: moments.at, ..When::default() },
            r#do: fault,
        };
        scripted.when.nth = operations.numbers(&scripted, child, &moments.ordinals);
        scripted
    });
    scripted.collect()
}

/// When an effect came: as these operations were asked for, or by itself at this time.
struct Moments {
    at: Option<Duration>,
    ordinals: Vec<u64>,
}

/// Disks are opened and closed by operations only where a rule names that: rules that keep it so where
/// those that did are gone, and do nothing.
fn seen(
    scenario: &Scenario,
    operations: &Operations<'_>,
    rules: &[Rule],
    names: &mut BTreeSet<String>,
) -> Vec<Rule> {
    let mut seen = Vec::new();
    let named = |kind: &OpKind| scenario.rules.iter().any(|rule| rule.on.contains(kind));
    for kind in [OpKind::Open, OpKind::Close].into_iter().filter(named) {
        for child in operations.disks_asked(kind) {
            let child = Children::Index(child);
            if !rules.iter().any(|rule| rule.child == child && rule.on.contains(&kind)) {
                seen.push(Rule {
                    name: own(format!("{} is seen", kind.word()), names),
                    on: vec![kind],
                    child,
                    r#where: Place::default(),
                    when: When { nth: vec![1], ..When::default() },
                    r#do: Fault::Delay(Delaying::Fixed(Duration::ZERO)),
                });
            }
        }
    }
    seen
}

/// The name, or the first like it that no other rule has.
fn own(name: String, names: &mut BTreeSet<String>) -> String {
    let mut numbered = (2..).map(|number| format!("{name} {number}"));
    let mut own = name.clone();
    while !names.insert(own.clone()) {
        own = numbered.next().expect("numbers do not end");
    }
    own
}
