//! Votes on answers out of raw bytes, against the specification.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use quorate_laws::vote;

fuzz_target!(|bytes: &[u8]| {
    let (replies, threshold) =
        vote::replies(&mut Unstructured::new(bytes)).expect("bytes that are not there are zeroes");
    vote::right(&replies, threshold);
});
