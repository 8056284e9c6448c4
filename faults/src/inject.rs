//! Which rules fire on which operation.

pub use crate::check::PlanError;

use crate::{
    alteration::Alteration,
    budget::{Budget, Electorate, Guard, Harm, Verdict},
    check::{self, Compiled},
    draw::{Draw, Keyed},
    effect::{Effect, Status, flips, kept},
    fault::{Applied, Delaying, Fault, Stability},
    host::{ChildOp, Firing},
    matching::{displaced, is_due, is_status, nanos, taint, touched},
    rule::{ArrayEvent, Group, OpKind, Rule, Sharing},
};
use quorate_engine::{Errno, ExtentKind, event::SECTOR_BYTES};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// The faults of one run: rules, their counters, and the seed of their draws.
///
/// The children of an array share it.
#[derive(Debug)]
pub struct Plan {
    keyed: Keyed,
    rules: Vec<Compiled>,
    children_count: u32,
    /// The rules that can befall an operation, by child and kind.
    relevant: Vec<[Vec<usize>; OpKind::COUNT]>,
    has_budget: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By rule, then by child.
    counters: Vec<Vec<Counter>>,
    /// By rule: from when on it fires, if it waits for an event and has seen it.
    armed_at: Vec<Option<Duration>>,
    events: BTreeMap<ArrayEvent, u64>,
    /// What holds the rules to a budget, if there is one.
    guard: Option<Guard>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    matched: u64,
    fired: u64,
}

/// What befalls one operation.
#[derive(Default)]
pub(crate) struct Decision {
    pub(crate) effect: Effect,
    pub(crate) firings: Vec<Firing>,
    /// The rules whose faults the budget does not allow.
    pub(crate) spared: Vec<Arc<str>>,
}

impl Plan {
    /// A plan of these rules for an array of as many children.
    ///
    /// # Errors
    ///
    /// Refuses rules whose names do not resolve and rules that could never fire.
    pub fn new(
        seed: u64,
        rules: Vec<Rule>,
        groups: &[Group],
        children_count: u32,
    ) -> Result<Self, PlanError> {
        let rules = check::compile(rules, groups, children_count)?;
        let width = usize::try_from(children_count).expect("an array fits the address space");
        let mut relevant = vec![<[Vec<usize>; OpKind::COUNT]>::default(); width];
        for (index, compiled) in rules.iter().enumerate() {
            for &child in &compiled.children {
                for &kind in &compiled.rule.on {
                    let indices = &mut relevant[child as usize][kind as usize];
                    if indices.last() != Some(&index) {
                        indices.push(index);
                    }
                }
            }
        }
        let state = State {
            counters: vec![vec![Counter::default(); width]; rules.len()],
            armed_at: vec![None; rules.len()],
            events: BTreeMap::new(),
            guard: None,
        };
        let (keyed, state) = (Keyed::new(seed), Mutex::new(state));
        Ok(Self { keyed, rules, children_count, relevant, has_budget: false, state })
    }

    /// Holds the rules to no budget.
    ///
    /// # Errors
    ///
    /// Refuses rules that leave it to a budget whom to strike.
    pub fn without_budget(self) -> Result<Self, PlanError> {
        check::no_budget(&self.rules).map(|()| self)
    }

    /// Holds the rules to a budget.
    ///
    /// # Errors
    ///
    /// Refuses rules that no budget allows, if the budget is enforced.
    pub fn with_budget(
        mut self,
        budget: &Budget,
        electorate: Electorate,
    ) -> Result<Self, PlanError> {
        check::budget(&self.rules, budget)?;
        let (children, rules) = (self.relevant.len(), self.rules.len());
        let guard = Guard::new(budget, electorate, self.keyed.clone(), children, rules);
        self.has_budget = guard.is_some();
        self.state.get_mut().expect("nobody else has it yet").guard = guard;
        Ok(self)
    }

    /// Tells the budget that a request is over.
    pub fn request_over(&self, request: u64) {
        self.guard(|guard| guard.over(request));
    }

    /// Tells the budget that something other than a rule has put bytes of a child in doubt.
    pub fn doubt(&self, child: u32, range: Range<u64>) {
        self.guard(|guard| guard.doubt(child, range));
    }

