//! Laws that relate requests to one another: the same request of children that differ in a way that must
//! not matter, or must matter in one direction only.
//!
//! The engine's own array is held to them, and for each there is a mistake that it notices.

use self::{
    case::{Array, Case, Child, IMAGE_BYTES, Op, Outcome, cases, quorum},
    naive::Mistake,
};
use bytes::Bytes;
use proptest::{
    prelude::{Just, Strategy, TestCaseError, any, prop, prop_assert, prop_assert_eq},
    test_runner::{Config, FileFailurePersistence, RngSeed, TestError, TestRunner},
};
use quorate_engine::Errno;

mod case;
mod naive;

/// What is drawn beside a case, for laws that change it.
#[derive(Clone, Debug)]
struct Change {
    /// The children in another order, by their numbers.
    turned: Vec<usize>,
    /// Another order of answers.
    order: Vec<usize>,
    mask: u8,
    /// Where to cut the request.
    cuts: Vec<usize>,
    /// Any number.
    at: usize,
}

type Verdict = Result<(), TestCaseError>;

/// A law: its name, the requests that it is about, what it asks for, and a mistake that breaks it.
type Law = (&'static str, &'static [Op], fn(&Case, &Change, Array<'_>) -> Verdict, Mistake);

const LAWS: &[Law] = &[
    ("specification", ALL, specification, Mistake::TiesGoToTheFirst),
    ("permutation", ALL, permutation, Mistake::FirstToReachWins),
    ("masking", READS, masking, Mistake::TiesGoToTheLargest),
    ("one-more", READ, one_more, Mistake::IgnoresTheLast),
    ("threshold", ALL, threshold, Mistake::OneIsTheFirst),
    ("completion", AT_ONCE, completion, Mistake::TiesGoToTheLatest),
    ("splitting", READ, splitting, Mistake::LooksAtTheStart),
    ("verification", READ, verification, Mistake::MiscountsTheDifference),
    ("repair", READ, repair, Mistake::RepairsTheWrongChild),
];

#[test]
fn the_engine_keeps_every_law() {
    for law in LAWS {
        for seed in [Some(SEED), given()].into_iter().flatten() {
            let kept = tried(law, seed, &quorum, true);
            assert!(
                kept.is_ok(),
                "the law of {} is broken\n{kept:?}\n\
                 QUORATE_SEED={seed} cargo test the_engine_keeps_every_law",
                law.0
            );
        }
    }
}

#[test]
fn each_law_notices_a_mistake() {
    for law in LAWS {
        let right = tried(law, SEED, &|case| naive::array(case, Mistake::None), false);
        assert!(right.is_ok(), "{} is broken by an array without a mistake: {right:?}", law.0);
        let wrong = tried(law, SEED, &|case| naive::array(case, law.3), false);
        let noticed = wrong.is_err_and(|wrong| matches!(*wrong, TestError::Fail(..)));
        assert!(noticed, "{} does not notice {:?}", law.0, law.3);
    }
}

/// Puts an array to a law with drawn cases.
fn tried(
    &(name, ops, holds, _): &Law,
    seed: u64,
    array: Array<'_>,
    persists: bool,
) -> Result<(), Box<TestError<(Case, Change)>>> {
    let file = FileFailurePersistence::default();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        rng_seed: RngSeed::Fixed(seed),
        source_file: Some(file!()),
        test_name: Some(name),
        failure_persistence: if persists { Some(Box::new(file)) } else { None },
        max_shrink_iters: if persists { u32::MAX } else { 0 },
        ..Config::default()
    });
    let drawn = cases(ops).prop_flat_map(|case| {
        let change = change(case.children.len(), case.range.len());
        (Just(case), change)
    });
    runner.run(&drawn, |(case, change)| holds(&case, &change, array)).map_err(Box::new)
}

fn change(children: usize, bytes: usize) -> impl Strategy<Value = Change> {
    let any_order = || Just((0..children).collect::<Vec<_>>()).prop_shuffle();
    let cuts = prop::collection::vec(0..=bytes, 1..4);
    (any_order(), any_order(), 1..=u8::MAX, cuts, any::<prop::sample::Index>()).prop_map(
        |(turned, order, mask, mut cuts, at)| {
            cuts.sort_unstable();
            Change { turned, order, mask, cuts, at: at.index(usize::MAX) }
        },
    )
}

fn specification(case: &Case, _: &Change, array: Array<'_>) -> Verdict {
    prop_assert_eq!(array(case), naive::array(case, Mistake::None));
    Ok(())
}

/// Unless there is a tie, or they are asked one after the other, the order of the children decides
/// nothing. Their names go with them.
fn permutation(case: &Case, change: &Change, array: Array<'_>) -> Verdict {
    if case.has_tie() || case.op == Op::ReadFifo {
        return Ok(());
    }
    let children = change.turned.iter().map(|&child| case.children[child].clone()).collect();
    let new = |child: usize| change.turned.iter().position(|&c| c == child).expect("a permutation");
    let order = case.order.iter().map(|&child| new(child)).collect();
    let turned = array(&Case { children, order, ..case.clone() });
    let plain = array(case);
    prop_assert_eq!(&turned.answer, &plain.answer);
    for (at, &child) in change.turned.iter().enumerate() {
        prop_assert_eq!(&turned.images[at], &plain.images[child]);
    }
    let mut told: Vec<String> = plain.told.iter().map(|line| renamed(line, new)).collect();
    let mut told_turned = turned.told;
    // Of losers the newer is told first, which the order decides.
    told.sort();
    told_turned.sort();
    prop_assert_eq!(told, told_turned);
    Ok(())
}

