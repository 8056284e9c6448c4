//! Children whose every answer is in the test's hands, and one journal of what they and their array
//! did.
//!
//! An operation is a line such as `c0 read 512+100`, `c1 write 0+512 B fua` or `c2 flush`. Tests
//! hold, release and spoil operations by the beginnings of these lines. Events are lines as well,
//! behind an exclamation mark.

use bytes::Bytes;
use quorate_engine::{
    BlockDevice, Errno, Event, Extent, ExtentKind, Flags, IoFuture, Limits, OpType, Prealloc,
    Result,
};
use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

/// The children and the journal.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    journal: Vec<String>,
    images: Vec<Vec<u8>>,
    operations: Vec<Operation>,
    /// The beginnings of the lines of operations that wait for their release.
    held: Vec<String>,
    /// What becomes of operations whose lines begin so; the newest rule first.
    rules: Vec<(String, Outcome)>,
    /// What somebody else does while an operation whose line begins so is being polled.
    meanwhile: Option<(String, Box<dyn FnOnce() + Send>)>,
}

/// One that was started.
struct Operation {
    line: String,
    child: usize,
    action: Action,
    waker: Option<Waker>,
    answer: Option<Result<Answer>>,
}

/// What becomes of an operation.
#[derive(Clone)]
pub(super) enum Outcome {
    /// It is done.
    Obeyed,
    /// Nothing is done.
    Failed(Errno),
    /// A read answers with this.
    Data(Bytes),
    /// A status query answers with this.
    Status(u64, ExtentKind),
}

#[derive(Clone)]
enum Action {
    Length,
    Read(usize, usize),
    Write(usize, Bytes),
    Zero(usize, usize),
    Status(u64),
    Nothing,
}

#[derive(Clone)]
enum Answer {
    Number(u64),
    Data(Bytes),
    Extent(Extent),
    Done,
}

impl Stage {
    /// Another child: 8192 bytes of a letter.
    pub(super) fn child(&self, letter: char, limits: Limits) -> Arc<Manual> {
        self.child_of(vec![u8::try_from(letter).expect("a letter"); 8192], limits)
    }

    pub(super) fn child_of(&self, image: Vec<u8>, limits: Limits) -> Arc<Manual> {
        let mut state = self.state();
        state.images.push(image);
        Arc::new(Manual { stage: self.clone(), child: state.images.len() - 1, limits })
    }

    /// Operations of this kind wait from now on.
    pub(super) fn hold(&self, start: &str) {
        self.state().held.push(start.into());
    }

    /// New operations do not wait any more; those that wait go on waiting.
    pub(super) fn unhold(&self) {
        self.state().held.clear();
    }

    /// What becomes of operations of this kind from now on.
    pub(super) fn rule(&self, start: &str, outcome: Outcome) {
        self.state().rules.insert(0, (start.into(), outcome));
    }

    pub(super) fn fail(&self, start: &str, error: Errno) {
        self.rule(start, Outcome::Failed(error));
    }

    /// Lets the oldest waiting operation of this kind happen.
    #[track_caller]
    pub(super) fn release(&self, start: &str) {
        let mut state = self.state();
        let waits = |o: &Operation| o.answer.is_none() && o.line.starts_with(start);
        let at = state.operations.iter().position(waits);
        let at = at.unwrap_or_else(|| panic!("nothing like '{start}' waits"));
        state.perform(at);
        let waker = state.operations[at].waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Does something once, as soon as an operation of this kind is polled and has to wait.
    pub(super) fn meanwhile(&self, start: &str, act: impl FnOnce() + Send + 'static) {
        self.state().meanwhile = Some((start.into(), Box::new(act)));
    }

    /// What happened since the last look.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state().journal)
    }

    /// The letters that a child holds, runs as one.
    pub(super) fn holds(&self, child: usize) -> String {
        letters(&self.state().images[child])
    }

    pub(super) fn image(&self, child: usize) -> Vec<u8> {
        self.state().images[child].clone()
    }

