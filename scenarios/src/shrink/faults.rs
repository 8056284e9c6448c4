//! Milder and plainer faults in the place of others.

use super::cost::{bits, number_weight, size, time};
use quorate_engine::Errno;
use quorate_faults::{
    fault::{
        Amount, Applied, Crash, Damage, Delaying, Dirty, Earlier, Fault, Heal, Keep, Kept, Rest,
        Shows, Stability, Stuck, Survivors, Target, Torn,
    },
    rule::Rule,
    text::SectorShift,
};
use std::time::Duration;

/// What is to be tried in the place of a rule's fault, the mildest first.
pub(super) fn milder(rule: &Rule) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Delay(Delaying::Fixed(Duration::from_millis(1))),
        Fault::Status { errno: Errno::EIO, applied: Applied::None },
        Fault::Lost { shows: Shows::Old },
        Fault::Corrupt { damage: one_bit(), stability: Stability::Fresh },
        Fault::Corrupt { damage: bytes(512), stability: Stability::Fresh },
        Fault::Rot { damage: one_bit(), heal: Heal::Overwrite },
    ];
    faults.extend(plainer(&rule.r#do));
    faults
}

/// The same kind of fault with less to say of it.
fn plainer(fault: &Fault) -> Vec<Fault> {
    let once = Clone::clone;
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Fault)| {
        let mut other = once(fault);
        change(&mut other);
        all.push(other);
    };
    match fault {
        Fault::Status { .. } | Fault::Hang { .. } => {
            with(&|fault| {
                if let Fault::Status { applied, .. } | Fault::Hang { applied } = fault {
                    *applied = Applied::None;
                }
            });
            with(&|fault| {
                if let Fault::Status { applied, .. } | Fault::Hang { applied } = fault {
                    *applied = Applied::All;
                }
            });
            for keep in kept() {
                with(&|fault| {
                    if let Fault::Status { applied, .. } | Fault::Hang { applied } = fault {
                        *applied = Applied::Part(keep.clone());
                    }
                });
            }
            with(&|fault| {
                if let Fault::Status { errno, .. } = fault {
                    *errno = Errno::EIO;
                }
            });
        }
        Fault::Delay(delaying) => {
            let times = match *delaying {
                Delaying::Fixed(time) => vec![time / 2, time / 10, round(time)],
                Delaying::Uniform { min, max } => vec![min, max, round(max)],
                Delaying::Exp { mean, max, .. } => vec![mean, max.unwrap_or(mean * 4)],
            };
            let fixed = times.into_iter().filter(|time| !time.is_zero()).map(Delaying::Fixed);
            all.extend(fixed.map(Fault::Delay));
        }
        Fault::Corrupt { damage, stability } => {
            all.extend(
                damages(damage).map(|damage| Fault::Corrupt { damage, stability: *stability }),
            );
            let (damage, stability) = (damage.clone(), Stability::Fresh);
            all.push(Fault::Corrupt { damage, stability });
        }
        Fault::Rot { damage, heal } => {
            all.extend(damages(damage).map(|damage| Fault::Rot { damage, heal: *heal }));
            all.push(Fault::Rot { damage: damage.clone(), heal: Heal::Overwrite });
        }
        Fault::Stuck { level, .. } => {
            all.push(Fault::Stuck { stuck: Stuck::Bits(1), level: *level });
            all.push(Fault::Stuck { stuck: Stuck::Bits(8), level: *level });
        }
        Fault::Unreadable { at, heal, .. } => {
            let (errno, radius) = (Errno::EIO, 0);
            all.push(Fault::Unreadable {
                sectors: 1,
                at: None,
                radius,
                errno,
                heal: Heal::Overwrite,
            });
            all.push(Fault::Unreadable { sectors: 1, at: *at, radius, errno, heal: *heal });
        }
        Fault::Lost { .. } => {}
        Fault::Torn { keep, unit, then, rest } => {
            let torn = |keep: Keep, then, rest| Fault::Torn { keep, unit: 512, then, rest };
            for keep in kept() {
                all.push(torn(keep.clone(), None, Rest::Old));
                all.push(torn(keep, *then, *rest));
            }
            all.push(torn(keep.clone(), *then, Rest::Old));
            all.push(Fault::Torn { keep: keep.clone(), unit: *unit, then: None, rest: *rest });
        }
        Fault::Misdirect { target, heal } => {
            let by = |sectors| Target::By(SectorShift(sectors));
            for target in [by(1), by(-1), by(8), Target::To(0), *target] {
                all.push(Fault::Misdirect { target, heal: None });
                all.push(Fault::Misdirect { target, heal: *heal });
            }
        }
        Fault::Replay(_) => all.push(Fault::Replay(Earlier::Back(1))),
        Fault::Short { .. } => all.extend([0, 512].map(|bytes| Fault::Short { bytes })),
        Fault::Stale { versions, heal } => {
            all.push(Fault::Stale { versions: 1, heal: None });
            all.push(Fault::Stale { versions: *versions, heal: None });
            all.push(Fault::Stale { versions: 1, heal: *heal });
        }
        Fault::Zero { heal, .. } => {
            all.push(Fault::Zero { fill: 0, heal: None });
            all.push(Fault::Zero { fill: 0, heal: *heal });
        }
        Fault::Flush { dirty, errno, keep } => {
            let errno = errno.or(Some(Errno::EIO));
            all.push(Fault::Flush { dirty: Dirty::Retain, errno, keep: None });
            all.push(Fault::Flush { dirty: Dirty::Lie, errno: None, keep: None });
            let errno = errno.filter(|_| *dirty != Dirty::Lie);
            all.push(Fault::Flush { dirty: *dirty, errno, keep: None });
            all.push(Fault::Flush {
                dirty: *dirty,
                errno: errno.map(|_| Errno::EIO),
                keep: keep.clone(),
            });
        }
        Fault::Crash(crash) => all.extend(lesser_crashes(crash).map(Fault::Crash)),
        Fault::Rollback(_) => all.push(Fault::Rollback(Earlier::Back(1))),
        Fault::ReadOnly
        | Fault::Widen { .. }
        | Fault::Unsupported
        | Fault::Length { .. }
        | Fault::FalseZero
        | Fault::FalseData
        | Fault::Extent { .. } => {}
    }
    all
}

