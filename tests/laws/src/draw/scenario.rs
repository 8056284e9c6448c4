//! Whole scenarios.

use super::{DISK_BYTES, perhaps, pick, rarely, rule, some, step::steps, time};
use arbitrary::{Result, Unstructured};
use quorate_engine::quorum::options::{Overlap, ReadPattern};
use quorate_faults::{
    budget::{Budget, Excess, Mode, Shape},
    rule::Group,
    text::{Size, Time, TimeRange},
};
use quorate_scenarios::model::{
    Array, Children, Client, Disk, Expect, Inner, Number, Order, Pause, Promises, RunLimits,
    Scenario, Schedule, Stall, Version, ZeroFlag, Zeroes,
};
use std::collections::BTreeMap;

/// A scenario that is small, mostly can be run, and promises nothing that its faults could break.
///
/// # Errors
/// Never: bytes that are not there are zeroes.
pub fn scenario(from: &mut Unstructured<'_>) -> Result<Scenario> {
    let array = array(from)?;
    let mut scenario = Scenario {
        gluster: None,
        version: Version,
        name: "drawn".into(),
        title: String::new(),
        explain: String::new(),
        covers: Vec::new(),
        hazard: from.arbitrary()?,
        seed: from.arbitrary::<u64>()? >> 1,
        drawn: String::new(),
        array,
        schedule: Schedule::default(),
        disk: Disk { bytes: Some(Size(DISK_BYTES)), ..Disk::default() },
        child: BTreeMap::new(),
        groups: Vec::new(),
        budget: perhaps(from, budget)?,
        rules: Vec::new(),
        steps: Vec::new(),
        clients: Vec::new(),
        random: None,
        limits: RunLimits { steps: 20_000, seconds: 60 },
        expect: Expect { stall: Stall::Hung, idle_rules: true, ..Expect::default() },
    };
    let disks = scenario.disks();
    scenario.groups.push(Group { name: "all".into(), children: (0..disks).collect() });
    if rarely(from, 2)? {
        scenario.disk = Disk { bytes: Some(Size(DISK_BYTES)), ..disk(from)? };
        for number in some(from, 2, |from| from.int_in_range(0..=disks - 1))? {
            scenario.child.insert(Number(number), disk(from)?);
        }
        scenario.schedule = schedule(from, disks)?;
    }
    if rarely(from, 2)? {
        scenario.expect.promises = Promises::Within;
    }
    let rules = from.int_in_range(0..=4)?;
    scenario.rules = (0..rules).map(|number| rule(from, number, disks)).collect::<Result<_>>()?;
    let clients = pick(from, &[0, 0, 1, 2])?;
    for client in 1..=clients {
        scenario.clients.push(Client { steps: steps(from, 6, client, disks)? });
    }
    scenario.steps = steps(from, 12, 0, disks)?;
    Ok(scenario)
}

fn array(from: &mut Unstructured<'_>) -> Result<Array> {
    let count = from.int_in_range(1..=5_u8)?;
    let vote_threshold = usize::from(from.int_in_range(1..=count)?);
    let is_fifo = rarely(from, 4)?;
    let blkverify = !is_fifo && (count, vote_threshold) == (2, 2) && rarely(from, 2)?;
    let mut array = Array {
        children: Children::Count(count.into()),
        disks: perhaps(from, |_| Ok(u32::from(count) + 1))?,
        vote_threshold,
        read_pattern: if is_fifo { ReadPattern::Fifo } else { ReadPattern::Quorum },
        rewrite_corrupted: !is_fifo && !blkverify && from.arbitrary()?,
        blkverify,
        overlap: pick(from, &[Overlap::Serialise, Overlap::Qemu])?,
        read_only: rarely(from, 16)?,
        throttle: rarely(from, 16)?,
        inner: Vec::new(),
    };
    if rarely(from, 16)? {
        // The first child is an array of two disks more.
        let mut names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
        let children = vec![names[0].clone(), format!("c{count}")];
        names[0] = "in".into();
        array.children = Children::Named(names);
        array.inner.push(Inner {
            name: "in".into(),
            children,
            vote_threshold: from.int_in_range(1..=2)?,
        });
    }
    Ok(array)
}

/// A disk; how long it is, that of all says.
fn disk(from: &mut Unstructured<'_>) -> Result<Disk> {
    let alignment = perhaps(from, |from| pick(from, &[1, 512, 4096]))?;
    let range = |from: &mut Unstructured<'_>| {
        let start = time(from)?;
        Ok(TimeRange { start, end: Some(start + time(from)?) })
    };
    let flags = [ZeroFlag::Fua, ZeroFlag::MayUnmap, ZeroFlag::NoFallback];
    Ok(Disk {
        bytes: None,
        alignment,
        max_transfer: perhaps(from, |from| pick(from, &[4096, 8192, 512]).map(Size))?,
        fill: perhaps(from, |from| from.arbitrary())?,
        latency: perhaps(from, range)?,
        latencies: perhaps(from, |from| some(from, 4, |from| Ok(Time(time(from)?))))?,
        write_fua: perhaps(from, |from| from.arbitrary())?,
        zeroes: perhaps(from, |from| {
            Ok(match from.int_in_range(0..=2)? {
                0 => Zeroes::All(false),
                1 => Zeroes::All(true),
                _ => Zeroes::Flags(some(from, 2, |from| pick(from, &flags))?),
            })
        })?,
        read_only: perhaps(from, |from| rarely(from, 4))?,
    })
}

fn schedule(from: &mut Unstructured<'_>, disks: u32) -> Result<Schedule> {
    let index = |from: &mut Unstructured<'_>| from.int_in_range(0..=disks - 1);
    let order = match from.int_in_range(0..=4)? {
        0 => Order::Earliest,
        1 => Order::Uniform,
        2 => Order::Pct { depth: from.int_in_range(1..=4)?, within: from.int_in_range(1..=64)? },
        3 => Order::Late { child: index(from)? },
        _ => Order::Dissent { children: some(from, 2, index)? },
    };
    let pauses = perhaps(from, |from| {
        some(from, 2, |from| {
            let start = time(from)?;
            let end = Some(start + time(from)?);
            Ok(Pause { child: index(from)?, time: TimeRange { start, end } })
        })
    })?;
    Ok(Schedule { order, pauses: pauses.unwrap_or_default() })
}

fn budget(from: &mut Unstructured<'_>) -> Result<Budget> {
    Ok(Budget {
        mode: pick(from, &[Mode::Enforce, Mode::Observe, Mode::Off])?,
        shape: pick(from, &[Shape::Ledger, Shape::Atlas, Shape::ChildSet, Shape::Helix])?,
        chunk: None,
        excess: pick(from, &[Excess::Refuse, Excess::Deflect])?,
        beyond: 0,
    })
}
