//! A dozen runs as people see them.

use quorate_reports::{Colour, timeline};
use quorate_scenarios::{catalog, expand::expand, fuzz::attempt, runner::Scratch};

#[test]
fn timelines() {
    for name in [
        "read-corrupt",
        "losers-are-rewritten",
        "errno-tie-of-three",
        "flush-reports-bad-but-no-failure",
        "fifo-goes-on-to-the-next-child",
        "fragments-are-voted-by-themselves",
        "zeroes-voted-unsupported-run-again-as-a-write",
        "repair-loses-an-acknowledged-write",
        "repair-waits-for-the-write",
        "hung-child-can-be-removed-during-a-read",
        "hung-child-stalls-a-read",
        "dropped-fua-write-is-still-flushed",
        "blkverify-names-the-first-difference",
    ] {
        let scenario = expand(&catalog::scenario(name).expect("it is in the catalog"), 0);
        let run = attempt::run(&scenario, name, None, &mut Scratch::default(), None);
        insta::assert_snapshot!(name, timeline::render(&run, Colour::Off));
    }
}
