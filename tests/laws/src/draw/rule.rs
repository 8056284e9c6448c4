//! Rules: on which operations of which disks, where, when, and what then.

use super::{bytes, count, fault::fault, perhaps, pick, rarely, some, time};
use arbitrary::{Result, Unstructured};
use quorate_faults::{
    fault::Fault,
    rule::{After, ArrayEvent, Children, Members, OpKind, Origins, Place, Rule, Sharing, When},
    text::{Ratio, SectorRange, SizeRange, TimeRange},
};

/// The rule of this number, for so many disks, all of which are the group `all`.
///
/// # Errors
/// Never: bytes that are not there are zeroes.
pub fn rule(from: &mut Unstructured<'_>, number: usize, disks: u32) -> Result<Rule> {
    let fault = fault(from)?;
    let on = on(from, &fault)?;
    let when = if on.is_empty() { strike(from)? } else { when(from)? };
    Ok(Rule {
        name: format!("r{number}"),
        child: children(from, disks)?,
        r#where: place(from, &on)?,
        when,
        r#do: fault,
        on,
    })
}

fn on(from: &mut Unstructured<'_>, fault: &Fault) -> Result<Vec<OpKind>> {
    if fault.strikes() && rarely(from, 3)? {
        return Ok(Vec::new());
    }
    // Seldom a kind that it does not befall, which is to be refused.
    let kinds = if rarely(from, 64)? { OpKind::ALL } else { fault.befalls() };
    some(from, 2, |from| pick(from, kinds))
}

fn children(from: &mut Unstructured<'_>, disks: u32) -> Result<Children> {
    let index = |from: &mut Unstructured<'_>| from.int_in_range(0..=disks - 1);
    let sharing = [Sharing::Independent, Sharing::Shared, Sharing::SharedBytes, Sharing::Exclusive];
    Ok(match from.int_in_range(0..=7)? {
        0..=2 => Children::Index(index(from)?),
        3 => Children::Any,
        4 => Children::List(some(from, 3, index)?),
        5 => Children::Atlas,
        6 => {
            let members = Members::List(some(from, 3, index)?);
            Children::Drawn { members, draw: pick(from, &sharing)? }
        }
        _ => Children::Drawn { members: Members::Group("all".into()), draw: pick(from, &sharing)? },
    })
}

fn place(from: &mut Unstructured<'_>, on: &[OpKind]) -> Result<Place> {
    if on.is_empty() || !on.iter().all(|kind| kind.has_range()) {
        return Ok(Place::default());
    }
    let sectors = perhaps(from, |from| {
        let start = from.int_in_range(0..=31)?;
        Ok(SectorRange { start, end: start + from.int_in_range(1..=8)? })
    })?;
    let sizes = perhaps(from, |from| {
        let min = bytes(from, 4096)?;
        let max = if rarely(from, 3)? { u64::MAX } else { min + bytes(from, 4096)? };
        Ok(SizeRange { min, max })
    })?;
    let origin = pick(from, &[Origins::Any, Origins::Any, Origins::Guest, Origins::Rewrite])?;
    Ok(Place { sectors, origin, bytes: sizes })
}

fn when(from: &mut Unstructured<'_>) -> Result<When> {
    let window = perhaps(from, |from| {
        let start = time(from)?;
        Ok(TimeRange { start, end: perhaps(from, |from| Ok(start + time(from)?))? })
    })?;
    let has_end = window.is_some_and(|window| window.end.is_some());
    Ok(When {
        nth: perhaps(from, |from| some(from, 3, count))?.unwrap_or_default(),
        every: perhaps(from, count)?,
        first: perhaps(from, count)?,
        rate: perhaps(from, rate)?,
        max: perhaps(from, count)?,
        window,
        period: if has_end { perhaps(from, |from| Ok(2 * time(from)?))? } else { None },
        after: perhaps(from, after)?,
        ..When::default()
    })
}

/// When a rule strikes that names no operation.
fn strike(from: &mut Unstructured<'_>) -> Result<When> {
    Ok(match from.int_in_range(0..=2)? {
        0 => When { at: Some(time(from)?), ..When::default() },
        1 => {
            let start = time(from)?;
            let window = Some(TimeRange { start, end: Some(start + time(from)?) });
            When { window, ..When::default() }
        }
        _ => When { after: Some(after(from)?), ..When::default() },
    })
}

fn rate(from: &mut Unstructured<'_>) -> Result<Ratio> {
    let below = from.int_in_range(1..=20)?;
    Ok(Ratio::new(from.int_in_range(0..=below)?, below).expect("at most one"))
}

fn after(from: &mut Unstructured<'_>) -> Result<After> {
    let event = pick(
        from,
        &[
            ArrayEvent::GuestWriteAcked,
            ArrayEvent::GuestReadDone,
            ArrayEvent::FlushAcked,
            ArrayEvent::ReportBad,
            ArrayEvent::Failure,
        ],
    )?;
    let delay = perhaps(from, |from| {
        let start = time(from)?;
        Ok(TimeRange { start, end: Some(start + time(from)?) })
    })?;
    Ok(After { event, count: count(from)?, delay })
}
