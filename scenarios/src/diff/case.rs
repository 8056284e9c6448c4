//! What of a scenario both sides can run.

use crate::model::{Action, Number, Request, Scenario, ZeroFlag, Zeroes};
use quorate_engine::{Limits, ZeroFlags, quorum::options::Overlap};
use quorate_faults::{device::Frozen, fault::Fault, rule::Rule, text::Size};
use quorate_qemu::Abilities;

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
        return Err(
            "one of its disks is read-only, and QEMU exports no array over it to be written to",
        );
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
    for number in 0..suited.disks() {
        let limits = over_nbd(scenario.disk(number).limits);
        let disk = suited.child.entry(Number(number)).or_default();
        (disk.alignment, disk.max_transfer) =
            (Some(limits.request_alignment), limits.max_transfer.map(|most| Size(most.into())));
        (disk.write_fua, disk.read_only) = (Some(limits.write_fua), Some(limits.read_only));
        disk.zeroes = Some(zeroes(limits.zeroes));
    }
    let end = lengths.iter().min().copied().unwrap_or_default();
    let most = (0..scenario.disks()).filter_map(|number| suited.disk(number).limits.max_transfer);
    let zeroes_most = most.map(u64::from).min().unwrap_or(REQUEST_BYTES_MAX);
    for steps in suited.scripts_mut() {
        for step in &mut *steps {
            forget(step);
        }
        steps.retain(|step| match step {
            Action::Request { request, .. } => is_asked(request, end, zeroes_most),
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

/// Why it has to be compared in order, if it does.
pub(super) fn is_ordered(scenario: &Scenario) -> Option<&'static str> {
    if is_timed(scenario) {
        return Some("what befalls its disks is a matter of time");
    }
    if hangs(scenario) {
        return Some(
            "a disk never answers: its run may end before everything has come that QEMU asks",
        );
    }
    let blocks = (0..scenario.disks()).any(|n| scenario.disk(n).limits.request_alignment > 1);
    blocks.then_some("where QEMU goes on behind a failed read (D6) is told from other differences by the order only")
}

/// Whether a disk goes without answering.
fn hangs(scenario: &Scenario) -> bool {
    let freezes = |step: &Action| matches!(step, Action::Freeze { how: Frozen::Hung, .. });
    let hangs = |rule: &Rule| matches!(rule.r#do, Fault::Hang { .. });
    scenario.rules.iter().any(hangs) || scenario.scripts().flatten().any(freezes)
}

/// Whether something that befalls its disks is a matter of time.
fn is_timed(scenario: &Scenario) -> bool {
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

/// What a disk is like behind NBD.
pub(super) fn over_nbd(limits: Limits) -> Limits {
    Abilities::from(limits).into()
}

fn zeroes(flags: Option<ZeroFlags>) -> Zeroes {
    let Some(ZeroFlags { fua, may_unmap, no_fallback }) = flags else { return Zeroes::All(false) };
    let all = [
        (fua, ZeroFlag::Fua),
        (may_unmap, ZeroFlag::MayUnmap),
        (no_fallback, ZeroFlag::NoFallback),
    ];
    Zeroes::Flags(all.into_iter().filter(|(has, _)| *has).map(|(_, flag)| flag).collect())
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
    if let Action::Drop { name } = step {
        *step = Action::Wait { name: std::mem::take(name) };
    }
}

/// Whether a request can be asked over NBD, and gets as far as the array.
///
/// What holds for other requests holds for zeroes at a child of NBD, too: they are no longer than its longest. The
/// engine's disks have no limit for these.
fn is_asked(request: &Request, end: u64, zeroes_most: u64) -> bool {
    match *request {
        Request::WriteZeroes { bytes, .. } if bytes > zeroes_most => false,
        Request::Read { offset, bytes }
        | Request::Write { offset, bytes, .. }
        | Request::WriteZeroes { offset, bytes, .. }
        | Request::Discard { offset, bytes } => {
            let inside = offset.checked_add(bytes).is_some_and(|to| to <= end);
            inside && (1..=REQUEST_BYTES_MAX).contains(&bytes)
        }
        Request::Flush => true,
        Request::BlockStatus { .. }
        | Request::Length
        | Request::Truncate { .. }
        | Request::Invalidate
        | Request::Close => false,
    }
}

/// The longest request of NBD.
const REQUEST_BYTES_MAX: u64 = 32 << 20;
const SECTOR: u64 = 512;
