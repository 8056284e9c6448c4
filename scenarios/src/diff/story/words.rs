//! What an array did, in words.

use super::{Began, Story, Turn};
use quorate_engine::Flags;
use quorate_reports::{
    GuestOp, Outcome, qapi,
    trace::{ChildCall, Payload},
};

impl Story {
    /// A line for each turn.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        if !self.opened {
            return vec!["it does not open".into()];
        }
        self.turns.iter().map(Turn::line).collect()
    }
}

impl Turn {
    pub(super) fn words(&self) -> String {
        match self.came_of_it() {
            came if came.is_empty() => format!("{}, and nothing follows", self.began()),
            _ => self.line(),
        }
    }

    fn line(&self) -> String {
        match self.came_of_it() {
            came if came.is_empty() => self.began(),
            came => format!("{}; {}", self.began(), came.join(", ")),
        }
    }

    fn began(&self) -> String {
        match &self.began {
            Began::Asked(id, op) => format!("{id} asks for {}", op_words(op)),
            Began::Replied(child, ordinal, None) => format!("c{child} has done #{ordinal}"),
            Began::Replied(child, ordinal, Some(errno)) => {
                format!("c{child} fails #{ordinal} with {errno}")
            }
            Began::Changed(Some(name)) => format!("{name} joins or leaves"),
            Began::Changed(None) => "a change of children is refused".into(),
        }
    }

    fn came_of_it(&self) -> Vec<String> {
        let events = self.events.iter().map(qapi::text);
        let calls = alike(&self.asked).into_iter().map(|calls| {
            let children: Vec<_> = calls.iter().map(|call| format!("c{}", call.child)).collect();
            format!("{} {}", children.join(" "), what(calls[0]))
        });
        let answers =
            self.answered.iter().map(|(id, outcome)| format!("{id}: {}", answer(outcome)));
        events.chain(calls).chain(answers).collect()
    }
}

fn op_words(op: &GuestOp) -> String {
    match op {
        GuestOp::Read { offset, bytes } => format!("read {offset}+{bytes}"),
        GuestOp::Write { offset, data, flags } => {
            format!(
                "write {offset}+{}{}{}",
                data.len(),
                flag_words(*flags),
                named(Payload::of(data))
            )
        }
        GuestOp::WriteZeroes { offset, bytes, flags } => {
            format!("zeroes {offset}+{bytes}{}", flag_words(*flags))
        }
        GuestOp::Flush => "flush".into(),
        other => format!("{other:?}"),
    }
}

pub(super) fn call_words(call: &ChildCall) -> String {
    format!("c{} {}", call.child, what(call))
}

/// What a child is asked.
fn what(call: &ChildCall) -> String {
    let ChildCall { ordinal, kind, offset, bytes, flags, payload, .. } = call;
    let (kind, flags, data) = (kind.word(), flag_words(*flags), named(*payload));
    format!("#{ordinal} {kind} {offset}+{bytes}{flags}{data}")
}

/// The calls, those of several children together that are the same.
fn alike(calls: &[ChildCall]) -> Vec<Vec<&ChildCall>> {
    let mut all: Vec<Vec<&ChildCall>> = Vec::new();
    for call in calls {
        let same = |other: &ChildCall| ChildCall { child: call.child, ..other.clone() } == *call;
        match all.iter_mut().find(|calls| same(calls[0])) {
            Some(calls) => calls.push(call),
            None => all.push(vec![call]),
        }
    }
    all
}

fn flag_words(flags: Flags) -> String {
    let fua = if flags.fua { " fua" } else { "" };
    let unmap = if flags.may_unmap { " unmap" } else { "" };
    let fast = if flags.no_fallback { " no-fallback" } else { "" };
    format!("{fua}{unmap}{fast}")
}

fn named(data: Payload) -> String {
    if data.bytes > 0 { format!(" of {:08x}", data.hash >> 32) } else { String::new() }
}

pub(super) fn answer(outcome: &Outcome) -> String {
    match (outcome, outcome.error()) {
        (_, Some(errno)) => errno.to_string(),
        (Outcome::Data(Ok(data)), _) => {
            format!("{} bytes {:08x}", data.len(), Payload::of(data).hash >> 32)
        }
        _ => "done".into(),
    }
}
