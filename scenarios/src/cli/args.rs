//! What each command takes, and the help that says so.

use super::values;
use crate::{
    exhaust::{Certificate, Subject},
    fuzz::Shard,
    metamorphic,
};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use clap_complete::Shell;
use quorate_glusterd::Place;
use std::{num::NonZeroU32, path::PathBuf, time::Duration};

/// Runs scenarios of a replicated block array in simulation, with faults, and judges every run.
///
/// An array in quorum mode writes to all its children and votes on what they read. A scenario sets up
/// such an array on simulated disks, lets faults strike and clients ask, and says how that must end.
/// The same seed on the same commit is the same run, to the last microsecond.
///
/// Where to begin:
///   quorate list                     what there is
///   quorate explain read-corrupt     what one of them is about
///   quorate trace read-corrupt       what happens in it, one lane per disk
///   quorate fuzz                     10,000 random runs
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version = const_str(),
    verbatim_doc_comment,
    propagate_version = true,
    max_term_width = 100,
    after_help = EXIT_CODES
)]
pub(super) struct Cli {
    /// Whether text is coloured; auto: on a terminal, and not where NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", alias = "color")]
    pub(super) colour: When,
    #[command(subcommand)]
    pub(super) command: Command,
}

const fn const_str() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("QUORATE_COMMIT"), ")")
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines: one object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// For people.
    Text,
    /// For machines: one list of objects.
    Json,
    /// For scripts: one name per line.
    Names,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Name the scenarios of the catalog.
    List(ListArgs),
    /// Run one scenario and say whether it held.
    Run(RunArgs),
    /// Run random scenarios for many seeds, on every core.
    ///
    /// Seed s runs on profile number s modulo the number of profiles. What comes out depends on the seeds
    /// only, not on the number of jobs: compare the digests of two machines.
    ///
    /// Each failure is saved as a scenario file of its own, in which nothing is random any more, and shown
    /// with the one command that replays it. After the first failure the fuzz finishes its block of 1,024
    /// seeds, to find failures of other classes, and stops.
    #[command(after_help = EXIT_CODES)]
    Fuzz(FuzzArgs),
    /// Run again what a seed or a saved file names; with a failure, show everything.
    ///
    /// With --verify the run is repeated and compared event by event. To compare two machines, write
    /// `quorate trace RUN --format jsonl --output FILE` on one of them, and `quorate replay RUN --against
    /// FILE` on the other. If a run comes out otherwise, the first event that differs is shown from both
    /// sides.
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArgs),
    /// Make a scenario as small as it gets out of a run that fails.
    ///
    /// Clients, requests, rules and children are taken out, sizes, faults and schedules made plainer, as
    /// long as the same check fails first. What is left is saved as a file, once it has shown to fail in a
    /// process of its own.
    #[command(after_help = SHRINK_EXIT_CODES)]
    Shrink(ShrinkArgs),
    /// Show what happens in a run, one lane per disk.
    Trace(TraceArgs),
    /// Write a run as a scenario file of its own.
    ///
    /// What a profile draws for a seed becomes a concrete scenario. With --scripted every draw of the run
    /// is written down as well, as it came out: which operations rules strike, what becomes of their
    /// bytes, how long each operation takes. Such a file is the same run whatever its seed.
    Export(ExportArgs),
    /// Say what a scenario sets up, which rule decides, and how it ends.
    Explain(ExplainArgs),
    /// Go through every vote that a few children can have, and print a certificate.
    ///
    /// One request: whatever the children answer, up to the names of contents and errors, in every order,
    /// at every threshold. The engine must do what the specification says, step by step. Then two requests
    /// at once on three children, in every interleaving: which of them do harm where they race, and that
    /// none does where they take turns. PROOF.md says what the numbers mean.
    #[command(after_help = EXIT_CODES)]
    Exhaust(ExhaustArgs),
    /// Compare runs in simulation with the same scenarios on real disks.
    ///
    /// A run is the same if it has the same digest: whatever clients, disks and listeners see came in the
    /// same order. It is alike if requests were answered the same, with the same events, and disks hold the
    /// same, though disks were asked at other times. Scenarios that make no sense somewhere are left out
    /// there, and it is said why. Of a profile it is the run of its own seed.
    #[command(after_help = CONFORM_EXIT_CODES)]
    Conform(ConformArgs),
    /// Compare the engine with the real QEMU, case by case.
    ///
    /// The same scenarios run on the engine and on QEMU's own quorum, in a qemu-storage-daemon whose children
    /// are the run's disks. Each answer, each event, each request to a disk and what disks hold at the end have
    /// to be the same, but for a short list of what is known to differ, which is counted apart. Profiles give
    /// a case for each seed. A difference is made as small as it gets, and saved as a scenario and as a script
    /// that shows it with QEMU's own tools.
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(DiffArgs),
    /// Add up what the shards of a fuzz have saved.
    Merge(MergeArgs),
    /// Say which environments this machine has, what the others lack, and how to get it.
    ///
    /// Simulated disks and files are all that most commands need. Real gluster takes libgfapi and a glusterd: one
    /// of this machine in a private namespace, one in a container, or one that is there already. `quorate diff` takes a
    /// qemu-storage-daemon and a qemu-io.
    #[command(after_help = DOCTOR_EXIT_CODES)]
    Doctor(DoctorArgs),
    /// Print a script that completes commands, scenario names excepted.
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A name from `quorate list`, or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    pub(super) scenario: String,
    /// The key of every draw; the file's own, mostly 0, if nothing is said.
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = values::seed)]
    pub(super) seed: Option<u64>,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Where the disks are.
    #[arg(long, value_name = "ENV", default_value = "sim")]
    pub(super) env: Env,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// By the clock on the wall, how long to wait for a run that does not come back.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::time)]
    pub(super) watchdog: Duration,
}

