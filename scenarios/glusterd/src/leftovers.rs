//! What is left of processes that are gone, if somebody has ended their lifelines, too.

use crate::{
    container::{LABEL, Tool},
    owned,
};
use std::{env, fmt, fs, io, path::PathBuf};

/// Something that nobody needs any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A container.
    Container {
        /// podman or docker.
        tool: &'static str,
        /// Its name.
        name: String,
    },
    /// A directory with bricks.
    Directory(PathBuf),
}

/// All there is on this machine.
#[must_use]
pub fn leftovers() -> Vec<Leftover> {
    let mut found = Vec::new();
    let label = format!("label={LABEL}");
    for tool in [Tool::Podman, Tool::Docker] {
        // Where the tool does not answer it has nothing of ours.
        let names = tool.say(&["ps", "--all", "--filter", &label, "--format", "{{.Names}}"]);
        let names = names.unwrap_or_default();
        found.extend(
            names
                .lines()
                .filter(|name| owned::orphaned(name))
                .map(|name| Leftover::Container { tool: tool.name(), name: name.into() }),
        );
    }
    let directories = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
    let mut directories: Vec<_> = directories
        .filter(|entry| entry.file_name().to_str().is_some_and(owned::orphaned))
        .map(|entry| Leftover::Directory(entry.path()))
        .collect();
    directories.sort_by_key(ToString::to_string);
    found.append(&mut directories);
    found
}

impl Leftover {
    /// Removes it.
    ///
    /// # Errors
    /// That is refused.
    pub fn remove(&self) -> io::Result<()> {
        match self {
            Self::Container { tool, name } => {
                let tool = if *tool == Tool::Podman.name() { Tool::Podman } else { Tool::Docker };
                // One that does not run cannot be killed.
                let _ = tool.say(&["kill", name]);
                tool.say(&["rm", "--force", "--volumes", name]).map(drop).map_err(io::Error::other)
            }
            Self::Directory(path) => fs::remove_dir_all(path),
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { tool, name } => write!(f, "{tool} container {name}"),
            Self::Directory(path) => write!(f, "directory {}", path.display()),
        }
    }
}
