//! The driver on a volume of a real glusterd, beside QEMU's own driver on the same volume.
//!
//! Both make the same requests of the same image: consecutive ones from its start on, so many at a time, each
//! time in a process of its own. They take turns, on the clock of the wall, as most of the work is gluster's.
//! What counts is from the first request to the last answer; writes are flushed after that, and so are not in
//! the way of whoever comes next. Nothing here passes or fails.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "time is what is measured")]

mod qemu;

use bytes::Bytes;
use futures_lite::future::block_on;
use futures_util::stream::{FuturesUnordered, StreamExt};
use quorate_engine::{
    BlockDevice, Flags,
    device::Prealloc,
    gluster::{Client, Gluster, GlusterOptions, create},
};
use quorate_gfapi::{Libgfapi, Patience};
use quorate_glusterd::{Glusterd, Place, Wanted, missing, namespace};
use std::{
    collections::BTreeMap,
    env,
    process::{Command, ExitCode},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// What is asked of a driver.
struct Load {
    name: &'static str,
    write: bool,
    bytes: usize,
    depth: usize,
    count: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [ONCE, name, uri] => println!("{}", once(name, uri).as_secs_f64()),
        _ if namespace::inside() => compare(words.first().copied().unwrap_or_default()),
        _ => match missing::sentence(&missing::namespace()) {
            Some(reason) => println!("nothing is measured: {reason}"),
            None => {
                let code = namespace::enter(env::args_os().skip(1)).expect("nothing is missing");
                return ExitCode::from(code);
            }
        },
    }
    ExitCode::SUCCESS
}

/// Measures the loads whose names begin so.
fn compare(start: &str) {
    let qemu = qemu::Qemu::find();
    match &qemu {
        Ok(qemu) => println!("{}", qemu.version),
        Err(reason) => println!("without QEMU: {reason}"),
    }
    let plain = Wanted { options: BTreeMap::new(), ..Wanted::default() };
    let glusterd = Glusterd::start(&Place::Namespace, &[plain], Duration::from_secs(60));
    let glusterd = glusterd.expect("nothing is missing");
    let (host, _) = glusterd.server();
    let uri = format!("gluster://{host}/{}/bench.img", glusterd.volume(0));
    prepare(&uri);
    println!("medians of {PAIRS} pairs: requests per second, and what multiple that is of QEMU's");
    for load in LOADS.iter().filter(|load| load.name.starts_with(start)) {
        let (mut ours, mut theirs, mut shares) = (vec![], vec![], vec![]);
        for pair in 0..=PAIRS {
            let our = rate(load, quorate(load, &uri));
            let their = qemu.as_ref().ok().map(|qemu| rate(load, qemu.bench(load, &uri)));
            // The first pair finds everything cold.
            if pair > 0 {
                ours.push(our);
                theirs.extend(their);
                shares.extend(their.map(|their| our / their));
            }
        }
        print!("{:<27} {:>6.0}", load.name, median(&mut ours));
        if !shares.is_empty() {
            let share = median(&mut shares);
            let (least, most) = (shares[0], shares[shares.len() - 1]);
            print!("  QEMU {:>6.0}  {share:.2} ({least:.2}..{most:.2})", median(&mut theirs));
        }
        println!();
    }
}

/// Makes the image, of data and no holes.
fn prepare(uri: &str) {
    let made = block_on(async { create(&options(uri), IMAGE, Prealloc::Off, &client()).await });
    made.expect("the volume takes files");
    let (bytes, count) = (1 << 20, (IMAGE >> 20) as usize);
    run(&Load { name: "all of it", write: true, bytes, depth: 4, count }, uri);
}

/// One measurement, in another process.
fn quorate(load: &Load, uri: &str) -> Duration {
    let mut command = Command::new(env::current_exe().expect("this is a program"));
    let output = command.args([ONCE, load.name, uri]).output().expect("it runs");
    thread::sleep(REST);
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.trim().parse().map(Duration::from_secs_f64);
    seconds.unwrap_or_else(|_| panic!("{}: {output:?}", load.name))
}

fn once(name: &str, uri: &str) -> Duration {
    run(LOADS.iter().find(|load| load.name == name).expect("a load of that name"), uri)
}

fn run(load: &Load, uri: &str) -> Duration {
    block_on(async {
        let image = Gluster::open(options(uri), &client()).await.expect("the image was made");
        let begun = Instant::now();
        requests(&image, load).await;
        let took = begun.elapsed();
        image.flush().await.expect("all is well");
        image.close().await.expect("what was written has arrived");
        took
    })
}

/// As `qemu-img bench` makes them.
async fn requests(image: &Gluster, load: &Load) {
    let data = Bytes::from(vec![0; load.bytes]);
    let request = |number: usize| {
        let offset = (number * load.bytes) as u64 % IMAGE;
        let data = data.clone();
        async move {
            if load.write {
                image.pwrite(offset, data, Flags::NONE).await.expect("all is well");
            } else {
                image.pread(offset, load.bytes).await.expect("all is well");
            }
        }
    };
    let mut running: FuturesUnordered<_> = (0..load.depth).map(request).collect();
    let mut next = load.depth;
    while running.next().await.is_some() {
        if next < load.count {
            running.push(request(next));
            next += 1;
        }
    }
}

fn client() -> Client {
    let library = Libgfapi::load(Patience::USUAL).expect("it was there");
    Client::new(Arc::new(library), Arc::new(()))
}

fn options(uri: &str) -> GlusterOptions {
    GlusterOptions::from_uri(uri).expect("it names an image")
}

fn rate(load: &Load, took: Duration) -> f64 {
    load.count as f64 / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The argument of what measures.
const ONCE: &str = "--once";
const IMAGE: u64 = 256 << 20;
/// Beside the first, which does not count.
const PAIRS: usize = 11;
/// After each measurement, for what it left to do.
const REST: Duration = Duration::from_millis(100);

const LOADS: [Load; 8] = [
    Load { name: "4 KiB reads, one", write: false, bytes: 4096, depth: 1, count: 10_000 },
    Load { name: "4 KiB reads, 16 at a time", write: false, bytes: 4096, depth: 16, count: 20_000 },
    Load { name: "4 KiB writes, one", write: true, bytes: 4096, depth: 1, count: 40_000 },
    Load { name: "4 KiB writes, 16 at a time", write: true, bytes: 4096, depth: 16, count: 40_000 },
    Load { name: "64 KiB reads, one", write: false, bytes: 65_536, depth: 1, count: 4000 },
    Load {
        name: "64 KiB reads, 16 at a time",
        write: false,
        bytes: 65_536,
        depth: 16,
        count: 8000,
    },
    Load { name: "64 KiB writes, one", write: true, bytes: 65_536, depth: 1, count: 8000 },
    Load {
        name: "64 KiB writes, 16 at a time",
        write: true,
        bytes: 65_536,
        depth: 16,
        count: 8000,
    },
];
