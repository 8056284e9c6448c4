//! The votes: examples, all small cases, and laws.
//!
//! A vote is written as a word with a letter for each child: `A`, `B`, ... for what it answered,
//! and `e`, `s`, `p` for `EIO`, `ENOSPC` and `EPERM`.

use crate::spec::{self, Ballot};
use bytes::Bytes;
use proptest::{
    prelude::{Strategy, prop, prop_assert, prop_assert_eq, prop_assume, proptest},
    sample::select,
};
use quorate_engine::{
    Errno, Result,
    vote::{self, ReadVerdict, VersionName},
};

/// Asserts what a read comes to: `B` or `B blames 1 0`, or the error, in the notation above.
#[track_caller]
fn check(word: &str, threshold: usize, expected: &str) {
    assert_eq!(outcome(word, threshold), expected, "{word} at {threshold}");
}

fn outcome(word: &str, threshold: usize) -> String {
    match vote::read(&replies(word), threshold) {
        ReadVerdict::Unanimous { winner } => format!("{} alone", letter(word, winner)),
        ReadVerdict::Majority { winner, dissent } => {
            let dissent: String = dissent.iter().map(|i| format!(" {i}")).collect();
            format!("{} blames{dissent}", letter(word, winner))
        }
        ReadVerdict::NoMajority => "no majority".into(),
        ReadVerdict::TooFew { error } => error.to_string(),
    }
}

#[test]
fn the_votes_that_qemu_was_seen_to_take() {
    for (word, threshold, expected) in [
        // A tie goes to the version first seen last.
        ("AB", 1, "B blames 0"),
        ("ABC", 1, "C blames 1 0"),
        ("AABB", 2, "B blames 1 0"),
        ("ABBA", 2, "B blames 3 0"),
        ("ABAB", 2, "B blames 2 0"),
        ("AABBCC", 2, "C blames 3 2 1 0"),
        ("ABCABC", 1, "C blames 4 1 3 0"),
        // More votes win, wherever they come from.
        ("BACAA", 1, "A blames 2 0"),
        ("ABA", 2, "A blames 1"),
        // Blame goes to the newest version first, and in it to the highest child first.
        ("ABCDE", 1, "E blames 3 2 1 0"),
        ("ABBAAB", 3, "B blames 4 3 0"),
        ("ABCBA", 2, "B blames 2 4 0"),
        // Too few votes for the best version: nobody is blamed.
        ("AAB", 3, "no majority"),
        ("ABCD", 2, "no majority"),
        ("sAB", 2, "no majority"),
        // Those who failed do not vote.
        ("sAA", 2, "A alone"),
        ("eAe", 1, "A alone"),
        ("AeBA", 2, "A blames 2"),
        // Too few answers: the errors vote, although the rest agree.
        ("esA", 2, "ENOSPC"),
        ("es", 1, "ENOSPC"),
        ("se", 1, "EIO"),
        ("ese", 1, "EIO"),
        ("esp", 1, "EPERM"),
        ("eess", 1, "ENOSPC"),
        ("esse", 1, "ENOSPC"),
        ("seesp", 1, "EIO"),
        ("ese", 2, "EIO"),
    ] {
        check(word, threshold, expected);
    }
}

#[test]
fn hundreds_of_children_are_counted_to_the_last() {
    for children in [255, 256, 257, 300] {
        let word = "B".to_owned() + &"A".repeat(children - 1);
        check(&word, children - 1, "A blames 0");
        check(&word, children, "no majority");
        let word = "e".to_owned() + &"A".repeat(children - 1);
        check(&word, children - 1, "A alone");
        check(&word, children, "EIO");
    }
}

#[test]
fn the_counts_that_qemu_was_seen_to_take() {
    for (word, threshold, expected) in [
        ("AAA", 3, Ok(())),
        ("essA", 1, Ok(())),
        ("eA", 1, Ok(())),
        ("esA", 2, Err(Errno::ENOSPC)),
        ("see", 1, Err(Errno::EIO)),
        ("se", 1, Err(Errno::EIO)),
        ("ese", 1, Err(Errno::EIO)),
        ("eAAe", 3, Err(Errno::EIO)),
    ] {
        let counted = vote::count(&replies(word), threshold);
        assert_eq!(counted, expected, "{word} at {threshold}");
    }
}

/// Every vote of up to four children, each of which answers one of three contents or errors.
#[test]
fn every_small_vote_is_that_of_the_specification() {
    let mut votes = 0;
    for children in 1..=4 {
        for case in 0..6_usize.pow(children) {
            let word: String =
                (0..children).map(|i| char::from(b"ABCesp"[case / 6_usize.pow(i) % 6])).collect();
            for threshold in 1..=word.len() {
                agree(&word, threshold);
                votes += 1;
            }
        }
    }
    assert_eq!(votes, 6 + 36 * 2 + 216 * 3 + 1296 * 4);
}

