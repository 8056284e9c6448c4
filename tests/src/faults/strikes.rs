//! Faults that strike by themselves, in runs.

use quorate_reports::{Colour, Run, Verdict, What, timeline};
use quorate_scenarios::{expand::expand, fuzz::attempt, load, runner::Scratch};

/// A run of three disks with one rule, and a client that writes every millisecond, ten times.
fn run(rule: &str, seed: u64) -> Run {
    let mut text = "version = 1\nname = \"x\"\narray.children = 3\narray.vote-threshold = 1\n\
                    disk.latency = \"1us..1us\"\nexpect.idle-rules = true\n"
        .to_owned();
    text += &format!("[[rule]]\nname = \"r\"\n{rule}\n");
    for _ in 0..10 {
        text += "[[step]]\ndo = \"write\"\nbytes = 512\n[[step]]\ndo = \"sleep\"\ntime = \"1ms\"\n";
    }
    let scenario = load::parse(&text, "strikes").unwrap_or_else(|e| panic!("{e}\n{text}"));
    let run = attempt::run(&expand(&scenario, seed), "x", None, &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Held, "{}", timeline::render(&run, Colour::Off));
    run
}

/// When which disk was struck.
fn strikes(rule: &str, seed: u64) -> Vec<(u64, u32)> {
    let run = run(rule, seed);
    let strike = |entry: &quorate_reports::Entry| match &entry.what {
        What::Injected { child, ordinal: 0, .. } => Some((entry.at, *child)),
        _ => None,
    };
    run.trace.entries.iter().filter_map(strike).collect()
}

#[test]
fn a_strike_hits_all_its_disks_at_one_instant() {
    let rule = "child = [0, 2]\nwhen = { at = \"2500us\" }\ndo = { fault = \"crash\" }";
    assert_eq!(strikes(rule, 0), [(2500, 0), (2500, 2)]);
}

#[test]
fn a_strike_behind_the_end_does_not_come() {
    let rule = "child = 0\nwhen = { at = \"1s\" }\ndo = { fault = \"crash\" }";
    assert_eq!(strikes(rule, 0), []);
}

#[test]
fn a_window_gives_a_moment_and_a_period_one_each() {
    let rule = "child = 1\nwhen = { window = \"1ms..2ms\" }\ndo = { fault = \"crash\" }";
    let moments: Vec<u64> = (0..20)
        .map(|seed| match strikes(rule, seed)[..] {
            [(at, 1)] => at,
            ref other => panic!("one strike: {other:?}"),
        })
        .collect();
    assert!(moments.iter().all(|at| (1000..2010).contains(at)), "{moments:?}");
    assert!(moments.iter().any(|at| *at != moments[0]));
    let rule = "child = 1\nwhen = { window = \"1ms..2ms\", period = \"3ms\" }\n\
                do = { fault = \"crash\" }";
    let found: Vec<u64> = strikes(rule, 0).into_iter().map(|(at, _)| at / 1000).collect();
    assert_eq!(found, [1, 4, 7]);
    for (more, wanted) in
        [("max = 2", vec![1, 4]), ("every = 2", vec![4]), ("nth = [1, 3]", vec![1, 7])]
    {
        let rule = rule.replace("period", &format!("{more}, period"));
        let found: Vec<u64> = strikes(&rule, 0).into_iter().map(|(at, _)| at / 1000).collect();
        assert_eq!(found, wanted, "{more}");
    }
}

#[test]
fn an_event_sets_off_a_strike() {
    let rule = "child = 1\nwhen = { after = { event = \"guest-write-acked\", count = 3, \
                delay = \"500us..501us\" } }\ndo = { fault = \"crash\" }";
    let found = strikes(rule, 0);
    assert!(matches!(found[..], [(2500..2520, 1)]), "{found:?}");
}

#[test]
fn children_share_whether_a_strike_hits() {
    let rule = |draw: &str| {
        format!(
            "child = {{ list = [0, 1, 2], draw = \"{draw}\" }}\n\
             when = {{ window = \"0..1ms\", period = \"1ms\", rate = \"1:2\" }}\n\
             do = {{ fault = \"rot\", bits = 1 }}"
        )
    };
    let hit = |draw: &str| {
        let mut by_instant = std::collections::BTreeMap::<u64, Vec<u32>>::new();
        for (at, child) in strikes(&rule(draw), 3) {
            by_instant.entry(at).or_default().push(child);
        }
        by_instant.into_values().collect::<Vec<_>>()
    };
    let shared = hit("shared");
    assert!((1..10).contains(&shared.len()), "{shared:?}");
    assert!(shared.iter().all(|children| *children == [0, 1, 2]), "{shared:?}");
    let independent = hit("independent");
    assert!(independent.iter().any(|children| children.len() < 3), "{independent:?}");
    let exclusive = hit("exclusive");
    assert!(!exclusive.is_empty());
    assert!(exclusive.iter().all(|children| children.len() == 1), "{exclusive:?}");
}
