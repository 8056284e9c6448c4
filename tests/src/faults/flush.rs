//! Flushes that do not do their work, and what they leave.

use super::{
    Bench, line,
    power::{cut, drawn},
    sector, tags,
};
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Result};
use quorate_faults::{
    alteration::{Alteration, Run},
    fault::{Dirty, Kept, Torn},
};

const EIO: Result<()> = Err(Errno::EIO);

fn flush(bench: &Bench) -> Result<()> {
    bench.children[0].flush().now_or_never().expect("answers")
}

/// Sector 0 is 41 durably and 42 is written over it, when the second flush goes wrong.
fn broken(dirty: &str) -> (Bench, Result<()>) {
    let fault = format!("when = {{ nth = 2 }}\ndo = {{ fault = \"flush\", {dirty} }}");
    let bench = Bench::new(1, &line("r", "\"flush\"", "0", &fault));
    bench.write(0, 0, &sector(41)).expect("takes it");
    flush(&bench).expect("succeeds");
    bench.write(0, 0, &sector(42)).expect("takes it");
    let answer = flush(&bench);
    (bench, answer)
}

fn errno(dirty: &str) -> String {
    format!("errno = \"EIO\", dirty = \"{dirty}\"")
}

/// What the flush answers, what is seen, what the next two flushes answer, what is seen then, what a
/// power cut leaves right behind the flush and what behind those.
#[track_caller]
fn check(
    dirty: &str,
    [first, second, third]: [Result<()>; 3],
    seen: [Result<u8>; 2],
    left: [u8; 2],
) {
    let read = |bench: &Bench| bench.read(0, 0, 512).map(|data| data[0]);
    let (bench, answer) = broken(dirty);
    assert_eq!(answer, first, "{dirty}");
    assert_eq!(read(&bench), seen[0], "{dirty}");
    let (again, _) = broken(dirty);
    cut(&again, &drawn(Kept::All, Torn::Whole), 0);
    let kept = tags(&again.stores[0].bytes())[0];
    cut(&again, &drawn(Kept::None, Torn::Whole), 0);
    assert_eq!(tags(&again.stores[0].bytes())[0], kept, "{dirty}");
    let (again, _) = broken(dirty);
    cut(&again, &drawn(Kept::None, Torn::Whole), 0);
    assert_eq!(tags(&again.stores[0].bytes())[0], left[0], "{dirty}");
    assert_eq!([flush(&bench), flush(&bench)], [second, third], "{dirty}");
    assert_eq!(read(&bench), seen[1], "{dirty}");
    cut(&bench, &drawn(Kept::None, Torn::Whole), 0);
    assert_eq!(tags(&bench.stores[0].bytes())[0], left[1], "{dirty}");
}

#[test]
fn each_policy_leaves_what_it_says() {
    let gone = Err(Errno::ENOMEDIUM);
    let no_medium = Err(Errno::ENOMEDIUM);
    check(&errno("retain"), [EIO, Ok(()), Ok(())], [Ok(42), Ok(42)], [41, 42]);
    check(&errno("mark-clean"), [EIO, Ok(()), Ok(())], [Ok(42), Ok(42)], [41, 41]);
    check(&errno("revert"), [EIO, Ok(()), Ok(())], [Ok(41), Ok(41)], [41, 41]);
    check(&errno("latch"), [EIO, EIO, EIO], [Ok(42), Ok(42)], [41, 41]);
    check(&errno("eject"), [EIO, gone, gone], [no_medium, no_medium], [41, 41]);
    check("dirty = \"lie\"", [Ok(()), Ok(()), Ok(())], [Ok(42), Ok(42)], [41, 42]);
    check(&errno("deferred"), [Ok(()), EIO, Ok(())], [Ok(42), Ok(42)], [41, 41]);
}

#[test]
fn what_no_flush_makes_durable_not_even_luck_keeps() {
    for dirty in ["mark-clean", "latch", "eject", "deferred"] {
        let (bench, _) = broken(&errno(dirty));
        cut(&bench, &drawn(Kept::All, Torn::Whole), 0);
        assert_eq!(tags(&bench.stores[0].bytes())[0], 41, "{dirty}");
    }
    for dirty in [errno("retain"), "dirty = \"lie\"".into()] {
        let (bench, _) = broken(&dirty);
        cut(&bench, &drawn(Kept::All, Torn::Whole), 0);
        assert_eq!(tags(&bench.stores[0].bytes())[0], 42, "{dirty}");
    }
}

