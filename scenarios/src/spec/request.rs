//! What an array does with one request, told from its begin to its end: what it asks of its children,
//! what it reports when, and what it answers.
//!
//! The children answer in an order that is the business of a [`World`].

use super::Reply;
use quorate_engine::{Errno, Event, NodeName, OpType, Sectors, quorum::options::ReadPattern};

/// The name of some bytes; nothing, for what has no bytes to answer.
pub type Content = Option<char>;

/// The name of zeroes.
pub const ZEROES: char = '0';

/// What an array is like.
#[derive(Clone, Debug)]
pub struct Array {
    /// Its node's name.
    pub name: NodeName,
    /// Its children's nodes, in the order in which they vote.
    pub children: Vec<NodeName>,
    /// How many of them must agree.
    pub threshold: usize,
    /// How it reads.
    pub pattern: ReadPattern,
    /// Whether children that lost a vote are overwritten with what won it.
    pub repairs: bool,
    /// Whether its two children are compared rather than voted on.
    pub verifies: bool,
}

/// The bytes that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where they begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

impl Range {
    fn sectors(self) -> Sectors {
        super::covering(self.offset, self.bytes)
    }
}

/// What is asked of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To read.
    Read(Range),
    /// To write what is named so.
    Write(Range, char),
    /// To make the bytes read as zeroes.
    Zeroes(Range),
    /// To make durable what was written.
    Flush,
}

/// What is around an array.
pub trait World {
    /// A child is asked. It answers in its own time.
    fn ask(&mut self, child: usize, ask: Ask);

    /// Waits for the next child that answers.
    fn answer(&mut self) -> (usize, Reply<Content>);

    /// Something is reported.
    fn report(&mut self, event: Event);

    /// Where these bytes begin to differ, counted from the begin of the request.
    fn first_difference(&self, one: Content, other: Content) -> u64;
}

impl Array {
    /// Reads.
    ///
    /// # Errors
    /// There is no quorum, or in pattern fifo no child that reads.
    pub fn read(&self, range: Range, world: &mut dyn World) -> Reply<Content> {
        match self.pattern {
            ReadPattern::Quorum => self.read_from_all(range, world),
            ReadPattern::Fifo => self.read_from_the_first(range, world),
        }
    }

    fn read_from_all(&self, range: Range, world: &mut dyn World) -> Reply<Content> {
        let replies = self.ask_all(Ask::Read(range), OpType::Read, range.sectors(), world);
        if let (true, [Ok(one), Ok(other)]) = (self.verifies, &replies[..])
            && one != other
        {
            let first = world.first_difference(*one, *other);
            world.report(self.mismatch(range, range.offset + first));
            return Err(Errno::EIO);
        }
        let ballot = super::read(&replies, self.threshold);
        if ballot.failure {
            world.report(self.failure(range.sectors()));
        }
        let winner = ballot.result?;
        for &loser in &ballot.losers {
            world.report(self.bad(OpType::Read, loser, None, range.sectors()));
        }
        if let (true, Some(name)) = (self.repairs, winner) {
            for &loser in &ballot.losers {
                world.ask(loser, Ask::Write(range, name));
            }
            for _ in &ballot.losers {
                // How a repair ends changes nothing, and nobody hears of it.
                let _ = world.answer();
            }
        }
        Ok(winner)
    }

    fn read_from_the_first(&self, range: Range, world: &mut dyn World) -> Reply<Content> {
        let mut last = Err(Errno::EIO);
        for child in 0..self.children.len() {
            world.ask(child, Ask::Read(range));
            (_, last) = world.answer();
            match last {
                Ok(_) => break,
                Err(errno) => {
                    world.report(self.bad(OpType::Read, child, Some(errno), range.sectors()));
                }
            }
        }
        last
    }

    /// Writes, and with `fua` flushes if that succeeded.
    ///
    /// # Errors
    /// Too few children did it.
    pub fn write(
        &self,
        range: Range,
        content: char,
        fua: bool,
        world: &mut dyn World,
    ) -> Reply<Content> {
        let ask = Ask::Write(range, content);
        let replies = self.ask_all(ask, OpType::Write, range.sectors(), world);
        self.count(&replies, range, world)?;
        if fua { self.flush(world) } else { Ok(None) }
    }

    /// Makes the range read as zeroes.
    ///
    /// # Errors
    /// Too few children did it.
    pub fn write_zeroes(&self, range: Range, world: &mut dyn World) -> Reply<Content> {
        let sectors = range.sectors();
        for child in 0..self.children.len() {
            world.ask(child, Ask::Zeroes(range));
        }
        let mut asked_to_write = vec![false; self.children.len()];
        let mut replies = vec![None; self.children.len()];
        while replies.contains(&None) {
            let (child, reply) = world.answer();
            // A child without zeroes gets them as data, and that is what counts.
            if reply == Err(Errno::ENOTSUP) && !asked_to_write[child] {
                asked_to_write[child] = true;
                world.ask(child, Ask::Write(range, ZEROES));
                continue;
            }
            if let Err(errno) = reply {
                world.report(self.bad(OpType::Write, child, Some(errno), sectors));
            }
            replies[child] = Some(reply);
        }
        let replies: Vec<Reply<Content>> = replies.into_iter().flatten().collect();
        match self.count(&replies, range, world) {
            // Then all of it is tried again, and reported again.
            Err(Errno::ENOTSUP) => self.write(range, ZEROES, false, world),
            other => other,
        }
    }

    /// Flushes.
    ///
    /// # Errors
    /// Too few children did it.
    pub fn flush(&self, world: &mut dyn World) -> Reply<Content> {
        let mut replies = Vec::new();
        for child in 0..self.children.len() {
            world.ask(child, Ask::Flush);
            let (_, reply) = world.answer();
            if let Err(errno) = reply {
                let nowhere = Sectors { first: 0, count: 0 };
                world.report(self.bad(OpType::Flush, child, Some(errno), nowhere));
            }
            replies.push(reply);
        }
        super::enough(&replies, self.threshold).map(|()| None)
    }

    /// Asks all children the same, and waits for all of them. Failures are reported as they come.
    fn ask_all(
        &self,
        ask: Ask,
        op: OpType,
        sectors: Sectors,
        world: &mut dyn World,
    ) -> Vec<Reply<Content>> {
        for child in 0..self.children.len() {
            world.ask(child, ask);
        }
        let mut replies = vec![Ok(None); self.children.len()];
        for _ in 0..self.children.len() {
            let (child, reply) = world.answer();
            if let Err(errno) = reply {
                world.report(self.bad(op, child, Some(errno), sectors));
            }
            replies[child] = reply;
        }
        replies
    }

    fn count(
        &self,
        replies: &[Reply<Content>],
        range: Range,
        world: &mut dyn World,
    ) -> Reply<Content> {
        let enough = super::enough(replies, self.threshold);
        if enough.is_err() {
            world.report(self.failure(range.sectors()));
        }
        enough.map(|()| None)
    }

    fn bad(&self, op: OpType, child: usize, error: Option<Errno>, sectors: Sectors) -> Event {
        Event::ReportBad { op, node_name: self.children[child].clone(), error, sectors }
    }

    fn failure(&self, sectors: Sectors) -> Event {
        Event::Failure { reference: self.name.clone(), sectors }
    }

    fn mismatch(&self, Range { offset, bytes }: Range, first_difference: u64) -> Event {
        Event::Mismatch { reference: self.name.clone(), offset, bytes, first_difference }
    }
}
