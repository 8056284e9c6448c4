//! What is known to differ between the engine and the real QEMU, and why.

/// What is known to differ. A case that meets it is compared as far as it goes, and counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// A verifier that finds a difference.
    EndsAtMismatch,
}

impl Known {
    /// Why it differs.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::EndsAtMismatch => {
                "QEMU ends its process where blkverify finds a difference, and the engine answers EIO"
            }
        }
    }
}