/// It matters who agrees, and not on what.
fn masking(case: &Case, change: &Change, array: Array<'_>) -> Verdict {
    let masked = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ change.mask).collect::<Vec<u8>>();
    let children = case.children.iter();
    let children = children.map(|child| Child { image: masked(&child.image), ..child.clone() });
    let outcome = array(&Case { children: children.collect(), ..case.clone() });
    let plain = array(case);
    prop_assert_eq!(outcome.told, plain.told);
    prop_assert_eq!(outcome.answer, plain.answer.map(|data| Bytes::from(masked(&data))));
    let images: Vec<Vec<u8>> = plain.images.iter().map(|image| masked(image)).collect();
    prop_assert_eq!(outcome.images, images);
    Ok(())
}

/// One more who agrees with what was read changes nothing, wherever it stands.
fn one_more(case: &Case, change: &Change, array: Array<'_>) -> Verdict {
    let plain = array(case);
    let Ok(data) = &plain.answer else { return Ok(()) };
    let at = change.at % (case.children.len() + 1);
    let mut more = Case { blkverify: false, ..case.clone() };
    let mut image = vec![0; IMAGE_BYTES];
    image[case.range.clone()].copy_from_slice(data);
    more.children.insert(at, Child { image, error: None });
    let moved = |child: usize| child + usize::from(child >= at);
    more.order = case.order.iter().map(|&child| moved(child)).chain([at]).collect();
    let outcome = array(&more);
    prop_assert_eq!(&outcome.answer, &plain.answer);
    let told: Vec<String> = plain.told.iter().map(|line| renamed(line, moved)).collect();
    prop_assert_eq!(outcome.told, told);
    Ok(())
}

/// What succeeds comes out the same where fewer must agree; so what fails never succeeds where more
/// must.
fn threshold(case: &Case, _: &Change, array: Array<'_>) -> Verdict {
    let strict = array(case);
    if strict.answer.is_err() || case.blkverify {
        return Ok(());
    }
    for threshold in 1..case.threshold {
        prop_assert_eq!(array(&Case { threshold, ..case.clone() }), strict.clone());
    }
    Ok(())
}

/// In which order the children answer decides in which order failures are told, and nothing else.
fn completion(case: &Case, change: &Change, array: Array<'_>) -> Verdict {
    let mut other = array(&Case { order: change.order.clone(), ..case.clone() });
    let mut plain = array(case);
    let failed = case.children.iter().filter(|child| child.error.is_some()).count();
    for (outcome, order) in [(&mut other, &change.order), (&mut plain, &case.order)] {
        let name = |child: &usize| format!("! c{child} ");
        let failing = order.iter().filter(|&&child| case.children[child].error.is_some());
        for (line, name) in outcome.told.iter().zip(failing.map(name)) {
            prop_assert!(line.starts_with(&name), "{line} should be of {name}");
        }
        outcome.told[..failed].sort();
    }
    prop_assert_eq!(other, plain);
    Ok(())
}

/// Where more than half must agree, the parts of what can be read can be read, and are the same.
fn splitting(case: &Case, change: &Change, array: Array<'_>) -> Verdict {
    let whole = array(case);
    let Ok(data) = &whole.answer else { return Ok(()) };
    if 2 * case.threshold <= case.children.len() {
        return Ok(());
    }
    let mut joined = Vec::new();
    for part in parts(case, change) {
        let outcome = array(&part);
        let Ok(data) = outcome.answer else {
            return Err(TestCaseError::fail(format!("{:?} fails: {outcome:?}", part.range)));
        };
        joined.extend_from_slice(&data);
    }
    prop_assert!(joined == data[..], "the parts are not the whole");
    Ok(())
}

/// Two children that are compared agree on every byte, or the first that differs is told.
fn verification(case: &Case, _: &Change, array: Array<'_>) -> Verdict {
    if !case.blkverify {
        return Ok(());
    }
    let Outcome { answer, told, .. } = array(case);
    let [Ok(a), Ok(b)] = case.replies()[..] else {
        prop_assert!(answer.is_err());
        prop_assert!(told.iter().all(|line| !line.contains("mismatch")));
        return Ok(());
    };
    let Some(first) = a.iter().zip(b).position(|(a, b)| a != b) else {
        prop_assert_eq!(answer, Ok(Bytes::copy_from_slice(a)));
        prop_assert!(told.is_empty());
        return Ok(());
    };
    let (offset, bytes) = (case.range.start, case.range.len());
    prop_assert_eq!(answer, Err(Errno::EIO));
    prop_assert_eq!(told, [format!("! q mismatch {offset}+{bytes} at {}", offset + first)]);
    Ok(())
}

