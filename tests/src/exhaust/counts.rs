//! How many cases there are, counted in another way: by Bell numbers.

use super::{AT_ONCE, QUICK, proof};
use quorate_scenarios::exhaust::{Proof, Subject};

fn factorial(n: u64) -> u64 {
    (1..=n).product()
}

fn choose(n: u64, k: u64) -> u64 {
    factorial(n) / factorial(k) / factorial(n - k)
}

/// In how many ways `n` children can be divided into parties of at most `most`.
fn partitions(n: u64, most: u64) -> u64 {
    // The first child's party has so many others.
    let with = |others: u64| choose(n - 1, others) * partitions(n - 1 - others, most);
    if n == 0 { 1 } else { (0..most.min(n)).map(with).sum() }
}

/// The Bell number.
fn bell(n: u64) -> u64 {
    partitions(n, n)
}

/// For each number of children that succeed, in how many ways they can be chosen and the others fail.
fn failures(n: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..=n).map(move |good| (good, choose(n, good) * bell(n - good)))
}

fn expected(subject: Subject, n: u64) -> u64 {
    let orders = factorial(n);
    match subject {
        // Those that succeed are divided into contents, the others into errors.
        Subject::Read => {
            failures(n).map(|(good, ways)| ways * bell(good)).sum::<u64>() * n * orders
        }
        Subject::ReadVerify => {
            if n == 2 {
                6 * orders
            } else {
                0
            }
        }
        Subject::ReadRepair => {
            failures(n)
                .map(|(good, ways)| {
                    ways * (0..=good).map(|most| repairs(n, good, most)).sum::<u64>()
                })
                .sum::<u64>()
                * orders
        }
        // So many fail in one way or another, and the next one succeeds; or all fail.
        Subject::ReadFifo => ((0..n).map(bell).sum::<u64>() + bell(n)) * n,
        // Success is one more party, to which a child beside the n belongs.
        Subject::Write => bell(n + 1) * n * orders,
        Subject::Flush => bell(n + 1) * n,
        Subject::WriteFua => {
            let flushes =
                |good| (1..=n).map(|t| if good >= t { bell(n + 1) } else { 1 }).sum::<u64>();
            failures(n).map(|(good, ways)| ways * flushes(good)).sum::<u64>() * orders
        }
        other => panic!("there is no formula for {other:?}"),
    }
}

/// At all thresholds, how often so many children are divided so that the largest party has `most`, and how the
/// repairs of the others go on.
fn repairs(n: u64, good: u64, most: u64) -> u64 {
    let exactly = partitions(good, most) - if most > 0 { partitions(good, most - 1) } else { 0 };
    let losers = good - most;
    let go_on = |t| if most >= t { factorial(losers) * (1 << losers) } else { 1 };
    exactly * (1..=n).map(go_on).sum::<u64>()
}

fn counted(proof: &Proof, subject: Subject, n: usize) -> u64 {
    let row = proof.rows.iter().find(|row| (row.subject, row.children) == (subject, n));
    row.map_or(0, |row| row.cases)
}

#[test]
fn cases_are_as_many_as_bell_numbers_say() {
    assert_eq!([0, 1, 2, 3, 4, 5, 6].map(bell), [1, 1, 2, 5, 15, 52, 203]);
    let four = proof(4, &QUICK, None);
    for subject in QUICK {
        for n in 1..=4 {
            assert_eq!(
                counted(&four, subject, n as usize),
                expected(subject, n),
                "{subject:?} {n}"
            );
        }
    }
    let three = proof(3, &[Subject::WriteFua], None);
    for n in 1..=3 {
        assert_eq!(counted(&three, Subject::WriteFua, n as usize), expected(Subject::WriteFua, n));
    }
}

/// Two requests of three operations each, in any order: the moment of the second and all operations are a
/// row of seven things, in which those of the second follow its moment.
#[test]
fn interleavings_are_as_many_as_there_are_ways_to_shuffle() {
    let shuffles = choose(7, 3);
    for row in AT_ONCE.qemu.iter().filter(|row| !row.meeting.rewrite_corrupted) {
        // A flush asks one child after the other. Two of them take turns.
        let orders = match row.meeting.words().matches("flush").count() {
            0 => factorial(3) * factorial(3) * shuffles,
            1 => factorial(3) * shuffles,
            _ => 4,
        };
        assert_eq!(row.interleavings, orders, "{}", row.meeting.words());
    }
}

/// It has the numbers for five children.
#[test]
fn the_document_has_the_numbers_of_the_formulas() {
    let document = include_str!("../../../scenarios/PROOF.md");
    for (subject, most) in [
        (Subject::Read, 5),
        (Subject::ReadFifo, 5),
        (Subject::ReadRepair, 5),
        (Subject::Write, 5),
        (Subject::WriteFua, 4),
        (Subject::Flush, 5),
    ] {
        let line = document
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{} ", subject.word())));
        let line = line.unwrap_or_else(|| panic!("{subject:?} is not in the document"));
        let numbers: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .map(|number| number.replace(',', "").parse().expect("a number"))
            .collect();
        let formula: Vec<u64> = (1..=most).map(|n| expected(subject, n)).collect();
        assert_eq!(numbers, formula, "{subject:?}");
    }
}
