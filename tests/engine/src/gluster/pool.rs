//! Who shares a connection.

use super::{Bed, image, plain};
use crate::task::{Task, now};
use quorate_engine::{BlockDevice, Errno, Flags, Gluster, GlusterOptions};
use std::sync::Arc;

/// S35: QEMU goes by the volume's name, so that the second image is on the first cluster.
#[test]
fn volumes_of_one_name_on_two_clusters_are_two_volumes() {
    let bed = Bed::new();
    let open = |host: &str| {
        bed.fake.put(&format!("{host}:24007 v i"), &[0; 4]);
        let options = GlusterOptions::from_uri(&format!("gluster://{host}/v/i")).unwrap();
        bed.try_open(options).expect("nothing is in the way")
    };
    let (a, b) = (open("a"), open("b"));
    assert_eq!(now(a.pwrite(0, vec![1; 4].into(), Flags::NONE)), Ok(()));
    assert_eq!(now(b.pread(0, 4)), Ok(vec![0; 4].into()));
    assert_eq!(bed.fake.get("b:24007 v i").unwrap(), [0; 4], "the other replica is its own");
    assert_eq!(connections(&bed), ["connect a:24007 v", "connect b:24007 v"]);
}

#[test]
fn everything_about_a_cluster_tells_its_connections_apart() {
    let bed = Bed::new();
    for place in ["h:24007 v", "h:1 v", "h:24007 w", "/s v"] {
        bed.fake.put(&format!("{place} i"), &[0; 4]);
        bed.fake.put(&format!("{place} j"), &[0; 4]);
    }
    let uri = |text| GlusterOptions::from_uri(text).unwrap();
    let open = |options: GlusterOptions| bed.try_open(options).expect("nothing is in the way");
    let images = [
        uri("gluster://h/v/i"),
        uri("gluster://h:1/v/i"),
        uri("gluster://h/w/i"),
        uri("gluster+unix:///v/i?socket=/s"),
        uri("gluster://h/v/i").change().debug(9).build().unwrap(),
        uri("gluster://h/v/i").change().logfile("log").build().unwrap(),
    ]
    .map(open);
    assert_eq!(connections(&bed).len(), 6);
    let same = [
        uri("gluster+tcp://h:24007/v/j"),
        uri("gluster://h/v/i").change().read_only(true).direct(true).build().unwrap(),
    ]
    .map(open);
    assert_eq!(connections(&bed), Vec::<String>::new());
    drop((images, same));
}

#[test]
fn a_connection_lasts_as_long_as_its_last_image() {
    let bed = Bed::holding(&[0; 4]);
    let first = bed.open(plain);
    let second = bed.open(plain);
    assert_eq!(now(first.close()), Ok(()));
    assert_eq!(bed.fake.journal(), ["close", "drop"]);
    let third = bed.open(plain);
    assert_eq!(now(second.close()), Ok(()));
    assert_eq!(now(third.close()), Ok(()));
    let end = bed.fake.journal();
    assert_eq!(end, ["close", "drop", "close", "drop", "disconnect h:24007 v"]);
    let again = bed.try_open(image(plain)).expect("nothing is in the way");
    assert_eq!(connections(&bed), ["connect h:24007 v"], "a new one");
    drop(again);
}

#[test]
fn two_that_open_at_once_connect_once() {
    let bed = Bed::holding(&[0; 4]);
    bed.fake.hold("connect");
    let mut opens = [start(&bed), start(&bed), start(&bed)];
    assert_eq!(bed.fake.journal(), ["connect h:24007 v"]);
    bed.fake.release("connect");
    assert!(opens.iter_mut().all(|open| open.done().is_some_and(|opened| opened.is_ok())));
    assert_eq!(connections(&bed), Vec::<String>::new());
}

#[test]
fn whoever_waits_for_a_connection_that_fails_hears_of_it_and_the_next_tries_again() {
    let bed = Bed::holding(&[0; 4]);
    bed.fake.hold("connect");
    bed.fake.answer("connect", -1, 107);
    let mut opens = [start(&bed), start(&bed)];
    bed.fake.release("connect");
    for open in &mut opens {
        let Some(Err(errno)) = open.done() else { panic!("the connection failed") };
        assert_eq!(errno, "ENOTCONN".parse().unwrap());
    }
    assert_eq!(connections(&bed), ["connect h:24007 v"]);
    assert!(bed.try_open(image(plain)).is_ok());
    assert_eq!(connections(&bed), ["connect h:24007 v"]);
}

#[test]
fn whoever_goes_away_while_connecting_keeps_nobody_from_it() {
    let bed = Bed::holding(&[0; 4]);
    bed.fake.hold("connect");
    let first = start(&bed);
    let mut second = start(&bed);
    drop(first);
    bed.fake.release("connect");
    assert!(second.done().is_some_and(|opened| opened.is_ok()));
    assert_eq!(connections(&bed), ["connect h:24007 v"]);
    // And where all of them have gone there is nobody to connect for.
    let bed = Bed::holding(&[0; 4]);
    bed.fake.hold("connect");
    drop(start(&bed));
    bed.fake.release("connect");
    assert!(bed.try_open(image(plain)).is_ok());
    assert_eq!(connections(&bed).len(), 2);
}

#[test]
fn an_ejected_image_gives_its_share_back_and_can_be_opened_again() {
    let bed = Bed::holding(&[0; 4]);
    let (bad, good) = (bed.open(plain), bed.open(plain));
    bed.fake.answer("fsync", -1, 5);
    assert_eq!(now(bad.flush()), Err(Errno::EIO));
    assert_eq!(bed.fake.journal(), ["fsync", "drop"], "the other still has the connection");
    assert_eq!(now(good.flush()), Ok(()));
    let again = bed.try_open(image(plain)).expect("nothing is in the way");
    assert_eq!(now(again.flush()), Ok(()));
    assert_eq!(bed.fake.journal(), ["fsync", "open i rw", "stat", "seek data 4", "fsync"]);
}

type Opening<'a> = Task<'a, Result<Arc<Gluster>, Errno>>;

fn start(bed: &Bed) -> Opening<'_> {
    let open = Gluster::open(image(plain), &bed.client);
    Task::start(async { open.await.map_err(|error| error.errno()) })
}

/// The connections that were made since the last time.
fn connections(bed: &Bed) -> Vec<String> {
    bed.fake.journal().into_iter().filter(|line| line.starts_with("connect")).collect()
}
