//! What each fault does, and that its parts do not depend on each other.

use super::{Bench, line, sector, tags};
use bytes::Bytes;
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Extent, ExtentKind, Flags, Sectors};
use quorate_faults::host::Delay;
use std::time::Duration;

/// A write of sectors 1 to 4 under one rule: its answer, the tags of sectors 0 to 7 afterwards.
#[track_caller]
fn check_write(fault: &str, answer: Result<(), Errno>, medium: [u8; 8], taint: &[(u64, u64)]) {
    let bench = Bench::new(1, &line("r", "\"write\"", "0", &format!("do = {fault}")));
    assert_eq!(bench.write(0, 512, &[99; 2048]), answer, "{fault}");
    assert_eq!(tags(&bench.stores[0].bytes())[..8], medium, "{fault}");
    let fired = bench.fired();
    assert_eq!(fired.len(), 1, "{fault}");
    let wanted: Vec<_> = taint.iter().map(|&(first, count)| Sectors { first, count }).collect();
    assert_eq!(fired[0].taint, wanted, "{fault}");
    assert_eq!(fired[0].status, answer.err(), "{fault}");
}

#[test]
fn a_write_answers_and_applies_independently() {
    const EIO: Result<(), Errno> = Err(Errno::EIO);
    const OLD: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    const NEW: [u8; 8] = [1, 99, 99, 99, 99, 6, 7, 8];
    let eio = |applied: &str| format!("{{ fault = \"status\", errno = \"EIO\"{applied} }}");
    check_write(&eio(""), EIO, OLD, &[(1, 4)]);
    check_write(&eio(", applied = \"none\""), EIO, OLD, &[(1, 4)]);
    check_write(&eio(", applied = \"all\""), EIO, NEW, &[]);
    let prefix = [1, 99, 3, 4, 5, 6, 7, 8];
    check_write(&eio(", applied = { prefix = 1 }"), EIO, prefix, &[(2, 3)]);
    let mask = [1, 2, 99, 4, 99, 6, 7, 8];
    check_write(&eio(", applied = { subset = \"0101\" }"), EIO, mask, &[(1, 1), (3, 1)]);

    let torn = |rest: &str| format!("{{ fault = \"torn\", {rest} }}");
    check_write(&torn("keep = { prefix = 1 }"), Ok(()), prefix, &[(2, 3)]);
    let suffix = [1, 2, 3, 4, 99, 6, 7, 8];
    check_write(&torn("keep = { suffix = 1 }, then = \"EIO\""), EIO, suffix, &[(1, 3)]);
    check_write(
        &torn("keep = { subset = \"0101\" }, then = \"ok\""),
        Ok(()),
        mask,
        &[(1, 1), (3, 1)],
    );
    // The first unit of 2048 bytes ends with sector 3, whatever the offset of the request.
    let unit = [1, 99, 99, 99, 5, 6, 7, 8];
    check_write(&torn("keep = { prefix = 1 }, unit = \"2KiB\""), Ok(()), unit, &[(4, 1)]);

    check_write("{ fault = \"lost\" }", Ok(()), OLD, &[(1, 4)]);
    let astray = [1, 2, 3, 4, 5, 99, 99, 99];
    check_write("{ fault = \"misdirect\", by = \"+4\" }", Ok(()), astray, &[(1, 4), (5, 4)]);
    let astray = [99, 99, 99, 99, 5, 6, 7, 8];
    check_write("{ fault = \"misdirect\", to = 0 }", Ok(()), astray, &[(1, 4), (0, 4)]);
    check_write("{ fault = \"delay\", dist = \"fixed\", min = \"1s\" }", Ok(()), NEW, &[]);
}

