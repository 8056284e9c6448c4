//! What clients were told holds, whatever happens to the brick.

use super::volume::{HOST, SETTINGS, create, open, seeded, volume};
use futures_util::future::join;
use madsim::{
    rand::{Rng, thread_rng},
    time::sleep,
};
use quorate_engine::gluster::api::{File, Volume};
use quorate_sim::gluster::{Brick, Settings};
use std::{cell::Cell, mem, sync::Arc, time::Duration};

const SECTOR: usize = 4096;
const SECTORS: usize = 12;

/// What each sector may hold: a byte for all of it.
struct Allowed {
    /// What may be on the brick.
    brick: Vec<Vec<u8>>,
    /// What was acknowledged since, in order, and nobody has said whether it arrived.
    cached: Vec<Vec<u8>>,
}

impl Allowed {
    fn new() -> Self {
        Self { brick: vec![vec![0]; SECTORS], cached: vec![Vec::new(); SECTORS] }
    }

    /// Everything that was acknowledged has arrived.
    fn synced(&mut self) {
        for (brick, cached) in self.brick.iter_mut().zip(&mut self.cached) {
            if let Some(last) = mem::take(cached).pop() {
                *brick = vec![last];
            }
        }
    }

    /// Some of what was acknowledged may have arrived, and nothing of it will.
    fn lost(&mut self) {
        for (brick, cached) in self.brick.iter_mut().zip(&mut self.cached) {
            brick.append(cached);
        }
    }

    /// A sector was read from the brick, behind everything that was acknowledged of it.
    fn read(&mut self, sector: usize, found: &[u8]) {
        let byte = found[0];
        assert!(found.iter().all(|other| *other == byte), "sector {sector} is whole");
        let (brick, cached) = (&mut self.brick[sector], &mut self.cached[sector]);
        match cached.last() {
            Some(last) => assert_eq!(byte, *last, "sector {sector} is what was acknowledged"),
            None => assert!(brick.contains(&byte), "sector {sector}: {byte} of {brick:?}"),
        }
        cached.clear();
        *brick = vec![byte];
    }
}

async fn client(volume: &dyn Volume, settings: Settings) -> Allowed {
    let mut file = create(volume, "f", vec![0; SECTOR * SECTORS]).await;
    let mut allowed = Allowed::new();
    let mut next = 0_u8;
    for _ in 0..150 {
        sleep(Duration::from_millis(thread_rng().gen_range(1..300))).await;
        let sector = thread_rng().gen_range(0..SECTORS);
        let offset = (sector * SECTOR) as u64;
        match thread_rng().gen_range(0..10) {
            0..5 => {
                next = next % 250 + 1;
                let done = file.pwrite(offset, vec![next; SECTOR].into()).await;
                match (done.ret, settings.write_behind) {
                    (4096, true) => allowed.cached[sector].push(next),
                    (4096, false) => allowed.brick[sector] = vec![next],
                    (_, false) => allowed.brick[sector].push(next),
                    (..) => unreachable!("write-behind has room: {done:?}"),
                }
            }
            5..8 => {
                let read = file.pread(offset, SECTOR).await;
                if read.done.ret == 4096 {
                    allowed.read(sector, &read.buffer);
                }
            }
            8 => match file.fsync().await.ret {
                0 => allowed.synced(),
                _ if settings.keep_failed => {}
                _ => allowed.lost(),
            },
            _ => {
                match file.close().await.ret {
                    0 => allowed.synced(),
                    _ => allowed.lost(),
                }
                file = reopened(volume).await;
            }
        }
    }
    while file.fsync().await.ret != 0 {
        if !settings.keep_failed {
            allowed.lost();
        }
        sleep(Duration::from_secs(1)).await;
    }
    allowed.synced();
    allowed
}

async fn reopened(volume: &dyn Volume) -> Arc<dyn File> {
    loop {
        match open(volume, "f").await {
            Ok(file) => return file,
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Disturbs the brick, and mends it each time, until it is told not to.
async fn disturb(brick: &Brick, over: &Cell<bool>) {
    while !over.get() {
        sleep(Duration::from_millis(thread_rng().gen_range(1..6000))).await;
        match thread_rng().gen_range(0..5) {
            0 => brick.kill(),
            1 => brick.pause(),
            2 => brick.partition(),
            3 => brick.cut(),
            _ => brick.slow(Duration::from_millis(1)..Duration::from_millis(400)),
        }
        sleep(Duration::from_millis(thread_rng().gen_range(1..9000))).await;
        brick.start();
        brick.resume();
        brick.heal();
    }
}

#[test]
fn what_was_acknowledged_and_synced_is_on_the_brick_whatever_happens() {
    for seed in 0..60 {
        seeded(seed, async |world| {
            let brick = world.brick(HOST, "v0");
            let settings =
                Settings { write_behind: seed % 3 > 0, keep_failed: seed % 3 > 1, ..SETTINGS };
            brick.set(settings);
            let (volume, _) = volume(world).await;
            let over = Cell::new(false);
            let work = async {
                let allowed = client(&*volume, settings).await;
                over.set(true);
                allowed
            };
            let (allowed, ()) = join(work, disturb(&brick, &over)).await;
            let found = brick.contents("f").unwrap();
            for (sector, found) in found.chunks(SECTOR).enumerate() {
                let allowed = &allowed.brick[sector];
                assert!(
                    found.iter().all(|byte| *byte == found[0]) && allowed.contains(&found[0]),
                    "seed {seed}, sector {sector}: {} of {allowed:?}",
                    found[0]
                );
            }
        });
    }
}
