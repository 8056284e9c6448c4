//! The operations of a recorded run.

use super::fixed::Struck;
use crate::{
    model::Scenario,
    runner::{Recording, micros},
};
use quorate_faults::{
    host::{ChildOp, Delay, Firing},
    rule::OpKind,
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
    /// By the name of the rule, in order: the time, the disk, the number of its operation, the firing.
    firings: BTreeMap<&'a str, Vec<(u64, u32, u64, &'a Firing)>>,
}

impl<'a> Operations<'a> {
    pub(super) fn of(scenario: &'a Scenario, recording: &'a Recording) -> Self {
        let mut by_child = vec![Vec::new(); scenario.disks() as usize];
        let mut firings: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for entry in &recording.entries {
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
                    firings
                        .entry(&firing.rule)
                        .or_default()
                        .push((entry.at, *child, *ordinal, &**firing));
                }
                _ => {}
            }
        }
        Self { scenario, recording, by_child, firings }
    }

    /// What the rule of this name struck, in order.
    pub(super) fn struck_by(&self, rule: &str) -> impl Iterator<Item = Struck<'_>> {
        let firings = self.firings.get(rule).map_or(&[][..], Vec::as_slice);
        firings.iter().map(|&(at, child, ordinal, firing)| {
            // Who strikes by itself strikes operation 0.
            let op = (ordinal > 0).then(|| self.operation(child, ordinal));
            Struck { child, op, at, firing }
        })
    }

    /// The disks that had operations of this kind.
    pub(super) fn disks_asked(&self, kind: OpKind) -> Vec<u32> {
        let asked = |ops: &[ChildOp]| ops.iter().any(|op| op.kind == kind);
        let disks = (0..).zip(&self.by_child).filter(|(_, ops)| asked(ops));
        disks.map(|(disk, _)| disk).collect()
    }

    /// How long the operations of each disk took, beside what faults added, in the order in which it was
    /// asked. One that never ended takes longer than the run may.
    pub(super) fn latencies(&self) -> BTreeMap<u32, Vec<Time>> {
        // Of an operation that hangs nothing is put off.
        let mut delays: BTreeMap<(u32, u64), Delay> = BTreeMap::new();
        for (_, child, ordinal, firing) in self.firings.values().flatten() {
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
