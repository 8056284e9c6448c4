//! Clusters of which the test decides every answer, and one journal of what they were asked.
//!
//! A call is a line such as `connect h:24007 v`, `open i rw`, `pread 0+512`, `fsync` or `close`. Tests
//! hold, release and spoil calls by the beginnings of these lines. What is not spoilt does what
//! libgfapi does with a file whose every byte is data or a hole.

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use quorate_engine::{
    Errno,
    gluster::{
        api::{
            Access, Connected, Done, File, Gfapi, Opened, ReadDone, Refusal, Seek, Stat, Volume,
        },
        options::Cluster,
    },
};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
};

/// A scripted libgfapi.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    journal: Vec<String>,
    /// `None` is a hole.
    files: BTreeMap<String, Vec<Option<u8>>>,
    held: Vec<String>,
    wakers: Vec<Waker>,
    /// What the next call whose line begins so is answered, and nothing is done.
    answers: Vec<(String, Done)>,
}

impl Fake {
    pub(super) fn put(&self, file: &str, bytes: &[u8]) {
        self.put_holes(file, bytes.iter().copied().map(Some).collect());
    }

    pub(super) fn put_holes(&self, file: &str, bytes: Vec<Option<u8>>) {
        self.state().files.insert(file.into(), bytes);
    }

    /// What the file holds, holes as zeroes.
    pub(super) fn get(&self, file: &str) -> Option<Vec<u8>> {
        let bytes = |bytes: &Vec<Option<u8>>| bytes.iter().map(|byte| byte.unwrap_or(0)).collect();
        self.state().files.get(file).map(bytes)
    }

    /// The next call whose line begins so does nothing and answers this.
    pub(super) fn answer(&self, line: &str, ret: i64, errno: i32) {
        self.state().answers.push((line.into(), Done { ret, errno }));
    }

    /// Takes an answer back that nothing has come for.
    pub(super) fn forget(&self, line: &str) {
        self.state().answers.retain(|(start, _)| start != line);
    }

    /// Calls whose lines begin so wait.
    pub(super) fn hold(&self, line: &str) {
        self.state().held.push(line.into());
    }

