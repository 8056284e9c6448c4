//! What makes rules a plan: names that resolve, and conditions that can come true.

mod doing;

use crate::{
    budget::{Budget, Mode},
    draw::Domain,
    fault::Fault,
    rule::{Children, Group, Members, OpKind, Origins, Rule, Sharing, When},
};
use doing::do_fault;
use std::{collections::BTreeSet, sync::Arc};

/// Rules that make no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two rules have one name, which keys their draws.
    #[error("rule '{rule}': the name is taken; give every rule a name of its own")]
    RuleTwice {
        /// The name.
        rule: String,
    },
    /// Two groups have one name.
    #[error("group '{group}': the name is taken; give every group a name of its own")]
    GroupTwice {
        /// The name.
        group: String,
    },
    /// The rule names a group that is not there.
    #[error("rule '{rule}': child.group: there is no group '{group}'; the groups are: {known}")]
    UnknownGroup {
        /// The rule.
        rule: String,
        /// What it names.
        group: String,
        /// What it could name.
        known: String,
    },
    /// The array has no such child.
    #[error("{place}: there is no child {child}; the array has {count}, counted from 0")]
    ChildOutOfRange {
        /// The rule or the group.
        place: String,
        /// The index.
        child: u32,
        /// How many children there are.
        count: u32,
    },
    /// The fault cannot befall this kind of operation.
    #[error("rule '{rule}': on: fault \"{fault}\" does not befall \"{kind}\", only {befalls}")]
    WrongKind {
        /// The rule.
        rule: String,
        /// The word of its fault.
        fault: &'static str,
        /// The word of the kind.
        kind: &'static str,
        /// The words that are allowed.
        befalls: String,
    },
    /// A condition cannot come true, or the fault cannot do anything.
    #[error("rule '{rule}': {place}: {why}; {remedy}")]
    NeverFires {
        /// The rule.
        rule: String,
        /// The key.
        place: &'static str,
        /// What is wrong.
        why: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

impl PlanError {
    /// The key that is wrong, inside the rule or the group, as `when.nth`.
    #[must_use]
    pub fn place(&self) -> &'static str {
        match self {
            Self::RuleTwice { .. } | Self::GroupTwice { .. } => "name",
            Self::UnknownGroup { .. } => "child.group",
            Self::ChildOutOfRange { .. } => "child",
            Self::WrongKind { .. } => "on",
            Self::NeverFires { place, .. } => place,
        }
    }
}

/// A rule with its names resolved.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) name: Arc<str>,
    pub(crate) domain: Domain,
    pub(crate) children: Vec<u32>,
    pub(crate) sharing: Sharing,
    pub(crate) rule: Rule,
}

/// Resolves and checks the rules of an array of `count` children.
pub(crate) fn compile(
    rules: Vec<Rule>,
    groups: &[Group],
    count: u32,
) -> Result<Vec<Compiled>, PlanError> {
    let mut names = BTreeSet::new();
    for group in groups {
        if !names.insert(group.name.as_str()) {
            return Err(PlanError::GroupTwice { group: group.name.clone() });
        }
        check_indices(&format!("group '{}': children", group.name), &group.children, count)?;
    }
    let mut names = BTreeSet::new();
    rules
        .into_iter()
        .map(|rule| {
            if !names.insert(rule.name.clone()) {
                return Err(PlanError::RuleTwice { rule: rule.name });
            }
            let (children, sharing) = members(&rule, groups, count)?;
            check_kinds(&rule)?;
            let faulty =
                place_fault(&rule).or_else(|| when_fault(&rule.when)).or_else(|| time_fault(&rule));
            if let Some((place, why, remedy)) = faulty.or_else(|| do_fault(&rule)) {
                return Err(PlanError::NeverFires { rule: rule.name, place, why, remedy });
            }
            let name = Arc::from(rule.name.as_str());
            Ok(Compiled { domain: Domain::named(&rule.name), name, children, sharing, rule })
        })
        .collect()
}

