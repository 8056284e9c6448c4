//! The device queue: every operation of every simulated device, and the order in which they end.

use crate::pick::{Candidate, Choice, Picker};
use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Which operation of which device an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The device.
    pub child: u32,
    /// The kind of operation, by a number that the caller gives a meaning.
    pub kind: u8,
    /// The how-manieth operation of the device it is.
    pub ordinal: u64,
}

/// Some of the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Only of this device.
    pub child: Option<u32>,
    /// Only of this kind.
    pub kind: Option<u8>,
}

impl Pattern {
    fn matches(self, label: &Label) -> bool {
        self.child.is_none_or(|c| c == label.child) && self.kind.is_none_or(|k| k == label.kind)
    }

    /// Whether whatever matches `other` matches this one.
    fn covers(self, other: Self) -> bool {
        let child = self.child.is_none() || self.child == other.child;
        child && (self.kind.is_none() || self.kind == other.kind)
    }
}

/// The queue of one run. Clones are handles to the same queue.
///
/// Time is counted in microseconds. It only moves when an entry completes, and no two entries of
/// devices complete at the same time: an operation completes when it is due, and at least a microsecond
/// after the time of its turn. A timer that ends by then ends first. So times alone say in which order
/// things happened, whatever the order was chosen by.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// What the clock says, for readers without the lock.
    clock: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    now: u64,
    submitted: u64,
    completed: u64,
    pending: Vec<Entry>,
    /// How many of those are timers, and how many alarms: there are mostly none to look for.
    timers: usize,
    alarms: usize,
    slots: Vec<Slot>,
    free: Vec<usize>,
    held: Vec<Pattern>,
    order: VecDeque<u32>,
    chooser: Option<Chooser>,
    log: Option<Vec<Logged>>,
}

/// Who picks, and memory for what there is to pick from.
struct Chooser {
    picker: Box<dyn Picker>,
    candidates: Vec<Candidate>,
    places: Vec<usize>,
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chooser").finish_non_exhaustive()
    }
}

/// When an operation began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Which it is.
    pub label: Label,
    /// When it was entered.
    pub begun: u64,
    /// When it completed, if it did.
    pub ended: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    /// When it is due.
    deadline: u64,
    course: Course,
    number: u64,
    slot: usize,
    /// Of a device's operation; a timer has none.
    label: Option<Label>,
    held: bool,
    /// Its place in the log, if there is one.
    logged: usize,
}

/// How an entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// In its turn.
    Ends,
    /// Not by itself, due or not.
    Hangs,
    /// In its turn, but it is no reason for a run to go on.
    Alarm,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    Waiting(Option<Waker>),
    Done,
    /// Nobody waits any more; the operation runs its course.
    Orphan,
}

