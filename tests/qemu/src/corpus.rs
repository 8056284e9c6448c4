//! What the real QEMU was recorded to make of 500 cases, beside the engine, and beside the QEMU of this machine.

use super::{
    models::{MISTAKES, engine},
    qemu, say,
};
use quorate_scenarios::{
    diff::{
        Pace, Twin,
        corpus::{Corpus, Recorded},
    },
    runner::Scratch,
};
use std::collections::BTreeMap;

/// One case in so many is asked of the machine's QEMU.
const STEP: usize = 10;

fn corpus() -> Corpus {
    Corpus::parse(include_str!("../corpus.jsonl")).expect("it was recorded so")
}

fn again(case: &Recorded) -> Recorded {
    let again = case.again(None, &mut Scratch::default());
    again.unwrap_or_else(|why| panic!("{}: {why:?}", case.scenario.name))
}

#[test]
fn the_engine_does_what_qemu_was_recorded_to_do() {
    let corpus = corpus();
    assert_eq!(corpus.cases.len(), 500);
    let differences: Vec<_> =
        corpus.cases.iter().filter_map(|case| case.difference(&again(case))).collect();
    assert!(
        differences.is_empty(),
        "not as QEMU {} did on {}; {} cases differ\n{}",
        corpus.source.qemu,
        corpus.source.recorded,
        differences.len(),
        differences.join("\n"),
    );
    let turns: usize = corpus.cases.iter().map(|case| case.turns.len()).sum();
    say(&format!("500 cases, {turns} turns as QEMU {} was recorded", corpus.source.qemu));
}

#[test]
fn an_altered_recording_is_noticed_at_its_turn() {
    for case in corpus().cases {
        let (now, last) = (again(&case), case.turns.len() - 1);
        let mut altered = case.clone();
        altered.turns[last].push_str(", 7.7: EIO");
        let said = altered.difference(&now).expect("an answer more");
        assert!(said.starts_with(&format!("{}, turn {last}:", case.scenario.name)), "{said}");
        let mut shortened = case.clone();
        shortened.turns.remove(last / 2);
        let said = shortened.difference(&now).expect("a turn less");
        assert!(said.contains("recorded: "), "{said}");
        for disk in 0..case.media.len() {
            let mut altered = case.clone();
            altered.media[disk] = "0123456789abcdef".into();
            let said = altered.difference(&now).expect("other bytes");
            assert!(said.contains(&format!("c{disk} holds other bytes")), "{said}");
        }
    }
}

#[test]
fn what_is_wrong_with_an_engine_shows_without_qemu() {
    let corpus = corpus();
    let mut by_mistake = BTreeMap::new();
    for mistake in MISTAKES {
        let differs = |case: &&Recorded| {
            let engine = Some(engine(Some(mistake)));
            let again = case.again(engine, &mut Scratch::default()).expect("it runs");
            case.difference(&again).is_some()
        };
        let count = corpus.cases.iter().filter(differs).count();
        assert!(count > 0, "no case is an answer to {mistake:?}");
        by_mistake.insert(format!("{mistake:?}"), count);
    }
    say(&format!("of 500 recorded cases so many notice a wrong engine: {by_mistake:?}"));
}

#[test]
fn this_qemu_does_what_was_recorded() {
    let Some(program) = qemu() else { return };
    let twin = Twin::new(&program, Pace::Ordered);
    let corpus = corpus();
    let cases: Vec<_> = corpus.cases.iter().step_by(STEP).collect();
    for case in &cases {
        let both = twin.compare(&case.scenario, &mut Scratch::default());
        let both = both.unwrap_or_else(|why| panic!("{}: {why:?}", case.scenario.name));
        let now = Recorded::of_qemu(&both).expect("it is as it was");
        assert_eq!(case.difference(&now), None);
    }
    say(&format!(
        "qemu {}: {} recorded cases of QEMU {} come to the same",
        program.version(),
        cases.len(),
        corpus.source.qemu,
    ));
}
