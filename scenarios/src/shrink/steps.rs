//! Fewer steps, fewer clients, plainer requests.

use super::{
    faults,
    passes::{Candidates, chunks},
    property::holds_back,
};
use crate::model::{Action, Client, Payload, Request, Scenario};
use quorate_engine::Flags;
use quorate_faults::{
    device::Frozen,
    text::{Time, TimeRange},
};
use quorate_reports::{Run, What};
use std::{collections::BTreeMap, time::Duration};

/// Without some of the steps of all clients, each client by itself first.
pub(super) fn fewer(scenario: &Scenario, _: &Run) -> Candidates {
    let clients = (0..=scenario.clients.len()).rev().map(|client| {
        let mut fewer = scenario.clone();
        if let Some(steps) = fewer.scripts_mut().nth(client) {
            steps.clear();
        }
        fewer
    });
    let but = |is_gone: fn(&Action) -> bool| {
        let mut other = scenario.clone();
        other.scripts_mut().for_each(|steps| steps.retain(|action| !is_gone(action)));
        other
    };
    let hasty = but(|action| matches!(action, Action::Sleep(_)));
    // Who slept came later: without sleeps that is whoever stands behind.
    let mut turned = hasty.clone();
    let scripts: Vec<_> = turned.scripts_mut().map(std::mem::take).collect();
    let behind_first = scripts.into_iter().rev();
    turned.scripts_mut().zip(behind_first).for_each(|(steps, script)| *steps = script);
    let places = places(scenario);
    let pieces = chunks(places.len()).map(|range| without(scenario, &places[range]));
    clients.chain([but(holds_back), hasty, turned]).chain(pieces).collect()
}

/// Without two of the steps, or one and a rule, where one of them alone is needed.
pub(super) fn pairs(scenario: &Scenario, _: &Run) -> Candidates {
    let places = places(scenario);
    let mut all = Vec::new();
    if places.len() > PAIRS_MAX {
        return all;
    }
    for (at, first) in places.iter().enumerate() {
        for second in &places[at + 1..] {
            all.push(without(scenario, &[*first, *second]));
        }
        let one = without(scenario, &[*first]);
        for rule in 0..scenario.rules.len() {
            let mut fewer = one.clone();
            fewer.rules.remove(rule);
            all.push(fewer);
        }
    }
    all
}

/// With a sleep in the place of requests that only take their time.
pub(super) fn rests(scenario: &Scenario, run: &Run) -> Candidates {
    let mut times: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
    for entry in &run.trace.entries {
        let Some(request) = entry.request else { continue };
        let place = (usize::from(request.client), request.step as usize);
        match entry.what {
            What::Invoke(_) => drop(times.insert(place, (entry.at, entry.at))),
            What::Complete(_) => {
                times.entry(place).and_modify(|(_, end)| *end = entry.at);
            }
            _ => {}
        };
    }
    let mut all = Vec::new();
    for (client, steps) in scenario.scripts().enumerate() {
        for range in chunks(steps.len()) {
            let (first, last) = (range.start, range.end - 1);
            let (Some(first), Some(last)) =
                (times.get(&(client, first)), times.get(&(client, last)))
            else {
                continue;
            };
            let micros = last.1.saturating_sub(first.0);
            for unit in [1000, 100, 1] {
                let time = Duration::from_micros(micros.div_ceil(unit) * unit);
                let mut rested = scenario.clone();
                let steps = rested.scripts_mut().nth(client).expect("it has the same clients");
                steps.splice(range.clone(), [Action::Sleep(Time(time))]);
                all.push(rested);
            }
        }
    }
    all
}

/// One client's steps behind another's, or all in the order in which they began.
pub(super) fn fewer_clients(scenario: &Scenario, run: &Run) -> Candidates {
    let mut all = Vec::new();
    if scenario.clients.is_empty() {
        return all;
    }
    let mut began: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (at, entry) in run.trace.entries.iter().enumerate() {
        if let (What::Invoke(_), Some(request)) = (&entry.what, entry.request) {
            began.insert((usize::from(request.client), request.step as usize), at);
        }
    }
    // A step that is no request goes with the request behind it.
    let mut ordered = Vec::new();
    for (client, steps) in scenario.scripts().enumerate() {
        let mut behind = usize::MAX;
        for (step, action) in steps.iter().enumerate().rev() {
            behind = began.get(&(client, step)).copied().unwrap_or(behind);
            ordered.push(((behind, client, step), action.clone()));
        }
    }
    ordered.sort_by_key(|(place, _)| *place);
    let steps = ordered.into_iter().map(|(_, action)| action).collect();
    all.push(Scenario { steps, clients: Vec::new(), ..scenario.clone() });
    let steps = scenario.scripts().flatten().cloned().collect();
    all.push(Scenario { steps, clients: Vec::new(), ..scenario.clone() });
    for from in (0..scenario.clients.len()).rev() {
        for to in 0..=from {
            for is_before in [false, true] {
                let mut merged = scenario.clone();
                let Client { mut steps } = merged.clients.remove(from);
                let target = merged.scripts_mut().nth(to).expect("it comes before");
                match is_before {
                    false => target.append(&mut steps),
                    true => drop(target.splice(0..0, steps)),
                }
                all.push(merged);
            }
        }
    }
    all
}

