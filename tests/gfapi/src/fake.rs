//! A library with libgfapi's functions, whose answers come when a test says so.
//!
//! What is oddest about libgfapi is here, too: closing a file drops the callbacks that have not come,
//! and calls that are in flight together take effect as they are answered. Instances, files and calls
//! are memory of their own, freed when libgfapi would free them.

mod functions;

use futures_lite::future::block_on;
use quorate_engine::gluster::{
    api::{Access, Connected, File, Gfapi, Volume},
    options::{Cluster, Server},
};
use quorate_gfapi::{Libgfapi, Patience};
use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

/// One volume of the library, and what a test knows and decides of it.
pub(crate) struct Fake {
    state: Mutex<State>,
    changed: Condvar,
    /// Takes connections, so that the library is asked at all.
    listener: TcpListener,
    name: String,
}

#[derive(Default)]
struct State {
    contents: Vec<u8>,
    how: How,
    pending: Vec<Pending>,
    journal: Vec<String>,
    initialised: bool,
    /// The addresses of instances that are of no use any more and may not be ended, for LeakSanitizer to find.
    left: Vec<usize>,
}

/// When calls are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum How {
    /// Before the submission returns, on its thread.
    #[default]
    Inside,
    /// When the test says so.
    Held,
    /// Not at all: they are not taken. With 0 the error number stays what it was.
    Refused(i32),
    /// Not at all: an initialisation fails before it has begun. No other call comes to that.
    Unbegun,
}

/// A call that was submitted.
#[derive(Debug)]
struct Pending {
    what: What,
    whom: Whom,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Read { offset: usize, memory: Memory },
    Write { offset: usize, data: Vec<u8> },
    Zerofill { offset: usize, bytes: usize },
    Discard { offset: usize, bytes: usize },
    Truncate { bytes: usize },
    Allocate { offset: usize, bytes: usize },
    Seek { offset: usize },
    Fsync,
    Stat,
    Close,
    Init,
    Fini,
}

/// Where a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    address: *mut u8,
    pub(crate) bytes: usize,
}

// SAFETY: it is the caller's until it is told that the call has ended, whatever the thread.
unsafe impl Send for Memory {}

/// Who is told.
enum Whom {
    /// Gluster's way: a callback.
    Callback(functions::Callback),
    /// Somebody who is blocked meanwhile.
    Blocked(std::sync::mpsc::Sender<Told>),
}

/// A result and an error number.
pub(crate) type Told = (i64, i32);

impl std::fmt::Debug for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Callback(_) => "a callback",
            Self::Blocked(_) => "a thread",
        })
    }
}

/// Every volume, by its name.
static FAKES: Mutex<BTreeMap<String, Arc<Fake>>> = Mutex::new(BTreeMap::new());

