//! Calls that overlap take effect in the order in which they began.

use super::fake::{Fake, How, What};
use futures_lite::future::{block_on, poll_once};
use futures_util::future::BoxFuture;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};
use quorate_engine::gluster::api::{Done, File, ReadDone, Seek};
use std::sync::atomic::{AtomicU32, Ordering};

/// A call, of which only the range matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read(u64, u64),
    Write(u64, u64),
    Zerofill(u64, u64),
    Discard(u64, u64),
    Truncate(u64),
    Allocate(u64, u64),
    Fsync,
}
use Call::{Allocate, Discard, Fsync, Read, Truncate, Write, Zerofill};

#[test]
fn who_overlaps_waits() {
    for first in [Write(8, 8), Zerofill(8, 8), Discard(8, 8), Truncate(40), Truncate(8)] {
        for second in
            [Write(15, 1), Read(8, 8), Read(0, 9), Zerofill(0, 64), Discard(15, 9), Truncate(0)]
        {
            waits(first, second, true);
        }
    }
    for second in [Write(8, 1), Zerofill(0, 64), Discard(15, 9), Truncate(50)] {
        waits(Read(8, 8), second, true);
    }
}

#[test]
fn who_does_not_overlap_goes() {
    for first in [Write(8, 8), Zerofill(8, 8), Discard(8, 8), Read(8, 8), Fsync] {
        for second in [Write(16, 8), Read(0, 8), Zerofill(16, 1), Discard(7, 1), Write(9, 0), Fsync]
        {
            waits(first, second, false);
        }
    }
    waits(Read(8, 8), Read(8, 8), false);
    waits(Truncate(8), Fsync, false);
    waits(Fsync, Truncate(8), false);
}

