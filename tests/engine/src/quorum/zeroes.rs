//! Zeroes: passed on where a child has them, written where it has not.

use super::super::{bed::Bed, stage::Stage};
use quorate_engine::{BlockDevice, Errno, Flags, Limits, ZeroFlags};

const ALL: ZeroFlags = ZeroFlags { fua: true, may_unmap: true, no_fallback: true };
const UNMAP: Flags = Flags { may_unmap: true, ..Flags::NONE };
const NO_FALLBACK: Flags = Flags { no_fallback: true, ..Flags::NONE };

/// Three children with these abilities, and a threshold of 2.
fn bed(zeroes: [Option<ZeroFlags>; 3]) -> Bed {
    let stage = Stage::default();
    let children = zeroes.map(|zeroes| stage.child('A', Limits { zeroes, ..Limits::NONE }));
    Bed::over(stage, 2, children.into(), |options| options)
}

#[test]
fn everybody_gets_the_flags_that_everybody_has() {
    let no_unmap = ZeroFlags { may_unmap: false, ..ALL };
    for (third, line) in [(ALL, "zero 0+512 unmap"), (no_unmap, "zero 0+512")] {
        let bed = bed([Some(ALL), Some(ALL), Some(third)]);
        assert_eq!(bed.array.limits().zeroes, Some(third));
        assert_eq!(bed.zero(0, 512, UNMAP), Ok(()));
        let lines = ["c0", "c1", "c2"].map(|child| format!("{child} {line}"));
        bed.saw(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_child_without_zeroes_gets_a_write_and_no_blame() {
    let bed = bed([Some(ALL), None, Some(ALL)]);
    bed.stage.fail("c2 zero", Errno::ENOTSUP);
    assert_eq!(bed.zero(100, 1000, Flags::NONE), Ok(()));
    bed.saw(&[
        "c0 zero 100+1000",
        "c1 write 100+1000 .",
        "c2 zero 100+1000",
        "c2 write 100+1000 .",
    ]);
    assert_eq!([0, 1, 2].map(|i| bed.stage.holds(i)), ["A.A"; 3]);
}

#[test]
fn without_fallback_zeroes_are_refused_where_one_child_has_none() {
    let weak = ZeroFlags { no_fallback: false, ..ALL };
    for third in [None, Some(weak)] {
        let bed = bed([Some(ALL), Some(ALL), third]);
        assert_eq!(bed.zero(0, 512, NO_FALLBACK), Err(Errno::ENOTSUP));
        bed.saw(&[]);
    }
    let able = bed([Some(ALL); 3]);
    able.stage.fail("c1 zero", Errno::ENOTSUP);
    assert_eq!(able.zero(0, 512, NO_FALLBACK), Ok(()));
    able.told(&["! c1 write ENOTSUP 0+1"]);
}

#[test]
fn a_vote_for_enotsup_runs_once_more_as_a_write_and_is_told_twice() {
    let bed = bed([Some(ALL); 3]);
    for child in ["c0", "c1"] {
        bed.stage.fail(child, Errno::ENOTSUP);
    }
    assert_eq!(bed.zero(0, 512, Flags::NONE), Err(Errno::ENOTSUP));
    let told = ["! c0 write ENOTSUP 0+1", "! c1 write ENOTSUP 0+1", "! q failure 0+1"];
    bed.told(&[told, told].concat());
}

/// The child refuses to write an edge by itself. What the array writes instead it takes, and what is
/// then left it zeroes.
#[test]
fn zeroes_go_on_behind_what_ran_again_as_a_write() {
    let limits = Limits {
        request_alignment: 512,
        max_transfer: Some(1024),
        zeroes: Some(ALL),
        ..Limits::NONE
    };
    let bed = Bed::with("A", 1, limits, |options| options);
    bed.stage.fail("c0 write 1024+512", Errno::ENOTSUP);
    assert_eq!(bed.zero(1500, 2000, Flags::FUA), Ok(()));
    bed.saw(&[
        "c0 read 1024+512",
        "c0 read 3072+512",
        "c0 write 1024+512 A.",
        "! c0 write ENOTSUP 2+5",
        "! q failure 2+5",
        "c0 read 1024+512",
        "c0 read 2048+512",
        "c0 write 1024+1024 A.",
        "c0 write 2048+512 .A",
        "c0 read 2048+512",
        "c0 read 3072+512",
        "c0 write 2048+512 .",
        "c0 zero 2560+512 fua",
        "c0 write 3072+512 .A",
        "c0 flush",
        "c0 flush",
    ]);
    assert_eq!(bed.stage.holds(0), "A.A");
}

#[test]
fn zeroes_that_run_again_as_a_write_cover_what_was_asked_and_no_more() {
    let limits = Limits { request_alignment: 512, zeroes: Some(ALL), ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    bed.stage.fail("c0 write 1024+512", Errno::ENOTSUP);
    assert_eq!(bed.zero(1500, 1100, Flags::NONE), Ok(()));
    let lines = bed.stage.take();
    assert_eq!(lines.last().map(String::as_str), Some("c0 write 1024+2048 A.A"));
    let image = bed.stage.image(0);
    assert_eq!((image[1499], image[1500], image[2599], image[2600]), (b'A', 0, 0, b'A'));
}

#[test]
fn zeroes_without_fallback_are_not_run_again() {
    let bed = bed([Some(ALL); 3]);
    bed.stage.fail("c0 zero", Errno::ENOTSUP);
    bed.stage.fail("c1 zero", Errno::ENOTSUP);
    assert_eq!(bed.zero(0, 512, NO_FALLBACK), Err(Errno::ENOTSUP));
    bed.saw(&[
        "c0 zero 0+512 no-fallback",
        "! c0 write ENOTSUP 0+1",
        "c1 zero 0+512 no-fallback",
        "! c1 write ENOTSUP 0+1",
        "c2 zero 0+512 no-fallback",
        "! q failure 0+1",
    ]);
}

#[test]
fn a_failed_zeroing_is_told_as_a_write() {
    let bed = bed([Some(ALL); 3]);
    bed.stage.fail("c0 zero", Errno::EIO);
    bed.stage.fail("c2 zero", Errno::EIO);
    assert_eq!(bed.zero(512, 512, Flags::NONE), Err(Errno::EIO));
    bed.told(&["! c0 write EIO 1+1", "! c2 write EIO 1+1", "! q failure 1+1"]);
}

#[test]
fn forced_zeroes_are_forced_by_the_children_if_all_of_them_can() {
    let bed = bed([Some(ALL); 3]);
    assert_eq!(bed.zero(0, 512, Flags::FUA), Ok(()));
    bed.saw(&["c0 zero 0+512 fua", "c1 zero 0+512 fua", "c2 zero 0+512 fua"]);
}

#[test]
fn forced_zeroes_are_plain_zeroes_and_a_flush_if_one_child_cannot() {
    for second in [None, Some(ZeroFlags { fua: false, ..ALL })] {
        let bed = bed([Some(ALL), second, Some(ALL)]);
        assert_eq!(bed.zero(0, 512, Flags::FUA), Ok(()));
        let second = if second.is_some() { "c1 zero 0+512" } else { "c1 write 0+512 ." };
        bed.saw(&["c0 zero 0+512", second, "c2 zero 0+512", "c0 flush", "c1 flush", "c2 flush"]);
    }
}

#[test]
fn forced_zeroes_that_a_child_refuses_are_a_forced_write() {
    let limits = Limits { write_fua: true, ..Limits::NONE };
    let able = Bed::with("A", 1, limits, |options| options);
    able.stage.fail("c0 zero", Errno::ENOTSUP);
    assert_eq!(able.zero(0, 512, Flags::FUA), Ok(()));
    able.saw(&["c0 zero 0+512 fua", "c0 write 0+512 . fua"]);

    let unable = Bed::new("A", 1);
    unable.stage.fail("c0 zero", Errno::ENOTSUP);
    assert_eq!(unable.zero(0, 512, Flags::FUA), Ok(()));
    unable.saw(&["c0 zero 0+512 fua", "c0 write 0+512 .", "c0 flush"]);
}

#[test]
fn the_edges_of_unaligned_zeroes_are_written() {
    let limits = Limits { request_alignment: 512, ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    assert_eq!(bed.zero(500, 1100, UNMAP), Ok(()));
    bed.saw(&[
        "c0 read 0+512",
        "c0 read 1536+512",
        "c0 write 0+512 A.",
        "c0 zero 512+1024 unmap",
        "c0 write 1536+512 .A",
    ]);
    assert_eq!(bed.zero(600, 100, Flags::NONE), Ok(()));
    bed.saw(&["c0 read 512+512", "c0 write 512+512 ."]);
}

#[test]
fn forced_zeroes_are_durable_to_their_edges() {
    let limits = Limits { request_alignment: 512, ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    for refused in [false, true] {
        if refused {
            bed.stage.fail("c0 zero", Errno::ENOTSUP);
        }
        for (offset, bytes) in [(500, 1100), (500, 524), (512, 600), (600, 100)] {
            assert_eq!(bed.zero(offset, bytes, Flags::FUA), Ok(()));
            let lines = bed.stage.take();
            assert_eq!(lines.last().map(String::as_str), Some("c0 flush"), "{lines:?}");
            assert_eq!(lines.iter().filter(|line| *line == "c0 flush").count(), 1, "{lines:?}");
        }
    }
    let limits = Limits { write_fua: true, ..limits };
    let able = Bed::with("A", 1, limits, |options| options);
    assert_eq!(able.zero(500, 1100, Flags::FUA), Ok(()));
    able.saw(&[
        "c0 read 0+512",
        "c0 read 1536+512",
        "c0 write 0+512 A. fua",
        "c0 zero 512+1024 fua",
        "c0 write 1536+512 .A fua",
    ]);
}

#[test]
fn zeroes_inside_one_sector_leave_the_rest_of_it() {
    let limits = Limits { request_alignment: 512, ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    assert_eq!(bed.zero(600, 100, Flags::NONE), Ok(()));
    bed.saw(&["c0 read 512+512", "c0 write 512+512 A.A"]);
    let image = bed.stage.image(0);
    assert_eq!((image[599], image[600], image[699], image[700]), (b'A', 0, 0, b'A'));
}

#[test]
fn forced_zeroes_fail_where_their_edges_cannot_be_made_durable() {
    let limits = Limits { request_alignment: 512, zeroes: Some(ALL), ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    bed.stage.fail("c0 flush", Errno::ENOSPC);
    assert_eq!(bed.zero(500, 1100, Flags::FUA), Err(Errno::ENOSPC));
    bed.told(&["! c0 write ENOSPC 0+4", "! q failure 0+4"]);
}

/// The child forced the second piece itself, but not the first, which it got as data.
#[test]
fn forced_zeroes_are_durable_where_a_child_took_to_them_late() {
    let limits = Limits { zeroes: Some(ALL), max_transfer: Some(1024), ..Limits::NONE };
    let bed = Bed::with("A", 1, limits, |options| options);
    bed.stage.fail("c0 zero 0", Errno::ENOTSUP);
    assert_eq!(bed.zero(0, 2048, Flags::FUA), Ok(()));
    bed.saw(&["c0 zero 0+2048 fua", "c0 write 0+1024 .", "c0 zero 1024+1024 fua", "c0 flush"]);
}

#[test]
fn zeroes_of_nothing_succeed() {
    let bed = bed([Some(ALL); 3]);
    assert_eq!(bed.zero(512, 0, Flags::NONE), Ok(()));
    bed.saw(&[]);
}
