//! Why an array does not open or does not change: the number and the class that go with each text.

use quorate_engine::{
    Errno,
    quorum::{
        error::{ChangeError, OpenError},
        options::OptionsError,
    },
};

#[test]
fn an_error_of_opening_has_the_number_of_its_cause() {
    let options = |error: OptionsError| OpenError::from(error);
    let device = |errno| OpenError::Device { errno, text: "it burnt".into() };
    for (error, errno) in [
        (options(OptionsError::ThresholdTooHigh), Errno::ERANGE),
        (options(OptionsError::NoChildren), Errno::EINVAL),
        (OpenError::Length(Errno::ENOSPC), Errno::ENOSPC),
        (OpenError::ReadOnly, Errno::EACCES),
        (device(Errno::ENOENT), Errno::ENOENT),
        (device(Errno::ENOENT).of_child(1), Errno::EINVAL),
        (options(OptionsError::ThresholdTooHigh).of_child(1), Errno::EINVAL),
        (OpenError::NotFound("a".into()), Errno::EINVAL),
        (OpenError::Unnamed, Errno::EINVAL),
    ] {
        assert_eq!(error.errno(), errno, "{error}");
        assert_eq!(error.class(), "GenericError", "{error}");
    }
}

#[test]
fn an_error_of_changing_has_the_number_of_its_cause() {
    for (error, errno) in [
        (ChangeError::Unreadable(Errno::ENOSPC), Errno::ENOSPC),
        (ChangeError::ReadOnly, Errno::EACCES),
        (ChangeError::Closed("q".into()), Errno::ENOMEDIUM),
        (ChangeError::InUse("a".into()), Errno::EBUSY),
        (ChangeError::Blkverify, Errno::EINVAL),
        (ChangeError::BelowThreshold(2), Errno::EINVAL),
    ] {
        assert_eq!(error.errno(), errno, "{error}");
        assert_eq!(error.class(), "GenericError", "{error}");
    }
}
