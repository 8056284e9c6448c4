//! From a case to a script that shows it with QEMU's tools alone.
//!
//! For each request of the case the script starts a `qemu-storage-daemon`, whose children are raw files below
//! `blkdebug`, has `qemu-io` do the request through an NBD export of the array, and says what came of it beside
//! what the engine made of it. It knows no fault but an error: where a child gives other bytes than it was
//! given, its file holds those by then.
//!
//! - `case`: from the record of a run to what the script has to do,
//! - `text`: how it says that, and `payloads`: bytes as a shell can make them,
//! - `start.sh`: the commands of which scripts consist.
//!
//! Absent: whatever happens at the same time, the order in which children answer, and requests that are never
//! answered. QEMU's children are asked in their order, and those that fail do so at once.

mod case;
mod payloads;
mod text;

use crate::{model::Scenario, runner};
use case::Case;
use quorate_reports::Run;
use thiserror::Error;

/// Why there is no such script.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("QEMU's tools alone cannot show it: {0}")]
pub struct Unshowable(String);

/// A script that shows what the machine's QEMU makes of a concrete scenario, beside what is recorded in its run on
/// our engine, or on one of ours with a mistake.
///
/// It needs bash, coreutils, diffutils, `qemu-storage-daemon` and `qemu-io`, neither root nor a port, and cleans up
/// after itself. Its last line is its verdict; its exit code is 0 if there is a difference, 1 if there
/// is none, and 2 if it could not be tried.
///
/// # Errors
/// Something in the scenario is more than QEMU's tools can do, and what.
pub fn script(scenario: &Scenario, run: &Run) -> Result<String, Unshowable> {
    let recording =
        runner::record(scenario, None).map_err(|error| Unshowable(error.to_string()))?;
    let case = Case::of(scenario, run, recording.bytes)?;
    Ok(text::render(scenario, run, &case))
}

/// A reason to have no script.
fn unshowable<T>(why: impl Into<String>) -> Result<T, Unshowable> {
    Err(Unshowable(why.into()))
}
