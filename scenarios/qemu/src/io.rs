//! A `qemu-io` that does one command after the other, for as many images as are asked for.
//!
//! What it says of an error is `strerror`'s text, so any errno can be told from any other. It says nothing of a flush
//! that fails: that is seen by a write that is to be durable, which comes to the flush's error.

use crate::{error::Error, lifeline::Lifeline, program::Program};
use std::{
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process,
    time::Duration,
};

/// A `qemu-io` of one's own. It is killed when this is dropped, or this process ends in whatever way.
#[derive(Debug)]
pub struct Io {
    program: Program,
    /// None once it has ended: the next command starts another.
    running: Option<Running>,
    /// How long it is waited for anything at all to happen.
    patience: Duration,
}

#[derive(Debug)]
struct Running {
    process: process::Child,
    /// Kills the process; gone once the process is known to be dead.
    lifeline: Option<Lifeline>,
    /// Its input, output and errors.
    stream: UnixStream,
    arrived: Vec<u8>,
}

impl Io {
    /// Starts one that has no image open.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Program) -> Result<Self, Error> {
        let running = Some(Running::start(program, PATIENCE)?);
        Ok(Self { program: program.clone(), running, patience: PATIENCE })
    }

    /// From now on it is taken to hang once nothing has happened for so long, instead of 10 s.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The number of its process, if one runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id())
    }

    /// Has a command done, and gives what is said to it. If the process ended before, another one does it.
    ///
    /// # Errors
    /// It is no command of one line that it can read, or the process has ended or hangs: it is gone then.
    pub fn run(&mut self, command: &str) -> Result<String, Error> {
        let is_line = !command.contains(['\n', '\0']);
        if !is_line || command.len() > COMMAND_BYTES_MAX {
            return Err(Error::Command { bytes: command.len(), most: COMMAND_BYTES_MAX });
        }
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.program, self.patience)?,
        };
        let said = running.run(command, self.patience)?;
        self.running = Some(running);
        Ok(said)
    }

    /// Opens an image by its options, and gives the reason if it cannot be opened.
    ///
    /// # Errors
    /// As [`Io::run`], to which a blank in the options is the end of them.
    pub fn open(&mut self, cache: Cache, options: &str) -> Result<Option<String>, Error> {
        let mode = cache.word();
        // What begins with `json:` is no list of options but a name.
        let flag = if options.starts_with("json:") { "" } else { "-o " };
        let said = self.run(&format!("open -t {mode} {flag}{options}"))?;
        if let Some((_, why)) = said.split_once(REFUSED) {
            let named = format!(" device {options}");
            let why = why.strip_prefix(&named).unwrap_or(why).strip_prefix(": ").unwrap_or(why);
            return Ok(Some(why.strip_suffix('\n').unwrap_or(why).to_owned()));
        }
        // A warning is no error.
        match said.contains("qemu-io: ") && !said.contains("warning: ") {
            true => Err(Error::Protocol(format!("{said:?} when it was to open {options}"))),
            false => Ok(None),
        }
    }

    /// Closes the image.
    ///
    /// # Errors
    /// As [`Io::run`].
    pub fn close(&mut self) -> Result<(), Error> {
        self.run("close").map(drop)
    }

    /// Why it does not open an image of these options; `None` if it does.
    ///
    /// # Errors
    /// As [`Io::open`].
    pub fn refuses(&mut self, options: &str) -> Result<Option<String>, Error> {
        let refused = self.open(Cache::Writeback, options)?;
        if refused.is_none() {
            self.close()?;
        }
        Ok(refused)
    }
}

/// Whether a write has to be durable when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// No: flushes are asked for.
    Writeback,
    /// Yes: every write is.
    Writethrough,
}

impl Cache {
    fn word(self) -> &'static str {
        match self {
            Self::Writeback => "writeback",
            Self::Writethrough => "writethrough",
        }
    }
}

impl Running {
    fn start(program: &Program, patience: Duration) -> Result<Self, Error> {
        let during = |source| Error::Socket { during: "qemu-io is set up", source };
        let (ours, theirs) = UnixStream::pair().map_err(during)?;
        let theirs = OwnedFd::from(theirs);
        let mut command = program.io();
        command
            .stdin(theirs.try_clone().map_err(during)?)
            .stdout(theirs.try_clone().map_err(during)?)
            .stderr(theirs);
        let name = command.get_program().to_string_lossy().into_owned();
        let unstarted = |source| Error::Process { program: name, source };
        let process = command.spawn().map_err(unstarted)?;
        // The command holds the other end of the socket, whose end is to be noticed.
        drop(command);
        let mut running = Self { lifeline: None, process, stream: ours, arrived: Vec::new() };
        let pid = running.process.id().to_string();
        running.lifeline = Some(Lifeline::tie(KILL, &[&pid])?);
        running.until_prompt("to start", patience)?;
        Ok(running)
    }

    fn run(&mut self, command: &str, patience: Duration) -> Result<String, Error> {
        match self.stream.write_all(format!("{command}\n").as_bytes()) {
            Ok(()) => self.until_prompt(command, patience),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(self.ended(command)),
            Err(source) => Err(Error::Socket { during: "qemu-io is told something", source }),
        }
    }

    /// What it says before it asks for the next command.
    fn until_prompt(&mut self, command: &str, patience: Duration) -> Result<String, Error> {
        let during = |source| Error::Socket { during: "qemu-io is heard", source };
        self.stream.set_read_timeout(Some(patience)).map_err(during)?;
        let mut buffer = [0; 4096];
        while !self.arrived.ends_with(PROMPT) {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(self.ended(command)),
                Ok(count) => self.arrived.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(self.ended(command));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let seconds = patience.as_secs();
                    return Err(Error::IoSilent { asked: command.into(), seconds });
                }
                Err(source) => return Err(during(source)),
            }
        }
        let said = std::mem::take(&mut self.arrived);
        let said = said.strip_suffix(PROMPT).expect("it ends so");
        Ok(String::from_utf8_lossy(said).into_owned())
    }

    fn ended(&mut self, command: &str) -> Error {
        let said = String::from_utf8_lossy(&self.arrived).into_owned();
        self.lifeline = None;
        match self.process.wait() {
            Ok(status) => Error::IoDied { status, asked: command.into(), said },
            Err(source) => Error::Socket { during: "qemu-io ends", source },
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lifeline = None;
        // It is killed by now, and nobody is left who would want to know how it ended.
        let _ = self.process.wait();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const PROMPT: &[u8] = b"qemu-io> ";
const REFUSED: &str = "qemu-io: can't open";
/// It reads lines of at most 1,024 bytes with the line's end and a zero, and takes the rest for another command.
const COMMAND_BYTES_MAX: usize = 1022;
/// The process is this one's child, and as long as nobody has waited for it no other has its number.
const KILL: &str = r#"kill -KILL "$1""#;
