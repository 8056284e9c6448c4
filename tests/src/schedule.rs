//! In which order operations complete: every schedule keeps its word, and none breaks a rule.

use quorate_reports::{Run, Verdict, What};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::attempt,
    load,
    model::{Order, Pause, Scenario, Schedule},
    runner::Scratch,
};

fn run(scenario: &Scenario) -> Run {
    attempt::run(scenario, "schedule", None, &mut Scratch::default(), None)
}

/// Three clients that read, each something else, on four disks.
fn readers(schedule: &str) -> Scenario {
    let read =
        |at: u32| format!("[[client.step]]\ndo = \"read\"\noffset = {}\nbytes = 512\n", at * 512);
    let clients: String =
        (0..3).map(|at| format!("[[client]]\n{}{}", read(at), read(at + 3))).collect();
    let text = format!(
        "version = 1\nname = \"readers\"\n[array]\nchildren = 4\nvote-threshold = 3\n\
         [schedule]\n{schedule}\n{clients}"
    );
    load::parse(&text, "readers").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The disks in the order of their answers to reads, with the times.
fn answers(run: &Run) -> Vec<(u64, u32)> {
    let reads = run.trace.entries.iter().skip_while(|e| !matches!(e.what, What::Invoke(_)));
    reads
        .filter_map(|entry| match entry.what {
            What::Reply { child, .. } => Some((entry.at, child)),
            _ => None,
        })
        .collect()
}

fn disks(run: &Run) -> Vec<u32> {
    answers(run).into_iter().map(|(_, disk)| disk).collect()
}

#[test]
fn a_late_disk_answers_when_the_others_have() {
    let run = run(&readers("kind = \"late\"\nchild = 1"));
    assert_eq!(run.verdict, Verdict::Held);
    // Clients wait for it one after the other, and then ask again.
    let order = disks(&run);
    assert_eq!(order.len(), 24);
    assert!(order[..9].iter().all(|disk| *disk != 1), "{order:?}");
    assert_eq!(order[9], 1);
    for (at, disk) in order.iter().enumerate().filter(|(_, disk)| **disk == 1) {
        // Whoever waits for the late disk alone is followed by what that sets free.
        let others = order[..at].iter().filter(|other| **other != 1).count();
        assert_eq!(others % 3, 0, "{disk} at {at} of {order:?}");
    }
}

#[test]
fn dissenters_answer_last_in_the_order_of_the_list() {
    let order = disks(&run(&readers("kind = \"dissent\"\nchildren = [3, 0]")));
    assert!(order[..6].iter().all(|disk| [1, 2].contains(disk)), "{order:?}");
    assert_eq!(order[6..10], [3, 3, 3, 0]);
}

#[test]
fn a_paused_disk_answers_nothing_and_then_goes_on() {
    for kind in
        ["", "kind = \"uniform\"", "kind = \"pct\"\ndepth = 3", "kind = \"late\"\nchild = 2"]
    {
        let pauses = "{ child = 2, time = \"450us..5ms\" }, { child = 2, time = \"5ms..7ms\" }, \
                      { child = 0, time = \"3ms..4ms\" }";
        let mut scenario = readers(&format!("{kind}\npause = [{pauses}]"));
        // One disk after the other is asked for its length, until 400 us.
        scenario.disk.latency = Some("100us..100us".parse().expect("a range"));
        let run = run(&scenario);
        assert_eq!(run.verdict, Verdict::Held, "{kind}");
        let times: Vec<u64> =
            answers(&run).into_iter().filter(|(_, disk)| *disk == 2).map(|(at, _)| at).collect();
        assert_eq!((times.len(), times[0]), (6, 7000), "{kind}: {times:?}");
    }
}

#[test]
fn a_drawn_order_depends_on_the_seed_only() {
    for kind in ["kind = \"uniform\"", "kind = \"pct\"\ndepth = 1", "kind = \"pct\"\ndepth = 4"] {
        let of = |seed| Scenario { seed, ..readers(kind) };
        let orders: Vec<Vec<u32>> = (0..20).map(|seed| disks(&run(&of(seed)))).collect();
        assert_eq!(orders[3], disks(&run(&of(3))));
        let mut different = orders.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 10, "{kind}: {orders:?}");
    }
}

