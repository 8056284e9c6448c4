//! Bringing a bug back, and looking who notices.

use crate::{
    bug::{Bug, Shows, Test},
    patch::{self, Patched},
    process::{self, Built, ProcessError},
    quorate::{Found, Quorate, Size},
    workspace::{self, Scratch, Workspace, WorkspaceError},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::atomic::AtomicBool,
    time::Duration,
};

/// How to look.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plan {
    /// From how many seeds on to fuzz, far from each other.
    pub starts: u64,
    /// After how many seeds to give up.
    pub seeds: u64,
    /// With how many threads.
    pub jobs: u16,
    /// Whether to shrink a failure of each.
    pub shrink: bool,
}

/// What came of a bug.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What caught it: classes of failures, or the test.
    pub caught_by: Vec<String>,
    /// For each start, how many seeds that took; `None` where it was not caught.
    pub seeds: Vec<Option<u64>>,
    /// What is left of one of the failures, if it was shrunk.
    pub shrunk: Option<Size>,
    /// How long the build took.
    pub build_seconds: f64,
    /// What is wrong: it was not caught, or not as it should be, or could not even be tried.
    pub trouble: Option<String>,
}

impl Row {
    /// The mean of the seeds to detect, over the starts that did.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let found: Vec<f64> = self.seeds.iter().flatten().map(|&seeds| seeds as f64).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }
}

/// The museum at work.
pub struct Museum<'a> {
    /// The sources.
    pub workspace: &'a Workspace,
    /// The copy that is patched.
    pub scratch: &'a Scratch,
    /// How to look for bugs.
    pub plan: Plan,
    /// Set by whoever wants the work to end.
    pub stop: &'a AtomicBool,
}

