//! The second phase of a swarm's run: no new faults, and every request must finish.

use super::{Drawn, children, swarm::SWARM};
use crate::model::{Action, Awaited, Client, Expected, Payload, Promises, Request, Scenario};
use quorate_engine::{Errno, Flags};
use quorate_faults::{device::Frozen, text::Time};
use std::time::Duration;

impl Drawn<'_> {
    /// Whether the run has a second phase.
    pub(super) fn has_phases(&self) -> bool {
        self.random.swarm && !self.keyed.draw(SWARM, 5, 0).word(0).is_multiple_of(2)
    }

    /// Adds a client that waits for the others, or until it has waited long enough, heals a core of
    /// disks and freezes the others, and then writes and reads everything. Returns it in words.
    pub(super) fn phases(&self, scenario: &mut Scenario) -> Option<String> {
        if !self.has_phases() {
            return None;
        }
        let draw = self.keyed.draw(SWARM, 5, 0);
        let count = children(&scenario.array);
        let threshold = u32::try_from(scenario.array.vote_threshold).expect("at most the children");
        // Who must not misbehave is of the core.
        let mut rest = match self.promises {
            Promises::Correct => self.faulty(&scenario.array),
            Promises::Conforming | Promises::Within => (0..count).collect(),
        };
        rest.sort_by_key(|&child| self.keyed.draw(SWARM, 6, u64::from(child)).word(0));
        rest.truncate((draw.word(1) % (count - threshold + 1)) as usize);
        rest.sort_unstable();
        let how = match draw.word(2) % 4 {
            0 => Frozen::Dead([Errno::EIO, Errno::ENOMEDIUM][draw.word(3) as usize % 2]),
            1 => Frozen::Stale,
            _ => Frozen::Hung,
        };
        let is_removed = how == Frozen::Hung && draw.word(4).is_multiple_of(2);
        let patience = Time(Duration::from_micros(draw.below(6, 60_000)));
        let core: Vec<u32> = (0..count).filter(|child| !rest.contains(child)).collect();
        let words = words(&rest, how, is_removed, patience);
        let heal = Action::Heal { children: Some(core) };
        let mut steps = vec![Action::Join(Some(patience)), heal.clone()];
        if !rest.is_empty() {
            steps.push(Action::Freeze { children: rest.clone(), how });
        }
        if is_removed {
            let name = |child| format!("children.{child}");
            steps.extend(rest.iter().map(|c| Action::Remove { name: name(c), refused: None }));
        }
        // Whoever is not stuck comes to its end, so that nobody else writes what is then read.
        steps.push(Action::Join(Some(Time(LONG_ENOUGH))));
        // What was in flight has struck all the same.
        steps.extend([Action::Sleep(Time(AFTERMATH)), heal]);
        steps.extend(self.everything(scenario));
        scenario.clients.push(Client { steps });
        Some(words)
    }

    /// Everything is written and read once more.
    fn everything(&self, scenario: &Scenario) -> Vec<Action> {
        let bytes = scenario.disk(0).bytes;
        let piece = bytes.div_ceil(PIECES).next_multiple_of(512);
        let ranges = (0..PIECES)
            .map(|number| (number * piece, piece.min(bytes.saturating_sub(number * piece))));
        let ranges: Vec<(u64, u64)> = ranges.filter(|(_, bytes)| *bytes > 0).collect();
        // Requests that were given up go on as they are helped, and what was decided for them strikes.
        let result = (self.random.dropped == 0).then_some(Awaited::Success);
        let ask = |request| {
            let expected = Expected { result, ..Expected::default() };
            Action::Request { request, background: None, expected }
        };
        let write = |&(offset, bytes): &(u64, u64)| {
            ask(Request::Write { offset, bytes, payload: Payload::Stamp, flags: Flags::NONE })
        };
        let read = |&(offset, bytes): &(u64, u64)| ask(Request::Read { offset, bytes });
        let writes = ranges.iter().map(write).chain([ask(Request::Flush)]);
        writes.chain(ranges.iter().map(read)).collect()
    }
}

fn words(rest: &[u32], how: Frozen, is_removed: bool, patience: Time) -> String {
    let names: Vec<String> = rest.iter().map(|child| format!("c{child}")).collect();
    let how = match how {
        Frozen::Dead(errno) => format!("fail with {errno}"),
        Frozen::Stale => "stay stale".into(),
        Frozen::Hung if is_removed => "hang and are removed".into(),
        Frozen::Hung => "hang".into(),
    };
    match names.is_empty() {
        true => format!("all healed after {patience}"),
        false => format!("healed after {patience}, but {} {how}", names.join(" ")),
    }
}

const PIECES: u64 = 4;
/// Device time in which every operation ends that was in flight, but for those that hang.
const AFTERMATH: Duration = Duration::from_millis(100);
/// Device time in which every request finishes that can.
const LONG_ENOUGH: Duration = Duration::from_secs(10);
