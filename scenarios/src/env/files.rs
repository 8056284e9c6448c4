//! Disks that are real files in a directory.

use super::{Environment, EnvironmentError, Site, suited::suited};
use crate::model::{DiskSpec, Scenario};
use bytes::Bytes;
use futures_lite::future::block_on;
use futures_util::future::ready;
use quorate_engine::{BlockDevice, Image, IoFuture};
use quorate_file::FileDevice;
use quorate_sim::{Budget, End, Outside, Patience, Queue, Task, drive};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Real files. They have no names once they are made, so that nothing is left however a run ends.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// In a directory that exists.
    #[must_use]
    pub fn below(directory: PathBuf) -> Self {
        Self { directory }
    }
}

impl Environment for Files {
    fn prepare(&self, scenario: &Scenario) -> Result<Box<dyn Site>, EnvironmentError> {
        if scenario.gluster.is_some() {
            return Err(EnvironmentError::Unsuited {
                why: format!("the disks of '{}' are on gluster", scenario.name),
                remedy: "run it with --env sim or --env gluster".into(),
            });
        }
        let refused = |place: &Path, source| EnvironmentError::System {
            place: place.display().to_string(),
            source,
        };
        let directory = tempfile::Builder::new().prefix("quorate-").tempdir_in(&self.directory);
        let directory = directory.map_err(|error| refused(&self.directory, error))?;
        let outside = real_outside();
        let (mut disks, mut files) = (Vec::new(), Vec::new());
        for number in 0..scenario.disks() {
            let path = directory.path().join(format!("c{number}.img"));
            let spec = scenario.disk(number);
            let (device, file) = create(&path, spec).map_err(|error| refused(&path, error))?;
            disks.push(suited(Arc::new(device), spec.limits, &outside));
            files.push(file);
        }
        directory.close().map_err(|error| refused(&self.directory, error))?;
        Ok(Box::new(OnFiles { disks, files, outside }))
    }
}

struct OnFiles {
    disks: Vec<Arc<dyn BlockDevice>>,
    /// The same once more, for whoever looks at them behind their backs.
    files: Vec<File>,
    outside: Outside,
}

impl Site for OnFiles {
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
        block_on(drive(queue, clients, background, budget, Some(&self.outside), |_| ()))
    }

    fn overwrite(&self, disk: u32, offset: u64, data: Bytes) -> IoFuture<'_, ()> {
        let written = self.files[disk as usize].write_all_at(&data, offset);
        Box::pin(ready(written.map_err(Into::into)))
    }

    fn media(&self) -> Result<Vec<Image>, EnvironmentError> {
        let named = |(number, file)| {
            let place = format!("the file of c{number}");
            image(file).map_err(|source| EnvironmentError::System { place, source })
        };
        (0..).zip(&self.files).map(named).collect()
    }
}

fn create(path: &Path, spec: DiskSpec) -> io::Result<(FileDevice, File)> {
    let device = FileDevice::create(path, spec.bytes)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if spec.fill != 0 {
        let fill = vec![spec.fill; usize::try_from(spec.bytes).expect("fits into memory")];
        file.write_all_at(&fill, 0)?;
    }
    Ok((device, file))
}

/// What a file holds.
pub(super) fn image(file: &File) -> io::Result<Image> {
    let mut image = Image::new(file.metadata()?.len());
    let (mut at, mut piece) = (0, vec![0; PIECE_BYTES]);
    loop {
        let count = file.read_at(&mut piece, at)?;
        let data = &piece[..count];
        if count == 0 {
            return Ok(image);
        }
        if data.iter().any(|byte| *byte != 0) {
            image.write(at, data);
        }
        at += count as u64;
    }
}

/// The world of real devices: time goes by as it does. Whoever hangs is left behind before gluster gives it up,
/// after four seconds.
pub(super) fn real_outside() -> Outside {
    let patience = Patience { prompt: Duration::from_secs(3), slow: Duration::from_secs(20) };
    Outside::beyond(patience, |time| {
        Box::pin(async move {
            async_io::Timer::after(time).await;
        })
    })
}

const PIECE_BYTES: usize = 1 << 16;
