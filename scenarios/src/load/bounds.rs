//! What a scenario may ask for: so much that no machine runs out of memory over a file.

use super::{Wrong, wrong};
use crate::model::{Action, Request, Scenario};

/// What can be said of a scenario before anything is made of it.
pub(super) fn check(scenario: &Scenario) -> Result<(), Wrong> {
    if scenario.disks() > DISKS_MAX {
        let key = if scenario.array.disks.is_some() { "disks" } else { "children" };
        let message = format!("there are at most {DISKS_MAX} disks");
        return wrong(vec!["array".into(), key.into()], message);
    }
    if scenario.clients.len() >= CLIENTS_MAX {
        return wrong(vec!["client".into()], format!("there are fewer than {CLIENTS_MAX} clients"));
    }
    if scenario.limits.seconds > SECONDS_MAX {
        let path = vec!["limits".into(), "seconds".into()];
        return wrong(path, format!("a run takes at most {SECONDS_MAX} seconds of device time"));
    }
    let disturbs = |step: &Action| matches!(step, Action::Brick { .. });
    let drawn = scenario.random.as_ref().is_some_and(|random| random.bricks > 0);
    if scenario.budget.is_some() && (drawn || scenario.scripts().flatten().any(disturbs)) {
        let message = "a budget knows nothing of bricks that are disturbed: leave out one of them";
        return wrong(vec!["budget".into()], message);
    }
    let Some(random) = &scenario.random else { return Ok(()) };
    let path = |key: &'static str| vec!["random".into(), key.into()];
    if random.children.iter().any(|&count| count > DISKS_MAX) {
        return wrong(path("children"), format!("there are at most {DISKS_MAX} disks"));
    }
    if random.clients as usize >= CLIENTS_MAX {
        return wrong(path("clients"), format!("there are fewer than {CLIENTS_MAX} clients"));
    }
    if random.bricks > REQUESTS_MAX {
        return wrong(path("bricks"), format!("at most {REQUESTS_MAX} disturbances are drawn"));
    }
    if random.requests > REQUESTS_MAX {
        return wrong(path("requests"), format!("a profile has at most {REQUESTS_MAX} requests"));
    }
    memory(random.bytes_max.0, "a request").or_else(|message| wrong(path("bytes-max"), message))
}

/// Whether a step can be done in memory.
pub(super) fn check_step(action: &Action) -> Result<(), String> {
    let request = |request: &Request| match request {
        Request::Read { bytes, .. }
        | Request::Write { bytes, .. }
        | Request::WriteZeroes { bytes, .. } => memory(*bytes, "a request"),
        _ => Ok(()),
    };
    match action {
        Action::Request { request: asked, .. } => request(asked),
        Action::Corrupt { bytes, .. } => memory(*bytes, "a range to corrupt"),
        _ => Ok(()),
    }
}

/// Whether so many bytes may be had in memory.
pub(super) fn memory(bytes: u64, what: &str) -> Result<(), String> {
    match bytes <= MEMORY_BYTES_MAX {
        true => Ok(()),
        false => Err(format!("{what} is at most 1 GiB")),
    }
}

/// The most disks.
const DISKS_MAX: u32 = 1000;
/// More clients than there are, client 0 among them.
const CLIENTS_MAX: usize = 1000;
/// The most requests that a profile draws.
const REQUESTS_MAX: u32 = 1_000_000;
/// The longest run, a little more than thirty years.
const SECONDS_MAX: u64 = 1_000_000_000;
/// The most that is held in memory as one.
const MEMORY_BYTES_MAX: u64 = 1 << 30;
