//! Options of an array: what is refused, in which words and which order, and what is taken.

use crate::graph::Disk;
use quorate_engine::{
    Errno,
    quorum::options::{ChildSpec, OptionsError, Overlap, QuorumOptions, ReadPattern, Warning},
};
use serde_json::{Map, Value, json};

mod properties;
mod refused;
pub(crate) mod rows;
mod spellings;

use rows::{DELETE, changed};

#[test]
fn endless_nesting_is_refused_and_not_followed() {
    let deep =
        format!("driver=quorum,vote-threshold=1,{}driver=quorum", "children.0.".repeat(9999));
    assert_eq!(refused(QuorumOptions::from_dotted(&deep)), "Must specify either driver or file");
    let deep = format!(
        "driver=quorum,vote-threshold=1,children.0.driver=d,children.0.{}=1",
        "a.".repeat(9999)
    );
    let text = "Definitions are nested more than 32 levels deep";
    assert_eq!(refused(QuorumOptions::from_dotted(&deep)), text);
    let inside = |inner| json!({"driver": "quorum", "vote-threshold": 1, "children": [inner]});
    let levels = |n: usize, innermost| (0..n).fold(innermost, |inner, _| inside(inner));
    assert_eq!(refused(QuorumOptions::from_json(&levels(34, json!("a")))), text);
    assert_eq!(refused(QuorumOptions::from_json(&levels(40, json!(null)))), text);
    assert!(QuorumOptions::from_json(&levels(33, json!("a"))).is_ok());
}

#[test]
fn dotted_text_nests_as_deep_as_json() {
    let text = "Definitions are nested more than 32 levels deep";
    let objects = |n| {
        let path = "a.".repeat(n);
        format!("driver=quorum,vote-threshold=1,children.0.driver=d,children.0.{path}b=1")
    };
    assert!(QuorumOptions::from_dotted(&objects(31)).is_ok());
    assert_eq!(refused(QuorumOptions::from_dotted(&objects(32))), text);
    let arrays = |n: usize, innermost_threshold| {
        let array = |level: usize| {
            let path = "children.0.".repeat(level);
            let threshold = if level + 1 == n { innermost_threshold } else { 1 };
            format!("{path}driver=quorum,{path}vote-threshold={threshold},")
        };
        let all: String = (0..n).map(array).collect();
        format!("{all}{}=a", ["children.0"; 40][..n].join("."))
    };
    assert!(QuorumOptions::from_dotted(&arrays(33, 1)).is_ok());
    assert_eq!(refused(QuorumOptions::from_dotted(&arrays(34, 1))), text);
    assert_eq!(refused(QuorumOptions::from_dotted(&arrays(35, 0))), text, "it is not followed");
}

#[test]
fn definitions_given_to_a_builder_nest_as_deep_as_json() {
    let array = |n: usize| {
        let inside = |inner| json!({"driver": "quorum", "vote-threshold": 1, "children": [inner]});
        let node = (0..n).fold(json!("a"), |inner, _| inside(inner));
        let definition = node.as_object().expect("an array is an object").clone();
        QuorumOptions::builder("q", 1).definition(definition).build()
    };
    assert!(array(32).is_ok());
    assert_eq!(refused(array(33)), "Definitions are nested more than 32 levels deep");
}

#[test]
fn errors_carry_errno_and_class() {
    for (changes, errno) in [
        (json!({"vote-threshold": 0}), Errno::ERANGE),
        (json!({"vote-threshold": 9}), Errno::ERANGE),
        (json!({"children": []}), Errno::EINVAL),
        (
            json!({"vote-threshold": 1, "children": [{
                "driver": "quorum", "children": ["a"], "vote-threshold": 2,
            }]}),
            Errno::EINVAL,
        ),
    ] {
        let error = QuorumOptions::from_json(&changed(&changes)).expect_err("a refused row");
        assert_eq!(error.errno(), errno, "{changes}");
        assert_eq!(error.class(), "GenericError");
    }
}

