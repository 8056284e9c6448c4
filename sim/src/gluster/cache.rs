//! What a client keeps of a file: writes that were acknowledged and are not on the brick (write-behind),
//! and the file's length (md-cache).

use super::{
    link::Wire,
    order::overlap,
    serve::elapsed,
    watched::Watched,
    wire::{Ask, Given, Opened, What},
};
use bytes::Bytes;
use quorate_engine::{Errno, Result, gluster::api::Stat};
use std::{ops::Range, sync::Arc, time::Duration};

/// A file of which something is kept, however many have it open.
pub(super) struct Inode {
    pub(super) wire: Arc<Wire>,
    cache: Watched<Cache>,
}

#[derive(Default)]
struct Cache {
    /// In the order in which they came.
    writes: Vec<Write>,
    written: u64,
    stat: Option<Seen>,
    /// How often this client has changed something.
    changes: u64,
}

struct Write {
    number: u64,
    opened: Opened,
    offset: u64,
    data: Bytes,
    /// Whether somebody was told that it was done.
    acknowledged: bool,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    Sent,
    /// Stays in the cache and is tried again when the file is next used.
    Failed(Errno),
}

#[derive(Clone, Copy)]
struct Seen {
    stat: Stat,
    until: Duration,
}

impl Inode {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self { wire, cache: Watched::new(Cache::default()) }
    }

    /// Takes a write into the cache, and tells how it went as soon as there is room for it.
    pub(super) async fn write(
        self: &Arc<Self>,
        opened: Opened,
        offset: u64,
        data: Bytes,
    ) -> Result<u64> {
        let bytes = data.len() as u64;
        let number = self.cache.change(|cache| {
            cache.changed();
            cache.retry();
            cache.written += 1;
            let (number, fate) = (cache.written, Fate::Waits);
            cache.writes.push(Write { number, opened, offset, data, acknowledged: false, fate });
            number
        });
        self.pump();
        let told = |cache: &mut Cache| {
            let held = cache.acknowledged();
            let Some(at) = cache.writes.iter().position(|write| write.number == number) else {
                return Some(Ok(bytes));
            };
            if held <= WINDOW {
                cache.writes[at].acknowledged = true;
                return Some(Ok(bytes));
            }
            let errno = cache.failure(|write| write.number <= number)?;
            cache.writes.remove(at);
            Some(Err(errno))
        };
        self.cache.until(told).await
    }

    /// Waits until what was written into a range is on the brick.
    ///
    /// # Errors
    /// It could not be written, or something else that was written before could not. It stays.
    pub(super) async fn settle(self: &Arc<Self>, range: Range<u64>) -> Result<()> {
        let last = self.cache.change(|cache| {
            cache.retry();
            cache.written
        });
        self.pump();
        let settled = |cache: &mut Cache| {
            let before = |write: &Write| write.number <= last;
            if !cache.writes.iter().any(|write| before(write) && overlap(&write.range(), &range)) {
                return Some(Ok(()));
            }
            cache.failure(before).map(Err)
        };
        self.cache.until(settled).await
    }

    /// The same for everything. What could not be written is lost unless it is to be kept.
    pub(super) async fn flush(self: &Arc<Self>, keep: bool) -> Result<()> {
        let last = self.cache.look(|cache| cache.written);
        let settled = self.settle(0..u64::MAX).await;
        if settled.is_err() && !keep {
            let lost = |write: &Write| write.number <= last && write.fate != Fate::Sent;
            self.cache.change(|cache| cache.writes.retain(|write| !lost(write)));
        }
        settled
    }

    /// Nothing that was written before counts any more.
    pub(super) fn forget(&self) {
        self.cache.change(|cache| {
            cache.changed();
            cache.writes.retain(|write| write.fate == Fate::Sent);
        });
    }

    /// The file is different from now on. What is known of it does not count any more.
    pub(super) fn changed(&self) {
        self.cache.touch(Cache::changed);
    }

    /// How long the file is; as it was known up to a second ago, unless this client has changed it.
    pub(super) async fn stat(self: &Arc<Self>, opened: Opened) -> Result<Stat> {
        self.settle(0..u64::MAX).await?;
        let (seen, changes) = self.cache.look(|cache| (cache.stat, cache.changes));
        if let Some(seen) = seen.filter(|seen| elapsed() < seen.until) {
            return Ok(seen.stat);
        }
        let Given::Stat(stat) = self.wire.ask(opened, What::Stat).await? else {
            unreachable!("a brick answers what it is asked")
        };
        self.saw(stat, changes);
        Ok(stat)
    }

    /// Reads what the brick has, and hears how long the file is.
    pub(super) async fn read(&self, opened: Opened, offset: u64, bytes: usize) -> Result<Bytes> {
        let changes = self.cache.look(|cache| cache.changes);
        let read = self.wire.ask(opened, What::Read { offset, bytes }).await?;
        let Given::Data(data, stat) = read else {
            unreachable!("a brick answers what it is asked")
        };
        self.saw(stat, changes);
        Ok(data)
    }

    /// A length was heard that was asked for after so many changes.
    fn saw(&self, stat: Stat, changes: u64) {
        self.cache.touch(|cache| {
            if cache.changes == changes {
                cache.stat = Some(Seen { stat, until: elapsed() + STALE });
            }
        });
    }

    /// Sends what can be sent: all that overlaps nothing earlier.
    fn pump(self: &Arc<Self>) {
        while let Some((number, ask)) = self.cache.touch(Cache::next) {
            match self.wire.submit(ask) {
                Err(errno) => self.cache.change(|cache| cache.landed(number, Err(errno))),
                Ok(answer) => {
                    let inode = self.clone();
                    self.wire.spawn(async move {
                        let answer = answer.take().await;
                        inode.cache.change(|cache| cache.landed(number, answer));
                        inode.pump();
                    });
                }
            }
        }
    }
}

