//! A daemon in hand: the array that is open in it, and whose turn it is.

use super::{engine::done, event, twin::Pace, wire::heard};
use crate::{
    model::{Action, Array, Scenario},
    runner::Parts,
};
use futures_util::task::ArcWake;
use quorate_engine::{
    BlockDevice, Errno, EventSink, IoFuture, NodeName, Result as IoResult,
    quorum::options::ReadPattern,
};
use quorate_qemu::{
    Abilities, Answer, Child, Client, Daemon, Error, Program, Reply, Request, Ticket,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A daemon, and what is open in it.
pub(super) struct Hand {
    program: Program,
    pace: Pace,
    /// None before the first array, and after one that the daemon has not survived.
    daemon: Option<Daemon<Door>>,
    /// How many arrays there were: nodes have names of their own.
    arrays: u64,
    open: Option<Open>,
    /// Why QEMU does not go on, of the run that was last.
    broken: Option<Error>,
}

/// Our side of a child.
#[derive(Debug)]
pub(super) struct Door {
    bytes: u64,
    abilities: Abilities,
    /// Whether the run hears of requests. While arrays come and go QEMU is by itself.
    is_open: bool,
}

impl Child for Door {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if self.is_open { Answer::Later } else { Answer::Now(Ok(nothing(request))) }
    }
}

/// What a child can do. One that turns out to be read-only fails what is written: QEMU would export no array over it that
/// can be written to, but for one that repairs, which it does not open at all.
fn abilities(device: &dyn BlockDevice, array: &Array) -> Abilities {
    let abilities = Abilities::from(device.limits());
    Abilities { read_only: abilities.read_only && array.rewrite_corrupted, ..abilities }
}

fn nothing(request: &Request) -> Vec<u8> {
    match request {
        Request::Read { bytes, .. } => vec![0; *bytes as usize],
        _ => Vec::new(),
    }
}

/// The array that is open.
struct Open {
    /// What its nodes' names end with.
    suffix: String,
    client: Client,
    /// Whether children may leave and join, so that they have nodes of their own.
    is_changing: bool,
    /// The nodes that are served, with their devices.
    doors: Vec<(String, Arc<dyn BlockDevice>)>,
    events: Arc<dyn EventSink>,
    /// What disks are doing for QEMU, in the order of the daemon's [`Daemon::held`].
    asked: Vec<IoFuture<'static, Vec<u8>>>,
    tickets: Vec<(Ticket, Option<Reply>)>,
    bell: Arc<Bell>,
}

/// Wakes everybody who waits for the array.
#[derive(Default)]
struct Bell(Mutex<Vec<(Ticket, Waker)>>);

