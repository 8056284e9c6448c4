//! How fast the simulator is, beside a bare madsim loop in the same run.
//!
//! `cargo bench` prints medians of rounds that take turns, in CPU time of this process, so that other
//! load on the machine counts as little as possible. Nothing here passes or fails.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use cpu_time::ProcessTime;
use futures_util::future::join_all;
use madsim::{Config, runtime::Runtime, time::sleep};
use quorate_faults::{
    budget::{Budget, Mode},
    text::Size,
};
use quorate_reports::{Verdict, summary::Summary};
use quorate_scenarios::{
    catalog,
    expand::expand,
    fuzz::{self, Failed, Fuzz, Observer, OnFailure, Shard, Source},
    model::{Promises, Random, Scenario},
    oracle,
    runner::{self, Scratch},
};
use std::{fs, hint::black_box, num::NonZeroU64, sync::atomic::AtomicBool, thread, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
const SCALING_SEEDS: u64 = 4000;

fn main() {
    let profile = catalog::scenario("random-budget").expect("the catalog has its first profile");
    let long = |bytes_max| with(&profile, |r| Random { requests: 300, bytes_max, ..r });
    let (large, small) = (long(Size(8192)), long(Size(512)));
    let (mut bare, mut io_8k, mut io_512, mut seeds) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS as u64 {
        bare.push(rate(|| bare_madsim(100_000)));
        io_8k.push(rate(|| runs(&large, round * 100..round * 100 + 100).child_ios));
        io_512.push(rate(|| runs(&small, round * 100..round * 100 + 100).child_ios));
        seeds.push(rate(|| runs(&profile, round * 1000..round * 1000 + 1000).runs()));
    }
    let bare = median(&mut bare);
    println!("medians of {ROUNDS} rounds, per second of CPU time");
    println!("bare madsim, join_all of 3 sleeps   {bare:>12.0} completions");
    for (name, rates, goal) in
        [("up to 8 KiB", &mut io_8k, "0.30"), ("512 bytes", &mut io_512, "0.55")]
    {
        let rate = median(rates);
        let share = rate / bare;
        println!(
            "child I/Os, {name:<12}            {rate:>12.0}   \
             {share:.2} of bare madsim, goal {goal}"
        );
    }
    println!("seeds of random-budget              {:>12.0}   goal 5,000", median(&mut seeds));
    taxonomy();
    budget();
    scaling(&profile);
    if let Some(peak) = peak_memory() {
        println!("peak memory of all of the above     {peak:>12}   goal 64 MiB");
    }
}

/// What all families of faults cost beside the plain fuzz.
fn taxonomy() {
    let named = |name| catalog::scenario(name).expect("the catalog has its profiles");
    let plain = named("random-any");
    let faulty = [named("swarm"), named("random-power"), named("swarm-any")];
    let mut ratios = faulty.each_ref().map(|_| vec![]);
    let mut cost = vec![];
    for round in 0..ROUNDS as u64 {
        let seeds = round * 400..round * 400 + 400;
        let plain = 1e6 / rate(|| attempts(&plain, seeds.clone()));
        cost.push(plain);
        for (profile, ratios) in faulty.iter().zip(&mut ratios) {
            ratios.push(1e6 / rate(|| attempts(profile, seeds.clone())) / plain);
        }
    }
    println!("a child I/O of random-any           {:>9.2} µs", median(&mut cost));
    for (profile, ratios) in faulty.iter().zip(&mut ratios) {
        let ratio = median(ratios);
        println!("the same, of {:<12}           {ratio:>12.2}   goal at most 1.50", profile.name);
    }
}

/// What admission takes of a swarm's time, and what the oracle's account of it does.
fn budget() {
    let profile = catalog::scenario("swarm").expect("the catalog has its swarm");
    let budgeted = |mode| Scenario {
        budget: Some(Budget { mode, ..profile.budget.clone().unwrap_or_default() }),
        ..profile.clone()
    };
    // What is only observed is the same run as without a budget.
    let (off, observed) = (budgeted(Mode::Off), budgeted(Mode::Observe));
    let (mut admission, mut ledger) = (vec![], vec![]);
    for round in 0..ROUNDS as u64 {
        let seeds = round * 400..round * 400 + 400;
        let without = rate(|| attempts(&off, seeds.clone()));
        let with = rate(|| attempts(&observed, seeds.clone()));
        admission.push(1.0 - with / without);
        ledger.push(ledger_share(&observed, seeds));
    }
    let (admission, ledger) = (100.0 * median(&mut admission), 100.0 * median(&mut ledger));
    println!("admission, of the time of swarm     {admission:>10.1} %");
    println!("ledger, of the same                 {ledger:>10.1} %");
    println!(
        "both                                {:>10.1} %   goal below 15 %",
        admission + ledger
    );
}

/// The part of the time of these runs that goes into the oracle's account of what may be wrong.
fn ledger_share(profile: &Scenario, seeds: std::ops::Range<u64>) -> f64 {
    let mut scratch = Scratch::default();
    let (mut all, mut arranging, mut keeping) = (0.0, 0.0, 0.0);
    let time = |work: &mut dyn FnMut()| {
        let start = ProcessTime::now();
        work();
        start.elapsed().as_secs_f64()
    };
    for seed in seeds {
        let mut run = None;
        all += time(&mut || {
            let scenario = expand(profile, seed);
            let finished = runner::run(&scenario, None, &mut scratch).expect("its rules can fire");
            run = Some((scenario, finished));
        });
        let (scenario, finished) = run.expect("it has run");
        arranging += time(&mut || {
            black_box(oracle::count_operations(&scenario, &finished));
        });
        keeping += time(&mut || drop(black_box(oracle::classify(&scenario, &finished))));
        let mut finished = Some(finished);
        all += time(&mut || {
            let finished = finished.take().expect("it is judged once");
            let mut summary = Summary::default();
            let run = oracle::judge(&scenario, "bench", finished, Some(&mut summary));
            scratch.reclaim(run.trace);
        });
    }
    (keeping - arranging) / all
}

fn with(profile: &Scenario, change: impl FnOnce(Random) -> Random) -> Scenario {
    let random = profile.random.clone().expect("a profile draws its requests");
    let mut profile = Scenario { random: Some(change(random)), ..profile.clone() };
    profile.expect.promises = Promises::Correct;
    profile
}

/// Everything that a fuzz does for a seed.
fn runs(profile: &Scenario, seeds: std::ops::Range<u64>) -> Summary {
    let (mut summary, mut scratch) = (Summary::default(), Scratch::default());
    for seed in seeds {
        let scenario = expand(profile, seed);
        let finished = runner::run(&scenario, None, &mut scratch).expect("its rules can fire");
        let run = oracle::judge(&scenario, "bench", finished, Some(&mut summary));
        assert_eq!(run.verdict, Verdict::Held, "seed {seed}: {:?}", run.violations);
        *summary.verdicts.entry(run.verdict).or_default() += 1;
        scratch.reclaim(run.trace);
    }
    summary
}

/// The same, whatever its verdicts are: how many operations of children there were.
fn attempts(profile: &Scenario, seeds: std::ops::Range<u64>) -> u64 {
    let (mut summary, mut scratch) = (Summary::default(), Scratch::default());
    for seed in seeds {
        let scenario = expand(profile, seed);
        let finished = runner::run(&scenario, None, &mut scratch).expect("its rules can fire");
        let run = oracle::judge(&scenario, "bench", finished, Some(&mut summary));
        scratch.reclaim(run.trace);
    }
    summary.child_ios
}

fn bare_madsim(rounds: u64) -> u64 {
    let runtime = Runtime::with_seed_and_config(1, Config::default());
    runtime.block_on(async {
        for round in 0..rounds {
            let sleeps = (1..=3).map(|child| sleep(Duration::from_millis(child + round % 7)));
            black_box(join_all(sleeps).await);
        }
    });
    rounds * 3
}

/// Per second of CPU time.
fn rate(work: impl FnOnce() -> u64) -> f64 {
    let start = ProcessTime::now();
    let count = work();
    count as f64 / start.elapsed().as_secs_f64()
}

/// What a second job gains a fuzz, and a second thread loops that share nothing.
fn scaling(profile: &Scenario) {
    let mut gains = [vec![], vec![]];
    for _ in 0..ROUNDS {
        gains[0].push(gain(spin));
        gains[1].push(gain(|jobs| fuzz(profile, jobs)));
    }
    let [spin, fuzz] = gains.map(|mut gains| median(&mut gains));
    let share = fuzz / spin;
    println!(
        "a second job gains a fuzz {fuzz:.2}, where a second spin loop gains {spin:.2}: \
         {share:.2}, goal 0.9"
    );
}

/// The driver itself, with all that it hands out and puts together.
fn fuzz(profile: &Scenario, jobs: usize) {
    let source = Source { name: profile.name.clone(), scenario: profile.clone() };
    let fuzz = Fuzz {
        sources: vec![source],
        seeds: 0..SCALING_SEEDS,
        time: None,
        jobs,
        shard: Shard { number: 1, count: NonZeroU64::MIN },
        on_failure: OnFailure::Stop,
        failures_max: 1,
        watchdog: Duration::from_secs(60),
        samples: 0,
        engine: None,
        judge: None,
    };
    let outcome = fuzz::run(fuzz, &AtomicBool::new(false), &mut Unheard);
    assert_eq!(outcome.summary.runs(), SCALING_SEEDS);
    assert!(outcome.summary.all_held());
}

struct Unheard;

impl Observer for Unheard {
    fn progressed(&mut self, _: u64, _: u64) {}

    fn failed(&mut self, _: &Failed) -> Option<String> {
        None
    }
}

/// The same work for any number of jobs.
fn spin(jobs: usize) {
    let share = 400_000_000 / jobs as u64;
    let count = || {
        let mut x = 1_u64;
        for i in 0..share {
            x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
        }
    };
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(count))));
}

/// How much faster two jobs are than one.
#[expect(clippy::disallowed_methods, reason = "wall-clock time is what is measured")]
fn gain(work: impl Fn(usize)) -> f64 {
    let start = std::time::Instant::now();
    work(1);
    let one = start.elapsed();
    let start = std::time::Instant::now();
    work(2);
    one.as_secs_f64() / start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().into())
}
