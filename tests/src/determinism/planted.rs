//! Planted sources of nondeterminism, and which way of repeating a run catches which.
//!
//! | what decides | again in the same thread | in another thread | in a process of its own |
//! |---|---|---|---|
//! | an address | | | caught |
//! | the order of a `HashMap` | caught | caught | caught |
//! | a time stamp of the file system | caught | caught | caught |
//! | a counter of the process | caught | caught | caught |
//! | the number of the thread | | caught | |
//! | the clocks of `std` | | | |
//! | nothing of the kind | | | |
//!
//! The first of these ways is the law `determinism` that a fuzz tries on some of its runs, the second its
//! repetition of one run in 256, the third `--verify-fresh`. What stands empty comes out the same there; but
//! two processes may well number their threads differently. In the simulation the clocks of `std` follow
//! device time, so they are no source at all.

use super::process;
use bytes::Bytes;
use quorate_engine::{BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc};
use quorate_reports::{
    Run, Verdict, json,
    recorded::{Place, Recorded},
};
use quorate_scenarios::{
    fuzz::attempt,
    load, metamorphic,
    model::Scenario,
    runner::{Engine, Opening, Parts, Scratch},
};
use std::{
    env,
    fs::{self, File},
    io::BufReader,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, UNIX_EPOCH},
};

/// What decides which child is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    Address,
    HashOrder,
    FileStamp,
    Counter,
    Thread,
    Clock,
    Nothing,
}

/// Each of them, and whether it is caught again in the same thread, in another thread, in a process of
/// its own; where that is a matter of luck nothing is said.
const TABLE: [(Whim, bool, bool, Option<bool>); 7] = [
    (Whim::Address, false, false, Some(true)),
    (Whim::HashOrder, true, true, Some(true)),
    (Whim::FileStamp, true, true, Some(true)),
    (Whim::Counter, true, true, Some(true)),
    (Whim::Thread, false, true, None),
    (Whim::Clock, false, false, Some(false)),
    (Whim::Nothing, false, false, Some(false)),
];

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl Whim {
    /// Bits that decide, two for each read.
    fn bits(self) -> u64 {
        match self {
            // Pages are moved about, what is inside them is not.
            Self::Address => std::ptr::from_ref(&COUNTER).addr() as u64 >> 12,
            Self::HashOrder => {
                #[expect(clippy::disallowed_types, reason = "it is planted to be caught")]
                let numbers: std::collections::HashMap<u64, ()> =
                    (0..16).map(|n| (n, ())).collect();
                numbers.keys().fold(0, |bits, number| bits << 4 | number)
            }
            Self::FileStamp => {
                // Longer than the file system's idea of a moment.
                thread::sleep(Duration::from_millis(25));
                let file = tempfile::NamedTempFile::new().expect("there is room for a file");
                let stamp = file.as_file().metadata().and_then(|file| file.modified());
                let since = stamp.expect("files have one").duration_since(UNIX_EPOCH);
                mixed(since.expect("it is no longer 1970").as_nanos() as u64)
            }
            Self::Counter => mixed(COUNTER.fetch_add(1, Ordering::Relaxed)),
            Self::Thread => {
                let name = format!("{:?}", thread::current().id());
                let digits: String = name.chars().filter(char::is_ascii_digit).collect();
                mixed(digits.parse().expect("threads are numbered"))
            }
            #[expect(clippy::disallowed_methods, reason = "in the simulation it is device time")]
            Self::Clock => {
                let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
                mixed(since.expect("it is no longer 1970").as_nanos() as u64)
            }
            Self::Nothing => 0,
        }
    }
}

fn mixed(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// An array that reads the child that its whim names.
struct Moody {
    children: Vec<Arc<dyn BlockDevice>>,
    bits: u64,
    reads: AtomicU64,
}

impl BlockDevice for Moody {
    fn limits(&self) -> Limits {
        self.children[0].limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.children[0].length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        let child = self.bits.rotate_right(read as u32 * 2) as usize % 4;
        self.children[child].pread(offset, bytes)
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.children[0].pwrite(offset, data, flags)
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.children[0].pwrite_zeroes(offset, bytes, flags)
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.children[0].pdiscard(offset, bytes)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.children[0].flush()
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.children[0].block_status(offset, bytes)
    }

    fn truncate(&self, bytes: u64, how: Prealloc) -> IoFuture<'_, ()> {
        self.children[0].truncate(bytes, how)
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.children[0].close()
    }
}

fn engine(whim: Whim) -> Arc<dyn Engine> {
    Arc::new(move |_: &Scenario, parts: Parts| -> Opening {
        let children = parts.children.into_iter().map(|(_, device)| device).collect();
        Box::pin(async move {
            let moody = Moody { children, bits: whim.bits(), reads: AtomicU64::new(0) };
            Ok(Arc::new(moody) as Arc<dyn BlockDevice>)
        })
    })
}

