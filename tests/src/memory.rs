//! A fuzz of many hours needs as much memory as one of a second: a run that is over leaves nothing behind.

use quorate_scenarios::{catalog, expand::expand, fuzz::attempt, runner::Scratch};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many bytes are in use after this that were not before.
fn left_by(work: impl FnOnce()) -> i128 {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.bytes_allocated as i128 - change.bytes_deallocated as i128
}

/// The only test of this process: another's allocations would be counted, too.
#[test]
fn a_run_leaves_no_memory_behind() {
    let forgotten = left_by(|| std::mem::forget(Box::new([0_u8; 100])));
    assert!(forgotten >= 100, "what is left is counted: {forgotten}");
    let profiles: Vec<_> = catalog::all().filter(|s| s.random.is_some()).collect();
    assert!(
        profiles.iter().any(|profile| profile.name == "swarm-any"),
        "it has requests that hang"
    );
    for profile in &profiles {
        for seed in 0..20 {
            let scenario = expand(profile, seed);
            let run =
                || drop(attempt::run(&scenario, "memory", None, &mut Scratch::default(), None));
            // The first run may fill what a process has once.
            run();
            let left = left_by(run);
            let again = format!("quorate replay {}:{seed}", profile.name);
            assert_eq!(left, 0, "{left} bytes are left after {again}");
        }
    }
}