/// Behind a read that repairs, all who answered agree, nobody is told of again, and nothing has changed
/// outside of what was read; and one that does not repair changes nothing.
fn repair(case: &Case, _: &Change, array: Array<'_>) -> Verdict {
    let first = array(case);
    let repairs = case.rewrites && first.answer.is_ok();
    let mut again = case.clone();
    for (child, image) in first.images.iter().enumerate() {
        let Child { image: before, error } = &case.children[child];
        let mut expected = before.clone();
        if let (true, None, Ok(data)) = (repairs, error, &first.answer) {
            expected[case.range.clone()].copy_from_slice(data);
        }
        prop_assert!(*image == expected, "c{child} holds something else");
        again.children[child].image.clone_from(image);
    }
    let second = array(&again);
    prop_assert_eq!(&second.answer, &first.answer);
    if repairs {
        prop_assert!(second.told.iter().all(|line| !line.contains("outvoted")));
    }
    Ok(())
}

/// Where at most half must agree, a version can win the whole without winning every part: five children,
/// two of which must agree. `A` wins by two votes what `B`, in its first half, has three for.
#[test]
fn up_to_half_the_whole_reads_otherwise_than_its_parts() {
    let halves = ["AA", "AA", "BB", "BC", "BD"];
    let image = |halves: &str| halves.bytes().flat_map(|half| vec![half; 512]).collect();
    let children = halves.map(|halves| Child { image: image(halves), error: None }).to_vec();
    let whole = Case {
        op: Op::Read,
        threshold: 2,
        children,
        order: (0..5).collect(),
        range: 0..1024,
        rewrites: false,
        blkverify: false,
    };
    let read = |case: &Case| {
        let answer = quorum(case).answer;
        answer.map(|data| crate::stage::letters(&data))
    };
    assert_eq!(read(&whole), Ok("A".into()));
    assert_eq!(read(&Case { range: 0..512, ..whole.clone() }), Ok("B".into()));
    assert_eq!(read(&Case { threshold: 3, ..whole.clone() }), Err(Errno::EIO));
}

/// The other way round: of what can be read part by part the whole may be beyond reach, and then for one
/// reason only.
#[test]
fn where_the_parts_can_be_read_and_the_whole_cannot_no_version_has_enough_votes() {
    let mut found = 0;
    let config = Config { cases: 4 * CASES, rng_seed: RngSeed::Fixed(SEED), ..Config::default() };
    let drawn = cases(READ).prop_flat_map(|case| {
        let change = change(case.children.len(), case.range.len());
        (Just(Case { blkverify: false, ..case }), change)
    });
    let counted = std::cell::RefCell::new(&mut found);
    let done = TestRunner::new(config).run(&drawn, |(case, change)| {
        let whole = quorum(&case);
        let all_parts = || parts(&case, &change).all(|part| quorum(&part).answer.is_ok());
        if whole.answer.is_ok() || !all_parts() {
            return Ok(());
        }
        **counted.borrow_mut() += 1;
        prop_assert_eq!(whole.answer, Err(Errno::EIO));
        prop_assert_eq!(whole.told.last(), Some(&format!("! q failure {}", case.sectors())));
        prop_assert!(whole.told.iter().all(|line| !line.contains("outvoted")));
        let answered = case.children.iter().filter(|child| child.error.is_none()).count();
        prop_assert!(answered >= case.threshold);
        Ok(())
    });
    assert!(done.is_ok(), "{done:?}");
    assert!(found > 0, "no such case was drawn");
}

/// The request, cut into parts.
fn parts(case: &Case, change: &Change) -> impl Iterator<Item = Case> {
    let mut ends: Vec<usize> = change.cuts.iter().map(|cut| case.range.start + cut).collect();
    ends.push(case.range.end);
    let mut start = case.range.start;
    ends.into_iter().map(move |end| {
        let range = std::mem::replace(&mut start, end)..end;
        Case { range, ..case.clone() }
    })
}

/// A line about a child, with the number that `new` gives it.
fn renamed(line: &str, new: impl Fn(usize) -> usize) -> String {
    let Some((number, rest)) = line.strip_prefix("! c").and_then(|rest| rest.split_once(' '))
    else {
        return line.into();
    };
    format!("! c{} {rest}", new(number.parse().expect("a child has a number")))
}

/// Another seed to try, as CI gives one for each commit.
fn given() -> Option<u64> {
    let text = std::env::var("QUORATE_SEED").ok()?;
    Some(text.parse().expect("QUORATE_SEED is a number"))
}

const ALL: &[Op] = &[Op::Read, Op::Read, Op::ReadFifo, Op::Write, Op::Flush];
const AT_ONCE: &[Op] = &[Op::Read, Op::Read, Op::Write];
const READS: &[Op] = &[Op::Read, Op::Read, Op::ReadFifo];
const READ: &[Op] = &[Op::Read];
/// What is drawn is the same each time.
const SEED: u64 = 20_140_221;
const CASES: u32 = 150;
