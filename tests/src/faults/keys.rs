//! Draws depend on their key alone, and on what children share.

use super::{Bench, line};
use quorate_faults::draw::{Domain, Keyed};

const RARE: &str = "when = { rate = \"1:3\" }\ndo = { fault = \"corrupt\", bytes = 3 }";

#[test]
fn a_draw_is_chacha8_at_its_key() {
    // As ChaCha8Rng of rand_chacha 0.10 gives them for key (42, domain), stream 1, block 5.
    let draw = Keyed::new(42).draw(Domain::SCHEDULE, 1, 5);
    let words: Vec<_> = (0..4).map(|at| draw.word(at)).collect();
    assert_eq!(words, [2217347467, 1256641057, 1831281156, 1151849210]);
    let named: Vec<_> = ["rot", "rot", "rots"].map(Domain::named).into();
    assert_eq!(named[0], named[1]);
    assert_ne!(named[0], named[2]);
}

/// What a child's reads come to: one answer after the other.
fn reads(bench: &Bench, child: usize) -> Vec<Vec<u8>> {
    (0..40).map(|_| bench.read(child, 0, 512).expect("a reply")).collect()
}

#[test]
fn another_rule_shifts_nothing() {
    let rule = line("r", "\"read\"", "\"any\"", RARE);
    let alone = Bench::new(2, &rule);
    let other = line("x", "\"read\"", "\"any\"", &RARE.replace("corrupt", "rot"));
    let other = other.replace("rate = \"1:3\"", "rate = \"1:3\", window = \"1s..\"");
    let (before, behind) =
        (Bench::new(2, &(other.clone() + &rule)), Bench::new(2, &(rule + &other)));
    let wanted = reads(&alone, 0);
    assert_eq!(reads(&before, 0), wanted);
    assert_eq!(reads(&behind, 0), wanted);
}

#[test]
fn another_child_shifts_nothing() {
    let rule = line("r", "\"read\"", "\"any\"", RARE);
    let (one, two) = (Bench::new(2, &rule), Bench::new(2, &rule));
    let _ = reads(&two, 1);
    assert_eq!(reads(&one, 0), reads(&two, 0));
}

#[test]
fn seeds_names_and_children_make_a_difference() {
    let rule = |name: &str| line(name, "\"read\"", "\"any\"", RARE);
    let wanted = reads(&Bench::seeded(1, 2, &rule("r")), 0);
    assert_eq!(reads(&Bench::seeded(1, 2, &rule("r")), 0), wanted);
    assert_ne!(reads(&Bench::seeded(2, 2, &rule("r")), 0), wanted);
    assert_ne!(reads(&Bench::seeded(1, 2, &rule("s")), 0), wanted);
    assert_ne!(reads(&Bench::seeded(1, 2, &rule("r")), 1), wanted);
}

/// A group of three under one rule: which matches fire on each, and what they read.
fn shared(draw: &str) -> [(Vec<u64>, Vec<Vec<u8>>); 3] {
    let child = format!("{{ group = \"all\", draw = \"{draw}\" }}");
    let bench = Bench::new(3, &line("r", "\"read\"", &child, RARE));
    [0, 1, 2].map(|child| {
        let before = bench.fired().len();
        let reads = reads(&bench, child);
        (bench.fired()[before..].iter().map(|firing| firing.matched).collect(), reads)
    })
}

#[test]
fn children_share_what_their_draw_says() {
    let [(a, x), (b, y), _] = shared("independent");
    assert_ne!(a, b);
    assert_ne!(x, y);
    let [(a, x), (b, y), (c, z)] = shared("shared");
    assert!(!a.is_empty());
    assert_eq!([&a, &a], [&b, &c], "the same decisions");
    assert_ne!(x, y, "with bytes of their own");
    assert_ne!(y, z, "with bytes of their own");
    let [(a, x), (b, y), (c, z)] = shared("shared-bytes");
    assert_eq!([&a, &a], [&b, &c]);
    assert_eq!([&x, &x], [&y, &z], "the same wrong bytes");
    assert!(x.iter().any(|read| *read != super::sector(1)));
}

#[test]
fn exclusive_children_take_turns() {
    let all: Vec<u64> = (1..=40).collect();
    let child = "{ group = \"all\", draw = \"exclusive\" }";
    let rest = "do = { fault = \"zero\" }";
    let bench = Bench::new(3, &line("r", "\"read\"", child, rest));
    let turns = [0, 1, 2].map(|child| bench.fires(child, 40));
    assert!(turns.iter().all(|turns| turns.len() > 3), "each has some: {turns:?}");
    let mut sorted = turns.concat();
    sorted.sort_unstable();
    assert_eq!(sorted, all, "each match has one child");
    let [(a, _), (b, _), (c, _)] = shared("exclusive");
    let mut sorted = [a, b, c].concat();
    let count = sorted.len();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), count, "at most one child");
    assert!(count < 40, "a rate still holds");
}

#[test]
fn a_firing_says_whether_children_collude() {
    for (draw, fault, collude) in [
        ("independent", "corrupt\", bits = 1", false),
        ("shared", "corrupt\", bits = 1", false),
        ("shared-bytes", "corrupt\", bits = 1", true),
        ("shared-bytes", "rot\", bits = 1", true),
        ("independent", "zero\"", true),
        ("independent", "stale\"", true),
        ("shared-bytes", "status\", errno = \"EIO\"", false),
    ] {
        let child = format!("{{ list = [0, 1], draw = \"{draw}\" }}");
        let rest = format!("do = {{ fault = \"{fault} }}");
        let bench = Bench::new(2, &line("r", "\"read\"", &child, &rest));
        bench.fires(0, 1);
        assert_eq!(bench.fired()[0].colluding, collude, "{draw} {fault}");
    }
}

#[test]
fn draws_stay_inside_their_bounds() {
    let keyed = Keyed::new(3);
    let mut seen = [0_u32; 7];
    for ordinal in 0..7000 {
        let draw = keyed.draw(Domain::WORKLOAD, 0, ordinal);
        seen[usize::try_from(draw.below(0, 7)).unwrap()] += 1;
        assert!((10..12).contains(&draw.in_range(2, 10..12)));
        assert!(draw.hit(4, "100%".parse().unwrap()));
        assert!(!draw.hit(4, "0%".parse().unwrap()));
    }
    assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
}

#[test]
fn stable_colluders_agree_whatever_the_order_of_their_reads() {
    let child = "{ group = \"all\", draw = \"shared-bytes\" }";
    let rest = "do = { fault = \"corrupt\", bytes = 9, stability = \"stable\" }";
    let bench = Bench::new(2, &line("r", "\"read\"", child, rest));
    let forth: Vec<_> = (0..8).map(|at| bench.read(0, at * 512, 512).unwrap()).collect();
    let mut back: Vec<_> = (0..8).rev().map(|at| bench.read(1, at * 512, 512).unwrap()).collect();
    back.reverse();
    assert_eq!(forth, back);
    assert_ne!(forth[0], super::sector(1));
}
