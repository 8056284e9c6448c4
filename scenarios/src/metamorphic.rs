//! Laws that relate one run to another: the same scenario once more, or changed in a way that must not
//! matter, or must matter in one direction only.
//!
//! What timing could decide is taken out first: [`in_turn`] makes of a scenario one client that asks one
//! thing after the other.

mod unchanged;

use crate::{
    export,
    model::{Action, Children, Expected, Request, Scenario},
    runner::{self, Engine, Finished, Scratch},
};
use quorate_engine::{Errno, quorum::options::ReadPattern};
use quorate_faults::{
    budget::{Budget, Mode},
    fault::{Applied, Fault, Kept, Survivors, Torn},
    rule::{self, OpKind, Place, Rule, When},
};
use quorate_reports::{Answer, GuestOp, Outcome, Violation, What};

/// A law: its name, the number of its property, what it asks for, how it is tried.
type Law = (&'static str, u8, &'static str, fn(&Scenario, Runs<'_>) -> Option<String>);

/// Runs scenarios, on our own engine or on another one.
#[derive(Clone, Copy)]
struct Runs<'a> {
    engine: Option<&'a dyn Engine>,
}

impl Runs<'_> {
    /// Nothing, if the rules of the scenario do not allow that it is run.
    fn of(self, scenario: &Scenario) -> Option<Finished> {
        runner::run(scenario, self.engine, &mut Scratch::default()).ok()
    }
}

/// Every law, by name, with the number of its property and what it asks for.
pub fn laws() -> impl Iterator<Item = (&'static str, u8, &'static str)> {
    LAWS.iter().map(|&(name, property, words, _)| (name, property, words))
}

/// The place of a law in [`laws`], by its name.
#[must_use]
pub fn place(name: &str) -> Option<usize> {
    LAWS.iter().position(|(law, ..)| *law == name)
}

/// Tries one law, by its place in [`laws`], on a concrete scenario.
#[must_use]
pub fn broken(scenario: &Scenario, engine: Option<&dyn Engine>, law: usize) -> Option<Violation> {
    let (check, _, _, holds) = LAWS[law % LAWS.len()];
    let reason = holds(scenario, Runs { engine })?;
    Some(Violation { check, request: None, entry: None, reason })
}

/// Which law to try beside a run, if any: one in 64 gets one, whatever the thread that runs it.
#[must_use]
pub fn chosen(seed: u64) -> Option<usize> {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let law = usize::try_from(mixed >> 40 & 0xff).expect("eight bits");
    (mixed >> 58 == 0).then_some(law % LAWS.len())
}