/// Of two calls that begin one after the other, whether the second waits for the first.
#[track_caller]
fn waits(first: Call, second: Call, expected: bool) {
    let fake = Fake::new(&format!("{first:?} {second:?}"), &[1; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let mut calls = [begin(&*file, first), begin(&*file, second)];
    for call in &mut calls {
        assert!(block_on(poll_once(call)).is_none());
    }
    let waits = fake.in_flight().len() == 1;
    assert_eq!(waits, expected, "{first:?}, {second:?}");
    let [one, two] = calls;
    fake.answer(0);
    block_on(one);
    fake.answer(0);
    block_on(two);
    fake.how(How::Inside);
}

#[test]
fn what_changes_waits_for_a_seek_and_a_read_does_not() {
    let fake = Fake::new("seek waits", &[1; 64]);
    let file = fake.file();
    fake.how(How::Held);
    let mut seek = file.seek(8, Seek::Data);
    assert!(block_on(poll_once(&mut seek)).is_none());
    fake.wait_in_flight(1);
    let mut read = begin(&*file, Read(0, 64));
    assert!(block_on(poll_once(&mut read)).is_none());
    assert_eq!(fake.in_flight().len(), 2);
    fake.answer(1);
    assert_eq!(block_on(read), Done { ret: 64, errno: 0 });
    let mut write = begin(&*file, Write(63, 1));
    assert!(block_on(poll_once(&mut write)).is_none());
    assert_eq!(fake.in_flight(), [What::Stat], "with which the seek began");
    fake.answer(0);
    fake.answer(0);
    assert_eq!(block_on(seek), Done { ret: 8, errno: 0 });
    fake.answer(0);
    assert_eq!(block_on(write), Done { ret: 1, errno: 0 });
    fake.how(How::Inside);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_the_order_of_answers_the_order_of_beginnings_counts(
        calls in proptest::collection::vec((call(), any::<bool>()), 1..24),
        picks in proptest::collection::vec(any::<u16>(), 24),
    ) {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let fake = Fake::new(&format!("run {}", RUNS.fetch_add(1, Ordering::Relaxed)), &[99; 32]);
        let file = fake.file();
        fake.how(How::Held);
        let mut model = vec![99; 32];
        let mut begun = Vec::new();
        for (i, (call, dropped)) in calls.iter().enumerate() {
            let (mut future, expected) = (fill(&*file, *call, i), apply(&mut model, *call, i));
            assert!(block_on(poll_once(&mut future)).is_none());
            if !dropped {
                begun.push((future, expected));
            }
        }
        for pick in &picks[..calls.len()] {
            let in_flight = fake.in_flight().len().max(1);
            fake.answer(usize::from(*pick) % in_flight);
        }
        for (future, expected) in begun {
            prop_assert_eq!(block_on(future), expected);
        }
        fake.how(How::Inside);
        block_on(file.close());
        prop_assert_eq!(fake.contents(), model);
    }
}

fn call() -> impl Strategy<Value = Call> {
    let range = || (0..24u64, 1..8u64);
    prop_oneof![
        range().prop_map(|(offset, bytes)| Read(offset, bytes)),
        range().prop_map(|(offset, bytes)| Write(offset, bytes)),
        range().prop_map(|(offset, bytes)| Zerofill(offset, bytes)),
        range().prop_map(|(offset, bytes)| Discard(offset, bytes)),
        range().prop_map(|(offset, bytes)| Allocate(offset, bytes)),
        (0..32u64).prop_map(Truncate),
        Just(Fsync),
    ]
}

/// What call number `i` does to a file, and what it answers: what is read, with zeroes behind the end,
/// or nothing. (Where the file ends, a read does not see in any order: nobody overlaps there.)
fn apply(model: &mut Vec<u8>, call: Call, i: usize) -> Vec<u8> {
    let range = |offset, bytes| index(offset)..index(offset + bytes);
    let grow = |model: &mut Vec<u8>, end: usize| model.resize(model.len().max(end), 0);
    match call {
        Read(offset, bytes) => {
            range(offset, bytes).map(|at| model.get(at).copied().unwrap_or(0)).collect()
        }
        Write(offset, bytes) | Zerofill(offset, bytes) => {
            let range = range(offset, bytes);
            grow(model, range.end);
            model[range].fill(if matches!(call, Write(..)) { byte(i) } else { 0 });
            Vec::new()
        }
        Discard(offset, bytes) => {
            for at in range(offset, bytes) {
                if let Some(byte) = model.get_mut(at) {
                    *byte = 0;
                }
            }
            Vec::new()
        }
        Allocate(offset, bytes) => {
            grow(model, range(offset, bytes).end);
            Vec::new()
        }
        Truncate(bytes) => {
            model.resize(index(bytes), 0);
            Vec::new()
        }
        Fsync => Vec::new(),
    }
}

/// The call, for what it reads.
fn fill(file: &dyn File, call: Call, i: usize) -> BoxFuture<'_, Vec<u8>> {
    Box::pin(async move {
        if let Read(offset, bytes) = call {
            let ReadDone { done, buffer } = file.pread(offset, index(bytes)).await;
            let mut read = buffer[..usize::try_from(done.ret).expect("no read fails")].to_vec();
            read.resize(index(bytes), 0);
            return read;
        }
        let done = match call {
            Write(offset, bytes) => file.pwrite(offset, vec![byte(i); index(bytes)].into()).await,
            call => begin(file, call).await,
        };
        assert!(done.ret >= 0, "{done:?}");
        Vec::new()
    })
}

fn begin(file: &dyn File, call: Call) -> BoxFuture<'_, Done> {
    match call {
        Read(offset, bytes) => {
            let read = file.pread(offset, index(bytes));
            Box::pin(async { read.await.done })
        }
        Write(offset, bytes) => file.pwrite(offset, vec![7; index(bytes)].into()),
        Zerofill(offset, bytes) => file.zerofill(offset, bytes),
        Discard(offset, bytes) => file.discard(offset, bytes),
        Truncate(bytes) => file.ftruncate(bytes),
        Allocate(offset, bytes) => file.fallocate(offset, bytes),
        Fsync => file.fsync(),
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a short file")
}

fn byte(i: usize) -> u8 {
    u8::try_from(i).expect("few calls")
}
