//! Scenarios that may come out otherwise somewhere, and why.

/// Why a scenario may come out otherwise in an environment, if it may.
#[must_use]
pub fn reason(environment: &str, scenario: &str) -> Option<&'static str> {
    let is_it = |known: &&(&str, &str, &str)| (known.0, known.1) == (environment, scenario);
    KNOWN.iter().find(is_it).map(|(_, _, reason)| *reason)
}

/// By environment and scenario.
pub const KNOWN: &[(&str, &str, &str)] = &[
    (
        "bricks",
        "random-power",
        "which operations a fault strikes is drawn by their number; where a disk has to be looked at first \
         and takes time to answer, the others are asked before that is known",
    ),
    (
        "gluster",
        "brick-killed-loses-what-a-flush-could-not-write",
        "while the image is being closed, libgfapi may still send what it has kept to a brick that is back",
    ),
    (
        "gluster",
        "brick-paused-applies-a-failed-write",
        "a brick that goes on does what it was sent before or after the client is connected again",
    ),
    ("gluster", "brick-fails-by-error-gen", "gluster's error-gen draws which error it is"),
];