/// The requests of all clients one after the other, of a single client; only reads and plain writes, and
/// faults that know no time.
#[must_use]
pub fn in_turn(scenario: &Scenario) -> Scenario {
    let mut one = Scenario { steps: Vec::new(), clients: Vec::new(), ..scenario.clone() };
    for action in scenario.scripts().flatten() {
        if let Action::Request { request, .. } = action
            && matches!(request, Request::Read { .. } | Request::Write { .. })
        {
            let (request, expected) = (request.clone(), Expected::default());
            one.steps.push(Action::Request { request, background: None, expected });
        }
    }
    one.rules.retain(|rule| rule.when.window.is_none() && rule.when.after.is_none());
    // What is in flight when the power goes, and asked for while it is gone, is a matter of time.
    one.rules.retain(|rule| !matches!(rule.r#do, Fault::Hang { .. } | Fault::Crash(_)));
    one.rules.retain(|rule| !rule.on.is_empty());
    one.array.rewrite_corrupted = false;
    one
}

const LAWS: &[Law] = &[
    ("determinism", 18, "a run comes out the same once more", |scenario, run| {
        let (first, second) = (run.of(scenario)?, run.of(scenario)?);
        let same = first.trace.digest == second.trace.digest;
        (!same).then(|| {
            let mut events = first.trace.digests().flatten().zip(second.trace.digests().flatten());
            let agreed = events.position(|(first, second)| first != second);
            match agreed {
                Some(agreed) => format!("The same run is another one after {agreed} events."),
                None => "The same run has another digest.".into(),
            }
        })
    }),
    ("neutrality", 19, "a rule that never fires changes nothing", |scenario, run| {
        let mut idle = scenario.clone();
        idle.rules.insert(0, idle_rule());
        let same = run.of(scenario)?.trace.digest == run.of(&idle)?.trace.digest;
        (!same).then(|| "With a rule that never fires the run has another digest.".into())
    }),
    ("observation", 19, "a budget that only observes changes nothing", observation),
    ("scripting", 19, "a run and its script, which draws nothing, are the same", scripting),
    ("threshold", 20, "what enough children agree on, fewer would have", threshold),
    ("splitting", 20, "a part of what can be read can be read, and is the same", splitting),
    ("permutation", 20, "the order of the children decides no data of a majority", permutation),
    ("masking", 20, "it matters who answers the same, and not what", unchanged::masking),
    ("one-more", 20, "one more sound child changes nothing that succeeds", unchanged::one_more),
    ("order", 20, "the order of answers decides only that of events", unchanged::order),
];

fn idle_rule() -> Rule {
    Rule {
        name: "never".into(),
        on: vec![OpKind::Read, OpKind::Write],
        child: rule::Children::Index(0),
        r#where: Place::default(),
        when: When { nth: vec![u64::MAX], ..When::default() },
        r#do: Fault::Status { errno: Errno::EIO, applied: Applied::None },
    }
}

fn observation(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    if scenario.budget.is_some() {
        return None;
    }
    let budget = Some(Budget { mode: Mode::Observe, ..Budget::default() });
    let observed = Scenario { budget, ..scenario.clone() };
    let same = run.of(scenario)?.trace.digest == run.of(&observed)?.trace.digest;
    (!same).then(|| "With a budget that only observes the run has another digest.".into())
}

fn scripting(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    // What the power cut of a step leaves is drawn as it happens, and a script leaves steps as they are.
    let draws = scenario.scripts().flatten().any(|action| match action {
        Action::CutPower { crash, .. } => draws(&crash.keep),
        _ => false,
    });
    if draws {
        return None;
    }
    let script = export::scripted(scenario, run.engine).ok()?;
    let same = run.of(scenario)?.trace.digest == run.of(&script)?.trace.digest;
    (!same).then(|| "The script of the run has another digest.".into())
}

/// Whether what remains behind a power cut is left to chance.
fn draws(keep: &Survivors) -> bool {
    match keep {
        Survivors::Drawn { keep, torn, reorder, .. } => {
            !matches!(keep, Kept::None | Kept::All) || *torn != Torn::Whole || *reorder
        }
        Survivors::Runs { .. } => false,
    }
}

fn threshold(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let high = in_turn(scenario);
    let array = &high.array;
    if array.blkverify || array.vote_threshold < 2 || !array.inner.is_empty() {
        return None;
    }
    let mut low = high.clone();
    low.array.vote_threshold -= 1;
    let (high, low) = (run.of(&high)?, run.of(&low)?);
    let pairs = high.trace.entries.iter().zip(&low.trace.entries);
    for (at, (strict, lax)) in pairs.enumerate() {
        let (What::Complete(strict), What::Complete(lax)) = (&strict.what, &lax.what) else {
            let replies = |what: &What| match what {
                What::Reply { child, ordinal, answer } => Some((*child, *ordinal, *answer)),
                _ => None::<(u32, u64, Answer)>,
            };
            // From where the children answer otherwise, nothing follows.
            if replies(&strict.what) != replies(&lax.what) {
                return None;
            }
            continue;
        };
        if strict.error().is_none() && strict != lax {
            return Some(format!(
                "What succeeds in entry {at} comes out otherwise when fewer must agree."
            ));
        }
    }
    None
}

fn splitting(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let mut one = in_turn(scenario);
    if !is_majority(&one) {
        return None;
    }
    let (offset, bytes) = one.steps.iter().rev().find_map(|action| match action {
        Action::Request { request, .. } => {
            match request.op(|_, bytes| vec![0; index(bytes)].into()) {
                GuestOp::Write { offset, data, .. } if data.len() > 1 => {
                    Some((offset, data.len() as u64))
                }
                _ => None,
            }
        }
        _ => None,
    })?;
    // What the media hold is to be compared, not what befalls single answers.
    one.rules.retain(|rule| !rule.on.contains(&OpKind::Read));
    let half = bytes / 2;
    for (offset, bytes) in [(offset, bytes), (offset, half), (offset + half, bytes - half)] {
        let (request, expected) = (Request::Read { offset, bytes }, Expected::default());
        one.steps.push(Action::Request { request, background: None, expected });
    }
    let finished = run.of(&one)?;
    let answers: Vec<&Outcome> = outcomes(&finished).collect();
    let [.., Outcome::Data(Ok(whole)), left, right] = answers[..] else { return None };
    let parts = match (left, right) {
        (Outcome::Data(Ok(left)), Outcome::Data(Ok(right))) => [&left[..], &right[..]].concat(),
        _ => return Some("The whole can be read, and a part of it cannot.".into()),
    };
    (parts != whole[..]).then(|| "The whole reads otherwise than its parts.".into())
}

fn permutation(scenario: &Scenario, run: Runs<'_>) -> Option<String> {
    let one = in_turn(scenario);
    if !is_majority(&one) {
        return None;
    }
    let mut turned = one.clone();
    let names = one.child_names().into_iter().rev().collect();
    turned.array.children = Children::Named(names);
    turned.array.disks = Some(one.disks());
    let (one, turned) = (run.of(&one)?, run.of(&turned)?);
    let good = |outcome: &Outcome| outcome.error().map_or_else(|| Some(outcome.clone()), |_| None);
    let same = outcomes(&one).map(good).eq(outcomes(&turned).map(good));
    (!same).then(|| "With the children in another order a request comes out otherwise.".into())
}

/// Whether more than half must agree, over the answers of all.
fn is_majority(scenario: &Scenario) -> bool {
    let array = &scenario.array;
    array.inner.is_empty()
        && !array.blkverify
        && array.read_pattern == ReadPattern::Quorum
        && 2 * array.vote_threshold > scenario.child_names().len()
}

fn outcomes(finished: &Finished) -> impl Iterator<Item = &Outcome> {
    finished.trace.entries.iter().filter_map(|entry| match &entry.what {
        What::Complete(outcome) => Some(outcome),
        _ => None,
    })
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a payload fits into memory")
}
