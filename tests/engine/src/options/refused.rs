//! What is refused, in which words.
//!
//! Texts and order are those of `qemu-storage-daemon` (JSON) and of `qemu-io --image-opts`
//! (dotted), both 10.0.2, but for what QEMU lets pass; `tests/qemu` asks it again.

use super::{
    check_json, refused,
    rows::{all_wrong_from, joined, refused_dotted, refused_here_only, refused_json},
};
use quorate_engine::quorum::options::QuorumOptions;

#[test]
fn json_is_refused_in_the_words_of_qmp() {
    for (changes, text) in refused_json() {
        check_json(&changes, text);
    }
}

#[test]
fn json_types_are_checked_in_the_order_of_the_schema() {
    for (option, node) in all_wrong_from() {
        let text = refused(QuorumOptions::from_json(&node));
        assert!(text.contains(&format!("'{option}'")), "{text} comes before {option}");
    }
}

#[test]
fn dotted_text_is_refused_in_the_words_of_qemu_io() {
    for (start, rest, text) in refused_dotted() {
        let options = joined(start, rest);
        assert_eq!(refused(QuorumOptions::from_dotted(&options)), text, "{options}");
    }
}

#[test]
fn what_qemu_lets_pass_is_refused_last() {
    for (changes, text) in refused_here_only() {
        check_json(&changes, text);
    }
    let mixed =
        "driver=quorum,vote-threshold=1,children.0.driver=d,children.0.a=1,children.0.a.b=1";
    let text = refused(QuorumOptions::from_dotted(mixed));
    assert_eq!(text, "Cannot mix scalar and non-scalar keys: 'a'");
}
