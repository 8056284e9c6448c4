//! The engine beside the real QEMU: the same scenario on both, compared.

mod known;

pub use known::Known;

/// What comparing one case came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many requests were compared.
    pub operations: u64,
    /// What is known to differ, and was met.
    pub known: Vec<Known>,
    /// What else differs, if anything does.
    pub difference: Option<String>,
}