#[derive(Debug, Args)]
pub(super) struct ConformArgs {
    /// Names from `quorate list`, seeds (profile:number), or scenario files; the catalog if nothing is said.
    #[arg(value_name = "NAME|SEED|FILE")]
    pub(super) scenario: Vec<String>,
    /// Where else the disks are to be, with commas between them.
    #[arg(long, value_name = "ENV", value_delimiter = ',', default_value = "bricks,files,gluster")]
    pub(super) env: Vec<Env>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

/// What more there is to say of where disks are.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// With --env files: below which directory; that for temporary files if nothing is said.
    #[arg(long, value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
    /// With --env gluster: where glusterd is. In a namespace of its own, for which one has to be root;
    /// in a container; or there already. In a namespace if nothing is said.
    #[arg(long, value_name = "namespace|container|HOST[:PORT]")]
    pub(super) gluster: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Env {
    /// Simulated.
    Sim,
    /// Simulated, each on a gluster volume of its own.
    Bricks,
    /// Real files, in a directory that is gone afterwards.
    Files,
    /// Volumes of a real glusterd, through libgfapi.
    Gluster,
}

#[derive(Debug, Args)]
pub(super) struct FuzzArgs {
    /// Which seeds: the first N, or those from A up to, not including, B. 10000 if neither this nor
    /// --time is given.
    #[arg(long, value_name = "N|A..B", allow_hyphen_values = true, value_parser = values::seeds)]
    pub(super) seeds: Option<values::Seeds>,
    /// Stop after so long, such as 60s or 5m.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) time: Option<Duration>,
    /// How many threads; one for each core if nothing is said.
    #[arg(long, short, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Only this scenario (can be given again); all random profiles of the catalog if nothing is said.
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) scenario: Vec<String>,
    /// Do only part K of N: run the same command with 1/3, 2/3 and 3/3 on three machines, and merge
    /// what --save-summary saves.
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub(super) shard: Shard,
    /// Go on after a failure, and keep every one.
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Stop once so many failures are kept.
    #[arg(long, value_name = "M", default_value = "100", value_parser = values::count)]
    pub(super) max_failures: NonZeroU32,
    /// By the clock on the wall, how long one run may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::time)]
    pub(super) watchdog: Duration,
    /// Where to save failures.
    #[arg(long, value_name = "DIR", default_value = "quorate-failures")]
    pub(super) output: PathBuf,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Save the summary as JSON, for `quorate merge`.
    #[arg(long, value_name = "FILE")]
    pub(super) save_summary: Option<PathBuf>,
    /// Repeat so many runs in a process of their own, and compare.
    #[arg(long, value_name = "N", default_value = "2")]
    pub(super) verify_fresh: u8,
}

