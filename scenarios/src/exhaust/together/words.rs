//! A story of requests in words.

use super::{
    super::journal::{Entry, Question, What, answer},
    CHILDREN, LAST_READ, Meeting, Request, Unit,
};
use crate::spec::{
    Reply,
    request::{Ask, Content},
};
use quorate_engine::{Event, quorum::options::Overlap};

/// The array, and what is asked of it.
pub(super) fn title(unit: &Unit) -> String {
    let Unit { overlap, meeting, rotten, .. } = unit;
    let overlap = match overlap {
        Overlap::Serialise => "serialise",
        Overlap::Qemu => "qemu",
    };
    let repairs = if meeting.rewrite_corrupted { ", rewrite-corrupted" } else { "" };
    let rot = rotten.map(|child| format!(", but c{child}, which holds X")).unwrap_or_default();
    format!(
        "{}: {CHILDREN} children, vote-threshold {}{repairs}, overlap {overlap}; all hold O{rot}",
        meeting.words(),
        meeting.vote_threshold
    )
}

/// A request in words.
pub(super) fn name(meeting: &Meeting, at: usize) -> String {
    let own = meeting.requests[at];
    let several = meeting.requests.iter().filter(|request| **request == own).count() > 1;
    let earlier = meeting.requests[..at].contains(&own);
    let order = match (several, earlier) {
        (false, _) => "",
        (true, false) => "first ",
        (true, true) => "second ",
    };
    match (own, meeting.written(at)) {
        (Request::Write, Some(name)) => format!("the write of {name}"),
        (Request::WriteFua, Some(name)) => format!("the FUA write of {name}"),
        (Request::Flush, _) => format!("the {order}flush"),
        _ => format!("the {order}read"),
    }
}

/// The array, and then a line for each thing that happens outside of it, with what it does then.
pub(super) fn story(unit: &Unit, journal: &[Entry], held: &[char]) -> Vec<String> {
    let mut lines = vec![title(unit)];
    let steps = journal.chunk_by(|_, next| !matches!(next.what, What::Made | What::Answered(..)));
    for step in steps.filter(|step| step[0].request != LAST_READ) {
        let mut parts = vec![cause(&unit.meeting, journal, &step[0])];
        parts.extend(effects(&unit.meeting, &step[1..]));
        lines.push(parts.join("; "));
    }
    if let Some(reply) = super::judge::reply(journal, LAST_READ) {
        let held: Vec<String> = held.iter().map(char::to_string).collect();
        let held = held.join(" ");
        lines.push(format!("the children hold {held}; the next read {}", answers(&reply)));
    }
    lines
}

/// What happens outside of the array.
fn cause(meeting: &Meeting, journal: &[Entry], entry: &Entry) -> String {
    let of = name(meeting, entry.request);
    let What::Answered(child, reply) = entry.what else { return format!("{of} begins") };
    // A child does one thing at a time for a request.
    let before = journal.iter().take_while(|other| !std::ptr::eq(*other, entry));
    let asked = before.filter_map(|other| match other.what {
        What::Asked(of, question) if (other.request, of) == (entry.request, child) => {
            Some(question)
        }
        _ => None,
    });
    match asked.last() {
        Some(Question::Of(Ask::Write(_, name))) if meeting.written(entry.request).is_none() => {
            format!("c{child} is repaired for {of} and holds {name}")
        }
        Some(Question::Of(Ask::Write(_, name))) => format!("c{child} holds {name}"),
        Some(Question::Of(Ask::Flush)) => format!("c{child} has flushed for {of}"),
        _ => format!("{of} gets {} from c{child}", said(&reply)),
    }
}

/// What the array does then.
fn effects(meeting: &Meeting, entries: &[Entry]) -> Vec<String> {
    let mut effects: Vec<String> = Vec::new();
    let mut last = None;
    for Entry { request, what } in entries {
        match what {
            // The same question to the next child.
            What::Asked(child, question) if last == Some((request, question)) => {
                let effect = effects.last_mut().expect("the one to the child before");
                *effect += &format!(" c{child}");
            }
            What::Asked(child, question) => {
                last = Some((request, question));
                effects.push(format!("asks for {} c{child}", asks(question)));
            }
            What::Reported(Event::ReportBad { node_name, .. }) => {
                effects.push(format!("{node_name} is reported bad"));
            }
            What::Reported(_) => effects.push("no quorum is reported".into()),
            What::Done(reply) => {
                effects.push(format!("{} {}", name(meeting, *request), answers(reply)));
            }
            What::Made | What::Answered(..) => {}
        }
    }
    effects
}

fn asks(question: &Question) -> String {
    match question {
        Question::Of(Ask::Read(_)) => "a read of".into(),
        Question::Of(Ask::Write(_, name)) => format!("a write of {name} to"),
        Question::Of(Ask::Zeroes(_)) => "zeroes on".into(),
        Question::Of(Ask::Flush) => "a flush of".into(),
        Question::Other(word) => (*word).into(),
    }
}

fn answers(reply: &Reply<Content>) -> String {
    match reply {
        Ok(None) => "is acknowledged".into(),
        Ok(Some(name)) => format!("answers {name}"),
        Err(errno) => format!("fails with {errno}"),
    }
}

fn said(reply: &Reply<Content>) -> String {
    let mut text = String::new();
    answer(reply, &mut text).expect("a text takes text");
    text
}
