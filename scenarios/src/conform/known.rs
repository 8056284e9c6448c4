//! Scenarios that may come out otherwise somewhere, and why.

use super::Difference;

/// Why this may come out otherwise in a scenario of the catalog in an environment, if it may.
#[must_use]
pub fn reason(environment: &str, scenario: &str, what: Difference) -> Option<&'static str> {
    let is_it = |known: &&(&str, &str, Difference, &str)| {
        (known.0, known.1, known.2) == (environment, scenario, what)
    };
    KNOWN.iter().find(is_it).map(|known| known.3)
}

/// By environment and scenario.
pub const KNOWN: &[(&str, &str, Difference, &str)] = &[
    (
        "bricks",
        "random-power",
        Difference::Media,
        "which operations a fault strikes is drawn by their number; where a disk has to be looked at first \
         and takes time to answer, the others are asked before that is known",
    ),
    (
        "gluster",
        "brick-killed-loses-what-a-flush-could-not-write",
        Difference::Media,
        "while the image is being closed, libgfapi may still send what it has kept to a brick that is back",
    ),
    (
        "gluster",
        "brick-paused-applies-a-failed-write",
        Difference::Events,
        "a brick that goes on does what it was sent before or after the client is connected again",
    ),
    (
        "gluster",
        "brick-fails-by-error-gen",
        Difference::Events,
        "gluster's error-gen draws which error it is",
    ),
];
