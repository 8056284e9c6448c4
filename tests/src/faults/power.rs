//! What a power cut leaves, held to durability in a few lines.

use super::{Bench, line, sector, tags};
use bytes::Bytes;
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Errno, Flags, Prealloc};
use quorate_faults::{
    alteration::{Alteration, Run},
    draw::{Domain, Draw, Keyed},
    fault::{Crash, Keep, Kept, Rest, Survivors, Torn},
    host::Firing,
};
use std::{ops::Range, time::Duration};

pub(super) fn draw(number: u64) -> Draw {
    Keyed::new(1).draw(Domain::named("power"), 0, number)
}

pub(super) fn drawn(keep: Kept, torn: Torn) -> Crash {
    let keep = Survivors::Drawn { keep, torn, rest: Rest::Old, reorder: false };
    Crash { keep, down: Duration::ZERO, errno: Errno::EIO }
}

pub(super) fn runs(runs: Vec<Run>) -> Crash {
    let keep = Survivors::Runs { runs, flips: Vec::new() };
    Crash { keep, down: Duration::ZERO, errno: Errno::EIO }
}

pub(super) fn cut(bench: &Bench, crash: &Crash, number: u64) -> Firing {
    bench.children[0].cut_power(crash, false, &draw(number)).now_or_never().expect("at once")
}

/// A child whose cache is kept.
fn bench() -> Bench {
    let bench = Bench::new(1, "");
    bench.children[0].keep_cache();
    bench
}

fn flush(bench: &Bench) {
    bench.children[0].flush().now_or_never().expect("answers").expect("succeeds");
}

/// Three writes that overlap, by their sectors; the n-th writes 51 + n.
const LAYOUTS: [[Range<u64>; 3]; 3] = [[0..2, 1..3, 0..3], [2..3, 0..1, 1..2], [0..3, 0..3, 1..2]];

fn write_all(bench: &Bench, layout: &[Range<u64>; 3], flush_before: usize) {
    for (number, sectors) in layout.iter().enumerate() {
        if number == flush_before {
            flush(bench);
        }
        let tag = 51 + u8::try_from(number).expect("three");
        let data = sector(tag).repeat(usize::try_from(sectors.end - sectors.start).expect("three"));
        bench.write(0, sectors.start * 512, &data).expect("takes it");
    }
    if flush_before == 3 {
        flush(bench);
    }
}

fn bits(mask: usize, count: usize) -> Vec<bool> {
    (0..count).map(|bit| mask >> bit & 1 == 1).collect()
}

/// Every subset of three writes, of which some were flushed, each torn in every way.
#[test]
fn every_subset_torn_in_every_way_is_what_remains() {
    for layout in &LAYOUTS {
        for (flushed, keep, torn) in
            (0..4).flat_map(|f| (0..8).flat_map(move |k| (0..8).map(move |t| (f, k, t))))
        {
            let bench = bench();
            write_all(&bench, layout, flushed);
            let mut wanted = [1, 2, 3_u8];
            for (number, sectors) in layout.iter().enumerate() {
                for (unit, sector) in sectors.clone().enumerate() {
                    let is_dirty = number >= flushed;
                    let is_kept = keep >> number.saturating_sub(flushed) & 1 == 1;
                    if !is_dirty || is_kept && torn >> unit & 1 == 1 {
                        wanted[usize::try_from(sector).unwrap()] =
                            51 + u8::try_from(number).unwrap();
                    }
                }
            }
            let part = |mask| Keep::Mask(bits(mask, 3));
            let crash = drawn(Kept::Part(part(keep)), Torn::Part(part(torn)));
            let firing = cut(&bench, &crash, 0);
            let found = tags(&bench.stores[0].bytes());
            let case = format!("{layout:?} flushed {flushed} keep {keep:03b} torn {torn:03b}");
            assert_eq!(found[..3], wanted, "{case}: {firing:?}");
            assert_eq!(tags(&bench.read(0, 0, 1536).unwrap()), wanted, "{case}");
            // What came of it, given as such, comes of it again, and nothing is left to lose.
            let Alteration::Crash { kept, lost, .. } = &firing.alterations[0] else {
                panic!("{case}: {firing:?}")
            };
            let again = self::bench();
            write_all(&again, layout, flushed);
            let second = cut(&again, &runs(kept.clone()), 0);
            assert_eq!(tags(&again.stores[0].bytes())[..3], wanted, "{case}");
            assert_eq!(second.alterations, firing.alterations, "{case}");
            let sectors = |runs: &[Run]| -> u64 {
                runs.iter().map(|run| (run.range.end - run.range.start) / 512).sum()
            };
            let dirty: u64 = layout[flushed..].iter().map(|range| range.end - range.start).sum();
            assert_eq!(sectors(kept) + sectors(lost), dirty, "{case}");
            cut(&bench, &drawn(Kept::All, Torn::Whole), 1);
            assert_eq!(tags(&bench.stores[0].bytes())[..3], wanted, "{case}");
        }
    }
}

