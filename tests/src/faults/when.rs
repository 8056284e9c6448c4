//! Which matches fire.

use super::{Bench, line};
use quorate_faults::rule::ArrayEvent;
use std::time::Duration;

const FAIL: &str = "do = { fault = \"status\", errno = \"EIO\" }";

#[track_caller]
fn check(when: &str, fires: &[u64]) {
    let rest = format!("when = {when}\n{FAIL}");
    let bench = Bench::new(1, &line("r", "\"read\"", "\"any\"", &rest));
    assert_eq!(bench.fires(0, 12), fires, "{when}");
}

#[test]
fn numbers_count_matches_from_one() {
    check("{}", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    check("{ nth = 3 }", &[3]);
    check("{ nth = [2, 5, 13] }", &[2, 5]);
    check("{ every = 4 }", &[4, 8, 12]);
    check("{ first = 2 }", &[1, 2]);
    check("{ max = 2 }", &[1, 2]);
    check("{ every = 4, first = 8 }", &[4, 8]);
    check("{ every = 3, max = 2 }", &[3, 6]);
    check("{ rate = \"100%\" , first = 1 }", &[1]);
}

#[test]
fn children_are_counted_apart() {
    let rest = format!("when = {{ nth = 2 }}\n{FAIL}");
    let bench = Bench::new(2, &line("r", "\"read\"", "[0, 1]", &rest));
    assert_eq!(bench.fires(0, 1), [0; 0]);
    assert_eq!(bench.fires(1, 2), [2]);
    assert_eq!(bench.fires(0, 1), [2]);
}

#[test]
fn only_what_the_place_accepts_is_counted() {
    let place = "where = { sectors = \"1..3\", origin = \"guest\", bytes = \"512..=1024\" }";
    let rest = format!("{place}\nwhen = {{ nth = 2 }}\n{FAIL}");
    let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
    bench.read(0, 512, 512).unwrap();
    bench.read(0, 0, 512).expect("before the sectors");
    bench.read(0, 1536, 512).expect("behind the sectors");
    bench.read(0, 512, 1536).expect("too long");
    *bench.host.is_rewrite.lock().unwrap() = true;
    bench.read(0, 512, 512).expect("not the guest's");
    *bench.host.is_rewrite.lock().unwrap() = false;
    bench.read(0, 1535, 512).expect_err("touches the last byte");
    assert_eq!(bench.fired()[0].matched, 2);
}

#[test]
fn rates_are_about_what_they_say() {
    for (rate, least, most) in [("1:4", 200, 300), ("10%", 70, 130), ("0.5", 440, 560)] {
        let rest = format!("when = {{ rate = \"{rate}\" }}\n{FAIL}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
        let fires = bench.fires(0, 1000).len();
        assert!((least..=most).contains(&fires), "{rate}: {fires} of 1000");
    }
}

#[test]
fn windows_open_and_come_again() {
    let rest = format!("when = {{ window = \"2s..2500ms\", period = \"10s\" }}\n{FAIL}");
    let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
    for (ms, open) in [
        (0, 0),
        (1_999, 0),
        (2_000, 1),
        (2_499, 1),
        (2_500, 0),
        (11_999, 0),
        (12_000, 1),
        (12_500, 0),
    ] {
        assert_eq!(bench.at(Duration::from_millis(ms)).fires(0, 1).len(), open, "{ms} ms");
    }
    let rest = format!("when = {{ window = \"2s..\", nth = 2 }}\n{FAIL}");
    let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
    assert_eq!(bench.fires(0, 1), [0; 0]);
    assert_eq!(bench.at(Duration::from_secs(9)).fires(0, 2), [2], "counted while shut");
}

#[test]
fn a_rule_waits_for_its_event() {
    let after = "after = { event = \"guest-write-acked\", count = 2, delay = \"1ms..3ms\" }";
    let rest = format!("when = {{ nth = 1, {after} }}\n{FAIL}");
    let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
    let event = |event, ms| bench.plan.array_event(event, Duration::from_millis(ms));
    let fires = |ms| bench.at(Duration::from_millis(ms)).fires(0, 1);
    event(ArrayEvent::GuestWriteAcked, 0);
    event(ArrayEvent::Failure, 0);
    assert_eq!(fires(100), [0; 0]);
    event(ArrayEvent::GuestWriteAcked, 100);
    assert_eq!(fires(100), [0; 0], "not before its delay");
    assert_eq!(fires(103), [1], "counting begins when it is armed");
    event(ArrayEvent::GuestWriteAcked, 200);
    assert_eq!(fires(300), [0; 0]);
}

#[test]
fn delays_keep_to_their_distribution() {
    for (fault, least, most, mean) in [
        ("dist = \"uniform\", min = \"1ms\", max = \"3ms\"", 1_000, 3_000, 2_000),
        ("dist = \"exp\", min = \"5ms\", mean = \"40ms\"", 5_000, 1_000_000, 40_000),
        ("dist = \"exp\", mean = \"10ms\", max = \"10ms\"", 0, 10_000, 6_321),
    ] {
        let rest = format!("do = {{ fault = \"delay\", {fault} }}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
        bench.fires(0, 2000);
        let delays = bench.host.delays.lock().unwrap();
        let micros: Vec<u128> = delays
            .iter()
            .map(|delay| match delay {
                quorate_faults::host::Delay::After(time) => time.as_micros(),
                quorate_faults::host::Delay::Never => panic!("a delay ends"),
            })
            .collect();
        assert!(micros.iter().all(|time| (least..=most).contains(time)), "{fault}");
        let average = micros.iter().sum::<u128>() / 2000;
        assert!(average.abs_diff(mean) < mean / 10, "{fault}: {average} us on average");
    }
}

#[test]
fn the_delay_after_an_event_is_drawn_from_its_range() {
    let rest = |delay: &str| {
        let after = format!("after = {{ event = \"failure\", delay = \"{delay}\" }}");
        line("r", "\"read\"", "0", &format!("when = {{ {after} }}\n{FAIL}"))
    };
    let armed_after = |seed, delay: &str, us| {
        let bench = Bench::seeded(seed, 1, &rest(delay));
        bench.plan.array_event(ArrayEvent::Failure, Duration::from_secs(1));
        !bench.at(Duration::from_secs(1) + Duration::from_micros(us)).fires(0, 1).is_empty()
    };
    let count = |us| (0..60).filter(|&seed| armed_after(seed, "1ms..3ms", us)).count();
    assert_eq!((count(999), count(3_000)), (0, 60));
    assert!((15..45).contains(&count(2_000)), "{} of 60", count(2_000));
    assert!(!armed_after(0, "1ms..1ms", 999));
    assert!(armed_after(0, "1ms..1ms", 1_000));
}

#[test]
fn a_rewrite_is_told_from_a_guests_write() {
    for (origin, fires) in [("guest", [1, 0]), ("rewrite", [0, 1]), ("any", [1, 1])] {
        let rest = format!("where = {{ origin = \"{origin}\" }}\n{FAIL}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &rest));
        let guest = bench.fires(0, 1).len();
        *bench.host.is_rewrite.lock().unwrap() = true;
        assert_eq!([guest, bench.fires(0, 1).len()], fires, "{origin}");
    }
}
