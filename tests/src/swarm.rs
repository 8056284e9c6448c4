//! Swarms: each seed has a part of what there is, all that was drawn is said, and all of it happens.

use quorate_reports::{
    Verdict,
    summary::{Reach, Summary},
};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::attempt,
    load,
    model::{Action, Children, FaultFamily, Order, Request, Scenario},
    runner::Scratch,
};
use std::collections::{BTreeMap, BTreeSet};

fn profile(name: &str) -> Scenario {
    catalog::scenario(name).expect("it is in the catalog")
}

fn steps(scenario: &Scenario) -> impl Iterator<Item = &Action> {
    scenario.scripts().flatten()
}

#[test]
fn seeds_of_a_swarm_hold() {
    for name in ["swarm", "swarm-any"] {
        let profile = profile(name);
        let mut summary = Summary::default();
        for seed in 0..300 {
            let scenario = expand(&profile, seed);
            let scratch = &mut Scratch::default();
            let run = attempt::run(&scenario, name, None, scratch, Some(&mut summary));
            assert_eq!(run.verdict, Verdict::Held, "{name}:{seed} {:?}", run.violations);
        }
    }
}

/// A budget that lets one child more be wrong than the vote can bear promises more than it keeps, and the
/// oracle, which reckons with laws of its own, says so soon.
#[test]
fn a_law_that_is_too_lax_is_found_within_two_hundred_seeds() {
    let mut lax = profile("swarm");
    lax.budget.as_mut().expect("the swarm has a budget").beyond = 1;
    let first = (0..200).find_map(|seed| {
        let scenario = expand(&lax, seed);
        let run = attempt::run(&scenario, "lax", None, &mut Scratch::default(), None);
        (run.verdict != Verdict::Held).then_some((seed, run))
    });
    let (seed, run) = first.expect("one of 200 seeds shows it");
    println!("seed {seed}: {:?}", run.violations);
    assert!(run.violations.iter().any(|found| found.check == "promise"), "seed {seed}");
}

/// What the budget spares is counted, and there is something to spare.
#[test]
fn the_budget_of_a_swarm_spares_children() {
    let mut summary = Summary::default();
    for seed in 0..100 {
        let scenario = expand(&profile("swarm"), seed);
        let run =
            attempt::run(&scenario, "swarm", None, &mut Scratch::default(), Some(&mut summary));
        assert_eq!(run.verdict, Verdict::Held, "swarm:{seed} {:?}", run.violations);
    }
    let fired: u64 = summary.faults.values().sum();
    assert!(summary.spared > 100 && fired > 100, "{} spared, {fired} fired", summary.spared);
}

/// A profile that aims sees every vote of its arrays, with however small a part of the seeds.
#[test]
fn every_vote_that_is_aimed_at_is_seen() {
    let mut aimed = profile("random-votes");
    aimed.random.as_mut().expect("a profile").children = vec![1, 2, 3, 4];
    for step in [1, 3, 16] {
        let mut summary = Summary::default();
        for seed in (0..700).map(|number| number * step) {
            let scenario = expand(&aimed, seed);
            let run =
                attempt::run(&scenario, "votes", None, &mut Scratch::default(), Some(&mut summary));
            assert_eq!(run.verdict, Verdict::Held, "random-votes:{seed} {:?}", run.violations);
        }
        let reach = Reach { children: (1..=4).collect(), after: 0 };
        summary.reach.insert("votes".into(), reach);
        assert_eq!(summary.unreached(), BTreeSet::new(), "of every seed in {step}");
    }
}