/// Power cuts with less to say of them.
pub(super) fn lesser_crashes(crash: &Crash) -> impl Iterator<Item = Crash> + use<> {
    let drawn = |keep, torn, reorder| Survivors::Drawn { keep, torn, rest: Rest::Old, reorder };
    let mut keeps = vec![
        drawn(Kept::None, Torn::Whole, false),
        drawn(Kept::All, Torn::Whole, false),
        drawn(Kept::All, Torn::Part(Keep::Prefix(1)), false),
        drawn(Kept::Prefix, Torn::Whole, false),
    ];
    if let Survivors::Drawn { keep, torn, rest, reorder } = &crash.keep {
        keeps.extend([
            drawn(keep.clone(), Torn::Whole, false),
            drawn(keep.clone(), torn.clone(), *reorder),
            Survivors::Drawn {
                keep: keep.clone(),
                torn: torn.clone(),
                rest: *rest,
                reorder: false,
            },
        ]);
    }
    keeps.push(crash.keep.clone());
    let (down, errno) = (crash.down, crash.errno);
    keeps.into_iter().flat_map(move |keep| {
        [(Duration::ZERO, Errno::EIO), (down, Errno::EIO), (down, errno)]
            .map(|(down, errno)| Crash { keep: keep.clone(), down, errno })
    })
}

fn damages(damage: &Damage) -> impl Iterator<Item = Damage> + use<> {
    let free = Damage { at: None, ..damage.clone() };
    let first = match &damage.amount {
        Amount::Flips(flips) => flips.first().map(|flip| Amount::Flips(vec![*flip])),
        _ => None,
    };
    let first = first.map(|amount| Damage { amount, at: None });
    [one_bit(), bytes(1), bytes(512), free].into_iter().chain(first)
}

fn one_bit() -> Damage {
    Damage { amount: Amount::Bits(1), at: None }
}

fn bytes(bytes: u64) -> Damage {
    Damage { amount: Amount::Bytes(bytes), at: None }
}

fn kept() -> [Keep; 2] {
    [Keep::Prefix(1), Keep::Suffix(1)]
}

/// The time in whole milliseconds.
fn round(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs()) + Duration::from_millis(time.subsec_millis().into())
}

