//! Holds the faults of one run to a budget.

use super::{Budget, Electorate, Excess, Harm, Laws, Mode, harm::Reply, shape::Map};
use crate::{draw::Keyed, host::ChildOp, rule::OpKind};
use rangemap::RangeSet;
use std::{collections::BTreeMap, ops::Range};

/// What is in doubt, and what more may be.
#[derive(Debug)]
pub(crate) struct Guard {
    mode: Mode,
    excess: Excess,
    beyond: u32,
    electorate: Electorate,
    map: Map,
    /// What is in doubt at each child until it is written.
    doubt: Vec<RangeSet<u64>>,
    /// What operations under way will put in doubt, by child and operation: no write that ends before
    /// them puts it right.
    landing: BTreeMap<(u32, u64), Vec<Range<u64>>>,
    /// What is in doubt at each child for good.
    lasting: Vec<RangeSet<u64>>,
    /// What faults have made of the answers to each request that is not over.
    requests: BTreeMap<u64, Vec<Struck>>,
    /// By rule: how often it is to strike another child.
    deflected: Vec<u64>,
}

/// An operation that will not be answered as it should.
#[derive(Debug)]
struct Struck {
    child: u32,
    kind: OpKind,
    range: Range<u64>,
    reply: Reply,
}

/// What becomes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It strikes, and is borne.
    Inside,
    /// It strikes, and may be more than can be borne.
    Outside,
    /// It does not strike.
    Spared,
}

impl Guard {
    /// The guard of a run; nothing where there is no budget.
    pub(crate) fn new(
        budget: &Budget,
        electorate: Electorate,
        keyed: Keyed,
        children: usize,
        rules: usize,
    ) -> Option<Self> {
        let chunk = budget.chunk.map_or(electorate.request_bytes_max, |size| size.0).max(1);
        let map = Map { shape: budget.shape, keyed, chunk };
        (budget.mode != Mode::Off).then(|| Self {
            mode: budget.mode,
            excess: budget.excess,
            beyond: budget.beyond,
            electorate,
            map,
            doubt: vec![RangeSet::new(); children],
            landing: BTreeMap::new(),
            lasting: vec![RangeSet::new(); children],
            requests: BTreeMap::new(),
            deflected: vec![0; rules],
        })
    }

    /// Decides about a fault that a rule would do to an operation of a request, and notes it if it
    /// strikes.
    pub(crate) fn judge(
        &mut self,
        op: &ChildOp,
        request: Option<u64>,
        rule: usize,
        harm: &Harm,
    ) -> Verdict {
        if harm.is_none() || !self.electorate.members.contains(&op.child) {
            return Verdict::Inside;
        }
        let verdict = match self.bears(op, request, harm) {
            true => Verdict::Inside,
            false if self.mode == Mode::Observe => Verdict::Outside,
            false => {
                self.deflected[rule] += u64::from(self.excess == Excess::Deflect);
                return Verdict::Spared;
            }
        };
        self.note(op, request, harm);
        verdict
    }

    /// Decides about a fault that a rule would not do, but that another child was spared.
    pub(crate) fn takes_over(
        &mut self,
        op: &ChildOp,
        request: Option<u64>,
        rule: usize,
        harm: &Harm,
    ) -> bool {
        let child = op.child as usize;
        let suspect = !self.doubt[child].is_empty() || !self.lasting[child].is_empty();
        let member = self.electorate.members.contains(&op.child);
        let takes = member && suspect && !harm.is_none() && self.bears(op, request, harm);
        if takes {
            self.deflected[rule] -= 1;
            self.note(op, request, harm);
        }
        takes
    }

    /// Whether a rule has faults left that other children were spared.
    pub(crate) fn has_deflected(&self, rule: usize) -> bool {
        self.deflected[rule] > 0
    }

    /// An operation has taken place; `clean` if a range was written just as it was asked for.
    pub(crate) fn took_place(&mut self, op: &ChildOp, clean: Option<Range<u64>>) {
        let doubt = &mut self.doubt[op.child as usize];
        if let Some(range) = clean.filter(|range| !doubt.is_empty() && !range.is_empty()) {
            doubt.remove(range);
        }
        doubt.extend(self.landing.remove(&(op.child, op.ordinal)).unwrap_or_default());
    }

    /// A request is over.
    pub(crate) fn over(&mut self, request: u64) {
        self.requests.remove(&request);
    }

    /// Something else has put bytes of a child in doubt.
    pub(crate) fn doubt(&mut self, child: u32, range: Range<u64>) {
        if !range.is_empty() {
            self.doubt[child as usize].insert(range);
        }
    }

    /// A child joins the array: nothing is known of what it holds.
    pub(crate) fn joined(&mut self, child: u32) {
        self.electorate.members.push(child);
        self.doubt(child, 0..u64::MAX);
    }

    /// A child leaves the array.
    pub(crate) fn left(&mut self, child: u32) {
        self.electorate.members.retain(|member| *member != child);
    }

    fn laws(&self) -> Laws {
        Laws {
            children: u32::try_from(self.electorate.members.len()).expect("counted in words"),
            threshold: self.electorate.threshold,
            fifo: self.electorate.fifo,
            beyond: self.beyond,
        }
    }