    /// Tells the budget that a child has joined the array.
    pub fn joined(&self, child: u32) {
        self.guard(|guard| guard.joined(child));
    }

    /// Tells the budget that a child has left the array.
    pub fn left(&self, child: u32) {
        self.guard(|guard| guard.left(child));
    }

    /// Tells the budget that an operation has taken place, and whether a range was written just as it
    /// was asked for.
    pub(crate) fn took_place(&self, op: &ChildOp, clean: Option<Range<u64>>) {
        self.guard(|guard| guard.took_place(op, clean));
    }

    fn guard(&self, tell: impl FnOnce(&mut Guard)) {
        if self.has_budget
            && let Some(guard) = &mut self.state().guard
        {
            tell(guard);
        }
    }

    /// Tells the rules that wait for it what happened to the array.
    pub fn array_event(&self, event: ArrayEvent, now: Duration) {
        let mut state = self.state();
        let count = state.events.entry(event).or_default();
        *count += 1;
        let count = *count;
        for (index, compiled) in self.rules.iter().enumerate() {
            let Some(after) = &compiled.rule.when.after else { continue };
            if after.event != event || after.count != count {
                continue;
            }
            let delay = after.delay.map_or(Duration::ZERO, |range| {
                let draw = self.keyed.draw(compiled.domain.lane(ARMING), EVERYBODY, count);
                let end = range.end.expect("checked when the plan was made");
                let span = nanos(end - range.start).max(1);
                range.start + Duration::from_nanos(draw.below(0, span))
            });
            state.armed_at[index] = Some(now + delay);
        }
    }

    /// The names of the rules that have not fired on any child, in the order of the rules.
    #[must_use]
    pub fn unfired(&self) -> Vec<&str> {
        let state = self.state();
        let is_unfired = |index: usize| state.counters[index].iter().all(|c| c.fired == 0);
        let unfired = self.rules.iter().enumerate().filter(|(index, _)| is_unfired(*index));
        unfired.map(|(_, compiled)| &*compiled.name).collect()
    }

    /// How many children the plan is for.
    #[must_use]
    pub fn children_count(&self) -> u32 {
        self.children_count
    }

    /// Whether a rule could befall operations of this kind.
    #[must_use]
    pub fn befalls(&self, child: u32, kind: OpKind) -> bool {
        !self.relevant(child, kind).is_empty()
    }