/// Whatever can be drawn is drawn in a few hundred seeds.
#[test]
fn a_swarm_has_everything_somewhere_and_nothing_everywhere() {
    const SEEDS: u64 = 400;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let scenario = expand(&profile("swarm-any"), seed);
        let Children::Count(children) = scenario.array.children else { panic!("a count") };
        let mut has: BTreeSet<String> = BTreeSet::new();
        has.insert(format!("{children} children"));
        has.insert(format!("threshold {}", scenario.array.vote_threshold));
        has.insert(format!("{:?}", scenario.array.overlap));
        has.insert(format!("{:?}", scenario.array.read_pattern));
        has.extend(scenario.rules.iter().map(|rule| format!("fault {}", rule.r#do.word())));
        has.insert(match scenario.schedule.order {
            Order::Earliest => "earliest".into(),
            Order::Uniform => "uniform".into(),
            Order::Pct { depth, .. } => format!("pct {depth}"),
            Order::Late { .. } => "late".into(),
            Order::Dissent { .. } => "dissent".into(),
        });
        let disks: Vec<_> = (0..children).map(|disk| scenario.disk(disk)).collect();
        for (is, word) in [
            (!scenario.schedule.pauses.is_empty(), "pauses"),
            (scenario.array.rewrite_corrupted, "rewrites"),
            (disks.iter().any(|disk| disk.latency.is_some()), "a slow disk"),
            (disks.iter().any(|disk| disk.limits.request_alignment == 4096), "large blocks"),
            (scenario.clients.len() > 3, "many clients"),
        ] {
            if is {
                has.insert(word.into());
            }
        }
        for step in steps(&scenario) {
            has.insert(match step {
                Action::Request { request: Request::Write { bytes, flags, .. }, .. } => {
                    format!("write {} {}", flags.fua, *bytes > 4096)
                }
                Action::Request { request, .. } => {
                    let text = format!("{request:?}");
                    text.split([' ', '(']).next().expect("a word").into()
                }
                Action::Freeze { how, .. } => format!("frozen {how:?}"),
                Action::Heal { .. } => "healed".into(),
                Action::Remove { .. } => "removed".into(),
                Action::Drop { .. } => "dropped".into(),
                _ => continue,
            });
        }
        for word in has {
            *seen.entry(word).or_default() += 1;
        }
    }
    let missing: Vec<&str> = [
        "1 children",
        "7 children",
        "threshold 1",
        "threshold 7",
        "Qemu",
        "Serialise",
        "Fifo",
        "Quorum",
        "earliest",
        "uniform",
        "pct 1",
        "pct 5",
        "late",
        "dissent",
        "pauses",
        "rewrites",
        "a slow disk",
        "large blocks",
        "many clients",
        "write true false",
        "write false true",
        "WriteZeroes",
        "Flush",
        "Discard",
        "BlockStatus",
        "frozen Hung",
        "frozen Stale",
        "frozen Dead(EIO)",
        "frozen Dead(ENOMEDIUM)",
        "healed",
        "removed",
        "dropped",
        "fault status",
        "fault hang",
        "fault torn",
        "fault rot",
        "fault lost",
    ]
    .into_iter()
    .filter(|word| !seen.contains_key(*word))
    .collect();
    assert!(missing.is_empty(), "{missing:?} not in {seen:?}");
    let everywhere: Vec<_> = seen.iter().filter(|(_, count)| **count == SEEDS).collect();
    assert!(everywhere.is_empty(), "{everywhere:?}");
}

#[test]
fn what_a_swarm_has_drawn_is_said_and_written() {
    for seed in 0..60 {
        let scenario = expand(&profile("swarm-any"), seed);
        let Children::Count(children) = scenario.array.children else { panic!("a count") };
        let threshold = scenario.array.vote_threshold;
        assert!(scenario.drawn.starts_with(&format!("n {children}, t {threshold}, ")));
        let order = scenario.schedule.to_string();
        assert!(scenario.drawn.contains(&order), "{order} in {}", scenario.drawn);
        assert_eq!(scenario.drawn.contains("healed"), steps(&scenario).any(is_heal));
        let again = load::parse(&load::write(&scenario), "again").expect("it was written");
        assert_eq!(again, scenario);
    }
    assert_eq!(expand(&profile("random-any"), 0).drawn, "");
}

fn is_heal(step: &Action) -> bool {
    matches!(step, Action::Heal { .. })
}

/// The second phase leaves as many sound children as must agree, and frees whoever must not misbehave.
#[test]
fn the_core_is_large_enough() {
    for name in ["swarm", "swarm-any"] {
        for seed in 0..400 {
            let scenario = expand(&profile(name), seed);
            let Children::Count(children) = scenario.array.children else { panic!("a count") };
            for step in steps(&scenario) {
                let Action::Freeze { children: frozen, .. } = step else { continue };
                let core = children as usize - frozen.len();
                assert!(core >= scenario.array.vote_threshold, "{name}:{seed}");
                let healed = steps(&scenario).find_map(|step| match step {
                    Action::Heal { children: Some(some) } => Some(some.clone()),
                    _ => None,
                });
                let healed = healed.expect("a core is healed");
                assert_eq!(healed.len(), core);
                assert!(healed.iter().all(|child| !frozen.contains(child)));
            }
        }
    }
}

#[test]
fn each_family_has_its_word() {
    for name in ["swarm", "swarm-any"] {
        let random = profile(name).random.expect("it is a profile");
        let mut offered = random.faults.clone();
        offered.sort_unstable();
        offered.dedup();
        assert_eq!(offered.len(), random.faults.len());
        for family in random.faults {
            let text = format!(
                "version = 1\nname = \"x\"\narray = {{ children = 1, vote-threshold = 1 }}\n\
                 [random]\nchildren = [1]\nrequests = 1\nbytes-max = 512\nfaults = [\"{}\"]\n",
                family.word()
            );
            let read: Vec<FaultFamily> =
                load::parse(&text, "x").expect("it is a word").random.expect("a profile").faults;
            assert_eq!(read, [family]);
        }
    }
}

#[test]
fn a_swarm_that_cannot_be_drawn_is_refused() {
    for (disk, rest, said) in [
        ("6KiB", "swarm = true", "multiple"),
        ("64KiB", "span = \"2KiB\"", "`span` is at least `bytes-max`"),
        ("64KiB", "span = \"128KiB\"", "at most the length of the disks"),
    ] {
        let text = format!(
            "version = 1\nname = \"x\"\narray = {{ children = 1, vote-threshold = 1 }}\n\
             disk = {{ bytes = \"{disk}\" }}\n\
             [random]\nchildren = [1]\nrequests = 1\nbytes-max = \"4KiB\"\n{rest}\n"
        );
        let error = load::parse(&text, "x").expect_err(rest).to_string();
        assert!(error.contains(said), "{rest}: {error}");
    }
}

#[test]
fn a_span_keeps_requests_near_each_other() {
    let text = "version = 1\nname = \"x\"\narray = { children = 1, vote-threshold = 1 }\n\
                disk = { bytes = \"64KiB\" }\n\
                [random]\nchildren = [1]\nrequests = 200\nbytes-max = \"2KiB\"\nspan = \"5KiB\"\n";
    let scenario = expand(&load::parse(text, "x").expect("a profile"), 1);
    let ends: BTreeSet<u64> = steps(&scenario)
        .filter_map(|step| match step {
            Action::Request { request: Request::Read { offset, bytes }, .. } => {
                Some(offset + bytes)
            }
            _ => None,
        })
        .collect();
    assert_eq!(ends.last(), Some(&5120));
}
