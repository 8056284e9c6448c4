//! Which QEMU there is, and what it lacks.

use std::{
    ffi::OsStr,
    fmt, io,
    path::{self, Path, PathBuf},
    process::{Command, Stdio},
};
use thiserror::Error;

/// A QEMU that can be driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is; nowhere else than in `PATH` if this is empty.
    directory: PathBuf,
    version: Version,
}

/// The version of a QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Such as 10.
    pub major: u32,
    /// Such as 0.
    pub minor: u32,
    /// Such as 2.
    pub micro: u32,
}

/// What the machine lacks, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// A program is not there.
    #[error("{program} does not start ({said}): {INSTALL}")]
    Program {
        /// Which.
        program: &'static str,
        /// Why it cannot be started.
        said: String,
    },
    /// A program does not say its version in the usual words.
    #[error("{DAEMON} --version says {said:?}, in which there is no version: {INSTALL}")]
    Version {
        /// What it says.
        said: String,
    },
    /// This QEMU was built without the driver that all this is about.
    #[error(
        "QEMU {version} opens no quorum, and says {said:?}: Debian's was built with quorum, {INSTALL}"
    )]
    Quorum {
        /// Which QEMU.
        version: Version,
        /// What it says.
        said: String,
    },
}

impl Program {
    /// Looks for QEMU's storage daemon and `qemu-io` in `PATH`.
    ///
    /// # Errors
    /// One of them is not there, or they open no quorum.
    pub fn find() -> Result<Self, Missing> {
        Self::find_in(Path::new(""))
    }

    /// Looks for them in a directory.
    ///
    /// # Errors
    /// One of them is not there, or they open no quorum.
    pub fn find_in(directory: &Path) -> Result<Self, Missing> {
        // A daemon has a working directory of its own.
        let directory = path::absolute(directory).unwrap_or_default();
        let said = run(&directory, DAEMON, ["--version"])?.text;
        let version = Version::in_words(&said).ok_or(Missing::Version { said })?;
        let least = "driver=quorum,vote-threshold=1,children.0.driver=null-co";
        let tried = run(&directory, IO, ["-c", "quit", "--image-opts", least])?;
        if !tried.success {
            return Err(Missing::Quorum { version, said: tried.text });
        }
        Ok(Self { directory, version })
    }

    /// The storage daemon's version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether what QEMU does was compared with this version before.
    #[must_use]
    pub fn is_known(&self) -> bool {
        KNOWN.contains(&self.version)
    }

    /// A command that starts the storage daemon.
    #[must_use]
    pub(crate) fn daemon(&self) -> Command {
        Command::new(self.directory.join(DAEMON))
    }

    /// A command that starts `qemu-io`.
    #[must_use]
    pub fn io(&self) -> Command {
        Command::new(self.directory.join(IO))
    }

    /// A command that starts `qemu-img`.
    #[must_use]
    pub fn img(&self) -> Command {
        Command::new(self.directory.join(IMG))
    }

    /// Why `qemu-io --image-opts` does not open this image; `None` if it does.
    ///
    /// # Errors
    /// There is no `qemu-io` any more.
    pub fn refuses(&self, options: &str) -> Result<Option<String>, Missing> {
        let opened = run(&self.directory, IO, ["-c", "quit", "--image-opts", options])?;
        let text = opened.text.trim();
        let why = text.split_once("can't open: ").map_or(text, |(_, why)| why);
        Ok((!opened.success).then(|| why.to_owned()))
    }
}

impl Version {
    /// The first version in a text such as `qemu-storage-daemon version 10.0.2 (Debian …)`.
    #[must_use]
    pub fn in_words(text: &str) -> Option<Self> {
        let (_, version) = text.split_once("version ")?;
        let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
        let mut numbers = version[..end].split('.').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { major: next()?, minor: next()?, micro: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// How a program ended, and all that it wrote.
struct Ran {
    success: bool,
    text: String,
}

fn run(
    directory: &Path,
    program: &'static str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Ran, Missing> {
    let output =
        Command::new(directory.join(program)).args(arguments).stdin(Stdio::null()).output();
    let missing = |error: io::Error| Missing::Program { program, said: error.to_string() };
    let output = output.map_err(missing)?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Ran { success: output.status.success(), text })
}

const DAEMON: &str = "qemu-storage-daemon";
const IO: &str = "qemu-io";
const IMG: &str = "qemu-img";
const INSTALL: &str =
    "apt-get install qemu-utils, for Debian 12's QEMU 7.2 also qemu-system-common";
const KNOWN: [Version; 2] =
    [Version { major: 7, minor: 2, micro: 22 }, Version { major: 10, minor: 0, micro: 2 }];
