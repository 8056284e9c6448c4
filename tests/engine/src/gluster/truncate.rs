//! Changes of length.

use super::{Bed, FILE, plain};
use crate::task::{Task, now};
use quorate_engine::{BlockDevice, Errno, Flags, Prealloc};

#[test]
fn an_image_grows_and_shrinks() {
    let bed = Bed::holding(&[7; 4]);
    let image = bed.open(plain);
    for (bytes, holds, asked) in [
        (6, [7, 7, 7, 7, 0, 0].as_slice(), ["stat", "ftruncate 6"].as_slice()),
        (2, &[7, 7], &["stat", "ftruncate 2"]),
        (2, &[7, 7], &["stat"]),
        (0, &[], &["stat", "ftruncate 0"]),
        (1, &[0], &["stat", "ftruncate 1"]),
    ] {
        assert_eq!(now(image.truncate(bytes, Prealloc::Off)), Ok(()));
        assert_eq!(bed.fake.get(FILE).unwrap(), holds);
        assert_eq!(bed.fake.journal(), asked);
        let outside = now(image.pread(bytes, 1));
        assert_eq!(outside, Err(Errno::EINVAL), "the length is known at once");
    }
}

#[test]
fn space_is_provided_for_what_is_added() {
    for (prealloc, asked) in [
        (Prealloc::Falloc, ["stat", "fallocate 4+3"].as_slice()),
        (Prealloc::Full, &["stat", "ftruncate 7", "zerofill 4+3"]),
    ] {
        let bed = Bed::holding(&[7; 4]);
        let image = bed.open(plain);
        assert_eq!(now(image.truncate(7, prealloc)), Ok(()));
        assert_eq!(bed.fake.get(FILE).unwrap(), [7, 7, 7, 7, 0, 0, 0]);
        assert_eq!(bed.fake.journal(), asked);
        assert_eq!(now(image.allocated()), Ok(7));
        assert_eq!(now(image.truncate(7, prealloc)), Ok(()), "nothing is to be done");
        assert_eq!(now(image.truncate(6, prealloc)), Err(Errno::ENOTSUP), "nothing is added");
        assert_eq!(bed.fake.get(FILE).unwrap().len(), 7);
    }
}

#[test]
fn an_image_that_cannot_have_its_space_gets_its_old_length_back() {
    for (prealloc, call) in [
        (Prealloc::Falloc, "fallocate"),
        (Prealloc::Full, "zerofill"),
        (Prealloc::Full, "ftruncate"),
    ] {
        for (ret, errno, expected) in
            [(-1, 28, Errno::ENOSPC), (-1, 0, Errno::EIO), (1, 0, Errno::EIO)]
        {
            let bed = Bed::holding(&[7; 4]);
            let image = bed.open(plain);
            bed.fake.answer(call, ret, errno);
            assert_eq!(now(image.truncate(7, prealloc)), Err(expected), "{call}");
            assert_eq!(bed.fake.get(FILE).unwrap(), [7; 4]);
            assert_eq!(bed.fake.journal().last().unwrap(), "ftruncate 4");
            assert_eq!(now(image.pread(4, 1)), Err(Errno::EINVAL));
        }
    }
    let bed = Bed::holding(&[7; 4]);
    let image = bed.open(plain);
    bed.fake.answer("ftruncate", -1, 27);
    assert_eq!(now(image.truncate(7, Prealloc::Off)), Err(Errno::EFBIG));
    bed.fake.answer("stat", -1, 107);
    assert!(now(image.truncate(7, Prealloc::Off)).is_err());
}

#[test]
fn zeroes_are_written_where_a_brick_cannot_fill_with_them() {
    let bed = Bed::holding(&[7; 4]);
    let image = bed.open(plain);
    bed.fake.answer("zerofill", -1, 95);
    let end = 4 + (1 << 20) + 5;
    assert_eq!(now(image.truncate(end, Prealloc::Full)), Ok(()));
    let asked = bed.fake.journal();
    assert_eq!(asked[3..], ["pwrite 4+1048576".into(), format!("pwrite {}+5", 4 + (1 << 20))]);
    assert_eq!(now(image.allocated()), Ok(end));
}

/// G25: requests of 1 GiB fail with some versions.
#[test]
fn no_request_is_longer_than_half_a_gibibyte() {
    let bed = Bed::holding(b"");
    let image = bed.open(plain);
    for call in ["ftruncate", "zerofill", "zerofill", "zerofill"] {
        bed.fake.answer(call, 0, 0);
    }
    let half = 512 << 20;
    assert_eq!(now(image.truncate(2 * half + 1, Prealloc::Full)), Ok(()));
    let asked = ["zerofill 0+536870912", "zerofill 536870912+536870912", "zerofill 1073741824+1"];
    assert_eq!(bed.fake.journal()[2..], asked);
}

#[test]
fn lengths_that_no_file_can_have_are_refused() {
    let bed = Bed::holding(&[7; 512]);
    let image = bed.open(plain);
    for bytes in [1 << 63, u64::MAX] {
        assert_eq!(now(image.truncate(bytes, Prealloc::Off)), Err(Errno::EFBIG));
    }
    let image = bed.open(|image| image.direct(true));
    assert_eq!(now(image.truncate(511, Prealloc::Off)), Err(Errno::EINVAL), "half a block");
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
}

#[test]
fn a_change_that_was_given_up_on_is_ended_by_whoever_comes_next() {
    let bed = Bed::holding(&[7; 4]);
    let image = bed.open(plain);
    bed.fake.hold("fallocate");
    bed.fake.answer("fallocate", -1, 28);
    drop(Task::start(image.truncate(7, Prealloc::Falloc)));
    bed.fake.release("fallocate");
    assert_eq!(now(image.flush()), Ok(()));
    assert_eq!(bed.fake.journal(), ["stat", "fallocate 4+3", "ftruncate 4", "fsync"]);
}

#[test]
fn an_odd_tail_is_written_to_the_end_of_its_block() {
    let bed = Bed::holding(&[7; 700]);
    let image = bed.open(|image| image.direct(true));
    assert_eq!(now(image.pwrite(512, vec![1; 512].into(), Flags::NONE)), Ok(()));
    assert_eq!(bed.fake.get(FILE).unwrap().len(), 1024);
    assert_eq!(now(image.pread(512, 512)), Ok(vec![1; 512].into()));
}
