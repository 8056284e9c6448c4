//! The process, its monitor, and what it is told to do.

mod nodes;
mod rest;
mod turn;

use crate::{
    child::{Child, Reply, Request},
    client::Conversation,
    clock::Clock,
    error::Error,
    lifeline::Lifeline,
    program::Program,
    qmp::{self, Event, Refusal},
    served::Served,
};
use rustix::event::epoll;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env,
    fs::{File, Permissions},
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{self, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A storage daemon of one's own, and the children that it is served, by name.
///
/// It is killed when this is dropped, or this process ends in whatever way, and its directory is removed.
#[derive(Debug)]
pub struct Daemon<C> {
    process: process::Child,
    /// Kills the process and removes the directory; gone once the process is known to be dead.
    lifeline: Option<Lifeline>,
    directory: TempDir,
    /// What makes its time leap; none if it has the machine's clock.
    clock: Option<Clock>,
    /// What the process writes.
    said: File,
    monitor: Monitor,
    listener: UnixListener,
    /// Where children are served that tell their status.
    telling: UnixListener,
    served: BTreeMap<u64, Connection<Served>>,
    clients: BTreeMap<u64, Connection<Conversation>>,
    /// What is told of whatever arrives, by the numbers of connections.
    arrivals: OwnedFd,
    /// The greatest of those numbers.
    connections: u64,
    children: BTreeMap<String, C>,
    /// What was opened as the children of a client's array, by name.
    arrays: BTreeMap<Client, Vec<String>>,
    /// What its main thread does.
    thread: File,
    /// What that sleeps upon, if this process may see it.
    call: Option<File>,
    held: Vec<Held>,
    /// How many requests to children that had to wait, replies and events there ever were.
    arrived: u64,
    /// How long it is waited for anything at all to happen.
    patience: Duration,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Monitor {
    stream: UnixStream,
    arrived: Vec<u8>,
    /// How many commands there ever were, and answers.
    asked: u64,
    answered: u64,
    answers: BTreeMap<u64, Result<Value, Refusal>>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Connection<T> {
    stream: UnixStream,
    state: T,
    ended: bool,
}

/// A connection with an export of the daemon's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client(u64);

/// A request that was sent to an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    client: u64,
    cookie: u64,
}

/// A request of the daemon's that a child has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which child was asked.
    pub child: String,
    /// For what.
    pub request: Request,
    connection: u64,
    cookie: u64,
}

impl<C: Child> Daemon<C> {
    /// Starts a daemon that has no node.
    ///
    /// # Errors
    /// It does not start, or its sockets have no place in the directory for temporary files.
    pub fn start(program: &Program) -> Result<Self, Error> {
        Self::start_in(program, &env::temp_dir())
    }

    /// Starts one whose time leaps, so that its monitor never holds an event back.
    ///
    /// Time is that of the machine while a client is connected with an export, as QEMU gives up a handshake after
    /// 10 s. No others should connect with its exports.
    ///
    /// # Errors
    /// It does not start or does not take the clock, or its sockets have no place in the directory for temporary
    /// files.
    pub fn start_leaping(program: &Program) -> Result<Self, Error> {
        Self::begin(program, &env::temp_dir(), true)
    }

    /// The same with its sockets in a private directory of this one.
    ///
    /// # Errors
    /// It does not start, or its sockets have no place there.
    pub fn start_in(program: &Program, place: &Path) -> Result<Self, Error> {
        Self::begin(program, place, false)
    }

    fn begin(program: &Program, place: &Path, leaps: bool) -> Result<Self, Error> {
        let unmade = |source| Error::Directory { path: place.to_owned(), source };
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new()
            .prefix("quorate-qemu-")
            .permissions(private)
            .tempdir_in(place)
            .map_err(unmade)?;
        // Fail before anything is started.
        socket_path(&directory, EXPORTS)?;
        let during = |during| move |source| Error::Socket { during, source };
        let listener = UnixListener::bind(socket_path(&directory, CHILDREN)?)
            .map_err(during("children are to be served"))?;
        let telling = UnixListener::bind(socket_path(&directory, TELLING)?)
            .map_err(during("children are to be served"))?;
        let (ours, theirs) = UnixStream::pair().map_err(during("QMP is set up"))?;
        ours.set_write_timeout(Some(turn::PATIENCE)).map_err(during("QMP is set up"))?;
        let said = tempfile::tempfile().map_err(unmade)?;
        let output = said.try_clone().map_err(unmade)?;
        let mut command = program.daemon();
        // The monitor's socket is its standard input: the one descriptor that needs no unsafe code to hand on.
        command
            // Where its sockets are, so that their names are short.
            .current_dir(directory.path())
            .args(["--chardev", "socket,id=monitor,fd=0", "--monitor", "chardev=monitor"])
            .stdin(OwnedFd::from(theirs))
            .stdout(output.try_clone().map_err(unmade)?)
            .stderr(Stdio::from(output));
        let clock = leaps.then(|| Clock::give(&mut command, directory.path())).transpose()?;
        let name = command.get_program().to_string_lossy().into_owned();
        let unstarted = |source| Error::Process { program: name, source };
        let process = command.spawn().map_err(unstarted)?;
        // The command holds the other end of the monitor's socket, whose end is to be noticed.
        drop(command);
        let arrivals = epoll::create(epoll::CreateFlags::CLOEXEC);
        let arrivals = arrivals.map_err(|error| during("QMP is set up")(error.into()))?;
        let pid = process.id();
        let thread = File::open(format!("/proc/{pid}/task/{pid}/stat"));
        let thread = thread.map_err(during("its state is looked at"))?;
        let call = File::open(format!("/proc/{pid}/task/{pid}/syscall")).ok();
        let call = call.filter(|call| call.read_at(&mut [0; 64], 0).is_ok());
        let mut daemon = Self {
            lifeline: None,
            process,
            directory,
            clock,
            said,
            monitor: Monitor {
                stream: ours,
                arrived: Vec::new(),
                asked: 0,
                answered: 0,
                answers: BTreeMap::new(),
                events: Vec::new(),
            },
            listener,
            telling,
            served: BTreeMap::new(),
            clients: BTreeMap::new(),
            arrivals,
            connections: turn::TELLING,
            children: BTreeMap::new(),
            arrays: BTreeMap::new(),
            thread,
            call,
            held: Vec::new(),
            arrived: 0,
            patience: turn::PATIENCE,
            buffer: vec![0; 1 << 18],
        };
        let directory = daemon.directory.path().to_string_lossy().into_owned();
        let pid = daemon.process.id().to_string();
        daemon.lifeline = Some(Lifeline::tie(REMOVE, &[&pid, &directory])?);
        daemon.watch(turn::MONITOR, &daemon.monitor.stream)?;
        daemon.watch(turn::LISTENER, &daemon.listener)?;
        daemon.watch(turn::TELLING, &daemon.telling)?;
        daemon.obey("qmp_capabilities", &json!({}))?;
        let address = json!({"type": "unix", "data": {"path": EXPORTS}});
        daemon.obey("nbd-server-start", &json!({"addr": address}))?;
        if daemon.clock.as_ref().is_some_and(|clock| !clock.is_taken()) {
            return Err(Error::ClockLeft { said: daemon.said() });
        }
        daemon.leap(true)?;
        Ok(daemon)
    }

    /// Has a command done over QMP.
    ///
    /// # Errors
    /// The daemon is gone or hangs. That the command is refused is not an error here.
    pub fn ask(
        &mut self,
        command: &str,
        arguments: &Value,
    ) -> Result<Result<Value, Refusal>, Error> {
        self.command(&qmp::command(command, arguments))?;
        self.answer_to(command)
    }

    /// Sends a command, or what is like one.
    fn command(&mut self, wire: &[u8]) -> Result<(), Error> {
        self.monitor.asked += 1;
        match self.monitor.stream.write_all(wire) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(self.died()),
            Err(source) => Err(Error::Socket { during: "QMP is written", source }),
        }
    }

    /// Waits for the answer to the command that was sent last.
    fn answer_to(&mut self, command: &str) -> Result<Result<Value, Refusal>, Error> {
        let number = self.monitor.asked;
        self.until(command, |daemon| daemon.monitor.answers.remove(&number))
    }

    /// Has a command done that has to work.
    ///
    /// # Errors
    /// It is refused, or the daemon is gone or hangs.
    pub fn obey(&mut self, command: &str, arguments: &Value) -> Result<Value, Error> {
        self.ask(command, arguments)?
            .map_err(|refusal| Error::Refused { asked: format!("{command} {arguments}"), refusal })
    }

    /// The number of its process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The socket of its exports, for other clients.
    #[must_use]
    pub fn exports(&self) -> PathBuf {
        self.directory.path().join(EXPORTS)
    }

    /// From now on the daemon is taken to hang once nothing has happened for so long, instead of 10 s.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The events that the daemon has sent since the last look.
    ///
    /// # Errors
    /// The daemon is gone or hangs.
    pub fn events(&mut self) -> Result<Vec<Event>, Error> {
        // What it sent before this answer is here by then.
        self.settle()?;
        Ok(self.take_events())
    }

    /// The events that have come since the last look. Only who waits for something lets them come.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.monitor.events)
    }

    /// How many requests that are held, replies and events have come since the daemon was started.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Waits until there are so many of them, for this time at most. Whether there are.
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn until_arrived(&mut self, count: u64, patience: Duration) -> Result<bool, Error> {
        let usual = std::mem::replace(&mut self.patience, patience);
        let waited = self.until("anything", |daemon| (daemon.arrived >= count).then_some(()));
        self.patience = usual;
        match waited {
            Ok(()) => Ok(true),
            Err(Error::Silent { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until an event of this name is there for the next look.
    ///
    /// # Errors
    /// The daemon is gone, or does nothing any more.
    pub fn until_event(&mut self, name: &str) -> Result<(), Error> {
        self.until(name, |daemon| {
            daemon.monitor.events.iter().any(|event| event.name == name).then_some(())
        })
    }

    /// Waits until the daemon has taken note of all that it was sent.
    ///
    /// # Errors
    /// The daemon is gone or hangs.
    pub fn settle(&mut self) -> Result<(), Error> {
        self.command(qmp::NOTHING)?;
        self.answer_to("an answer to nothing").map(|_| ())
    }

    /// The length of what a client is connected with.
    ///
    /// # Panics
    /// The client was shut.
    #[must_use]
    pub fn bytes(&self, client: Client) -> u64 {
        let connection = self.clients.get(&client.0).expect("the client was not shut");
        connection.state.bytes().expect("there is no client before its handshake is over")
    }

    /// Sends a request to an export. Nothing comes of it before this waits for something.
    ///
    /// # Errors
    /// The connection is broken.
    ///
    /// # Panics
    /// The client was shut.
    pub fn submit(&mut self, client: Client, request: &Request) -> Result<Ticket, Error> {
        let connection = self.clients.get_mut(&client.0).expect("the client was not shut");
        let (cookie, wire) = connection.state.ask(request);
        let sent = connection.stream.write_all(&wire);
        sent.map_err(|source| Error::Socket { during: "a request is sent", source })?;
        Ok(Ticket { client: client.0, cookie })
    }

    /// The reply to a request, if it has come. Only who waits for something lets it come.
    pub fn reply(&mut self, ticket: Ticket) -> Option<Reply> {
        self.clients.get_mut(&ticket.client)?.state.take_reply(ticket.cookie)
    }

    /// Whether the reply to a request has come and was not taken.
    #[must_use]
    pub fn has_reply(&self, ticket: Ticket) -> bool {
        self.clients.get(&ticket.client).is_some_and(|client| client.state.has_reply(ticket.cookie))
    }

    /// Waits for the reply to a request.
    ///
    /// # Errors
    /// The daemon is gone, or does nothing any more: perhaps as a request is held.
    pub fn wait(&mut self, ticket: Ticket) -> Result<Reply, Error> {
        let reply = self.until("a reply", |daemon| match daemon.reply(ticket) {
            Some(reply) => Some(Some(reply)),
            None => daemon.clients.get(&ticket.client).is_none_or(|c| c.ended).then_some(None),
        })?;
        match reply {
            Some(reply) => Ok(reply),
            None => Err(self.disconnected()),
        }
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// The daemon is gone or hangs.
    ///
    /// # Panics
    /// The client was shut.
    pub fn request(&mut self, client: Client, request: &Request) -> Result<Reply, Error> {
        let ticket = self.submit(client, request)?;
        self.wait(ticket)
    }

    /// The requests that children have not answered, oldest first.
    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Waits until so many requests are held.
    ///
    /// # Errors
    /// The daemon is gone, or asks for nothing more.
    pub fn until_held(&mut self, count: usize) -> Result<(), Error> {
        self.until("further requests", |daemon| (daemon.held.len() >= count).then_some(()))
    }

    /// Answers a request that is held.
    ///
    /// # Errors
    /// The daemon is gone.
    ///
    /// # Panics
    /// There is no such request, or the reply is not one to it.
    pub fn release(&mut self, at: usize, reply: &Reply) -> Result<(), Error> {
        let Held { request, connection, cookie, .. } = self.held.remove(at);
        self.answer(connection, cookie, &request, reply)
    }

    /// Why the connection with an export has ended.
    fn disconnected(&mut self) -> Error {
        // If the daemon has ended, that is what its monitor has to say.
        match self.settle() {
            Err(error) => error,
            Ok(()) => Error::Disconnected { said: self.said() },
        }
    }
}

impl<C> Drop for Daemon<C> {
    fn drop(&mut self) {
        self.lifeline = None;
        // It is killed by now, and nobody is left who would want to know how it ended.
        let _ = self.process.wait();
    }
}

fn socket_path(directory: &TempDir, name: &str) -> Result<PathBuf, Error> {
    let path = directory.path().join(name);
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(Error::PathTooLong(path));
    }
    Ok(path)
}

/// The longest name that fits into a socket's address, with the zero behind it.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const CHILDREN: &str = "c";
const TELLING: &str = "s";
const EXPORTS: &str = "exports";
/// The process is this one's child, and as long as nobody has waited for it no other has its number.
const REMOVE: &str = r#"rm -rf -- "$2"; kill -KILL "$1""#;
