//! The command `quorate` that was built of a copy of the sources.

use crate::process::{self, ProcessError};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf, process::Command, sync::atomic::AtomicBool, time::Duration};
use tempfile::TempDir;
use toml::Value;

/// The command.
pub struct Quorate<'a> {
    /// Where it is.
    pub program: PathBuf,
    /// With how many threads it fuzzes.
    pub jobs: u16,
    /// Set by whoever wants it to end.
    pub stop: &'a AtomicBool,
}

/// What a scenario has how many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// What clients do.
    pub steps: usize,
    /// Rules of faults.
    pub rules: usize,
    /// Children of the array.
    pub children: usize,
}

/// A failure that a fuzz found.
#[derive(Debug)]
pub struct Found {
    /// How many seeds that took.
    pub seeds: u64,
    /// What it is filed under.
    pub class: String,
    /// What replays it.
    pub token: String,
}

/// A scenario, as far as it is counted here.
#[derive(Deserialize)]
struct Scenario {
    array: Array,
    #[serde(default)]
    step: Vec<Value>,
    #[serde(default)]
    client: Vec<Client>,
    #[serde(default)]
    rule: Vec<Value>,
}

#[derive(Deserialize)]
struct Array {
    children: Value,
}

#[derive(Deserialize)]
struct Client {
    #[serde(default)]
    step: Vec<Value>,
}

/// What a fuzz says, as far as that matters here.
#[derive(Deserialize)]
struct Record {
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    class: String,
    token: String,
}

impl Quorate<'_> {
    /// The first failure from a seed on, if so many have one.
    ///
    /// # Errors
    /// It could not be run to its end, or printed something else than a summary.
    pub fn first_failure(&self, start: u64, seeds: u64) -> Result<Option<Found>, ProcessError> {
        let mut command = Command::new(&self.program);
        command.args(["fuzz", "--format", "json", "--max-failures", "1"]);
        command.args(["--verify-fresh", "0", "--watchdog", WATCHDOG]);
        command.arg("--seeds").arg(format!("{start}..{}", start + seeds));
        command.arg("--jobs").arg(self.jobs.to_string());
        let folder = folder(&command)?;
        let done = process::run(command.current_dir(&folder), FUZZ_LIMIT, self.stop)?;
        if !matches!(done.status.code(), Some(0 | 100)) {
            return Err(process::failed(process::name(&command), &done));
        }
        let record: Record =
            serde_json::from_str(&done.out).map_err(|error| unclear(&command, &error))?;
        let mut first = None;
        for Failure { class, token } in record.summary.failures {
            let seed = token.rsplit_once(':').and_then(|(_, seed)| seed.parse::<u64>().ok());
            let seed = seed.ok_or_else(|| unclear(&command, &format!("the seed of {token}")))?;
            let seeds = seed - start + 1;
            if first.as_ref().is_none_or(|found: &Found| seeds < found.seeds) {
                first = Some(Found { seeds, class, token });
            }
        }
        Ok(first)
    }

    /// What is left of a failure.
    ///
    /// # Errors
    /// It could not be run to its end, or did not write a scenario.
    pub fn shrink(&self, token: &str) -> Result<Size, ProcessError> {
        let mut command = Command::new(&self.program);
        command.args(["shrink", token, "--output", SHRUNK, "--watchdog", WATCHDOG]);
        let folder = folder(&command)?;
        let done = process::run(command.current_dir(&folder), SHRINK_LIMIT, self.stop)?;
        if !done.status.success() {
            return Err(process::failed(process::name(&command), &done));
        }
        let text = fs::read_to_string(folder.path().join(SHRUNK));
        let text = text.map_err(|error| unclear(&command, &error))?;
        let scenario: Scenario =
            toml::from_str(&text).map_err(|error| unclear(&command, &error))?;
        let children = match &scenario.array.children {
            Value::Array(names) => names.len(),
            count => {
                let count = count.as_integer().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| unclear(&command, &"how many children are left"))?
            }
        };
        let others: usize = scenario.client.iter().map(|client| client.step.len()).sum();
        Ok(Size { steps: scenario.step.len() + others, rules: scenario.rule.len(), children })
    }
}

/// Where it may leave files.
fn folder(command: &Command) -> Result<TempDir, ProcessError> {
    TempDir::new().map_err(|error| ProcessError::Io { program: process::name(command), error })
}

fn unclear(command: &Command, what: &dyn ToString) -> ProcessError {
    ProcessError::Unclear { program: process::name(command), what: what.to_string() }
}

/// How long a run may take: a thousand times as long as most do.
const WATCHDOG: &str = "10s";
/// Twenty thousand seeds take a minute or two on two free cores.
const FUZZ_LIMIT: Duration = Duration::from_secs(1200);
/// Seconds on two free cores; where runs do not come back, minutes.
const SHRINK_LIMIT: Duration = Duration::from_secs(900);
const SHRUNK: &str = "shrunk.toml";
