//! The scenarios of the catalog beside the real QEMU.

use super::{qemu, say};
use quorate_scenarios::{
    catalog,
    diff::{Known, NotCompared, Pace, Twin},
    runner::Scratch,
};
use std::collections::BTreeMap;

#[test]
fn scenarios_of_the_catalog_come_to_the_same() {
    let Some(program) = qemu() else { return };
    let twin = Twin::new(&program, Pace::Ordered);
    let mut scratch = Scratch::default();
    let mut differences = Vec::new();
    for scenario in catalog::all().filter(|scenario| scenario.random.is_none()) {
        match twin.compare(&scenario, &mut scratch) {
            Ok(both) => {
                let difference = both.violation.map(|d| format!("{}: {}", scenario.name, d.reason));
                differences.extend(difference);
            }
            Err(NotCompared::Unsuited(_)) => {}
            Err(other) => panic!("{}: {other:?}", scenario.name),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let tally = twin.tally();
    // What is excused is known by number: nothing joins it unseen.
    let known = [
        (Known::EndsAtMismatch, 2),
        (Known::TakesOtherLengths, 1),
        (Known::WritesUnread, 2),
        (Known::KeepsLimits, 2),
        (Known::Narrowed, 1),
        (Known::Ignored, 2),
    ];
    assert_eq!(tally.known, BTreeMap::from(known));
    let left_out: u64 = tally.left_out.values().sum();
    assert_eq!((left_out, tally.taken_out), (42, 20), "{:?}", tally.left_out);
    say(&format!(
        "qemu {}: {} scenarios of the catalog and their {} requests come to the same; {} meet what is known to \
         differ; left out: {:?}",
        program.version(),
        tally.cases,
        tally.requests,
        tally.known.values().sum::<u64>(),
        tally.left_out,
    ));
}
