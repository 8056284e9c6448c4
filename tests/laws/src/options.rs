//! What holds of the text of options.

use quorate_engine::quorum::options::QuorumOptions;
use serde_json::Value;

/// Takes a text for QEMU's dotted form. Asserts that whatever is accepted is the same in JSON.
///
/// # Panics
/// If it is not.
pub fn dotted(text: &str) {
    checked(QuorumOptions::from_dotted(text));
}

/// Takes a text for JSON, as QMP sends it. Asserts that whatever is accepted is the same once more.
///
/// # Panics
/// If it is not.
pub fn json(text: &str) {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        checked(QuorumOptions::from_json(&value));
    }
}

fn checked<E: std::fmt::Display>(options: Result<QuorumOptions, E>) {
    match options {
        Ok(options) => {
            assert!((1..=options.children().len()).contains(&options.vote_threshold()));
            let json = options.to_json();
            let again = QuorumOptions::from_json(&json)
                .unwrap_or_else(|error| panic!("{json} is refused: {error}"));
            assert_eq!(again.to_json(), json);
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error has words"),
    }
}