/// A read of sectors 1 to 4 under one rule; its answer by the first byte of each sector.
#[track_caller]
fn check_read(fault: &str, answer: Result<Vec<u8>, Errno>, taint: &[(u64, u64)]) {
    let bench = Bench::new(1, &line("r", "\"read\"", "0", &format!("do = {fault}")));
    let before = bench.stores[0].bytes();
    assert_eq!(bench.read(0, 512, 2048).map(|data| tags(&data)), answer, "{fault}");
    assert_eq!(bench.stores[0].bytes(), before, "a read left the store alone: {fault}");
    let wanted: Vec<_> = taint.iter().map(|&(first, count)| Sectors { first, count }).collect();
    assert_eq!(bench.fired()[0].taint, wanted, "{fault}");
}

#[test]
fn a_read_answers_what_its_fault_says() {
    check_read("{ fault = \"status\", errno = \"ENOSPC\" }", Err(Errno::ENOSPC), &[]);
    check_read("{ fault = \"zero\" }", Ok(vec![0; 4]), &[(1, 4)]);
    check_read("{ fault = \"misdirect\", by = \"+8\" }", Ok(vec![10, 11, 12, 13]), &[(1, 4)]);
    check_read("{ fault = \"misdirect\", by = \"-1\" }", Ok(vec![1, 2, 3, 4]), &[(1, 4)]);
    check_read("{ fault = \"short\", bytes = 1024 }", Ok(vec![2, 3]), &[]);
    check_read("{ fault = \"short\", bytes = 0 }", Ok(vec![]), &[]);
    check_read("{ fault = \"stale\" }", Ok(vec![2, 3, 4, 5]), &[(1, 4)]);
}

#[test]
fn a_fault_of_the_data_stays_inside_its_sectors() {
    let place = "where = { sectors = \"2..4\" }\ndo = ";
    let bench =
        Bench::new(1, &line("r", "\"read\"", "0", &format!("{place}{{ fault = \"zero\" }}")));
    assert_eq!(tags(&bench.read(0, 0, 4096).unwrap()), [1, 2, 0, 0, 5, 6, 7, 8]);
    assert_eq!(bench.read(0, 1000, 100).unwrap()[..], {
        let mut wanted = vec![2; 24];
        wanted.resize(100, 0);
        wanted
    });
    let fault = format!("{place}{{ fault = \"misdirect\", to = 9 }}");
    let bench = Bench::new(1, &line("r", "\"write\"", "0", &fault));
    bench.write(0, 512, &[99; 2048]).unwrap();
    let medium = tags(&bench.stores[0].bytes());
    assert_eq!(medium[..12], [1, 99, 3, 4, 99, 6, 7, 8, 9, 99, 99, 12]);
}

#[test]
fn a_misdirected_place_beyond_the_device_is_no_match() {
    let bench =
        Bench::new(1, &line("r", "\"read\"", "0", "do = { fault = \"misdirect\", by = 8 }"));
    assert_eq!(tags(&bench.read(0, 8 * 512, 512).unwrap()), [9]);
    assert_eq!(bench.fired().len(), 0);
    assert_eq!(tags(&bench.read(0, 7 * 512, 512).unwrap()), [16]);
}

fn differing(left: &[u8], right: &[u8]) -> Vec<usize> {
    (0..left.len()).filter(|&at| left[at] != right[at]).collect()
}

#[test]
fn corruption_damages_exactly_as_much_as_it_says() {
    let sound = [sector(2), sector(3)].concat();
    for amount in 1..=40_u32 {
        let fault = format!("do = {{ fault = \"corrupt\", bits = {amount} }}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &fault));
        let read = bench.read(0, 512, 1024).unwrap();
        let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
        assert_eq!(read.iter().zip(&sound).map(bits).sum::<u32>(), amount);
        let fault = format!("do = {{ fault = \"corrupt\", bytes = {amount} }}");
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &fault));
        let wrong = differing(&bench.read(0, 512, 1024).unwrap(), &sound);
        assert_eq!(u32::try_from(wrong.len()).unwrap(), amount);
        assert_eq!(wrong[wrong.len() - 1] - wrong[0] + 1, wrong.len(), "one run");
    }
}