impl Cache {
    fn changed(&mut self) {
        self.stat = None;
        self.changes += 1;
    }

    fn retry(&mut self) {
        for write in &mut self.writes {
            if matches!(write.fate, Fate::Failed(_)) {
                write.fate = Fate::Waits;
            }
        }
    }

    /// How much was acknowledged and is not on the brick.
    fn acknowledged(&self) -> u64 {
        let held = self.writes.iter().filter(|write| write.acknowledged);
        held.map(|write| write.data.len() as u64).sum()
    }

    /// What is wrong with some of the writes, once none of them is under way.
    fn failure(&self, which: impl Fn(&Write) -> bool) -> Option<Errno> {
        let those = || self.writes.iter().filter(|write| which(write));
        if those().any(|write| write.fate == Fate::Sent) {
            return None;
        }
        those().find_map(|write| match write.fate {
            Fate::Failed(errno) => Some(errno),
            Fate::Waits | Fate::Sent => None,
        })
    }

    fn next(&mut self) -> Option<(u64, Ask)> {
        let is_free = |(at, write): &(usize, &Write)| {
            let blocks = |earlier: &Write| overlap(&earlier.range(), &write.range());
            write.fate == Fate::Waits && !self.writes[..*at].iter().any(blocks)
        };
        let (at, _) = self.writes.iter().enumerate().find(is_free)?;
        let write = &mut self.writes[at];
        write.fate = Fate::Sent;
        let what = What::Write { offset: write.offset, data: write.data.clone() };
        Some((write.number, Ask::Of(write.opened, what)))
    }

    fn landed(&mut self, number: u64, answer: Result<Given>) {
        self.changed();
        let at = self.writes.iter().position(|write| write.number == number);
        let at = at.expect("what was sent stays until it is answered");
        let write = &mut self.writes[at];
        match answer.map(|given| given.count()) {
            Ok(count) if count == write.data.len() as u64 => drop(self.writes.remove(at)),
            Ok(count) => {
                // The rest of it will say why.
                write.offset += count;
                write.data = write.data.slice(usize::try_from(count).expect("a part of it")..);
                write.fate = Fate::Waits;
            }
            Err(errno) => write.fate = Fate::Failed(errno),
        }
    }
}

impl Write {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.data.len() as u64
    }
}

/// How much may be acknowledged and not be on the brick (`performance.write-behind-window-size`).
const WINDOW: u64 = 1 << 20;

/// How long a length is believed (`performance.md-cache-timeout`).
const STALE: Duration = Duration::from_secs(1);
