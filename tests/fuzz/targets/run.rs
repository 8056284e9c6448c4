//! Scenarios out of raw bytes: written, read, run and judged.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::{Corpus, fuzz_target};
use quorate_laws::{draw, run};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let scenario = draw::scenario(&mut Unstructured::new(bytes))
        .expect("bytes that are not there are zeroes");
    match run::held(&scenario) {
        run::Held::Refused => Corpus::Reject,
        run::Held::Yes | run::Held::Stalled | run::Held::Unjudged => Corpus::Keep,
    }
});