#[test]
fn corruption_at_an_offset_befalls_only_what_touches_it() {
    let fault = "do = { fault = \"corrupt\", bytes = 2, at = 600 }";
    let bench = Bench::new(1, &line("r", "\"read\"", "0", fault));
    assert_eq!(differing(&bench.read(0, 512, 512).unwrap(), &sector(2)), [88, 89]);
    assert_eq!(differing(&bench.read(0, 601, 300).unwrap(), &[2; 300]), [0; 0]);
    assert_eq!(differing(&bench.read(0, 590, 11).unwrap(), &[2; 11]), [10], "clipped at the end");
    assert_eq!(bench.fired().len(), 2);
}

#[test]
fn given_flips_are_those_and_no_others() {
    let fault = "do = { fault = \"corrupt\", flips = [[600, 1], [601, 255], [1100, 64]] }";
    let bench = Bench::new(1, &line("r", "[\"read\", \"write\"]", "0", fault));
    assert_eq!(bench.read(0, 598, 5).unwrap(), [2, 2, 3, 253, 2]);
    assert_eq!(bench.read(0, 1100, 2).unwrap(), [67, 3], "as far as it touches them");
    assert_eq!(bench.read(0, 602, 100).unwrap(), [2; 100]);
    bench.write(0, 600, &[0; 2]).unwrap();
    assert_eq!(bench.stores[0].bytes()[599..603], [2, 1, 255, 2]);
    assert_eq!(bench.fired().len(), 3);
}

#[test]
fn sectors_are_damaged_as_a_whole() {
    let sound = super::content();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let fault = "do = { fault = \"corrupt\", sectors = 2 }";
        let bench = Bench::seeded(seed, 1, &line("r", "\"read\"", "0", fault));
        let wrong = differing(&bench.read(0, 1024, 2048).unwrap(), &sound[1024..3072]);
        assert_eq!((wrong[0] % 512, wrong.len()), (0, 1024), "one run of whole sectors");
        seen.insert(wrong[0]);
    }
    assert_eq!(seen.len(), 3, "each place comes up");
    let fault = "do = { fault = \"corrupt\", sectors = 2, at = 1100 }";
    let bench = Bench::new(1, &line("r", "\"read\"", "0", fault));
    let wrong = differing(&bench.read(0, 0, 1300).unwrap(), &sound[..1300]);
    assert_eq!(wrong, (1024..1300).collect::<Vec<_>>(), "from the sector of `at` on");
    assert_eq!(bench.read(0, 1200, 10).unwrap(), [3; 10], "`at` is not touched");
}

#[test]
fn a_stable_corruption_repeats_and_a_fresh_one_does_not() {
    for (stability, repeats) in [("stable", true), ("fresh", false)] {
        let fault = "do = { fault = \"corrupt\", bytes = 8, stability = \"";
        let bench = Bench::new(1, &line("r", "\"read\"", "0", &format!("{fault}{stability}\" }}")));
        let (first, second) = (bench.read(0, 0, 512).unwrap(), bench.read(0, 0, 512).unwrap());
        assert_eq!(first == second, repeats, "{stability}");
        assert_ne!(first, sector(1));
        assert_eq!(bench.stores[0].bytes()[..512], sector(1), "the medium is sound");
    }
}

#[test]
fn a_write_corrupted_on_its_way_is_wrong_on_the_medium() {
    let bench =
        Bench::new(1, &line("r", "\"write\"", "0", "do = { fault = \"corrupt\", bits = 1 }"));
    bench.write(0, 512, &[99; 512]).unwrap();
    let medium = bench.stores[0].bytes();
    assert_eq!(differing(&medium[512..1024], &[99; 512]).len(), 1);
    assert_eq!(tags(&medium)[2..], tags(&super::content())[2..]);
}

