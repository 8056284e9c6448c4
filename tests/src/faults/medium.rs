//! Wrong bytes that stay, older versions, and the order of things.

use super::{Bench, line, sector, tags};
use bytes::Bytes;
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Flags};

#[test]
fn rot_stays_until_it_is_overwritten() {
    let rest =
        "where = { sectors = \"1\" }\nwhen = { nth = 1 }\ndo = { fault = \"rot\", bytes = 4 }";
    let bench = Bench::new(1, &line("r", "\"read\"", "0", rest));
    let rotten = bench.read(0, 512, 512).unwrap();
    assert_ne!(rotten, sector(2));
    assert_eq!(bench.read(0, 512, 512).unwrap(), rotten, "identical on retry");
    assert_eq!(bench.stores[0].bytes()[512..1024], sector(2), "the truth is kept");
    let visible = bench.children[0].visible(512, 512).now_or_never().unwrap().unwrap();
    assert_eq!(visible, rotten);
    let wrong: Vec<_> = (0..512).filter(|&at| rotten[at] != 2).collect();
    let first = u64::try_from(wrong[0]).unwrap();
    bench.write(0, 512 + first, &[7]).unwrap();
    let mut healed = rotten.clone();
    healed[wrong[0]] = 7;
    assert_eq!(bench.read(0, 512, 512).unwrap(), healed, "only the byte that was written");
    bench.write(0, 512, &[8; 512]).unwrap();
    assert_eq!(bench.read(0, 512, 512).unwrap(), sector(8));
}

#[test]
fn rot_that_never_heals_spoils_what_is_written() {
    let rest = "when = { nth = 1 }\ndo = { fault = \"rot\", bits = 1, at = 5, heal = \"never\" }";
    let bench = Bench::new(1, &line("r", "\"read\"", "0", rest));
    let mask = bench.read(0, 0, 512).unwrap()[5] ^ 1;
    assert_eq!(mask.count_ones(), 1);
    bench.write(0, 0, &[8; 512]).unwrap();
    assert_eq!(bench.read(0, 5, 1).unwrap(), [8 ^ mask]);
}

#[test]
fn rot_upon_rot_heals_nothing() {
    let rest = "do = { fault = \"rot\", bits = 8, at = 5 }";
    let bench = Bench::new(1, &line("r", "\"read\"", "0", rest));
    assert_eq!(bench.read(0, 5, 1).unwrap(), [!1]);
    assert_eq!(bench.read(0, 5, 1).unwrap(), [!1]);
}

#[test]
fn rot_on_a_write_comes_behind_it() {
    let bench =
        Bench::new(1, &line("r", "\"write\"", "0", "do = { fault = \"rot\", bytes = 512 }"));
    bench.write(0, 512, &[9; 512]).unwrap();
    assert_eq!(bench.stores[0].bytes()[512..1024], sector(9));
    assert!(bench.read(0, 512, 512).unwrap().iter().all(|&byte| byte != 9));
}

#[test]
fn a_stale_read_goes_back_as_many_writes_of_its_range() {
    for (versions, tags_wanted) in [(1, [42, 3]), (2, [41, 3]), (3, [2, 3]), (9, [2, 3])] {
        let fault = format!("do = {{ fault = \"stale\", versions = {versions} }}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &fault));
        for tag in [41, 42, 43] {
            bench.write(0, 512, &[tag; 512]).unwrap();
            bench.write(0, 4096, &[tag; 512]).unwrap();
        }
        assert_eq!(tags(&bench.read(0, 512, 1024).unwrap()), tags_wanted, "{versions}");
    }
}

#[test]
fn a_version_is_a_write_and_not_its_pieces() {
    let torn = "do = { fault = \"torn\", keep = { subset = \"101\" } }";
    let rules = line("s", "\"read\"", "0", "do = { fault = \"stale\" }")
        + &line("t", "\"write\"", "0", torn);
    let bench = Bench::new(1, &rules);
    bench.write(0, 0, &[50; 1536]).unwrap();
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [50, 2, 50]);
    assert_eq!(tags(&bench.read(0, 0, 1536).unwrap()), [1, 2, 3]);
}

#[test]
fn a_request_is_announced_at_its_first_poll_and_answered_after_its_wait() {
    let rest = "do = { fault = \"status\", errno = \"EIO\", applied = \"all\" }";
    let bench = Bench::new(1, &line("r", "\"write\"", "0", rest));
    let data = Bytes::from(vec![9; 512]);
    let write = bench.children[0].pwrite(0, data, Flags::NONE);
    assert_eq!(bench.host.calls.lock().unwrap().len(), 0);
    write.now_or_never().expect("answers").unwrap_err();
    let calls = bench.host.calls.lock().unwrap().clone();
    assert_eq!(calls, ["submitted 1 Write", "fired 1 r", "complete 1", "replied 1"]);
}

#[test]
fn a_write_takes_place_when_the_host_lets_it_and_even_if_nobody_waits() {
    let bench = Bench::new(1, "");
    *bench.host.is_held.lock().unwrap() = true;
    let data = Bytes::from(vec![9; 512]);
    assert_eq!(bench.children[0].pwrite(0, data, Flags::NONE).now_or_never(), None);
    assert_eq!(tags(&bench.stores[0].bytes())[0], 1);
    *bench.host.is_held.lock().unwrap() = false;
    let detached = bench.host.detached.lock().unwrap().pop().expect("begun, so handed over");
    detached.now_or_never().expect("ends");
    assert_eq!(tags(&bench.stores[0].bytes())[0], 9);
}

#[test]
fn a_byte_that_rots_both_ways_heals_by_half() {
    let rot = |name: &str, heal: &str, nth: u32| {
        let fault = format!("{{ fault = \"rot\", bits = 2, at = 5, heal = \"{heal}\" }}");
        line(name, "\"read\"", "0", &format!("when = {{ nth = {nth} }}\ndo = {fault}"))
    };
    let bench = Bench::new(1, &(rot("lasting", "never", 1) + &rot("healing", "overwrite", 2)));
    let lasting = bench.read(0, 5, 1).unwrap()[0];
    assert_ne!(bench.read(0, 5, 1).unwrap()[0], lasting, "this seed draws different bits");
    bench.write(0, 5, &[1]).unwrap();
    assert_eq!(bench.read(0, 5, 1).unwrap()[0], lasting);
}