    /// Whether a rule asks for older versions of this child's data.
    pub(crate) fn asks_history(&self, child: u32) -> bool {
        let stale = |compiled: &&Compiled| matches!(compiled.rule.r#do, Fault::Stale { .. });
        self.rules.iter().filter(stale).any(|compiled| compiled.children.contains(&child))
    }

    /// Whether a rule for this operation depends on the length of the device.
    pub(crate) fn asks_length(&self, child: u32, kind: OpKind) -> bool {
        let misdirects =
            |&index: &usize| matches!(self.rules[index].rule.r#do, Fault::Misdirect(_));
        self.relevant(child, kind).iter().any(misdirects)
    }

    /// Counts the operation, which is part of `request`, for each rule, and says which fire. `length`
    /// is that of the device where [`Plan::asks_length`], and not looked at elsewhere.
    pub(crate) fn decide(
        &self,
        op: &ChildOp,
        request: Option<u64>,
        length: u64,
        now: impl FnOnce() -> Duration,
    ) -> Decision {
        let mut decision = Decision::default();
        let relevant = self.relevant(op.child, op.kind);
        if relevant.is_empty() {
            return decision;
        }
        let now = now();
        let mut state = self.state();
        for &index in relevant {
            let compiled = &self.rules[index];
            let Some(range) = touched(&compiled.rule, op, length) else { continue };
            let after = compiled.rule.when.after.is_some();
            if after && state.armed_at[index].is_none_or(|armed_at| now < armed_at) {
                continue;
            }
            let child = usize::try_from(op.child).expect("a plan has counters for each child");
            let counter = &mut state.counters[index][child];
            counter.matched += 1;
            let matched = counter.matched;
            let is_over = compiled.rule.when.max.is_some_and(|max| counter.fired >= max);
            let is_beaten = decision.effect.status.is_some() && is_status(&compiled.rule.r#do);
            if is_over || is_beaten {
                continue;
            }
            let match_ = Match { compiled, op, range, matched };
            let is_drawn = is_due(&compiled.rule.when, matched, now)
                && self.is_drawn(compiled, op.child, matched);
            let Some((own, outside)) =
                self.admitted(&mut state, &mut decision, &match_, request, index, is_drawn)
            else {
                continue;
            };
            state.counters[index][child].fired += 1;
            decision.firings.push(Self::fire(&match_, own, outside, &mut decision.effect));
        }
        decision
    }

    /// What a rule makes of an operation, and whether that goes beyond the budget; nothing if it does
    /// not fire.
    fn admitted(
        &self,
        state: &mut State,
        decision: &mut Decision,
        match_: &Match<'_>,
        request: Option<u64>,
        index: usize,
        is_drawn: bool,
    ) -> Option<(Effect, bool)> {
        let Some(guard) = &mut state.guard else {
            return is_drawn.then(|| (self.own_effect(match_), false));
        };
        if !is_drawn && !guard.has_deflected(index) {
            return None;
        }
        let own = self.own_effect(match_);
        let harm = Harm::of(&own, match_.op);
        if !is_drawn {
            return guard.takes_over(match_.op, request, index, &harm).then_some((own, false));
        }
        match guard.judge(match_.op, request, index, &harm) {
            Verdict::Inside => Some((own, false)),
            Verdict::Outside => Some((own, true)),
            Verdict::Spared => {
                decision.spared.push(match_.compiled.name.clone());
                None
            }
        }
    }

    fn relevant(&self, child: u32, kind: OpKind) -> &[usize] {
        &self.relevant[child as usize][kind as usize]
    }

    fn is_drawn(&self, compiled: &Compiled, child: u32, matched: u64) -> bool {
        let is_exclusive = compiled.sharing == Sharing::Exclusive;
        let rate = compiled.rule.when.rate;
        if rate.is_none() && !is_exclusive {
            return true;
        }
        let who = if compiled.sharing == Sharing::Independent { child } else { EVERYBODY };
        let draw = self.keyed.draw(compiled.domain, who, matched);
        let count = u64::try_from(compiled.children.len()).expect("an array has few children");
        let turn = usize::try_from(draw.below(2, count)).expect("below a count in memory");
        rate.is_none_or(|rate| draw.hit(0, rate))
            && (!is_exclusive || compiled.children[turn] == child)
    }

    /// A draw about what the fault does, which `shared-bytes` alone shares.
    fn detail(&self, match_: &Match<'_>, lane: u32, ordinal: u64) -> Draw {
        let collude = match_.compiled.sharing == Sharing::SharedBytes;
        let who = if collude { EVERYBODY } else { match_.op.child };
        let domain = match_.compiled.domain.lane(lane);
        self.keyed.draw(domain, who, ordinal)
    }

    /// Adds what a rule makes of an operation to what others have made of it.
    fn fire(match_: &Match<'_>, mut own: Effect, outside: bool, effect: &mut Effect) -> Firing {
        let Match { compiled, op, range, matched } = match_;
        let fault = &compiled.rule.r#do;
        let status = match own.status {
            Some(Status::Error(errno)) => Some(errno),
            _ => None,
        };
        let taint = taint(&own, op, range);
        let is_random = matches!(fault, Fault::Corrupt { .. } | Fault::Rot { .. });
        let collude = !is_random || compiled.sharing == Sharing::SharedBytes;
        let firing = Firing {
            rule: compiled.name.clone(),
            fault: fault.word(),
            matched: *matched,
            status: status.filter(|_| effect.status.is_none()),
            applied: own.applied.clone(),
            delay: own.delay(),
            alterations: own.alterations.clone(),
            colluding: collude && !taint.is_empty(),
            taint,
            outside,
        };
        effect.status = effect.status.or(own.status);
        effect.delay = effect.delay.saturating_add(own.delay);
        effect.alterations.append(&mut own.alterations);
        if let Some(applied) = &own.applied {
            effect.hold_back_beyond(applied);
        }
        firing
    }

    /// What the rule would make of the operation alone.
    fn own_effect(&self, match_: &Match<'_>) -> Effect {
        let Match { compiled, op, range, matched } = match_;
        let mut effect = Effect::default();
        let mut alter = |alteration| effect.alterations.push(alteration);
        match &compiled.rule.r#do {
            Fault::Status { errno, applied } => {
                effect.status = Some(Status::Error(*errno));
                effect.applied = self.applied(match_, applied);
            }
            Fault::Hang { applied } => {
                effect.status = Some(Status::Never);
                effect.applied = self.applied(match_, applied);
            }
            Fault::Unsupported => {
                effect.status = Some(Status::Error(Errno::ENOTSUP));
                effect.applied = self.applied(match_, &Applied::None);
            }
            Fault::Torn { keep, unit, then } => {
                effect.status = then.map(Status::Error);
                let draw = self.detail(match_, KEEPING, *matched);
                effect.applied = Some(kept(keep, *unit, &op.range(), &draw));
            }
            Fault::Lost => effect.applied = Some(Vec::new()),
            Fault::Delay(delaying) => {
                let draw = self.detail(match_, DELAYING, *matched);
                effect.delay = delay(delaying, &draw);
            }
            Fault::Corrupt { damage, stability } => {
                let draw = match stability {
                    Stability::Fresh => self.detail(match_, DAMAGING, *matched),
                    Stability::Stable => self.detail(match_, DAMAGING_STABLY, range.start),
                };
                alter(Alteration::Flip(flips(damage, range, &draw)));
            }
            Fault::Rot { damage, heal } => {
                let draw = self.detail(match_, DAMAGING, *matched);
                alter(Alteration::Rot { flips: flips(damage, range, &draw), heal: *heal });
            }
            Fault::Misdirect(target) => {
                let to = displaced(target, range).expect("a match lies on the device");
                alter(Alteration::Misdirect { range: range.clone(), to });
            }
            Fault::Short { bytes } => alter(Alteration::Short { bytes: *bytes }),
            Fault::Stale { versions } => {
                alter(Alteration::Stale { range: range.clone(), versions: *versions });
            }
            Fault::Zero => alter(Alteration::Zero { range: range.clone() }),
            Fault::Length { bytes } => alter(Alteration::Length { bytes: *bytes }),
            Fault::FalseZero => alter(Alteration::Kind(ExtentKind::Zero)),
            Fault::FalseData => alter(Alteration::Kind(ExtentKind::Data)),
        }
        effect
    }

    fn applied(&self, match_: &Match<'_>, applied: &Applied) -> Option<Vec<Range<u64>>> {
        let changes = op_changes(match_.op.kind);
        match applied {
            Applied::None => changes.then(Vec::new),
            Applied::All => None,
            Applied::Part(keep) => {
                let draw = self.detail(match_, KEEPING, match_.matched);
                Some(kept(keep, SECTOR_BYTES, &match_.op.range(), &draw))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the counters are changed")
    }
}

/// Whether operations of this kind change the device, or make a change durable.
fn op_changes(kind: OpKind) -> bool {
    use OpKind::{Discard, Flush, Truncate, Write, WriteZeroes};
    matches!(kind, Write | WriteZeroes | Flush | Discard | Truncate)
}

/// A rule and an operation that it accepts.
struct Match<'a> {
    compiled: &'a Compiled,
    op: &'a ChildOp,
    /// The bytes that a fault of the data may alter.
    range: Range<u64>,
    matched: u64,
}

fn delay(delaying: &Delaying, draw: &Draw) -> Duration {
    match delaying {
        Delaying::Fixed(time) => *time,
        Delaying::Uniform { min, max } => {
            let span = nanos(*max - *min).saturating_add(1);
            *min + Duration::from_nanos(draw.below(0, span))
        }
        Delaying::Exp { min, mean, max } => {
            let tail = Duration::from_nanos(draw.exponential(0, nanos(*mean - *min)));
            min.saturating_add(tail).min(max.unwrap_or(Duration::MAX))
        }
    }
}

/// In place of a child, for draws that children share.
const EVERYBODY: u32 = u32::MAX;

/// What a rule draws beside its decisions.
const DAMAGING: u32 = 1;
const DAMAGING_STABLY: u32 = 2;
const DELAYING: u32 = 3;
const KEEPING: u32 = 4;
const ARMING: u32 = 5;
