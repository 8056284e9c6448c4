//! What holds of every vote, every option text and every scenario, as functions that panic where it does
//! not; and scenarios out of raw bytes.
//!
//! The property tests draw their cases by proptest, the fuzz targets by coverage. Both put them to these
//! functions.

#![forbid(unsafe_code)]

pub mod draw;
pub mod options;
pub mod run;
pub mod text;
pub mod vote;
