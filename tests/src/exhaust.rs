//! Every vote of a few children: the engine does what the rules say, the certificate is the same on every
//! machine, and a wrong array does not get it.

mod counts;

use crate::oracle::{Bug, naive::Naive};
use quorate_scenarios::{
    exhaust::{
        self, Certificate, Difference, Exhaust, Proof, Subject, Unproved,
        together::{Hazard, Row},
    },
    runner::Engine,
};
use std::sync::{LazyLock, atomic::AtomicBool};

/// What comes of these subjects with up to so many children.
fn exhausted(
    children: usize,
    subjects: &[Subject],
    engine: Option<&dyn Engine>,
) -> Result<Proof, Unproved> {
    let exhaust = Exhaust { children, subjects: subjects.to_vec(), jobs: 2, engine };
    exhaust::run(&exhaust, &AtomicBool::new(false), |_, _| {})
}

#[track_caller]
fn proof(children: usize, subjects: &[Subject], engine: Option<&dyn Engine>) -> Proof {
    exhausted(children, subjects, engine).unwrap_or_else(|unproved| panic!("{unproved}"))
}

/// What comes of several requests at once.
static AT_ONCE: LazyLock<Proof> = LazyLock::new(|| {
    let subjects = [Subject::PairsSerialise, Subject::PairsQemu, Subject::TrioSerialise];
    proof(3, &subjects, None)
});

/// How a wrong array differs.
#[track_caller]
fn difference(bug: Bug, children: usize, subject: Subject) -> Difference {
    match exhausted(children, &[subject], Some(&Naive(bug))) {
        Err(Unproved::Differs(difference)) => *difference,
        other => panic!("{bug:?} is not noticed by {subject:?}: {other:?}"),
    }
}

/// One request.
const SINGLE: [Subject; 8] = [
    Subject::Read,
    Subject::ReadFifo,
    Subject::ReadRepair,
    Subject::ReadVerify,
    Subject::Write,
    Subject::WriteFua,
    Subject::WriteZeroes,
    Subject::Flush,
];

/// Those of which four children have few enough cases for every day.
const QUICK: [Subject; 6] = [
    Subject::Read,
    Subject::ReadFifo,
    Subject::ReadRepair,
    Subject::ReadVerify,
    Subject::Write,
    Subject::Flush,
];

/// Bugs that one request shows, and where.
const BUGS: &[(Bug, Subject)] = &[
    (Bug::TiesGoToTheFirst, Subject::Read),
    (Bug::MakesDataUp, Subject::Read),
    (Bug::AlwaysFails, Subject::Read),
    (Bug::KeepsSilent, Subject::Read),
    (Bug::HidesTheFailure, Subject::Read),
    (Bug::BlamesAStranger, Subject::Read),
    (Bug::ReportsInChildOrder, Subject::Read),
    (Bug::KeepsSilent, Subject::ReadFifo),
    (Bug::RepairsTheWrongChild, Subject::ReadRepair),
    (Bug::RepairsWithRubbish, Subject::ReadRepair),
    (Bug::MiscountsTheDifference, Subject::ReadVerify),
    (Bug::AnswersEarly, Subject::Write),
    (Bug::AnswersAtTheThreshold, Subject::Write),
    (Bug::AcknowledgesAnything, Subject::Write),
    (Bug::ReportsInChildOrder, Subject::Write),
    (Bug::SparesTheLastChild, Subject::Write),
    (Bug::WritesBeside, Subject::Write),
    (Bug::FlushCountsSuccesses, Subject::WriteFua),
    (Bug::HidesTheFailure, Subject::WriteZeroes),
    (Bug::FlushCountsSuccesses, Subject::Flush),
    (Bug::NeverAnswersAFlush, Subject::Flush),
];

#[test]
fn no_bug_gets_a_certificate() {
    for (bug, subject) in BUGS {
        let difference = difference(*bug, 3, *subject);
        assert!(difference.story.iter().any(|line| line.starts_with('!')), "{bug:?}: {difference}");
    }
}