/// What is compared with the real QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Layer {
    /// Scenarios, whose disks answer in their order, each once QEMU has dealt with the one before: everything is
    /// compared, turn by turn.
    Ordered,
    /// Scenarios, whose disks answer as soon as they are asked: what goes on at the same time is compared
    /// without its order.
    Fast,
    /// Requests whose children fail with any error that there is: which error it comes to.
    Errno,
    /// Options of arrays: which are refused, and in which words.
    Options,
}

impl Layer {
    /// The word that the command line takes.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Fast => "fast",
            Self::Errno => "errno",
            Self::Options => "options",
        }
    }

    /// Whether its cases are scenarios that somebody can name.
    pub(super) fn runs_scenarios(self) -> bool {
        matches!(self, Self::Ordered | Self::Fast)
    }
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Names from `quorate list`, seeds (profile:number), or scenario files; all random profiles if nothing is
    /// said.
    #[arg(value_name = "NAME|SEED|FILE")]
    pub(super) scenario: Vec<String>,
    /// What to compare, with commas between them; all that goes with the scenarios if nothing is said.
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    pub(super) layer: Option<Vec<Layer>>,
    /// Of profiles, which seeds of each layer: the first N, or those from A up to, not including, B. 1000 if
    /// neither this nor --time is given.
    #[arg(long, value_name = "N|A..B", allow_hyphen_values = true, value_parser = values::seeds)]
    pub(super) seeds: Option<values::Seeds>,
    /// Stop each layer after so long, such as 60s or 5m.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) time: Option<Duration>,
    /// How many daemons, and threads; two for each core if nothing is said.
    #[arg(long, short, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// The directory of another qemu-storage-daemon and qemu-io than those in PATH.
    #[arg(long, value_name = "DIR")]
    pub(super) qemu: Option<PathBuf>,
    /// Go on after a difference, and keep up to 100.
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Where to save differences.
    #[arg(long, value_name = "DIR", default_value = "quorate-failures")]
    pub(super) output: PathBuf,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExhaustArgs {
    /// The most children; 6 takes many minutes.
    #[arg(long, value_name = "N", default_value = "5", value_parser = values::children)]
    pub(super) children: usize,
    /// Only these, with commas between them; all if nothing is said.
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_default_value = true)]
    pub(super) operations: Vec<Subject>,
    /// How many threads; one for each core if nothing is said.
    #[arg(long, short, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Demand this certificate.
    #[arg(long, value_name = "HEX")]
    pub(super) check: Option<Certificate>,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A seed as a failure shows it (profile:number), a saved file, or a name.
    #[arg(value_name = "SEED|FILE")]
    pub(super) run: String,
    /// Demand this digest; if it is another one, as with --verify.
    #[arg(long, value_name = "HEX", value_parser = values::digest)]
    pub(super) check_digest: Option<quorate_reports::Digest>,
    /// Repeat it in another thread and in a process of its own: it must come out the same.
    #[arg(long)]
    pub(super) verify: bool,
    /// Compare it with a trace in JSON Lines, such as one of another machine.
    #[arg(long, value_name = "FILE")]
    pub(super) against: Option<PathBuf>,
    /// Try this law, which compares the run with others, as a fuzz does on some of its runs.
    #[arg(long, value_name = "LAW", value_parser = PossibleValuesParser::new(metamorphic::laws().map(|(name, ..)| name)))]
    pub(super) law: Option<String>,
    /// By the clock on the wall, how long to wait for a run that does not come back.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::time)]
    pub(super) watchdog: Duration,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// A seed as a failure shows it (profile:number), a saved file, or a name.
    #[arg(value_name = "SEED|FILE")]
    pub(super) run: String,
    /// Where to save it; beside the file, or in quorate-failures, if nothing is said.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write it as a test in Rust as well, to be pasted where the tests are.
    #[arg(long, value_name = "FILE")]
    pub(super) test: Option<PathBuf>,
    /// By the clock on the wall, how long one run may take.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::time)]
    pub(super) watchdog: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TraceFormat {
    /// For people: time downwards, one lane per disk.
    Timeline,
    /// For machines: one event per line.
    Jsonl,
}

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// A name from `quorate list`, a seed (profile:number), or a scenario file.
    #[arg(value_name = "NAME|SEED|FILE")]
    pub(super) run: String,
    /// How.
    #[arg(long, value_name = "FORMAT", default_value = "timeline")]
    pub(super) format: TraceFormat,
    /// Where the disks are.
    #[arg(long, value_name = "ENV", default_value = "sim")]
    pub(super) env: Env,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Write to a file instead; it is either whole or not there.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A name from `quorate list`, a seed (profile:number), or a scenario file.
    #[arg(value_name = "NAME|SEED|FILE")]
    pub(super) run: String,
    /// The key of every draw; the file's own, mostly 0, if nothing is said.
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = values::seed)]
    pub(super) seed: Option<u64>,
    /// Leave nothing to be drawn.
    #[arg(long)]
    pub(super) scripted: bool,
    /// Write to a file instead; it is either whole or not there.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A name from `quorate list`, a seed (profile:number), or a scenario file.
    #[arg(value_name = "NAME|SEED|FILE")]
    pub(super) scenario: String,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// What `quorate fuzz --save-summary` has saved.
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Save what they add up to, to be merged again.
    #[arg(long, value_name = "FILE")]
    pub(super) save_summary: Option<PathBuf>,
}