/// How severe a fault is, and how much there is to say of it.
pub(super) fn weight(fault: &Fault) -> u64 {
    match fault {
        Fault::Delay(Delaying::Fixed(min)) => 1 + time(*min),
        Fault::Delay(Delaying::Uniform { min, max }) => 4 + time(*min) + time(*max),
        Fault::Delay(Delaying::Exp { min, mean, max }) => {
            6 + time(*min) + time(*mean) + time(max.unwrap_or_default())
        }
        Fault::Status { errno, applied } => {
            6 + u64::from(*errno != Errno::EIO) + self::applied(applied)
        }
        Fault::Unsupported => 6,
        Fault::Lost { shows } => 10 + 3 * u64::from(*shows != Shows::Old),
        Fault::Corrupt { damage, stability } => {
            12 + self::damage(damage) + 2 * u64::from(*stability != Stability::Fresh)
        }
        Fault::Short { bytes } => 12 + size(*bytes),
        Fault::Zero { fill, heal } => 14 + u64::from(*fill != 0) + ghost(*heal),
        Fault::FalseZero | Fault::FalseData | Fault::ReadOnly => 14,
        Fault::Extent { bytes } | Fault::Length { bytes } | Fault::Widen { unit: bytes } => {
            14 + size(*bytes)
        }
        Fault::Rot { damage, heal } => {
            15 + self::damage(damage) + 2 * u64::from(*heal != Heal::Overwrite)
        }
        Fault::Unreadable { sectors, at, radius, errno, heal } => {
            15 + number_weight(*sectors)
                + at.map_or(0, |at| 3 + size(at))
                + bits(*radius)
                + u64::from(*errno != Errno::EIO)
                + 2 * u64::from(*heal != Heal::Overwrite)
        }
        Fault::Stale { versions, heal } => 16 + number_weight(*versions) + ghost(*heal),
        Fault::Flush { dirty, errno, keep } => {
            let dirty = if *dirty == Dirty::Retain { 0 } else { 2 };
            let errno = u64::from(errno.is_some_and(|errno| errno != Errno::EIO));
            16 + dirty + errno + keep.as_ref().map_or(0, self::keep)
        }
        Fault::Torn { keep, unit, then, rest } => {
            18 + self::keep(keep)
                + if *unit == 512 { 0 } else { 3 + size(*unit) }
                + 3 * (u64::from(then.is_some()) + u64::from(*rest != Rest::Old))
        }
        Fault::Misdirect { target, heal } => {
            let target = match target {
                Target::By(SectorShift(by)) => 1 + bits(by.unsigned_abs()),
                Target::To(to) => 2 + bits(*to),
            };
            18 + target + ghost(*heal)
        }
        Fault::Replay(Earlier::Back(lag)) => 20 + number_weight(*lag),
        Fault::Replay(Earlier::Write(write)) => 24 + bits(*write),
        Fault::Stuck { stuck, level } => {
            let stuck = match stuck {
                Stuck::Bits(bits) => number_weight(*bits),
                Stuck::Flips(flips) | Stuck::Wire(flips) => 4 + 3 * flips.len() as u64,
            };
            20 + stuck + 3 * u64::from(*level != quorate_faults::fault::Level::High)
        }
        Fault::Hang { applied } => 20 + self::applied(applied),
        Fault::Rollback(Earlier::Back(versions)) => 22 + number_weight(*versions),
        Fault::Rollback(Earlier::Write(write)) => 26 + bits(*write),
        Fault::Crash(crash) => 22 + self::crash(crash),
    }
}

/// How much there is to say of a power cut.
pub(super) fn crash(crash: &Crash) -> u64 {
    let keep = match &crash.keep {
        Survivors::Drawn { keep, torn, rest, reorder } => {
            let keep = match keep {
                Kept::None => 0,
                Kept::All => 3,
                Kept::Prefix => 6,
                Kept::Part(keep) => 4 + self::keep(keep),
            };
            let torn = match torn {
                Torn::Whole => 0,
                Torn::Part(keep) => 4 + self::keep(keep),
            };
            keep + torn + 4 * (u64::from(*rest != Rest::Old) + u64::from(*reorder))
        }
        Survivors::Runs { runs, flips } => 6 + 8 * runs.len() as u64 + 4 * flips.len() as u64,
    };
    let down = if crash.down.is_zero() { 0 } else { 3 + time(crash.down) };
    keep + down + 3 * u64::from(crash.errno != Errno::EIO)
}

fn damage(damage: &Damage) -> u64 {
    let amount = match &damage.amount {
        Amount::Bits(bits) => number_weight(*bits),
        Amount::Bytes(bytes) => 1 + size(*bytes),
        Amount::Sectors(sectors) => 2 + number_weight(*sectors),
        Amount::Flips(flips) => flips.iter().map(|flip| 5 + size(flip.at)).sum(),
    };
    amount + damage.at.map_or(0, |at| 3 + size(at))
}

fn applied(applied: &Applied) -> u64 {
    match applied {
        Applied::None => 0,
        Applied::All => 3,
        Applied::Part(keep) => 4 + self::keep(keep),
    }
}

fn keep(keep: &Keep) -> u64 {
    match keep {
        Keep::Prefix(units) | Keep::Suffix(units) => 1 + bits(*units),
        Keep::Drawn => 6,
        Keep::Mask(mask) => 4 + mask.len() as u64,
    }
}

/// A fault that stays is more than one that befalls a single read.
fn ghost(heal: Option<Heal>) -> u64 {
    match heal {
        None => 0,
        Some(Heal::Overwrite) => 4,
        Some(Heal::Never) => 6,
    }
}

/// Whether a rule is called after its fault, with at most a number behind it.
pub(super) fn is_plain_name(rule: &Rule) -> bool {
    let number = rule.name.strip_prefix(rule.r#do.word());
    number.is_some_and(|number| {
        number.is_empty()
            || number.strip_prefix('-').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    })
}
