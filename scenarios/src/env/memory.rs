//! Simulation: disks in memory, which answer at once, or on simulated gluster volumes.

use super::{Environment, EnvironmentError, Site, bricks::OnBricks};
use crate::model::{DiskSpec, Scenario};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Flags, Image, IoFuture, Memory};
use quorate_sim::{Budget, End, Queue, Simulation, Task};
use std::sync::Arc;

/// Simulation, under madsim.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated {
    /// Whether every disk is on gluster, and not only those of scenarios that say so.
    pub on_bricks: bool,
}

impl Environment for Simulated {
    fn is_simulated(&self) -> bool {
        true
    }

    /// madsim's network has maps whose order is the thread's.
    fn wants_fresh_thread(&self, scenario: &Scenario) -> bool {
        self.on_bricks || scenario.gluster.is_some()
    }

    fn prepare(&self, scenario: &Scenario) -> Result<Box<dyn Site>, EnvironmentError> {
        if self.wants_fresh_thread(scenario) {
            return Ok(Box::new(OnBricks::new(scenario)?));
        }
        let disks = (0..scenario.disks()).map(|number| disk(scenario.disk(number)));
        Ok(Box::new(Memories {
            disks: disks.collect(),
            simulation: Simulation::new(scenario.seed),
        }))
    }
}

struct Memories {
    disks: Vec<Arc<Memory>>,
    simulation: Simulation,
}

impl Site for Memories {
    fn disks(&self) -> Vec<Arc<dyn BlockDevice>> {
        self.disks.iter().map(|disk| disk.clone() as Arc<dyn BlockDevice>).collect()
    }

    fn drive(
        &self,
        queue: &Queue,
        clients: Vec<Task<'_>>,
        background: Task<'_>,
        budget: Budget,
    ) -> End {
        self.simulation.drive(queue, clients, background, budget)
    }

    fn overwrite(&self, disk: u32, offset: u64, data: Bytes) -> IoFuture<'_, ()> {
        self.disks[disk as usize].pwrite(offset, data, Flags::NONE)
    }

    fn media(&self) -> Result<Vec<Image>, EnvironmentError> {
        Ok(self.disks.iter().map(|disk| disk.snapshot()).collect())
    }
}

fn disk(spec: DiskSpec) -> Arc<Memory> {
    let mut image = Image::new(spec.bytes);
    if spec.fill != 0 {
        image.write(0, &vec![spec.fill; usize::try_from(spec.bytes).expect("fits into memory")]);
    }
    Arc::new(Memory::with_image(image, spec.limits))
}
