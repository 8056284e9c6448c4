//! Whether a scenario ends as its file says.

use super::{
    case::{Asked, Case},
    waits,
};
use crate::model::{Action, Awaited, EventLine, Expected, Stall};
use quorate_engine::Event;
use quorate_reports::{Outcome, RequestId, Violation, What, qapi, trace::Change};

const CHECK: &str = "expectations";

pub(super) fn idle_rules(case: &Case<'_>, violations: &mut Vec<Violation>) {
    if case.scenario.expect.idle_rules {
        return;
    }
    for rule in &case.finished.unfired {
        let reason = format!(
            "The rule '{rule}' has not fired. If that is right, say `idle-rules = true` in [expect]."
        );
        violations.push(Case::violation("idle rule", None, None, reason));
    }
}

pub(super) fn expectations(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let mut fail = |request: Option<RequestId>, entry: Option<usize>, reason: String| {
        violations.push(Case::violation(CHECK, request, entry, reason));
    };
    opening(case, &mut fail);
    // What hangs is never answered, and the scenario says that it may.
    let excused = case.scenario.expect.stall == Stall::Hung && waits::is_explained(case);
    for (client, steps) in case.scenario.scripts().enumerate() {
        for (step, action) in steps.iter().enumerate() {
            let Action::Request { expected, .. } = action else { continue };
            match case.request(client, step) {
                Some(asked) if excused && asked.over().is_none() => {}
                Some(asked) => request(case, asked, expected, &mut fail),
                None if excused || *expected == Expected::default() => {}
                None => fail(None, None, format!("Request {client}.{step} was never begun.")),
            }
        }
    }
    changes(case, &mut fail);
    let expect = &case.scenario.expect;
    let all = |heard: bool| -> Vec<&Event> {
        let events = case.notable().filter_map(|(_, entry)| match &entry.what {
            What::Event(event) if !heard => Some(event),
            What::Heard(event) if heard => Some(event),
            _ => None,
        });
        events.collect()
    };
    if let Some(want) = &expect.events {
        events(want, &all(false), "events", None, &mut fail);
    }
    if let Some(want) = &expect.heard {
        events(want, &all(true), "events past the rate limit", None, &mut fail);
    }
    for media in &expect.media {
        let image = &case.finished.media[media.child as usize];
        let length = usize::try_from(media.bytes.0).expect("checked when the file was read");
        let held = image.read(media.offset.0, length);
        if let Some(at) = held.iter().position(|byte| *byte != media.fill) {
            let (disk, at, found) = (media.child, media.offset.0 + at as u64, held[at]);
            let want = media.fill;
            fail(None, None, format!("Byte {at} of c{disk} is {found:#04x}, not {want:#04x}."));
        }
    }
    if let Some(want) = expect.members.as_ref().filter(|want| **want != case.finished.members) {
        let (want, found) = (want.join(", "), case.finished.members.join(", "));
        fail(None, None, format!("The children at the end are {found}, not {want}."));
    }
}

type Fail<'a> = &'a mut dyn FnMut(Option<RequestId>, Option<usize>, String);

fn opening(case: &Case<'_>, fail: Fail<'_>) {
    let refused = case.notable().find_map(|(at, entry)| match &entry.what {
        What::NotOpened(why) => Some((at, why)),
        _ => None,
    });
    match (&case.scenario.expect.open, refused) {
        (None, None) => {}
        (Some(want), Some((_, why))) if want == why => {}
        (Some(want), Some((at, why))) => {
            fail(None, Some(at), format!("The array refuses to open with '{why}', not '{want}'."));
        }
        (Some(want), None) => {
            fail(None, None, format!("The array opens; it was to refuse with '{want}'."));
        }
        (None, Some((at, why))) => {
            fail(None, Some(at), format!("The array refuses to open: {why}."));
        }
    }
}