/// Every order in which some of three writes can land.
#[test]
fn runs_land_in_the_order_in_which_they_are_given() {
    let orders: [&[usize]; 16] = [
        &[],
        &[0],
        &[1],
        &[2],
        &[0, 1],
        &[1, 0],
        &[0, 2],
        &[2, 0],
        &[1, 2],
        &[2, 1],
        &[0, 1, 2],
        &[0, 2, 1],
        &[1, 0, 2],
        &[1, 2, 0],
        &[2, 0, 1],
        &[2, 1, 0],
    ];
    for (layout, order) in LAYOUTS.iter().flat_map(|l| orders.iter().map(move |o| (l, o))) {
        let bench = bench();
        write_all(&bench, layout, 9);
        let mut wanted = [1, 2, 3_u8];
        let mut given = Vec::new();
        for &number in *order {
            let sectors = &layout[number];
            let write = u64::try_from(number + 1).unwrap();
            given.push(Run { write, range: sectors.start * 512..sectors.end * 512 });
            for sector in sectors.clone() {
                wanted[usize::try_from(sector).unwrap()] = 51 + u8::try_from(number).unwrap();
            }
        }
        cut(&bench, &runs(given), 0);
        assert_eq!(tags(&bench.stores[0].bytes())[..3], wanted, "{layout:?} {order:?}");
    }
}

#[test]
fn what_is_drawn_is_one_of_the_possible_outcomes_and_all_come_up() {
    let outcomes = |keep: &Kept, reorder: bool| {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..200 {
            let bench = bench();
            write_all(&bench, &LAYOUTS[2], 9);
            let survivors = Survivors::Drawn {
                keep: keep.clone(),
                torn: Torn::Whole,
                rest: Rest::Old,
                reorder,
            };
            let crash = Crash { keep: survivors, down: Duration::ZERO, errno: Errno::EIO };
            cut(&bench, &crash, number);
            seen.insert(tags(&bench.stores[0].bytes())[..3].to_vec());
        }
        seen.into_iter().collect::<Vec<_>>()
    };
    let prefixes = [vec![1, 2, 3], vec![51, 51, 51], vec![52, 52, 52], vec![52, 53, 52]];
    assert_eq!(outcomes(&Kept::Prefix, false), prefixes);
    let subset = outcomes(&Kept::Part(Keep::Drawn), false);
    assert_eq!(subset.len(), 6, "{subset:?}");
    assert!(subset.contains(&vec![51, 53, 51]), "a later write without the one before");
    let reordered = outcomes(&Kept::All, true);
    let orders = [vec![51, 51, 51], vec![51, 53, 51], vec![52, 52, 52], vec![52, 53, 52]];
    assert_eq!(reordered, orders);
}

#[test]
fn garbage_is_neither_old_nor_new_and_is_listed() {
    let bench = bench();
    bench.write(0, 0, &sector(51).repeat(3)).unwrap();
    let torn = Torn::Part(Keep::Mask(vec![false, true, false]));
    let keep = Survivors::Drawn { keep: Kept::All, torn, rest: Rest::Garbage, reorder: false };
    let crash = Crash { keep, down: Duration::ZERO, errno: Errno::EIO };
    let firing = cut(&bench, &crash, 0);
    let Alteration::Crash { flips, kept, lost, .. } = &firing.alterations[0] else {
        panic!("{firing:?}")
    };
    let found = bench.stores[0].bytes();
    assert_eq!(found[512..1024], sector(51));
    assert!(found[..512].iter().chain(&found[1024..1536]).all(|byte| *byte != 51));
    assert_eq!((flips.len(), kept.len(), lost.len()), (1024, 1, 0));
    let again = self::bench();
    again.write(0, 0, &sector(51).repeat(3)).unwrap();
    let keep = Survivors::Runs { runs: kept.clone(), flips: flips.clone() };
    cut(&again, &Crash { keep, ..crash }, 0);
    assert_eq!(again.stores[0].bytes(), found);
}

const NOTHING: Kept = Kept::None;

#[test]
fn fua_is_durable_at_once_and_ends_what_is_older() {
    let bench = bench();
    bench.write(0, 0, &sector(51).repeat(2)).unwrap();
    let data = Bytes::from(sector(52));
    bench.children[0].pwrite(0, data, Flags::FUA).now_or_never().unwrap().unwrap();
    cut(&bench, &drawn(Kept::All, Torn::Whole), 0);
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [52, 51, 3]);
    bench.children[0].pwrite_zeroes(512, 512, Flags::FUA).now_or_never().unwrap().unwrap();
    bench.children[0].pwrite_zeroes(1024, 512, Flags::NONE).now_or_never().unwrap().unwrap();
    bench.children[0].pdiscard(1536, 512).now_or_never().unwrap().unwrap();
    assert_eq!(tags(&bench.stores[0].bytes())[..5], [52, 0, 0, 0, 5]);
    cut(&bench, &drawn(NOTHING, Torn::Whole), 1);
    assert_eq!(tags(&bench.stores[0].bytes())[..5], [52, 0, 3, 4, 5]);
}

