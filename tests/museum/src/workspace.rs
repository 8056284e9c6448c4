//! The sources: where they are, and a copy of them that can be broken.

use crate::{
    bug::{self, Bug, ListError},
    patch::Patched,
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// The workspace that the museum is part of.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Where it is.
    pub root: PathBuf,
}

/// Why the museum cannot begin.
#[derive(Debug, Error)]
pub enum WorkspaceError {
    /// This is no place to run it.
    #[error("there is no {LIST} in {0} or above: run this below the workspace's folder")]
    NotFound(PathBuf),
    /// A file or folder is of no use.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The list of bugs is of no use.
    #[error("{path}: {error}")]
    List {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: ListError,
    },
    /// Two runs would break the same copy.
    #[error("{0} is locked: another run of the museum is going on; wait for its end")]
    Busy(PathBuf),
}

impl Workspace {
    /// The workspace that a folder lies in.
    ///
    /// # Errors
    /// It lies in none.
    pub fn find(from: &Path) -> Result<Self, WorkspaceError> {
        let root = from.ancestors().find(|folder| folder.join(LIST).is_file());
        let root = root.ok_or_else(|| WorkspaceError::NotFound(from.into()))?;
        Ok(Self { root: root.into() })
    }

    /// The bugs, in the order of the list.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn bugs(&self) -> Result<Vec<Bug>, WorkspaceError> {
        let path = self.root.join(LIST);
        let text = read(&path)?;
        bug::parse(&text).map_err(|error| WorkspaceError::List { path, error })
    }

    /// Where the patch of a bug is.
    #[must_use]
    pub fn patch(&self, bug: &Bug) -> PathBuf {
        self.root.join(PATCHES).join(format!("{}.patch", bug.name))
    }

    /// The names of all patches that are there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn patches(&self) -> Result<Vec<String>, WorkspaceError> {
        let folder = self.root.join(PATCHES);
        let mut names = Vec::new();
        for entry in list(&folder)? {
            let name = entry.file_name().into_string().unwrap_or_default();
            names.push(name.strip_suffix(".patch").unwrap_or(&name).to_owned());
        }
        names.sort();
        Ok(names)
    }
}

/// A copy of the sources below `target`, to be patched and built there.
///
/// It stays between runs, with what was built of it: the first thing a run does is to make it equal to
/// the sources again, which touches only files that differ, so that little has to be built anew.
#[derive(Debug)]
pub struct Scratch {
    source: PathBuf,
    /// Where the copy is.
    pub tree: PathBuf,
    /// Where its builds go.
    pub target: PathBuf,
    /// Held as long as this run has the copy to itself.
    _lock: File,
}

impl Scratch {
    /// Makes the copy, or brings it up to date.
    ///
    /// # Errors
    /// Somebody else has it, or something cannot be read or written.
    pub fn new(workspace: &Workspace) -> Result<Self, WorkspaceError> {
        let folder = workspace.root.join("target").join("museum");
        let (tree, target) = (folder.join("tree"), folder.join("target"));
        fs::create_dir_all(&tree).map_err(|error| at(&tree, error))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(|error| at(&path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorkspaceError::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(at(&path, error)),
        }
        let scratch = Self { source: workspace.root.clone(), tree, target, _lock: lock };
        scratch.restore()?;
        Ok(scratch)
    }

    /// Makes the copy equal to the sources.
    ///
    /// # Errors
    /// Something cannot be read or written.
    pub fn restore(&self) -> Result<(), WorkspaceError> {
        mirror(&self.source, &self.tree)
    }

    /// Changes files of the copy.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn change(&self, files: &[Patched]) -> Result<(), WorkspaceError> {
        for file in files {
            let path = self.tree.join(&file.path);
            fs::write(&path, &file.text).map_err(|error| at(&path, error))?;
        }
        Ok(())
    }
}

/// Makes `to` hold what `from` holds, and nothing else. Equal files are left alone.
fn mirror(from: &Path, to: &Path) -> Result<(), WorkspaceError> {
    fs::create_dir_all(to).map_err(|error| at(to, error))?;
    let mut stale: Vec<_> = list(to)?.iter().map(fs::DirEntry::file_name).collect();
    for entry in list(from)? {
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|&left_out| name == left_out) {
            continue;
        }
        stale.retain(|other| *other != name);
        let (source, copy) = (entry.path(), to.join(&name));
        if source.is_dir() {
            mirror(&source, &copy)?;
            continue;
        }
        let bytes = fs::read(&source).map_err(|error| at(&source, error))?;
        if fs::read(&copy).ok().as_ref() != Some(&bytes) {
            fs::write(&copy, bytes).map_err(|error| at(&copy, error))?;
        }
    }
    for name in stale {
        let path = to.join(name);
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.map_err(|error| at(&path, error))?;
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, WorkspaceError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect);
    entries.map_err(|error| at(folder, error))
}

/// Reads a text.
///
/// # Errors
/// It is not there, or no text.
pub fn read(path: &Path) -> Result<String, WorkspaceError> {
    fs::read_to_string(path).map_err(|error| at(path, error))
}

fn at(path: &Path, error: io::Error) -> WorkspaceError {
    WorkspaceError::Io { path: path.into(), error }
}

/// What is no source; and cargo's settings, which hold for whatever lies below the workspace.
const LEFT_OUT: [&str; 7] =
    ["target", ".git", ".cargo", "quorate-failures", "mutants.out", "corpus", "artifacts"];
const LIST: &str = "tests/museum/museum.toml";
const PATCHES: &str = "tests/museum/patches";