#[test]
fn a_later_write_over_what_was_lost_becomes_durable() {
    let (bench, _) = broken(&errno("mark-clean"));
    bench.write(0, 100, &[43; 10]).unwrap();
    flush(&bench).unwrap();
    cut(&bench, &drawn(Kept::None, Torn::Whole), 0);
    let found = bench.stores[0].bytes();
    assert_eq!((found[99], found[100], found[109], found[110]), (41, 43, 43, 41));
}

#[test]
fn a_part_becomes_durable_all_the_same() {
    let fault = "do = { fault = \"flush\", errno = \"EIO\", dirty = \"revert\", \
                 keep = { subset = \"101\" } }";
    let bench = Bench::new(1, &line("r", "\"flush\"", "0", fault));
    for number in 0..3 {
        let tag = 51 + u8::try_from(number).unwrap();
        bench.write(0, number * 512, &sector(tag)).unwrap();
    }
    assert_eq!(flush(&bench), EIO);
    assert_eq!(tags(&bench.stores[0].bytes())[..4], [51, 2, 53, 4]);
    let run = |write: u64| Run { write, range: (write - 1) * 512..write * 512 };
    let (kept, left) = (vec![run(1), run(3)], vec![run(2)]);
    let (dirty, errno, marks) = (Dirty::Revert, Some(Errno::EIO), vec![true, false, true]);
    let alteration = Alteration::Flush { dirty, errno, kept, left, marks };
    assert_eq!(bench.fired()[0].alterations, [alteration]);
    cut(&bench, &drawn(Kept::None, Torn::Whole), 0);
    assert_eq!(tags(&bench.stores[0].bytes())[..4], [51, 2, 53, 4]);
}

#[test]
fn what_another_flush_has_made_durable_meanwhile_stays_so() {
    for dirty in ["revert", "mark-clean", "retain"] {
        let fault = format!("when = {{ nth = 1 }}\ndo = {{ fault = \"flush\", {} }}", errno(dirty));
        let bench = Bench::new(1, &line("r", "\"flush\"", "0", &fault));
        bench.write(0, 0, &sector(42)).unwrap();
        *bench.host.is_held.lock().unwrap() = true;
        let mut broken = bench.children[0].flush();
        assert_eq!((&mut broken).now_or_never(), None);
        *bench.host.is_held.lock().unwrap() = false;
        flush(&bench).unwrap();
        assert_eq!(broken.now_or_never(), Some(EIO), "{dirty}");
        assert_eq!(bench.read(0, 0, 512).unwrap(), sector(42), "{dirty}");
        cut(&bench, &drawn(Kept::None, Torn::Whole), 0);
        assert_eq!(bench.read(0, 0, 512).unwrap(), sector(42), "{dirty}");
    }
}

#[test]
fn dropping_caches_drops_what_was_marked_clean() {
    for (dirty, left) in [("mark-clean", 41), ("retain", 42)] {
        let (bench, _) = broken(&errno(dirty));
        bench.children[0].invalidate().now_or_never().expect("at once").unwrap();
        assert_eq!(bench.read(0, 0, 512).unwrap(), sector(left), "{dirty}");
    }
}

#[test]
fn a_close_tells_what_a_flush_has_put_off() {
    let (bench, _) = broken(&errno("deferred"));
    let close = || bench.children[0].close().now_or_never().expect("answers");
    assert_eq!([close(), close()], [EIO, Ok(())]);
}

#[test]
fn a_write_that_only_shows_is_gone_with_the_power() {
    let fault = "when = { nth = 2 }\ndo = { fault = \"lost\", shows = \"new\" }";
    let bench = Bench::new(1, &line("r", "[\"write\", \"write-zeroes\"]", "0", fault));
    bench.children[0].keep_cache();
    bench.write(0, 0, &sector(41)).unwrap();
    bench.write(0, 0, &sector(42)).unwrap();
    flush(&bench).unwrap();
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(42));
    cut(&bench, &drawn(Kept::All, Torn::Whole), 0);
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(41));
}

#[test]
fn a_healed_child_makes_durable_again_what_it_shows() {
    for dirty in ["mark-clean", "latch", "eject"] {
        let (bench, _) = broken(&errno(dirty));
        bench.children[0].heal();
        flush(&bench).unwrap();
        cut(&bench, &drawn(Kept::None, Torn::Whole), 0);
        assert_eq!(bench.read(0, 0, 512).unwrap(), sector(42), "{dirty}");
    }
}
