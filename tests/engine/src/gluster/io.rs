//! Reads, writes, zeroes and discards.

use super::{Bed, FILE, plain};
use crate::task::{Task, now};
use bytes::Bytes;
use quorate_engine::{BlockDevice, Errno, Flags, Gluster, Limits, Prealloc, ZeroFlags};

const FUA: Flags = Flags { fua: true, ..Flags::NONE };

#[test]
fn limits_are_those_of_qemu_in_bytes() {
    let bed = Bed::holding(b"");
    let limits = Limits {
        request_alignment: 1,
        max_transfer: Some(512 << 20),
        write_fua: false,
        zeroes: Some(ZeroFlags { fua: false, may_unmap: false, no_fallback: false }),
        read_only: false,
    };
    assert_eq!(bed.open(plain).limits(), limits);
    let direct = Limits { request_alignment: 512, ..limits };
    assert_eq!(bed.open(|image| image.direct(true)).limits(), direct);
    let read_only = Limits { read_only: true, ..limits };
    assert_eq!(bed.open(|image| image.read_only(true)).limits(), read_only);
    assert!(!bed.open(plain).has_zero_init());
}

#[test]
fn what_was_written_is_read() {
    let bed = Bed::holding(&[0; 100]);
    let image = bed.open(plain);
    assert_eq!(write(&image, 10, 20), Ok(()));
    assert_eq!(now(image.pwrite_zeroes(15, 5, Flags::NONE)), Ok(()));
    let expected = [[7; 5], [0; 5], [7; 5], [7; 5]].concat();
    assert_eq!(now(image.pread(10, 20)), Ok(expected.into()));
    assert_eq!(now(image.length()), Ok(100));
    assert_eq!(now(image.allocated()), Ok(100));
    let asked = ["pwrite 10+20", "zerofill 15+5", "pread 10+20", "stat", "stat"];
    assert_eq!(bed.fake.journal(), asked);
}

#[test]
fn a_short_read_inside_the_file_is_an_error_and_behind_its_end_there_are_zeroes() {
    let holds: Vec<u8> = (1..=6).collect();
    for length in 0..=6_u8 {
        let bed = Bed::holding(&holds);
        let image = bed.open(plain);
        // Somebody else has cut it: what is asked for now may lie behind its end.
        bed.fake.put(FILE, &holds[..length.into()]);
        for offset in 0..=6_u8 {
            for bytes in 0..=6 - offset {
                for ret in 0..=i64::from(bytes) {
                    let line = format!("pread {offset}+{bytes}");
                    let end = offset + u8::try_from(ret).unwrap();
                    bed.fake.answer(&line, ret, 0);
                    let read = now(image.pread(offset.into(), bytes.into()));
                    // The fake's buffer holds rubbish: nothing but what was counted may be seen.
                    let rubbish = vec![super::fake::RUBBISH; usize::try_from(ret).unwrap()];
                    let mut whole = rubbish.clone();
                    whole.resize(bytes.into(), 0);
                    let expected = match ret == i64::from(bytes) || end >= length {
                        true => Ok(Bytes::from(whole)),
                        false => Err(Errno::EIO),
                    };
                    assert_eq!(read, expected, "{line} -> {ret} of {length}");
                    if bytes == 0 {
                        // It was never asked, so its answer is left.
                        assert_eq!(bed.fake.journal().last().map(String::as_str), None);
                        bed.fake.forget(&line);
                    }
                    bed.fake.journal();
                }
            }
        }
    }
}

#[test]
fn where_the_file_ends_is_asked_only_after_a_short_read() {
    let bed = Bed::holding(&[1; 700]);
    let image = bed.open(|image| image.direct(true));
    assert_eq!(now(image.length()), Ok(1024), "whole blocks");
    assert_eq!(now(image.pread(0, 512)), Ok(vec![1; 512].into()));
    assert_eq!(bed.fake.journal(), ["stat", "pread 0+512"]);
    // S36: QEMU cannot read this one.
    let tail = [[1; 188].as_slice(), &[0; 324]].concat();
    assert_eq!(now(image.pread(512, 512)), Ok(tail.into()));
    assert_eq!(bed.fake.journal(), ["pread 512+512", "stat"]);
    bed.fake.answer("pread", 100, 0);
    bed.fake.answer("stat", -1, 107);
    assert_eq!(now(image.pread(0, 512)), Err("ENOTCONN".parse().unwrap()));
}

#[test]
fn a_write_that_was_not_whole_has_failed() {
    let bed = Bed::holding(&[0; 9]);
    let image = bed.open(plain);
    for ret in -2..=9 {
        bed.fake.answer("pwrite", ret, 28);
        let expected = match ret {
            8 => Ok(()),
            ..0 => Err(Errno::ENOSPC),
            _ => Err(Errno::EIO),
        };
        assert_eq!(write(&image, 0, 8), expected, "{ret}");
        bed.fake.answer("zerofill", ret, 28);
        let expected = if ret == 0 { Ok(()) } else { expected };
        assert_eq!(now(image.pwrite_zeroes(0, 8, Flags::NONE)), expected, "{ret}");
    }
}

#[test]
fn discards_reach_the_image_only_if_it_is_to_unmap() {
    let bed = Bed::holding(&[7; 8]);
    let image = bed.open(plain);
    assert_eq!(now(image.pdiscard(2, 4)), Ok(()));
    assert_eq!(now(image.pdiscard(6, 4)), Err(Errno::EINVAL), "it is looked at all the same");
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
    let image = bed.open(|image| image.unmap(true));
    assert_eq!(now(image.pdiscard(2, 4)), Ok(()));
    assert_eq!(bed.fake.get(FILE).unwrap(), [7, 7, 0, 0, 0, 0, 7, 7]);
    for (ret, expected) in [(0, Ok(())), (-1, Err(Errno::ENOSPC)), (4, Err(Errno::EIO))] {
        bed.fake.answer("discard", ret, 28);
        assert_eq!(now(image.pdiscard(2, 4)), expected, "{ret}");
    }
}

