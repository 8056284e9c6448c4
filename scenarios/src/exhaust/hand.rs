//! Children whose every answer is in the caller's hand, with the journal of all that happens.

use super::journal::{Entry, Question, What};
use crate::spec::{
    Reply,
    request::{Ask, Content, Range},
};
use bytes::Bytes;
use quorate_engine::{
    BlockDevice, Errno, Event, EventSink, Extent, Flags, IoFuture, Limits, Prealloc, Result,
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

/// What the children of an array share.
pub(super) struct Hand(Mutex<State>);

struct State {
    contents: Contents,
    /// What each child holds, for answers out of memory.
    memory: Vec<Bytes>,
    /// The number of the request that is being polled.
    request: usize,
    operations: Vec<Operation>,
    journal: Vec<Entry>,
}

/// Bytes by name.
#[derive(Clone)]
pub(super) struct Contents(Vec<(char, Bytes)>);

/// An operation of a child, since somebody asked for it.
struct Operation {
    request: usize,
    child: usize,
    question: Question,
    data: Bytes,
    waker: Option<Waker>,
    answer: Option<Result<Bytes>>,
}

impl Contents {
    pub(super) fn new(named: impl IntoIterator<Item = (char, Bytes)>) -> Self {
        Self(named.into_iter().collect())
    }

    /// The bytes of this name.
    pub(super) fn bytes(&self, name: char) -> Bytes {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, bytes)| bytes.clone()).expect("every name that is used has bytes")
    }

    /// The name of these bytes.
    pub(super) fn name(&self, bytes: &Bytes) -> char {
        self.0.iter().find(|(_, other)| other == bytes).map_or(UNKNOWN, |(name, _)| *name)
    }
}

impl Hand {
    pub(super) fn new(contents: Contents) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            contents,
            memory: Vec::new(),
            request: 0,
            operations: Vec::new(),
            journal: Vec::new(),
        })))
    }

    pub(super) fn child(self: &Arc<Self>, number: usize) -> Arc<dyn BlockDevice> {
        Arc::new(Child { hand: self.clone(), number })
    }

    /// Forgets what happened, for the next story.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.operations.clear();
        state.journal.clear();
    }

    /// What is done from now on is done for this request.
    pub(super) fn turn_to(&self, request: usize) {
        self.state().request = request;
    }

    pub(super) fn note(&self, request: usize, what: What) {
        self.state().journal.push(Entry { request, what });
    }

    pub(super) fn note_done(&self, request: usize, reply: Result<Bytes>) {
        let mut state = self.state();
        let what = What::Done(state.reply(&reply));
        state.journal.push(Entry { request, what });
    }

    /// The operations that wait for an answer, in the order in which they were asked for.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let state = self.state();
        let waits = |at: &usize| state.operations[*at].answer.is_none();
        (0..state.operations.len()).filter(waits).collect()
    }

    /// Has the oldest operation of a child that waits end so; says whether there is one.
    pub(super) fn answer_oldest(&self, child: usize, reply: Reply<Content>) -> bool {
        let state = self.state();
        let waits = |o: &Operation| o.child == child && o.answer.is_none();
        let Some(at) = state.operations.iter().position(waits) else { return false };
        let bytes = |name: Content| name.map_or_else(Bytes::new, |name| state.contents.bytes(name));
        let answer = reply.map(bytes);
        Self::answer(state, at, answer);
        true
    }

    /// Has an operation end as a sound child's that does what it is asked.
    pub(super) fn perform(&self, at: usize) {
        let mut state = self.state();
        let Operation { child, question, data, .. } = &state.operations[at];
        let (child, data) = (*child, data.clone());
        let answer = match question {
            Question::Of(Ask::Read(_)) => Ok(state.memory[child].clone()),
            Question::Of(Ask::Write(..)) => {
                state.memory[child] = data;
                Ok(Bytes::new())
            }
            Question::Of(Ask::Flush) => Ok(Bytes::new()),
            Question::Of(Ask::Zeroes(_)) | Question::Other(_) => Err(Errno::ENOTSUP),
        };
        Self::answer(state, at, answer);
    }

    fn answer(mut state: MutexGuard<'_, State>, at: usize, answer: Result<Bytes>) {
        let reply = state.reply(&answer);
        let operation = &mut state.operations[at];
        let (request, child) = (operation.request, operation.child);
        operation.answer = Some(answer);
        let waker = operation.waker.take();
        state.journal.push(Entry { request, what: What::Answered(child, reply) });
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives each child what it is to hold.
    pub(super) fn fill(&self, names: &[char]) {
        let mut state = self.state();
        state.memory = names.iter().map(|name| state.contents.bytes(*name)).collect();
    }

    /// What each child holds.
    pub(super) fn holds(&self) -> Vec<char> {
        let state = self.state();
        state.memory.iter().map(|bytes| state.contents.name(bytes)).collect()
    }

    /// The bytes of this name.
    pub(super) fn bytes(&self, name: char) -> Bytes {
        self.state().contents.bytes(name)
    }

    pub(super) fn with_journal<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.state().journal)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl EventSink for Hand {
    fn emit(&self, event: Event) {
        let mut state = self.state();
        let request = state.request;
        state.journal.push(Entry { request, what: What::Reported(event) });
    }
}