#[test]
fn numbers_and_flags_are_read_as_strtoull_and_qemu_do() {
    for text in ["1", "0x1", "0X1", "+1", "01", " 1", "\t1", "\x0b\x0c\r\n1", "+0x1"] {
        let options = format!("driver=quorum,children.0=a,children.1=b,vote-threshold={text}");
        let options = QuorumOptions::from_dotted(&options).expect("QEMU takes it");
        assert_eq!(options.vote_threshold(), 1, "{text:?}");
    }
    for (text, on) in [
        ("blkverify=on", true),
        ("blkverify=yes", true),
        ("blkverify=true", true),
        ("blkverify=y", true),
        ("blkverify", true),
        ("noblkverify", false),
        ("blkverify=off", false),
        ("blkverify=no", false),
        ("blkverify=n", false),
        ("blkverify=false", false),
    ] {
        let options = format!("driver=quorum,children.0=a,children.1=b,vote-threshold=2,{text}");
        let options = QuorumOptions::from_dotted(&options).expect("QEMU takes it");
        assert_eq!(options.blkverify(), on, "{text}");
    }
}

#[test]
fn generic_options_that_change_nothing_are_taken() {
    for changes in [
        json!({"discard": "unmap"}),
        json!({"discard": "ignore"}),
        json!({"detect-zeroes": "off"}),
        json!({"auto-read-only": true}),
        json!({"active": true}),
        json!({"cache": {"direct": true}}),
        json!({"cache": {"no-flush": true}}),
        json!({"read-only": true, "force-share": true}),
        json!({"driver": DELETE}),
        json!({"node-name": DELETE}),
        json!({"overlap": "qemu"}),
        json!({"node-name": "a".repeat(31)}),
        json!({"node-name": "a_b-c.d"}),
    ] {
        assert!(QuorumOptions::from_json(&changed(&changes)).is_ok(), "{changes}");
    }
}

#[test]
fn dotted_discards_have_two_names_each() {
    let three = "driver=quorum,vote-threshold=2,children.0=a,children.1=b,children.2=c";
    for (discard, unmaps) in [("off", false), ("ignore", false), ("on", true), ("unmap", true)] {
        let options = format!("{three},discard={discard}");
        assert!(QuorumOptions::from_dotted(&options).is_ok(), "{options}");
        let text = refused(QuorumOptions::from_dotted(&format!("{options},detect-zeroes=unmap")));
        let not_here = "detect-zeroes is not supported on a quorum";
        assert_eq!(text.starts_with(not_here), unmaps, "{options}: {text}");
    }
}

#[test]
fn dotted_children_become_references_and_definitions() {
    let options = QuorumOptions::from_dotted(
        "driver=quorum,vote-threshold=0x2,children.1=b,children.0.driver=file,\
         children.0.filename=a,,b.img,children.0.server.0.host=h0,children.0.server.1.host=h1,\
         children.2.driver=quorum,children.2.vote-threshold=01,children.2.children.0=c,\
         children.2.children.1.driver=null-co,children.2.read-pattern=fifo,cache.direct=on",
    );
    let expected = json!({
        "driver": "quorum", "blkverify": false, "vote-threshold": 2, "rewrite-corrupted": false,
        "read-pattern": "quorum", "cache": {"direct": true},
        "children": [
            {
                "driver": "file", "filename": "a,b.img", "cache": {"direct": true},
                "server": [{"host": "h0"}, {"host": "h1"}],
            },
            "b",
            {
                "driver": "quorum", "blkverify": false, "vote-threshold": 1,
                "rewrite-corrupted": false, "read-pattern": "fifo", "cache": {"direct": true},
                "children": ["c", {"driver": "null-co"}],
            },
        ],
    });
    assert_eq!(options.expect("QEMU's own form").to_json(), expected);
}

#[test]
fn definitions_inherit_and_keep_what_they_say() {
    let options = QuorumOptions::from_json(&changed(&json!({
        "read-only": true,
        "children": ["a", {"driver": "x"}, {"driver": "y", "read-only": false}],
    })));
    let options = options.expect("all of it is taken");
    assert!(options.read_only());
    let children: Vec<Value> = options.children().iter().map(ChildSpec::to_json).collect();
    assert_eq!(children[0], "a");
    assert_eq!(children[1], json!({"driver": "x", "read-only": true}));
    assert_eq!(children[2], json!({"driver": "y", "read-only": false}));
}