/// Steps with less to say of them.
pub(super) fn plainer(scenario: &Scenario, _: &Run) -> Candidates {
    each(scenario, |action| match action {
        Action::Request { request, background, expected } => {
            let with = |request: Request| Action::Request {
                request,
                background: background.clone(),
                expected: expected.clone(),
            };
            let mut all: Vec<Action> = plainer_requests(request).into_iter().map(with).collect();
            if background.is_some() {
                let (request, expected) = (request.clone(), expected.clone());
                all.push(Action::Request { request, background: None, expected });
            }
            all
        }
        Action::Sleep(time) => shorter(time.0).map(|time| Action::Sleep(Time(time))).collect(),
        Action::Join(time) => [None, Some(Time(Duration::from_millis(1)))]
            .into_iter()
            .filter(|other| other != time)
            .map(Action::Join)
            .collect(),
        Action::Latency { child, time } => shorter(time.start)
            .chain([time.start])
            .chain(time.end)
            .map(|time| TimeRange { start: time, end: Some(time) })
            .map(|time| Action::Latency { child: *child, time })
            .collect(),
        Action::Order(children) => (0..children.len())
            .rev()
            .map(|at| {
                let mut fewer = children.clone();
                fewer.remove(at);
                Action::Order(fewer)
            })
            .collect(),
        Action::Corrupt { child, offset, bytes, .. } => {
            vec![Action::Corrupt { child: *child, offset: *offset, bytes: *bytes, fill: 1 }]
        }
        Action::CutPower { children, crash, .. } => {
            let mut all: Vec<Action> = faults::lesser_crashes(crash)
                .map(|crash| Action::CutPower { children: children.clone(), crash, fails: false })
                .collect();
            let (children, crash) = (None, crash.clone());
            all.push(Action::CutPower { children, crash, fails: false });
            all
        }
        Action::Heal { children: Some(_) } => vec![Action::Heal { children: None }],
        Action::Freeze { children, how } => {
            let mut all: Vec<Action> = children
                .iter()
                .map(|child| Action::Freeze { children: vec![*child], how: *how })
                .collect();
            let how = Frozen::Dead(quorate_engine::Errno::EIO);
            all.push(Action::Freeze { children: children.clone(), how });
            all
        }
        _ => Vec::new(),
    })
}

/// Requests in the background that are called `a`, `b` and so on.
pub(super) fn plain_names(scenario: &Scenario, _: &Run) -> Candidates {
    let mut plain = scenario.clone();
    for steps in plain.scripts_mut() {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for action in steps {
            let count = names.len();
            let plain = |name: &String| {
                let letter = u8::try_from(count).ok().filter(|count| *count < 26);
                letter.map_or_else(|| name.clone(), |count| char::from(b'a' + count).to_string())
            };
            match action {
                Action::Request { background: Some(name), .. }
                | Action::Wait { name }
                | Action::Drop { name } => {
                    *name = names.entry(name.clone()).or_insert_with_key(plain).clone();
                }
                _ => {}
            }
        }
    }
    vec![plain]
}

fn plainer_requests(request: &Request) -> Vec<Request> {
    match *request {
        Request::Write { offset, bytes, payload, flags } => vec![
            Request::Write { offset, bytes, payload: Payload::Stamp, flags: Flags::NONE },
            Request::Write { offset, bytes, payload, flags: Flags::NONE },
            Request::Write { offset, bytes, payload: Payload::Stamp, flags },
        ],
        Request::WriteZeroes { offset, bytes, flags } => {
            let payload = Payload::Stamp;
            let fua = Flags { fua: flags.fua, ..Flags::NONE };
            let drop_unmap = Flags { may_unmap: false, ..flags };
            let drop_fallback = Flags { no_fallback: false, ..flags };
            let mut all = vec![
                Request::Write { offset, bytes, payload, flags: Flags::NONE },
                Request::Write { offset, bytes, payload, flags: fua },
            ];
            let flags = [Flags::NONE, fua, drop_unmap, drop_fallback];
            all.extend(flags.map(|flags| Request::WriteZeroes { offset, bytes, flags }));
            all
        }
        Request::Discard { offset, bytes } | Request::BlockStatus { offset, bytes } => {
            vec![Request::Read { offset, bytes }]
        }
        Request::Close => vec![Request::Flush],
        _ => Vec::new(),
    }
}

fn shorter(time: Duration) -> impl Iterator<Item = Duration> {
    [Duration::from_millis(1), time / 2, time / 10].into_iter().filter(|time| !time.is_zero())
}

/// The scenario with each step in turn as `change` has it.
pub(super) fn each(scenario: &Scenario, change: impl Fn(&Action) -> Vec<Action>) -> Candidates {
    let mut all = Vec::new();
    for (client, steps) in scenario.scripts().enumerate() {
        for (at, action) in steps.iter().enumerate() {
            for other in change(action).into_iter().filter(|other| other != action) {
                let mut changed = scenario.clone();
                let steps = changed.scripts_mut().nth(client).expect("it has the same clients");
                steps[at] = other;
                all.push(changed);
            }
        }
    }
    all
}

/// Client and number of every step.
fn places(scenario: &Scenario) -> Vec<(usize, usize)> {
    let of = |(client, steps): (usize, &[Action])| (0..steps.len()).map(move |at| (client, at));
    scenario.scripts().enumerate().flat_map(of).collect()
}

/// Without these steps.
fn without(scenario: &Scenario, places: &[(usize, usize)]) -> Scenario {
    let mut fewer = scenario.clone();
    for (client, steps) in fewer.scripts_mut().enumerate() {
        let mut at = 0;
        steps.retain(|_| {
            at += 1;
            !places.contains(&(client, at - 1))
        });
    }
    fewer
}

/// With more steps there are too many pairs to be tried.
pub(super) const PAIRS_MAX: usize = 16;