/// The write is answered when the first child has it, and the second child has still to answer.
#[test]
fn an_answer_at_the_threshold_comes_too_early() {
    let early = difference(Bug::AnswersAtTheThreshold, 2, Subject::Write);
    assert_eq!(early.why, "'= ok' comes where '< c1 ok' is due.", "{early}");
}

#[test]
fn an_array_of_another_make_gets_the_same_certificate() {
    let other = proof(3, &QUICK, Some(&Naive(Bug::None)));
    assert_eq!(other, proof(3, &QUICK, None));
    let other = proof(2, &SINGLE, Some(&Naive(Bug::None)));
    assert_eq!(other, proof(2, &SINGLE, None));
}

#[test]
fn the_number_of_jobs_does_not_matter() {
    let with = |jobs| {
        let subjects = vec![Subject::ReadRepair, Subject::TrioSerialise];
        let exhaust = Exhaust { children: 3, subjects, jobs, engine: None };
        exhaust::run(&exhaust, &AtomicBool::new(false), |_, _| {}).expect("it holds")
    };
    assert_eq!(with(1), with(5));
    let first = |jobs| {
        let (subjects, engine) = (QUICK.to_vec(), Naive(Bug::ReportsInChildOrder));
        let exhaust = Exhaust { children: 3, subjects, jobs, engine: Some(&engine) };
        exhaust::run(&exhaust, &AtomicBool::new(false), |_, _| {}).expect_err("it is wrong")
    };
    assert_eq!(first(1), first(5));
}

/// Both children answer, and there is a difference only if somebody who failed is told of late.
#[test]
fn a_difference_can_be_read() {
    let difference = difference(Bug::ReportsInChildOrder, 3, Subject::Write);
    insta::assert_snapshot!(difference.to_string());
}

/// An array that lets a write go before its turn loses what it promised, and is shown how.
#[test]
fn requests_that_ignore_turns_are_noticed() {
    let difference = difference(Bug::IgnoresTurns, 3, Subject::PairsSerialise);
    insta::assert_snapshot!(difference.to_string());
}

#[test]
fn an_array_that_hangs_or_asks_at_the_wrong_time_is_noticed() {
    let hangs = difference(Bug::NeverAnswersAFlush, 3, Subject::PairsSerialise);
    assert!(hangs.why.contains("the flush never ends"), "{hangs}");
    let asks = difference(Bug::AsksUnasked, 1, Subject::Read);
    assert!(asks.why.contains("does not open"), "{asks}");
    let panics = |_: &quorate_scenarios::model::Scenario, _: quorate_scenarios::runner::Parts| {
        panic!("out of order")
    };
    match exhausted(1, &[Subject::Read], Some(&panics)) {
        Err(Unproved::Differs(found)) => assert!(found.why.contains("out of order"), "{found}"),
        other => panic!("a panic is not noticed: {other:?}"),
    }
}

/// Not at any threshold, which is more than is promised.
#[test]
fn requests_that_take_turns_do_no_harm() {
    assert_eq!(AT_ONCE.serialise.len(), 70, "16 pairs at 3 thresholds, 7 that repair, and a trio");
    assert!(AT_ONCE.serialise.iter().all(|row| row.hazards.is_empty()));
    let lost = |row: &&Row| row.hazards.contains_key(&Hazard::Lost);
    let lost: Vec<String> = AT_ONCE.qemu.iter().filter(lost).map(|r| r.meeting.words()).collect();
    assert_eq!(lost, ["write, repairing read", "repairing read, write"]);
}

#[test]
fn a_certificate_reads_back() {
    let text = "00ff".repeat(16);
    let certificate: Certificate = text.parse().expect("it is one");
    assert_eq!((certificate.0[0], certificate.0[1]), (0, 255));
    assert_eq!(certificate.to_string(), text);
    for wrong in ["", "00", &text[1..], &format!("{text}0"), &text.replace('f', "g")] {
        assert!(wrong.parse::<Certificate>().is_err(), "{wrong}");
    }
}