#[test]
fn a_hung_operation_never_answers_and_applies_what_it_says() {
    for (applied, tag) in [("", 2), (", applied = \"all\"", 99)] {
        let rule = line("r", "\"write\"", "0", &format!("do = {{ fault = \"hang\"{applied} }}"));
        let bench = Bench::new(1, &rule);
        let data = Bytes::from(vec![99; 512]);
        assert_eq!(bench.children[0].pwrite(512, data, Flags::NONE).now_or_never(), None);
        assert_eq!(tags(&bench.stores[0].bytes())[1], tag);
        assert_eq!(*bench.host.delays.lock().unwrap(), [Delay::Never]);
    }
}

#[test]
fn flushes_fail_lie_or_fail_though_done() {
    for (fault, answer, flushes) in [
        ("{ fault = \"lost\" }", Ok(()), 0),
        ("{ fault = \"status\", errno = \"EIO\" }", Err(Errno::EIO), 0),
        ("{ fault = \"status\", errno = \"EIO\", applied = \"all\" }", Err(Errno::EIO), 1),
        ("{ fault = \"unsupported\" }", Err(Errno::ENOTSUP), 0),
    ] {
        let bench = Bench::new(1, &line("r", "\"flush\"", "0", &format!("do = {fault}")));
        assert_eq!(bench.children[0].flush().now_or_never(), Some(answer), "{fault}");
        assert_eq!(*bench.stores[0].flushes.lock().unwrap(), flushes, "{fault}");
    }
}

#[test]
fn queries_lie() {
    let rules = line("l", "\"length\"", "0", "do = { fault = \"length\", bytes = \"1KiB\" }")
        + &line("s", "\"block-status\"", "0", "do = { fault = \"false-zero\" }")
        + &line("e", "\"length\"", "1", "do = { fault = \"status\", errno = \"EACCES\" }");
    let bench = Bench::new(2, &rules);
    assert_eq!(bench.children[0].length().now_or_never(), Some(Ok(1024)));
    assert_eq!(bench.children[1].length().now_or_never(), Some(Err(Errno::EACCES)));
    let status = |child: usize| bench.children[child].block_status(0, 512).now_or_never();
    assert_eq!(status(0), Some(Ok(Extent { bytes: 512, kind: ExtentKind::Zero })));
    assert_eq!(status(1), Some(Ok(Extent { bytes: 512, kind: ExtentKind::Data })));
}

#[test]
fn zeroes_tear_and_are_refused() {
    let zeroes = |fault: &str| {
        let bench = Bench::new(1, &line("r", "\"write-zeroes\"", "0", &format!("do = {fault}")));
        let done = bench.children[0].pwrite_zeroes(512, 1024, Flags::NONE).now_or_never();
        (done.expect("answers"), tags(&bench.stores[0].bytes())[..4].to_vec())
    };
    assert_eq!(zeroes("{ fault = \"unsupported\" }"), (Err(Errno::ENOTSUP), vec![1, 2, 3, 4]));
    let torn = "{ fault = \"torn\", keep = { suffix = 1 } }";
    assert_eq!(zeroes(torn), (Ok(()), vec![1, 2, 0, 4]));
    let astray = "{ fault = \"misdirect\", to = 0 }";
    assert_eq!(zeroes(astray), (Ok(()), vec![0, 0, 3, 4]));
}

#[test]
fn rules_add_up_by_part() {
    let rules = [
        "do = { fault = \"delay\", dist = \"fixed\", min = \"2ms\" }",
        "do = { fault = \"torn\", keep = { prefix = 3 } }",
        "do = { fault = \"status\", errno = \"EIO\", applied = { suffix = 3 } }",
        "do = { fault = \"delay\", dist = \"fixed\", min = \"3ms\" }",
        "do = { fault = \"status\", errno = \"ENOSPC\" }",
    ];
    let names = ["a", "b", "c", "d", "e"];
    let rules: String =
        names.iter().zip(rules).map(|(name, rest)| line(name, "\"write\"", "0", rest)).collect();
    let bench = Bench::new(1, &rules);
    assert_eq!(bench.write(0, 512, &[99; 2048]), Err(Errno::EIO), "the first status counts");
    assert_eq!(tags(&bench.stores[0].bytes())[..6], [1, 2, 99, 99, 5, 6], "what both let through");
    assert_eq!(*bench.host.delays.lock().unwrap(), [Delay::After(Duration::from_millis(5))]);
    let fired: Vec<_> = bench.fired().iter().map(|firing| firing.rule.to_string()).collect();
    assert_eq!(fired, ["a", "b", "c", "d"], "a beaten status has not fired");
    assert_eq!(bench.plan.unfired(), ["e"]);
}

