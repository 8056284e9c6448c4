//! From a run to a scenario that draws nothing: the same run, whatever its seed.
//!
//! Whatever was drawn in the run is written down as it came out: how long each operation of a disk
//! took, which operations each rule struck, and what it did to them. Steps, array and expectations
//! stay as they are; the schedule goes, as the times say in which order operations complete.

mod fixed;
mod operations;

use crate::{
    model::{Disk, Number, Scenario, Schedule},
    runner::{self, Engine, Recording, RunError},
};
use operations::Operations;
use quorate_faults::{
    fault::{Delaying, Fault},
    rule::{Children, OpKind, Place, Rule, When},
};
use quorate_reports::What;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The scenario of the run that this scenario has on our own engine, or on another one, with nothing
/// left to be drawn.
///
/// # Errors
/// A rule of the scenario can never fire, or names what is not there.
pub fn scripted(scenario: &Scenario, engine: Option<&dyn Engine>) -> Result<Scenario, RunError> {
    let recording = runner::record(scenario, engine)?;
    let mut script = script(scenario, &recording);
    let again = runner::record(&script, engine)?;
    number(&mut script, &again);
    Ok(script)
}

/// The script, whose rules name the operations that they strike.
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

/// Has the rules count their matches rather than name operations: which those are shows when the script
/// is run.
fn number(script: &mut Scenario, recording: &Recording) {
    let mut matches: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in &recording.entries {
        if let What::Injected { firing, .. } = &entry.what {
            matches.entry(&firing.rule).or_default().push(firing.matched);
        }
    }
    for rule in script.rules.iter_mut().filter(|rule| !rule.when.operations.is_empty()) {
        rule.when.operations.clear();
        rule.when.nth = matches.remove(rule.name.as_str()).unwrap_or_default();
    }
    // What has struck in the run strikes in its script, unless the run is another one each time.
    script.rules.retain(|rule| rule.on.is_empty() || !rule.when.nth.is_empty());
}

/// What a rule did: one rule for each disk and each different effect.
fn script_rule(
    rule: &Rule,
    operations: &Operations<'_>,
    names: &mut BTreeSet<String>,
) -> Vec<Rule> {
    let mut scripted: Vec<Rule> = Vec::new();
    for struck in operations.struck_by(&rule.name) {
        for fault in fixed::faults(&rule.r#do, &struck) {
            let when = match struck.op {
                Some(op) => When { operations: vec![op.ordinal], ..When::default() },
                None => When { at: Some(Duration::from_micros(struck.at)), ..When::default() },
            };
            let child = Children::Index(struck.child);
            let same = scripted
                .iter_mut()
                .find(|other| other.child == child && other.r#do == fault && struck.op.is_some());
            match same {
                Some(other) => other.when.operations.extend(when.operations),
                None => {
                    let mut new = Rule { child, when, r#do: fault, ..rule.clone() };
                    // Neighbours of what was struck may lie outside.
                    if matches!(new.r#do, Fault::Unreadable { .. }) {
                        new.r#where.sectors = None;
                    }
                    scripted.push(new);
                }
            }
        }
    }
    let is_one = scripted.len() == 1;
    for rule in &mut scripted {
        if let (Children::Index(child), false) = (&rule.child, is_one) {
            rule.name = format!("{} c{child}", rule.name);
        }
        rule.name = own(rule.name.clone(), names);
    }
    scripted
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