    /// Whether every request is still right for certain if this fault strikes.
    fn bears(&self, op: &ChildOp, request: Option<u64>, harm: &Harm) -> bool {
        let laws = self.laws();
        let members = &self.electorate.members;
        let may = |range| self.map.may(op.child, range, members, laws.tolerance());
        let own = Struck { child: op.child, kind: op.kind, range: op.range(), reply: harm.reply };
        let struck = request.and_then(|request| self.requests.get(&request));
        let struck = struck.map_or(&[][..], |struck| struck);
        // Wrong bytes that are read around a write are written back, and who cannot read around it does
        // not write at all.
        let spreads =
            self.electorate.padded && op.kind == OpKind::Read && own.reply != Reply::Sound;
        !harm.fatal
            && !spreads
            && may(&own.range)
            && harm.ranges().all(may)
            && (own.reply == Reply::Sound || self.bears_answer(&laws, &own, struck, &[]))
            && (harm.ranges().next().is_none() || self.bears_doubts(&laws, op.child, harm))
    }

    /// Whether a request can bear one operation that is struck, beside those that have been, and with
    /// more ranges of that child in doubt.
    fn bears_answer(
        &self,
        laws: &Laws,
        own: &Struck,
        struck: &[Struck],
        more: &[&Range<u64>],
    ) -> bool {
        let (mut failing, mut wrong) = (0, 0);
        for &member in &self.electorate.members {
            let of_member = struck.iter().chain([own]).filter(|other| other.child == member);
            let mut reply = of_member.map(|other| other.reply).max().unwrap_or_default();
            let more = member == own.child && more.iter().any(|range| meets(range, &own.range));
            if own.kind == OpKind::Read && (more || self.is_doubtful(member, &own.range)) {
                reply = Reply::Wrong;
            }
            failing += u32::from(reply == Reply::Failing);
            wrong += u32::from(reply == Reply::Wrong);
        }
        match own.kind {
            OpKind::Read => laws.bears_read(failing, wrong),
            // That all children say zero is the only way to hide data.
            OpKind::BlockStatus => failing + wrong < laws.children,
            _ => laws.bears_change(failing + wrong),
        }
    }

    /// Whether every read can bear that more of a child is in doubt: those to come, and those that
    /// are being answered.
    fn bears_doubts(&self, laws: &Laws, child: u32, harm: &Harm) -> bool {
        let more: Vec<&Range<u64>> = harm.ranges().collect();
        let running = self.requests.values().filter(|struck| {
            let reads = struck.iter().filter(|other| other.kind == OpKind::Read);
            reads.into_iter().any(|read| more.iter().any(|range| meets(range, &read.range)))
        });
        let bears_running = |struck: &Vec<Struck>| {
            let range = struck.iter().map(|other| other.range.start).min().unwrap_or(0)
                ..struck.iter().map(|other| other.range.end).max().unwrap_or(0);
            let own = Struck { child, kind: OpKind::Read, range, reply: Reply::Sound };
            self.bears_answer(laws, &own, struck, &more)
        };
        running.into_iter().all(bears_running)
            && more.iter().all(|range| self.bears_doubt(laws, child, range))
    }

    /// Whether every read that touches the range can bear that a child is wrong about it.
    ///
    /// The children that one request can find wrong are those of the ranges that one window of its
    /// length meets. No window meets more than one that begins with the last byte of some range.
    fn bears_doubt(&self, laws: &Laws, child: u32, range: &Range<u64>) -> bool {
        let chunk = self.map.chunk;
        let near = range.start.saturating_sub(chunk)..range.end.saturating_add(chunk);
        let others = || {
            let members = self.electorate.members.iter().filter(|member| **member != child);
            members.flat_map(|&member| self.doubts(member, &near).map(move |r| (member, r)))
        };
        let ends = others().map(|(_, other)| other.end).chain([range.end]);
        let starts =
            ends.map(|end| end.saturating_sub(1)).chain([range.start.saturating_sub(chunk - 1)]);
        starts.into_iter().all(|start| {
            let window = start..start.saturating_add(chunk);
            if !meets(&window, range) {
                return true;
            }
            let mut wrong: Vec<u32> =
                others().filter(|(_, r)| meets(&window, r)).map(|(m, _)| m).collect();
            wrong.dedup();
            laws.bears_read(0, 1 + u32::try_from(wrong.len()).expect("an array has few children"))
        })
    }

    fn note(&mut self, op: &ChildOp, request: Option<u64>, harm: &Harm) {
        let child = op.child as usize;
        if !harm.medium.is_empty() {
            let landing = self.landing.entry((op.child, op.ordinal)).or_default();
            landing.extend(harm.medium.iter().cloned());
        }
        self.lasting[child].extend(harm.lasting.iter().cloned());
        if harm.reply != Reply::Sound
            && let Some(request) = request
        {
            let ChildOp { child, kind, .. } = *op;
            let struck = Struck { child, kind, range: op.range(), reply: harm.reply };
            self.requests.entry(request).or_default().push(struck);
        }
    }

    fn is_doubtful(&self, child: u32, range: &Range<u64>) -> bool {
        self.doubts(child, range).next().is_some()
    }

    /// What is in doubt of a range.
    fn doubts(&self, child: u32, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let in_doubt = |sets: &[RangeSet<u64>]| {
            let set = &sets[child as usize];
            let found: Vec<_> = match range.is_empty() {
                true => Vec::new(),
                false => set.overlapping(range).cloned().collect(),
            };
            found
        };
        let landing = self.landing.range((child, 0)..=(child, u64::MAX)).flat_map(|(_, r)| r);
        let landing = landing.filter(|other| meets(other, range)).cloned();
        in_doubt(&self.doubt).into_iter().chain(in_doubt(&self.lasting)).chain(landing)
    }
}

fn meets(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