impl ArcWake for Bell {
    fn wake_by_ref(bell: &Arc<Self>) {
        let waiting = bell.0.lock().expect("nothing panics under this lock").clone();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Bell {
    fn hang(&self, ticket: Ticket, waker: &Waker) {
        let mut waiting = self.0.lock().expect("nothing panics under this lock");
        match waiting.iter_mut().find(|(other, _)| *other == ticket) {
            Some((_, old)) => old.clone_from(waker),
            None => waiting.push((ticket, waker.clone())),
        }
    }

    fn ring_for(&self, ticket: Ticket) {
        let waiting = self.0.lock().expect("nothing panics under this lock").clone();
        let its = waiting.into_iter().filter(|(other, _)| *other == ticket);
        its.for_each(|(_, waker)| waker.wake());
    }

    fn take_down(&self, ticket: Ticket) {
        let mut waiting = self.0.lock().expect("nothing panics under this lock");
        waiting.retain(|(other, _)| *other != ticket);
    }
}

impl Hand {
    pub(super) fn new(program: &Program, pace: Pace) -> Self {
        Self { program: program.clone(), pace, daemon: None, arrays: 0, open: None, broken: None }
    }

    /// Sees to it that there is a daemon.
    pub(super) fn ready(&mut self) -> Result<(), Error> {
        if self.daemon.is_none() {
            self.daemon = Some(Daemon::start_leaping(&self.program)?);
        }
        Ok(())
    }

    /// Why QEMU did not go on, if it did not, in the run that was last.
    pub(super) fn take_broken(&mut self) -> Option<Error> {
        self.broken.take()
    }

    /// Opens an array; its length, or why it does not open.
    pub(super) fn open(
        &mut self,
        scenario: &Scenario,
        parts: Parts,
        lengths: &[u64],
    ) -> Result<u64, String> {
        self.arrays += 1;
        let opened = self.try_open(scenario, parts, lengths);
        opened.map_err(|error| self.unless_refused(error))
    }

    fn try_open(
        &mut self,
        scenario: &Scenario,
        parts: Parts,
        lengths: &[u64],
    ) -> Result<u64, Error> {
        let array = &scenario.array;
        let suffix = self.arrays.to_string();
        let daemon = self.daemon.as_mut().expect("it was seen to");
        let mut doors = Vec::new();
        let mut children = Vec::new();
        for ((name, device), &bytes) in parts.children.into_iter().zip(lengths) {
            let node = format!("{name}-{suffix}");
            let abilities = abilities(&*device, array);
            children.push((node.clone(), Door { bytes, abilities, is_open: false }));
            doors.push((node, device));
        }
        let mut options = json!({
            "driver": "quorum", "node-name": format!("q-{suffix}"),
            "vote-threshold": array.vote_threshold,
            "read-pattern": if array.read_pattern == ReadPattern::Fifo { "fifo" } else { "quorum" },
            "rewrite-corrupted": array.rewrite_corrupted,
            "blkverify": array.blkverify,
            // Or a request for zeroes would lose its permission to give space back.
            "discard": "unmap",
        });
        let changes = |step: &Action| matches!(step, Action::Add { .. } | Action::Remove { .. });
        let is_changing = scenario.scripts().flatten().any(changes);
        let client = match is_changing {
            false => daemon.open(&options, children)?,
            true => {
                // A child that leaves is still there to join again.
                options["children"] = doors.iter().map(|(node, _)| node.as_str()).collect();
                open_over_nodes(daemon, &options, children)?
            }
        };
        for (node, _) in &doors {
            daemon.child(node).is_open = true;
        }
        self.open = Some(Open {
            suffix,
            client,
            is_changing,
            doors,
            events: parts.events,
            asked: Vec::new(),
            tickets: Vec::new(),
            bell: Arc::default(),
        });
        Ok(daemon.bytes(client))
    }

    /// Sends a request, unless QEMU has come to an end.
    pub(super) fn submit(&mut self, request: &Request) -> Option<Ticket> {
        let (Some(daemon), Some(open)) = (&mut self.daemon, &mut self.open) else { return None };
        if self.broken.is_some() {
            return None;
        }
        match daemon.submit(open.client, request) {
            Ok(ticket) => {
                open.tickets.push((ticket, None));
                self.settle();
                Some(ticket)
            }
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }

    /// Has everything go on that can, and says whether this request has its reply.
    pub(super) fn go_on(&mut self, ticket: Ticket, waker: &Waker) -> Poll<Reply> {
        let Some(open) = &self.open else { return Poll::Ready(Err(Errno::EIO)) };
        let bell = open.bell.clone();
        bell.hang(ticket, waker);
        let rings = futures_util::task::waker(bell.clone());
        // Who has a reply is to hear of it before anything else goes on.
        while self.broken.is_none() && !self.has_replied() && self.hand_over(&rings) {
            self.settle();
        }
        let open = self.open.as_mut().expect("it was there");
        let at = open.tickets.iter().position(|(other, _)| *other == ticket);
        let at = at.expect("a request that is polled has no reply yet");
        let reply = match (&mut open.tickets[at].1, &self.broken) {
            (reply @ Some(_), _) => reply.take().expect("it is there"),
            (None, Some(_)) => Err(Errno::EIO),
            (None, None) => {
                let replied = open.tickets.iter().filter(|(_, reply)| reply.is_some());
                replied.for_each(|(other, _)| bell.ring_for(*other));
                return Poll::Pending;
            }
        };
        open.tickets.remove(at);
        bell.take_down(ticket);
        // Others go on with what is under way.
        ArcWake::wake_by_ref(&bell);
        Poll::Ready(reply)
    }

    /// Whether a request has its reply that has not been polled since.
    fn has_replied(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.tickets.iter().any(|(_, reply)| reply.is_some()))
    }

    /// Hands an answer of a disk to QEMU, if there is one.
    fn hand_over(&mut self, waker: &Waker) -> bool {
        let (Some(daemon), Some(open)) = (&mut self.daemon, &mut self.open) else { return false };
        for at in 0..open.asked.len() {
            let polled = open.asked[at].as_mut().poll(&mut Context::from_waker(waker));
            let Poll::Ready(answer) = polled else { continue };
            drop(open.asked.remove(at));
            if let Err(error) = daemon.release(at, &answer) {
                self.broken = Some(error);
            }
            return true;
        }
        false
    }

    /// Waits until the run may go on, and takes in what has come.
    fn settle(&mut self) {
        let waited = match self.pace {
            Pace::Ordered => self.until_quiet(),
            Pace::Fast => self.until_busy(),
        };
        if let Err(error) = waited.and_then(|()| self.take_in()) {
            if let (Error::Died { said, .. }, Some(open)) = (&error, &self.open)
                && let Some(mismatch) = event::mismatch(said)
            {
                open.events.emit(mismatch);
            }
            self.broken = Some(error);
        }
    }

    /// Waits until QEMU itself waits.
    fn until_quiet(&mut self) -> Result<(), Error> {
        let (Some(daemon), Some(open)) = (&mut self.daemon, &mut self.open) else { return Ok(()) };
        daemon.rest()?;
        if !has_something(daemon, open) {
            // It was not the end of it: a request in flight comes to something.
            until_something(daemon, open)?;
            daemon.rest()?;
        }
        Ok(())
    }

    /// Waits until there is anything to do.
    fn until_busy(&mut self) -> Result<(), Error> {
        let (Some(daemon), Some(open)) = (&mut self.daemon, &mut self.open) else { return Ok(()) };
        until_something(daemon, open)?;
        // What it has to report of a request comes before the answer, but on another connection.
        if open.tickets.iter().any(|(ticket, reply)| reply.is_none() && daemon.has_reply(*ticket)) {
            daemon.rest()?;
        }
        Ok(())
    }

    /// Takes in what has come: what was reported, replies, and what disks are asked.
    fn take_in(&mut self) -> Result<(), Error> {
        let (Some(daemon), Some(open)) = (&mut self.daemon, &mut self.open) else { return Ok(()) };
        for told in daemon.take_events() {
            if let Some(event) = event::of(&told, &open.suffix).map_err(Error::Protocol)? {
                open.events.emit(event);
            }
        }
        for (ticket, reply) in &mut open.tickets {
            if reply.is_none() {
                *reply = daemon.reply(*ticket);
            }
        }
        for held in &daemon.held()[open.asked.len()..] {
            let door = open.doors.iter().find(|(node, _)| *node == held.child);
            let (_, device) = door.ok_or_else(|| Error::Protocol(format!("{held:?}")))?;
            open.asked.push(done(device.clone(), held.request.clone()));
        }
        Ok(())
    }

    /// Adds a child; its name in the array, or why it is refused.
    pub(super) fn add(
        &mut self,
        name: &NodeName,
        device: Arc<dyn BlockDevice>,
        bytes: u64,
    ) -> Result<NodeName, String> {
        let added = self.try_add(name, device, bytes);
        added.map_err(|error| self.unless_refused(error))
    }

    fn try_add(
        &mut self,
        name: &NodeName,
        device: Arc<dyn BlockDevice>,
        bytes: u64,
    ) -> Result<NodeName, Error> {
        let (daemon, open) = self.both()?;
        let (parent, node) = (format!("q-{}", open.suffix), format!("{name}-{}", open.suffix));
        let is_new = open.doors.iter().all(|(other, _)| *other != node);
        if is_new {
            daemon
                .serve(&node, Door { bytes, abilities: device.limits().into(), is_open: false })?;
        }
        let added = daemon.obey("x-blockdev-change", &json!({"parent": parent, "node": node}));
        if let (Err(_), true) = (&added, is_new) {
            daemon.retire(&node)?;
        }
        added?;
        daemon.child(&node).is_open = true;
        if is_new {
            open.doors.push((node.clone(), device));
        }
        let children = children(daemon, &parent)?;
        let added = children.into_iter().find(|(_, other)| *other == node);
        let added = added.ok_or_else(|| Error::Protocol("a graph without a new child".into()))?;
        Ok(added.0.into())
    }

    /// Removes a child by its name in the array, or says why that is refused.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), String> {
        let removed = self.both().and_then(|(daemon, open)| {
            let parent = format!("q-{}", open.suffix);
            daemon.obey("x-blockdev-change", &json!({"parent": parent, "child": name}))?;
            Ok(())
        });
        removed.map_err(|error| self.unless_refused(error))
    }

    /// The children's names in the array, and their nodes'.
    pub(super) fn names(&mut self) -> Vec<(NodeName, NodeName)> {
        let names = self.both().and_then(|(daemon, open)| {
            let (parent, suffix) = (format!("q-{}", open.suffix), format!("-{}", open.suffix));
            let children = children(daemon, &parent)?.into_iter();
            let own = |node: String| NodeName::from(node.strip_suffix(&suffix).unwrap_or(&node));
            Ok(children.map(|(name, node)| (name.into(), own(node))).collect())
        });
        names.unwrap_or_else(|error| {
            self.broken.get_or_insert(error);
            Vec::new()
        })
    }

    fn both(&mut self) -> Result<(&mut Daemon<Door>, &mut Open), Error> {
        match (&mut self.daemon, &mut self.open, &self.broken) {
            (Some(daemon), Some(open), None) => Ok((daemon, open)),
            _ => Err(Error::Protocol("nothing any more".into())),
        }
    }

    /// Why something is refused. What is no refusal is the end of it.
    fn unless_refused(&mut self, error: Error) -> String {
        let why = match &error {
            Error::Refused { refusal, .. } => return refusal.text.clone(),
            other => other.to_string(),
        };
        self.broken.get_or_insert(error);
        if self.open.is_none() {
            // Nothing is left to be closed, after which it would be given up.
            self.daemon = None;
        }
        why
    }

    /// Closes the array. What disks have not answered comes to nothing.
    pub(super) fn close(&mut self) {
        let (Some(daemon), Some(open)) = (&mut self.daemon, self.open.take()) else { return };
        if self.broken.is_none()
            && let Err(error) = close(daemon, &open)
        {
            self.broken = Some(error);
        }
        if self.broken.is_some() {
            self.daemon = None;
        }
    }
}

/// Starts QEMU once, to see whether it does.
///
/// # Errors
/// It does not start, and why.
pub fn probe(program: &Program) -> Result<(), Error> {
    Daemon::<Door>::start_leaping(program).map(drop)
}

fn close(daemon: &mut Daemon<Door>, open: &Open) -> Result<(), Error> {
    for (node, _) in &open.doors {
        daemon.child(node).is_open = false;
    }
    while !daemon.held().is_empty() {
        daemon.release(0, &Err(Errno::EIO))?;
    }
    if open.is_changing {
        daemon.shut(open.client)?;
        daemon.obey("blockdev-del", &json!({"node-name": format!("q-{}", open.suffix)}))?;
        for (node, _) in &open.doors {
            daemon.retire(node)?;
        }
    } else {
        daemon.close(open.client)?;
    }
    daemon.take_events();
    Ok(())
}

/// Opens an array over nodes of its children.
fn open_over_nodes(
    daemon: &mut Daemon<Door>,
    options: &Value,
    children: Vec<(String, Door)>,
) -> Result<Client, Error> {
    let names: Vec<String> = children.iter().map(|(node, _)| node.clone()).collect();
    for (node, door) in children {
        daemon.serve(&node, door)?;
    }
    let name = options["node-name"].as_str().expect("arrays have names");
    let opened = daemon.obey("blockdev-add", options).and_then(|_| daemon.export(name));
    if opened.is_err() {
        for node in &names {
            daemon.retire(node)?;
        }
    }
    opened
}

/// Whether there is something to do for the run: a disk is asked, or every request has its reply.
fn has_something(daemon: &Daemon<Door>, open: &Open) -> bool {
    let waits =
        |(ticket, reply): &(Ticket, _)| Option::is_none(reply) && !daemon.has_reply(*ticket);
    !daemon.held().is_empty() || !open.tickets.iter().any(waits)
}

/// Waits until there is.
fn until_something(daemon: &mut Daemon<Door>, open: &Open) -> Result<(), Error> {
    while !has_something(daemon, open) {
        if !daemon.until_arrived(daemon.arrived() + 1, PATIENCE)? {
            return Err(Error::Protocol("neither a reply nor a request to a child".into()));
        }
    }
    Ok(())
}

/// The children of an array: their names in it, and their nodes'.
fn children(daemon: &mut Daemon<Door>, parent: &str) -> Result<Vec<(String, String)>, Error> {
    let graph = daemon.obey("x-debug-query-block-graph", &json!({}))?;
    let list = |key: &str| graph[key].as_array().cloned().unwrap_or_default();
    let nodes = list("nodes");
    let name = |id: &Value| nodes.iter().find(|node| node["id"] == *id).map(|node| &node["name"]);
    let edges = list("edges")
        .into_iter()
        .filter(|edge| name(&edge["parent"]).is_some_and(|name| name == parent));
    let child = |edge: Value| {
        let node = name(&edge["child"])?.as_str()?.to_owned();
        Some((edge["name"].as_str()?.to_owned(), node))
    };
    Ok(edges.filter_map(child).collect())
}

/// An answer of a disk as NBD carries it.
pub(super) fn reply(answer: IoResult<Vec<u8>>) -> Reply {
    answer.map_err(heard)
}

/// Something comes within this time, or QEMU hangs.
const PATIENCE: Duration = Duration::from_secs(10);
