//! What lies over a medium and stays there; old data that come again.

use super::{Bench, line, sector, tags};
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Extent, ExtentKind, Flags, Sectors};
use quorate_faults::alteration::{Alteration, Flip, Run, View};

const FIRST: &str = "when = { nth = 1 }\n";

fn bench(on: &str, rest: &str) -> Bench {
    Bench::new(1, &line("r", on, "0", rest))
}

#[test]
fn an_unreadable_sector_fails_whatever_reads_it_until_it_is_written_whole() {
    let fault = "do = { fault = \"unreadable\", at = 600, errno = \"ETIMEDOUT\" }";
    let errno = Errno::ETIMEDOUT;
    let bench = bench("\"read\"", &format!("{FIRST}{fault}"));
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(1), "no match: it does not touch the byte");
    assert_eq!(bench.read(0, 0, 4096), Err(errno), "the whole request");
    assert_eq!(bench.read(0, 1023, 1), Err(errno), "from now on");
    assert_eq!(bench.read(0, 1024, 512).unwrap(), sector(3), "its neighbour is well");
    bench.write(0, 513, &[9; 511]).unwrap();
    assert_eq!(bench.read(0, 512, 1), Err(errno), "written in part only");
    bench.write(0, 512, &sector(9)).unwrap();
    assert_eq!(bench.read(0, 512, 512).unwrap(), sector(9));
    assert_eq!(bench.fired().len(), 1);
    assert_eq!(bench.fired()[0].taint, [Sectors { first: 1, count: 1 }]);
}

#[test]
fn a_write_may_leave_its_sectors_unreadable_and_their_neighbours() {
    let fault = "do = { fault = \"unreadable\", sectors = 2, radius = 1, heal = \"never\" }";
    let bench = bench("\"write\"", &format!("{FIRST}{fault}"));
    bench.write(0, 512, &sector(9).repeat(2)).unwrap();
    let readable = |at: u64| bench.read(0, at * 512, 512).is_ok();
    let found: Vec<bool> = (0..6).map(readable).collect();
    assert_eq!(found, [false, false, false, false, true, true]);
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [1, 9, 9], "it has landed all the same");
    bench.write(0, 0, &sector(9).repeat(4)).unwrap();
    assert!(!readable(1), "nothing heals it");
    bench.children[0].heal();
    assert!((0..6).all(readable));
    let bench = self::bench("\"write\"", "do = { fault = \"unreadable\", radius = 9 }");
    bench.write(0, 8192 - 512, &sector(9)).unwrap();
    assert_eq!(bench.fired()[0].taint, [Sectors { first: 6, count: 10 }], "up to the end");
    // What that comes to, given as such.
    let given = "do = { fault = \"unreadable\", at = 3072, sectors = 10 }";
    let again = self::bench("\"write\"", given);
    again.write(0, 0, &sector(9)).unwrap();
    assert_eq!(again.fired().len(), 0);
    again.write(0, 8192 - 512, &sector(9)).unwrap();
    assert_eq!(again.fired()[0].alterations, bench.fired()[0].alterations);
}

#[test]
fn stuck_bits_survive_whatever_is_written() {
    for (level, wanted) in [("high", [0x8f, 0x81]), ("low", [0x0f, 0x01])] {
        let fault = format!(
            "{FIRST}do = {{ fault = \"stuck\", flips = [[5, 0x80], [9999, 1]], level = \"{level}\" }}"
        );
        let bench = bench("\"write\"", &fault);
        bench.write(0, 0, &[0x0f; 512]).unwrap();
        assert_eq!(bench.read(0, 4, 3).unwrap(), [0x0f, wanted[0], 0x0f]);
        bench.write(0, 0, &[0x81; 512]).unwrap();
        assert_eq!(bench.read(0, 5, 1).unwrap(), [wanted[1]], "{level}");
        assert_eq!(bench.stores[0].bytes()[5], 0x81, "the truth is kept");
        let bits = vec![Flip { at: 5, mask: 0x80 }];
        assert!(matches!(
            &bench.fired()[0].alterations[..],
            [Alteration::Stuck { bits: found, .. }] if *found == bits
        ));
        bench.children[0].heal();
        assert_eq!(bench.read(0, 5, 1).unwrap(), [0x81]);
    }
    let bench = bench("\"read\"", "do = { fault = \"stuck\", bits = 4096 }");
    assert_eq!(bench.read(0, 0, 512).unwrap(), [0xff; 512]);
}

