//! Rate limiting of events, as QEMU's monitor does it before a management application sees them.

use super::{Event, EventSink, NodeName};
use std::{collections::BTreeMap, mem, sync::Mutex, time::Duration};

/// Passes the first event of a kind on at once, then at most one per period: the last.
///
/// The kind of an [`Event::ReportBad`] is its child; [`Event::Failure`] is one kind for all arrays
/// (so that one array's failure can hide another's); an [`Event::Mismatch`] always passes. It has no
/// timer of its own: the owner calls [`Throttle::expire`] when the time that [`Throttle::deadline`]
/// names has come.
#[derive(Debug)]
pub struct Throttle<S, C> {
    sink: S,
    now: C,
    period: Duration,
    kinds: Mutex<BTreeMap<Kind, Window>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ReportBad(NodeName),
    Failure,
}

#[derive(Debug)]
struct Window {
    ends: Duration,
    last: Option<Event>,
}

impl<S: EventSink, C: Fn() -> Duration> Throttle<S, C> {
    /// A throttle before `sink`, with `now` as its clock.
    pub fn new(sink: S, now: C, period: Duration) -> Self {
        Self { sink, now, period, kinds: Mutex::default() }
    }

    /// When the next held-back event is due, if one is.
    pub fn deadline(&self) -> Option<Duration> {
        let kinds = self.kinds.lock().expect("nothing panics under this lock");
        kinds.values().filter(|w| w.last.is_some()).map(|w| w.ends).min()
    }

    /// Passes on what is due, in the order it became due.
    pub fn expire(&self) {
        let now = (self.now)();
        let mut due = Vec::new();
        for window in self.kinds.lock().expect("nothing panics under this lock").values_mut() {
            if window.ends > now {
                continue;
            }
            if let Some(event) = window.last.take() {
                due.push((mem::replace(&mut window.ends, now + self.period), event));
            }
        }
        due.sort_by_key(|(ended, _)| *ended);
        for (_, event) in due {
            self.sink.emit(event);
        }
    }
}

impl<S: EventSink, C: Fn() -> Duration + Send + Sync> EventSink for Throttle<S, C> {
    fn emit(&self, event: Event) {
        let kind = match &event {
            Event::ReportBad { node_name, .. } => Kind::ReportBad(node_name.clone()),
            Event::Failure { .. } => Kind::Failure,
            Event::Mismatch { .. } => return self.sink.emit(event),
        };
        self.expire();
        let now = (self.now)();
        {
            let mut kinds = self.kinds.lock().expect("nothing panics under this lock");
            if let Some(window) = kinds.get_mut(&kind).filter(|w| w.ends > now) {
                window.last = Some(event);
                return;
            }
            kinds.insert(kind, Window { ends: now + self.period, last: None });
        }
        self.sink.emit(event);
    }
}
