//! An array in QEMU, and children that do as they are told. All that happens is told.

use crate::tell;
use quorate_engine::Errno;
use quorate_qemu::{Answer, Child, Client, Daemon, Error, Event, Program, Reply, Request, Ticket};
use serde_json::{Value, json};
use std::{fmt::Write as _, os::unix::process::ExitStatusExt, process::ExitStatus};

/// How long a child is, unless something else is said.
pub(crate) const BYTES: usize = 8192;
/// The block that requests are mostly for.
pub(crate) const BLOCK: u32 = 512;

/// What a child does with requests of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Works,
    Waits,
    Fails(Errno),
}

/// A child in memory.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) media: Vec<u8>,
    pub(crate) reads: Manner,
    pub(crate) writes: Manner,
    pub(crate) flushes: Manner,
}

impl Disk {
    /// One that is full of a letter and works.
    pub(crate) fn full(letter: char, bytes: usize) -> Self {
        let media = vec![byte(letter); bytes];
        Self { media, reads: Manner::Works, writes: Manner::Works, flushes: Manner::Works }
    }

    /// What it holds there.
    pub(crate) fn at(&self, offset: u64, bytes: u32) -> &[u8] {
        let start = usize::try_from(offset).expect("it is small");
        &self.media[start..start + bytes as usize]
    }

    /// Does what it was asked.
    fn obey(&mut self, request: &Request) -> Reply {
        let mut put = |offset: u64, data: &[u8]| {
            let start = usize::try_from(offset).expect("it is small");
            self.media[start..start + data.len()].copy_from_slice(data);
        };
        match request {
            Request::Read { offset, bytes } => return Ok(self.at(*offset, *bytes).to_vec()),
            Request::Write { offset, data, .. } => put(*offset, data),
            Request::Zeroes { offset, bytes, .. } => put(*offset, &vec![0; *bytes as usize]),
            _ => {}
        }
        Ok(Vec::new())
    }
}

impl Child for Disk {
    fn bytes(&self) -> u64 {
        self.media.len() as u64
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let manner = match request {
            Request::Read { .. } => self.reads,
            Request::Write { .. } | Request::Zeroes { .. } | Request::Discard { .. } => self.writes,
            Request::Flush => self.flushes,
            Request::Status { .. } => unreachable!("a disk does not offer that"),
        };
        match manner {
            Manner::Works => Answer::Now(self.obey(request)),
            Manner::Waits => Answer::Later,
            Manner::Fails(error) => Answer::Now(Err(error)),
        }
    }
}

/// An array `q` over children `c0`, `c1`, ….
pub(crate) struct Array {
    pub(crate) daemon: Daemon<Disk>,
    pub(crate) client: Client,
    children: Vec<String>,
    /// What QEMU has reported.
    pub(crate) reports: Vec<Event>,
}

impl Array {
    /// One whose children are full of these letters, with these options.
    pub(crate) fn open(program: &Program, letters: &str, options: &Value) -> Result<Self, Error> {
        let mut daemon = Daemon::start(program)?;
        let children = serve(&mut daemon, letters)?;
        let client = quorum(&mut daemon, "q", &children, options)?;
        Ok(Self { daemon, client, children, reports: Vec::new() })
    }

    /// One over nodes of a daemon's that are not its children themselves.
    pub(crate) fn over(
        mut daemon: Daemon<Disk>,
        children: Vec<String>,
        nodes: &[String],
        options: &Value,
    ) -> Result<Self, Error> {
        let client = quorum(&mut daemon, "q", nodes, options)?;
        Ok(Self { daemon, client, children, reports: Vec::new() })
    }

    /// A child by its number.
    pub(crate) fn child(&mut self, index: usize) -> &mut Disk {
        let name = &self.children[index];
        self.daemon.child(name)
    }