/// Refuses rules that leave it to a budget whom to strike, if there is none.
pub(crate) fn no_budget(rules: &[Compiled]) -> Result<(), PlanError> {
    match rules.iter().find(|compiled| compiled.rule.child == Children::Atlas) {
        Some(compiled) => Err(PlanError::NeverFires {
            rule: compiled.rule.name.clone(),
            place: "child",
            why: "\"atlas\" leaves it to the budget whom to strike, and there is none",
            remedy: "write a [budget] table, or \"any\"",
        }),
        None => Ok(()),
    }
}

/// Refuses rules that no budget allows, if it is enforced.
pub(crate) fn budget(rules: &[Compiled], budget: &Budget) -> Result<(), PlanError> {
    if budget.mode == Mode::Off {
        return no_budget(rules);
    }
    let is_fatal = |rule: &Rule| {
        matches!(rule.r#do, Fault::Hang { .. } | Fault::Length { .. })
            || rule.on == [OpKind::Length] && !matches!(rule.r#do, Fault::Delay(_))
    };
    match rules.iter().find(|compiled| is_fatal(&compiled.rule)) {
        Some(compiled) if budget.mode == Mode::Enforce => Err(PlanError::NeverFires {
            rule: compiled.rule.name.clone(),
            place: "do",
            why: "no budget allows it, as an array bears no child that never answers or that \
                  cannot tell its length",
            remedy: "take the rule out, or set `mode` of [budget] to \"observe\"",
        }),
        _ => Ok(()),
    }
}

fn members(rule: &Rule, groups: &[Group], count: u32) -> Result<(Vec<u32>, Sharing), PlanError> {
    let (mut children, sharing) = match &rule.child {
        Children::Any | Children::Atlas => ((0..count).collect(), Sharing::Independent),
        Children::Index(index) => (vec![*index], Sharing::Independent),
        Children::List(list) => (list.clone(), Sharing::Independent),
        Children::Drawn { members: Members::List(list), draw } => (list.clone(), *draw),
        Children::Drawn { members: Members::Group(name), draw } => {
            let group = groups.iter().find(|group| group.name == *name);
            let group = group.ok_or_else(|| PlanError::UnknownGroup {
                rule: rule.name.clone(),
                group: name.clone(),
                known: listed(&groups.iter().map(|group| &*group.name).collect::<Vec<_>>()),
            })?;
            (group.children.clone(), *draw)
        }
    };
    check_indices(&format!("rule '{}': child", rule.name), &children, count)?;
    children.sort_unstable();
    children.dedup();
    if children.is_empty() {
        return Err(PlanError::NeverFires {
            rule: rule.name.clone(),
            place: "child",
            why: "names no child",
            remedy: "name one, or write \"any\"",
        });
    }
    Ok((children, sharing))
}

fn check_indices(place: &str, children: &[u32], count: u32) -> Result<(), PlanError> {
    match children.iter().find(|&&child| child >= count) {
        Some(&child) => Err(PlanError::ChildOutOfRange { place: place.into(), child, count }),
        None => Ok(()),
    }
}

fn check_kinds(rule: &Rule) -> Result<(), PlanError> {
    let befalls = rule.r#do.befalls();
    match rule.on.iter().find(|kind| !befalls.contains(kind)) {
        Some(kind) => Err(PlanError::WrongKind {
            rule: rule.name.clone(),
            fault: rule.r#do.word(),
            kind: kind.word(),
            befalls: listed(&befalls.iter().map(|kind| kind.word()).collect::<Vec<_>>()),
        }),
        None => Ok(()),
    }
}

/// The key, what is wrong with it, and the remedy.
type Complaint = (&'static str, &'static str, &'static str);

fn place_fault(rule: &Rule) -> Option<Complaint> {
    let place = &rule.r#where;
    if rule.on.is_empty() && !rule.r#do.strikes() {
        return Some(("on", "names no kind of operation", "name one, such as \"read\""));
    }
    let asks_operation = place.bytes.is_some() || place.origin != Origins::Any;
    if rule.on.is_empty() && asks_operation {
        let why = "asks for an operation, and the rule has no `on`";
        return Some(("where", why, "leave `bytes` and `origin` out, or name operations"));
    }
    if place.sectors.is_some_and(|sectors| sectors.start >= sectors.end) {
        return Some(("where.sectors", "holds no sector", "the end is the sector behind the last"));
    }
    if place.sectors.is_some_and(|sectors| sectors.end > u64::MAX / SECTOR_BYTES) {
        return Some((
            "where.sectors",
            "lies beyond every device",
            "count in sectors of 512 bytes",
        ));
    }
    if place.bytes.is_some_and(|bytes| bytes.min > bytes.max) {
        return Some(("where.bytes", "holds no size", "put the smaller size first"));
    }
    let is_placed = place.sectors.is_some() || place.bytes.is_some();
    if is_placed && !rule.on.iter().copied().all(OpKind::has_range) {
        let why = "not every operation of `on` touches sectors";
        return Some(("where", why, "take it out of `on`, or the range out of `where`"));
    }
    None
}

/// Whether it is said when a fault strikes that no operation sets off.
fn time_fault(rule: &Rule) -> Option<Complaint> {
    let When { at, window, after, .. } = &rule.when;
    if !rule.on.is_empty() {
        let remedy = "leave `on` out, or write a `window`";
        return at.map(|_| ("when.at", "is for a rule without `on`", remedy));
    }
    if window.is_some_and(|window| window.end.is_none()) {
        let remedy = "a rule without `on` strikes at a time inside of it: give it an end";
        return Some(("when.window", "has no end", remedy));
    }
    match [at.is_some(), window.is_some(), after.is_some()].into_iter().filter(|is| *is).count() {
        1 => None,
        0 => {
            let remedy = "write `at`, `window` or `after`, or name operations in `on`";
            Some(("when", "does not say when a rule without `on` strikes", remedy))
        }
        _ => Some(("when", "has two times to strike", "write one of `at`, `window` and `after`")),
    }
}

fn when_fault(when: &When) -> Option<Complaint> {
    let from_one = "count from 1";
    for (place, number) in [
        ("when.nth", when.nth.iter().min().copied()),
        ("when.every", when.every),
        ("when.first", when.first),
        ("when.max", when.max),
        ("when.after.count", when.after.as_ref().map(|after| after.count)),
    ] {
        if number == Some(0) {
            return Some((place, "is 0, so the rule can never fire", from_one));
        }
    }
    let possible = |nth: &u64| {
        when.first.is_none_or(|first| *nth <= first)
            && when.every.is_none_or(|every| nth.is_multiple_of(every))
    };
    if !when.nth.is_empty() && !when.nth.iter().any(possible) {
        let remedy = "all conditions must hold at once; leave one out";
        return Some(("when.nth", "no such match is within `first` and `every`", remedy));
    }
    if when.nth.is_empty() && when.first.zip(when.every).is_some_and(|(first, e)| e > first) {
        let remedy = "all conditions must hold at once; leave one out";
        return Some(("when.every", "is beyond `first`", remedy));
    }
    if when.rate.is_some_and(|rate| rate.numerator() == 0) {
        return Some(("when.rate", "is 0, so the rule can never fire", "leave the rule out"));
    }
    let length = when.window.and_then(|window| Some((window.start, window.end?)));
    if length.is_some_and(|(start, end)| start >= end) {
        return Some(("when.window", "is empty", "the end is a time, not a length"));
    }
    match (when.period, when.window, length) {
        (Some(_), None, _) | (Some(_), _, None) => {
            Some(("when.period", "repeats no window", "give `window` a start and an end"))
        }
        (Some(period), _, Some((start, end))) if period < end - start => {
            Some(("when.period", "is shorter than the window", "take `period` out of the rule"))
        }
        _ => {
            let delay = when.after.as_ref().and_then(|after| after.delay)?;
            let is_empty = delay.end.is_none_or(|end| end < delay.start);
            let remedy = "write the shorter time first, and both";
            is_empty.then_some(("when.after.delay", "holds no time", remedy))
        }
    }
}

fn listed(words: &[&str]) -> String {
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

const SECTOR_BYTES: u64 = quorate_engine::event::SECTOR_BYTES;