#[test]
fn a_stuck_wire_forces_the_same_place_of_every_request() {
    let fault = "do = { fault = \"stuck\", wire = [[3, 1]], level = \"low\" }";
    let bench = bench("[\"read\", \"write\"]", fault);
    assert_eq!(bench.read(0, 0, 5).unwrap(), [1, 1, 1, 0, 1]);
    assert_eq!(bench.read(0, 1, 5).unwrap(), [1, 1, 1, 0, 1]);
    assert_eq!(bench.read(0, 1, 3).unwrap(), [1, 1, 1], "too short: no match");
    bench.write(0, 100, &[255; 5]).unwrap();
    assert_eq!(bench.stores[0].bytes()[99..106], [1, 255, 255, 255, 254, 255, 1]);
    assert_eq!(bench.fired().len(), 3);
}

#[test]
fn reads_go_on_to_see_another_place_an_old_version_or_a_pattern() {
    for (fault, answer, later) in [
        ("fault = \"misdirect\", by = 8", [10, 11], [10, 77]),
        ("fault = \"stale\", versions = 1", [2, 3], [2, 3]),
        ("fault = \"zero\", fill = 0xa5", [0xa5; 2], [0xa5; 2]),
    ] {
        let rule = |heal: &str| format!("{FIRST}do = {{ {fault}, heal = \"{heal}\" }}");
        let bench = bench("\"read\"", &rule("overwrite"));
        bench.write(0, 512, &sector(61).repeat(2)).unwrap();
        let read = |bench: &Bench| tags(&bench.read(0, 512, 1024).unwrap());
        assert_eq!(read(&bench), answer, "{fault}");
        bench.write(0, 10 * 512, &sector(77)).unwrap();
        assert_eq!(read(&bench), later, "what is seen there now: {fault}");
        assert_eq!(tags(&bench.stores[0].bytes())[1..3], [61, 61], "the truth is kept: {fault}");
        bench.write(0, 1024, &sector(62)).unwrap();
        assert_eq!(read(&bench), [later[0], 62], "half of it is written: {fault}");
        bench.write(0, 512, &sector(63)).unwrap();
        assert_eq!(read(&bench), [63, 62], "{fault}");
        assert_eq!(bench.fired().len(), 1);
        let bench = self::bench("\"read\"", &rule("never"));
        bench.write(0, 512, &sector(61).repeat(2)).unwrap();
        read(&bench);
        bench.write(0, 512, &sector(63).repeat(2)).unwrap();
        assert_eq!(read(&bench), answer, "nothing ends it: {fault}");
        bench.children[0].heal();
        assert_eq!(read(&bench), [63, 63], "{fault}");
    }
    let bench = bench("\"read\"", "do = { fault = \"misdirect\", to = 9, heal = \"never\" }");
    bench.read(0, 512, 512).unwrap();
    let view = View::Elsewhere { to: 9 * 512 };
    assert!(matches!(
        &bench.fired()[0].alterations[..],
        [Alteration::Ghost { range, view: found, .. }] if *range == (512..1024) && *found == view
    ));
}

#[test]
fn a_pattern_may_be_any_byte() {
    let bench = bench("\"read\"", "do = { fault = \"zero\", fill = 7 }");
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(7));
    assert_eq!(bench.stores[0].bytes()[..512], sector(1));
}

#[test]
fn garbage_takes_the_place_of_what_is_torn_off() {
    let fault = "do = { fault = \"torn\", keep = { prefix = 1 }, rest = \"garbage\" }";
    let bench = bench("\"write\"", fault);
    bench.write(0, 0, &sector(9).repeat(2)).unwrap();
    let found = bench.stores[0].bytes();
    assert_eq!(found[..512], sector(9));
    assert!(found[512..1024].iter().all(|byte| *byte != 9));
    assert_eq!(found[1024..1536], sector(3));
    assert_eq!(bench.fired()[0].taint, [Sectors { first: 1, count: 1 }]);
}

#[test]
fn an_earlier_write_lands_once_more() {
    let replay = |fault: &str, wanted: [u8; 4], write: Option<u64>| {
        let bench = bench("\"write\"", &format!("do = {{ fault = \"replay\"{fault} }}"));
        bench.write(0, 0, &sector(51).repeat(3)).unwrap();
        bench.write(0, 512, &sector(52)).unwrap();
        assert_eq!(tags(&bench.stores[0].bytes())[..4], wanted, "{fault}");
        let runs =
            bench.fired().iter().map(|firing| firing.alterations.clone()).collect::<Vec<_>>();
        let wanted =
            write.map(|write| vec![Alteration::Replay(vec![Run { write, range: 0..1536 }])]);
        assert_eq!(runs, wanted.into_iter().collect::<Vec<_>>(), "{fault}");
    };
    replay("", [51, 51, 51, 4], Some(1));
    replay(", write = 1", [51, 51, 51, 4], Some(1));
    replay(", lag = 2", [51, 52, 51, 4], None);
}

