//! Disks that are images on the volumes of a real glusterd.

use super::{
    Environment, EnvironmentError, Site,
    cluster::{self, PROBE},
    files::{self, image},
    suited::suited,
};
use crate::model::{Action, DiskSpec, Disturbance, Gluster, Scenario};
use bytes::Bytes;
use futures_lite::future::block_on;
use futures_util::future::BoxFuture;
use quorate_engine::{
    BlockDevice, Errno, Flags, Image, IoFuture, Prealloc, gluster,
    gluster::{Client, GlusterOptions},
};
use quorate_gfapi::{Libgfapi, Patience};
use quorate_glusterd::{self as glusterd, Glusterd, Place, Wanted};
use quorate_sim::{Budget, End, Outside, Queue, Task, drive};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

/// Volumes of a real glusterd, through libgfapi. Runs take turns.
pub struct RealGluster {
    shared: Arc<Shared>,
    place: Place,
}

struct Shared {
    /// Nothing while a run has it.
    free: Mutex<Option<Pool>>,
    freed: Condvar,
}

/// What one run leaves to the next.
struct Pool {
    glusterd: Glusterd,
    client: Client,
    /// What the volumes are like, more of them than a run needs if another one needed more.
    wanted: Vec<Wanted>,
    /// What is ours: names that nobody else gives to files.
    name: String,
    /// How many runs there were: their images have names of their own.
    runs: u64,
    /// By volume: what keeps its connection, with its name and the edition of its options.
    probes: Vec<((String, u64), Arc<dyn BlockDevice>)>,
}

impl RealGluster {
    /// The glusterd of this place, which is started, or found.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn start(place: Place) -> Result<Self, EnvironmentError> {
        let missing = glusterd::missing::existing();
        if !missing.is_empty() {
            return Err(glusterd::Error::Missing(missing).into());
        }
        let library = Libgfapi::load(PATIENCE);
        let library = library.map_err(|error| cluster::failed(&error))?;
        let glusterd = Glusterd::start(&place, &[], STEP)?;
        let client = Client::new(Arc::new(library), Arc::new(cluster::unheard));
        let name = unused_name()?;
        let pool = Pool { glusterd, client, wanted: Vec::new(), name, runs: 0, probes: Vec::new() };
        let shared = Shared { free: Mutex::new(Some(pool)), freed: Condvar::new() };
        Ok(Self { shared: Arc::new(shared), place })
    }
}

impl Environment for RealGluster {
    fn prepare(&self, scenario: &Scenario) -> Result<Box<dyn Site>, EnvironmentError> {
        let own = scenario.gluster.clone().unwrap_or_default();
        if own.one_name {
            return Err(EnvironmentError::Unsuited {
                why: format!("'{}' wants a cluster for each disk", scenario.name),
                remedy: "run it with --env sim".into(),
            });
        }
        let touches = |step: &Action| matches!(step, Action::Brick { .. } | Action::Corrupt { .. });
        if let Place::Host(host) = &self.place
            && (!own.write_behind || scenario.scripts().flatten().any(touches))
        {
            return Err(EnvironmentError::Unsuited {
                why: format!(
                    "'{}' changes or disturbs volumes, and those of {host} are not ours",
                    scenario.name
                ),
                remedy: "use a glusterd of your own: --gluster namespace or --gluster container"
                    .into(),
            });
        }
        let disks = scenario.disks();
        if disks > VOLUMES_MAX {
            return Err(EnvironmentError::Unsuited {
                why: format!("{disks} disks want as many volumes: more than {VOLUMES_MAX}"),
                remedy: "run it with --env bricks".into(),
            });
        }
        let mut lease = Shared::take(&self.shared);
        let pool = lease.pool_mut();
        for (number, wanted) in (0..).zip(wanted(scenario, &own)) {
            match pool.wanted.get_mut(number) {
                Some(old) => *old = wanted,
                None => pool.wanted.push(wanted),
            }
        }
        if matches!(self.place, Place::Host(_)) {
            // Its volumes are not ours to keep, nor its files to be many.
            pool.wanted.truncate(disks as usize);
        } else {
            pool.runs += 1;
        }
        pool.glusterd.renew(&pool.wanted).map_err(|error| match error {
            // Of a cluster that is there: it has volumes for fewer disks.
            glusterd::Error::NoVolume { .. } | glusterd::Error::TooFewVolumes { .. } => {
                EnvironmentError::Unsuited { why: error.to_string(), remedy: error.remedy() }
            }
            error => error.into(),
        })?;
        let outside = files::real_outside();
        let images = block_on(pool.open(scenario))?.into_iter().zip(0..);
        let disks =
            images.map(|(image, number)| suited(image, scenario.disk(number).limits, &outside));
        Ok(Box::new(OnGluster { disks: disks.collect(), lease, outside }))
    }
}

