//! What happened between an array, its children and whoever uses it, in order.

use crate::spec::{
    Reply,
    request::{Ask, Content, Range},
};
use quorate_engine::Event;
use quorate_reports::qapi;
use std::fmt::{self, Write};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The request that it happened for, by number.
    pub(super) request: usize,
    /// What.
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The request was made.
    Made,
    /// A child was asked.
    Asked(usize, Question),
    /// A child answered.
    Answered(usize, Reply<Content>),
    /// The array reported something.
    Reported(Event),
    /// The request was answered.
    Done(Reply<Content>),
}

/// What a child was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Something that an array can have to ask.
    Of(Ask),
    /// Something else.
    Other(&'static str),
}

impl fmt::Display for What {
    /// In a line, with the signs of the timeline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made => f.write_str("@"),
            Self::Asked(child, question) => write!(f, "> c{child} {question}"),
            Self::Answered(child, reply) => {
                write!(f, "< c{child} ")?;
                answer(reply, f)
            }
            Self::Reported(event) => write!(f, "* {}", qapi::text(event)),
            Self::Done(reply) => {
                f.write_str("= ")?;
                answer(reply, f)
            }
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(Ask::Read(Range { offset, bytes })) => write!(f, "read {offset}+{bytes}"),
            Self::Of(Ask::Write(Range { offset, bytes }, name)) => {
                write!(f, "write {offset}+{bytes} {name}")
            }
            Self::Of(Ask::Zeroes(Range { offset, bytes })) => write!(f, "zeroes {offset}+{bytes}"),
            Self::Of(Ask::Flush) => f.write_str("flush"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

/// A content, `ok`, or an error.
pub(super) fn answer(reply: &Reply<Content>, to: &mut dyn Write) -> fmt::Result {
    match reply {
        Ok(Some(name)) => to.write_char(*name),
        Ok(None) => to.write_str("ok"),
        Err(errno) => write!(to, "{errno}"),
    }
}
