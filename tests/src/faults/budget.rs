//! What a vote can bear, and that a budget lets no more happen.

use super::{Bench, content, line};
use bytes::Bytes;
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Flags};
use quorate_faults::{
    budget::{Electorate, Laws},
    inject::{Plan, PlanError},
};
use quorate_scenarios::spec;
use std::collections::BTreeSet;

fn electorate(children: u32, threshold: u32, request_bytes_max: u64) -> Electorate {
    let members = (0..children).collect();
    Electorate { members, threshold, fifo: false, padded: Vec::new(), request_bytes_max }
}

/// Every way in which `children` can answer: right, wrong in one of a few ways, or not at all.
fn answers(children: u32) -> impl Iterator<Item = Vec<spec::Reply<u8>>> {
    let kinds = [Ok(0), Ok(1), Ok(2), Ok(3), Err(Errno::EIO)];
    (0..kinds.len().pow(children)).map(move |mut code| {
        let digits = (0..children).map(|_| {
            let kind = kinds[code % kinds.len()];
            code /= kinds.len();
            kind
        });
        digits.collect()
    })
}

/// Up to six children, every threshold, every way to answer: the laws allow just those numbers of
/// failing and of wrong children that no arrangement turns into a wrong answer or an error.
#[test]
fn the_laws_allow_what_every_arrangement_bears() {
    for children in 1..=6 {
        for threshold in 1..=children {
            let laws = Laws { children, threshold, fifo: false, beyond: 0 };
            let needed = usize::try_from(threshold).unwrap();
            let mut broken = BTreeSet::new();
            for replies in answers(children) {
                let failing = replies.iter().filter(|reply| reply.is_err()).count();
                let right = replies.iter().filter(|reply| **reply == Ok(0)).count();
                let wrong = replies.len() - failing - right;
                if spec::read(&replies, needed).result != Ok(0) {
                    broken.insert((failing, wrong));
                }
            }
            for failing in 0..=children {
                for wrong in 0..=children - failing {
                    let key = (failing as usize, wrong as usize);
                    let bears = laws.bears_read(failing, wrong);
                    assert_eq!(bears, !broken.contains(&key), "{laws:?} {key:?}");
                }
                let replies: Vec<_> = (0..children)
                    .map(|n| if n < failing { Err(Errno::EIO) } else { Ok(()) })
                    .collect();
                let enough = spec::enough(&replies, needed).is_ok();
                assert_eq!(laws.bears_change(failing), enough, "{laws:?} {failing}");
            }
        }
    }
}

#[test]
fn a_fifo_read_bears_no_wrong_child_and_all_but_one_that_fail() {
    let laws = Laws { children: 3, threshold: 2, fifo: true, beyond: 0 };
    assert!(laws.bears_read(2, 0) && !laws.bears_read(3, 0) && !laws.bears_read(0, 1));
}

const FAILING: &str = "do = { fault = \"status\", errno = \"EIO\" }";

fn failing_reads(children: u32, budget: &str) -> Bench {
    let rules = line("fails", "\"read\"", "\"any\"", FAILING);
    Bench::budgeted(7, children, &rules, Some((budget, electorate(children, 2, 2048))))
}

#[test]
fn a_request_loses_as_many_children_as_it_can_bear() {
    let bench = failing_reads(4, "mode = \"enforce\"");
    for request in 0..3 {
        *super::lock(&bench.host.request) = Some(request);
        let answers: Vec<_> = (0..4).map(|child| bench.read(child, 0, 512).is_ok()).collect();
        assert_eq!(answers, [false, false, true, true], "request {request}");
        bench.plan.request_over(request);
    }
    assert!(bench.fired().iter().all(|firing| !firing.outside));
    let spared = super::lock(&bench.host.spared).clone();
    assert_eq!(spared[..2], [(2, "fails".to_owned()), (3, "fails".to_owned())]);
}

#[test]
fn observing_marks_what_goes_beyond() {
    let bench = failing_reads(3, "mode = \"observe\"");
    *super::lock(&bench.host.request) = Some(1);
    for child in 0..3 {
        assert_eq!(bench.read(child, 0, 512), Err(Errno::EIO));
    }
    let outside: Vec<bool> = bench.fired().iter().map(|firing| firing.outside).collect();
    assert_eq!(outside, [false, true, true]);
}

#[test]
fn a_wider_budget_lets_one_child_more_go_wrong() {
    let bench = failing_reads(3, "beyond = 1");
    *super::lock(&bench.host.request) = Some(1);
    let answers: Vec<_> = (0..3).map(|child| bench.read(child, 0, 512).is_ok()).collect();
    assert_eq!(answers, [false, false, true]);
}

fn rotting(budget: &str, chunk: u64) -> Bench {
    let fault = "do = { fault = \"rot\", bits = 1 }";
    let rules = line("rots", "\"read\"", "\"any\"", fault);
    Bench::budgeted(7, 3, &rules, Some((budget, electorate(3, 2, chunk))))
}

