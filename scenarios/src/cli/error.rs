//! Why a command cannot be done, with a remedy.

use super::exit;
use crate::{
    env::EnvironmentError, fuzz::record::MergeError, load::LoadError, runner::RunError,
    shrink::NotShrunk,
};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use quorate_reports::{Colour, recorded::RecordedError};
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;

/// Why a command cannot be done.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum CliError {
    /// There is no such scenario.
    #[error("there is no scenario '{name}' in the catalog, and no file of this name")]
    Unknown {
        name: String,
        #[help]
        near: String,
    },
    /// A seed without what it is a seed of.
    #[error("'{seed}' is a seed, but of which profile?")]
    #[diagnostic(help(
        "write profile:{seed}, such as 'random-budget:{seed}'; the profiles are {profiles}"
    ))]
    OnlySeed { seed: u64, profiles: String },
    /// A seed that is none.
    #[error("'{seed}' in '{token}' is no seed: {}", super::values::SEED)]
    #[diagnostic(help("write the profile, a colon and a number, such as 'random-budget:17'"))]
    Seed { seed: String, token: String },
    /// Two seeds for one run.
    #[error("'{token}' names its seed already, and --seed names another")]
    #[diagnostic(help("leave out one of them"))]
    TwoSeeds { token: String },
    /// A scenario that cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// A profile whose own rules do not go with those that it draws.
    #[error("'{token}' cannot be run: {source}")]
    #[diagnostic(help("change the rule in the profile's file"))]
    Plan { token: String, source: RunError },
    /// A directory for disks that are in none.
    #[error("--directory is for disks that are files")]
    #[diagnostic(help("add --env files, or leave it out"))]
    NoDirectory,
    /// A cluster for disks that are on none.
    #[error("--gluster is for disks on a real gluster")]
    #[diagnostic(help("add --env gluster, or leave it out"))]
    NoGluster,
    /// There is no QEMU to compare with.
    #[error("0 compared: {0}")]
    #[diagnostic(help(
        "install it, or name its directory with --qemu; `quorate doctor` says what this machine has"
    ))]
    NoQemu(#[from] quorate_qemu::Missing),
    /// It does not do its part.
    #[error("0 compared: {0}")]
    #[diagnostic(help(
        "look whether it runs by hand, or name another one's directory with --qemu"
    ))]
    Qemu(#[from] quorate_qemu::Error),
    /// Scenarios for a comparison of something else.
    #[error("the layer '{layer}' draws cases of its own, and compares no scenarios")]
    #[diagnostic(help("leave out the layer, or the scenarios"))]
    NoScenarios { layer: &'static str },
    /// Nothing was compared.
    #[error("0 compared: both sides can run none of it")]
    #[diagnostic(help("the reasons are above; name other scenarios, or other seeds"))]
    NothingCompared,
    /// There are no disks.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Environment(#[from] EnvironmentError),
    /// A run that has no end to be written down.
    #[error("the run '{token}' did not come back within {patience:?} by the clock on the wall")]
    #[diagnostic(help("leave out --scripted: what a run draws is known once it ends"))]
    Endless { token: String, patience: Duration },
    /// A script that is not the run.
    #[error("the script of '{token}' is another run than '{token}' itself: the export is wrong")]
    #[diagnostic(help("leave out --scripted, and report this run; nothing was written"))]
    Script { token: String },
    /// There is nothing to shrink.
    #[error("'{token}' cannot be shrunk: {source}")]
    #[diagnostic(help(
        "name a run that fails: a seed or a file that `quorate fuzz` has shown, on the same commit"
    ))]
    NotShrunk { token: String, source: NotShrunk },
    /// What was left does not fail elsewhere.
    #[error("what '{token}' was shrunk to is no failure to rely on: {why}")]
    #[diagnostic(help(
        "a run that depends on more than its file is a bug of its own: report this one; nothing was \
         saved"
    ))]
    Unverified { token: String, why: String },
    /// A file that would take the place of another one that is needed.
    #[error("{option} names '{}', which is the run's own file or that of the other option", path.display())]
    #[diagnostic(help("name another file; nothing was written"))]
    Taken { option: &'static str, path: PathBuf },
    /// A file that is no text.
    #[error("cannot read the scenario file '{path}': it is not UTF-8 text")]
    #[diagnostic(help("save it in the encoding UTF-8, as TOML asks for"))]
    NotText { path: String },
    /// An operation for which there are to be too few children.
    #[error("'{operation}' takes {least} children, and there are to be fewer")]
    #[diagnostic(help("write --children {least} or more, or leave the operation out"))]
    TooFewChildren { operation: String, least: usize },
    /// Standard output does not take what is written.
    #[error("cannot write to standard output: {0}")]
    #[diagnostic(help("the result is incomplete: write it where there is room"))]
    Output(#[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write '{}': {source}", path.display())]
    #[diagnostic(help(
        "name a file in a directory that exists, on a disk with room, where you may write; nothing \
         was written"
    ))]
    Write { path: PathBuf, source: io::Error },
    /// Failures cannot be saved.
    #[error("cannot save failures in '{}': {source}", path.display())]
    #[diagnostic(help("name a directory where you may write with --output DIR"))]
    Failures { path: PathBuf, source: io::Error },
    /// A summary cannot be read.
    #[error("cannot read the summary '{}': {source}", path.display())]
    #[diagnostic(help("name files that `quorate fuzz --save-summary FILE` has written"))]
    ReadSummary { path: PathBuf, source: io::Error },
    /// What was read is no summary.
    #[error("'{}' is no summary of a fuzz: {source}", path.display())]
    #[diagnostic(help("name files that `quorate fuzz --save-summary FILE` has written"))]
    Summary { path: PathBuf, source: serde_json::Error },
    /// A summary of another format.
    #[error("'{}' is a summary of version {version}; this program reads version 1", path.display())]
    #[diagnostic(help("merge it with the program that wrote it"))]
    SummaryVersion { path: PathBuf, version: u32 },
    /// A run cannot be repeated.
    #[error("cannot run '{token}' in a process of its own: {source}")]
    #[diagnostic(help(
        "see to it that this program's file is where it was when it was started, and that there is \
         room for a process and a temporary file"
    ))]
    Process { token: String, source: io::Error },
    /// What was read is no trace.
    #[error("cannot read the trace '{}': {source}", path.display())]
    #[diagnostic(help(
        "name a file that `quorate trace {token} --format jsonl --output FILE` has written"
    ))]
    Trace { path: PathBuf, token: String, source: RecordedError },
    /// A trace of something else.
    #[error("'{}' is a trace of '{found}', and not of '{wanted}'", path.display())]
    #[diagnostic(help("compare it with '{found}', or two traces of the same run"))]
    OtherTrace { path: PathBuf, found: String, wanted: String },
    /// An environment that this machine does not have.
    #[error("this machine does not have what is required: {environments}")]
    #[diagnostic(help("get what is said to be missing above, and try again"))]
    Lacking { environments: String },
    /// Something about a glusterd cannot be done.
    #[error("{source}")]
    #[diagnostic(help("{}", source.remedy()))]
    Glusterd { source: quorate_glusterd::Error },
    /// Something is left over and stays so.
    #[error("cannot remove the {leftover}: {source}")]
    #[diagnostic(help("remove it by hand"))]
    Leftover { leftover: String, source: io::Error },
    /// Two summaries that do not add up.
    #[error("cannot merge '{}': {source}", path.display())]
    #[diagnostic(help("merge what the shards of one fuzz have saved, each once"))]
    Merge { path: PathBuf, source: MergeError },
}

impl CliError {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Script { .. } | Self::Unverified { .. } => exit::INTERNAL,
            _ => exit::USAGE,
        }
    }

    /// The error with its place and remedy.
    pub(super) fn render(&self, colour: Colour) -> String {
        let theme = match colour {
            Colour::On => GraphicalTheme::unicode(),
            Colour::Off => GraphicalTheme::unicode_nocolor(),
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH);
        // A terminal breaks lines; names and paths stay whole.
        let handler = handler.with_wrap_lines(false).without_cause_chain().with_context_lines(2);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => format!("error:\n{text}"),
            Err(_) => format!("error: {self}\n"),
        }
    }
}

const WIDTH: usize = 100;
