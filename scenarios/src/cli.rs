//! The command line: what it takes, and what it answers.
//!
//! Results go to standard output; warnings, errors and progress go to standard error. A command is a
//! function from its arguments and a [`Host`] to an exit code, so that tests call what people run.

use anstream::AutoStream;
use args::{
    Cli, Command, ConformArgs, DiffArgs, DoctorArgs, ExhaustArgs, ExplainArgs, ExportArgs, Format,
    FuzzArgs, ListArgs, ListFormat, MergeArgs, ReplayArgs, RunArgs, ShrinkArgs, TraceArgs,
    TraceFormat, When,
};
use clap::{CommandFactory, Parser};
use error::CliError;
use output::Quiet;
use quorate_reports::Colour;
use std::{
    ffi::OsString,
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

mod args;
mod conform;
mod describe;
mod diff;
mod doctor;
mod error;
mod exhaust;
mod explain;
mod export;
mod failure;
mod fresh;
mod fuzz;
mod list;
mod merge;
mod output;
mod place;
mod replay;
mod run;
mod shrink;
mod target;
mod trace;
mod values;
mod workload;

/// The exit codes.
pub mod exit {
    /// Everything that was asked for held.
    pub const HELD: u8 = 0;
    /// The program is broken; what it printed says where.
    pub const INTERNAL: u8 = 1;
    /// The command line, a file it names or a place it writes to is of no use.
    pub const USAGE: u8 = 2;
    /// A run did not hold.
    pub const VIOLATED: u8 = 100;
    /// Ctrl-C ended a fuzz or an exhaustion in which everything held so far, or shrinking before its end.
    pub const INTERRUPTED: u8 = 130;
}

/// The commit that the program was built from; its version, where there was no git to ask.
pub const COMMIT: &str = env!("QUORATE_COMMIT");

/// Where a command finds itself.
pub struct Host<'a> {
    /// Where results go.
    pub out: &'a mut dyn Write,
    /// Where everything else goes.
    pub err: &'a mut dyn Write,
    /// Whether results are coloured, unless the command line says.
    pub colour: Colour,
    /// Whether everything else is coloured, unless the command line says.
    pub err_colour: Colour,
    /// Whether somebody watches progress.
    pub progress: bool,
    /// How the program was called, for commands to copy.
    pub program: String,
    /// The program's file, to run a part of it in a process of its own.
    pub executable: Option<PathBuf>,
    /// The arguments that it was called with, if it may run itself again with the same.
    pub arguments: Option<Vec<OsString>>,
    /// Set from outside, it ends a fuzz, an exhaustion, and shrinking.
    pub stop: Arc<AtomicBool>,
    /// Whether Ctrl-C is to be caught meanwhile.
    pub catch_interrupt: bool,
}

impl Host<'_> {
    /// Has Ctrl-C ask what runs to end; a second one ends the process.
    fn catch_interrupt(&self) {
        if !self.catch_interrupt {
            return;
        }
        let stop = self.stop.clone();
        let caught = ctrlc::set_handler(move || {
            if stop.swap(true, Ordering::Relaxed) {
                process::exit(exit::INTERRUPTED.into());
            }
        });
        // Without it, Ctrl-C ends the process as usual.
        drop(caught);
    }
}

/// How many threads: as many as are asked for, or one for each core.
fn jobs(asked: Option<u16>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, usize::from)
}

/// Runs the command of this process.
pub fn of_process(args: impl IntoIterator<Item = OsString>) -> u8 {
    let choice = |auto| match auto {
        anstream::ColorChoice::Never => Colour::Off,
        _ => Colour::On,
    };
    let colour = choice(AutoStream::choice(&io::stdout()));
    let err_colour = choice(AutoStream::choice(&io::stderr()));
    // Text comes with its colours or without, as decided here.
    let mut out = Quiet::new(BufWriter::new(AutoStream::always(io::stdout())));
    let mut err = Quiet::new(AutoStream::always(io::stderr()));
    let args: Vec<OsString> = args.into_iter().collect();
    let program = args.first().map(|name| name.to_string_lossy().into_owned());
    let mut host = Host {
        out: &mut out,
        err: &mut err,
        colour,
        err_colour,
        progress: io::stderr().is_terminal(),
        program: program.unwrap_or_else(|| "quorate".into()),
        executable: std::env::current_exe().ok(),
        arguments: Some(args.iter().skip(1).cloned().collect()),
        stop: Arc::default(),
        catch_interrupt: true,
    };
    main_from(args, &mut host)
}

/// Runs a command, and says with which code to exit.
pub fn main_from<T: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = T>,
    host: &mut Host<'_>,
) -> u8 {
    let done = match Cli::try_parse_from(args) {
        Ok(cli) => {
            let forced = match cli.colour {
                When::Auto => None,
                When::Always => Some(Colour::On),
                When::Never => Some(Colour::Off),
            };
            host.colour = forced.unwrap_or(host.colour);
            host.err_colour = forced.unwrap_or(host.err_colour);
            dispatch(cli.command, host)
        }
        Err(refused) => refuse(&refused, host),
    };
    let flushed = host.out.flush().map_err(CliError::Output);
    done.and_then(|code| flushed.map(|()| code)).unwrap_or_else(|error| {
        let text = error.render(host.err_colour);
        // There is nowhere left to say that standard error is closed.
        let _ = host.err.write_all(text.as_bytes());
        error.code()
    })
}

fn dispatch(command: Command, host: &mut Host<'_>) -> Result<u8, CliError> {
    match command {
        Command::List(args) => list::list(&args, host),
        Command::Run(args) => run::run(&args, host),
        Command::Fuzz(args) => fuzz::fuzz(&args, host),
        Command::Replay(args) => replay::replay(&args, host),
        Command::Shrink(args) => shrink::shrink(&args, host),
        Command::Trace(args) => trace::trace(&args, host),
        Command::Export(args) => export::export(&args, host),
        Command::Explain(args) => explain::explain(&args, host),
        Command::Exhaust(args) => exhaust::exhaust(&args, host),
        Command::Conform(args) => conform::conform(&args, host),
        Command::Diff(args) => diff::diff(&args, host),
        Command::Merge(args) => merge::merge(&args, host),
        Command::Doctor(args) => doctor::doctor(&args, host),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "quorate", &mut script);
            host.out.write_all(&script).map_err(CliError::Output)?;
            Ok(exit::HELD)
        }
    }
}

/// Says what clap has to say: why it refuses, or the help that was asked for.
fn refuse(refused: &clap::Error, host: &mut Host<'_>) -> Result<u8, CliError> {
    let text = refused.render();
    let (colour, to) = match refused.use_stderr() {
        true => (host.err_colour, &mut *host.err),
        false => (host.colour, &mut *host.out),
    };
    let text = match colour {
        Colour::On => text.ansi().to_string(),
        Colour::Off => text.to_string(),
    };
    to.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(if refused.use_stderr() { exit::USAGE } else { exit::HELD })
}
