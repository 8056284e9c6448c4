//! A client that does nothing but disturb bricks.

use super::{Drawn, pick};
use crate::model::{Action, Client, Disturbance, Gluster, Scenario};
use quorate_faults::{draw::Domain, text::Time};
use std::time::Duration;

impl Drawn<'_> {
    /// Has disks be on gluster, and bricks be disturbed and made well again, one after the other: those of
    /// children that may misbehave, which are all unless something is promised.
    pub(super) fn disturb(&self, scenario: &mut Scenario) {
        let write_behind = self.keyed.draw(BRICKS, 0, 0).word(0).is_multiple_of(2);
        scenario.gluster.get_or_insert(Gluster { write_behind, one_name: false });
        let faulty = self.faulty(&scenario.array);
        if faulty.is_empty() {
            return;
        }
        let mut steps = Vec::new();
        for number in 1..=u64::from(self.random.bricks) {
            let draw = self.keyed.draw(BRICKS, 0, number);
            let child = *pick(&draw, 0, &faulty);
            let [begin, end] = *pick(&draw, 2, &KINDS);
            let sleep = |word| Action::Sleep(Time(Duration::from_micros(draw.below(word, PAUSE))));
            let brick = |what| Action::Brick { child, what };
            steps.extend([sleep(4), brick(begin), sleep(6), brick(end)]);
        }
        scenario.clients.push(Client { steps });
    }
}

/// What befalls a brick, and what ends that.
const KINDS: [[Disturbance; 2]; 4] = [
    [Disturbance::Kill, Disturbance::Start],
    [Disturbance::Pause, Disturbance::Resume],
    [Disturbance::Cut, Disturbance::Await],
    [Disturbance::Fill, Disturbance::Free],
];
/// The longest time between two of them, in microseconds.
const PAUSE: u64 = 3_000;
const BRICKS: Domain = Domain::named("bricks");
