//! The device queue and the drive: what ends a run, and what ends a hold.

use futures_util::FutureExt;
use quorate_sim::{Budget, End, Label, Pattern, Queue, Simulation, Task};
use std::future;

const BUDGET: Budget = Budget { steps: 100, until: 1_000_000 };
const ALL: Pattern = Pattern { child: None, kind: None };

fn label(child: u32, kind: u8) -> Label {
    Label { child, kind, ordinal: 0 }
}

fn drive(queue: &Queue, clients: Vec<Task<'_>>, background: Task<'_>, budget: Budget) -> End {
    Simulation::new(1).drive(queue, clients, background, budget)
}

fn idle() -> Task<'static> {
    Box::pin(future::pending())
}

#[test]
fn background_work_that_ends_is_no_client_that_ends() {
    for background in [idle(), Box::pin(future::ready(()))] {
        let queue = Queue::default();
        let stuck = queue.hang(label(0, 0), 1);
        assert_eq!(drive(&queue, vec![Box::pin(stuck)], background, BUDGET), End::Stalled);
    }
    let none: Vec<Task<'_>> = Vec::new();
    assert_eq!(drive(&Queue::default(), none, Box::pin(future::ready(())), BUDGET), End::Finished);
}

#[test]
fn a_run_whose_clients_are_done_is_finished_also_out_of_budget() {
    for budget in [Budget { steps: 2, ..BUDGET }, Budget { until: 2, ..BUDGET }] {
        let queue = Queue::default();
        let left: Vec<_> = (0..10).map(|_| queue.submit(label(0, 0), 1)).collect();
        drop(left);
        assert_eq!(drive(&queue, Vec::new(), idle(), budget), End::Finished, "{budget:?}");
        assert!(queue.completed() < 10);
    }
}

#[test]
fn a_release_ends_the_holds_that_it_covers() {
    let child = Pattern { child: Some(0), kind: None };
    let write = Pattern { child: Some(0), kind: Some(1) };
    let other = Pattern { child: Some(1), kind: Some(1) };
    for (hold, release, end) in [
        (write, write, End::Finished),
        (write, child, End::Finished),
        (write, ALL, End::Finished),
        (child, ALL, End::Finished),
        (child, write, End::Stalled),
        (ALL, child, End::Stalled),
        (write, other, End::Stalled),
    ] {
        let queue = Queue::default();
        queue.hold(hold);
        let operation = queue.submit(label(0, 1), 1);
        queue.release_all(release);
        let found = drive(&queue, vec![Box::pin(operation)], idle(), BUDGET);
        assert_eq!(found, end, "{hold:?} {release:?}");
    }
}

#[test]
fn an_alarm_rings_in_its_turn_and_keeps_no_run_going() {
    for (alarm, operation, rings) in [(1, 5, true), (5, 5, false), (9, 5, false)] {
        let queue = Queue::default();
        let mut alarm = queue.alarm(alarm);
        let operation = queue.submit(label(0, 0), operation);
        let end = drive(&queue, vec![Box::pin(operation)], idle(), BUDGET);
        assert_eq!(end, End::Finished);
        assert_eq!((&mut alarm).now_or_never().is_some(), rings);
        assert_eq!(queue.completed(), 1);
    }
    let queue = Queue::default();
    queue.hold(ALL);
    let _alarm = queue.alarm(1);
    let stuck: Task<'_> = Box::pin(queue.submit(label(0, 0), 1));
    assert_eq!(drive(&queue, vec![stuck], idle(), BUDGET), End::Stalled);
}

#[test]
fn what_was_released_by_itself_stays_released() {
    let queue = Queue::default();
    queue.hold(ALL);
    let operation = queue.submit(label(0, 1), 1);
    assert_eq!(queue.release(ALL, 1), 1);
    queue.release_all(Pattern { child: Some(0), kind: None });
    assert_eq!(drive(&queue, vec![Box::pin(operation)], idle(), BUDGET), End::Finished);
}
