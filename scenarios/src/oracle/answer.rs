//! Whether a request answers what the rules say.

use super::{conformance::Rules, walk::Deviation};
use crate::spec::Reply;
use quorate_engine::{Errno, Extent};
use quorate_reports::{Outcome, trace::Payload};

/// What a request must answer.
pub(super) enum Answer {
    Done(Reply<()>),
    /// The pieces of a read.
    Data(Result<Vec<Payload>, Errno>),
    Length(Reply<u64>),
    Status(Reply<Extent>),
}

impl Rules<'_> {
    pub(super) fn compare(&self, answer: &Answer) -> Result<(), Deviation> {
        let Some((at, outcome)) = self.asked.completed else { return Ok(()) };
        let same = match (answer, outcome) {
            (Answer::Done(want), Outcome::Done(found)) => want == found,
            (Answer::Length(want), Outcome::Length(found)) => want == found,
            (Answer::Status(want), Outcome::Status(found)) => want == found,
            (Answer::Data(Err(want)), Outcome::Data(Err(found))) => want == found,
            (Answer::Data(Ok(pieces)), Outcome::Data(Ok(data))) => {
                let mut from = 0;
                let whole = pieces.iter().map(|p| p.bytes).sum::<u64>() == data.len() as u64;
                whole
                    && pieces.iter().all(|piece| {
                        let to = from + piece.bytes;
                        let found = self.piece_of(at, data, from..to);
                        from = to;
                        found == *piece
                    })
            }
            _ => false,
        };
        if same {
            return Ok(());
        }
        let want = match answer {
            Answer::Done(want) => words(want, |()| "success".into()),
            Answer::Length(want) => words(want, |bytes| format!("a length of {bytes}")),
            Answer::Status(want) => words(want, |extent| format!("{extent:?}")),
            Answer::Data(Err(errno)) => errno.to_string(),
            Answer::Data(Ok(_)) => "the bytes that won the vote".into(),
        };
        let found = match outcome.error() {
            Some(errno) => errno.to_string(),
            None if matches!(outcome, Outcome::Data(_)) => "other bytes".into(),
            None if matches!(outcome, Outcome::Done(_)) => "success".into(),
            None => format!("{outcome:?}"),
        };
        let reason = format!("The rules want {want} for the answer; the engine gave {found}.");
        Err(Deviation { check: "conformance", entry: Some(at), reason })
    }
}

fn words<T: Copy>(want: &Reply<T>, say: impl Fn(T) -> String) -> String {
    want.map_or_else(|errno| errno.to_string(), say)
}
