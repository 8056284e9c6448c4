//! Brings bugs of the past back to life, one by one, and shows what catches each.

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_museum::{
    bug::Bug,
    process::ProcessError,
    table,
    trial::{Museum, Plan, TrialError},
    workspace::{Scratch, Workspace, WorkspaceError},
};
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use thiserror::Error;

/// Brings bugs of the past back to life, one by one, and shows what catches each.
///
/// Each bug is a patch in tests/museum/patches. It is applied to a copy of the sources below target/museum,
/// which is built and fuzzed from several seeds on until something does not hold, or in which the test that
/// museum.toml names is run. The sources themselves are left alone. Without bugs everything has to hold:
/// that is tried first.
#[derive(Debug, Parser)]
#[command(name = "quorate-museum", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// Only these bugs, by id or name; all of them if nothing is said.
    #[arg(value_name = "ID")]
    bugs: Vec<String>,
    /// Only the few that are marked as quick, from two starts, and nothing is shrunk.
    #[arg(long, conflicts_with = "bugs")]
    quick: bool,
    /// From how many places to fuzz; 5 if nothing is said.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=1000))]
    starts: Option<u64>,
    /// After how many seeds to give up.
    #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: u64,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// With how many threads to fuzz; one for each core if nothing is said.
    #[arg(long, short, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, line by line.
    Text,
    /// For machines: one object.
    Json,
    /// For the docs.
    Markdown,
}

#[derive(Debug, Error)]
enum MuseumError {
    #[error("there is no bug '{0}' with a patch: see tests/museum/museum.toml")]
    Unknown(String),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error("Ctrl-C cannot be caught: {0}")]
    Interrupts(#[from] ctrlc::Error),
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    let error = match run(&Cli::parse()) {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    let interrupted =
        matches!(error, MuseumError::Trial(TrialError::Process(ProcessError::Interrupted)));
    // There is nobody left to tell if this cannot be written.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(if interrupted { INTERRUPTED } else { USAGE })
}

fn run(cli: &Cli) -> Result<u8, MuseumError> {
    let folder = env::current_dir()?;
    let workspace = Workspace::find(&folder)?;
    let bugs = chosen(cli, workspace.bugs()?)?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))?;
    let scratch = Scratch::new(&workspace)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        starts: cli.starts.unwrap_or(if cli.quick { 2 } else { 5 }),
        seeds: cli.seeds,
        shrink: !cli.quick,
        jobs: cli.jobs.unwrap_or_else(|| u16::try_from(cores).unwrap_or(u16::MAX)),
    };
    let museum = Museum { workspace: &workspace, scratch: &scratch, plan, stop: &stop };
    let shown = show(cli, &museum, &bugs);
    scratch.restore()?;
    shown
}

fn chosen(cli: &Cli, all: Vec<Bug>) -> Result<Vec<Bug>, MuseumError> {
    let mut bugs: Vec<Bug> = all.into_iter().filter(Bug::is_expressed).collect();
    let named = |bug: &Bug, word: &String| *word == bug.id || *word == bug.name;
    let unknown = cli.bugs.iter().find(|word| !bugs.iter().any(|bug| named(bug, word)));
    if let Some(word) = unknown {
        return Err(MuseumError::Unknown(word.clone()));
    }
    bugs.retain(|bug| match cli.quick {
        true => bug.quick,
        false => cli.bugs.is_empty() || cli.bugs.iter().any(|word| named(bug, word)),
    });
    Ok(bugs)
}

fn show(cli: &Cli, museum: &Museum<'_>, bugs: &[Bug]) -> Result<u8, MuseumError> {
    let bar = ProgressBar::new(bugs.len() as u64 + 1);
    let template = "{bar:30} {pos}/{len} {msg} {elapsed}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar.set_message("without bugs");
    if let Some(wrong) = museum.baseline(bugs)? {
        bar.finish_and_clear();
        writeln!(io::stdout(), "{wrong}")?;
        return Ok(DID_NOT_HOLD);
    }
    let say = |line: &str| match cli.format {
        Format::Text => bar.suspend(|| writeln!(io::stdout(), "{line}")),
        Format::Json | Format::Markdown => Ok(()),
    };
    say(&table::head())?;
    let mut rows = Vec::new();
    for bug in bugs {
        bar.inc(1);
        bar.set_message(format!("{} {}", bug.id, bug.name));
        let row = museum.try_bug(bug)?;
        say(&table::line(&row))?;
        rows.push(row);
    }
    bar.finish_and_clear();
    let text = match cli.format {
        Format::Text => table::total(&rows, museum.plan) + "\n",
        Format::Json => format!("{:#}\n", table::json(&rows, museum.plan)),
        Format::Markdown => table::markdown(&rows, museum.plan),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if rows.iter().any(|row| row.trouble.is_some()) { DID_NOT_HOLD } else { 0 })
}

const EXIT_CODES: &str = "\
Exit codes:
    0  every bug was caught, as museum.toml says
    1  the program itself is broken
    2  the command line, a file or an output is of no use
  100  a bug was not caught, or not as it should be, or its patch does not apply or build
  130  interrupted";
const USAGE: u8 = 2;
const DID_NOT_HOLD: u8 = 100;
const INTERRUPTED: u8 = 130;