/// Why a bug was not tried to the end.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The copy of the sources is of no use.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A program is.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl Museum<'_> {
    /// Tries the sources as they are: nothing may be found where no bug was planted.
    ///
    /// Answers what is wrong with them.
    ///
    /// # Errors
    /// They could not be tried.
    pub fn baseline(&self, bugs: &[Bug]) -> Result<Option<String>, TrialError> {
        if bugs.iter().any(|bug| matches!(bug.shows, Shows::Seeds(_))) {
            let (quorate, _) = self.build_quorate()?;
            let enough = self.plan.seeds.min(CLEAN_SEEDS);
            for start in self.starts() {
                if let Some(Found { class, token, .. }) = quorate.first_failure(start, enough)? {
                    return Ok(Some(format!(
                        "{token} does not hold without any bug ({class}): mend that first",
                    )));
                }
            }
        }
        let mut programs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for bug in bugs {
            let Shows::Tests(tests) = &bug.shows else { continue };
            for test in tests {
                programs.entry(&test.program).or_default().insert(&test.name);
            }
        }
        for (name, tests) in programs {
            match self.test(&self.build_tests(name)?, &tests)? {
                Tested::Passed => {}
                Tested::Failed => {
                    return Ok(Some(format!(
                        "a named test of `cargo test --test {name}` fails without any bug: mend that first"
                    )));
                }
                Tested::NotRun(said) => {
                    return Ok(Some(format!("not every named test is in {name}:\n{said}")));
                }
            }
        }
        Ok(None)
    }

    /// Brings one bug back, looks, and takes it out again.
    ///
    /// # Errors
    /// The work was interrupted, or the copy of the sources is of no use.
    pub fn try_bug(&self, bug: &Bug) -> Result<Row, TrialError> {
        let mut row = Row {
            id: bug.id.clone(),
            name: bug.name.clone(),
            caught_by: Vec::new(),
            seeds: Vec::new(),
            shrunk: None,
            build_seconds: 0.0,
            trouble: None,
        };
        match self.files(bug) {
            Err(trouble) => row.trouble = Some(trouble),
            Ok(files) => {
                self.scratch.change(&files)?;
                let tried = match &bug.shows {
                    Shows::Seeds(classes) => self.by_seeds(classes, &mut row),
                    Shows::Tests(tests) => {
                        tests.iter().try_for_each(|test| self.by_test(test, &mut row))
                    }
                    Shows::Impossible(_) => Ok(()),
                };
                self.scratch.restore()?;
                match tried {
                    Ok(()) => {}
                    Err(interrupted @ TrialError::Process(ProcessError::Interrupted)) => {
                        return Err(interrupted);
                    }
                    Err(error) => row.trouble = Some(error.to_string()),
                }
            }
        }
        Ok(row)
    }

    /// What the patch of a bug makes of the sources.
    fn files(&self, bug: &Bug) -> Result<Vec<Patched>, String> {
        let path = self.workspace.patch(bug);
        let patch = workspace::read(&path).map_err(|error| error.to_string())?;
        let files = patch::apply(&patch, &self.workspace.root);
        files.map_err(|error| format!("{}: {error}", path.display()))
    }

    fn by_seeds(&self, classes: &[String], row: &mut Row) -> Result<(), TrialError> {
        let (quorate, took) = self.build_quorate()?;
        row.build_seconds = took.as_secs_f64();
        let (mut seen, mut token) = (BTreeSet::new(), None);
        for start in self.starts() {
            let found = quorate.first_failure(start, self.plan.seeds)?;
            row.seeds.push(found.as_ref().map(|found| found.seeds));
            if let Some(found) = found {
                seen.insert(found.class);
                token.get_or_insert(found.token);
            }
        }
        let missed = row.seeds.iter().filter(|found| found.is_none()).count();
        let is_said = |class: &String| classes.contains(class);
        let mishap = seen.iter().find(|class| MISHAPS.contains(&class.as_str()) && !is_said(class));
        if missed > 0 {
            row.trouble = Some(format!(
                "{missed} of {} starts did not find it in {} seeds: the harness is too weak for it; \
                 strengthen a profile or a check, or name a test that shows it",
                row.seeds.len(),
                self.plan.seeds,
            ));
        } else if mishap.is_some() || !seen.iter().any(is_said) {
            row.trouble = Some(format!(
                "it was found as {seen:?}, and museum.toml says {classes:?}: if that is right, add it \
                 there"
            ));
        }
        row.caught_by = seen.into_iter().collect();
        if let Some(token) = token.filter(|_| self.plan.shrink) {
            row.shrunk = Some(quorate.shrink(&token)?);
        }
        Ok(())
    }

    fn by_test(&self, test: &Test, row: &mut Row) -> Result<(), TrialError> {
        let built = self.build_tests(&test.program)?;
        row.build_seconds += built.took.as_secs_f64();
        match self.test(&built, &BTreeSet::from([test.name.as_str()]))? {
            Tested::Failed => row.caught_by.push(test.to_string()),
            Tested::Passed => {
                row.trouble =
                    Some(format!("{test} passes with the bug: make it look, or name another"));
            }
            Tested::NotRun(said) => row.trouble = Some(format!("{test} did not run:\n{said}")),
        }
        Ok(())
    }

    fn starts(&self) -> impl Iterator<Item = u64> {
        (0..self.plan.starts).map(|start| start * APART)
    }

    fn build(&self, what: &[&str]) -> Result<Built, ProcessError> {
        process::build(&self.scratch.tree, &self.scratch.target, what, self.stop)
    }

    fn build_quorate(&self) -> Result<(Quorate<'_>, Duration), ProcessError> {
        let built = self.build(&["build", "--package", "quorate-scenarios"])?;
        let quorate = Quorate { program: built.program, jobs: self.plan.jobs, stop: self.stop };
        Ok((quorate, built.took))
    }

    fn build_tests(&self, program: &str) -> Result<Built, ProcessError> {
        self.build(&["test", "--no-run", "--test", program])
    }

    fn test(&self, built: &Built, tests: &BTreeSet<&str>) -> Result<Tested, ProcessError> {
        let mut command = Command::new(&built.program);
        // As cargo runs it.
        command.current_dir(&built.package).env("CARGO_MANIFEST_DIR", &built.package);
        command.arg("--exact").args(tests).args(["--test-threads", "1"]);
        let done = process::run(&mut command, TEST_LIMIT, self.stop)?;
        let ran = done.out.lines().filter(|line| line.starts_with("test ")).filter(|line| {
            let name = line["test ".len()..].split(" ... ").next();
            name.is_some_and(|name| tests.contains(name.trim_end_matches(" - should panic")))
        });
        let said = || format!("{}\n{}", done.out.trim(), done.err.trim());
        Ok(match done.status.code() {
            Some(0) if ran.count() == tests.len() => Tested::Passed,
            Some(101) if done.out.contains("test result: FAILED") => Tested::Failed,
            _ => Tested::NotRun(said()),
        })
    }
}

/// What came of tests.
enum Tested {
    Passed,
    Failed,
    /// At least one was not there, or the program ended early.
    NotRun(String),
}

/// Classes of failures that are no check's: each says something else of the engine, or of the harness.
const MISHAPS: [&str; 5] = ["panicked", "stalled", "timeout", "internal", "nondeterministic"];
/// So far from one start to the next.
const APART: u64 = 1_000_000;
/// From each start, how many seeds of the sources as they are have to hold. `.ci/run` fuzzes them for longer.
const CLEAN_SEEDS: u64 = 2000;
const TEST_LIMIT: Duration = Duration::from_secs(300);