impl State {
    fn reply(&self, reply: &Result<Bytes>) -> Reply<Content> {
        let name = |bytes: &Bytes| (!bytes.is_empty()).then(|| self.contents.name(bytes));
        reply.as_ref().map(name).map_err(|errno| *errno)
    }
}

/// A child in the hand.
struct Child {
    hand: Arc<Hand>,
    number: usize,
}

/// An operation, asked for when it is first polled.
struct Asked<'a, T> {
    child: &'a Child,
    question: Question,
    data: Bytes,
    at: Option<usize>,
    take: fn(Bytes) -> T,
}

impl<T> Future for Asked<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let mut state = this.child.hand.state();
        let at = *this.at.get_or_insert_with(|| {
            let (request, child, question) = (state.request, this.child.number, this.question);
            state.journal.push(Entry { request, what: What::Asked(child, question) });
            let (data, waker, answer) = (std::mem::take(&mut this.data), None, None);
            let operation = Operation { request, child, question, data, waker, answer };
            state.operations.push(operation);
            state.operations.len() - 1
        });
        let operation = &mut state.operations[at];
        match &operation.answer {
            Some(answer) => Poll::Ready(answer.clone().map(this.take)),
            None => {
                if operation.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    operation.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Child {
    fn ask<T: 'static>(
        &self,
        question: Question,
        data: Bytes,
        take: fn(Bytes) -> T,
    ) -> IoFuture<'_, T> {
        Box::pin(Asked { child: self, question, data, at: None, take })
    }

    fn order(&self, question: Question, data: Bytes) -> IoFuture<'_, ()> {
        self.ask(question, data, |_| ())
    }
}

impl BlockDevice for Child {
    fn limits(&self) -> Limits {
        Limits::NONE
    }

    /// At once, as no request of a story asks for it.
    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(async { Ok(LENGTH) })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        let ask = Ask::Read(Range { offset, bytes: bytes as u64 });
        self.ask(Question::Of(ask), Bytes::new(), |data| data)
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        let name = self.hand.state().contents.name(&data);
        let ask = Ask::Write(Range { offset, bytes: data.len() as u64 }, name);
        let plain = flags == Flags::NONE;
        let question = if plain { Question::Of(ask) } else { Question::Other("write with flags") };
        self.order(question, data)
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        let plain = flags == Flags::NONE;
        let ask = Question::Of(Ask::Zeroes(Range { offset, bytes }));
        let question = if plain { ask } else { Question::Other("zeroes with flags") };
        self.order(question, Bytes::new())
    }

    fn pdiscard(&self, _: u64, _: u64) -> IoFuture<'_, ()> {
        self.order(Question::Other("discard"), Bytes::new())
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.order(Question::Of(Ask::Flush), Bytes::new())
    }

    fn block_status(&self, _: u64, _: u64) -> IoFuture<'_, Extent> {
        self.ask(Question::Other("block-status"), Bytes::new(), |_| {
            unreachable!("it is never answered, as no story has it asked")
        })
    }

    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        self.order(Question::Other("truncate"), Bytes::new())
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.order(Question::Other("close"), Bytes::new())
    }
}

/// How long each child is.
const LENGTH: u64 = 4096;
/// What bytes are called that nobody has named.
const UNKNOWN: char = '?';
