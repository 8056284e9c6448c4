//! The one loop: what is waited for, and what is done with what arrives.

use super::{Client, Connection, Daemon, EXPORTS, Held, socket_path};
use crate::{
    child::{Answer, Child, Reply, Request},
    client::{Conversation, Unusable},
    error::Error,
    qmp::{self, Line},
    served::{Heard, Served},
};
use quorate_engine::Errno;
use rustix::{
    event::{
        Timespec,
        epoll::{self, EventData, EventFlags},
    },
    io::Errno as Unwaited,
};
use std::{
    io::{self, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::FileExt, net::UnixStream},
    },
    time::Duration,
};

/// How long it is waited for anything at all to happen, unless somebody says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The numbers by which it is told that the monitor, or the children's listener, has something. Those of connections
/// are greater.
pub(super) const MONITOR: u64 = 0;
pub(super) const LISTENER: u64 = 1;
/// The same for children that tell their status.
pub(super) const TELLING: u64 = 2;

impl<C: Child> Daemon<C> {
    /// Lets things happen until there is what is wanted.
    pub(super) fn until<T>(
        &mut self,
        asked: &str,
        mut wanted: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T, Error> {
        loop {
            if let Some(found) = wanted(self) {
                return Ok(found);
            }
            self.turn(asked)?;
        }
    }

    /// Connects with an export.
    pub(super) fn connect(&mut self, export: &str, asks_status: bool) -> Result<Client, Error> {
        let during = "an export is connected with";
        let path = socket_path(&self.directory, EXPORTS)?;
        let stream = limited(UnixStream::connect(path), during)?;
        let id = self.number();
        self.watch(id, &stream)?;
        let state = Conversation::of(export, asks_status);
        self.clients.insert(id, Connection { stream, state, ended: false });
        let ready = self.until("a handshake", |daemon| {
            let client = daemon.clients.get(&id)?;
            if client.ended { Some(false) } else { client.state.bytes().map(|_| true) }
        })?;
        if ready { Ok(Client(id)) } else { Err(self.disconnected()) }
    }

    /// Waits for something and deals with it.
    fn turn(&mut self, asked: &str) -> Result<(), Error> {
        if self.take_in(self.patience)? { Ok(()) } else { Err(self.silent(asked)) }
    }

    /// Deals with what has arrived, or arrives within this time: with children first, then replies, then the monitor.
    /// Whether there was anything.
    pub(super) fn take_in(&mut self, patience: Duration) -> Result<bool, Error> {
        let mut numbers = [0; ARRIVALS_MAX];
        let count = wait(&self.arrivals, &mut numbers, patience)?;
        let arrivals = &numbers[..count];
        for &id in arrivals {
            self.serve_more(id)?;
        }
        for &id in arrivals {
            self.hear_more(id)?;
        }
        if arrivals.contains(&LISTENER) {
            self.accept(false)?;
        }
        if arrivals.contains(&TELLING) {
            self.accept(true)?;
        }
        if arrivals.contains(&MONITOR) {
            self.listen()?;
        }
        Ok(count > 0)
    }

    /// Takes the connection of a node that is a child.
    fn accept(&mut self, tells: bool) -> Result<(), Error> {
        let during = "a child is connected with";
        let listener = if tells { &self.telling } else { &self.listener };
        let stream = limited(listener.accept().map(|(stream, _)| stream), during)?;
        let id = self.number();
        self.watch(id, &stream)?;
        self.served.insert(id, Connection { stream, state: Served::new(tells), ended: false });
        self.send(id, &Served::greeting())
    }

    /// From now on it is told by this number that something has arrived there.
    pub(super) fn watch(&self, number: u64, there: impl AsFd) -> Result<(), Error> {
        let number = EventData::new_u64(number);
        let watched = epoll::add(&self.arrivals, there, number, EventFlags::IN);
        watched.map_err(|error| Error::Socket { during: "waiting", source: error.into() })
    }

    pub(super) fn silent(&self, asked: &str) -> Error {
        let held: Vec<_> = self.held.iter().map(|held| held.child.as_str()).collect();
        let held = if held.is_empty() {
            String::new()
        } else {
            format!("; requests of {} are held and may be what it waits for", held.join(", "))
        };
        Error::Silent { asked: asked.into(), seconds: self.patience.as_secs(), held }
    }

    /// The number of a new connection.
    fn number(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Takes in what QEMU has sent to a child, and answers.
    fn serve_more(&mut self, id: u64) -> Result<(), Error> {
        let Some(connection) = self.served.get_mut(&id) else { return Ok(()) };
        let count = receive(&mut connection.stream, &mut self.buffer);
        if count == 0 {
            self.forget(id);
            return Ok(());
        }
        connection.state.arrived(&self.buffer[..count]);
        while let Some(connection) = self.served.get_mut(&id) {
            let facts = |name: &str| {
                self.children.get(name).map(|child| (child.bytes(), child.abilities()))
            };
            match connection.state.hear(facts).map_err(Error::Protocol)? {
                None => break,
                Some(Heard::Bye) => self.forget(id),
                Some(Heard::Send(wire)) => self.send(id, &wire)?,
                Some(Heard::Asked { child, cookie, request }) => {
                    let asked = self.children.get_mut(&child).map(|asked| asked.answer(&request));
                    match asked {
                        Some(Answer::Now(reply)) => self.answer(id, cookie, &request, &reply)?,
                        Some(Answer::Later) => {
                            self.held.push(Held { child, request, connection: id, cookie });
                            self.arrived += 1;
                        }
                        // Its node is being removed, and nobody looks at this.
                        None => self.answer(id, cookie, &request, &Err(GONE))?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a child's reply.
    pub(super) fn answer(
        &mut self,
        id: u64,
        cookie: u64,
        request: &Request,
        reply: &Reply,
    ) -> Result<(), Error> {
        let fits = |data: &Vec<u8>| match request {
            Request::Read { bytes, .. } => data.len() == *bytes as usize,
            Request::Status { .. } => !data.is_empty() && data.len().is_multiple_of(8),
            _ => data.is_empty(),
        };
        assert!(
            reply.as_ref().map_or(true, fits),
            "a child answers {request:?} with the wrong number of bytes",
        );
        let Some(connection) = self.served.get(&id) else { return Ok(()) };
        let wire = connection.state.reply(cookie, request, reply);
        self.send(id, &wire)
    }

    fn send(&mut self, id: u64, wire: &[u8]) -> Result<(), Error> {
        let Some(connection) = self.served.get_mut(&id) else { return Ok(()) };
        match connection.stream.write_all(wire) {
            Ok(()) => Ok(()),
            // QEMU has gone from there, which is its right.
            Err(error) if hung_up(&error) => {
                self.forget(id);
                Ok(())
            }
            Err(source) => Err(Error::Socket { during: "a child answers", source }),
        }
    }

    fn forget(&mut self, id: u64) {
        self.served.remove(&id);
        self.held.retain(|held| held.connection != id);
    }

    /// Takes in what an export has sent.
    fn hear_more(&mut self, id: u64) -> Result<(), Error> {
        let Some(connection) = self.clients.get_mut(&id) else { return Ok(()) };
        let count = receive(&mut connection.stream, &mut self.buffer);
        if count == 0 {
            connection.ended = true;
            // There is nothing more to be told, and what can be told would be for ever.
            let _ = epoll::delete(&self.arrivals, &connection.stream);
            return Ok(());
        }
        let before = connection.state.replies();
        let send = connection.state.arrived(&self.buffer[..count]).map_err(|why| match why {
            Unusable::Protocol(what) => Error::Protocol(what),
            Unusable::Refused { reply, said } => {
                Error::Export { export: connection.state.export().into(), reply, said }
            }
        })?;
        self.arrived += connection.state.replies() - before;
        match connection.stream.write_all(&send) {
            Ok(()) => Ok(()),
            Err(error) if hung_up(&error) => {
                connection.ended = true;
                Ok(())
            }
            Err(source) => Err(Error::Socket { during: "an export is connected with", source }),
        }
    }

    /// Takes in what the monitor has sent.
    fn listen(&mut self) -> Result<(), Error> {
        let count = receive(&mut self.monitor.stream, &mut self.buffer);
        if count == 0 {
            return Err(self.died());
        }
        self.monitor.arrived.extend_from_slice(&self.buffer[..count]);
        while let Some(line) = qmp::take_line(&mut self.monitor.arrived).map_err(Error::Protocol)? {
            match line {
                Line::Greeting => {}
                Line::Answer(answer) => {
                    self.monitor.answered += 1;
                    self.monitor.answers.insert(self.monitor.answered, answer);
                }
                Line::Event(event) => {
                    self.monitor.events.push(event);
                    self.arrived += 1;
                }
            }
        }
        Ok(())
    }

    /// How the daemon ended. Its monitor is closed by the end of the process, and by nothing else.
    pub(super) fn died(&mut self) -> Error {
        self.lifeline = None;
        match self.process.wait() {
            Ok(status) => Error::Died { status, said: self.said() },
            Err(source) => Error::Socket { during: "it has ended and is waited for", source },
        }
    }

    /// What the daemon has written.
    pub(super) fn said(&self) -> String {
        let mut said = vec![0; 1 << 16];
        // What cannot be read back is not worth another error.
        let count = self.said.read_at(&mut said, 0).unwrap_or(0);
        String::from_utf8_lossy(&said[..count]).trim_end().into()
    }
}

/// A new connection in which nobody waits for ever.
fn limited(stream: io::Result<UnixStream>, during: &'static str) -> Result<UnixStream, Error> {
    let limited = stream.and_then(|stream| {
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    });
    limited.map_err(|source| Error::Socket { during, source })
}

/// Waits until something has arrived, for this time at most. By which numbers that is told, and how many they are.
fn wait(
    arrivals: &OwnedFd,
    numbers: &mut [u64; ARRIVALS_MAX],
    patience: Duration,
) -> Result<usize, Error> {
    let seconds = patience.as_secs().try_into().unwrap_or(i64::MAX);
    let patience = Timespec { tv_sec: seconds, tv_nsec: patience.subsec_nanos().into() };
    let mut room = [const { MaybeUninit::uninit() }; ARRIVALS_MAX];
    loop {
        match epoll::wait(arrivals, &mut room, Some(&patience)) {
            Err(Unwaited::INTR) => {}
            Err(error) => {
                return Err(Error::Socket { during: "waiting", source: error.into() });
            }
            Ok((ready, _)) => {
                numbers
                    .iter_mut()
                    .zip(&*ready)
                    .for_each(|(number, event)| *number = event.data.u64());
                return Ok(ready.len());
            }
        }
    }
}

/// What has arrived; nothing if the other side is gone.
fn receive(stream: &mut UnixStream, buffer: &mut [u8]) -> usize {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.unwrap_or(0),
        }
    }
}

fn hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Of more arrivals than that it is told the next time.
const ARRIVALS_MAX: usize = 32;
/// What a child answers that is not served any more.
const GONE: Errno = Errno::ESHUTDOWN;
