//! Disks that are images on simulated gluster volumes.

use super::{EnvironmentError, Site, cluster, suited::suited};
use crate::model::{DiskSpec, Disturbance, Gluster, Scenario};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use quorate_engine::{BlockDevice, Errno, Image, IoFuture, gluster::Client};
use quorate_sim::{
    Budget, End, Outside, Patience, Queue, Simulation, Task, drive,
    gluster::{Brick, Settings, VolumeSpec, World},
};
use std::{ops::Range, sync::Arc, time::Duration};

/// The volumes of a run and the nodes that they are on, which end with it.
pub(super) struct OnBricks {
    simulation: Simulation,
    /// Gone once it has ended.
    world: Option<World>,
    bricks: Vec<Brick>,
    disks: Vec<Arc<dyn BlockDevice>>,
    probes: Vec<Arc<dyn BlockDevice>>,
    outside: Outside,
}

impl OnBricks {
    pub(super) fn new(scenario: &Scenario) -> Result<Self, EnvironmentError> {
        let simulation = Simulation::new(scenario.seed);
        let outside = simulation.outside(PATIENCE);
        let gluster = scenario.gluster.clone().unwrap_or_default();
        let (world, bricks) = simulation.block_on(async {
            let world = World::new();
            let bricks = bricks(&world, scenario, &gluster).await;
            (world, bricks)
        });
        let client = Client::new(world.gfapi(), Arc::new(cluster::unheard));
        let (disks, probes) = (Vec::new(), Vec::new());
        let mut site = Self { simulation, world: Some(world), bricks, disks, probes, outside };
        for number in 0..scenario.disks() {
            put(&site.bricks[number as usize], scenario.disk(number));
            let (host, volume) = names(number, &gluster);
            let options = |file| cluster::options((&host, cluster::PORT), &volume, file);
            let open = |options| site.simulation.block_on(cluster::open(&client, options));
            let (probe, image) = (open(options(cluster::PROBE)?)?, open(options(FILE)?)?);
            site.probes.push(probe);
            site.disks.push(suited(image, scenario.disk(number).limits, &site.outside));
        }
        Ok(site)
    }
}

async fn bricks(world: &World, scenario: &Scenario, gluster: &Gluster) -> Vec<Brick> {
    let settings = Settings {
        write_behind: gluster.write_behind,
        ping_timeout: PING_TIMEOUT,
        ..Settings::default()
    };
    let volume = |number| {
        let (_, name) = names(number, gluster);
        VolumeSpec { capacity: SPACE, settings, ..VolumeSpec::new(name) }
    };
    let numbers = 0..scenario.disks();
    if gluster.one_name {
        for number in numbers.clone() {
            world.add_cluster(&names(number, gluster).0, [volume(number)]).await;
        }
    } else {
        world.add_cluster(HOST, numbers.clone().map(volume)).await;
    }
    let brick = |number| {
        let (host, volume) = names(number, gluster);
        world.brick(&host, &volume)
    };
    numbers.map(brick).collect()
}

/// The host and the volume of a disk.
fn names(number: u32, gluster: &Gluster) -> (String, String) {
    match gluster.one_name {
        true => (format!("{HOST}-{number}"), "v".into()),
        false => (HOST.into(), format!("v{number}")),
    }
}

/// The image, as the scenario says it is at first, and what asks whether the brick can be reached.
fn put(brick: &Brick, spec: DiskSpec) {
    brick.put(cluster::PROBE, &[1; 512]);
    brick.put(FILE, &[]);
    let mut there = brick.truncate(FILE, spec.bytes);
    if spec.fill != 0 {
        let bytes = usize::try_from(spec.bytes).expect("fits into memory");
        there &= brick.overwrite(FILE, 0, &vec![spec.fill; bytes]);
    }
    assert!(there, "it was just put there");
}

impl Site for OnBricks {
    fn disks(&self) -> Vec<Arc<dyn BlockDevice>> {
        self.disks.clone()
    }

    fn drive(
        &self,
        queue: &Queue,
        clients: Vec<Task<'_>>,
        background: Task<'_>,
        budget: Budget,
    ) -> End {
        let driving = drive(queue, clients, background, budget, Some(&self.outside), |_| ());
        self.simulation.block_on(driving)
    }

    fn disturb(&self, disk: u32, what: Disturbance) -> BoxFuture<'_, Result<(), String>> {
        let brick = &self.bricks[disk as usize];
        Box::pin(self.outside.insist(async move {
            match what {
                Disturbance::Kill => brick.kill(),
                Disturbance::Start => brick.start(),
                Disturbance::Pause => brick.pause(),
                Disturbance::Resume => brick.resume(),
                Disturbance::Cut => brick.cut(),
                Disturbance::Fill => brick.fill_up(),
                Disturbance::Free => brick.limit(SPACE, Errno::ENOSPC),
                Disturbance::Fail => {
                    brick.set(Settings { fails: Some(Errno::EIO), ..brick.settings() })
                }
                Disturbance::Slow => brick.slow(SLOW),
                Disturbance::Mend => {
                    brick.set(Settings { fails: None, ..brick.settings() });
                    brick.slow(Duration::ZERO..Duration::ZERO);
                }
                Disturbance::Await => {}
            }
            cluster::told(&*self.probes[disk as usize], &self.outside, what).await
        }))
    }

    fn overwrite(&self, disk: u32, offset: u64, data: Bytes) -> IoFuture<'_, ()> {
        Box::pin(self.outside.ask(async move {
            // What the client keeps would be written over it.
            let _ = self.disks[disk as usize].length().await;
            let there = self.bricks[disk as usize].overwrite(FILE, offset, &data);
            if there { Ok(()) } else { Err(Errno::ENOENT) }
        }))
    }

    /// What the bricks hold, once clients have sent what they keep.
    fn media(&self) -> Result<Vec<Image>, EnvironmentError> {
        self.simulation.block_on(async {
            for disk in &self.disks {
                // One whose brick is in trouble keeps it for ever.
                let _ = disk.flush().await;
            }
        });
        let images = self.bricks.iter().map(|brick| {
            let contents = brick.contents(FILE).unwrap_or_default();
            let mut image = Image::new(contents.len() as u64);
            image.write(0, &contents);
            image
        });
        Ok(images.collect())
    }
}

impl Drop for OnBricks {
    fn drop(&mut self) {
        self.disks.clear();
        self.probes.clear();
        if let Some(world) = self.world.take() {
            self.simulation.block_on(world.end());
        }
    }
}

const HOST: &str = "gluster";
const FILE: &str = "disk.img";
/// Longer than a brick that is well takes.
const PATIENCE: Patience =
    Patience { prompt: Duration::from_millis(100), slow: Duration::from_secs(120) };
const PING_TIMEOUT: Duration = Duration::from_secs(2);
const SLOW: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(20);
const SPACE: u64 = 1 << 42;
