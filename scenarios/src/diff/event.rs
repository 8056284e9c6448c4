//! What QEMU tells, as the engine's events.

use quorate_engine::{Errno, Event, NodeName, OpType, Sectors};
use quorate_qemu::Event as Told;
use serde_json::Value;

/// The event, if it is one of a quorum's; of nodes whose names end with this behind a dash.
///
/// # Errors
/// It is none that the engine has.
pub(super) fn of(told: &Told, suffix: &str) -> Result<Option<Event>, String> {
    let unknown = || format!("the event {told:?}");
    let text = |key| told.data.get(key).and_then(Value::as_str).ok_or_else(unknown);
    let number = |key| told.data.get(key).and_then(Value::as_u64).ok_or_else(unknown);
    let node = |key| {
        let name = text(key)?.strip_suffix(suffix).and_then(|name| name.strip_suffix('-'));
        name.map(NodeName::from).ok_or_else(unknown)
    };
    let sectors = || -> Result<Sectors, String> {
        Ok(Sectors { first: number("sector-num")?, count: number("sectors-count")? })
    };
    Ok(Some(match told.name.as_str() {
        "QUORUM_REPORT_BAD" => Event::ReportBad {
            op: match text("type")? {
                "read" => OpType::Read,
                "write" => OpType::Write,
                "flush" => OpType::Flush,
                _ => return Err(unknown()),
            },
            node_name: node("node-name")?,
            error: match told.data.get("error") {
                None => None,
                Some(said) => {
                    let errno = Errno::all().find(|errno| *said == errno.message().as_str());
                    Some(errno.ok_or_else(unknown)?)
                }
            },
            sectors: sectors()?,
        },
        "QUORUM_FAILURE" => Event::Failure { reference: node("reference")?, sectors: sectors()? },
        _ => return Ok(None),
    }))
}

/// What a verifier says before it ends its process, if this is it.
pub(super) fn mismatch(said: &str) -> Option<Event> {
    let line = said.lines().find(|line| line.starts_with("quorum: offset="))?;
    let number = |key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some(Event::Mismatch {
        reference: "q".into(),
        offset: number("offset=")?,
        bytes: number("bytes=")?,
        first_difference: number("at offset ")?,
    })
}
