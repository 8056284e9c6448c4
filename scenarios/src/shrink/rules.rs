//! Fewer rules, and plainer ones.

use super::{
    faults,
    passes::{Candidates, chunks},
};
use crate::model::Scenario;
use quorate_faults::{
    fault::Fault,
    rule::{Children, Members, Place, Rule, When},
};
use quorate_reports::{Run, What};
use std::{collections::BTreeSet, time::Duration};

/// Without some of the rules, all of them first.
pub(super) fn fewer(scenario: &Scenario, _: &Run) -> Candidates {
    let without = |range: std::ops::Range<usize>| {
        let mut fewer = scenario.clone();
        fewer.rules.drain(range);
        fewer
    };
    chunks(scenario.rules.len()).map(without).collect()
}

/// Rules that name one disk, one kind of operation.
pub(super) fn narrower(scenario: &Scenario, _: &Run) -> Candidates {
    each(scenario, |rule| {
        let children = match &rule.child {
            Children::Index(_) => Vec::new(),
            Children::List(list) | Children::Drawn { members: Members::List(list), .. } => {
                list.clone()
            }
            Children::Drawn { members: Members::Group(name), .. } => {
                let group = scenario.groups.iter().find(|group| group.name == *name);
                group.map(|group| group.children.clone()).unwrap_or_default()
            }
            Children::Any | Children::Atlas => (0..scenario.disks()).collect(),
        };
        let one = children.iter().map(|child| Children::Index(*child));
        let child = one.chain([Children::Any, Children::List(children.clone())]);
        let child = child.map(|child| Rule { child, ..rule.clone() });
        let kinds = rule.on.iter().map(|kind| Rule { on: vec![*kind], ..rule.clone() });
        let kinds = kinds.filter(|_| rule.on.len() > 1);
        child.chain(kinds).collect()
    })
}

/// Rules with fewer conditions: where, and when.
pub(super) fn freer(scenario: &Scenario, run: &Run) -> Candidates {
    each(scenario, |rule| {
        let mut all = Vec::new();
        let at = |when: When| Rule { when, ..rule.clone() };
        let when = &rule.when;
        if rule.on.is_empty() {
            let times =
                [Duration::ZERO, Duration::from_millis(1)].into_iter().chain(struck(rule, run));
            all.extend(times.map(|time| at(When { at: Some(time), ..When::default() })));
        } else {
            all.push(at(When::default()));
            let numbers = fired(rule, run);
            let once = |number: &u64| at(When { nth: vec![*number], ..When::default() });
            all.extend([1, 2].iter().chain(&numbers).map(once));
            all.push(at(When { nth: numbers.into_iter().collect(), ..When::default() }));
            all.extend([1, 2].map(|every| at(When { every: Some(every), ..When::default() })));
        }
        all.push(at(When { after: None, ..when.clone() }));
        if let Some(after) = &when.after {
            let mut sooner = after.clone();
            sooner.delay = None;
            all.push(at(When { after: Some(sooner.clone()), ..when.clone() }));
            sooner.count = 1;
            all.push(at(When { after: Some(sooner), ..when.clone() }));
        }
        all.push(at(When { window: None, period: None, ..when.clone() }));
        all.push(at(When { period: None, ..when.clone() }));
        all.push(at(When { max: None, ..when.clone() }));
        all.push(at(When { every: None, ..when.clone() }));
        all.push(at(When { first: None, ..when.clone() }));
        all.push(at(When { rate: None, ..when.clone() }));
        all.extend(when.nth.iter().map(|nth| at(When { nth: vec![*nth], ..when.clone() })));
        let place = &rule.r#where;
        let places = [
            Place::default(),
            Place { sectors: None, ..place.clone() },
            Place { bytes: None, ..place.clone() },
            Place { origin: Place::default().origin, ..place.clone() },
        ];
        all.extend(places.map(|place| Rule { r#where: place, ..rule.clone() }));
        all
    })
}

/// Rules with milder faults.
pub(super) fn milder(scenario: &Scenario, _: &Run) -> Candidates {
    each(scenario, |rule| {
        let with = |fault: Fault| Rule { r#do: fault, ..rule.clone() };
        faults::milder(rule).into_iter().map(with).collect()
    })
}

/// One rule for several disks in the place of rules for each of them.
pub(super) fn merged(scenario: &Scenario, _: &Run) -> Candidates {
    let mut all = Vec::new();
    for (at, rule) in scenario.rules.iter().enumerate() {
        for (behind, other) in scenario.rules.iter().enumerate().skip(at + 1) {
            let mut disks = BTreeSet::new();
            for child in [&rule.child, &other.child] {
                match child {
                    Children::Index(disk) => drop(disks.insert(*disk)),
                    Children::List(list) => disks.extend(list),
                    _ => {}
                }
            }
            let several = Children::List(disks.into_iter().collect());
            for child in [Children::Any, several] {
                let mut fewer = scenario.clone();
                fewer.rules[at].child = child;
                fewer.rules.remove(behind);
                all.push(fewer);
            }
        }
    }
    all
}

/// Rules that are called after their faults.
pub(super) fn plain_names(scenario: &Scenario, _: &Run) -> Candidates {
    let taken: BTreeSet<&str> = scenario.rules.iter().map(|rule| rule.name.as_str()).collect();
    each(scenario, |rule| {
        let word = rule.r#do.word().to_owned();
        let numbered = (2..).map(|number| format!("{}-{number}", rule.r#do.word()));
        let free = |name: &String| !taken.contains(name.as_str());
        let name = [word].into_iter().chain(numbered).find(free).expect("numbers do not end");
        vec![Rule { name, ..rule.clone() }]
    })
}

/// The numbers of the matches on which a rule fired.
fn fired(rule: &Rule, run: &Run) -> BTreeSet<u64> {
    let number = |what: &What| match what {
        What::Injected { firing, .. } if *firing.rule == *rule.name => Some(firing.matched),
        _ => None,
    };
    run.trace.entries.iter().filter_map(|entry| number(&entry.what)).take(FIRED_MAX).collect()
}

/// When a rule struck.
fn struck(rule: &Rule, run: &Run) -> Vec<Duration> {
    let is =
        |what: &What| matches!(what, What::Injected { firing, .. } if *firing.rule == *rule.name);
    let entries = run.trace.entries.iter().filter(|entry| is(&entry.what));
    entries.map(|entry| Duration::from_micros(entry.at)).take(FIRED_MAX).collect()
}

/// The scenario with each rule in turn as `change` has it.
fn each(scenario: &Scenario, change: impl Fn(&Rule) -> Vec<Rule>) -> Candidates {
    let mut all = Vec::new();
    for (at, rule) in scenario.rules.iter().enumerate() {
        for other in change(rule).into_iter().filter(|other| other != rule) {
            let mut changed = scenario.clone();
            changed.rules[at] = other;
            all.push(changed);
        }
    }
    all
}

/// How many firings of a rule are looked at.
const FIRED_MAX: usize = 12;
