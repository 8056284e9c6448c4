//! Which rules fire on which operation.

pub use crate::check::PlanError;

use crate::{
    budget::{Budget, Electorate, Guard, Harm, Target, Verdict},
    check::{self, Compiled},
    draw::Keyed,
    effect::{Effect, Status},
    fault::Fault,
    fire::{EVERYBODY, Match},
    host::{ChildOp, Firing},
    matching::{is_counted, is_named, is_open, is_status, nanos, struck, taint, touched},
    medium::Past,
    rule::{ArrayEvent, Group, OpKind, Rule, Sharing, When},
    seen::{Needs, Seen},
    strike::Strike,
};
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
    pub(crate) keyed: Keyed,
    rules: Vec<Compiled>,
    children_count: u32,
    /// The rules that can befall an operation, by child and kind.
    relevant: Vec<[Vec<usize>; OpKind::COUNT]>,
    /// What those look at.
    needs: Vec<[Needs; OpKind::COUNT]>,
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
        let mut first = [Needs::default(); OpKind::COUNT];
        // What is added to a device is behind what it has.
        first[OpKind::Truncate as usize].length = true;
        let mut needs = vec![first; width];
        for (index, compiled) in rules.iter().enumerate() {
            for &child in &compiled.children {
                for &kind in &compiled.rule.on {
                    let indices = &mut relevant[child as usize][kind as usize];
                    let needs = &mut needs[child as usize][kind as usize];
                    *needs = *needs | Needs::of(&compiled.rule.r#do);
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
        Ok(Self { keyed, rules, children_count, relevant, needs, has_budget: false, state })
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

    /// Tells the budget that an operation fails without a rule's doing.
    pub(crate) fn failed(&self, op: &ChildOp, request: Option<u64>, now: Duration) {
        let target = Target { child: op.child, op: Some(op), request, now };
        self.guard(|guard| guard.note(&target, &Harm::of_failed(op)));
    }

    /// Tells the budget what something other than a rule has done to a child.
    pub fn befallen(&self, child: u32, firing: &Firing, now: Duration) {
        let effect = Effect { alterations: firing.alterations.clone(), ..Effect::default() };
        let target = Target { child, op: None, request: None, now };
        self.guard(|guard| guard.note(&target, &Harm::of(&effect, None)));
    }

    /// Tells the budget that a child will never be of use again.
    pub fn condemn(&self, child: u32) {
        self.guard(|guard| guard.condemn(child));
    }

    /// Tells the budget that a child holds what was written to it, and answers so.
    pub fn healed(&self, child: u32) {
        self.guard(|guard| guard.healed(child));
    }

    fn guard(&self, tell: impl FnOnce(&mut Guard)) {
        if self.has_budget
            && let Some(guard) = &mut self.state().guard
        {
            tell(guard);
        }
    }

    /// Tells the rules that wait for it what happened to the array. Gives back what strikes because of
    /// that, for [`strike`](crate::strike::strike) when its time has come.
    pub fn array_event(&self, event: ArrayEvent, now: Duration) -> Vec<Strike> {
        let mut strikes = Vec::new();
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
            if compiled.rule.on.is_empty() {
                strikes.push(Strike { rule: index, number: 1, at: now + delay });
            }
        }
        strikes
    }

    /// What strikes by itself, without waiting for an event: the first time of each rule.
    #[must_use]
    pub fn strikes(&self) -> Vec<Strike> {
        (0..self.rules.len()).filter_map(|rule| self.appointment(rule, 1)).collect()
    }

    /// When a rule strikes for the how-manieth time, if that is at a time of the clock.
    pub(crate) fn appointment(&self, rule: usize, number: u64) -> Option<Strike> {
        let compiled = &self.rules[rule];
        let When { at, window, period, .. } = &compiled.rule.when;
        if !compiled.rule.on.is_empty() {
            return None;
        }
        let at = match (at, window) {
            (Some(at), _) => (number == 1).then_some(*at)?,
            (None, Some(window)) => {
                let round = nanos((*period).unwrap_or_default()).checked_mul(number - 1)?;
                if number > 1 && period.is_none() {
                    return None;
                }
                let draw = self.keyed.draw(compiled.domain.lane(STRIKING), EVERYBODY, number);
                let end = window.end.expect("checked when the plan was made");
                let within = draw.below(0, nanos(end - window.start).max(1));
                window.start + Duration::from_nanos(round.checked_add(within)?)
            }
            (None, None) => return None,
        };
        Some(Strike { rule, number, at })
    }

    /// The children that a rule strikes, in order.
    pub(crate) fn struck(&self, rule: usize) -> &[u32] {
        &self.rules[rule].children
    }

    /// What a rule looks at when it strikes.
    pub(crate) fn needs_of(&self, rule: usize) -> Needs {
        // How long the device is limits what is struck.
        Needs { length: true, ..Needs::of(&self.rules[rule].rule.r#do) }
    }

    /// Counts a strike for one child, and says what comes of it.
    pub(crate) fn decide_strike(&self, strike: &Strike, child: u32, seen: &Seen) -> Decision {
        let mut decision = Decision::default();
        let compiled = &self.rules[strike.rule];
        let Some(range) = struck(&compiled.rule, seen) else { return decision };
        let mut state = self.state();
        let counter = &mut state.counters[strike.rule][child as usize];
        counter.matched += 1;
        let matched = counter.matched;
        let is_over = compiled.rule.when.max.is_some_and(|max| counter.fired >= max);
        if is_over {
            return decision;
        }
        let match_ = Match { compiled, child, op: None, range, matched, seen };
        let is_drawn =
            is_counted(&compiled.rule.when, matched) && self.is_drawn(compiled, child, matched);
        let target = Target { child, op: None, request: None, now: strike.at };
        self.strike(&mut state, &mut decision, &match_, &target, strike.rule, is_drawn);
        decision
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

    /// What rules ask for of what a child held before.
    pub(crate) fn asks_past(&self, child: u32) -> Past {
        let asks_held = |fault: &Fault| matches!(fault, Fault::Replay(_) | Fault::Rollback(_));
        if self.has_rule(child, asks_held) {
            Past::Held
        } else if self.has_rule(child, |fault| matches!(fault, Fault::Stale { .. })) {
            Past::Seen
        } else {
            Past::Unknown
        }
    }

    /// Whether a rule tells what is durable of a child from what is not.
    pub(crate) fn asks_cache(&self, child: u32) -> bool {
        let volatile = |fault: &Fault| matches!(fault, Fault::Flush { .. } | Fault::Crash(_));
        self.has_rule(child, volatile)
    }

    fn has_rule(&self, child: u32, is_such: impl Fn(&Fault) -> bool) -> bool {
        let such = |compiled: &&Compiled| is_such(&compiled.rule.r#do);
        self.rules.iter().filter(such).any(|compiled| compiled.children.contains(&child))
    }

    /// What the rules look at that could befall such an operation.
    pub(crate) fn needs(&self, child: u32, kind: OpKind) -> Needs {
        self.needs[child as usize][kind as usize]
    }

    /// Counts the operation, which is part of `request`, for each rule, and says which fire. `seen` is
    /// what they look at.
    pub(crate) fn decide(
        &self,
        op: &ChildOp,
        request: Option<u64>,
        seen: &Seen,
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
            let Some(range) = touched(&compiled.rule, op, seen) else { continue };
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
            let when = &compiled.rule.when;
            if is_over || is_beaten || !is_open(when, now) || !is_named(when, op) {
                continue;
            }
            let (child, op) = (op.child, Some(op));
            let match_ = Match { compiled, child, op, range, matched, seen };
            let is_drawn =
                is_counted(&compiled.rule.when, matched) && self.is_drawn(compiled, child, matched);
            let target = Target { child, op, request, now };
            self.strike(&mut state, &mut decision, &match_, &target, index, is_drawn);
        }
        decision
    }

    /// Has a rule strike, if the budget lets it: if it is drawn, or in the place of another child.
    fn strike(
        &self,
        state: &mut State,
        decision: &mut Decision,
        match_: &Match<'_>,
        target: &Target<'_>,
        rule: usize,
        is_drawn: bool,
    ) {
        if !is_drawn && !state.guard.as_ref().is_some_and(|guard| guard.has_deflected(rule)) {
            return;
        }
        let own = self.own_effect(match_);
        let mut outside = false;
        if let Some(guard) = &mut state.guard {
            let harm = Harm::of(&own, match_.op);
            let verdict = match is_drawn {
                true => guard.judge(target, rule, &harm),
                false if guard.takes_over(target, rule, &harm) => Verdict::Inside,
                false => return,
            };
            if verdict == Verdict::Spared {
                return decision.spared.push(match_.compiled.name.clone());
            }
            outside = verdict == Verdict::Outside;
        }
        state.counters[rule][target.child as usize].fired += 1;
        decision.firings.push(Self::fire(match_, own, outside, &mut decision.effect));
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

    /// Adds what a rule makes of an operation to what others have made of it.
    fn fire(match_: &Match<'_>, mut own: Effect, outside: bool, effect: &mut Effect) -> Firing {
        let Match { compiled, op, range, matched, .. } = match_;
        let fault = &compiled.rule.r#do;
        let status = match own.status {
            Some(Status::Error(errno)) => Some(errno),
            _ => None,
        };
        let taint = taint(&own, *op, range);
        let is_random = matches!(
            fault,
            Fault::Corrupt { .. } | Fault::Rot { .. } | Fault::Stuck { .. } | Fault::Crash(_)
        );
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the counters are changed")
    }
}

/// What a rule draws beside its decisions and what its fault does.
const ARMING: u32 = 5;
const STRIKING: u32 = 6;
