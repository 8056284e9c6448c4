//! The operations of a recorded run.

use crate::{
    model::Scenario,
    runner::{Recording, micros},
};
use quorate_faults::{
    host::{ChildOp, Delay, Firing},
    rule::{OpKind, Rule},
    text::Time,
};
use quorate_reports::What;
use std::{collections::BTreeMap, time::Duration};

/// The operations of each disk, with what befell them.
pub(super) struct Operations<'a> {
    scenario: &'a Scenario,
    recording: &'a Recording,
    /// By disk, in their order.
    by_child: Vec<Vec<ChildOp>>,
    /// By the name of the rule, in order: the disk and the number of its operation, when it is to strike
    /// by itself, and the firing.
    firings: BTreeMap<&'a str, Vec<(u32, u64, Alarm, &'a Firing)>>,
    /// How many entries there are before the answer to each operation, by disk and number.
    ends: BTreeMap<(u32, u64), usize>,
}

/// When a rule is to strike by itself, in microseconds.
///
/// What strikes at a time comes before an operation that ends then. What struck behind such an operation
/// is to strike at the next microsecond, as nothing comes between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    pub(super) at: u64,
    /// How much later that is than it was.
    pub(super) late: u64,
}

/// What a rule struck.
pub(super) struct Struck<'a, 'b> {
    pub(super) child: u32,
    pub(super) alarm: Alarm,
    /// The operation, unless the rule struck by itself.
    pub(super) op: Option<&'b ChildOp>,
    pub(super) firing: &'a Firing,
}

impl<'a> Operations<'a> {
    pub(super) fn of(scenario: &'a Scenario, recording: &'a Recording) -> Self {
        let mut by_child = vec![Vec::new(); scenario.disks() as usize];
        let mut firings: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        let mut last_end = None;
        for (number, entry) in recording.entries.iter().enumerate() {
            match &entry.what {
                What::Submit(call) => by_child[call.child as usize].push(ChildOp {
                    child: call.child,
                    ordinal: call.ordinal,
                    kind: call.kind,
                    offset: call.offset,
                    bytes: call.bytes,
                    flags: call.flags,
                    data: None,
                    origin: call.origin,
                }),
                What::Injected { child, ordinal, firing } => {
                    let late = u64::from(last_end == Some(entry.at));
                    let alarm = Alarm { at: entry.at + late, late };
                    let struck = (*child, *ordinal, alarm, &**firing);
                    firings.entry(&firing.rule).or_default().push(struck);
                }
                What::Reply { child, ordinal, .. } => {
                    ends.insert((*child, *ordinal), number);
                    last_end = Some(entry.at);
                }
                _ => {}
            }
        }
        Self { scenario, recording, by_child, firings, ends }
    }

    /// What the rule of this name struck, each with its effect.
    pub(super) fn struck_by(&self, rule: &str) -> impl Iterator<Item = Struck<'a, '_>> {
        let firings = self.firings.get(rule).map_or(&[][..], Vec::as_slice);
        firings.iter().map(|&(child, ordinal, alarm, firing)| Struck {
            child,
            alarm,
            op: (ordinal > 0).then(|| self.operation(child, ordinal)),
            firing,
        })
    }

    /// How many entries there are before the end of an operation.
    pub(super) fn landed(&self, child: u32, ordinal: u64) -> usize {
        self.ends.get(&(child, ordinal)).copied().unwrap_or(usize::MAX)
    }

    /// The disks that had operations of this kind.
    pub(super) fn disks_asked(&self, kind: OpKind) -> Vec<u32> {
        let asked = |ops: &[ChildOp]| ops.iter().any(|op| op.kind == kind);
        let disks = (0..).zip(&self.by_child).filter(|(_, ops)| asked(ops));
        disks.map(|(disk, _)| disk).collect()
    }

    /// Which matches of the rule these operations of a disk are.
    pub(super) fn numbers(&self, rule: &Rule, child: u32, ordinals: &[u64]) -> Vec<u64> {
        let length = self.scenario.disk(child).bytes;
        let all = self.by_child[child as usize].iter();
        let matches = all.filter(|op| rule.matches(op, length).is_some());
        let numbers = (1..).zip(matches).filter(|(_, op)| ordinals.contains(&op.ordinal));
        let numbers: Vec<u64> = numbers.map(|(number, _)| number).collect();
        assert_eq!(numbers.len(), ordinals.len(), "what a rule struck is a match of its script");
        numbers
    }

    /// How long the operations of each disk took, beside what faults added, in the order in which it was
    /// asked. One that never ended takes longer than the run may.
    pub(super) fn latencies(&self) -> BTreeMap<u32, Vec<Time>> {
        // Of an operation that hangs nothing is put off.
        let mut delays: BTreeMap<(u32, u64), Delay> = BTreeMap::new();
        for (child, ordinal, _, firing) in self.firings.values().flatten() {
            let delay = delays.entry((*child, *ordinal)).or_insert(Delay::NONE);
            *delay = match (*delay, firing.delay) {
                (Delay::After(one), Delay::After(other)) => Delay::After(one.saturating_add(other)),
                _ => Delay::Never,
            };
        }
        let endless = self.scenario.limits.seconds.saturating_add(1) * 1_000_000;
        let mut latencies: BTreeMap<u32, BTreeMap<u64, Time>> = BTreeMap::new();
        for operation in &self.recording.operations {
            let (child, ordinal) = (operation.label.child, operation.label.ordinal);
            let delay = match delays.get(&(child, ordinal)) {
                Some(Delay::After(delay)) => micros(*delay),
                Some(Delay::Never) | None => 0,
            };
            let took = |ended: u64| (ended - operation.begun).saturating_sub(delay);
            let took = operation.ended.map_or(endless, took);
            let own = latencies.entry(child).or_default();
            own.insert(ordinal, Time(Duration::from_micros(took)));
        }
        let in_order =
            |(child, own): (u32, BTreeMap<u64, Time>)| (child, own.into_values().collect());
        latencies.into_iter().map(in_order).collect()
    }

    fn operation(&self, child: u32, ordinal: u64) -> &ChildOp {
        let at = usize::try_from(ordinal - 1).expect("a count in memory");
        &self.by_child[child as usize][at]
    }
}
