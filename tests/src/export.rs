//! A run becomes a plan in which nothing is drawn, and the plan is the same run.

use quorate_engine::BlockDevice;
use quorate_faults::rule::When;
use quorate_reports::{Run, Verdict};
use quorate_scenarios::{
    catalog,
    expand::expand,
    export,
    fuzz::attempt,
    load,
    model::{Order, Pause, Scenario, Schedule},
    runner::{Opening, Parts, Scratch},
};
use std::{collections::BTreeSet, future, sync::Arc};

fn run(scenario: &Scenario) -> Run {
    attempt::run(scenario, "export", None, &mut Scratch::default(), None)
}

/// Exports the scenario, reads what is written, runs it with another seed, and compares.
#[track_caller]
fn check(scenario: &Scenario) -> Scenario {
    let token = format!("{} with seed {}", scenario.name, scenario.seed);
    let script = export::scripted(scenario, None).expect("it runs");
    let written = load::write(&script);
    let mut read =
        load::parse(&written, "script").unwrap_or_else(|e| panic!("{token}: {e}\n{written}"));
    assert_eq!(read, script, "{token}");
    read.seed = read.seed.wrapping_add(0x5eed);
    let (was, is) = (run(scenario), run(&read));
    assert_eq!(was.trace.digest, is.trace.digest, "{token}\n{written}");
    assert_eq!(was.verdict, is.verdict, "{token}: {:?}", is.violations);
    script
}

#[test]
fn every_scenario_of_the_catalog_is_exported_as_it_runs() {
    for scenario in catalog::all() {
        let seeds = if scenario.random.is_some() { 0..6 } else { 0..1 };
        for seed in seeds {
            check(&expand(&scenario, seed));
        }
    }
}

#[test]
fn every_schedule_is_exported_as_times() {
    let pause = |child, time: &str| Pause { child, time: time.parse().expect("a range") };
    let orders = [
        Order::Uniform,
        Order::Pct { depth: 4, within: 100 },
        Order::Late { child: 0 },
        Order::Dissent { children: vec![0] },
    ];
    for profile in ["random-any", "random-dropped", "random-overlap"] {
        let profile = catalog::scenario(profile).expect("it is in the catalog");
        for (order, seed) in orders.iter().zip(0..) {
            let schedule = Schedule { order: order.clone(), pauses: vec![pause(0, "1ms..3ms")] };
            let script = check(&Scenario { schedule, ..expand(&profile, seed) });
            assert_eq!(script.schedule, Schedule::default());
        }
    }
}

/// Rules of every fault and every kind of draw, on the same operations.
#[test]
fn every_fault_is_exported() {
    let profile =
        load::parse(include_str!("export/every-fault.toml"), "every-fault").expect("a profile");
    let mut faults = BTreeSet::new();
    for seed in 0..if cfg!(debug_assertions) { 40 } else { 1000 } {
        let order = match seed % 4 {
            0 => Order::Earliest,
            1 => Order::Uniform,
            2 => Order::Pct { depth: 3, within: 200 },
            _ => Order::Late { child: 0 },
        };
        let schedule = Schedule { order, pauses: Vec::new() };
        let script = check(&Scenario { schedule, ..expand(&profile, seed) });
        assert!(script.groups.is_empty());
        for rule in &script.rules {
            let When { nth, at, .. } = rule.when.clone();
            assert_eq!((nth.is_empty(), at.is_some()), (rule.on.is_empty(), rule.on.is_empty()));
            assert_eq!(rule.when, When { nth, at, ..When::default() });
            assert_ne!(rule.name, "never");
            faults.insert(rule.r#do.word());
        }
    }
    let of_profile: BTreeSet<_> = profile.rules.iter().map(|rule| rule.r#do.word()).collect();
    assert_eq!(faults, of_profile);
}

#[test]
fn a_script_is_its_own_script() {
    for name in ["random-any", "random-dropped", "hung-child-stalls-a-read"] {
        let scenario = expand(&catalog::scenario(name).expect("it is in the catalog"), 1);
        let script = export::scripted(&scenario, None).expect("it runs");
        let again = export::scripted(&script, None).expect("it runs");
        let plain = |scenario: &Scenario| Scenario { rules: Vec::new(), ..scenario.clone() };
        assert_eq!(plain(&script), plain(&again), "{name}");
        assert_eq!(script.rules.len(), again.rules.len(), "{name}");
    }
}

#[test]
fn a_run_that_panics_is_exported_up_to_there() {
    let engine = |_: &Scenario, parts: Parts| -> Opening {
        let child: Arc<dyn BlockDevice> = parts.children[0].1.clone();
        Box::pin(async move {
            child.length().await.map_err(|e| e.to_string())?;
            child.pread(0, 512).await.map_err(|e| e.to_string())?;
            panic!("after one read");
        })
    };
    let scenario = expand(&catalog::scenario("random-any").expect("it is there"), 1);
    let script = export::scripted(&scenario, Some(&engine)).expect("it is recorded");
    assert_eq!(script.latencies(0).len(), 2);
    assert!(script.latencies(1).is_empty());
    let run = attempt::run(&script, "export", Some(&engine), &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Panicked);
}

#[test]
fn an_array_that_does_not_open_is_exported() {
    let engine = |_: &Scenario, _: Parts| -> Opening { Box::pin(future::ready(Err("no".into()))) };
    let scenario = expand(&catalog::scenario("random-any").expect("it is there"), 1);
    let script = export::scripted(&scenario, Some(&engine)).expect("it is recorded");
    let run = |scenario: &Scenario| {
        attempt::run(scenario, "export", Some(&engine), &mut Scratch::default(), None)
    };
    assert_eq!(run(&script).trace.digest, run(&scenario).trace.digest);
    assert!(script.rules.is_empty());
}