    pub(super) fn note(&self, event: &Event) {
        let line = match event {
            Event::ReportBad { op, node_name, error, sectors } => {
                let op = match op {
                    OpType::Read => "read",
                    OpType::Write => "write",
                    OpType::Flush => "flush",
                };
                let error = error.map_or_else(|| "outvoted".into(), |e| e.to_string());
                format!("! {node_name} {op} {error} {}+{}", sectors.first, sectors.count)
            }
            Event::Failure { reference, sectors } => {
                format!("! {reference} failure {}+{}", sectors.first, sectors.count)
            }
            Event::Mismatch { reference, offset, bytes, first_difference } => {
                format!("! {reference} mismatch {offset}+{bytes} at {first_difference}")
            }
        };
        self.state().journal.push(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl State {
    fn start(&mut self, child: usize, line: &str, action: Action) -> usize {
        let line = format!("c{child} {line}");
        self.journal.push(line.clone());
        let held = self.held.iter().any(|start| line.starts_with(start));
        self.operations.push(Operation { line, child, action, waker: None, answer: None });
        let at = self.operations.len() - 1;
        if !held {
            self.perform(at);
        }
        at
    }

    fn perform(&mut self, at: usize) {
        let Operation { line, child, action, .. } = &self.operations[at];
        let rule = self.rules.iter().find(|(start, _)| line.starts_with(start));
        let image = &mut self.images[*child];
        let answer = match rule.map_or(Outcome::Obeyed, |(_, outcome)| outcome.clone()) {
            Outcome::Failed(error) => Err(error),
            Outcome::Data(data) => Ok(Answer::Data(data)),
            Outcome::Status(bytes, kind) => Ok(Answer::Extent(Extent { bytes, kind })),
            Outcome::Obeyed => Ok(match action {
                Action::Length => Answer::Number(image.len() as u64),
                Action::Read(offset, bytes) => {
                    Answer::Data(Bytes::copy_from_slice(&image[*offset..offset + bytes]))
                }
                Action::Write(offset, data) => {
                    image[*offset..offset + data.len()].copy_from_slice(data);
                    Answer::Done
                }
                Action::Zero(offset, bytes) => {
                    image[*offset..offset + bytes].fill(0);
                    Answer::Done
                }
                Action::Status(bytes) => {
                    Answer::Extent(Extent { bytes: *bytes, kind: ExtentKind::Data })
                }
                Action::Nothing => Answer::Done,
            }),
        };
        self.operations[at].answer = Some(answer);
    }
}

/// A child on the stage. What was started happens when it is released, also if nobody waits.
pub(super) struct Manual {
    stage: Stage,
    pub(super) child: usize,
    limits: Limits,
}

impl Manual {
    fn ask<T: Send + 'static>(
        &self,
        line: String,
        action: Action,
        open: fn(Answer) -> Option<T>,
    ) -> IoFuture<'_, T> {
        Box::pin(Asked { device: self, line, action, started: None, open, output: PhantomData })
    }

    fn order(&self, line: String, action: Action) -> IoFuture<'_, ()> {
        self.ask(line, action, |answer| matches!(answer, Answer::Done).then_some(()))
    }
}

struct Asked<'a, T> {
    device: &'a Manual,
    line: String,
    action: Action,
    started: Option<usize>,
    open: fn(Answer) -> Option<T>,
    output: PhantomData<fn() -> T>,
}

impl<T> Asked<'_, T> {
    fn line_starts_with(&self, start: &str) -> bool {
        format!("c{} {}", self.device.child, self.line).starts_with(start)
    }
}

impl<T> Future for Asked<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let mut state = this.device.stage.state();
        let (device, action) = (this.device, this.action.clone());
        let start = || state.start(device.child, &this.line, action);
        let at = *this.started.get_or_insert_with(start);
        let operation = &mut state.operations[at];
        let Some(answer) = operation.answer.clone() else {
            operation.waker = Some(cx.waker().clone());
            let meanwhile = state.meanwhile.take_if(|(start, _)| this.line_starts_with(start));
            drop(state);
            if let Some((_, act)) = meanwhile {
                act();
            }
            return Poll::Pending;
        };
        Poll::Ready(answer.map(|answer| (this.open)(answer).expect("an answer to the question")))
    }
}

impl BlockDevice for Manual {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn length(&self) -> IoFuture<'_, u64> {
        self.ask("length".into(), Action::Length, |answer| match answer {
            Answer::Number(number) => Some(number),
            _ => None,
        })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        let action = Action::Read(index(offset), bytes);
        self.ask(format!("read {offset}+{bytes}"), action, |answer| match answer {
            Answer::Data(data) => Some(data),
            _ => None,
        })
    }

    fn pwrite(&self, offset: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
        let (bytes, letters, flags) = (data.len(), letters(&data), words(flags));
        let line = format!("write {offset}+{bytes} {letters}{flags}");
        self.order(line, Action::Write(index(offset), data))
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
        let line = format!("zero {offset}+{bytes}{}", words(flags));
        self.order(line, Action::Zero(index(offset), index(bytes)))
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.order(format!("discard {offset}+{bytes}"), Action::Nothing)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        self.order("flush".into(), Action::Nothing)
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        let line = format!("status {offset}+{bytes}");
        self.ask(line, Action::Status(bytes), |answer| match answer {
            Answer::Extent(extent) => Some(extent),
            _ => None,
        })
    }

    fn truncate(&self, bytes: u64, _: Prealloc) -> IoFuture<'_, ()> {
        self.order(format!("truncate {bytes}"), Action::Nothing)
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.order("close".into(), Action::Nothing)
    }

    fn invalidate(&self) -> IoFuture<'_, ()> {
        self.order("invalidate".into(), Action::Nothing)
    }
}

/// The bytes of a buffer, runs as one: `AB` for any number of As and then Bs, `.` for zeroes.
pub(super) fn letters(data: &[u8]) -> String {
    let runs = data.chunk_by(|a, b| a == b).map(|run| run[0]);
    runs.map(|byte| if byte == 0 { '.' } else { char::from(byte) }).collect()
}

/// A buffer full of a letter.
pub(super) fn full(letter: char, bytes: usize) -> Bytes {
    vec![u8::try_from(letter).expect("a letter"); bytes].into()
}

fn words(flags: Flags) -> String {
    let words =
        [(flags.fua, " fua"), (flags.may_unmap, " unmap"), (flags.no_fallback, " no-fallback")];
    words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("the stage is small")
}