#[test]
fn requests_of_no_bytes_never_reach_gluster() {
    let bed = Bed::holding(&[7; 8]);
    let image = bed.open(|image| image.unmap(true));
    for offset in [0, 3, 8] {
        assert_eq!(now(image.pread(offset, 0)), Ok(Bytes::new()));
        assert_eq!(write(&image, offset, 0), Ok(()));
        assert_eq!(now(image.pwrite_zeroes(offset, 0, Flags::NONE)), Ok(()));
        assert_eq!(now(image.pdiscard(offset, 0)), Ok(()));
        assert_eq!(now(image.block_status(offset, 0)).unwrap().bytes, 0);
    }
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
}

#[test]
fn what_gluster_would_acknowledge_and_lose_is_refused_before() {
    let bed = Bed::holding(&[7; 1024]);
    let image = bed.open(|image| image.unmap(true));
    let direct = bed.open(|image| image.direct(true).unmap(true));
    let beyond = [(1024, 1), (1, 1024), (1 << 62, 1), (u64::MAX, 1), (i64::MAX as u64, 512)];
    let unaligned = [(1, 512), (0, 1), (511, 1)];
    let beyond = beyond.map(|range| (&image, range));
    for (image, (offset, bytes)) in beyond.into_iter().chain(unaligned.map(|r| (&direct, r))) {
        let size = usize::try_from(bytes).unwrap();
        assert_eq!(now(image.pread(offset, size)), Err(Errno::EINVAL), "{offset}+{bytes}");
        assert_eq!(write(image, offset, size), Err(Errno::EINVAL), "{offset}+{bytes}");
        let zeroes = now(image.pwrite_zeroes(offset, bytes, Flags::NONE));
        assert_eq!(zeroes, Err(Errno::EINVAL), "{offset}+{bytes}");
        assert_eq!(now(image.pdiscard(offset, bytes)), Err(Errno::EINVAL), "{offset}+{bytes}");
        assert_eq!(now(image.block_status(offset, bytes)), Err(Errno::EINVAL), "{offset}+{bytes}");
    }
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
}

#[test]
fn flags_that_are_not_offered_are_refused() {
    let bed = Bed::holding(&[7; 8]);
    let image = bed.open(plain);
    let no_fallback = Flags { no_fallback: true, ..Flags::NONE };
    let may_unmap = Flags { may_unmap: true, ..Flags::NONE };
    assert_eq!(now(image.pwrite(0, vec![1].into(), FUA)), Err(Errno::ENOTSUP));
    assert_eq!(now(image.pwrite_zeroes(0, 1, FUA)), Err(Errno::ENOTSUP));
    assert_eq!(now(image.pwrite_zeroes(0, 1, no_fallback)), Err(Errno::ENOTSUP));
    assert_eq!(now(image.pwrite_zeroes(0, 1, may_unmap)), Ok(()), "it may, and need not");
    assert_eq!(bed.fake.journal(), ["zerofill 0+1"]);
}

#[test]
fn a_read_only_image_is_only_read() {
    let bed = Bed::holding(&[7; 8]);
    let image = bed.open(|image| image.read_only(true).unmap(true));
    assert_eq!(write(&image, 0, 1), Err(Errno::EPERM));
    assert_eq!(now(image.pwrite_zeroes(0, 1, Flags::NONE)), Err(Errno::EPERM));
    assert_eq!(now(image.pdiscard(0, 1)), Err(Errno::EPERM));
    assert_eq!(now(image.truncate(1, Prealloc::Off)), Err(Errno::EPERM));
    assert_eq!(now(image.flush()), Ok(()), "there is nothing to flush");
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
    assert_eq!(now(image.pread(0, 8)), Ok(vec![7; 8].into()));
}

#[test]
fn a_length_that_somebody_else_changed_counts_once_it_is_looked_at() {
    let bed = Bed::holding(&[7; 8]);
    let image = bed.open(plain);
    bed.fake.put(FILE, &[7; 4]);
    assert_eq!(now(image.length()), Ok(4));
    assert_eq!(now(image.pread(4, 4)), Ok(vec![0; 4].into()), "behind the end of the file");
    assert_eq!(now(image.invalidate()), Ok(()));
    assert_eq!(now(image.pread(4, 4)), Err(Errno::EINVAL), "and now of the image");
}

#[test]
fn requests_are_with_gluster_together() {
    let bed = Bed::holding(&[0; 8]);
    let image = bed.open(plain);
    bed.fake.hold("p");
    let mut first = Task::start(image.pwrite(0, vec![1; 4].into(), Flags::NONE));
    let mut second = Task::start(image.pwrite(4, vec![2; 4].into(), Flags::NONE));
    let mut read = Task::start(image.pread(0, 8));
    assert_eq!(bed.fake.journal(), ["pwrite 0+4", "pwrite 4+4", "pread 0+8"]);
    bed.fake.release("p");
    assert_eq!((first.done(), second.done()), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(read.done(), Some(Ok(vec![1, 1, 1, 1, 2, 2, 2, 2].into())));
}

fn write(image: &Gluster, offset: u64, bytes: usize) -> quorate_engine::Result<()> {
    now(image.pwrite(offset, vec![7; bytes].into(), Flags::NONE))
}
