//! Children that are files.
//!
//! Not shown: that a flush which failed fails ever after. No file of the test's own fails to sync.

use super::memory::{BYTES_MAX, check, steps};
use futures_lite::future::block_on;
use futures_util::future::join_all;
use proptest::prelude::{ProptestConfig, proptest};
use quorate_engine::{
    BlockDevice, Errno, Event, Extent, ExtentKind, Flags, Prealloc, Quorum, QuorumOptions,
};
use quorate_file::{Access, FileDevice};
use std::{
    fs, future,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex},
    task::Poll,
};
use tempfile::TempDir;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_is_a_vector_of_bytes(length in 0..=BYTES_MAX, steps in steps()) {
        let dir = dir();
        let device = create(&dir, length);
        check(&device, length, &steps)?;
        block_on(device.close()).unwrap();
    }
}

#[test]
fn what_was_written_is_in_the_file_at_its_offset() {
    let dir = dir();
    let device = create(&dir, 100);
    assert_eq!(fs::read(path(&dir)).unwrap(), [0; 100]);
    block_on(device.pwrite(40, vec![7; 20].into(), Flags::FUA)).unwrap();
    let zeroes = Flags { fua: true, may_unmap: true, no_fallback: false };
    block_on(device.pwrite_zeroes(50, 5, zeroes)).unwrap();
    let expected = [vec![0; 40], vec![7; 10], vec![0; 5], vec![7; 5], vec![0; 40]].concat();
    assert_eq!(fs::read(path(&dir)).unwrap(), expected);
}

#[test]
fn long_zeroes_reach_the_end_and_no_further() {
    let dir = dir();
    fs::write(path(&dir), vec![1; 300_000]).unwrap();
    let device = FileDevice::open(path(&dir), Access::ReadWrite).unwrap();
    block_on(device.pwrite_zeroes(1, 299_998, Flags::NONE)).unwrap();
    let file = fs::read(path(&dir)).unwrap();
    assert_eq!((file[0], file[299_999], file.len()), (1, 1, 300_000));
    assert!(file[1..299_999].iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_that_exists_is_not_created_again() {
    let dir = dir();
    fs::write(path(&dir), "precious").unwrap();
    let refused = FileDevice::create(path(&dir), 8).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(path(&dir)).unwrap(), b"precious");
    let missing = FileDevice::open(dir.path().join("missing"), Access::ReadOnly).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let dir = dir();
    for path in [dir.path(), Path::new("/dev/null")] {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let refused = FileDevice::open(path, access).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{path:?}");
        }
    }
}

#[test]
fn a_length_that_no_file_can_have_leaves_no_file() {
    let dir = dir();
    assert!(FileDevice::create(path(&dir), u64::MAX).is_err());
    assert!(!path(&dir).exists());
}

#[test]
fn a_read_only_file_is_only_read() {
    let dir = dir();
    fs::write(path(&dir), "precious").unwrap();
    let device = FileDevice::open(path(&dir), Access::ReadOnly).unwrap();
    assert!(device.limits().read_only);
    assert_eq!(block_on(device.pread(0, 8)).unwrap(), b"precious".as_slice());
    assert_eq!(block_on(device.pwrite(0, vec![1].into(), Flags::NONE)), Err(Errno::EPERM));
    assert_eq!(block_on(device.pwrite_zeroes(0, 1, Flags::NONE)), Err(Errno::EPERM));
    assert_eq!(block_on(device.pdiscard(0, 1)), Err(Errno::EPERM));
    assert_eq!(block_on(device.truncate(0, Prealloc::Off)), Err(Errno::EPERM));
    assert_eq!(block_on(device.flush()), Ok(()));
    assert_eq!(fs::read(path(&dir)).unwrap(), b"precious");
}

#[test]
fn a_file_says_what_it_cannot_do() {
    let dir = dir();
    let device = create(&dir, 8);
    for prealloc in [Prealloc::Falloc, Prealloc::Full] {
        assert_eq!(block_on(device.truncate(16, prealloc)), Err(Errno::ENOTSUP));
    }
    assert_eq!(block_on(device.pdiscard(0, 8)), Ok(()));
    assert_eq!(block_on(device.pdiscard(0, 9)), Err(Errno::EINVAL));
    assert_eq!(block_on(device.pread(u64::MAX, 2)), Err(Errno::EINVAL));
}

#[test]
fn holes_are_told_from_data_to_the_end() {
    let dir = dir();
    let device = create(&dir, 1 << 20);
    block_on(device.pwrite(65536, vec![7; 65536].into(), Flags::NONE)).unwrap();
    let status = |offset, bytes| block_on(device.block_status(offset, bytes)).unwrap();
    let zero = |bytes| Extent { bytes, kind: ExtentKind::Zero };
    let data = |bytes| Extent { bytes, kind: ExtentKind::Data };
    assert_eq!(status(0, 1 << 20), zero(65536));
    assert_eq!(status(100, 1000), zero(1000));
    assert_eq!(status(65536, (1 << 20) - 65536), data(65536));
    assert_eq!(status(131_071, 2), data(1));
    assert_eq!(status(131_072, (1 << 20) - 131_072), zero((1 << 20) - 131_072));
    assert_eq!(status(70_000, 10), data(10));
}

