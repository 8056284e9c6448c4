//! The device in memory, held to a plain vector of bytes.

use super::task::now;
use bytes::Bytes;
use futures_lite::future::block_on;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use quorate_engine::{
    BlockDevice, Errno, Extent, ExtentKind, Flags, Image, Limits, Memory, Prealloc,
};

/// One thing to do, with numbers that are taken modulo what fits.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Read(u64, u64),
    Write(u64, u64, u8),
    Zero(u64, u64),
    Resize(u64),
    Status(u64, u64),
    Flush,
}

/// A few pages, so that every kind of edge is hit.
pub(super) const BYTES_MAX: u64 = 3 * 4096 + 100;

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let edge = prop_oneof![Just(0_u64), Just(4095), Just(4096), Just(8192), 0..=BYTES_MAX];
    let range = (edge, prop_oneof![Just(0_u64), Just(1), Just(4096), 0..=BYTES_MAX]);
    let step = prop_oneof![
        3 => range.clone().prop_map(|(at, bytes)| Step::Read(at, bytes)),
        4 => (range.clone(), 1_u8..).prop_map(|((at, bytes), fill)| Step::Write(at, bytes, fill)),
        2 => range.clone().prop_map(|(at, bytes)| Step::Zero(at, bytes)),
        1 => (0..=BYTES_MAX).prop_map(Step::Resize),
        2 => range.prop_map(|(at, bytes)| Step::Status(at, bytes)),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn memory_is_a_vector_of_bytes(length in 0..=BYTES_MAX, steps in steps()) {
        check(&Memory::new(length), length, &steps)?;
    }

    #[test]
    fn a_copy_of_an_image_stays_as_it_was(
        before in any::<[u8; 32]>(),
        after in any::<[u8; 32]>(),
        at in 4070_u64..4100,
    ) {
        let mut image = Image::new(BYTES_MAX);
        image.write(at, &before);
        let copy = image.clone();
        image.write(at, &after);
        prop_assert_eq!(&copy.read(at, 32)[..], &before[..]);
        prop_assert_eq!(&image.read(at, 32)[..], &after[..]);
    }
}

/// Does the steps to a device that holds zeroes, and to a vector.
pub(super) fn check(
    device: &dyn BlockDevice,
    length: u64,
    steps: &[Step],
) -> Result<(), proptest::test_runner::TestCaseError> {
    let mut model = vec![0; index(length)];
    for step in steps {
        let inside = |at: u64, bytes: u64| model.get(index(at)..index(at + bytes)).is_some();
        match *step {
            Step::Read(at, bytes) => {
                let read = block_on(device.pread(at, index(bytes)));
                let expected = model.get(index(at)..index(at + bytes)).ok_or(Errno::EINVAL);
                prop_assert_eq!(read.as_ref().map(|data| &data[..]).map_err(|e| *e), expected);
            }
            Step::Write(at, bytes, fill) => {
                let data = Bytes::from(vec![fill; index(bytes)]);
                let done = block_on(device.pwrite(at, data, Flags::NONE));
                prop_assert_eq!(done.is_ok(), inside(at, bytes));
                if done.is_ok() {
                    model[index(at)..index(at + bytes)].fill(fill);
                }
            }
            Step::Zero(at, bytes) => {
                let done = block_on(device.pwrite_zeroes(at, bytes, Flags::NONE));
                prop_assert_eq!(done.is_ok(), inside(at, bytes));
                if done.is_ok() {
                    model[index(at)..index(at + bytes)].fill(0);
                }
            }
            Step::Resize(bytes) => {
                let done = block_on(device.truncate(bytes, Prealloc::Off));
                prop_assert_eq!(done, Ok(()));
                model.resize(index(bytes), 0);
            }
            Step::Status(at, bytes) => {
                let status = block_on(device.block_status(at, bytes));
                prop_assert_eq!(status.is_ok(), inside(at, bytes));
                let Ok(Extent { bytes: known, kind }) = status else { continue };
                prop_assert_eq!(known == 0, bytes == 0);
                assert!(known <= bytes);
                let zero = model[index(at)..index(at + known)].iter().all(|byte| *byte == 0);
                assert!(kind == ExtentKind::Data || zero, "what is said to be zero is zero");
            }
            Step::Flush => prop_assert_eq!(block_on(device.flush()), Ok(())),
        }
        prop_assert_eq!(block_on(device.length()), Ok(model.len() as u64));
    }
    let all = block_on(device.pread(0, model.len()));
    prop_assert_eq!(all.map(Vec::from), Ok(model));
    Ok(())
}

