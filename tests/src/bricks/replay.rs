//! Two runs of one seed are the same, event by event.

use super::volume::{HOST, SETTINGS, create, seeded, volume};
use futures_util::future::join_all;
use madsim::{
    rand::{Rng, thread_rng},
    time::{TimeHandle, sleep},
};
use quorate_engine::gluster::api::File;
use quorate_sim::gluster::{Brick, Settings, World};
use std::{cell::RefCell, sync::Arc, time::Duration};

/// What happened, and when to the nanosecond.
type Journal = RefCell<Vec<String>>;

fn note(journal: &Journal, what: &str) {
    let now = TimeHandle::current().elapsed().as_nanos();
    journal.borrow_mut().push(format!("{now} {what}"));
}

async fn client(journal: &Journal, file: Arc<dyn File>, number: u8) {
    for step in 0..30 {
        sleep(Duration::from_millis(thread_rng().gen_range(1..500))).await;
        let sector = thread_rng().gen_range(0..512_u64);
        let done = match thread_rng().gen_range(0..8) {
            0 => format!("{:?}", file.fsync().await),
            1 => format!("{:?}", file.stat().await),
            2 => format!("{:?}", file.discard(sector * 512, 4096).await),
            3 | 4 => {
                let read = file.pread(sector * 512, 2048).await;
                format!("{:?} {:?}", read.done, read.buffer)
            }
            _ => {
                let data = vec![number * 31 + step; 1024];
                format!("{:?}", file.pwrite(sector * 512, data.into()).await)
            }
        };
        note(journal, &format!("{number}: {done}"));
    }
}

async fn disturbances(journal: &Journal, brick: &Brick) {
    for _ in 0..12 {
        sleep(Duration::from_millis(thread_rng().gen_range(1..3000))).await;
        let which = thread_rng().gen_range(0..10);
        match which {
            0 => brick.kill(),
            1 | 2 => brick.start(),
            3 => brick.pause(),
            4 => brick.resume(),
            5 => brick.partition(),
            6 => brick.heal(),
            7 => brick.cut(),
            8 => brick.slow(Duration::from_millis(1)..Duration::from_millis(50)),
            _ => brick.fill_up(),
        }
        note(journal, &format!("disturbance {which}"));
    }
    brick.start();
    brick.resume();
    brick.heal();
}

fn story(seed: u64) -> Vec<String> {
    seeded(seed, async |world: &World| {
        let write_behind = thread_rng().gen_ratio(1, 2);
        let brick = world.brick(HOST, "v0");
        brick.set(Settings { write_behind, ..SETTINGS });
        let (volume, _) = volume(world).await;
        let file = create(&*volume, "f", vec![0; 64 << 10]).await;
        let journal = Journal::default();
        let clients = (0..4).map(|number| client(&journal, file.clone(), number));
        let disturbed = disturbances(&journal, &brick);
        futures_util::future::join(join_all(clients), disturbed).await;
        note(&journal, &format!("{:?}", file.close().await));
        note(&journal, &format!("{:?}", brick.contents("f")));
        journal.into_inner()
    })
}

#[test]
fn two_runs_of_one_seed_are_equal_event_by_event() {
    let mut stories = Vec::new();
    for seed in 0..20 {
        let story = [(); 2].map(|()| story(seed));
        for (at, (first, second)) in story[0].iter().zip(&story[1]).enumerate() {
            assert_eq!(first, second, "seed {seed}, event {at}");
        }
        assert_eq!(story[0].len(), story[1].len(), "seed {seed}");
        assert!(story[0].len() >= 134, "seed {seed}: everybody comes to an end");
        stories.push(story);
    }
    assert!(stories.windows(2).all(|two| two[0][0] != two[1][0]), "seeds are different stories");
    let ended = |end: &str| stories.iter().flatten().flatten().any(|line| line.contains(end));
    assert!(ended("errno: 107") && ended("errno: 28") && ended("errno: 0"));
}