#[test]
fn zeroes_may_give_space_back_and_never_change_what_is_around_them() {
    let dir = dir();
    let unmap = Flags { may_unmap: true, ..Flags::NONE };
    let only = Flags { no_fallback: true, ..Flags::NONE };
    for (flags, hole) in [(Flags::NONE, false), (unmap, true), (only, false)] {
        fs::write(path(&dir), vec![1; 1 << 20]).unwrap();
        let device = FileDevice::open(path(&dir), Access::ReadWrite).unwrap();
        let (from, bytes) = (4095, (1 << 19) + 2);
        match block_on(device.pwrite_zeroes(from, bytes, flags)) {
            Err(Errno::ENOTSUP) if flags.no_fallback => continue,
            done => done.unwrap(),
        }
        let all = block_on(device.pread(0, 1 << 20)).unwrap();
        let zeroed = from..from + bytes;
        let wrong = (0..).zip(&all).find(|(at, byte)| zeroed.contains(at) != (**byte == 0));
        assert_eq!((wrong, all.len()), (None, 1 << 20), "{flags:?}");
        let taken = fs::metadata(path(&dir)).unwrap().blocks() * 512;
        assert!(!hole || taken < 1 << 20, "{taken} bytes are taken");
        block_on(device.pwrite_zeroes(9, 0, flags)).unwrap();
    }
}

#[test]
fn a_file_cut_short_behind_the_arrays_back_fails_its_reads() {
    let dir = dir();
    let device = create(&dir, 100);
    fs::write(path(&dir), [1; 60]).unwrap();
    assert_eq!(block_on(device.pread(50, 20)), Err(Errno::EIO));
    assert_eq!(block_on(device.pread(40, 20)).unwrap(), [1; 20].as_slice());
    assert_eq!(block_on(device.length()), Ok(60));
    block_on(device.invalidate()).unwrap();
    assert_eq!(block_on(device.pread(50, 20)), Err(Errno::EINVAL), "now it is beyond the end");
}

#[test]
fn a_closed_file_has_no_medium() {
    let dir = dir();
    let device = create(&dir, 8);
    assert_eq!(block_on(device.close()), Ok(()));
    assert_eq!(block_on(device.pread(0, 8)), Err(Errno::ENOMEDIUM));
    assert_eq!(block_on(device.flush()), Err(Errno::ENOMEDIUM));
    assert_eq!(block_on(device.close()), Ok(()));
}

#[test]
fn a_write_that_was_started_and_dropped_is_done() {
    let dir = dir();
    let device = create(&dir, 200 * 512);
    let data = |i| vec![u8::try_from(i % 250).unwrap() + 1; 512];
    for i in 0..200 {
        let mut write = device.pwrite(i * 512, data(i).into(), Flags::NONE);
        block_on(future::poll_fn(|cx| {
            let _ = write.as_mut().poll(cx);
            Poll::Ready(())
        }));
    }
    drop(device.pwrite(0, vec![255; 512].into(), Flags::NONE));
    // A write that is on its way in the pool is visible after at most so many looks at the file.
    let expected: Vec<u8> = (0..200).flat_map(data).collect();
    let done = (0..10_000).any(|_| block_on(device.pread(0, 200 * 512)).unwrap() == expected);
    assert!(done, "every one, and not the one that was never polled");
}

#[test]
fn many_requests_at_once_keep_to_their_places() {
    let dir = dir();
    let device = create(&dir, 64 * 4096);
    let fill = |i: u64| u8::try_from(i).unwrap() + 1;
    block_on(join_all((0..64).map(|i| {
        let device = &device;
        async move {
            device.pwrite(i * 4096, vec![fill(i); 4096].into(), Flags::NONE).await.unwrap();
            device.flush().await.unwrap();
            assert_eq!(device.pread(i * 4096, 4096).await.unwrap(), vec![fill(i); 4096]);
        }
    })));
    let expected: Vec<_> = (0..64).flat_map(|i| vec![fill(i); 4096]).collect();
    assert_eq!(fs::read(path(&dir)).unwrap(), expected);
}

#[test]
fn a_file_that_rots_is_outvoted_and_repaired() {
    let dir = dir();
    let paths: Vec<_> = (0..3).map(|i| dir.path().join(format!("{i}.img"))).collect();
    let mut options = QuorumOptions::builder("q", 2).rewrite_corrupted(true);
    for (i, path) in paths.iter().enumerate() {
        let file = FileDevice::create(path, 8192).unwrap();
        options = options.child(format!("c{i}"), Arc::new(file));
    }
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let sink = Arc::new(move |event: Event| sink.lock().unwrap().push(event));
    block_on(async {
        let array = Quorum::open(options.build().unwrap(), &(), sink).await.unwrap();
        array.pwrite(0, vec![7; 8192].into(), Flags::FUA).await.unwrap();
        fs::write(&paths[1], [vec![7; 5000], vec![8; 3192]].concat()).unwrap();
        assert_eq!(array.pread(0, 8192).await.unwrap(), vec![7; 8192]);
        array.close().await.unwrap();
    });
    let told = events.lock().unwrap();
    let [Event::ReportBad { node_name, error: None, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(node_name.as_str(), "c1");
    for path in paths {
        assert_eq!(fs::read(path).unwrap(), [7; 8192]);
    }
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("there is a place for temporary files")
}

fn path(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("a.img")
}

fn create(dir: &TempDir, bytes: u64) -> FileDevice {
    let path: &Path = &path(dir);
    FileDevice::create(path, bytes).expect("there is space")
}