#[track_caller]
fn agree(word: &str, threshold: usize) {
    let (specified, said) = (spec::read(&named(word), threshold), said(word, threshold));
    assert_eq!(said, specified, "{word} at {threshold}");
    let counted = vote::count(&replies(word), threshold);
    assert_eq!(counted, spec::enough(&named(word), threshold), "{word} at {threshold}");
}

/// What the engine decides, in the words of the specification.
fn said(word: &str, threshold: usize) -> Ballot<char> {
    let replies = replies(word);
    let won = |winner: usize, losers| {
        let same = replies.iter().position(|r| *r == replies[winner]);
        assert_eq!(same, Some(winner), "the first member of a version speaks for it");
        Ballot { result: Ok(letter(word, winner)), losers, failure: false }
    };
    let failed = |error| Ballot { result: Err(error), losers: Vec::new(), failure: true };
    match vote::read(&replies, threshold) {
        ReadVerdict::Unanimous { winner } => won(winner, Vec::new()),
        ReadVerdict::Majority { winner, dissent } => won(winner, dissent),
        ReadVerdict::NoMajority => failed(Errno::EIO),
        ReadVerdict::TooFew { error } => failed(error),
    }
}

proptest! {
    #[test]
    fn large_votes_are_those_of_the_specification((word, threshold) in votes()) {
        agree(&word, threshold);
    }

    /// L1.
    #[test]
    fn data_are_backed_by_as_many_children_as_the_threshold_asks((word, t) in votes()) {
        if let Some(data) = data(&word, t) {
            prop_assert!(count(&word, |c| c == data) >= t);
        }
    }

    /// L2: `A` is right, everything else is not.
    #[test]
    fn above_half_a_read_is_right_if_and_only_if_enough_children_are((word, t) in votes()) {
        prop_assume!(2 * t > word.len());
        prop_assert_eq!(data(&word, t) == Some('A'), count(&word, |c| c == 'A') >= t);
    }

    /// L3.
    #[test]
    fn liars_fewer_than_the_threshold_are_never_believed((word, t) in votes()) {
        let liars = "BCD".chars().map(|liar| count(&word, |c| c == liar)).max();
        prop_assume!(liars < Some(t));
        prop_assert!(matches!(data(&word, t), None | Some('A')));
    }

    /// L4.
    #[test]
    fn up_to_half_a_tie_is_won_by_the_version_first_seen_last((word, t) in votes()) {
        prop_assume!(2 * t <= word.len());
        let right = count(&word, |c| c == 'A');
        let beaten = "BCD".chars().all(|liar| {
            let wrong = count(&word, |c| c == liar);
            right > wrong || right == wrong && word.find('A') > word.find(liar)
        });
        prop_assert_eq!(data(&word, t) == Some('A'), right >= t && beaten);
    }

    /// L5.
    #[test]
    fn what_a_threshold_lets_pass_lower_ones_let_pass_too((word, t) in votes()) {
        if let Some(data) = data(&word, t) {
            for lower in 1..t {
                prop_assert_eq!(self::data(&word, lower), Some(data));
            }
        }
    }

    /// L6.
    #[test]
    fn above_half_a_part_of_a_good_read_is_good((first, second, t) in pairs()) {
        prop_assume!(2 * t > first.len());
        let whole: Vec<_> = first.chars().zip(second.chars()).map(|(a, b)| {
            both(reply(a), reply(b))
        }).collect();
        let winner = match vote::read(&whole, t) {
            ReadVerdict::Unanimous { winner } | ReadVerdict::Majority { winner, .. } => winner,
            ReadVerdict::NoMajority | ReadVerdict::TooFew { .. } => return Ok(()),
        };
        prop_assert_eq!(data(&first, t), Some(letter(&first, winner)));
        prop_assert_eq!(data(&second, t), Some(letter(&second, winner)));
    }

    /// L7.
    #[test]
    fn above_half_the_order_of_the_children_does_not_matter(
        (word, t) in votes(),
        turn in 0..9_usize,
    ) {
        prop_assume!(2 * t > word.len());
        let mut turned: Vec<char> = word.chars().collect();
        turned.rotate_left(turn % word.len());
        let turned: String = turned.into_iter().collect();
        let reversed: String = word.chars().rev().collect();
        for other in [turned, reversed] {
            prop_assert_eq!(data(&other, t), data(&word, t));
        }
    }

    #[test]
    fn one_more_who_agrees_changes_nothing((word, t) in votes()) {
        if let Some(data) = data(&word, t) {
            let before = said(&word, t);
            let after = said(&format!("{word}{data}"), t);
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn it_matters_who_agrees_and_not_on_what((word, t) in votes(), mask in 1_u8..) {
        let masked: Vec<_> = replies(&word)
            .into_iter()
            .map(|r| r.map(|data| data.iter().map(|byte| byte ^ mask).collect()))
            .collect();
        prop_assert_eq!(vote::read(&masked, t), vote::read(&replies(&word), t));
    }

    #[test]
    fn everybody_who_answered_is_in_one_version((word, _) in votes()) {
        let versions = vote::versions(&replies(&word));
        let mut members: Vec<_> = versions.concat();
        members.sort_unstable();
        let answered: Vec<_> =
            (0..word.len()).filter(|&i| letter(&word, i).is_uppercase()).collect();
        prop_assert_eq!(members, answered);
        prop_assert!(versions.is_sorted_by_key(|version| version[0]));
        for version in &versions {
            prop_assert!(version.is_sorted());
            prop_assert!(version.iter().all(|&i| letter(&word, i) == letter(&word, version[0])));
        }
    }

    #[test]
    fn the_first_difference_is_the_first(
        (a, b) in prop::collection::vec((0_u8..3, 0_u8..3), 0..40)
            .prop_map(|pairs| pairs.into_iter().unzip::<u8, u8, Vec<_>, Vec<_>>())
    ) {
        let expected = (0..a.len()).find(|&i| a[i] != b[i]);
        prop_assert_eq!(vote::first_difference(&a, &b), expected);
    }
}

#[test]
fn two_faults_in_two_sectors_of_one_request_add_up() {
    assert_eq!(data("BAA", 2), Some('A'));
    assert_eq!(data("ABA", 2), Some('A'));
    let both = "BAA".chars().zip("ABA".chars()).map(|(a, b)| both(reply(a), reply(b)));
    assert_eq!(vote::read(&both.collect::<Vec<_>>(), 2), ReadVerdict::NoMajority);
}

#[test]
fn a_version_is_named_by_its_sha_256() {
    let name = VersionName::of(b"abc");
    let full = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(name.to_string(), full);
    assert_eq!(format!("{name:.8}"), "ba7816bf");
    assert_eq!(format!("{name:?}"), "ba7816bf");
    assert_eq!(format!("{name:.99}"), full);
}

/// Up to nine children.
fn votes() -> impl Strategy<Value = (String, usize)> {
    words(1).prop_map(|(mut words, threshold)| (words.remove(0), threshold))
}

/// The same children asked for two sectors.
fn pairs() -> impl Strategy<Value = (String, String, usize)> {
    words(2).prop_map(|(mut words, threshold)| (words.remove(0), words.remove(0), threshold))
}

fn words(count: usize) -> impl Strategy<Value = (Vec<String>, usize)> {
    (1..10_usize).prop_flat_map(move |children| {
        // Mostly what is right, so that there is a majority often enough.
        let letter = select("AAAABCDesp".chars().collect::<Vec<_>>());
        let word = prop::collection::vec(letter, children)
            .prop_map(|letters| letters.into_iter().collect::<String>());
        (prop::collection::vec(word, count), 1..=children)
    })
}

/// What a read returns, if it does.
fn data(word: &str, threshold: usize) -> Option<char> {
    said(word, threshold).result.ok()
}

fn count(word: &str, which: impl Fn(char) -> bool) -> usize {
    word.chars().filter(|&c| which(c)).count()
}

fn letter(word: &str, index: usize) -> char {
    char::from(word.as_bytes()[index])
}

fn replies(word: &str) -> Vec<Result<Bytes>> {
    word.chars().map(reply).collect()
}

/// The engine sees bytes.
fn reply(letter: char) -> Result<Bytes> {
    name(letter).map(|letter| vec![u8::try_from(letter).expect("a letter"); 3].into())
}

/// The specification sees names.
fn named(word: &str) -> Vec<Result<char>> {
    word.chars().map(name).collect()
}

fn name(letter: char) -> Result<char> {
    match letter {
        'e' => Err(Errno::EIO),
        's' => Err(Errno::ENOSPC),
        'p' => Err(Errno::EPERM),
        letter => Ok(letter),
    }
}

fn both(a: Result<Bytes>, b: Result<Bytes>) -> Result<Bytes> {
    Ok([a?, b?].concat().into())
}