impl Fake {
    /// A volume with one file of these contents. The name is the test's own.
    pub(crate) fn new(name: &str, contents: &[u8]) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a port");
        let state = Mutex::new(State { contents: contents.to_vec(), ..State::default() });
        let fake = Self { state, changed: Condvar::new(), listener, name: name.into() };
        let fake = Arc::new(fake);
        let other = FAKES
            .lock()
            .expect("a test has failed under this lock")
            .insert(name.into(), fake.clone());
        assert!(other.is_none(), "{name} is taken");
        fake
    }

    pub(crate) fn server(&self) -> Server {
        let port = self.listener.local_addr().expect("it listens").port();
        Server::Inet { host: "127.0.0.1".into(), port }
    }

    pub(crate) fn connect(&self, servers: Vec<Server>, patience: Patience) -> Connected {
        let logfile = "/dev/null".into();
        let cluster = Cluster { servers, volume: self.name.clone(), debug: 4, logfile };
        block_on(library(patience).connect(&cluster))
    }

    pub(crate) fn volume(&self) -> Arc<dyn Volume> {
        self.connect(vec![self.server()], Patience::USUAL).expect("it listens")
    }

    /// The file, on a connection of its own.
    pub(crate) fn file(&self) -> Arc<dyn File> {
        let access = Access { write: true, direct: false };
        block_on(self.volume().open("a", access)).expect("it opens any")
    }

    /// From now on.
    pub(crate) fn how(&self, how: How) {
        self.state().how = how;
    }

    pub(crate) fn contents(&self) -> Vec<u8> {
        self.state().contents.clone()
    }

    /// What the library was asked to do, but for input and output.
    pub(crate) fn journal(&self) -> Vec<String> {
        self.state().journal.clone()
    }

    /// Waits until the library was asked for this.
    pub(crate) fn wait_for(&self, line: &str) {
        self.wait(|state| state.journal.iter().any(|entry| entry == line).then_some(()));
    }

    /// An initialisation is over.
    pub(crate) fn initialised(&self) {
        self.state().initialised = true;
        self.changed.notify_all();
    }

    /// However long that takes.
    fn wait_initialised(&self) {
        let state = self.changed.wait_while(self.state(), |state| !state.initialised);
        drop(state.expect("a test has failed under this lock"));
    }

    /// What is in flight, in the order in which it was submitted.
    pub(crate) fn in_flight(&self) -> Vec<What> {
        self.state().pending.iter().map(|pending| pending.what.clone()).collect()
    }

    /// Waits until so many calls are in flight.
    pub(crate) fn wait_in_flight(&self, count: usize) {
        self.wait(|state| (state.pending.len() == count).then_some(()));
    }

    /// Waits for a call and answers it as it should be, on this thread.
    pub(crate) fn answer(&self, index: usize) {
        self.end(index, None);
    }

    /// Waits for a call and lets it fail, without any effect.
    pub(crate) fn fail(&self, index: usize, errno: i32) {
        self.end(index, Some((-1, errno)));
    }

    /// Gives a call that is in flight an answer that need not be true. What a read asks for is all there.
    pub(crate) fn tell(&self, index: usize, ret: i64) {
        let what = self.in_flight().swap_remove(index);
        if matches!(what, What::Read { .. }) {
            self.state().take_effect(&what);
        }
        self.end(index, Some((ret, 0)));
    }

    fn end(&self, index: usize, told: Option<Told>) {
        let (pending, told) = self.wait(|state| {
            (index < state.pending.len()).then(|| {
                let pending = state.pending.remove(index);
                let told = told.unwrap_or_else(|| state.take_effect(&pending.what));
                (pending, told)
            })
        });
        pending.whom.tell(told);
    }

    /// A call arrives: it is answered, held or refused.
    fn submit(&self, what: What, whom: Whom) -> i32 {
        let mut state = self.state();
        let told = match state.how {
            How::Held => {
                state.pending.push(Pending { what, whom });
                drop(state);
                self.changed.notify_all();
                return 0;
            }
            How::Refused(errno) => {
                drop(state);
                if errno != 0 {
                    functions::set_errno(errno);
                }
                return -1;
            }
            How::Inside => state.take_effect(&what),
            How::Unbegun => panic!("{what:?} without an initialisation"),
        };
        drop(state);
        whom.tell(told);
        // As somebody else's call would leave it.
        functions::set_errno(libc::EDOM);
        0
    }

    fn note(&self, line: String) {
        self.state().journal.push(line);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a test has failed under this lock")
    }

    #[track_caller]
    fn wait<T>(&self, mut until: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.state();
        loop {
            if let Some(found) = until(&mut state) {
                return found;
            }
            let long = Duration::from_secs(20);
            let (again, waited) = self.changed.wait_timeout(state, long).expect("as above");
            assert!(!waited.timed_out(), "waits: {:?}, {:?}", again.journal, again.pending);
            state = again;
        }
    }
}

impl State {
    fn take_effect(&mut self, what: &What) -> Told {
        let fill = |contents: &mut Vec<u8>, offset: usize, data: &[u8]| {
            contents.resize(contents.len().max(offset + data.len()), 0);
            contents[offset..][..data.len()].copy_from_slice(data);
        };
        let len = self.contents.len();
        let ret = match what {
            What::Read { offset, memory } => {
                let data = &self.contents[len.min(*offset)..len.min(offset + memory.bytes)];
                // SAFETY: the caller's memory is as long as it said, and is this call's until it is
                // answered.
                unsafe { memory.address.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
                data.len()
            }
            What::Write { offset, data } => {
                fill(&mut self.contents, *offset, data);
                data.len()
            }
            What::Zerofill { offset, bytes } => {
                fill(&mut self.contents, *offset, &vec![0; *bytes]);
                0
            }
            What::Discard { offset, bytes } => {
                self.contents[len.min(*offset)..len.min(offset + bytes)].fill(0);
                0
            }
            What::Truncate { bytes } => {
                self.contents.resize(*bytes, 0);
                0
            }
            What::Allocate { offset, bytes } => {
                self.contents.resize(len.max(offset + bytes), 0);
                0
            }
            What::Seek { offset } => *offset,
            What::Stat => len,
            What::Fsync | What::Close | What::Init | What::Fini => 0,
        };
        (ret.try_into().expect("a short file"), libc::EDOM)
    }
}

impl Whom {
    fn tell(self, (ret, errno): Told) {
        match self {
            Self::Callback(callback) => callback.call(ret, errno),
            Self::Blocked(thread) => thread.send((ret, errno)).expect("it is blocked"),
        }
    }
}

/// The library.
pub(crate) fn library(patience: Patience) -> Libgfapi {
    // SAFETY: the functions are libgfapi's in all that the wrapper relies on.
    unsafe { Libgfapi::over(&functions::API, patience) }
}