impl Shared {
    fn take(shared: &Arc<Self>) -> Lease {
        let free = shared.free.lock().expect("nothing panics under this lock");
        let free = shared.freed.wait_while(free, |free| free.is_none());
        let pool = free.expect("nothing panics under this lock").take();
        Lease { pool, shared: shared.clone() }
    }
}

/// The pool, for as long as one run has it.
struct Lease {
    /// Gone once it is given back.
    pool: Option<Pool>,
    shared: Arc<Shared>,
}

impl Lease {
    fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("it is given back at the end")
    }

    fn pool_mut(&mut self) -> &mut Pool {
        self.pool.as_mut().expect("it is given back at the end")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.shared.free.lock().expect("nothing panics under this lock") = self.pool.take();
        self.shared.freed.notify_one();
    }
}

/// What the volumes of a scenario are to be like.
fn wanted(scenario: &Scenario, own: &Gluster) -> impl Iterator<Item = Wanted> {
    (0..scenario.disks()).map(|number| {
        let fills = |step: &Action| {
            let Action::Brick { child, what } = step else { return false };
            *child == number && matches!(what, Disturbance::Fill | Disturbance::Free)
        };
        let mut wanted = Wanted::default();
        if scenario.scripts().flatten().any(fills) {
            wanted.space = Some(SPACE);
        }
        if !own.write_behind {
            wanted.options.insert("performance.write-behind".into(), "off".into());
        }
        wanted
    })
}

impl Pool {
    /// The images of a run, as its scenario says they are at first.
    async fn open(
        &mut self,
        scenario: &Scenario,
    ) -> Result<Vec<Arc<dyn BlockDevice>>, EnvironmentError> {
        let mut images = Vec::new();
        for number in 0..scenario.disks() {
            self.reach(number as usize).await?;
            let options = self.options(number, &self.file(number))?;
            images.push(self.create(&options, scenario.disk(number)).await?);
        }
        Ok(images)
    }

    /// The name of the image of a disk.
    fn file(&self, number: u32) -> String {
        format!("{}-{}-c{number}", self.name, self.runs)
    }

    fn options(&self, number: u32, file: &str) -> Result<GlusterOptions, EnvironmentError> {
        cluster::options(self.glusterd.server(), self.glusterd.volume(number as usize), file)
    }

    /// Waits until the volume's brick can be reached over the connection that is there, or makes one.
    async fn reach(&mut self, number: usize) -> Result<(), EnvironmentError> {
        let volume = (self.glusterd.volume(number).to_owned(), self.glusterd.edition(number));
        if self.probes.get(number).is_none_or(|(of, _)| *of != volume) {
            // With them goes the connection, which would take the options up when it likes.
            self.probes.truncate(number);
            let probe = format!("{}-{PROBE}", self.name);
            let options = cluster::options(self.glusterd.server(), &volume.0, &probe)?;
            let spec = DiskSpec { bytes: 512, fill: 1, ..PLAIN };
            let probe = self.create(&options, spec).await?;
            self.probes.push((volume, probe));
        }
        let (_, probe) = &self.probes[number];
        let outside = files::real_outside();
        let reached = cluster::told(&**probe, &outside, Disturbance::Await).await;
        reached.map_err(|why| cluster::failed(&why))
    }

    async fn create(
        &self,
        options: &GlusterOptions,
        spec: DiskSpec,
    ) -> Result<Arc<dyn BlockDevice>, EnvironmentError> {
        let created = gluster::create(options, spec.bytes, Prealloc::Off, &self.client).await;
        created.map_err(|error| cluster::failed(&error))?;
        let image = cluster::open(&self.client, options.clone()).await?;
        let filled = async {
            // Images are made of whole sectors, disks need not be.
            if !spec.bytes.is_multiple_of(512) {
                image.truncate(spec.bytes, Prealloc::Off).await?;
            }
            if spec.fill != 0 {
                let bytes = usize::try_from(spec.bytes).expect("fits into memory");
                image.pwrite(0, vec![spec.fill; bytes].into(), Flags::NONE).await?;
            }
            image.flush().await
        };
        let filled = filled.await;
        filled.map_err(|errno| cluster::failed(&format_args!("{options}: {errno}")))?;
        Ok(image)
    }

    /// Where the bytes of a disk are, if they can be looked at.
    fn bytes(&self, number: u32) -> Option<PathBuf> {
        self.glusterd.brick_file(number as usize, &self.file(number))
    }
}

struct OnGluster {
    disks: Vec<Arc<dyn BlockDevice>>,
    lease: Lease,
    outside: Outside,
}

impl Site for OnGluster {
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

