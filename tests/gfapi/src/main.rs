//! The wrapper of libgfapi, over a library of the tests' own.
//!
//! `fake` answers when and where a test says. Run under AddressSanitizer these tests also show that no
//! answer meets memory that was freed, and that nothing is left behind; `.ci/run` has the command.

#![expect(unsafe_code, reason = "a library in C, played by Rust")]
#![deny(unsafe_op_in_unsafe_fn)]

mod abi;
mod answers;
mod closing;
mod connecting;
mod drops;
mod fake;
mod order;
mod places;
mod require;
