//! Error numbers: every one has a name, a text and a way back.

use quorate_engine::Errno;
use std::io;

#[test]
fn every_number_survives_its_name_its_digits_and_the_operating_system() {
    let all: Vec<_> = Errno::all().collect();
    assert!(all.is_sorted(), "in numeric order");
    assert_eq!(all.len(), 131, "as many as Linux has");
    for errno in all {
        let name = errno.name().expect("all of them are named");
        assert_eq!(errno.to_string(), name);
        assert_eq!(format!("{errno:?}"), name);
        assert_eq!(name.parse(), Ok(errno), "{name}");
        assert_eq!(errno.number().to_string().parse(), Ok(errno), "{name}");
        assert_eq!(Errno::from_number(errno.number()), Some(errno));
        assert_eq!(Errno::from(io::Error::from(errno)), errno);
    }
}

/// The texts are those of the C library, which the standard library quotes.
#[test]
fn every_text_is_that_of_strerror() {
    for errno in Errno::all() {
        let quoted = io::Error::from(errno).to_string();
        let number = errno.number();
        assert_eq!(quoted, format!("{} (os error {number})", errno.message()));
    }
}

#[test]
fn the_constants_are_the_numbers_of_linux() {
    for (errno, number, name) in [
        (Errno::EPERM, 1, "EPERM"),
        (Errno::ENOENT, 2, "ENOENT"),
        (Errno::EIO, 5, "EIO"),
        (Errno::EAGAIN, 11, "EAGAIN"),
        (Errno::ENOMEM, 12, "ENOMEM"),
        (Errno::EACCES, 13, "EACCES"),
        (Errno::EBUSY, 16, "EBUSY"),
        (Errno::EEXIST, 17, "EEXIST"),
        (Errno::EINVAL, 22, "EINVAL"),
        (Errno::ENOSPC, 28, "ENOSPC"),
        (Errno::EROFS, 30, "EROFS"),
        (Errno::ERANGE, 34, "ERANGE"),
        (Errno::ENOTSUP, 95, "ENOTSUP"),
        (Errno::ESHUTDOWN, 108, "ESHUTDOWN"),
        (Errno::ETIMEDOUT, 110, "ETIMEDOUT"),
        (Errno::EDQUOT, 122, "EDQUOT"),
        (Errno::ENOMEDIUM, 123, "ENOMEDIUM"),
        (Errno::ECANCELED, 125, "ECANCELED"),
    ] {
        assert_eq!((errno.number(), errno.name()), (number, Some(name)));
    }
}

#[test]
fn second_names_mean_the_same_number() {
    for (alias, name) in
        [("EOPNOTSUPP", "ENOTSUP"), ("EWOULDBLOCK", "EAGAIN"), ("EDEADLOCK", "EDEADLK")]
    {
        assert_eq!(alias.parse::<Errno>(), name.parse(), "{alias}");
    }
}

#[test]
fn a_number_without_a_name_is_still_an_error() {
    let errno = Errno::from_number(4000).expect("Linux could return it");
    assert_eq!(errno.name(), None);
    assert_eq!(errno.to_string(), "errno 4000");
    assert_eq!(errno.message(), "Unknown error 4000");
    assert_eq!("4000".parse(), Ok(errno));
}

#[test]
fn what_linux_cannot_return_is_no_error_number() {
    for number in [i32::MIN, -5, 0, 4096, 65_541, i32::MAX] {
        assert_eq!(Errno::from_number(number), None, "{number}");
        assert!(number.to_string().parse::<Errno>().is_err(), "{number}");
    }
    for text in ["", "eio", "EIO ", "E", "Input/output error", "0x5"] {
        let said = text.parse::<Errno>().expect_err("not an error number").to_string();
        let rest = "is not an error number: write a name such as EIO, or a number from 1 to 4095";
        assert_eq!(said, format!("'{text}' {rest}"));
    }
}

#[test]
fn an_error_that_is_not_the_systems_own_is_eio() {
    assert_eq!(Errno::from(io::Error::other("a story")), Errno::EIO);
    assert_eq!(Errno::from(io::Error::from_raw_os_error(28)), Errno::ENOSPC);
}
