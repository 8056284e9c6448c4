//! What this machine lacks, and how to get it.

use crate::container::Tool;
use glusterfs_sys::{Api, LoadError};
use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
};
use thiserror::Error;

/// Something that this machine lacks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// The rights of root.
    #[error("this process is not root's, and only root can run bricks")]
    Root,
    /// A program.
    #[error("there is no {name}")]
    Program {
        /// Which.
        name: &'static str,
        /// In which package Debian has it.
        debian: &'static str,
        /// In which package Fedora has it.
        fedora: &'static str,
    },
    /// A library that can be used.
    #[error("{0}")]
    Library(#[from] LoadError),
    /// Private namespaces.
    #[error("this machine gives no private namespaces: {0}")]
    Namespaces(String),
    /// Whoever runs containers.
    #[error("there is neither podman nor a docker whose daemon answers")]
    Containers,
}

impl Missing {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Root => "run it as root, such as with sudo".into(),
            Self::Program { debian, fedora, .. } => packages(debian, fedora),
            // Debian's libgfapi0 comes without what libgfapi loads by itself, and then no volume is found.
            Self::Library(_) => packages("glusterfs-common", "libgfapi0"),
            Self::Namespaces(_) => {
                "run it where `unshare --net --mount --pid --fork true` works: on the machine \
                                    itself, or in a container that is privileged"
                    .into()
            }
            Self::Containers => packages("podman runc", "podman"),
        }
    }
}

impl From<&LoadError> for Missing {
    fn from(error: &LoadError) -> Self {
        Self::Library(error.clone())
    }
}

/// What a glusterd in a namespace lacks.
#[must_use]
pub fn namespace() -> Vec<Missing> {
    let mut missing: Vec<_> = common().collect();
    missing.extend(
        PROGRAMS
            .into_iter()
            .filter(|(name, ..)| !program(name))
            .map(|(name, debian, fedora)| Missing::Program { name, debian, fedora }),
    );
    if missing.is_empty() {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "--pid", "--fork", "true"]).stdin(Stdio::null());
        match unshare.output() {
            Ok(output) if output.status.success() => (),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                missing.push(Missing::Namespaces(said.trim().into()));
            }
            Err(error) => missing.push(Missing::Namespaces(error.to_string())),
        }
    }
    missing
}

/// What a glusterd in a container lacks, but for its image.
#[must_use]
pub fn container() -> Vec<Missing> {
    common().chain(Tool::find().is_none().then_some(Missing::Containers)).collect()
}

/// What a cluster that is there already needs on this machine.
#[must_use]
pub fn existing() -> Vec<Missing> {
    Api::load().err().map(Missing::from).into_iter().collect()
}

fn common() -> impl Iterator<Item = Missing> {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    (!root).then_some(Missing::Root).into_iter().chain(existing())
}

/// Whether there is such a program.
pub(crate) fn program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// All of it in one sentence, if there is anything.
#[must_use]
pub fn sentence(missing: &[Missing]) -> Option<String> {
    let each: Vec<_> = missing.iter().map(ToString::to_string).collect();
    (!each.is_empty()).then(|| each.join("; "))
}

/// What to do about all of it.
pub(crate) fn remedies(missing: &[Missing]) -> String {
    let mut remedies: Vec<_> = missing.iter().map(Missing::remedy).collect();
    remedies.dedup();
    remedies.join("; ")
}

fn packages(debian: &str, fedora: &str) -> String {
    format!("Debian: apt-get install {debian}; Fedora: dnf install {fedora}")
}

/// What a namespace needs: the program, and the packages that it is in.
const PROGRAMS: [(&str, &str, &str); 9] = [
    ("glusterd", "glusterfs-server", "glusterfs-server"),
    ("gluster", "glusterfs-server", "glusterfs-cli"),
    ("unshare", "util-linux", "util-linux"),
    ("setsid", "util-linux", "util-linux"),
    ("setpriv", "util-linux", "util-linux"),
    ("mount", "mount", "util-linux"),
    ("ip", "iproute2", "iproute"),
    ("ss", "iproute2", "iproute"),
    ("timeout", "coreutils", "coreutils"),
];
