//! A quorum over three real volumes under load, while a brick dies and comes back.
//!
//! The seed says what each client asks for; when it is asked, and what befalls it by then, is for the machine to
//! say. So the same seed is a similar run and not the same.

use super::{
    cases::{Case, say},
    faults::disturb,
    register::{Read, Register, SECTOR, stamped},
    volume::{PATIENCE, PATIENT, glusterd, library},
};
use futures_lite::future::block_on;
use futures_util::future::join_all;
use quorate_engine::{
    BlockDevice, Event, Flags, Gluster, GlusterOptions, NodeName, Prealloc, Quorum, QuorumOptions,
    gluster::{Client, Notice, create},
};
use quorate_glusterd::{Disturbance, Glusterd, Place, Wanted};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{
    collections::BTreeMap,
    env, fmt, fs,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

pub(crate) const CASES: &[Case<Glusterd>] = &[
    ("a_quorum_outlives_a_brick", |_| {
        outlives("a_quorum_outlives_a_brick", 60, Rewrite::Off, Flush::Always);
    }),
    ("a_quorum_that_rewrites_outlives_a_brick", |_| {
        outlives("a_quorum_that_rewrites_outlives_a_brick", 15, Rewrite::On, Flush::UntilItDies);
    }),
    ("a_child_by_itself_loses_what_it_acknowledged", a_child_by_itself_loses),
];

#[derive(Clone, Copy, PartialEq)]
enum Rewrite {
    Off,
    On,
}

/// When clients flush: a child whose flush fails is out for good, and another one comes back.
#[derive(Clone, Copy, PartialEq)]
enum Flush {
    Always,
    UntilItDies,
}

/// The brick dies after a third of these seconds, and comes back after another.
fn outlives(name: &str, seconds: u64, rewrite: Rewrite, flush: Flush) {
    let (seed, its) = (seed(name), own(3));
    let bed = Bed::new(&its, 3, rewrite);
    let third = Duration::from_secs(seconds) / 3;
    bed.load(seed, flush, || {
        for what in [Disturbance::Kill, Disturbance::Start] {
            thread::sleep(third);
            bed.died.store(true, Ordering::Relaxed);
            its.disturb(MORTAL, &what)?;
        }
        thread::sleep(third);
        Ok(())
    });
    assert_eq!(block_on(bed.array.flush()), Ok(()));
    bed.check(bed.reads_all(), &block_on(bed.array.pread(0, SECTORS * SECTOR)).unwrap());
    for n in (0..3).filter(|&n| n != MORTAL) {
        let brick = fs::read(its.brick_file(n, IMAGE).unwrap()).unwrap();
        bed.check(bed.reads_all(), &brick);
    }
    // It says so if a child is gone.
    let _ = block_on(bed.array.close());
    let (seen, told) = (bed.seen.into_inner().unwrap(), bed.told.lock().unwrap());
    say(&format!("  {seen}, {told}"));
    assert_eq!((seen.wrong, seen.failed, told.failures), (vec![], vec![], 0));
    assert!(seen.writes > 100 && seen.reads > 100 && seen.flushes > 0);
    let accused: Vec<_> = told.bad.keys().collect();
    assert_eq!(accused, [&node(MORTAL)], "and nobody else");
}

/// The same load over one volume, so that it is known to notice what is lost.
fn a_child_by_itself_loses(_: &Glusterd) {
    let (seed, its) = (seed("a_child_by_itself"), own(1));
    let bed = Bed::new(&its, 1, Rewrite::Off);
    bed.load(seed, Flush::Always, || {
        thread::sleep(Duration::from_secs(2));
        its.disturb(0, &Disturbance::Kill)?;
        thread::sleep(Duration::from_secs(1));
        Ok(())
    });
    assert!(block_on(bed.array.close()).is_err());
    disturb(&its, 0, &Disturbance::Start);
    let brick = fs::read(its.brick_file(0, IMAGE).unwrap()).unwrap();
    bed.check(bed.reads_all(), &brick);
    let seen = bed.seen.into_inner().unwrap();
    say(&format!("  {seen}"));
    assert!(seen.writes > 100 && !seen.failed.is_empty());
    assert!(matches!(&*seen.wrong, [lost] if lost.contains("was over")), "{:?}", seen.wrong);
}

/// A glusterd with new volumes.
fn own(volumes: usize) -> Glusterd {
    let wanted = vec![Wanted::default(); volumes];
    let its = Glusterd::start(&Place::Namespace, &wanted, PATIENT);
    its.unwrap_or_else(|error| panic!("{error}"))
}

/// Images on volumes, an array over them, and what is known of it.
struct Bed {
    array: Quorum,
    told: Arc<Mutex<Told>>,
    register: Mutex<Register>,
    seen: Mutex<Seen>,
    died: AtomicBool,
}

/// What the array and its images said beside their answers.
#[derive(Default)]
struct Told {
    bad: BTreeMap<NodeName, u64>,
    failures: u64,
    notices: Vec<Notice>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad: Vec<_> =
            self.bad.iter().map(|(node, times)| format!("{node} {times} times")).collect();
        write!(f, "reported: {}; {} failures of the vote", bad.join(", "), self.failures)?;
        self.notices.iter().try_for_each(|notice| write!(f, "\n    {notice}"))
    }
}

