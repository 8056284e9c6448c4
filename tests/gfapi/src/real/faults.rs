//! What befalls a brick, as those see it who use its volume.

use super::{
    cases::Case,
    volume::{
        MORTAL, PATIENCE, PATIENT, PLAIN, SMALL, connect, create, error, glusterd, ok, open, read,
        volume, write,
    },
};
use futures_lite::future::block_on;
use quorate_engine::gluster::api::{File, Seek};
use quorate_glusterd::{Disturbance, Error, Glusterd, Place, Wanted};
use std::{
    fs,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

pub(crate) const CASES: &[Case<Glusterd>] = &[
    ("a_dead_brick_fails_reads_and_syncs", a_dead_brick_fails_reads_and_syncs),
    ("a_seek_does_not_hide_a_full_brick", a_seek_does_not_hide_a_full_brick),
    ("a_paused_brick_fails_requests_later", a_paused_brick_fails_requests_later),
    ("a_short_pause_only_delays", a_short_pause_only_delays),
    ("a_cut_connection_comes_back", a_cut_connection_comes_back),
    ("a_full_brick_takes_no_more_until_it_is_freed", a_full_brick_takes_no_more),
    ("bytes_changed_in_the_brick_are_served", bytes_changed_in_the_brick_are_served),
    ("errors_of_glusters_own_are_seen_at_once", errors_of_glusters_own_are_seen_at_once),
    ("delays_of_glusters_own_delay", delays_of_glusters_own_delay),
    ("what_cannot_be_done_is_refused", what_cannot_be_done_is_refused),
    ("volumes_are_renewed", volumes_are_renewed),
];

/// What is tried in a container, too.
pub(crate) const CONTAINED: &[Case<Glusterd>] = &[
    ("a_dead_brick_fails_reads_and_syncs", a_dead_brick_fails_reads_and_syncs),
    ("a_paused_brick_fails_requests_later", a_paused_brick_fails_requests_later),
    ("a_cut_connection_comes_back", a_cut_connection_comes_back),
    ("a_full_brick_takes_no_more_until_it_is_freed", a_full_brick_takes_no_more),
    ("bytes_changed_in_the_brick_are_served", bytes_changed_in_the_brick_are_served),
];

fn a_dead_brick_fails_reads_and_syncs(its: &Glusterd) {
    let volume = volume(its, MORTAL);
    let file = create(&*volume, "brick", vec![1; 1 << 20]);
    let other = create(&*volume, "other", vec![1; 4096]);
    let clean = create(&*volume, "clean", vec![1; 4096]);
    disturb(its, MORTAL, &Disturbance::Kill);
    let read_at = |offset| block_on(file.pread(offset, 4096)).done;
    assert_eq!(read_at(0), error(libc::ENOTCONN));
    assert_eq!(write(&*file, 0, vec![2; 4096]), ok(4096), "acknowledged by the cache");
    assert_eq!(block_on(file.fsync()), error(libc::ENOTCONN), "and told here");
    assert_eq!(write(&*other, 0, vec![2; 4096]), ok(4096));
    assert_eq!(block_on(other.close()), error(libc::ENOTCONN), "or here, the last place");
    let refused = connect(vec![glusterd(its)], its.volume(MORTAL), PATIENCE).err().unwrap();
    assert_eq!(refused.errno, libc::EIO);
    // What needs a descriptor of the brick's says so.
    assert_eq!(block_on(clean.fsync()), error(libc::ENOTCONN));
    assert_eq!(block_on(clean.ftruncate(10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.zerofill(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.discard(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.fallocate(0, 10)), error(libc::EBADFD));
    assert_eq!(block_on(clean.seek(0, Seek::Data)), error(libc::EBADFD));
    assert_eq!(open(&*volume, "clean").err().unwrap().errno, libc::ENOTCONN);
    assert_eq!(block_on(clean.close()), ok(0), "nothing of it was cached");

    disturb(its, MORTAL, &Disturbance::Kill);
    disturb(its, MORTAL, &Disturbance::Start);
    let back = back_within(Duration::from_secs(6), || block_on(file.fsync()) == ok(0));
    assert!(back, "the brick is back, and so is the connection");
    assert_eq!(read(&*file, 0, 8192), [[2; 4096], [1; 4096]].concat(), "the cache was kept");
    assert_eq!(block_on(file.close()), ok(0));
}

fn a_seek_does_not_hide_a_full_brick(its: &Glusterd) {
    let no_space = error(libc::ENOSPC);
    let file = create(&*volume(its, SMALL), "full", Vec::new());
    let mut written = (0..40).map(|i| write(&*file, i << 19, vec![1; 1 << 19]));
    assert!(written.any(|done| done == no_space), "20 MiB do not go into 16");
    // It waits for the writes, so it fails with them; but it is not they whose failure it tells.
    assert_eq!(block_on(file.seek(0, Seek::Data)), no_space);
    assert_eq!(block_on(file.fsync()), no_space);
    assert_eq!(block_on(file.fsync()), no_space);
    assert_eq!(block_on(file.close()), no_space);
    let left = its.brick_file(SMALL, "full").unwrap();
    fs::File::options().write(true).open(left).unwrap().set_len(0).unwrap();
}

fn a_paused_brick_fails_requests_later(its: &Glusterd) {
    let file = create(&*volume(its, MORTAL), "paused", vec![1; 1 << 20]);
    disturb(its, MORTAL, &Disturbance::Pause);
    let (done, took) = timed(|| block_on(file.pread(0, 4096)).done);
    disturb(its, MORTAL, &Disturbance::Resume);
    assert_eq!(done, error(libc::ENOTCONN));
    // Between once and twice the ping timeout, by when the last ping was; and what the machine adds.
    assert!((2..8).contains(&took.as_secs()), "{took:?}");
    assert!(back_within(Duration::from_secs(6), || reads(&*file)), "it is back");
}

fn a_short_pause_only_delays(its: &Glusterd) {
    let file = create(&*volume(its, MORTAL), "delayed", vec![1; 1 << 20]);
    for round in (0..5).rev() {
        disturb(its, MORTAL, &Disturbance::Pause);
        let (done, took) = thread::scope(|both| {
            let asking = both.spawn(|| timed(|| block_on(file.pread(round << 17, 4096)).done));
            thread::sleep(Duration::from_millis(300));
            disturb(its, MORTAL, &Disturbance::Resume);
            asking.join().unwrap()
        });
        assert_eq!(done, ok(4096));
        assert!(took > Duration::from_millis(200), "{took:?}");
    }
}

fn a_cut_connection_comes_back(its: &Glusterd) {
    let file = create(&*volume(its, MORTAL), "cut", vec![1; 1 << 20]);
    disturb(its, MORTAL, &Disturbance::Cut);
    assert_eq!(block_on(file.pread(0, 4096)).done, error(libc::ENOTCONN));
    assert!(back_within(Duration::from_secs(6), || reads(&*file)), "it is back");
}

fn a_full_brick_takes_no_more(its: &Glusterd) {
    let file = create(&*volume(its, SMALL), "filled", vec![1; 1 << 20]);
    disturb(its, SMALL, &Disturbance::Fill);
    let beyond = write(&*file, 1 << 20, vec![2; 65_536]);
    let synced = block_on(file.fsync());
    let no_space = error(libc::ENOSPC);
    assert!([beyond, synced].contains(&no_space), "{beyond:?}, {synced:?}");
    disturb(its, SMALL, &Disturbance::Free);
    assert!(back_within(Duration::from_secs(1), || block_on(file.fsync()) == ok(0)));
    assert_eq!(write(&*file, 1 << 20, vec![3; 65_536]), ok(65_536));
    assert_eq!(block_on(file.fsync()), ok(0));
    assert_eq!(read(&*file, (1 << 20) - 1, 2), [1, 3][..]);
}

fn bytes_changed_in_the_brick_are_served(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "corrupt", vec![1; 1 << 20]);
    let path = its.brick_file(PLAIN, "/corrupt").unwrap();
    let brick = fs::File::options().read(true).write(true).open(path).unwrap();
    brick.write_all_at(&[9; 16], 4096).unwrap();
    assert_eq!(read(&*file, 4095, 18), [&[1][..], &[9; 16], &[1]].concat());
}

fn errors_of_glusters_own_are_seen_at_once(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "error-gen", vec![1; 1 << 20]);
    for (option, value) in [
        ("debug.error-fops", "READ"),
        ("debug.error-failure", "100"),
        ("debug.error-gen", "client"),
    ] {
        set(its, option, value);
    }
    let failed = || block_on(file.pread(0, 4096)).done.ret == -1;
    assert!(back_within(Duration::from_secs(3), failed), "every read fails");
    disturb(its, PLAIN, &Disturbance::Reset { option: "debug.error-gen".into() });
    assert!(back_within(Duration::from_secs(3), || reads(&*file)), "it is over");
}

fn delays_of_glusters_own_delay(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "delay-gen", vec![1; 1 << 20]);
    for (option, value) in [
        ("delay-gen.delay-duration", "300000"),
        ("delay-gen.delay-percentage", "100"),
        ("delay-gen.enable", "read"),
        ("debug.delay-gen", "client"),
    ] {
        set(its, option, value);
    }
    let slow = || timed(|| reads(&*file)).1 >= Duration::from_millis(300);
    assert!(back_within(Duration::from_secs(3), slow), "every read takes so long");
    disturb(its, PLAIN, &Disturbance::Reset { option: "debug.delay-gen".into() });
    assert!(back_within(Duration::from_secs(3), || !slow()), "it is over");
}

fn what_cannot_be_done_is_refused(its: &Glusterd) {
    let refused = |n, what: &Disturbance| its.disturb(n, what).unwrap_err();
    let full = refused(PLAIN, &Disturbance::Fill);
    assert!(matches!(full, Error::NoSpaceOfItsOwn { .. }), "{full}");
    let option = Disturbance::Set { option: "no.such-option".into(), value: "it's\n1".into() };
    let unknown = refused(PLAIN, &option);
    assert!(matches!(unknown, Error::Undisturbed { .. }), "{unknown}");
    assert!(unknown.to_string().contains("option : no.such-option does not exist"), "{unknown}");
    disturb(its, MORTAL, &Disturbance::Kill);
    for what in [Disturbance::Pause, Disturbance::Resume, Disturbance::Cut] {
        let dead = refused(MORTAL, &what).to_string();
        assert!(dead.ends_with(": the brick is not running"), "{dead}");
    }
    disturb(its, MORTAL, &Disturbance::Start);
}

fn volumes_are_renewed(its: &Glusterd) {
    let slow = |(option, value): (&str, &str)| (option.to_owned(), value.to_owned());
    let direct =
        Wanted { space: None, options: [("performance.write-behind", "off")].map(slow).into() };
    let small = Wanted { space: Some(16 << 20), ..Wanted::default() };
    let plain = [Wanted::default(), small.clone()];
    let mut own = Glusterd::start(&Place::Namespace, &plain, PATIENT).unwrap();
    assert_ne!(own.volume(0), its.volume(0), "several may share a namespace");
    let (plain, limited) = (own.volume(0).to_owned(), own.volume(1).to_owned());
    create(&*volume(&own, 0), "old", vec![1; 4096]);
    disturb(&own, 0, &Disturbance::Kill);
    disturb(&own, 1, &Disturbance::Fill);
    disturb(&own, 1, &Disturbance::Pause);
    own.renew(&[direct, small]).unwrap();
    assert_eq!((own.volume(0), own.volume(1)), (&*plain, &*limited));
    assert_eq!((own.edition(0), own.edition(1)), (1, 0), "whose options are other ones");
    assert_eq!(fs::metadata(own.brick_file(0, "old").unwrap()).unwrap().len(), 0);
    drop(create(&*volume(&own, 1), "new", vec![1; 1 << 20]));
    let file = create(&*volume(&own, 0), "new", vec![1; 4096]);
    disturb(&own, 0, &Disturbance::Kill);
    assert_eq!(write(&*file, 0, vec![2; 4096]), error(libc::ENOTCONN), "nothing is behind");

    let three = [Wanted::default(), Wanted::default(), Wanted::default()];
    own.renew(&three).unwrap();
    assert_eq!(own.volume(0), plain, "the small one is spare");
    assert!(open(&*volume(&own, 0), "new").is_ok());
    let brick = own.brick_file(0, "").unwrap();
    drop(own);
    assert!(!brick.exists());
    let gone = connect(vec![glusterd(its)], &limited, PATIENCE).err().unwrap();
    assert_eq!(gone.errno, libc::EIO, "its brick is dead");
}

fn set(its: &Glusterd, option: &str, value: &str) {
    disturb(its, PLAIN, &Disturbance::Set { option: option.into(), value: value.into() });
}

pub(crate) fn disturb(its: &Glusterd, n: usize, what: &Disturbance) {
    if let Err(error) = its.disturb(n, what) {
        panic!("{error}");
    }
}

fn reads(file: &dyn File) -> bool {
    block_on(file.pread(0, 4096)).done == ok(4096)
}

pub(crate) fn back_within(most: Duration, is_back: impl Fn() -> bool) -> bool {
    let start = now();
    while !is_back() {
        if start.elapsed() > most {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = now();
    (act(), start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
fn now() -> Instant {
    Instant::now()
}