#[test]
fn a_hung_operation_that_is_given_up_answers_ecanceled() {
    let bench = Bench::new(1, &line("r", "\"read\"", "0", "do = { fault = \"hang\" }"));
    *bench.host.gives_up.lock().unwrap() = true;
    assert_eq!(bench.read(0, 0, 512), Err(Errno::ECANCELED));
}

#[test]
fn pieces_keep_to_the_request_and_its_flags() {
    for (keep, pieces) in [
        ("{ prefix = 1 }", vec![(1000, 24)]),
        ("{ prefix = 2 }", vec![(1000, 536)]),
        ("{ suffix = 1 }", vec![(2560, 40)]),
        ("{ subset = \"1011\" }", vec![(1000, 24), (1536, 1024)]),
        ("{ subset = \"00001\" }", vec![(2560, 40)]),
        ("{ prefix = 0 }", vec![]),
        ("{ prefix = 9 }", vec![(1000, 1600)]),
    ] {
        let flags = Flags { fua: true, may_unmap: false, no_fallback: true };
        let wanted: Vec<_> = pieces.into_iter().map(|(at, bytes)| (at, bytes, flags)).collect();
        let fault = format!("do = {{ fault = \"torn\", keep = {keep} }}");
        let kinds = "[\"write\", \"write-zeroes\"]";
        let bench = Bench::new(1, &line("r", kinds, "0", &fault));
        let data = Bytes::from(vec![99; 1600]);
        bench.children[0].pwrite(1000, data, flags).now_or_never().unwrap().unwrap();
        let written = std::mem::take(&mut *bench.stores[0].writes.lock().unwrap());
        assert_eq!(written, wanted, "{keep}");
        bench.children[0].pwrite_zeroes(1000, 1600, flags).now_or_never().unwrap().unwrap();
        assert_eq!(*bench.stores[0].writes.lock().unwrap(), wanted, "{keep}");
    }
}

#[test]
fn a_drawn_subset_keeps_each_unit_by_a_coin() {
    let fault = "do = { fault = \"torn\", keep = { subset = \"draw\" } }";
    let bench = Bench::new(1, &line("r", "\"write\"", "0", fault));
    let mut kept = [0; 8];
    for _ in 0..400 {
        bench.stores[0].put(0, &super::content());
        bench.write(0, 0, &[99; 4096]).unwrap();
        for (count, tag) in kept.iter_mut().zip(tags(&bench.stores[0].bytes())) {
            *count += u32::from(tag == 99);
        }
    }
    assert!(kept.iter().all(|count| (150..250).contains(count)), "{kept:?}");
}

#[test]
fn a_healthy_child_passes_everything_on() {
    let bench = Bench::new(1, "");
    bench.write(0, 5, &[9; 3]).unwrap();
    assert_eq!(bench.read(0, 4, 5).unwrap(), [1, 9, 9, 9, 1]);
    assert_eq!(bench.read(0, 8192, 1), Err(Errno::EINVAL), "the store's own error");
    assert_eq!(bench.children[0].length().now_or_never(), Some(Ok(8192)));
    assert_eq!(*bench.stores[0].writes.lock().unwrap(), [(5, 3, Flags::NONE)]);
    assert_eq!(*bench.host.delays.lock().unwrap(), [Delay::NONE; 4]);
}
