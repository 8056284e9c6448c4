//! Making images.

use super::{Bed, FILE, image, plain};
use crate::task::now;
use quorate_engine::{
    Errno, Prealloc,
    gluster::{self, GlusterError},
};

/// G05: QEMU of 2013 made 512 bytes of 1000.
#[test]
fn a_new_image_has_whole_sectors() {
    for (bytes, expected) in [(0, 0), (1, 512), (512, 512), (513, 1024), (1000, 1024)] {
        let bed = Bed::new();
        assert_eq!(create(&bed, bytes, Prealloc::Off), Ok(()));
        assert_eq!(bed.fake.get(FILE).unwrap(), vec![0; expected]);
    }
}

#[test]
fn an_image_that_exists_is_emptied_first() {
    let bed = Bed::holding(&[7; 2000]);
    assert_eq!(create(&bed, 1000, Prealloc::Off), Ok(()));
    assert_eq!(bed.fake.get(FILE).unwrap(), [0; 1024]);
    let end = ["close", "drop", "disconnect h:24007 v"];
    let asked = ["connect h:24007 v", "create i", "stat", "ftruncate 1024"];
    assert_eq!(bed.fake.journal(), [asked.as_slice(), &end].concat());
}

#[test]
fn space_is_provided_as_asked() {
    for (prealloc, asked) in [
        (Prealloc::Falloc, ["fallocate 0+512"].as_slice()),
        (Prealloc::Full, &["ftruncate 512", "zerofill 0+512"]),
    ] {
        let bed = Bed::new();
        assert_eq!(create(&bed, 512, prealloc), Ok(()));
        assert_eq!(bed.fake.get(FILE).unwrap(), [0; 512]);
        let journal = bed.fake.journal();
        assert_eq!(journal[3..journal.len() - 3], *asked);
    }
}

#[test]
fn a_length_that_no_file_can_have_touches_nothing() {
    let bed = Bed::holding(&[7; 4]);
    for bytes in [(1 << 63) - 511, 1 << 63, u64::MAX - 511, u64::MAX] {
        let error = create(&bed, bytes, Prealloc::Off).unwrap_err();
        assert_eq!(error.errno(), Errno::EFBIG);
        let text = format!("An image of {bytes} bytes is too long: a file ends below 2^63");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(bed.fake.get(FILE).unwrap(), [7; 4]);
    assert_eq!(bed.fake.journal(), Vec::<String>::new());
}

/// S40 and G06: each failure has its own number, and what is left is said.
#[test]
fn a_failed_create_says_why_and_what_is_left() {
    for (call, errno, text) in [
        ("connect", 107, "Gluster connection for volume v, path i failed to connect: "),
        ("create", 122, "Could not create 'v/i on h:24007': Disk quota exceeded"),
        ("stat", 107, "Could not make 'v/i on h:24007' 512 bytes long: "),
        ("fallocate", 28, "Could not make 'v/i on h:24007' 512 bytes long: No space left"),
        ("close", 122, "Could not make 'v/i on h:24007' 512 bytes long: Disk quota exceeded"),
    ] {
        let bed = Bed::new();
        bed.fake.answer(call, -1, errno);
        let error = create(&bed, 512, Prealloc::Falloc).unwrap_err();
        assert_eq!(error.errno().number(), errno, "{call}");
        assert!(error.to_string().starts_with(text), "{error}");
        let left = bed.fake.get(FILE);
        let unfinished = matches!(error, GlusterError::Unfinished { .. });
        assert_eq!(left.is_some(), unfinished, "{call}");
        let emptied = left == Some(Vec::new());
        assert_eq!(emptied, error.to_string().contains("an empty file is left"), "{error}");
        assert_eq!(!emptied && unfinished, error.to_string().contains("an unfinished file"));
    }
    // G02: no number is no success.
    for call in ["connect", "create", "fallocate", "close"] {
        let bed = Bed::new();
        bed.fake.answer(call, -1, 0);
        assert_eq!(create(&bed, 512, Prealloc::Falloc).unwrap_err().errno(), Errno::EIO, "{call}");
    }
}

#[test]
fn what_failed_first_is_the_error() {
    let bed = Bed::new();
    bed.fake.answer("ftruncate 1024", -1, 28);
    bed.fake.answer("ftruncate 0", -1, 5);
    bed.fake.answer("close", -1, 107);
    let error = create(&bed, 1024, Prealloc::Off).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOSPC);
    assert!(error.to_string().contains("an unfinished file is left"), "{error}");
}

#[test]
fn a_file_is_called_empty_only_if_gluster_has_emptied_and_closed_it() {
    // Spoilt are the emptying as it is given its old length back, once more, and the close.
    for (spoilt, holds, emptied) in [
        ([false, false, false], 0, true),
        ([true, false, false], 0, true),
        ([true, true, false], 512, false),
        ([false, false, true], 0, false),
    ] {
        let bed = Bed::new();
        bed.fake.answer("zerofill", -1, 28);
        for (call, spoilt) in ["ftruncate 0", "ftruncate 0", "close"].into_iter().zip(spoilt) {
            if spoilt {
                bed.fake.answer(call, -1, 5);
            }
        }
        let error = create(&bed, 512, Prealloc::Full).unwrap_err();
        let GlusterError::Unfinished { errno, emptied: told, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((errno, told), (Errno::ENOSPC, emptied), "{spoilt:?}");
        assert_eq!(bed.fake.get(FILE).unwrap().len(), holds, "{spoilt:?}");
    }
}

fn create(bed: &Bed, bytes: u64, prealloc: Prealloc) -> Result<(), GlusterError> {
    now(gluster::create(&image(plain), bytes, prealloc, &bed.client))
}
