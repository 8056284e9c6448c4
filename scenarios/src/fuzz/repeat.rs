//! A run that comes out otherwise when it is repeated.

use crate::cli::COMMIT;
use quorate_reports::{Run, Verdict, Violation, recorded::Recorded};
use std::io;

/// A run of this program as a recording.
pub(crate) fn recorded(run: &Run) -> Recorded {
    Recorded::of(run, COMMIT)
}

/// The run as a nondeterministic one, if the second is another one: where they part, both sides of it,
/// and what a third run says. `place` is where the others ran.
///
/// # Errors
/// A recording cannot be read any more.
pub(crate) fn otherwise(
    run: &Run,
    place: &str,
    second: &mut Recorded,
    third: impl FnOnce() -> Option<Recorded>,
) -> io::Result<Option<Run>> {
    let mut first = recorded(run);
    let Some(difference) = first.difference(second)? else { return Ok(None) };
    let again = match third() {
        Some(third) if third.ended_as(second) => "; a third run, there too, is like the second",
        Some(third) if third.ended_as(&first) => {
            "; that does not repeat: a third run, there too, is like the first"
        }
        Some(_) => "; a third run, there too, is yet another one",
        None => "",
    };
    let reason = format!(
        "{place} the same run is another one: {}{again}\n\n{}",
        difference.sentence(),
        difference.sides()
    );
    Ok(Some(nondeterministic(run, difference.entry, reason)))
}

/// The run as one that is not always the same.
pub(crate) fn nondeterministic(run: &Run, entry: Option<usize>, reason: String) -> Run {
    let verdict = Verdict::Nondeterministic;
    let violation = Violation { check: verdict.word(), request: None, entry, reason };
    Run { verdict, violations: vec![violation], ..run.clone() }
}
