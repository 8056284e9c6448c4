//! Why QEMU cannot be driven, with a remedy where there is one.

use crate::Refusal;
use std::{io, path::PathBuf, process::ExitStatus};
use thiserror::Error;

/// Why QEMU cannot be driven.
#[derive(Debug, Error)]
pub enum Error {
    /// A process cannot be started.
    #[error("cannot start {program}: {source}")]
    Process {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// There is no place for its sockets.
    #[error("cannot make a private directory for sockets in '{}': {source}", path.display())]
    Directory {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files of its clock do not work.
    #[error("cannot keep a clock of qemu-storage-daemon's own beside its sockets: {0}")]
    Clock(io::Error),
    /// It runs by the machine's clock.
    #[error(
        "qemu-storage-daemon does not take the clock it is given: set TMPDIR to a directory from which libraries \
         can be loaded (not mounted noexec), without a space or colon in its name; it wrote {said:?}"
    )]
    ClockLeft {
        /// What it wrote.
        said: String,
    },
    /// A unix socket's name has to fit into 107 bytes.
    #[error(
        "'{}' is too long a name for a socket, which has at most 107 bytes: set TMPDIR to a directory whose \
         name is shorter",
        .0.display()
    )]
    PathTooLong(PathBuf),
    /// A socket does not work.
    #[error("a socket of the daemon's does not work while {during}: {source}")]
    Socket {
        /// What it was used for.
        during: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The daemon has ended.
    #[error("qemu-storage-daemon is gone ({status}); it wrote {said:?}")]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote.
        said: String,
    },
    /// `qemu-io` has ended.
    #[error("qemu-io is gone ({status}) when it was asked for {asked:?}; it wrote {said:?}")]
    IoDied {
        /// How it ended.
        status: ExitStatus,
        /// What it was asked for.
        asked: String,
        /// What it wrote.
        said: String,
    },
    /// `qemu-io` does not come back from a command.
    #[error("qemu-io did nothing for {seconds} s when it was asked for {asked:?}")]
    IoSilent {
        /// What it was asked for.
        asked: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// No command for `qemu-io`.
    #[error(
        "qemu-io reads commands of one line and at most {most} bytes, and not one of {bytes}: shorten it"
    )]
    Command {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Nothing more came.
    #[error("qemu-storage-daemon did nothing for {seconds} s while it was asked for {asked}{held}")]
    Silent {
        /// What it was asked for.
        asked: String,
        /// How long it was waited for.
        seconds: u64,
        /// Requests that wait for their release, if there are such.
        held: String,
    },
    /// The monitor refused what has to work.
    #[error("{asked} is refused: {refusal}")]
    Refused {
        /// What was asked.
        asked: String,
        /// Why.
        refusal: Refusal,
    },
    /// An export cannot be used.
    #[error("the export '{export}' is refused by option reply {reply:#x}: {said:?}")]
    Export {
        /// Its name.
        export: String,
        /// The reply's type.
        reply: u32,
        /// What the other side says.
        said: String,
    },
    /// The connection to an export has ended.
    #[error("qemu-storage-daemon has closed the connection to an export; it wrote {said:?}")]
    Disconnected {
        /// What it wrote.
        said: String,
    },
    /// What came is not what was agreed on.
    #[error("QEMU sent {0}")]
    Protocol(String),
}
