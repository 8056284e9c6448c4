//! What an answer means: every small count with every kind of error number.

use quorate_engine::{
    Errno,
    gluster::{api::Done, done},
};

#[test]
fn only_the_right_count_is_success_and_a_negative_one_is_always_an_error() {
    for ret in -3..=9 {
        for errno in [0, -1, 5, 28, 4095, 4096, i32::MIN, i32::MAX] {
            let answer = Done { ret, errno };
            // S38: QEMU takes -1 with error number 0 for success.
            let why = Errno::from_number(errno).unwrap_or(Errno::EIO);
            let error = if ret < 0 { why } else { Errno::EIO };
            let only = |good: bool| if good { Ok(()) } else { Err(error) };
            assert_eq!(done::plain(answer), only(ret == 0), "{answer:?}");
            for bytes in 0..=9_u8 {
                // S37: QEMU takes a write of nothing for a whole one.
                let whole = ret == i64::from(bytes);
                assert_eq!(done::full(answer, bytes.into()), only(whole), "{answer:?} {bytes}");
                let filled = only(ret == 0 || whole);
                assert_eq!(done::filled(answer, bytes.into()), filled, "{answer:?} {bytes}");
                let count = usize::try_from(ret).ok().filter(|&count| count <= bytes.into());
                assert_eq!(done::read(answer, bytes.into()), count.ok_or(error), "{answer:?}");
            }
            assert_eq!(done::place(answer), u64::try_from(ret).map_err(|_| error), "{answer:?}");
        }
    }
}

#[test]
fn counts_that_do_not_fit_are_no_success() {
    for ret in [i64::MIN, i64::MAX] {
        let answer = Done { ret, errno: 0 };
        assert_eq!(done::plain(answer), Err(Errno::EIO));
        assert_eq!(done::full(answer, 1 << 32), Err(Errno::EIO));
        assert_eq!(done::read(answer, 512), Err(Errno::EIO));
    }
    // QEMU of 2013 kept the count in 32 bits.
    let answer = Done { ret: 3 << 30, errno: 0 };
    assert_eq!(done::full(answer, 3 << 30), Ok(()));
}