/// What came of the requests.
#[derive(Default)]
struct Seen {
    writes: u64,
    reads: u64,
    flushes: u64,
    failed: Vec<String>,
    wrong: Vec<String>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, reads, flushes, failed, wrong } = self;
        let (failed, wrong) = (failed.len(), wrong.len());
        write!(
            f,
            "{writes} writes acknowledged, {reads} reads, {flushes} flushes, {failed} requests \
             failed, {wrong} reads wrong"
        )
    }
}

impl Bed {
    fn new(its: &Glusterd, children: usize, rewrite: Rewrite) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let notices = told.clone();
        let notices = move |notice| notices.lock().unwrap().notices.push(notice);
        let client = Client::new(Arc::new(library(PATIENCE)), Arc::new(notices));
        let mut options = QuorumOptions::builder("array", children.div_ceil(2))
            .rewrite_corrupted(rewrite == Rewrite::On);
        for n in 0..children {
            let image = GlusterOptions::builder(its.volume(n), IMAGE);
            let image = image.server(glusterd(its)).logfile("/dev/null").build().unwrap();
            let bytes = (SECTORS * SECTOR) as u64;
            block_on(create(&image, bytes, Prealloc::Off, &client)).unwrap();
            let image = block_on(Gluster::open(image, &client)).unwrap();
            options = options.child(node(n), image);
        }
        let events = told.clone();
        let events = move |event| match event {
            Event::ReportBad { node_name, .. } => {
                *events.lock().unwrap().bad.entry(node_name).or_default() += 1;
            }
            _ => events.lock().unwrap().failures += 1,
        };
        let array = Quorum::open(options.build().unwrap(), &(), Arc::new(events));
        Self {
            array: block_on(array).unwrap(),
            told,
            register: Mutex::new(Register::new(SECTORS)),
            seen: Mutex::default(),
            died: AtomicBool::new(false),
        }
    }

    /// Lets clients ask for something all the time until the end of what happens meanwhile.
    fn load(
        &self,
        seed: u64,
        flush: Flush,
        meanwhile: impl FnOnce() -> Result<(), quorate_glusterd::Error>,
    ) {
        let over = &AtomicBool::new(false);
        let happened = thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    block_on(join_all((0..EACH).map(|n| {
                        let mut dice = ChaCha8Rng::seed_from_u64(seed);
                        dice.set_stream(client * EACH + n);
                        self.client(dice, flush, over)
                    })))
                });
            }
            let happened = meanwhile();
            over.store(true, Ordering::Relaxed);
            happened
        });
        happened.unwrap_or_else(|error| panic!("{error}"));
    }

    /// One request after the other, until one fails.
    async fn client(&self, mut dice: ChaCha8Rng, flush: Flush, over: &AtomicBool) {
        let mut below = |n: usize| usize::try_from(dice.next_u64() % n as u64).unwrap();
        while !over.load(Ordering::Relaxed) {
            let (kind, length) = (below(200), 1 + below(LONGEST));
            let first = below(SECTORS - length + 1);
            let sectors = first..first + length;
            let done = match kind {
                0 if flush == Flush::Always || !self.died.load(Ordering::Relaxed) => {
                    let done = self.array.flush().await;
                    self.seen.lock().unwrap().flushes += 1;
                    done
                }
                0..100 => self.read(sectors.clone()).await,
                _ => self.write(sectors.clone()).await,
            };
            if let Err(errno) = done {
                let failed = format!("{kind} of {sectors:?}: {errno}");
                return self.seen.lock().unwrap().failed.push(failed);
            }
        }
    }

    async fn write(&self, sectors: Range<usize>) -> quorate_engine::Result<()> {
        let number = self.register.lock().unwrap().write(sectors.clone());
        let offset = (sectors.start * SECTOR) as u64;
        self.array.pwrite(offset, stamped(number, sectors), Flags::NONE).await?;
        self.register.lock().unwrap().acknowledged(number);
        self.seen.lock().unwrap().writes += 1;
        Ok(())
    }

    async fn read(&self, sectors: Range<usize>) -> quorate_engine::Result<()> {
        let read = self.register.lock().unwrap().read(sectors.clone());
        let offset = (sectors.start * SECTOR) as u64;
        let bytes = self.array.pread(offset, sectors.len() * SECTOR).await?;
        self.check(read, &bytes);
        self.seen.lock().unwrap().reads += 1;
        Ok(())
    }

    fn reads_all(&self) -> Read {
        self.register.lock().unwrap().read(0..SECTORS)
    }

    fn check(&self, read: Read, bytes: &[u8]) {
        if let Err(wrong) = self.register.lock().unwrap().saw(read, bytes) {
            self.seen.lock().unwrap().wrong.push(wrong);
        }
    }
}

fn node(n: usize) -> NodeName {
    format!("child{n}").into()
}

/// That of the commit where CI says so.
fn seed(name: &str) -> u64 {
    let seed = env::var("QUORATE_SEED");
    let seed = seed.map_or(5, |seed| seed.parse().expect("QUORATE_SEED is a number"));
    let again = "cargo test -p quorate-gfapi-tests --test real";
    say(&format!("  seed {seed}; QUORATE_SEED={seed} {again} {name} repeats it"));
    seed
}

/// The volume whose brick dies.
const MORTAL: usize = 1;
const IMAGE: &str = "workload.img";
/// 8 MiB: large enough that most requests do not meet, small enough that many do.
const SECTORS: usize = 16_384;
/// 64 KiB.
const LONGEST: usize = 128;
const CLIENTS: u64 = 4;
/// Requests that each client has in flight.
const EACH: u64 = 4;
