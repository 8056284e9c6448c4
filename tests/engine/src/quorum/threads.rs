//! One array, several threads.

use bytes::Bytes;
use futures_lite::future::{block_on, poll_once, yield_now};
use quorate_engine::{
    BlockDevice, Errno, Extent, Flags, IoFuture, Limits, Memory, Prealloc, Quorum, QuorumOptions,
};
use std::{sync::Arc, thread};

/// Memory that lets others go first, twice in every operation.
struct Polite(Memory);

impl Polite {
    fn after<'a, T: Send + 'a>(&'a self, io: IoFuture<'a, T>) -> IoFuture<'a, T> {
        Box::pin(async {
            yield_now().await;
            let answer = io.await;
            yield_now().await;
            answer
        })
    }
}

impl BlockDevice for Polite {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.0.length()
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        self.after(self.0.pread(offset, bytes))
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        self.after(self.0.pwrite(offset, data, flags))
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        self.after(self.0.pwrite_zeroes(offset, bytes, flags))
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.after(self.0.pdiscard(offset, bytes))
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.after(self.0.flush())
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        self.after(self.0.block_status(offset, bytes))
    }

    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async { Err(Errno::ENOTSUP) })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.after(self.0.close())
    }
}

/// Four threads write, zero, read, flush and walk away from requests on one page.
#[test]
fn replicas_are_equal_after_threads_have_shared_an_array() {
    let children: Vec<_> = (0..3).map(|_| Arc::new(Polite(Memory::new(BYTES)))).collect();
    let mut options = QuorumOptions::builder("q", 2).rewrite_corrupted(true);
    for (i, child) in children.iter().enumerate() {
        options = options.child(format!("c{i}"), child.clone());
    }
    let array = block_on(Quorum::open(options.build().unwrap(), &(), Arc::new(()))).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let array = &array;
            scope.spawn(move || block_on(hammer(array, thread)));
        }
    });
    block_on(array.close()).unwrap();
    let read = |child: &Arc<Polite>| block_on(child.0.pread(0, index(BYTES))).unwrap();
    for child in &children[1..] {
        assert!(read(child) == read(&children[0]), "every request was the same for all");
    }
}

/// Every fifth request is dropped after a few polls.
async fn hammer(array: &Quorum, thread: u64) {
    let mut dice = thread;
    let mut roll = |sides: u64| {
        // The linear congruence of Knuth's MMIX.
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for turn in 0..2000_u64 {
        let (offset, bytes) = (roll(BYTES - 600), roll(600));
        let flags = Flags { fua: roll(8) == 0, ..Flags::NONE };
        let fill = u8::try_from(1 + (turn + thread) % 255).expect("a byte");
        let mut request: IoFuture<'_, ()> = match roll(6) {
            0 | 1 => array.pwrite(offset, vec![fill; index(bytes)].into(), flags),
            2 => array.pwrite_zeroes(offset, bytes, flags),
            3 => array.flush(),
            _ => {
                let read = array.pread(offset, index(bytes));
                Box::pin(async { read.await.map(drop) })
            }
        };
        if roll(5) > 0 {
            request.await.expect("no child fails");
        } else {
            for _ in 0..roll(4) {
                if poll_once(&mut request).await.is_some() {
                    break;
                }
            }
        }
    }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("the device is small")
}

const BYTES: u64 = 4096;
