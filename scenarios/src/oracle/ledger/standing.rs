//! Which requests are inside of what the threshold tolerates, and whether those are answered right.

use super::{
    super::{
        calls::Call,
        case::{Asked, Case},
        cells::{Wrong, WrongKind},
    },
    Walk,
    account::End,
    failed,
    laws::{read_is_inside, write_is_inside},
    votes::Tally,
};
use crate::model::Promises;
use quorate_engine::{Errno, Event, OpType, quorum::options::ReadPattern};
use quorate_faults::{host::Delay, rule::OpKind};
use quorate_reports::{GuestOp, Outcome, What};

/// What is known of a request whose children are asked one by one.
#[derive(Default)]
pub(in crate::oracle) struct Pool {
    /// The children whose part failed, and those whose part may be wrong, where they are not asked all
    /// at once for the same.
    failed: Vec<u32>,
    wrong: Vec<u32>,
    /// The children whose flush failed.
    unflushed: Vec<u32>,
    /// The reads of which nobody knows yet what became of their faults.
    open: Vec<usize>,
    /// How flushes went, and reads of one child after the other.
    pub(super) tally: Tally,
}

/// How a request stands.
#[derive(Default)]
pub(in crate::oracle) struct Standing {
    /// Why it is outside of what is tolerated, if a vote says so.
    pub(in crate::oracle) outside: Option<Outside>,
    /// Whether it ran into others that write, where requests do not take turns.
    pub(super) raced: bool,
    /// Whether what it writes may have come before or behind what others write.
    pub(super) raced_writing: bool,
    /// The most wrong answers that were alike in a vote; none, if nobody can say.
    pub(super) wrong_most: Option<usize>,
    /// How many of its votes were followed.
    pub(super) votes: usize,
    pub(super) pool: Pool,
    /// How many bytes its children have been asked for, and not answered yet.
    pub(super) held: u64,
}

/// Why a request is outside of what the threshold tolerates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) struct Outside {
    /// The entry from which it is.
    pub(in crate::oracle) at: usize,
    /// How many children fail or may be wrong.
    pub(in crate::oracle) suspects: usize,
    /// Of how many.
    pub(in crate::oracle) children: usize,
}

