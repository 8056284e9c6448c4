//! The device queue and the drive: what ends a run, and what ends a hold.

use futures_util::FutureExt;
use quorate_sim::{
    Budget, End, Label, Outside, Patience, Pattern, Queue, Simulation, Task, drive as poll,
};
use std::{
    future,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

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

const PATIENCE: Patience =
    Patience { prompt: Duration::from_millis(50), slow: Duration::from_secs(5) };

/// Two clients, of which the first waits for something outside for so long and the second for the queue:
/// who comes to an end, in order.
fn beside(simulation: &Simulation, outside: &Outside, time: Duration) -> (Vec<u32>, End) {
    let (queue, ended) = (Queue::default(), Arc::new(Mutex::new(Vec::new())));
    let end = |number| ended.lock().expect("one thread").push(number);
    let (asking, asked) = (outside.sleep(time), queue.submit(label(1, 0), 10));
    let first: Task<'_> = Box::pin(async {
        outside.ask(asking).await;
        end(0);
    });
    let second: Task<'_> = Box::pin(async {
        asked.await;
        end(1);
    });
    let run = poll(&queue, vec![first, second], idle(), BUDGET, Some(outside), |_| ());
    let how = simulation.block_on(run);
    let order = ended.lock().expect("one thread").clone();
    (order, how)
}

#[test]
fn nothing_completes_while_the_outside_is_waited_for() {
    let simulation = Simulation::new(1);
    let outside = simulation.outside(PATIENCE);
    for millis in [1, 10, 40] {
        let (order, end) = beside(&simulation, &outside, Duration::from_millis(millis));
        assert_eq!((order.as_slice(), end), ([0, 1].as_slice(), End::Finished), "{millis} ms");
    }
}

#[test]
fn a_device_that_is_slow_is_left_behind_and_waited_for_at_the_end() {
    let simulation = Simulation::new(1);
    let outside = simulation.outside(PATIENCE);
    for millis in [60, 200, 4000] {
        let (order, end) = beside(&simulation, &outside, Duration::from_millis(millis));
        assert_eq!((order.as_slice(), end), ([1, 0].as_slice(), End::Finished), "{millis} ms");
    }
    let (order, end) = beside(&simulation, &outside, Duration::from_secs(6));
    assert_eq!((order.as_slice(), end), ([1].as_slice(), End::Stalled), "too slow");
}

/// As gluster's delay-gen does, which sleeps in the thread that makes the request.
#[test]
fn time_that_passes_while_something_is_asked_for_counts() {
    let now = Arc::new(Mutex::new(Duration::ZERO));
    let clock = now.clone();
    let outside = Outside::beyond(PATIENCE, move |time| {
        let (clock, mut end) = (clock.clone(), None);
        Box::pin(future::poll_fn(move |_| {
            let now = *clock.lock().expect("one thread");
            if now >= *end.get_or_insert(now + time) { Poll::Ready(()) } else { Poll::Pending }
        }))
    });
    for (takes, answers_at_once) in [(20, true), (20, false), (8, false), (7, true), (7, false)] {
        let mut asked = false;
        let request = future::poll_fn(|cx| {
            if !asked {
                *now.lock().expect("one thread") += Duration::from_millis(takes);
            }
            if asked || answers_at_once {
                return Poll::Ready(());
            }
            asked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let asking = outside.outlasts(Duration::from_millis(8), request);
        let outlasts = outside.insist(asking).now_or_never().expect("it stands still");
        assert_eq!(outlasts, takes >= 8, "{takes} ms, {answers_at_once}");
    }
}

#[test]
fn what_is_insisted_on_is_waited_for_however_long_it_takes() {
    let simulation = Simulation::new(1);
    let outside = simulation.outside(PATIENCE);
    let queue = Queue::default();
    let asked = queue.submit(label(1, 0), 10);
    let (long, seen) = (outside.sleep(Duration::from_secs(3)), Mutex::new(Vec::new()));
    let first: Task<'_> = Box::pin(async {
        outside.insist(long).await;
        seen.lock().unwrap().push(queue.now());
    });
    let second: Task<'_> = Box::pin(async {
        asked.await;
        seen.lock().unwrap().push(queue.now());
    });
    let run = poll(&queue, vec![first, second], idle(), BUDGET, Some(&outside), |_| ());
    assert_eq!(simulation.block_on(run), End::Finished);
    assert_eq!(*seen.lock().unwrap(), [0, 10]);
}