/// What lands again is one write still: a child whose every write brings back the first does not do more
/// with each.
#[test]
fn a_write_that_lands_again_and_again_is_one_write() {
    let bench = bench("\"write\"", "do = { fault = \"replay\", write = 1 }");
    for _ in 0..64 {
        bench.write(0, 0, &sector(51)).unwrap();
    }
    let replayed = vec![Alteration::Replay(vec![Run { write: 1, range: 0..512 }])];
    let fired = bench.fired();
    assert_eq!(fired.len(), 63);
    assert!(fired.iter().all(|firing| firing.alterations == replayed));
}

#[test]
fn a_child_goes_back_to_what_it_held() {
    for (earlier, wanted) in [
        ("versions = 1", Some([51, 52, 3])),
        ("versions = 2", Some([51, 2, 3])),
        ("versions = 3", Some([1, 2, 3])),
        ("versions = 4", None),
        ("write = 0", Some([1, 2, 3])),
        ("write = 2", Some([51, 52, 3])),
        ("write = 3", None),
    ] {
        let bench = bench("\"open\"", &format!("do = {{ fault = \"rollback\", {earlier} }}"));
        bench.write(0, 0, &sector(51)).unwrap();
        bench.write(0, 512, &sector(52)).unwrap();
        bench.write(0, 0, &sector(53).repeat(3)).unwrap();
        bench.children[0].open().now_or_never().expect("answers").unwrap();
        let found = tags(&bench.read(0, 0, 1536).unwrap());
        assert_eq!(found, wanted.unwrap_or([53, 53, 53]), "{earlier}");
        assert_eq!(bench.fired().len(), usize::from(wanted.is_some()), "{earlier}");
    }
}

/// Writes need not land in the order in which they were asked for; what is undone is what landed last.
#[test]
fn a_child_goes_back_in_the_order_in_which_its_writes_landed() {
    for (earlier, left, undone) in [
        ("versions = 1", [1, 52, 3], 0..512),
        ("versions = 2", [1, 2, 3], 0..1024),
        ("write = 2", [1, 52, 3], 0..512),
        ("write = 0", [1, 2, 3], 0..1024),
    ] {
        let bench = bench("\"open\"", &format!("do = {{ fault = \"rollback\", {earlier} }}"));
        *bench.host.is_held.lock().unwrap() = true;
        let mut late = bench.children[0].pwrite(0, sector(51).into(), Flags::NONE);
        assert_eq!((&mut late).now_or_never(), None);
        *bench.host.is_held.lock().unwrap() = false;
        bench.write(0, 512, &sector(52)).unwrap();
        assert_eq!(late.now_or_never(), Some(Ok(())));
        bench.children[0].open().now_or_never().expect("answers").unwrap();
        assert_eq!(tags(&bench.read(0, 0, 1536).unwrap()), left, "{earlier}");
        let firing = &bench.fired()[0];
        let Alteration::Rollback { ranges, .. } = &firing.alterations[0] else {
            panic!("{firing:?}")
        };
        assert_eq!(ranges[..], [undone], "{earlier}");
    }
}

#[test]
fn a_child_that_opens_read_only_says_so_and_takes_no_writes() {
    let bench = bench("\"open\"", "do = { fault = \"read-only\" }");
    assert!(!bench.children[0].limits().read_only);
    bench.children[0].open().now_or_never().expect("answers").unwrap();
    assert!(bench.children[0].limits().read_only);
    assert_eq!(bench.write(0, 0, &sector(9)), Err(Errno::EROFS));
    let zeroes = bench.children[0].pwrite_zeroes(0, 512, Flags::NONE);
    assert_eq!(zeroes.now_or_never(), Some(Err(Errno::EROFS)));
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(1));
}

#[test]
fn a_discard_takes_its_neighbours_with_it() {
    let bench = bench("\"discard\"", "do = { fault = \"widen\", unit = 1024 }");
    bench.children[0].pdiscard(1536, 512).now_or_never().expect("answers").unwrap();
    assert_eq!(tags(&bench.stores[0].bytes())[..5], [1, 2, 0, 0, 5]);
    assert_eq!(bench.fired()[0].taint, [Sectors { first: 2, count: 2 }]);
    bench.children[0].pdiscard(4096, 1024).now_or_never().expect("answers").unwrap();
    assert_eq!(bench.fired().len(), 1, "what needs no rounding is no match");
}

#[test]
fn a_status_may_hold_for_too_little_or_too_much() {
    for bytes in [0, 1, 1 << 20] {
        let bench =
            bench("\"block-status\"", &format!("do = {{ fault = \"extent\", bytes = {bytes} }}"));
        let status = bench.children[0].block_status(0, 4096).now_or_never();
        assert_eq!(status, Some(Ok(Extent { bytes, kind: ExtentKind::Data })));
    }
}
