//! Texts as options of an array, in JSON and in QEMU's dotted form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_laws::options;

fuzz_target!(|text: &str| {
    options::json(text);
    options::dotted(text);
});
