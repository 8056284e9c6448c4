//! Fewer children, and an array with fewer options.

use super::passes::Candidates;
use crate::model::{Action, Children, Number, Order, Scenario, Selection};
use quorate_engine::quorum::options::{Overlap, ReadPattern};
use quorate_faults::rule::{self, Members};
use quorate_reports::Run;

/// Without one disk, or with one inner array less.
pub(super) fn fewer_children(scenario: &Scenario, _: &Run) -> Candidates {
    let mut all = Vec::new();
    for at in (0..scenario.array.inner.len()).rev() {
        all.extend(flattened(scenario, at));
    }
    for gone in (0..scenario.disks()).rev() {
        let fewer = without_disk(scenario, gone);
        let count = fewer.child_names().len();
        let threshold = scenario.array.vote_threshold;
        let mut thresholds = vec![count / 2 + 1, threshold, threshold.saturating_sub(1), count, 1];
        thresholds.retain(|threshold| (1..=count).contains(threshold));
        all.extend(thresholds.into_iter().map(|threshold| with_threshold(&fewer, threshold)));
    }
    all
}

/// With options switched off.
pub(super) fn plainer(scenario: &Scenario, _: &Run) -> Candidates {
    let with = |change: &dyn Fn(&mut Scenario)| {
        let mut other = scenario.clone();
        change(&mut other);
        other
    };
    vec![
        with(&|other| other.array.read_pattern = ReadPattern::Quorum),
        with(&|other| other.array.rewrite_corrupted = false),
        with(&|other| other.array.blkverify = false),
        with(&|other| other.array.overlap = Overlap::Serialise),
        with(&|other| other.array.read_only = false),
        with(&|other| other.array.throttle = false),
        with(&|other| other.array.disks = None),
    ]
}

/// With another threshold: that of a majority is the plainest.
pub(super) fn thresholds(scenario: &Scenario, _: &Run) -> Candidates {
    let majority = scenario.child_names().len() / 2 + 1;
    vec![with_threshold(scenario, majority)]
}

fn with_threshold(scenario: &Scenario, threshold: usize) -> Scenario {
    let mut other = scenario.clone();
    other.array.vote_threshold = threshold;
    other
}

/// With the children of an inner array in its place, or the first of them only, or none.
fn flattened(scenario: &Scenario, at: usize) -> impl Iterator<Item = Scenario> {
    let inner = &scenario.array.inner[at];
    let most = inner.children.len();
    [0, 1, most].into_iter().map(move |kept| {
        let mut other = scenario.clone();
        other.array.inner.remove(at);
        let replace = |names: &mut Vec<String>| {
            if let Some(place) = names.iter().position(|name| *name == inner.name) {
                names.splice(place..=place, inner.children.iter().take(kept).cloned());
            }
        };
        if let Children::Named(names) = &mut other.array.children {
            replace(names);
        }
        other.array.inner.iter_mut().for_each(|inner| replace(&mut inner.children));
        let count = other.child_names().len();
        other.array.vote_threshold = other.array.vote_threshold.clamp(1, count.max(1));
        other
    })
}

/// Without this disk, those behind it renumbered, and without what was about it alone.
fn without_disk(scenario: &Scenario, gone: u32) -> Scenario {
    let mut other = scenario.clone();
    let place = scenario.child_names().iter().position(|name| *name == format!("c{gone}"));
    let renumber = |number: u32| match number.cmp(&gone) {
        std::cmp::Ordering::Less => Some(number),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(number - 1),
    };
    let all = |list: &mut Vec<u32>| *list = list.iter().filter_map(|n| renumber(*n)).collect();
    let rename = |names: &mut Vec<String>| {
        let node = |name: &String| match name.strip_prefix('c').and_then(|n| n.parse().ok()) {
            Some(number) => renumber(number).map(|number| format!("c{number}")),
            None => Some(name.clone()),
        };
        *names = names.iter().filter_map(node).collect();
    };
    match &mut other.array.children {
        Children::Count(count) if gone < *count => *count -= 1,
        Children::Count(_) => {}
        Children::Named(names) => rename(names),
    }
    for inner in &mut other.array.inner {
        rename(&mut inner.children);
        inner.vote_threshold = inner.vote_threshold.clamp(1, inner.children.len().max(1));
    }
    other.array.disks = other.array.disks.map(|disks| disks.saturating_sub(1));
    let own = std::mem::take(&mut other.child).into_iter();
    other.child =
        own.filter_map(|(number, disk)| Some((Number(renumber(number.0)?), disk))).collect();
    other.groups.iter_mut().for_each(|group| all(&mut group.children));
    other.rules.retain_mut(|rule| match &mut rule.child {
        rule::Children::Any | rule::Children::Atlas => true,
        rule::Children::Index(child) => match renumber(*child) {
            Some(number) => {
                *child = number;
                true
            }
            None => false,
        },
        rule::Children::List(list) | rule::Children::Drawn { members: Members::List(list), .. } => {
            all(list);
            !list.is_empty()
        }
        rule::Children::Drawn { members: Members::Group(name), .. } => {
            let group = other.groups.iter().find(|group| group.name == *name);
            group.is_some_and(|group| !group.children.is_empty())
        }
    });
    other.schedule.order = match other.schedule.order {
        Order::Late { child } => {
            renumber(child).map_or(Order::Earliest, |child| Order::Late { child })
        }
        Order::Dissent { mut children } => {
            all(&mut children);
            if children.is_empty() { Order::Earliest } else { Order::Dissent { children } }
        }
        order => order,
    };
    other.schedule.pauses.retain_mut(|pause| match renumber(pause.child) {
        Some(child) => {
            pause.child = child;
            true
        }
        None => false,
    });
    other.expect.media.clear();
    other.expect.members = None;
    for steps in other.scripts_mut() {
        let kept = std::mem::take(steps).into_iter();
        *steps = kept.filter_map(|action| without_child(action, renumber, place)).collect();
    }
    other
}

/// The step with other numbers of disks; nothing, if it was about the disk that is gone, which had this
/// place among the children at first.
fn without_child(
    mut action: Action,
    renumber: impl Fn(u32) -> Option<u32>,
    place: Option<usize>,
) -> Option<Action> {
    match &mut action {
        Action::Hold(Selection { child: Some(child), .. })
        | Action::Release { which: Selection { child: Some(child), .. }, .. }
        | Action::Latency { child, .. }
        | Action::Corrupt { child, .. }
        | Action::Brick { child, .. }
        | Action::Add { child, .. } => *child = renumber(*child)?,
        Action::Order(children)
        | Action::CutPower { children: Some(children), .. }
        | Action::Heal { children: Some(children) }
        | Action::Freeze { children, .. } => {
            *children = children.iter().filter_map(|child| renumber(*child)).collect();
            if children.is_empty() {
                return None;
            }
        }
        Action::Remove { name, .. } => {
            let number = name.strip_prefix("children.").and_then(|n| n.parse::<usize>().ok());
            if let (Some(number), Some(place)) = (number, place) {
                if number == place {
                    return None;
                }
                *name = format!("children.{}", number - usize::from(number > place));
            }
        }
        _ => {}
    }
    Some(action)
}