#[test]
fn bytes_within_a_sector_are_kept_apart() {
    let bench = bench();
    bench.write(0, 500, &[51; 100]).unwrap();
    flush(&bench);
    bench.write(0, 550, &[52; 100]).unwrap();
    bench.write(0, 490, &[53; 20]).unwrap();
    let run = Run { write: 4, range: 495..505 };
    cut(&bench, &runs(vec![run]), 0);
    let mut wanted = super::content();
    wanted[500..600].fill(51);
    wanted[495..505].fill(53);
    assert_eq!(bench.stores[0].bytes(), wanted);
}

#[test]
fn a_flush_makes_durable_what_was_answered_before_it_and_no_more() {
    let bench = bench();
    bench.write(0, 0, &sector(51)).unwrap();
    *bench.host.is_held.lock().unwrap() = true;
    let mut early = bench.children[0].pwrite(512, sector(52).into(), Flags::NONE);
    assert_eq!((&mut early).now_or_never(), None);
    let mut flush = bench.children[0].flush();
    assert_eq!((&mut flush).now_or_never(), None);
    *bench.host.is_held.lock().unwrap() = false;
    early.now_or_never().unwrap().unwrap();
    flush.now_or_never().unwrap().unwrap();
    cut(&bench, &drawn(NOTHING, Torn::Whole), 0);
    assert_eq!(tags(&bench.stores[0].bytes())[..2], [51, 2]);
}

#[test]
fn a_length_that_was_not_flushed_comes_back_with_its_bytes() {
    let resize = |bench: &Bench, bytes| {
        bench.children[0].truncate(bytes, Prealloc::Off).now_or_never().unwrap().unwrap();
    };
    let bench = bench();
    resize(&bench, 1000);
    resize(&bench, 4096);
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [1, 2, 0]);
    cut(&bench, &drawn(Kept::All, Torn::Whole), 0);
    assert_eq!(bench.stores[0].bytes(), super::content());
    resize(&bench, 512);
    flush(&bench);
    cut(&bench, &drawn(NOTHING, Torn::Whole), 1);
    assert_eq!(bench.stores[0].bytes(), sector(1));
    resize(&bench, 2048);
    bench.write(0, 1024, &sector(60)).unwrap();
    cut(&bench, &drawn(NOTHING, Torn::Whole), 2);
    assert_eq!(bench.stores[0].bytes(), sector(1));
}

#[test]
fn what_is_overwritten_behind_everybodys_back_is_durable() {
    let bench = bench();
    bench.write(0, 0, &sector(51).repeat(2)).unwrap();
    bench.children[0].overwritten(0, &sector(70));
    let overwrite = bench.stores[0].pwrite(0, sector(70).into(), Flags::NONE);
    overwrite.now_or_never().expect("at once").unwrap();
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [70, 51, 3]);
    cut(&bench, &drawn(NOTHING, Torn::Whole), 0);
    assert_eq!(tags(&bench.stores[0].bytes())[..3], [70, 2, 3]);
}

#[test]
fn a_rule_may_cut_the_power_while_writes_are_in_flight() {
    for (keep, wanted) in [("\"none\"", [1, 2, 3]), ("\"all\"", [51, 52, 3])] {
        let fault = format!(
            "when = {{ nth = 2 }}\ndo = {{ fault = \"crash\", keep = {keep}, down = \"1ms\", \
             errno = \"ETIMEDOUT\" }}"
        );
        let bench = Bench::new(1, &line("r", "\"write\"", "0", &fault));
        *bench.host.is_held.lock().unwrap() = true;
        let mut first = bench.children[0].pwrite(0, sector(51).into(), Flags::NONE);
        assert_eq!((&mut first).now_or_never(), None);
        let mut second = bench.children[0].pwrite(512, sector(52).into(), Flags::NONE);
        assert_eq!((&mut second).now_or_never(), None);
        assert_eq!(tags(&bench.stores[0].bytes())[..3], wanted, "{keep}");
        *bench.host.is_held.lock().unwrap() = false;
        assert_eq!(first.now_or_never(), Some(Err(Errno::ETIMEDOUT)));
        assert_eq!(second.now_or_never(), Some(Err(Errno::ETIMEDOUT)));
        assert_eq!(bench.read(0, 0, 512), Err(Errno::ETIMEDOUT), "it is still down");
        bench.at(Duration::from_millis(1));
        assert_eq!(tags(&bench.read(0, 0, 1536).unwrap()), wanted, "{keep}");
    }
}

#[test]
fn what_a_power_cut_has_cut_off_stays_so_in_a_healed_child() {
    let fault = "when = { nth = 2 }\ndo = { fault = \"crash\", down = \"1s\" }";
    let bench = Bench::new(1, &line("r", "\"write\"", "0", fault));
    *bench.host.is_held.lock().unwrap() = true;
    let mut first = bench.children[0].pwrite(0, sector(51).into(), Flags::NONE);
    assert_eq!((&mut first).now_or_never(), None);
    assert_eq!(bench.children[0].pwrite(0, sector(52).into(), Flags::NONE).now_or_never(), None);
    bench.children[0].heal();
    *bench.host.is_held.lock().unwrap() = false;
    assert_eq!(first.now_or_never(), Some(Err(Errno::EIO)));
    assert_eq!(bench.read(0, 0, 512).unwrap(), sector(1), "its power is back");
}
