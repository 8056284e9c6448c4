//! What went wrong between requests, if anything.

use super::{
    super::journal::{Entry, What},
    LAST_READ, Meeting, OLD,
};
use crate::spec::{Reply, request::Content};
use quorate_engine::Event;
use serde::Serialize;

/// How requests can harm each other, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// A child is reported that was sound from the begin.
    Blamed,
    /// A request fails, although no child failed.
    Failed,
    /// A read answers what was not there at any time at which it ran.
    Wrong,
    /// In the end the children differ, although the next read is right.
    Diverged,
    /// In the end the children differ so much that the next read finds no quorum.
    Unreadable,
    /// The next read answers something else than what was acknowledged last.
    Lost,
}

impl Hazard {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Blamed, Self::Failed, Self::Wrong, Self::Diverged, Self::Unreadable, Self::Lost];

    /// Whether data are wrong, or may be by and by.
    #[must_use]
    pub fn is_of_data(self) -> bool {
        self >= Self::Wrong
    }

    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blamed => "blamed",
            Self::Failed => "failed",
            Self::Wrong => "wrong",
            Self::Diverged => "diverged",
            Self::Unreadable => "unreadable",
            Self::Lost => "lost",
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Blamed => "A sound child is reported.",
            Self::Failed => "A request fails, although no child fails.",
            Self::Wrong => "A read answers what was not there at any time at which it ran.",
            Self::Diverged => "The children differ in the end.",
            Self::Unreadable => "What was acknowledged cannot be read in the end: no quorum.",
            Self::Lost => "What was acknowledged is lost: the next read answers something else.",
        }
    }
}

/// What is wrong with a story.
pub(super) struct Judgement {
    blamed: bool,
    failed: bool,
    wrong: bool,
    /// How it is with the data in the end.
    end: Option<Hazard>,
}

impl Judgement {
    /// Judges requests and the read behind them; `held` is what the children held in between.
    pub(super) fn of(
        meeting: &Meeting,
        rotten: Option<usize>,
        journal: &[Entry],
        held: &[char],
    ) -> Self {
        let count = meeting.requests.len();
        let replies = (0..count).map(|at| reply(journal, at).expect("all have ended"));
        let replies: Vec<Reply<Content>> = replies.collect();
        let last = reply(journal, LAST_READ).expect("it has ended");
        let read = |at| meeting.written(at).is_none() && matches!(replies[at], Ok(Some(_)));
        let wrong = |at: usize| read(at) && !may_read(meeting, journal, at).contains(&replies[at]);
        let end = match last {
            Err(_) => Some(Hazard::Unreadable),
            Ok(_) if !may_read(meeting, journal, LAST_READ).contains(&last) => Some(Hazard::Lost),
            Ok(_) => held.iter().any(|name| *name != held[0]).then_some(Hazard::Diverged),
        };
        Self {
            blamed: journal.iter().any(|entry| blames_other_than(rotten, entry)),
            failed: replies.iter().any(Reply::is_err),
            wrong: (0..count).any(wrong),
            end,
        }
    }

    pub(super) fn hazards(&self) -> impl Iterator<Item = Hazard> {
        let of_requests = [
            (self.blamed, Hazard::Blamed),
            (self.failed, Hazard::Failed),
            (self.wrong, Hazard::Wrong),
        ];
        of_requests.into_iter().filter_map(|(is, hazard)| is.then_some(hazard)).chain(self.end)
    }
}

/// What a request was answered.
pub(super) fn reply(journal: &[Entry], request: usize) -> Option<Reply<Content>> {
    journal.iter().find_map(|entry| match entry.what {
        What::Done(reply) if entry.request == request => Some(reply),
        _ => None,
    })
}

/// What a read may answer: what was written before it or beside it, unless it was overwritten before.
fn may_read(meeting: &Meeting, journal: &[Entry], read: usize) -> Vec<Reply<Content>> {
    let at = |request, is: fn(&What) -> bool| {
        journal.iter().position(|entry| entry.request == request && is(&entry.what))
    };
    let made = |request| at(request, |what| matches!(what, What::Made));
    let done = |request| at(request, |what| matches!(what, What::Done(_)));
    let before = |one, other| done(one) < made(other);
    let all = 0..meeting.requests.len();
    let writes: Vec<usize> = all.filter(|&at| meeting.written(at).is_some()).collect();
    let over = |write| writes.iter().any(|&next| before(write, next) && before(next, read));
    let visible = writes.iter().filter(|&&write| !before(read, write) && !over(write));
    let old = writes.iter().all(|&write| !before(write, read)).then_some(OLD);
    visible
        .filter_map(|&write| meeting.written(write))
        .chain(old)
        .map(|name| Ok(Some(name)))
        .collect()
}

/// Whether the entry reports a child that was sound at first, before the read behind the end.
fn blames_other_than(rotten: Option<usize>, entry: &Entry) -> bool {
    let What::Reported(Event::ReportBad { node_name, .. }) = &entry.what else { return false };
    let rotten = rotten.map(|child| format!("c{child}"));
    entry.request != LAST_READ && rotten.as_deref() != Some(node_name.as_str())
}