/// What is wrong with different children adds up where one request can meet both.
#[test]
fn damage_adds_up_within_the_longest_request() {
    for (chunk, sector, rots) in [(2048, 0, 1), (2048, 3, 1), (2048, 5, 2), (512, 2, 2)] {
        let bench = rotting("", chunk);
        drop(bench.read(0, 0, 512));
        drop(bench.read(1, sector * 512, 512));
        assert_eq!(bench.fired().len(), rots, "chunk {chunk}, sector {sector}");
    }
    // The budget says that requests are short.
    let bench = rotting("chunk = 512", 2048);
    drop(bench.read(0, 0, 512));
    drop(bench.read(1, 512 * 2, 512));
    assert_eq!(bench.fired().len(), 2);
}

#[test]
fn what_is_written_is_in_doubt_no_more() {
    let bench = rotting("", 512);
    drop(bench.read(0, 0, 512));
    drop(bench.read(1, 0, 512));
    assert_eq!(bench.fired().len(), 1, "child 0 rots, and child 1 is spared");
    bench.write(0, 0, &[9; 512]).unwrap();
    drop(bench.read(1, 0, 512));
    assert_eq!(bench.fired().len(), 2, "child 0 is sound again");
}

/// What a child was spared strikes another one that is in doubt already.
#[test]
fn faults_are_deflected_to_who_is_wrong_anyway() {
    let rules = line(
        "rots",
        "\"read\"",
        "\"any\"",
        "when = { nth = 1 }\ndo = { fault = \"rot\", bits = 1 }",
    );
    let budget = Some(("excess = \"deflect\"", electorate(3, 2, 512)));
    let bench = Bench::budgeted(7, 3, &rules, budget);
    drop(bench.read(0, 0, 512));
    drop(bench.read(1, 0, 512));
    assert_eq!(bench.fired().len(), 1);
    drop(bench.read(0, 512, 512));
    let fired = bench.fired();
    assert_eq!((fired.len(), fired[1].matched), (2, 2));
    drop(bench.read(0, 1024, 512));
    assert_eq!(bench.fired().len(), 2, "once for each time");
}

/// The children that each shape lets rot, for each of four chunks.
fn shapes(shape: &str) -> Vec<BTreeSet<usize>> {
    let rules = line("rots", "\"read\"", "\"any\"", "do = { fault = \"rot\", bits = 1 }");
    let budget = format!("shape = \"{shape}\"\nchunk = 2048");
    let bench = Bench::budgeted(11, 5, &rules, Some((&budget, electorate(5, 3, 2048))));
    let at = |chunk: u64| {
        let rots = |child: &usize| {
            let before = bench.fired().len();
            drop(bench.read(*child, chunk * 2048 + 1024, 1));
            bench.fired().len() > before
        };
        (0..5).filter(rots).collect()
    };
    (0..4).map(at).collect()
}

#[test]
fn shapes_say_who_may_be_wrong_where() {
    let one_set = shapes("child-set");
    assert_eq!(one_set[0].len(), 2);
    assert!(one_set.iter().all(|set| *set == one_set[0]), "{one_set:?}");
    let turns: Vec<_> = (0..4).map(|chunk| BTreeSet::from([chunk])).collect();
    assert_eq!(shapes("helix"), turns);
    // One byte in the middle of each chunk: nothing adds up beyond its chunk's own set.
    let atlas = shapes("atlas");
    assert!(atlas.iter().all(|set| set.len() <= 2), "{atlas:?}");
    assert!(atlas.iter().any(|set| *set != atlas[0]), "{atlas:?}");
    assert_eq!(shapes("ledger")[0], BTreeSet::from([0, 1]));
}

#[test]
fn what_no_array_bears_is_refused() {
    for (on, fault) in [
        ("\"read\"", "{ fault = \"hang\" }"),
        ("\"length\"", "{ fault = \"length\", bytes = 512 }"),
        ("\"length\"", "{ fault = \"status\", errno = \"EIO\" }"),
    ] {
        let rules = super::rules(&line("r", on, "0", &format!("do = {fault}"))).unwrap();
        let plan = Plan::new(0, rules.clone(), &[], 3).unwrap();
        let error = plan.with_budget(&Default::default(), electorate(3, 2, 512)).unwrap_err();
        assert!(matches!(error, PlanError::NeverFires { place: "do", .. }), "{error}");
        assert!(error.to_string().contains("\"observe\""), "{error}");
        let observe = toml::from_str("mode = \"observe\"").unwrap();
        let plan = Plan::new(0, rules, &[], 3).unwrap();
        assert!(plan.with_budget(&observe, electorate(3, 2, 512)).is_ok());
    }
}