#[test]
fn what_was_never_written_or_was_zeroed_takes_no_memory() {
    let device = Memory::new(1 << 40);
    let at = (1 << 39) + 4000;
    assert_eq!(now(device.pwrite(at, vec![1; 200].into(), Flags::NONE)), Ok(()));
    let pages: Vec<_> = device.snapshot().pages().map(|(offset, _)| offset).collect();
    assert_eq!(pages, [1 << 39, (1 << 39) + 4096]);
    assert_eq!(now(device.pwrite_zeroes(1 << 39, 4096, Flags::NONE)), Ok(()));
    assert_eq!(device.snapshot().pages().count(), 1);
    assert_eq!(now(device.truncate(100, Prealloc::Off)), Ok(()));
    assert_eq!(device.snapshot().pages().count(), 0, "what was cut off is gone");
}

#[test]
fn a_page_cut_off_in_its_middle_takes_no_memory_either() {
    let mut image = Image::new(5000);
    image.write(4500, b"end");
    image.resize(4096);
    assert_eq!(image, Image::new(4096));
}

#[test]
fn status_runs_are_as_long_as_they_can_be() {
    let device = Memory::new(5 * 4096);
    assert_eq!(now(device.pwrite(4096 + 5, vec![1; 4096].into(), Flags::NONE)), Ok(()));
    for (offset, bytes, kind, known) in [
        (0, 5 * 4096, ExtentKind::Zero, 4096),
        (100, 5 * 4096 - 100, ExtentKind::Zero, 3996),
        (4096, 4 * 4096, ExtentKind::Data, 8192),
        (4097, 100, ExtentKind::Data, 100),
        (3 * 4096, 2 * 4096, ExtentKind::Zero, 2 * 4096),
    ] {
        let status = now(device.block_status(offset, bytes));
        assert_eq!(status, Ok(Extent { bytes: known, kind }), "{offset}+{bytes}");
    }
}

#[test]
fn a_device_answers_for_the_limits_it_was_given() {
    let limits = Limits { request_alignment: 512, read_only: true, ..Limits::NONE };
    assert_eq!(Memory::with_image(Image::new(0), limits).limits(), limits);
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("small")
}

/// Costs by what an image holds, not by how long it is.
#[test]
fn a_huge_image_is_as_cheap_as_what_it_holds() {
    let huge = 1 << 62;
    let mut image = Image::new(huge);
    image.write(1 << 40, b"far");
    let device = Memory::with_image(image.clone(), Limits::NONE);
    let zero = Extent { bytes: 1 << 40, kind: ExtentKind::Zero };
    assert_eq!(now(device.block_status(0, huge)), Ok(zero));
    let data = Extent { bytes: 4096, kind: ExtentKind::Data };
    assert_eq!(now(device.block_status(1 << 40, huge - (1 << 40))), Ok(data));
    image.zero(1, huge - 2);
    image.resize(1 << 41);
    assert_eq!(image, Image::new(1 << 41));
    assert_eq!(now(device.truncate(10, Prealloc::Off)), Ok(()));
    assert_eq!(device.snapshot(), Image::new(10));
}

#[test]
fn images_are_equal_by_what_they_hold() {
    let (mut written, zeroes) = (Image::new(8192), Image::new(8192));
    written.write(5000, &[0; 10]);
    assert_eq!(written, zeroes);
    written.write(5000, &[1]);
    assert_ne!(written, zeroes);
    assert_ne!(zeroes, Image::new(8191));
}
