//! Whether a schedule can be kept to.

use super::{Key, Wrong, wrong};
use crate::model::{Order, Scenario};

pub(super) fn check(scenario: &Scenario) -> Result<(), Wrong> {
    let disks = scenario.disks();
    let known = |child: u32, path: Vec<Key>| match child < disks {
        true => Ok(()),
        false => wrong(path, format!("there is no disk {child}: there are {disks}")),
    };
    match &scenario.schedule.order {
        Order::Earliest | Order::Uniform => {}
        Order::Pct { depth, within } => {
            if !(1..=DEPTH_MAX).contains(depth) {
                let message = format!("`depth` is a number of orders, from 1 to {DEPTH_MAX}");
                return wrong(path("depth"), message);
            }
            if *within == 0 {
                let message = "`within` is a number of completions, from 1 on";
                return wrong(path("within"), message);
            }
        }
        Order::Late { child } => known(*child, path("child"))?,
        Order::Dissent { children } => {
            if children.is_empty() {
                return wrong(path("children"), "name a disk that comes after the others");
            }
            children.iter().try_for_each(|&child| known(child, path("children")))?;
        }
    }
    for (at, pause) in scenario.schedule.pauses.iter().enumerate() {
        let path = || [path("pause"), vec![Key::Number(at)]].concat();
        known(pause.child, path())?;
        if pause.time.end.is_none_or(|end| end <= pause.time.start) {
            let message = format!(
                "a pause has an end behind its start, and {} has not; a disk that never goes on \
                 is a rule with `do = {{ fault = \"hang\" }}`",
                pause.time
            );
            return wrong(path(), message);
        }
    }
    Ok(())
}

fn path(key: &'static str) -> Vec<Key> {
    vec!["schedule".into(), key.into()]
}

/// The most orders of a PCT schedule.
const DEPTH_MAX: u32 = 1000;
