//! Fault rules for the children of an array, and the decorator that applies them.
//!
//! Rules are data. What they decide is drawn by key, not from a stream, so that no rule and no
//! operation shifts what befalls another. The crate knows neither a clock nor a scheduler: whoever
//! runs the array is a [`host::Host`] and says what time it is and when an operation completes.
//!
//! - [`rule`], [`fault`], [`text`]: what a file says,
//! - [`draw`]: keyed randomness,
//! - [`inject`]: which rules fire on an operation,
//! - [`alteration`]: what a firing changes, concretely,
//! - [`budget`]: how much may go wrong,
//! - [`strike`]: faults that no operation sets off,
//! - [`host`], [`device`]: the seam to the runner, and the faulty child.

#![forbid(unsafe_code)]

pub mod alteration;
pub mod budget;
pub mod check;
mod crash;
pub mod device;
pub mod draw;
mod effect;
pub mod fault;
mod fire;
pub mod host;
pub mod inject;
mod matching;
mod medium;
mod operation;
pub mod rule;
mod seen;
pub mod strike;
pub mod text;
