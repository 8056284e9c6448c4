//! Holds the faults of one run to a budget.

use super::{Budget, Electorate, Excess, Harm, Laws, Mode, harm::Reply, shape::Map};
use crate::{draw::Keyed, host::ChildOp, rule::OpKind};
use quorate_engine::SECTOR_BYTES;
use rangemap::RangeSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

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
    /// What is in doubt at each child until whole sectors of it are written.
    sectors: Vec<RangeSet<u64>>,
    /// What is in doubt at each child for good.
    lasting: Vec<RangeSet<u64>>,
    /// Until when children may fail whatever they are asked.
    out: BTreeMap<u32, Duration>,
    /// What faults have made of the answers to each request that is not over.
    requests: BTreeMap<u64, Vec<Struck>>,
    /// By rule: how often it is to strike another child.
    deflected: Vec<u64>,
}

/// Whom a fault strikes, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) child: u32,
    /// The operation, unless it strikes by itself.
    pub(crate) op: Option<&'a ChildOp>,
    /// The request that the operation is for.
    pub(crate) request: Option<u64>,
    pub(crate) now: Duration,
}

/// An operation that will not be answered as it should.
#[derive(Clone, Debug)]
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
            sectors: vec![RangeSet::new(); children],
            lasting: vec![RangeSet::new(); children],
            out: BTreeMap::new(),
            requests: BTreeMap::new(),
            deflected: vec![0; rules],
        })
    }

    /// Decides about a fault that a rule would do, and notes it if it strikes.
    pub(crate) fn judge(&mut self, target: &Target<'_>, rule: usize, harm: &Harm) -> Verdict {
        if harm.is_none() || !self.electorate.members.contains(&target.child) {
            return Verdict::Inside;
        }
        let verdict = match self.bears(target, harm) {
            true => Verdict::Inside,
            false if self.mode == Mode::Observe => Verdict::Outside,
            false => {
                self.deflected[rule] += u64::from(self.excess == Excess::Deflect);
                return Verdict::Spared;
            }
        };
        self.note(target, harm);
        verdict
    }

    /// Decides about a fault that a rule would not do, but that another child was spared.
    pub(crate) fn takes_over(&mut self, target: &Target<'_>, rule: usize, harm: &Harm) -> bool {
        let takes = self.electorate.members.contains(&target.child)
            && self.is_doubtful(target.child, &(0..u64::MAX))
            && !harm.is_none()
            && self.bears(target, harm);
        if takes {
            self.deflected[rule] -= 1;
            self.note(target, harm);
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
        // What was read around a write may have been wrong, and is written back.
        let is_whole = !self.electorate.padded.contains(&op.child);
        if let Some(range) = clean.filter(|range| is_whole && !range.is_empty()) {
            if !doubt.is_empty() {
                doubt.remove(range.clone());
            }
            let sectors = &mut self.sectors[op.child as usize];
            let start = range.start.next_multiple_of(SECTOR_BYTES);
            let end = range.end / SECTOR_BYTES * SECTOR_BYTES;
            if !sectors.is_empty() && start < end {
                sectors.remove(start..end);
            }
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

    /// A child will never be of use again.
    pub(crate) fn condemn(&mut self, child: u32) {
        self.out.insert(child, Duration::MAX);
        self.doubt(child, 0..u64::MAX);
    }

    /// Nothing is wrong with a child any more but that it may not hold what it should.
    pub(crate) fn healed(&mut self, child: u32) {
        self.out.remove(&child);
        for sets in [&mut self.sectors, &mut self.lasting] {
            sets[child as usize].clear();
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
    fn bears(&self, target: &Target<'_>, harm: &Harm) -> bool {
        let laws = self.laws();
        let members = &self.electorate.members;
        let child = target.child;
        let may = |range| self.map.may(child, range, members, laws.tolerance());
        let range = target.op.map_or(0..0, ChildOp::range);
        // Wrong bytes that are read around a write are written back, of a write of which a part fails the
        // rest is not even asked for, and a sector fails whatever is read around it.
        let is_part = target.op.is_some_and(|op| op.kind != OpKind::Flush);
        let spreads =
            harm.out.is_some() || harm.is_unreadable || is_part && harm.reply != Reply::Sound;
        if harm.fatal || spreads && self.electorate.padded.contains(&child) {
            return false;
        }
        let struck = target.request.and_then(|request| self.requests.get(&request));
        let struck = struck.map_or(&[][..], |struck| struck);
        let bears_answer = |op: &ChildOp| {
            let own = Struck { child, kind: op.kind, range: op.range(), reply: harm.reply };
            own.reply == Reply::Sound || self.bears_answer(&laws, target.now, &own, struck, &[])
        };
        let everything = 0..u64::MAX;
        let out = harm.out.map(|_| &everything);
        let more: Vec<&Range<u64>> = harm.ranges().chain(out).collect();
        may(&range)
            && harm.ranges().all(may)
            && target.op.is_none_or(bears_answer)
            && (more.is_empty() || self.bears_doubts(&laws, target, harm, &more))
    }

    /// Whether a request can bear one operation that is struck, beside those that have been, and with
    /// more ranges of that child in doubt.
    fn bears_answer(
        &self,
        laws: &Laws,
        now: Duration,
        own: &Struck,
        struck: &[Struck],
        more: &[&Range<u64>],
    ) -> bool {
        let (mut failing, mut wrong) = (0, 0);
        for &member in &self.electorate.members {
            let of_member = struck.iter().chain([own]).filter(|other| other.child == member);
            let mut reply = of_member.map(|other| other.reply).max().unwrap_or_default();
            let is_out = self.out.get(&member).is_some_and(|until| now < *until);
            reply = reply.max(if is_out { Reply::Failing } else { Reply::Sound });
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

    /// Whether every request can bear that more of a child is in doubt: those to come, and those that
    /// are being answered.
    fn bears_doubts(
        &self,
        laws: &Laws,
        target: &Target<'_>,
        harm: &Harm,
        more: &[&Range<u64>],
    ) -> bool {
        let child = target.child;
        let is_out = harm.out.is_some();
        let reply = if is_out { Reply::Failing } else { Reply::Sound };
        let bears_running = |struck: &Vec<Struck>| {
            struck.iter().all(|other| {
                let meets = more.iter().any(|range| meets(range, &other.range));
                let own = Struck { child, reply, ..other.clone() };
                let concerns = is_out || other.kind == OpKind::Read && meets;
                !concerns || self.bears_answer(laws, target.now, &own, struck, more)
            })
        };
        let out = self.out.iter().filter(|(other, until)| **other != child && target.now < **until);
        self.requests.values().all(bears_running)
            && (!is_out || laws.bears_change(1 + count(out)))
            && more.iter().all(|range| self.bears_doubt(laws, target, range))
    }

    /// Whether every read that touches the range can bear that a child is wrong about it.
    ///
    /// The children that one request can find wrong are those of the ranges that one window of its
    /// length meets. No window meets more than one that begins with the last byte of some range.
    fn bears_doubt(&self, laws: &Laws, target: &Target<'_>, range: &Range<u64>) -> bool {
        let child = target.child;
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
            let wrong = others().filter(|(_, r)| meets(&window, r)).map(|(m, _)| m);
            let out = self.out.iter().filter(|(_, until)| target.now < **until).map(|(m, _)| *m);
            let bad: BTreeSet<u32> = wrong.chain(out).chain([child]).collect();
            laws.bears_read(0, count(bad.iter()))
        })
    }

    /// Notes what befalls a child, whether it was asked about or not.
    pub(crate) fn note(&mut self, target: &Target<'_>, harm: &Harm) {
        let child = target.child as usize;
        match target.op.filter(|_| !harm.medium.is_empty()) {
            Some(op) => {
                let landing = self.landing.entry((op.child, op.ordinal)).or_default();
                landing.extend(harm.medium.iter().cloned());
            }
            None => self.doubt[child].extend(harm.medium.iter().cloned()),
        }
        self.sectors[child].extend(harm.sectors.iter().cloned());
        self.lasting[child].extend(harm.lasting.iter().cloned());
        if let Some(time) = harm.out {
            let until = self.out.entry(target.child).or_default();
            *until = target.now.saturating_add(time).max(*until);
        }
        if let (Some(op), Some(request)) = (target.op, target.request)
            && harm.reply != Reply::Sound
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
        let landing = self.landing.range((child, 0)..=(child, u64::MAX)).flat_map(|(_, r)| r);
        let mut found: Vec<_> = landing.filter(|other| meets(other, range)).cloned().collect();
        for sets in [&self.doubt, &self.sectors, &self.lasting] {
            if !range.is_empty() {
                found.extend(sets[child as usize].overlapping(range).cloned());
            }
        }
        found.into_iter()
    }
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).expect("an array has few children")
}

fn meets(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