/// A write, and as many reads as there are pairs of bits.
static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| {
    let reads = "[[step]]\ndo = \"read\"\nbytes = 512\n".repeat(32);
    let text = format!(
        "version = 1\nname = \"moody\"\narray = {{ children = 4, vote-threshold = 2 }}\n\
         [[step]]\ndo = \"write\"\nbytes = 512\n{reads}"
    );
    load::parse(&text, "moody.toml").expect("it is well formed")
});

fn run(whim: Whim) -> Run {
    let engine = engine(whim);
    attempt::run(&SCENARIO, "moody", Some(&*engine), &mut Scratch::default(), None)
}

fn again_in_the_same_thread(whim: Whim) -> bool {
    let law = metamorphic::place("determinism");
    let engine = engine(whim);
    metamorphic::broken(&SCENARIO, Some(&*engine), law.expect("there is this law")).is_some()
}

fn in_another_thread(whim: Whim) -> bool {
    let first = run(whim);
    let Some(run) = attempt::repeated(&SCENARIO, &first, Some(engine(whim))) else {
        return false;
    };
    assert_eq!(run.verdict, Verdict::Nondeterministic);
    is_a_read(&first, run.violations[0].entry);
    let reason = &run.violations[0].reason;
    for part in
        ["in another thread the same run is another one: the first ", "a third run", "both "]
    {
        assert!(reason.contains(part), "'{part}' in\n{reason}");
    }
    true
}

fn in_a_process_of_its_own(whim: Whim) -> bool {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("trace.jsonl");
    let ended = process(THIS).env(WHIM, format!("{whim:?}")).env(TO, &path).output();
    let ended = ended.expect("this binary runs");
    assert!(ended.status.success(), "{ended:?}");
    let file = BufReader::new(File::open(&path).expect("it was written"));
    let mut there = Recorded::read(file).expect("it is a trace");
    let first = run(whim);
    let difference = Recorded::of(&first, "").difference(&mut there).expect("both can be read");
    let Some(difference) = difference else { return false };
    assert_eq!(difference.place, Place::Event);
    is_a_read(&first, difference.entry);
    true
}

/// The first event that differs is the array asking one child and not another.
#[track_caller]
fn is_a_read(run: &Run, entry: Option<usize>) {
    let entry = &run.trace.entries[entry.expect("both runs have as many")];
    let text = format!("{entry:?}");
    assert!(text.contains("Submit") && text.contains("kind: Read"), "{text}");
}

/// What the processes of this test do.
fn write(whim: &str, to: &Path) {
    let (whim, ..) =
        TABLE.into_iter().find(|(known, ..)| format!("{known:?}") == whim).expect(whim);
    let mut lines = Vec::new();
    json::write(&run(whim), "", &mut lines).expect("a vector takes everything");
    fs::write(to, lines).expect("a temporary directory takes files");
}

#[test]
fn each_planted_source_is_caught_where_it_can_be() {
    if let (Ok(whim), Some(to)) = (env::var(WHIM), env::var_os(TO)) {
        return write(&whim, Path::new(&to));
    }
    for (whim, same, other, process) in TABLE {
        // A thread that has run before, as those of a fuzz have.
        let (by_same, by_other, by_process) = thread::scope(|scope| {
            let all = || {
                drop(run(whim));
                (
                    again_in_the_same_thread(whim),
                    in_another_thread(whim),
                    in_a_process_of_its_own(whim),
                )
            };
            scope.spawn(all).join().expect("it says where it panics")
        });
        // Debuggers and setarch -R leave every address where it was: then it decides the same way.
        let process =
            if whim == Whim::Address { process.map(|_| is_laid_out_anew()) } else { process };
        let by_process = process.map(|_| by_process);
        assert_eq!((by_same, by_other, by_process), (same, other, process), "{whim:?}");
    }
}

/// Whether the operating system gives each process another layout of memory.
fn is_laid_out_anew() -> bool {
    let read = |path| fs::read_to_string(path).expect("Linux says so");
    let personality = u32::from_str_radix(read("/proc/self/personality").trim(), 16);
    let is_fixed = personality.expect("it is hexadecimal") & ADDR_NO_RANDOMIZE != 0;
    !is_fixed && read("/proc/sys/kernel/randomize_va_space").trim() != "0"
}

/// As <sys/personality.h> has it.
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;

/// In a thread that has run nothing else, and read no file, the runtime seeds the order of a `HashMap`, too.
/// So what a fuzz repeats must not only be the first run of a thread.
#[test]
fn the_first_run_of_a_thread_does_not_show_the_order_of_a_map() {
    LazyLock::force(&SCENARIO);
    let caught = |before: usize| {
        thread::scope(|scope| {
            let runs = move || {
                (0..before).for_each(|_| drop(run(Whim::HashOrder)));
                in_another_thread(Whim::HashOrder)
            };
            scope.spawn(runs).join().expect("it says where it panics")
        })
    };
    assert_eq!((caught(0), caught(1)), (false, true));
}

const THIS: &str = "determinism::planted::each_planted_source_is_caught_where_it_can_be";
/// What decides, in a process of this test.
const WHIM: &str = "QUORATE_TEST_WHIM";
/// Where such a process writes its trace.
const TO: &str = "QUORATE_TEST_TO";