#[test]
fn builder_says_what_json_says() {
    let built = QuorumOptions::builder("q", 2)
        .child("a", Disk::zeroed(512))
        .node("b")
        .definition(json!({"driver": "x"}).as_object().expect("an object").clone())
        .read_pattern(ReadPattern::Quorum)
        .rewrite_corrupted(true)
        .overlap(Overlap::Qemu)
        .build()
        .expect("nothing is wrong with it");
    assert!(built.rewrite_corrupted());
    assert_eq!(built.node_name().as_str(), "q");
    let again = QuorumOptions::from_json(&built.to_json()).expect("it was valid before");
    assert_eq!(again.to_json(), built.to_json());
    assert_eq!(again.overlap(), Overlap::Qemu);

    let refused = QuorumOptions::builder("q", 2).node("a").node("a").build();
    assert_eq!(refused.expect_err("two votes"), OptionsError::SameNode("a".into()));
    let refused = QuorumOptions::builder("q", 1).definition(Map::new()).build();
    assert_eq!(self::refused(refused), "Parameter 'children[0].driver' is missing");
    let refused = QuorumOptions::builder("", 1).node("a").build();
    assert_eq!(self::refused(refused), "Invalid node-name: ''");
}

#[test]
fn children_are_shown_as_what_they_are() {
    let options = QuorumOptions::builder("q", 2)
        .child("a", Disk::zeroed(512))
        .node("b")
        .definition(json!({"driver": "x"}).as_object().expect("an object").clone())
        .build()
        .expect("nothing is wrong with it");
    let shown = format!("{:?}", options.children());
    assert_eq!(shown, r#"[Device(a), Node(b), Inline({"driver": String("x")})]"#);
}

#[test]
fn arrays_that_cannot_be_safe_are_warned_of() {
    let tie = |threshold, children| vec![Warning::Tie { threshold, children }];
    for (changes, warnings) in [
        (json!({}), vec![]),
        (json!({"vote-threshold": 1}), tie(1, 3)),
        (json!({"children": ["a", "b", "c", "d"]}), tie(2, 4)),
        (json!({"children": ["a"], "vote-threshold": 1}), vec![]),
        (json!({"read-pattern": "fifo"}), vec![Warning::FifoWrites]),
        (json!({"read-pattern": "fifo", "vote-threshold": 1}), vec![Warning::FifoWrites]),
        (json!({"read-pattern": "fifo", "read-only": true}), vec![]),
        (json!({"read-pattern": "fifo", "children": ["a"], "vote-threshold": 1}), vec![]),
    ] {
        let options = QuorumOptions::from_json(&changed(&changes)).expect("they are allowed");
        assert_eq!(options.warnings(), warnings, "{changes}");
    }
}

#[test]
fn a_warning_says_what_may_happen() {
    let tie = Warning::Tie { threshold: 2, children: 4 }.to_string();
    assert_eq!(
        tie,
        "vote-threshold 2 of 4 children is not a majority: two versions can both reach it, so a \
         stale or corrupt minority can win a vote"
    );
    let fifo = Warning::FifoWrites.to_string();
    assert_eq!(
        fifo,
        "read-pattern fifo with writes: a read returns what the first child that answers holds, \
         whatever the others hold, even where a write to that child failed"
    );
}

#[test]
fn a_fifo_array_has_a_threshold_too() {
    for (threshold, errno) in [(0, Some(Errno::ERANGE)), (3, None), (4, Some(Errno::ERANGE))] {
        let changes = json!({"read-pattern": "fifo", "vote-threshold": threshold});
        let refused = QuorumOptions::from_json(&changed(&changes)).err();
        assert_eq!(refused.map(|error| error.errno()), errno, "{threshold} of 3");
    }
}

#[track_caller]
fn check_json(changes: &Value, text: &str) {
    assert_eq!(refused(QuorumOptions::from_json(&changed(changes))), text, "{changes}");
}

#[track_caller]
fn refused(result: Result<QuorumOptions, OptionsError>) -> String {
    result.map(|options| options.to_json()).expect_err("this is refused").to_string()
}