fn request(case: &Case<'_>, asked: &Asked<'_>, expected: &Expected, fail: Fail<'_>) {
    let own = |what: &What| matches!(what, What::Event(_));
    if let Some(want) = &expected.events {
        let entries = asked.entries.iter().map(|&at| &case.entries()[at].what);
        let found: Vec<&Event> = entries
            .filter(|what| own(what))
            .filter_map(|what| if let What::Event(event) = what { Some(event) } else { None })
            .collect();
        events(want, &found, "events on its behalf", Some(asked.id), fail);
    }
    let data = expected.holds.is_some() || expected.length.is_some() || expected.extent.is_some();
    // What an answer holds can only be said of one that is no error.
    let wanted = expected.result.or(data.then_some(Awaited::Success));
    let Some((at, outcome)) = asked.completed else {
        if wanted.is_some() && asked.dropped.is_none() {
            let reason = "It was never answered, and its answer is expected.".into();
            fail(Some(asked.id), Some(asked.invoked), reason);
        }
        return;
    };
    let mut fail = |reason| fail(Some(asked.id), Some(at), reason);
    match (wanted, outcome.error()) {
        (Some(Awaited::Success), Some(errno)) => {
            fail(format!("It fails with {errno}; it was to succeed."));
        }
        (Some(Awaited::Failure(want)), None) => fail(format!("It succeeds instead of {want}.")),
        (Some(Awaited::Failure(want)), Some(errno)) if want != errno => {
            fail(format!("It fails with {errno}, not with {want}."));
        }
        _ => {}
    }
    match outcome {
        Outcome::Data(Ok(data)) => {
            let want = expected.holds;
            let wrong = want.and_then(|want| data.iter().position(|byte| *byte != want));
            if let (Some(want), Some(wrong)) = (want, wrong) {
                let found = data[wrong];
                fail(format!("Byte {wrong} of the data is {found:#04x}, not {want:#04x}."));
            }
        }
        Outcome::Length(Ok(found)) => {
            if let Some(want) = expected.length.filter(|want| want != found) {
                fail(format!("The length is {found}, not {want}."));
            }
        }
        Outcome::Status(Ok(found)) => {
            if let Some(want) = expected.extent.filter(|want| want != found) {
                fail(format!("The status is {found:?}, not {want:?}."));
            }
        }
        _ => {}
    }
}

/// Additions and removals, refused or not.
fn changes(case: &Case<'_>, fail: Fail<'_>) {
    let wanted = case.scenario.scripts().flatten().filter_map(|action| match action {
        Action::Add { refused, .. } | Action::Remove { refused, .. } => Some(refused),
        _ => None,
    });
    let found = case.notable().filter_map(|(at, entry)| match &entry.what {
        What::Membership(Change::Refused(why)) => Some((at, Some(why))),
        What::Membership(_) => Some((at, None)),
        _ => None,
    });
    let (wanted, found): (Vec<_>, Vec<_>) = (wanted.collect(), found.collect());
    if wanted.len() != found.len() {
        let (wanted, found) = (wanted.len(), found.len());
        let reason = format!("{found} changes of the membership are over, not {wanted}.");
        fail(None, None, reason);
    }
    // With several clients that change the membership the order would have to be told, too.
    for (want, (at, found)) in wanted.into_iter().zip(found) {
        match (want, found) {
            (Some(want), Some(why)) if want != why => {
                fail(None, Some(at), format!("The change is refused with '{why}', not '{want}'."));
            }
            (Some(want), None) => {
                fail(
                    None,
                    Some(at),
                    format!("The change is made; it was to be refused: '{want}'."),
                );
            }
            (None, Some(why)) => fail(None, Some(at), format!("The change is refused: {why}.")),
            _ => {}
        }
    }
}

fn events(
    want: &[EventLine],
    found: &[&Event],
    which: &str,
    request: Option<RequestId>,
    fail: Fail<'_>,
) {
    if want.len() == found.len() && want.iter().zip(found).all(|(want, found)| want.0 == **found) {
        return;
    }
    let list = |events: &mut dyn Iterator<Item = &Event>| {
        let lines: Vec<String> = events.map(qapi::text).collect();
        if lines.is_empty() { "none".into() } else { lines.join(", ") }
    };
    let want = list(&mut want.iter().map(|line| &line.0));
    let found = list(&mut found.iter().copied());
    fail(request, None, format!("The {which} are: {found}; expected: {want}."));
}