    /// Adds a child that is full of a letter, while the array runs.
    pub(crate) fn add(&mut self, letter: char, bytes: usize) -> Result<bool, Error> {
        let name = format!("c{}", self.children.len());
        self.daemon.serve(&name, Disk::full(letter, bytes))?;
        let change = json!({"parent": "q", "node": name});
        let answer = self.daemon.ask("x-blockdev-change", &change)?;
        let said = answer.as_ref().map_or_else(ToString::to_string, |_| "done".into());
        let what = shown(&self.daemon.child(&name).media);
        tell(&format!(
            "  x-blockdev-change adds {name}, {bytes} bytes long, which holds {what}: {said}"
        ));
        self.children.push(name);
        Ok(answer.is_ok())
    }

    /// From now on all children do so with writes.
    pub(crate) fn set_writes(&mut self, manner: Manner) {
        for index in 0..self.children.len() {
            self.child(index).writes = manner;
        }
    }

    /// Starts to write a letter over the first block, and waits until so many children's parts are held.
    pub(crate) fn start(&mut self, letter: char, held: usize) -> Result<Ticket, Error> {
        let ticket = self.daemon.submit(self.client, &filling(0, letter, BLOCK))?;
        self.daemon.until_held(held)?;
        let waiting: Vec<_> = self.daemon.held().iter().map(|held| held.child.as_str()).collect();
        let waiting = waiting.join(", ");
        tell(&format!(
            "  a write of {letter} over the first block is under way; not done by {waiting}"
        ));
        Ok(ticket)
    }

    /// Has a child do the part of that write that it holds.
    ///
    /// # Panics
    /// It holds none.
    pub(crate) fn land(&mut self, index: usize, letter: char) -> Result<(), Error> {
        let name = &self.children[index];
        let is_it = |request: &Request| match request {
            Request::Write { data, .. } => data.first() == Some(&byte(letter)),
            _ => false,
        };
        let at = self.daemon.held().iter().position(|h| h.child == *name && is_it(&h.request));
        let at = at.expect("the child holds its part of the write");
        let request = self.daemon.held()[at].request.clone();
        let reply = self.daemon.child(name).obey(&request);
        self.daemon.release(at, &reply)?;
        self.daemon.settle()?;
        tell(&format!("  {name} does its part of the write of {letter}"));
        self.tell_media();
        Ok(())
    }

    /// Waits for the end of a write.
    pub(crate) fn end(&mut self, write: Ticket, letter: char) -> Result<Reply, Error> {
        let reply = self.daemon.wait(write)?;
        tell(&format!("  the write of {letter}: {}", came(&reply)));
        Ok(reply)
    }

    /// Reads.
    pub(crate) fn read(&mut self, offset: u64, bytes: u32) -> Result<Reply, Error> {
        let reply = self.daemon.request(self.client, &Request::Read { offset, bytes })?;
        tell(&format!("  a read of {bytes} bytes at {offset}: {}", came(&reply)));
        self.tell_reports()?;
        Ok(reply)
    }

    /// Writes a letter so many times.
    pub(crate) fn write(&mut self, offset: u64, letter: char, bytes: u32) -> Result<Reply, Error> {
        let reply = self.daemon.request(self.client, &filling(offset, letter, bytes))?;
        tell(&format!("  a write of {bytes} times {letter} at {offset}: {}", came(&reply)));
        self.tell_reports()?;
        Ok(reply)
    }

    /// Flushes.
    pub(crate) fn flush(&mut self) -> Result<Reply, Error> {
        let reply = self.daemon.request(self.client, &Request::Flush)?;
        tell(&format!("  a flush: {}", came(&reply)));
        self.tell_reports()?;
        Ok(reply)
    }

    /// What the children hold in the first block.
    pub(crate) fn tell_media(&mut self) {
        let mut line = "    the children's first block:".to_owned();
        for name in &self.children {
            let what = shown(self.daemon.child(name).at(0, BLOCK));
            write!(line, " {name} {what};").expect("a string takes everything");
        }
        tell(line.trim_end_matches(';'));
    }

