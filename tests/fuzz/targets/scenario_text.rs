//! Texts as scenario files: read, written, read again, and run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_laws::text;

fuzz_target!(|text: &str| {
    if let Some(scenario) = text::load(text) {
        text::runs(&scenario);
    }
});