    fn disturb(&self, disk: u32, what: Disturbance) -> BoxFuture<'_, Result<(), String>> {
        let number = disk as usize;
        let disturbing = async move {
            let pool = self.lease.pool();
            for what in real(what) {
                let done = pool.glusterd.disturb(number, &what);
                done.map_err(|error| format!("{error} ({})", error.remedy()))?;
            }
            cluster::told(&*pool.probes[number].1, &self.outside, what).await
        };
        Box::pin(self.outside.insist(disturbing))
    }

    fn overwrite(&self, disk: u32, offset: u64, data: Bytes) -> IoFuture<'_, ()> {
        Box::pin(async move {
            // What the client keeps would be written over it.
            let _ = self.disks[disk as usize].length().await;
            let path = self.lease.pool().bytes(disk).ok_or(Errno::ENOTSUP)?;
            let file = OpenOptions::new().write(true).open(path)?;
            Ok(file.write_all_at(&data, offset)?)
        })
    }

    /// What the bricks hold, once clients have sent what they keep.
    fn media(&self) -> Result<Vec<Image>, EnvironmentError> {
        let mut images = Vec::new();
        for (number, disk) in (0..).zip(&self.disks) {
            // One whose brick is in trouble keeps it for ever.
            let _ = block_on(disk.flush());
            images.push(match self.lease.pool().bytes(number) {
                Some(path) => {
                    let image = File::open(&path).and_then(|file| image(&file));
                    image.map_err(|source| EnvironmentError::System {
                        place: path.display().to_string(),
                        source,
                    })?
                }
                None => seen(&**disk)?,
            });
        }
        Ok(images)
    }
}

/// A name that nobody else gives to anything.
fn unused_name() -> Result<String, EnvironmentError> {
    let directory = tempfile::Builder::new().prefix("quorate-").tempdir();
    let directory = directory.map_err(|source| EnvironmentError::System {
        place: "a directory for temporary files".into(),
        source,
    })?;
    Ok(directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// What glusterd does; nothing where the client is waited for.
fn real(what: Disturbance) -> Vec<glusterd::Disturbance> {
    let set = |(option, value): (&str, &str)| glusterd::Disturbance::Set {
        option: option.into(),
        value: value.into(),
    };
    let one = match what {
        Disturbance::Kill => glusterd::Disturbance::Kill,
        Disturbance::Start => glusterd::Disturbance::Start,
        Disturbance::Pause => glusterd::Disturbance::Pause,
        Disturbance::Resume => glusterd::Disturbance::Resume,
        Disturbance::Cut => glusterd::Disturbance::Cut,
        Disturbance::Fill => glusterd::Disturbance::Fill,
        Disturbance::Free => glusterd::Disturbance::Free,
        Disturbance::Await => return Vec::new(),
        Disturbance::Fail => return ERROR_GEN.into_iter().map(set).collect(),
        Disturbance::Slow => return DELAY_GEN.into_iter().map(set).collect(),
        Disturbance::Mend => {
            let reset = |option: &str| glusterd::Disturbance::Reset { option: option.into() };
            return ["debug.error-gen", "debug.delay-gen"].map(reset).into();
        }
    };
    vec![one]
}

/// gluster's own: reads and writes of every client fail.
const ERROR_GEN: [(&str, &str); 3] = [
    ("debug.error-fops", "READ,WRITE"),
    ("debug.error-failure", "100"),
    ("debug.error-gen", "client"),
];
/// gluster's own: reads and writes of every client take 20 ms more.
const DELAY_GEN: [(&str, &str); 4] = [
    ("delay-gen.delay-percentage", "100"),
    ("delay-gen.delay-duration", "20000"),
    ("delay-gen.enable", "read,write"),
    ("debug.delay-gen", "client"),
];

/// What a disk shows, where its brick cannot be looked at.
fn seen(disk: &dyn BlockDevice) -> Result<Image, EnvironmentError> {
    let reading = async {
        let mut image = Image::new(disk.length().await?);
        let mut at = 0;
        while at < image.bytes() {
            let bytes = (image.bytes() - at).min(1 << 20);
            let data = disk.pread(at, usize::try_from(bytes).expect("a mebibyte")).await?;
            image.write(at, &data);
            at += bytes;
        }
        Ok::<_, Errno>(image)
    };
    block_on(reading).map_err(|errno| cluster::failed(&format_args!("a disk is gone: {errno}")))
}

/// A disk that nothing is said of.
const PLAIN: DiskSpec =
    DiskSpec { bytes: 0, fill: 0, latency: None, limits: quorate_engine::Limits::NONE };
/// How long a connection may take.
const PATIENCE: Patience =
    Patience { server: Duration::from_secs(5), volume: Duration::from_secs(20) };
/// How long glusterd may take for one thing.
const STEP: Duration = Duration::from_secs(60);
/// Each takes a process, and a third of a second to be made.
const VOLUMES_MAX: u32 = 16;
/// The brick that can be filled.
const SPACE: u64 = 32 << 20;
