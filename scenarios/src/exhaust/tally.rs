//! Counts cases and hashes what happened in them.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// How many cases there were, and a hash of all that happened in them; and what else is kept.
#[derive(Default)]
pub(super) struct Tally<T> {
    pub(super) cases: u64,
    pub(super) of: T,
    hash: Sha256,
    text: String,
}

impl<T> Tally<T> {
    /// Counts a case; what happened in it is written behind the others, with an empty line between them.
    pub(super) fn case(&mut self, write: impl FnOnce(&mut String)) {
        self.cases += 1;
        write(&mut self.text);
        self.text.push('\n');
        if self.text.len() > TEXT_MAX {
            self.hash.update(&self.text);
            self.text.clear();
        }
    }

    /// The cases, the hash, and what else was kept.
    pub(super) fn finish(mut self) -> (u64, Hash, T) {
        self.hash.update(&self.text);
        (self.cases, self.hash.finalize().into(), self.of)
    }
}

/// How much text is hashed at once.
const TEXT_MAX: usize = 1 << 16;
