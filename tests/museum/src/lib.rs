//! The bug museum: bugs that two drivers had in the past, and others of their kind, each as a small patch
//! that brings it back to life in this engine, and a runner that shows what catches it.
//!
//! The list is `museum.toml`, the patches are in `patches`. Nothing in the engine knows of them.

#![forbid(unsafe_code)]

pub mod bug;
pub mod patch;
pub mod process;
pub mod quorate;
pub mod table;
pub mod trial;
pub mod workspace;
