//! Summaries add up whatever the order, and come back from JSON.

use proptest::{collection::btree_map, prelude::*};
use quorate_engine::{Errno, OpType, Result};
use quorate_reports::{
    Colour, Verdict,
    summary::{self, Cell, Failure, Form, Reach, Shape, Summary},
    trace::Payload,
};
use std::time::Duration;

/// A night of fuzzing with two failures.
pub(crate) fn night() -> Summary {
    let counts = |rows: &[(&str, u64)]| rows.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    let shape = |text: &str| text.parse::<Shape>().expect("a shape");
    let cell = |text: &str| text.parse::<Cell>().expect("a cell");
    let failure = |class: &str, seed: u64, reason: &str| Failure {
        class: class.into(),
        token: format!("mixed:{seed}"),
        file: Some(format!("quorate-failures/{class}-{seed}.toml")),
        reason: reason.into(),
    };
    Summary {
        verdicts: [(Verdict::Held, 1_204_328), (Verdict::Violated, 1), (Verdict::Stalled, 1)]
            .into(),
        profiles: counts(&[("mixed", 800_000), ("gluster", 4_330), ("crash", 400_000)]),
        faults: counts(&[("corrupt", 310_224), ("status", 1_250_002), ("hang", 901)]),
        ends: counts(&[
            ("reported", 1_400_003),
            ("overwritten", 160_000),
            ("latent-unread", 1_124),
        ]),
        shapes: [
            (shape("read 2/3 unanimous"), 9_000_000),
            (shape("read 3/5 outvoted"), 310_000),
            (shape("read 2/3 outvoted"), 1_000),
            (shape("read 2/4 tie"), 77),
            (shape("read 1/1 too-few"), 4),
            (shape("write 2/3 degraded"), 120_345),
            (shape("flush 2/3 unanimous"), 88_000),
        ]
        .into(),
        cells: [(cell("read 2/3 right 3 wrong 0 errors 0 inside"), 9_000_000)].into(),
        reach: [("mixed".into(), Reach { children: [1].into(), after: 1000 })].into(),
        spared: 12,
        child_ios: 48_123_456,
        elapsed: Duration::from_millis(600_250),
        cpu: Duration::from_millis(1_180_900),
        failures: [
            failure("winner", 4711, "request 0.17 got version B, which 1 of 3 children answered"),
            failure("stalled", 99, "request 1.3 was never answered"),
        ]
        .into(),
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let op = prop::sample::select(vec![OpType::Read, OpType::Write, OpType::Flush]);
    let form = prop::sample::select(Form::ALL.to_vec());
    (op, any::<u8>(), any::<u8>(), form).prop_map(|(op, children, threshold, form)| Shape {
        op,
        children,
        threshold,
        form,
    })
}

fn summaries() -> impl Strategy<Value = Summary> {
    let count = || 0..1_000_000_u64;
    let words = || btree_map("[a-c]", count(), 0..3);
    let verdicts = btree_map(prop::sample::select(Verdict::ALL.to_vec()), count(), 0..4);
    let failures = prop::collection::btree_set("[a-c]", 0..3);
    let shapes = btree_map(shapes(), count(), 0..4);
    let cells = btree_map(prop::sample::select(summary::cores(3, 2)), count(), 0..4);
    let reach = (prop::collection::btree_set(1..4_u8, 0..3), count());
    let reach = reach.prop_map(|(children, after)| Reach { children, after });
    let coverage = (shapes, cells, btree_map("[a-c]", reach, 0..3));
    let numbers = [count(), count(), count(), count()];
    (verdicts, [words(), words(), words()], coverage, numbers, failures).prop_map(
        |(
            verdicts,
            [profiles, faults, ends],
            coverage,
            [child_ios, elapsed, cpu, spared],
            failures,
        )| {
            Summary {
                verdicts,
                profiles,
                faults,
                ends,
                shapes: coverage.0,
                cells: coverage.1,
                reach: coverage.2,
                spared,
                child_ios,
                elapsed: Duration::from_micros(elapsed),
                cpu: Duration::from_micros(cpu),
                failures: failures
                    .into_iter()
                    .map(|text| Failure {
                        class: text.clone(),
                        token: text.clone(),
                        file: None,
                        reason: text,
                    })
                    .collect(),
            }
        },
    )
}

fn merged(a: &Summary, b: &Summary) -> Summary {
    let mut sum = a.clone();
    sum.merge(b.clone());
    sum
}

proptest! {
    #[test]
    fn merging_is_associative_and_commutative(a in summaries(), b in summaries(), c in summaries()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&a, &Summary::default()), a);
    }

    #[test]
    fn summary_comes_back_from_json(summary in summaries()) {
        let text = serde_json::to_string(&summary).expect("keys are strings");
        prop_assert_eq!(serde_json::from_str::<Summary>(&text).expect("as written"), summary);
    }
}

#[test]
fn a_single_profile_lists_only_what_it_saw() {
    let mut summary = night();
    summary.profiles.retain(|name, _| name == "mixed");
    summary.shapes.retain(|shape, _| shape.children == 3);
    let text = summary::render(&summary, Colour::Off);
    let forms: Vec<&str> = Form::ALL.map(Form::word).into();
    let rows = text.lines().filter_map(|line| line.split_whitespace().next());
    let rows: Vec<&str> = rows.filter(|word| forms.contains(word)).collect();
    assert_eq!(rows, ["unanimous", "degraded", "outvoted"]);
    assert!(text.contains("1 threshold/children pair, 3 children\n"), "{text}");
}

#[test]
fn all_held_means_every_run() {
    assert!(Summary::default().all_held());
    assert!(!night().all_held());
    assert_eq!(night().runs(), 1_204_330);
}

#[test]
fn shape_text_is_refused_unless_it_is_one() {
    for text in ["", "read", "read 2/3", "trim 2/3 tie", "read 2-3 tie", "read 2/3 tie now"] {
        let error = text.parse::<Shape>().expect_err(text).to_string();
        assert_eq!(error, format!("'{text}' is not a vote shape such as 'read 2/3 outvoted'"));
    }
}

/// One letter per child: versions are capital letters, errors small ones.
fn replies(text: &str) -> Vec<Result<Payload>> {
    let reply = |letter: u8| match letter {
        b'A'..=b'Z' => Ok(Payload { bytes: 512, hash: u64::from(letter) }),
        b'e' => Err(Errno::EIO),
        b's' => Err(Errno::ENOSPC),
        other => panic!("no reply is written {other}"),
    };
    text.bytes().map(reply).collect()
}

#[test]
fn forms_of_votes_are_these() {
    for (text, threshold, form) in [
        ("AAA", 2, Form::Unanimous),
        ("A", 1, Form::Unanimous),
        ("AeA", 2, Form::Degraded),
        ("Aee", 1, Form::Degraded),
        ("AAB", 2, Form::Outvoted),
        ("eABA", 2, Form::Outvoted),
        ("AABB", 2, Form::Tie),
        ("AB", 1, Form::Tie),
        ("ABAB", 3, Form::NoMajority),
        ("AAB", 3, Form::NoMajority),
        ("ees", 1, Form::TooFew),
        ("Aes", 2, Form::ErrorTie),
        ("Aee", 2, Form::TooFew),
    ] {
        assert_eq!(Form::of(&replies(text), threshold), form, "{text} t{threshold}");
    }
}