impl Queue {
    /// The time in microseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.clock.load(Ordering::Relaxed)
    }

    /// Lets this decide which operation completes next, rather than the time at which each is due.
    pub fn pick_by(&self, picker: Box<dyn Picker>) {
        let chooser = Chooser { picker, candidates: Vec::new(), places: Vec::new() };
        self.inner().chooser = Some(chooser);
    }

    /// Takes down from now on when operations begin and end.
    pub fn keep_log(&self) {
        self.inner().log = Some(Vec::new());
    }

    /// When operations began and ended, in the order in which they began; nothing, if that was not
    /// taken down.
    #[must_use]
    pub fn take_log(&self) -> Vec<Logged> {
        self.inner().log.take().unwrap_or_default()
    }

    /// How many operations of devices have completed.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.inner().completed
    }

    /// Enters an operation that takes `delay` microseconds.
    pub fn submit(&self, label: Label, delay: u64) -> Completion {
        self.enter(Some(label), delay, Course::Ends)
    }

    /// Enters an operation that does not end unless its device is revived, and not before `delay`
    /// microseconds.
    pub fn hang(&self, label: Label, delay: u64) -> Completion {
        self.enter(Some(label), delay, Course::Hangs)
    }

    /// A timer.
    pub fn sleep(&self, delay: u64) -> Completion {
        self.enter(None, delay, Course::Ends)
    }

    /// A timer that nobody waits for: it completes in its turn, behind whatever completes at the same
    /// time, but only while something else is still to complete.
    pub fn alarm(&self, delay: u64) -> Completion {
        self.enter(None, delay, Course::Alarm)
    }

    /// Lets the operations of a device end that hang now.
    pub fn revive(&self, child: u32) {
        for entry in self.inner().matching(Pattern { child: Some(child), kind: None }) {
            entry.course = Course::Ends;
        }
    }

    fn enter(&self, label: Option<Label>, delay: u64, course: Course) -> Completion {
        let mut inner = self.inner();
        let slot = inner.free.pop().unwrap_or_else(|| {
            inner.slots.push(Slot::Free);
            inner.slots.len() - 1
        });
        inner.slots[slot] = Slot::Waiting(None);
        inner.submitted += 1;
        let held = label.is_some_and(|label| inner.held.iter().any(|p| p.matches(&label)));
        let deadline = inner.now.saturating_add(delay);
        let (number, begun) = (inner.submitted, inner.now);
        let mut logged = 0;
        if let (Some(log), Some(label)) = (&mut inner.log, label) {
            logged = log.len();
            log.push(Logged { label, begun, ended: None });
        }
        match (label, course) {
            (_, Course::Alarm) => inner.alarms += 1,
            (None, _) => inner.timers += 1,
            (Some(_), _) => {}
        }
        inner.pending.push(Entry { deadline, course, number, slot, label, held, logged });
        Completion { queue: self.clone(), slot, done: false }
    }

    /// Keeps matching operations from completing, those pending and those to come.
    pub fn hold(&self, pattern: Pattern) {
        let mut inner = self.inner();
        inner.held.push(pattern);
        for entry in inner.matching(pattern) {
            entry.held = true;
        }
    }

    /// Lets the oldest `count` matching operations complete that are held now; those to come stay held.
    /// Returns how many there were.
    pub fn release(&self, pattern: Pattern, count: usize) -> usize {
        let mut inner = self.inner();
        let mut held: Vec<&mut Entry> = inner.matching(pattern).filter(|e| e.held).collect();
        held.sort_by_key(|e| e.number);
        held.into_iter().take(count).map(|e| e.held = false).count()
    }

    /// Ends every hold that the pattern covers: matching operations complete as they would have,
    /// but for those that a wider hold or another one keeps.
    pub fn release_all(&self, pattern: Pattern) {
        let mut inner = self.inner();
        inner.held.retain(|p| !pattern.covers(*p));
        let still = inner.held.clone();
        for entry in inner.matching(pattern) {
            let label = entry.label.expect("only operations match");
            entry.held &= still.iter().any(|p| p.matches(&label));
        }
    }

    /// Lets the next operations complete in this order of devices, however long that takes.
    pub fn order(&self, children: impl IntoIterator<Item = u32>) {
        self.inner().order.extend(children);
    }

    /// What is pending or held: the operations that somebody may be waiting for, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<Label> {
        let inner = self.inner();
        let mut all: Vec<_> = inner.pending.iter().map(|e| (e.number, e.label)).collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().filter_map(|(_, label)| label).collect()
    }

    /// The operations that hang.
    #[must_use]
    pub fn hung(&self) -> Vec<Label> {
        let inner = self.inner();
        let hung = inner.pending.iter().filter(|entry| entry.course == Course::Hangs);
        hung.filter_map(|entry| entry.label).collect()
    }

    /// Completes the entry whose turn it is. `None` if there is none that can complete.
    pub(crate) fn step(&self) -> Option<u64> {
        let mut inner = self.inner();
        let (at, time) = inner.next()?;
        let entry = inner.take(at);
        inner.now = time;
        self.0.clock.store(time, Ordering::Relaxed);
        if entry.label.is_some() {
            inner.completed += 1;
            inner.order.pop_front();
            if let Some(log) = &mut inner.log {
                log[entry.logged].ended = Some(time);
            }
        }
        let now = inner.now;
        let waker = inner.finish(entry.slot);
        let mut wakers = Vec::new();
        if entry.course == Course::Alarm {
            // Alarms of one moment are one moment: nobody sees what is between them.
            while let Some(at) = inner.due_alarm(now) {
                let slot = inner.take(at).slot;
                wakers.extend(inner.finish(slot));
            }
        }
        drop(inner);
        waker.into_iter().chain(wakers).for_each(Waker::wake);
        Some(now)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("nothing panics under this lock")
    }
}

impl Inner {
    /// The place of the entry that completes next, and when it does.
    fn next(&mut self) -> Option<(usize, u64)> {
        let operation = match self.chooser.take() {
            None => self.earliest(),
            Some(mut chooser) => {
                let picked = self.chosen(&mut chooser);
                self.chooser = Some(chooser);
                picked
            }
        };
        let is_timer = |entry: &Entry| entry.label.is_none() && entry.course != Course::Alarm;
        let timer = self.first_of(self.timers, is_timer);
        let next = match (timer, operation) {
            (Some((at, end)), Some((_, due))) if end <= due => (at, end.max(self.now)),
            (Some((at, end)), None) => (at, end.max(self.now)),
            // An alarm is no reason to go on.
            (_, operation) => operation?,
        };
        let alarm = self.first_of(self.alarms, |entry| entry.course == Course::Alarm);
        let is_before = |&(_, end): &(usize, u64)| end.max(self.now) < next.1;
        Some(alarm.filter(is_before).map_or(next, |(at, end)| (at, end.max(self.now))))
    }

