//! What is known of data and holes, and what of it is believed.

use super::{Bed, FILE, plain};
use crate::task::now;
use quorate_engine::{BlockDevice, ExtentKind};

#[test]
fn every_run_of_every_small_map_is_found() {
    for map in 0..1_u32 << LENGTH {
        let holes: Vec<_> = (0..LENGTH).map(|at| (map >> at & 1 == 1).then_some(7)).collect();
        let bed = Bed::new();
        bed.fake.put_holes(FILE, holes.clone());
        let image = bed.open(plain);
        for offset in 0..LENGTH {
            for bytes in 1..=LENGTH - offset {
                let extent = now(image.block_status(offset as u64, bytes as u64)).unwrap();
                let same = |byte: &&Option<u8>| byte.is_some() == holes[offset].is_some();
                let run = holes[offset..offset + bytes].iter().take_while(same).count();
                let kind =
                    if holes[offset].is_some() { ExtentKind::Data } else { ExtentKind::Zero };
                assert_eq!((extent.bytes, extent.kind), (run as u64, kind), "{map:b} {offset}");
            }
        }
    }
}

/// G16 and the race of libgfapi's seeks: places before the start, behind the end, and errors.
#[test]
fn an_answer_that_cannot_be_is_no_hole() {
    let bed = Bed::holding(&[7; LENGTH]);
    let image = bed.open(plain);
    let answers = || (0..10).map(|at| (at, 0)).chain([(-1, 6), (-1, 22), (-1, 0), (i64::MAX, 0)]);
    for (data, why) in answers() {
        for (hole, why_not) in answers() {
            for offset in 0..LENGTH as u64 {
                for bytes in 1..=LENGTH as u64 - offset {
                    bed.fake.answer("seek data", data, why);
                    bed.fake.answer("seek hole", hole, why_not);
                    let extent = now(image.block_status(offset, bytes)).unwrap();
                    bed.fake.forget("seek hole");
                    let place = |ret: i64| u64::try_from(ret).ok();
                    let inside = |at: &u64| *at > offset && *at <= LENGTH as u64;
                    let next = place(data).filter(inside).filter(|at| *at < LENGTH as u64);
                    let expected = match next {
                        _ if (data, why) == (-1, 6) => (bytes, ExtentKind::Zero),
                        Some(next) => (bytes.min(next - offset), ExtentKind::Zero),
                        None if place(data) == Some(offset) => {
                            let end = place(hole).filter(inside).unwrap_or(u64::MAX);
                            (bytes.min(end - offset), ExtentKind::Data)
                        }
                        None => (bytes, ExtentKind::Data),
                    };
                    let asked = format!("data {data} {why} hole {hole} {why_not} at {offset}");
                    assert_eq!((extent.bytes, extent.kind), expected, "{asked}");
                }
            }
        }
    }
}

/// G17: it answers with where it stands.
#[test]
fn a_library_that_cannot_seek_has_data_everywhere() {
    for (ret, errno) in [(8, 0), (0, 0), (-1, 22), (-1, 0)] {
        let bed = Bed::new();
        bed.fake.put_holes(FILE, vec![None; 8]);
        bed.fake.answer("seek data 8", ret, errno);
        let image = bed.open(plain);
        let extent = now(image.block_status(0, 8)).unwrap();
        assert_eq!((extent.bytes, extent.kind), (8, ExtentKind::Data), "{ret} {errno}");
        assert_eq!(bed.fake.journal(), Vec::<String>::new(), "it is not asked again");
    }
}

/// G18: the end of a file need not be that of a block.
#[test]
fn a_direct_image_has_extents_of_whole_blocks_and_no_hole_with_data_in_it() {
    const CELL: usize = 128;
    for cells in 5..=8 {
        for map in 0..1_u32 << cells {
            let byte = |at: usize| (map >> (at / CELL) & 1 == 1).then_some(7);
            let bed = Bed::new();
            bed.fake.put_holes(FILE, (0..cells * CELL).map(byte).collect());
            let image = bed.open(|image| image.direct(true));
            for (offset, bytes) in [(0, 1024), (0, 512), (512, 512)] {
                let extent = now(image.block_status(offset, bytes)).unwrap();
                let told = extent.bytes;
                assert!(told.is_multiple_of(512) && (1..=bytes).contains(&told), "{map:b} {told}");
                let end = usize::try_from(offset + told).unwrap();
                let start = usize::try_from(offset).unwrap();
                let empty = (start..end.min(cells * CELL)).all(|at| byte(at).is_none());
                assert!(extent.kind == ExtentKind::Data || empty, "{map:b} {offset}");
                // And a block that is one hole is known to be.
                let first = (start..(start + 512).min(cells * CELL)).all(|at| byte(at).is_none());
                assert_eq!(extent.kind == ExtentKind::Zero, first, "{map:b} {offset}");
            }
        }
    }
}

const LENGTH: usize = 6;
