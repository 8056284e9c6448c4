//! Patches: unified diffs against the sources of the engine and of libgfapi's wrapper.

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use std::{io, path::Path};
use thiserror::Error;

/// Why a patch does not apply.
#[derive(Debug, Error)]
pub enum PatchError {
    /// It is no unified diff.
    #[error("it is no unified diff: {0}")]
    Malformed(String),
    /// It does more than change a file of the engine.
    #[error("it touches {0}: a bug of the museum changes files of {ENGINE:?}, or {EVENTS}")]
    Elsewhere(String),
    /// A file that it changes cannot be read.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The file is no longer what it was.
    #[error(
        "it no longer applies to {path} ({error}): make the same change to the file as it is now, and \
         save `git diff` of it as the patch"
    )]
    Outdated {
        /// Which file.
        path: String,
        /// What does not fit.
        error: String,
    },
}

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The file, from the root of the workspace.
    pub path: String,
    /// What it holds then.
    pub text: String,
}

/// Applies a patch to the workspace at `root`. Nothing is written.
///
/// # Errors
/// The patch is malformed, is about something else than the engine, or does not fit any more.
pub fn apply(patch: &str, root: &Path) -> Result<Vec<Patched>, PatchError> {
    let malformed = |error: &dyn ToString| PatchError::Malformed(error.to_string());
    let mut changed = Vec::new();
    for file in PatchSet::parse(patch, ParseOptions::unidiff()) {
        let file = file.map_err(|error| malformed(&error))?;
        let FileOperation::Modify { original, .. } = file.operation().strip_prefix(1) else {
            return Err(malformed(&"a file is created, deleted or renamed"));
        };
        let path = original.into_owned();
        if !ENGINE.iter().any(|folder| path.starts_with(folder)) && path != EVENTS {
            return Err(PatchError::Elsewhere(path));
        }
        let text = match std::fs::read_to_string(root.join(&path)) {
            Ok(text) => text,
            Err(error) => return Err(PatchError::Unreadable { path, error }),
        };
        let hunks = file.patch().as_text().ok_or_else(|| malformed(&"it is binary"))?;
        let text = match diffy::apply(&text, hunks) {
            Ok(text) => text,
            Err(error) => return Err(PatchError::Outdated { path, error: error.to_string() }),
        };
        changed.push(Patched { path, text });
    }
    Ok(changed)
}

/// The engine, and libgfapi's wrapper below it.
const ENGINE: [&str; 2] = ["engine/src/", "engine/gfapi/src/"];
/// What gives the engine's events the form in which they leave the process.
const EVENTS: &str = "reports/src/qapi.rs";