    /// The timer that ends first of these, of which there are so many, by its end and then by age.
    fn first_of(&self, count: usize, is_it: impl Fn(&Entry) -> bool) -> Option<(usize, u64)> {
        if count == 0 {
            return None;
        }
        let timers = self.pending.iter().enumerate().filter(|(_, entry)| is_it(entry));
        let ends = timers.map(|(at, entry)| (entry.deadline, entry.number, at));
        ends.min().map(|(end, _, at)| (at, end))
    }

    /// The operation that may complete and is due first, by deadline and then by age.
    fn earliest(&self) -> Option<(usize, u64)> {
        let mut best: Option<(u64, u64, usize)> = None;
        for (at, entry) in self.pending.iter().enumerate() {
            if let Some(Candidate { deadline, number, .. }) = self.candidate(entry)
                && best.is_none_or(|(d, n, _)| (deadline, number) < (d, n))
            {
                best = Some((deadline, number, at));
            }
        }
        best.map(|(deadline, _, at)| (at, deadline.max(self.now + 1)))
    }

    /// The operation that somebody picks of those that may complete.
    fn chosen(&self, chooser: &mut Chooser) -> Option<(usize, u64)> {
        let Chooser { picker, candidates, places } = chooser;
        candidates.clear();
        places.clear();
        for (at, entry) in self.pending.iter().enumerate() {
            if let Some(candidate) = self.candidate(entry) {
                candidates.push(candidate);
                places.push(at);
            }
        }
        if candidates.is_empty() {
            return None;
        }
        let picked = picker.pick(Choice { now: self.now, completed: self.completed, candidates });
        let due = candidates[picked.at].deadline.max(picked.not_before);
        Some((places[picked.at], due.max(self.now + 1)))
    }

    /// The operation of an entry, if it may complete.
    fn candidate(&self, entry: &Entry) -> Option<Candidate> {
        let Entry { deadline, number, .. } = *entry;
        let label = entry.label.filter(|_| !entry.held && entry.course == Course::Ends)?;
        let is_turn = self.order.front().is_none_or(|first| *first == label.child);
        is_turn.then_some(Candidate { label, deadline, number })
    }

    fn matching(&mut self, pattern: Pattern) -> impl Iterator<Item = &mut Entry> {
        self.pending.iter_mut().filter(move |e| e.label.is_some_and(|l| pattern.matches(&l)))
    }

    /// The alarm that is due, the oldest of several.
    fn due_alarm(&self, now: u64) -> Option<usize> {
        let due = |entry: &Entry| entry.course == Course::Alarm && entry.deadline <= now;
        let alarms = self.pending.iter().enumerate().filter(|(_, entry)| due(entry));
        alarms.min_by_key(|(_, entry)| (entry.deadline, entry.number)).map(|(at, _)| at)
    }

    fn take(&mut self, at: usize) -> Entry {
        let entry = self.pending.swap_remove(at);
        match (entry.label, entry.course) {
            (_, Course::Alarm) => self.alarms -= 1,
            (None, _) => self.timers -= 1,
            (Some(_), _) => {}
        }
        entry
    }

    /// What waits in a slot has come to its end. Gives back whom to wake.
    fn finish(&mut self, slot: usize) -> Option<Waker> {
        match mem::replace(&mut self.slots[slot], Slot::Done) {
            Slot::Waiting(waker) => waker,
            Slot::Orphan => {
                self.give_back(slot);
                None
            }
            Slot::Free | Slot::Done => unreachable!("an entry completes once"),
        }
    }

    fn give_back(&mut self, slot: usize) {
        self.slots[slot] = Slot::Free;
        self.free.push(slot);
    }
}

/// Resolves when its entry completes. Dropping it leaves the entry to run its course, as a real
/// device would.
#[derive(Debug)]
#[must_use]
pub struct Completion {
    queue: Queue,
    slot: usize,
    done: bool,
}

impl Future for Completion {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut inner = this.queue.inner();
        match &mut inner.slots[this.slot] {
            Slot::Done => {
                inner.give_back(this.slot);
                this.done = true;
                Poll::Ready(())
            }
            Slot::Waiting(Some(waker)) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            Slot::Waiting(none) => {
                *none = Some(cx.waker().clone());
                Poll::Pending
            }
            Slot::Free | Slot::Orphan => {
                unreachable!("a slot is this completion's until it is done")
            }
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut inner = self.queue.inner();
        match inner.slots[self.slot] {
            Slot::Done => inner.give_back(self.slot),
            _ => inner.slots[self.slot] = Slot::Orphan,
        }
    }
}
