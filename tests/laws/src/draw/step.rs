//! Steps of a client.

use super::{DISK_BYTES, bytes, fault::crash, perhaps, pick, rarely, some, time};
use arbitrary::{Result, Unstructured};
use quorate_engine::{Errno, Flags};
use quorate_faults::{
    device::Frozen,
    fault::Crash,
    rule::OpKind,
    text::{Time, TimeRange},
};
use quorate_scenarios::model::{Action, Expected, Payload, Request, Selection};

/// At most so many steps of the client of this number, with what belongs to each.
pub(super) fn steps(
    from: &mut Unstructured<'_>,
    most: usize,
    client: usize,
    disks: u32,
) -> Result<Vec<Action>> {
    let mut steps = Vec::new();
    let mut running = Vec::new();
    for number in 0..from.int_in_range(1..=most)? {
        if from.is_empty() {
            break;
        }
        let name = format!("r{number}");
        match from.int_in_range(0..=15)? {
            0..=7 => steps.push(ask(request(from)?, None)),
            8..=10 => {
                steps.push(ask(request(from)?, Some(name.clone())));
                running.push(name);
            }
            11 => {
                let Some(name) = running.pop() else { continue };
                let is_dropped = from.arbitrary()?;
                steps.push(if is_dropped { Action::Drop { name } } else { Action::Wait { name } });
            }
            12 => steps.push(Action::Sleep(Time(time(from)?))),
            // Two clients that wait for each other would wait for ever.
            13 if client == 0 && rarely(from, 4)? => {
                steps.push(Action::Join(perhaps(from, |from| Ok(Time(time(from)?)))?));
            }
            _ => steps.push(upset(from, disks)?),
        }
    }
    Ok(steps)
}

fn ask(request: Request, background: Option<String>) -> Action {
    Action::Request { request, background, expected: Expected::default() }
}

fn request(from: &mut Unstructured<'_>) -> Result<Request> {
    let offset = bytes(from, SPAN_BYTES)?;
    // Not of nothing: what such a request waits for, and whose its operations are, the oracle cannot tell.
    let length = bytes(from, SPAN_BYTES)?.max(1);
    let flags = |from: &mut Unstructured<'_>, zeroes: bool| {
        let fua = rarely(from, 4)?;
        let (may_unmap, no_fallback) = (zeroes && from.arbitrary()?, zeroes && rarely(from, 4)?);
        Ok(Flags { fua, may_unmap, no_fallback })
    };
    Ok(match from.int_in_range(0..=31)? {
        0..=12 => Request::Read { offset, bytes: length },
        13..=22 => {
            let payload = perhaps(from, |from| from.arbitrary().map(Payload::Fill))?;
            let payload = payload.unwrap_or(Payload::Stamp);
            Request::Write { offset, bytes: length, payload, flags: flags(from, false)? }
        }
        23 | 24 => Request::WriteZeroes { offset, bytes: length, flags: flags(from, true)? },
        25 | 26 => Request::Flush,
        27 => Request::Discard { offset, bytes: length },
        28 => Request::BlockStatus { offset, bytes: length },
        29 => Request::Length,
        30 => match rarely(from, 2)? {
            false => Request::Truncate { bytes: length },
            true => Request::Invalidate,
        },
        _ if rarely(from, 2)? => Request::Close,
        // Beyond the end, or nearly.
        _ => Request::Read { offset: DISK_BYTES - length, bytes: 2 * length },
    })
}

/// What is done to disks and to the array behind the clients' backs.
fn upset(from: &mut Unstructured<'_>, disks: u32) -> Result<Action> {
    let index = |from: &mut Unstructured<'_>| from.int_in_range(0..=disks - 1);
    let few = |from: &mut Unstructured<'_>| some(from, 2, index);
    let selection = |from: &mut Unstructured<'_>| {
        let kinds = [OpKind::Read, OpKind::Write, OpKind::WriteZeroes, OpKind::Flush];
        let on = perhaps(from, |from| pick(from, &kinds))?;
        Ok(Selection { child: Some(index(from)?), on })
    };
    Ok(match from.int_in_range(0..=15)? {
        0..=3 => {
            let (offset, bytes) = (bytes(from, SPAN_BYTES)?, bytes(from, SPAN_BYTES)?.max(1));
            Action::Corrupt { child: index(from)?, offset, bytes, fill: from.arbitrary()? }
        }
        4 => Action::Hold(selection(from)?),
        5 | 6 => Action::Release {
            which: selection(from)?,
            count: perhaps(from, |from| from.int_in_range(1..=2))?,
        },
        7 => Action::Order(few(from)?),
        8 => {
            let start = time(from)?;
            let end = Some(start + time(from)?);
            Action::Latency { child: index(from)?, time: TimeRange { start, end } }
        }
        9 => {
            let fails = from.arbitrary()?;
            let Crash { keep, down, .. } = crash(from)?;
            let down = if fails { down } else { std::time::Duration::ZERO };
            let crash = Crash { keep, down, errno: Errno::EIO };
            Action::CutPower { children: perhaps(from, few)?, crash, fails }
        }
        10 => Action::Heal { children: perhaps(from, few)? },
        11 => {
            let how = [Frozen::Dead(Errno::EIO), Frozen::Stale, Frozen::Hung];
            Action::Freeze { children: few(from)?, how: pick(from, &how)? }
        }
        12 | 13 => Action::Add { child: index(from)?, refused: None },
        _ => Action::Remove { name: format!("children.{}", index(from)?), refused: None },
    })
}

/// Requests lie within twice as many bytes.
const SPAN_BYTES: u64 = DISK_BYTES / 2;