/// With one order a disk answers whatever it can before the next one answers anything.
#[test]
fn pct_of_depth_one_ranks_the_disks_for_good() {
    for seed in 0..20 {
        let scenario = Scenario { seed, ..readers("kind = \"pct\"\ndepth = 1") };
        let order = disks(&run(&scenario));
        let blocks: Vec<u32> = order[..9].chunks(3).map(|three| three[0]).collect();
        assert_eq!(order[..9], blocks.iter().flat_map(|disk| [*disk; 3]).collect::<Vec<_>>());
    }
}

#[test]
fn times_of_answers_differ_and_none_is_early() {
    for kind in ["kind = \"uniform\"", "kind = \"pct\"\ndepth = 3", "kind = \"late\"\nchild = 0"] {
        let mut scenario = readers(kind);
        scenario.disk.latency = Some("1ms..1ms".parse().expect("a range"));
        let run = run(&scenario);
        let times: Vec<u64> = answers(&run).into_iter().map(|(at, _)| at).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        assert!(times[0] >= 2000, "the disks were asked for their length before: {times:?}");
    }
}

#[test]
fn rules_are_kept_under_every_schedule() {
    let pause = |child, time: &str| Pause { child, time: time.parse().expect("a range") };
    let pauses = vec![pause(0, "1ms..3ms"), pause(1, "2ms..9ms")];
    let orders = [
        Order::Earliest,
        Order::Uniform,
        Order::Pct { depth: 1, within: 1 },
        Order::Pct { depth: 5, within: 100 },
        Order::Late { child: 0 },
        Order::Dissent { children: vec![1, 0] },
    ];
    for profile in ["random-any", "random-budget", "random-overlap", "random-dropped"] {
        let profile = catalog::scenario(profile).expect("it is in the catalog");
        for (order, seed) in orders.iter().zip(0..).cycle().take(24) {
            for pauses in [Vec::new(), pauses.clone()] {
                let schedule = Schedule { order: order.clone(), pauses };
                let scenario = Scenario { schedule, ..expand(&profile, seed) };
                let run = run(&scenario);
                assert_eq!(
                    run.verdict,
                    Verdict::Held,
                    "{:?}: {:?}",
                    scenario.schedule,
                    run.violations
                );
            }
        }
    }
}

#[test]
fn a_schedule_is_written_as_it_is_read() {
    for text in [
        "kind = \"uniform\"",
        "kind = \"pct\"\ndepth = 3\nwithin = 10",
        "kind = \"late\"\nchild = 3\npause = [{ child = 0, time = \"1us..2us\" }]",
        "kind = \"dissent\"\nchildren = [2, 1]",
    ] {
        let scenario = readers(text);
        assert_ne!(scenario.schedule, Schedule::default());
        assert_eq!(
            load::parse(&load::write(&scenario), "again").expect("it was written"),
            scenario
        );
    }
}

#[test]
fn a_schedule_that_cannot_be_kept_is_refused() {
    for (schedule, word) in [
        ("kind = \"random\"", "`earliest`, `uniform`, `pct`, `late`, `dissent`"),
        ("kind = \"pct\"", "wants `depth`"),
        ("kind = \"pct\"\ndepth = 0", "from 1 to 1000"),
        ("kind = \"pct\"\ndepth = 2\nwithin = 0", "from 1 on"),
        ("kind = \"late\"", "wants `child`"),
        ("kind = \"late\"\nchild = 9", "there is no disk 9"),
        ("kind = \"late\"\nchild = 1\ndepth = 3", "it takes `child`, `pause`"),
        ("depth = 3", "`depth` is no key of the schedule \"earliest\": it takes `pause`"),
        ("kind = \"dissent\"\nchildren = []", "name a disk"),
        ("kind = \"dissent\"\nchildren = [7]", "there is no disk 7"),
        ("pause = [{ child = 0, time = \"1ms..\" }]", "a pause has an end"),
        ("pause = [{ child = 0, time = \"1ms..1ms\" }]", "a pause has an end"),
        ("pause = [{ child = 5, time = \"1ms..2ms\" }]", "there is no disk 5"),
    ] {
        let text = format!(
            "version = 1\nname = \"x\"\n[array]\nchildren = 2\nvote-threshold = 2\n\
             [schedule]\n{schedule}\n"
        );
        let error = load::parse(&text, "x").expect_err(schedule);
        assert!(error.to_string().contains(word), "{schedule}: {error}");
        let load::LoadError::Content { at, .. } = error else { panic!("it was read") };
        let at = at.expect("it has a place").offset();
        assert!(at >= text.find("[schedule]").expect("it is there"), "{schedule}: at {at}");
    }
}