    /// Whether an event of this name has come.
    pub(crate) fn reported(&self, name: &str) -> bool {
        self.reports.iter().any(|event| event.name == name)
    }

    /// Takes in what has been reported since the last look.
    pub(crate) fn tell_reports(&mut self) -> Result<(), Error> {
        for event in self.daemon.events()? {
            if event.name.starts_with("QUORUM_") {
                tell(&format!("    {} {}", event.name, Value::from(event.data.clone())));
                self.reports.push(event);
            }
        }
        Ok(())
    }
}

/// Tells how something ended the daemon, and with what words; whether it aborted.
pub(crate) fn aborted(by: &str, status: ExitStatus, said: &str) -> bool {
    tell(&format!("  {by} ends qemu-storage-daemon: {status}"));
    said.lines().for_each(|line| tell(&format!("    {line}")));
    status.signal().is_some()
}

/// Serves children that are full of these letters, by the names `c0`, `c1`, ….
pub(crate) fn serve(daemon: &mut Daemon<Disk>, letters: &str) -> Result<Vec<String>, Error> {
    let disks = letters.chars().map(|letter| Disk::full(letter, BYTES)).enumerate();
    let named = disks.map(|(index, disk)| {
        let name = format!("c{index}");
        let what = shown(&disk.media);
        daemon.serve(&name, disk)?;
        tell(&format!("  the child {name} is {BYTES} bytes long and holds {what}"));
        Ok(name)
    });
    named.collect()
}

/// Opens a quorum of this name over these nodes, and exports it.
pub(crate) fn quorum(
    daemon: &mut Daemon<Disk>,
    name: &str,
    nodes: &[String],
    options: &Value,
) -> Result<Client, Error> {
    daemon.obey("blockdev-add", &definition(name, nodes, options))?;
    tell(&format!("  {name} is a quorum over {}, with {options}", nodes.join(", ")));
    if options.get("read-only").is_some() {
        daemon.export_read_only(name)
    } else {
        daemon.export(name)
    }
}

/// What `blockdev-add` takes for such a quorum.
pub(crate) fn definition(name: &str, nodes: &[String], options: &Value) -> Value {
    let mut node = json!({"driver": "quorum", "node-name": name, "children": nodes});
    for (key, value) in options.as_object().into_iter().flatten() {
        node[key] = value.clone();
    }
    node
}

/// What came of a request.
pub(crate) fn came(reply: &Reply) -> String {
    match reply {
        Ok(data) if data.is_empty() => "done".into(),
        Ok(data) => shown(data),
        Err(error) => error.to_string(),
    }
}

/// Bytes as runs of letters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let runs: Vec<_> = bytes.chunk_by(PartialEq::eq).map(|run| (run[0], run.len())).collect();
    let letter = |byte: u8| match byte {
        0 => "zeroes".to_owned(),
        byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
        byte => format!("{byte:#04x}"),
    };
    match &runs[..] {
        [(byte, _)] => letter(*byte),
        runs if runs.len() > 8 => format!("{} bytes in {} runs", bytes.len(), runs.len()),
        runs => {
            let runs = runs.iter().map(|(byte, count)| format!("{count} times {}", letter(*byte)));
            runs.collect::<Vec<_>>().join(" then ")
        }
    }
}

/// Whether a read came to this letter throughout.
pub(crate) fn is(reply: &Reply, letter: char) -> bool {
    reply.as_ref().is_ok_and(|data| data.iter().all(|&found| found == byte(letter)))
}

/// A letter as a byte; a zero as the byte zero.
pub(crate) fn byte(letter: char) -> u8 {
    if letter == '0' { 0 } else { u8::try_from(letter).expect("letters are ASCII") }
}

fn filling(offset: u64, letter: char, bytes: u32) -> Request {
    Request::Write { offset, data: vec![byte(letter); bytes as usize], fua: false }
}