impl Walk<'_> {
    /// Counts one child's part of a request that is not voted on as one.
    pub(super) fn pool(&mut self, at: usize, place: usize) {
        let case = self.case;
        let call = &case.calls.all[place];
        let reply =
            call.reply().filter(|_| !self.cancelled[place]).unwrap_or(Err(Errno::ECANCELED));
        let suspect = self.ledger.suspects[place];
        if let (Err(errno), false) = (reply, suspect) {
            self.unexplained(at, place, errno);
        }
        let Some(owner) = self.ledger.owners[place] else {
            return self.end_elsewhere(place);
        };
        let reads = matches!(self.asked(owner).op, GuestOp::Read { .. });
        let falls_back = reply.is_err_and(|errno| self.falls_back(place, errno));
        let pool = &mut self.ledger.standings[owner].pool;
        let child = call.call.child;
        match (call.call.kind, reply) {
            (OpKind::Flush, reply) => {
                pool.tally.add(reply, None);
                reply.is_err().then(|| note(&mut pool.unflushed, child));
                self.end_elsewhere(place);
            }
            (kind, _) if Self::is_single(kind) => self.end_elsewhere(place),
            _ if falls_back => {}
            (kind, Err(_)) => {
                note(&mut pool.failed, child);
                pool.tally.add(reply, None);
                if kind == OpKind::Read {
                    self.end_elsewhere(place);
                }
                self.fall_short(place);
            }
            (OpKind::Read, Ok(_)) => {
                pool.tally.add(reply, (!suspect).then_some(reply));
                if suspect {
                    if reads {
                        note(&mut pool.wrong, child);
                    }
                    pool.open.push(place);
                } else {
                    self.end_faults(place, End::Waited);
                }
            }
            (_, Ok(_)) => {}
        }
    }

    /// A read asks for more bytes: no more at once than each child answers once.
    pub(super) fn hold(&mut self, place: usize, owner: usize) {
        let call = &self.case.calls.all[place];
        if call.call.kind != OpKind::Read || !self.ledger.sure[place] {
            return;
        }
        let held = &mut self.ledger.standings[owner].held;
        *held += call.call.bytes;
        let (held, GuestOp::Read { offset, bytes }) = (*held, self.asked(owner).op) else { return };
        let around = self.around(*offset, *bytes);
        let disks = self.case.disks.len() as u64;
        let most = (around.end - around.start).saturating_mul(disks);
        if held > most {
            let reason = format!("{held} bytes are read at once; {most} are enough.");
            self.find("bounds", Some(owner), call.submitted, reason);
        }
    }

    /// What became of the faults of an operation whose answer is all there is of it.
    pub(super) fn end_elsewhere(&mut self, place: usize) {
        let call = &self.case.calls.all[place];
        if call.firings.is_empty() {
            return;
        }
        let heard = call.answered.is_some_and(|(at, _)| self.case.entries()[at].request.is_some());
        let owner = self.ledger.owners[place];
        let gone = owner.is_none_or(|owner| self.asked(owner).dropped.is_some());
        let end = match call.reply() {
            _ if self.cancelled[place] => End::GivenUp,
            Some(Err(_)) if self.reports_failure(place) => End::Reported,
            // All children are asked for a length, and to close; nobody is reported for it.
            _ if matches!(call.call.kind, OpKind::Length | OpKind::Close) => End::Served,
            Some(Err(_)) if gone || !heard => End::GivenUp,
            // Nobody hears of a repair that fails as its child cannot be read around it.
            Some(Err(_)) if self.repairs_around(place) => End::Harmless,
            // Nobody was told, and somebody should have been.
            Some(Err(_)) => return,
            Some(Ok(_)) if call.call.kind == OpKind::BlockStatus => End::Served,
            Some(Ok(_)) | None => End::Harmless,
        };
        for (cause, (_, firing)) in (self.causes[place]..).zip(call.faults(self.case)) {
            let late = end == End::Harmless && firing.delay != Delay::NONE;
            self.ledger.account.end(cause, if late { End::Waited } else { end });
        }
    }

    /// Whether this may be what a repair reads around the bytes that it writes.
    fn repairs_around(&self, place: usize) -> bool {
        let call = self.case.calls.all[place].call;
        let owner = self.ledger.owners[place].map(|owner| self.asked(owner).op);
        let limits = self.case.disks[call.child as usize].limits;
        self.case.scenario.array.rewrite_corrupted
            && limits.request_alignment > 1
            && matches!(owner, Some(GuestOp::Read { .. }))
    }

    /// A child fails, and nobody has injected that.
    pub(super) fn unexplained(&mut self, at: usize, place: usize, errno: Errno) {
        let call = &self.case.calls.all[place];
        let zeroes = call.call.kind == OpKind::WriteZeroes && errno == Errno::ENOTSUP;
        if zeroes || !self.plain || errno == Errno::ECANCELED {
            return;
        }
        let Call { call, .. } = call;
        let reason = format!(
            "The {} of {} bytes at {} fails on c{} with {errno}, and no fault says so.",
            call.kind.word(),
            call.bytes,
            call.offset,
            call.child
        );
        self.find("prediction", self.ledger.owners[place], at, reason);
    }

    /// Why a request is outside of what the threshold tolerates, if it is.
    pub(super) fn inside(&self, place: usize) -> Option<Outside> {
        let standing = &self.ledger.standings[place];
        if standing.outside.is_some() {
            return standing.outside;
        }
        let asked = self.asked(place);
        let at = asked.over().unwrap_or(asked.invoked);
        let threshold = self.case.scenario.array.vote_threshold;
        let Pool { failed, wrong, unflushed, .. } = &standing.pool;
        if !standing.raced && failed.is_empty() && wrong.is_empty() && unflushed.is_empty() {
            return None;
        }
        let children = self.electorate(asked);
        let either = wrong.iter().filter(|child| !failed.contains(child)).count();
        let suspects = failed.len().max(unflushed.len()) + either;
        let outside = Some(Outside { at, suspects, children });
        if !self.case.scenario.array.inner.is_empty() {
            let all: Vec<u32> = failed.iter().chain(wrong).chain(unflushed).copied().collect();
            return outside.filter(|_| standing.raced || !self.nested_is_inside(asked, &all));
        }
        let read = matches!(asked.op, GuestOp::Read { .. });
        let fifo = self.case.scenario.array.read_pattern == ReadPattern::Fifo;
        let inside = match read {
            true if fifo => wrong.is_empty() && failed.len() < children,
            true => read_is_inside(children, threshold, failed.len(), either),
            false => write_is_inside(children, threshold, failed.len()),
        };
        let flushed = write_is_inside(children, threshold, unflushed.len());
        outside.filter(|_| standing.raced || !inside || !flushed)
    }

    /// How many children there were when a request's turn came: who leaves later counts as failed.
    fn electorate(&self, asked: &Asked<'_>) -> usize {
        self.members(asked).len()
    }

    fn members(&self, asked: &Asked<'_>) -> &[u32] {
        let turn = asked.entries.first().copied().unwrap_or(asked.invoked);
        self.case.members_at(turn)
    }

    /// Whether an array of arrays tolerates these suspects.
    fn nested_is_inside(&self, asked: &Asked<'_>, suspects: &[u32]) -> bool {
        let array = &self.case.scenario.array;
        let name = |disk: &u32| format!("c{disk}");
        let mut bad: Vec<String> = suspects.iter().map(name).collect();
        let mut children: Vec<String> = self.members(asked).iter().map(name).collect();
        let inner = array.inner.iter().map(|inner| inner.name.clone());
        children.extend(inner.filter(|inner| self.case.scenario.child_names().contains(inner)));
        let counts = |bad: &[String], children: &[String], threshold: usize| {
            let wrong = children.iter().filter(|name| bad.contains(name)).count();
            read_is_inside(children.len(), threshold, 0, wrong)
        };
        for inner in &array.inner {
            if !counts(&bad, &inner.children, inner.vote_threshold) {
                bad.push(inner.name.clone());
            }
        }
        counts(&bad, &children, array.vote_threshold)
    }

    /// A request is answered: whether it had to be, and whether it is right.
    pub(super) fn judge(&mut self, at: usize, place: usize, outcome: &Outcome) {
        let asked = self.asked(place);
        let outside = self.inside(place);
        self.ledger.standings[place].outside = outside;
        self.settle(place, Some(outcome));
        self.tally(place, outside.is_none());
        let promises = self.case.scenario.expect.promises;
        let promised = promises != Promises::Conforming;
        match (outcome, outside) {
            (_, None) if promised && failed(outcome) && !may_fail(self.case, asked) => {
                let errno = outcome.error().unwrap_or(Errno::EIO);
                let reason = format!(
                    "The request failed with {errno}, though no more children misbehave than the \
                     threshold tolerates."
                );
                self.find("in-budget", Some(place), at, reason);
            }
            (Outcome::Data(Ok(data)), _) => {
                if let Some(wrong) = self.cells.wrong(asked, data) {
                    self.wrong(at, place, &wrong, promised && outside.is_none());
                }
            }
            _ => {}
        }
    }

    /// A read gives bytes that it may not.
    fn wrong(&mut self, at: usize, place: usize, wrong: &Wrong, promised: bool) {
        let asked = self.asked(place);
        let standing = &self.ledger.standings[place];
        let threshold = self.case.scenario.array.vote_threshold;
        let (start, bytes) = (wrong.range.start, wrong.range.end - wrong.range.start);
        if standing.wrong_most.is_some_and(|most| most < threshold) {
            let most = standing.wrong_most.unwrap_or_default();
            let reason = format!(
                "The {bytes} bytes from {start} on are wrong, and no more than {most} children \
                 answered the same wrong bytes: the read had to fail."
            );
            self.find("fail-safe", Some(place), at, reason);
        }
        if !promised {
            return;
        }
        let since = wrong.written.unwrap_or(0);
        let (check, what) = match wrong.kind {
            WrongKind::Old if self.damaged_since(since, asked.invoked) => {
                ("durability", "were replaced and flushed before the power went")
            }
            WrongKind::Old => ("read-your-writes", "were replaced before the read began"),
            WrongKind::Third => ("closure", "are neither old nor new, beside a write that failed"),
            WrongKind::Strange => ("in-budget", "are what nobody has written there"),
        };
        let reason = format!("The {bytes} bytes from {start} on {what}.");
        self.find(check, Some(place), at, reason);
    }

    /// Says what became of the faults of reads whose vote is over.
    pub(super) fn settle(&mut self, place: usize, outcome: Option<&Outcome>) {
        let open = std::mem::take(&mut self.ledger.standings[place].pool.open);
        if open.is_empty() {
            return;
        }
        let asked = self.asked(place);
        let fifo = self.case.scenario.array.read_pattern == ReadPattern::Fifo;
        let outside = self.ledger.standings[place].outside.is_some();
        for call in open {
            let name = &self.case.names[self.case.calls.all[call].call.child as usize];
            let lost = asked.entries.iter().any(|&entry| match &self.case.entries()[entry].what {
                What::Event(Event::ReportBad { node_name, error: None, .. }) => node_name == name,
                _ => false,
            });
            let served = outside || fifo || outcome.is_some_and(failed);
            match outcome {
                _ if lost => {
                    for cause in self.causes_of(call) {
                        self.ledger.account.end(cause, End::Reported);
                    }
                }
                None => self.end_faults(call, End::GivenUp),
                Some(_) if served => {
                    for cause in self.causes_of(call) {
                        self.ledger.account.end(cause, End::Served);
                    }
                }
                // Padding is altered without anybody seeing it.
                Some(_) => self.end_faults(call, End::Harmless),
            }
        }
    }

    /// Notes how flushes, and reads of one child after the other, came out.
    fn tally(&mut self, place: usize, inside: bool) {
        let asked = self.asked(place);
        let op = match asked.op {
            GuestOp::Flush | GuestOp::Close => OpType::Flush,
            GuestOp::Write { flags, .. } if flags.fua => OpType::Flush,
            GuestOp::Read { .. } if self.case.scenario.array.read_pattern == ReadPattern::Fifo => {
                OpType::Read
            }
            _ => return,
        };
        let children = self.electorate(asked);
        let tally = std::mem::take(&mut self.ledger.standings[place].pool.tally);
        self.classify(op, children, tally, inside);
    }
}

/// Whether the rules let a request fail though enough children are well.
fn may_fail(case: &Case<'_>, asked: &Asked<'_>) -> bool {
    let by_rule = match asked.op {
        // Every child must tell its length, and the same.
        GuestOp::Length | GuestOp::Truncate { .. } => true,
        GuestOp::WriteZeroes { flags, .. } => flags.no_fallback,
        _ => false,
    };
    by_rule || case.refused(asked).is_some()
}

fn note(children: &mut Vec<u32>, child: u32) {
    if !children.contains(&child) {
        children.push(child);
    }
}