/// What a run may be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Surroundings {
    /// Simulated disks.
    Sim,
    /// Files of this machine.
    Files,
    /// A glusterd in a namespace or in a container, whichever there is.
    Gluster,
    /// A glusterd of this machine in a private namespace.
    Namespace,
    /// A glusterd in a container of podman or docker.
    Container,
    /// A glusterd that is there already.
    Host,
    /// The real QEMU.
    Qemu,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Fail if this machine does not have it (can be given again).
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(super) require: Vec<Surroundings>,
    /// Make the image of the container, or make it again; takes minutes.
    #[arg(long)]
    pub(super) image: bool,
    /// Remove containers and directories whose programs are gone.
    #[arg(long)]
    pub(super) clean: bool,
    /// For whom.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

const DOCTOR_EXIT_CODES: &str = "\
Exit codes:
    0  there is what is required; simulation and files always are
    1  the program itself is broken
    2  something that is required is not there, or the command line is of no use";

const SHRINK_EXIT_CODES: &str = "\
Exit codes:
    0  it is as small as it gets
    1  the program itself is broken
    2  the run does not fail, or the command line, a file or an output is of no use
  130  interrupted: what was found by then is saved";

const CONFORM_EXIT_CODES: &str = "\
Exit codes:
    0  everything that can be compared is the same, alike, or differs as known
    1  the program itself is broken
    2  the command line is of no use, or there are no such disks
  100  a run differs";

const DIFF_EXIT_CODES: &str = "\
Exit codes:
    0  there is no difference but known ones
    1  the program itself is broken
    2  there is no QEMU to compare with, or the command line is of no use
  100  there is a difference, or a case could not be run on one side
  130  interrupted, and no difference so far";

const EXIT_CODES: &str = "\
Exit codes:
    0  everything held
    1  the program itself is broken
    2  the command line, a file or an output is of no use, or there are no such disks
  100  a run did not hold
  130  interrupted, and everything held so far";