/// Rules enough to ruin every child, under a budget: whatever they do, no request finds more wrong
/// children than it can bear, and no stretch as long as a request is wrong on more.
#[test]
fn no_more_is_wrong_than_the_budget_says() {
    const CHUNK: usize = 1536;
    let rule = |name: &str, on: &str, fault: &str| {
        line(
            name,
            on,
            "\"any\"",
            &format!("when = {{ rate = \"1:3\" }}\ndo = {{ fault = \"{fault} }}"),
        )
    };
    let rules = [
        rule("rot", "\"read\"", "rot\", bits = 2"),
        rule("corrupt", "[\"read\", \"write\"]", "corrupt\", bits = 2"),
        rule("fail", "[\"read\", \"write\"]", "status\", errno = \"EIO\""),
        rule("fail-done", "\"write\"", "status\", errno = \"EIO\", applied = \"all\""),
        rule("lost", "\"write\"", "lost\""),
        rule("torn", "\"write\"", "torn\", keep = { subset = \"draw\" }"),
        rule("astray", "[\"read\", \"write\"]", "misdirect\", by = \"+3\""),
        rule("short", "\"read\"", "short\", bytes = 0"),
    ]
    .concat();
    let (mut fired, mut spared) = (0, 0);
    for seed in 0..40 {
        for (children, threshold) in [(3, 2), (4, 3), (5, 3), (5, 4), (2, 1), (5, 2)] {
            let voters = electorate(children, threshold, CHUNK as u64);
            let bench = Bench::budgeted(seed, children, &rules, Some(("", voters)));
            let laws = Laws { children, threshold, fifo: false, beyond: 0 };
            let mut truth = content();
            for request in 0..30_u64 {
                *super::lock(&bench.host.request) = Some(request);
                let mixed = (seed * 31 + request).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let offset = usize::try_from(mixed % 6000).unwrap();
                let bytes = 1 + usize::try_from(mixed / 6000 % CHUNK as u64).unwrap();
                let range = offset..offset + bytes;
                let (mut failing, mut wrong) = (0, 0);
                let is_write = mixed & (1 << 31) != 0;
                if is_write {
                    truth[range.clone()].fill(u8::try_from(100 + request).unwrap());
                }
                for child in 0..children as usize {
                    let data = Bytes::copy_from_slice(&truth[range.clone()]);
                    let ended = match is_write {
                        true => bench.children[child]
                            .pwrite(offset as u64, data, Flags::NONE)
                            .now_or_never()
                            .unwrap(),
                        false => bench.read(child, offset as u64, bytes).and_then(|found| {
                            wrong +=
                                u32::from(found.len() == bytes && found != truth[range.clone()]);
                            (found.len() == bytes).then_some(()).ok_or(Errno::EIO)
                        }),
                    };
                    failing += u32::from(ended.is_err());
                }
                bench.plan.request_over(request);
                let replay = format!("seed {seed}, {threshold} of {children}, request {request}");
                match is_write {
                    true => assert!(laws.bears_change(failing), "{replay}"),
                    false => assert!(laws.bears_read(failing, wrong), "{replay}"),
                }
                let seen: Vec<_> = bench
                    .children
                    .iter()
                    .map(|c| c.visible(0, 8192).now_or_never().unwrap().unwrap())
                    .collect();
                for start in (0..8192 - CHUNK).step_by(256) {
                    let window = start..start + CHUNK;
                    let is_wrong = |data: &&Bytes| data[window.clone()] != truth[window.clone()];
                    let wrong = u32::try_from(seen.iter().filter(is_wrong).count()).unwrap();
                    assert!(laws.bears_read(0, wrong), "{replay}, bytes {window:?}");
                }
            }
            fired += bench.fired().len();
            spared += super::lock(&bench.host.spared).len();
        }
    }
    assert!(fired > 5000 && spared > 5000, "{fired} fired, {spared} spared");
}

/// A write that goes astray lands when it ends: what was written there meanwhile does not make it
/// harmless.
#[test]
fn what_is_still_to_land_stays_in_doubt() {
    let rules = [
        line(
            "astray",
            "\"write\"",
            "0",
            "when = { nth = 1 }\ndo = { fault = \"misdirect\", by = \"+4\" }",
        ),
        line("corrupt", "\"read\"", "1", "do = { fault = \"corrupt\", bits = 1 }"),
    ]
    .concat();
    let bench = Bench::budgeted(7, 3, &rules, Some(("", electorate(3, 2, 512))));
    *super::lock(&bench.host.is_held) = true;
    let data = Bytes::from(vec![99; 512]);
    let mut astray = bench.children[0].pwrite(0, data, Flags::NONE);
    assert!((&mut astray).now_or_never().is_none());
    *super::lock(&bench.host.is_held) = false;
    bench.write(0, 4 * 512, &[100; 512]).unwrap();
    assert_eq!(astray.now_or_never(), Some(Ok(())));
    assert_eq!(bench.read(0, 4 * 512, 512).unwrap(), [99; 512], "the victim is wrong");
    drop(bench.read(1, 4 * 512, 512));
    assert_eq!(bench.fired().len(), 1, "child 1 is spared");
    drop(bench.read(1, 8 * 512, 512));
    assert_eq!(bench.fired().len(), 2, "but not elsewhere");
}
