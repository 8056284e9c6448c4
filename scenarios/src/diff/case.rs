//! What of a scenario both sides can run.

use crate::model::{Action, Disk, Request, Scenario, ZeroFlag, Zeroes};
use quorate_engine::quorum::options::Overlap;
use quorate_faults::{fault::Fault, rule::Rule};

/// The scenario as both sides run it: as it is, but for what NBD cannot ask or a child over NBD cannot be, and
/// with requests that overlap as QEMU has them.
///
/// # Errors
/// Nothing of it can be compared, and why.
pub fn suited(scenario: &Scenario) -> Result<Scenario, &'static str> {
    if scenario.random.is_some() {
        return Err("it is a profile: give it a seed");
    }
    if scenario.gluster.is_some() {
        return Err("its disks are on gluster");
    }
    if scenario.array.throttle {
        return Err("it is about the rate limit of events, which is off in a comparison");
    }
    if scenario.array.read_only {
        return Err(
            "its array is read-only, and NBD refuses what is written before QEMU's quorum hears of it",
        );
    }
    if (0..scenario.disks()).any(|number| scenario.disk(number).limits.read_only) {
        return Err("one of its disks is read-only");
    }
    let lengths: Vec<u64> = (0..scenario.disks()).map(|n| scenario.disk(n).bytes).collect();
    if lengths.iter().any(|bytes| !bytes.is_multiple_of(SECTOR)) {
        return Err("QEMU's devices are made of whole sectors");
    }
    let changes = |action: &Action| matches!(action, Action::Add { .. } | Action::Remove { .. });
    let waits = |action: &Action| {
        matches!(action, Action::Request { background: Some(_), .. } | Action::Hold(_))
    };
    let has = |what: fn(&Action) -> bool| scenario.scripts().flatten().any(what);
    if has(|action| matches!(action, Action::Brick { .. })) {
        return Err("its disks have bricks");
    }
    if has(changes) && (!scenario.clients.is_empty() || has(waits)) {
        return Err(
            "QEMU's monitor answers to a change of children only once no request is in flight",
        );
    }
    let mut suited = scenario.clone();
    suited.array.overlap = Overlap::Qemu;
    for disk in std::iter::once(&mut suited.disk).chain(suited.child.values_mut()) {
        over_nbd(disk);
    }
    suited.disk.write_fua = Some(true);
    suited.disk.zeroes = Some(zeroes());
    let end = lengths.iter().min().copied().unwrap_or_default();
    for steps in suited.scripts_mut() {
        for step in &mut *steps {
            forget(step);
        }
        steps.retain(|step| match step {
            Action::Request { request, .. } => is_asked(request, end),
            _ => true,
        });
    }
    in_turn(&mut suited);
    let asks = |step: &Action| matches!(step, Action::Request { .. });
    let is_silent = !suited.scripts().flatten().any(asks);
    if is_silent && scenario.scripts().flatten().any(asks) {
        return Err("no request of it can be asked over NBD");
    }
    Ok(suited)
}

/// Whether something that befalls its disks is a matter of time.
pub(super) fn is_timed(scenario: &Scenario) -> bool {
    let rules = scenario.rules.iter();
    let timed = |rule: &Rule| {
        rule.when.at.is_some()
            || rule.when.window.is_some()
            || rule.when.after.is_some()
            || matches!(rule.r#do, Fault::Crash(_))
    };
    let acts = |step: &Action| matches!(step, Action::CutPower { .. } | Action::Hold(_));
    rules.into_iter().any(timed) || scenario.scripts().flatten().any(acts)
}

/// What a disk is like that is behind NBD: it takes any bytes, FUA, and zeroes.
fn over_nbd(disk: &mut Disk) {
    (disk.alignment, disk.max_transfer) = (None, None);
    (disk.write_fua, disk.zeroes, disk.read_only) = (None, None, None);
}

fn zeroes() -> Zeroes {
    Zeroes::Flags(vec![ZeroFlag::Fua, ZeroFlag::MayUnmap])
}

/// Has one client do what several do at the same time, one after the other, unless they are about being held back.
///
/// With two requests in flight at a child, QEMU's NBD client keeps the answer to the first until the second is
/// answered, too: when requests begin and end would be its doing, not the quorum's.
fn in_turn(scenario: &mut Scenario) {
    if scenario.scripts().flatten().any(|step| matches!(step, Action::Hold(_))) {
        return;
    }
    for client in std::mem::take(&mut scenario.clients) {
        scenario.steps.extend(client.steps);
    }
    scenario.steps.retain(|step| !matches!(step, Action::Wait { .. } | Action::Join(_)));
    for step in &mut scenario.steps {
        if let Action::Request { background, .. } = step {
            *background = None;
        }
    }
}

/// What a client of NBD cannot do: to give up on a request becomes to wait for it.
fn forget(step: &mut Action) {
    match step {
        Action::Drop { name } => *step = Action::Wait { name: std::mem::take(name) },
        Action::Request { request: Request::WriteZeroes { flags, .. }, .. } => {
            flags.no_fallback = false;
        }
        _ => {}
    }
}

/// Whether a request can be asked over NBD, and gets as far as the array.
fn is_asked(request: &Request, end: u64) -> bool {
    match *request {
        Request::Read { offset, bytes }
        | Request::Write { offset, bytes, .. }
        | Request::WriteZeroes { offset, bytes, .. } => {
            let inside = offset.checked_add(bytes).is_some_and(|to| to <= end);
            inside && (1..=REQUEST_BYTES_MAX).contains(&bytes)
        }
        Request::Flush => true,
        Request::Discard { .. }
        | Request::BlockStatus { .. }
        | Request::Length
        | Request::Truncate { .. }
        | Request::Invalidate
        | Request::Close => false,
    }
}

/// The longest request of NBD.
const REQUEST_BYTES_MAX: u64 = 32 << 20;
const SECTOR: u64 = 512;