    /// They go on.
    pub(super) fn release(&self, line: &str) {
        let wakers = {
            let mut state = self.state();
            state.held.retain(|held| held != line);
            mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What was asked since the last time.
    pub(super) fn journal(&self) -> Vec<String> {
        mem::take(&mut self.state().journal)
    }

    /// Notes a call, waits until it may go on, and has it spoilt or done.
    async fn call<T>(
        &self,
        line: String,
        spoilt: impl FnOnce(Done) -> T,
        act: impl FnOnce(&mut State) -> T,
    ) -> T {
        self.state().journal.push(line.clone());
        poll_fn(|cx| {
            let mut state = self.state();
            if !state.held.iter().any(|held| line.starts_with(held)) {
                return Poll::Ready(());
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let mut state = self.state();
        match state.answers.iter().position(|(start, _)| line.starts_with(start)) {
            Some(at) => spoilt(state.answers.remove(at).1),
            None => act(&mut state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test goes on after a panic")
    }
}

impl Gfapi for Fake {
    fn connect<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Connected> {
        let servers: Vec<_> = cluster.servers.iter().map(ToString::to_string).collect();
        let place = format!("{} {}", servers.join(","), cluster.volume);
        let line = format!("connect {place}");
        let volume = move |_: &mut State| {
            Ok(Arc::new(FakeVolume { fake: self.clone(), place }) as Arc<dyn Volume>)
        };
        self.call(line, |done| Err(refusal(done)), volume).boxed()
    }
}

struct FakeVolume {
    fake: Fake,
    /// Its servers and its name.
    place: String,
}

impl FakeVolume {
    fn key(&self, path: &str) -> String {
        format!("{} {path}", self.place)
    }

    fn file(&self, key: String) -> Arc<dyn File> {
        Arc::new(FakeFile { fake: self.fake.clone(), key })
    }
}

impl Volume for FakeVolume {
    fn open<'a>(&'a self, path: &'a str, access: Access) -> BoxFuture<'a, Opened> {
        let mode = if access.write { "rw" } else { "ro" };
        let direct = if access.direct { " direct" } else { "" };
        let key = self.key(path);
        let open = move |state: &mut State| match state.files.contains_key(&key) {
            true => Ok(self.file(key)),
            false => Err(Refusal { errno: Errno::ENOENT.number(), text: None }),
        };
        let line = format!("open {path} {mode}{direct}");
        self.fake.call(line, |done| Err(refusal(done)), open).boxed()
    }

    fn create<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Opened> {
        let key = self.key(path);
        let create = move |state: &mut State| {
            state.files.insert(key.clone(), Vec::new());
            Ok(self.file(key))
        };
        self.fake.call(format!("create {path}"), |done| Err(refusal(done)), create).boxed()
    }
}

impl Drop for FakeVolume {
    fn drop(&mut self) {
        self.fake.state().journal.push(format!("disconnect {}", self.place));
    }
}

struct FakeFile {
    fake: Fake,
    key: String,
}

impl FakeFile {
    /// Does something to the bytes; what it answers is the count.
    fn on(
        &self,
        line: String,
        act: impl FnOnce(&mut Vec<Option<u8>>) -> Done + Send + 'static,
    ) -> BoxFuture<'_, Done> {
        let act = |state: &mut State| act(state.files.get_mut(&self.key).expect("it is there"));
        self.fake.call(line, |done| done, act).boxed()
    }
}

impl File for FakeFile {
    fn pread(&self, offset: u64, bytes: usize) -> BoxFuture<'_, ReadDone> {
        // What is not read is left as it was in C.
        let mut buffer = vec![RUBBISH; bytes];
        let rubbish = Bytes::from(buffer.clone());
        let spoilt = move |done| ReadDone { done, buffer: rubbish };
        let act = move |state: &mut State| {
            let file = &state.files[&self.key];
            let from = index(offset).min(file.len());
            let count = bytes.min(file.len() - from);
            for (to, byte) in buffer.iter_mut().zip(&file[from..from + count]) {
                *to = byte.unwrap_or(0);
            }
            ReadDone { done: done(count), buffer: buffer.into() }
        };
        self.fake.call(format!("pread {offset}+{bytes}"), spoilt, act).boxed()
    }

    fn pwrite(&self, offset: u64, data: Bytes) -> BoxFuture<'_, Done> {
        self.on(format!("pwrite {offset}+{}", data.len()), move |file| {
            put(file, index(offset), data.iter().copied().map(Some));
            done(data.len())
        })
    }

    fn zerofill(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.on(format!("zerofill {offset}+{bytes}"), move |file| {
            put(file, index(offset), (0..index(bytes)).map(|_| Some(0)));
            done(0)
        })
    }

    fn discard(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.on(format!("discard {offset}+{bytes}"), move |file| {
            let end = file.len().min(index(offset + bytes));
            file[index(offset)..end].fill(None);
            done(0)
        })
    }

    fn fsync(&self) -> BoxFuture<'_, Done> {
        self.on("fsync".into(), |_| done(0))
    }

    fn ftruncate(&self, bytes: u64) -> BoxFuture<'_, Done> {
        self.on(format!("ftruncate {bytes}"), move |file| {
            file.resize(index(bytes), None);
            done(0)
        })
    }

    fn fallocate(&self, offset: u64, bytes: u64) -> BoxFuture<'_, Done> {
        self.on(format!("fallocate {offset}+{bytes}"), move |file| {
            let end = file.len().max(index(offset + bytes));
            file.resize(end, Some(0));
            done(0)
        })
    }

    fn seek(&self, offset: u64, what: Seek) -> BoxFuture<'_, Done> {
        let name = if what == Seek::Data { "data" } else { "hole" };
        self.on(format!("seek {name} {offset}"), move |file| {
            let from = index(offset);
            let mut rest = file.iter().skip(from);
            let found = match what {
                Seek::Data => rest.position(Option::is_some),
                // The end counts as a hole.
                Seek::Hole if from < file.len() => {
                    Some(rest.position(Option::is_none).unwrap_or(file.len() - from))
                }
                Seek::Hole => None,
            };
            found.map_or(Done { ret: -1, errno: Errno::ENXIO.number() }, |at| done(from + at))
        })
    }

    fn stat(&self) -> BoxFuture<'_, quorate_engine::Result<Stat>> {
        let act = |state: &mut State| {
            let file = &state.files[&self.key];
            let allocated = file.iter().flatten().count() as u64;
            Ok(Stat { bytes: file.len() as u64, allocated })
        };
        let spoilt = |done: Done| Err(Errno::from_number(done.errno).expect("a stat has a number"));
        self.fake.call("stat".into(), spoilt, act).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Done> {
        self.on("close".into(), |_| done(0))
    }
}

/// Whoever drops the last handle closes the file.
impl Drop for FakeFile {
    fn drop(&mut self) {
        self.fake.state().journal.push("drop".into());
    }
}

fn put(file: &mut Vec<Option<u8>>, at: usize, bytes: impl ExactSizeIterator<Item = Option<u8>>) {
    let end = file.len().max(at + bytes.len());
    file.resize(end, None);
    file.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = byte);
}

fn done(count: usize) -> Done {
    Done { ret: i64::try_from(count).expect("tests are small"), errno: 0 }
}

fn refusal(done: Done) -> Refusal {
    Refusal { errno: done.errno, text: None }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("tests are small")
}

/// What a buffer holds before anything is read into it.
pub(super) const RUBBISH: u8 = 0xee;
