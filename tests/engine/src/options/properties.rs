//! What holds for options of any kind.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use quorate_engine::quorum::options::QuorumOptions;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn options_survive_json(node in nodes()) {
        let options = QuorumOptions::from_json(&node).expect("the strategy makes valid arrays");
        let json = options.to_json();
        let again = QuorumOptions::from_json(&json).expect("it was valid before");
        assert_eq!(again.to_json(), json);
        assert_eq!(again.children().len(), options.children().len());
    }

    #[test]
    fn no_text_panics(text in prop_oneof!["\\PC{0,60}", dotted()]) {
        if let Ok(options) = QuorumOptions::from_dotted(&text) {
            let json = options.to_json();
            let again = QuorumOptions::from_json(&json).expect("dotted options are valid as JSON");
            assert_eq!(again.to_json(), json);
        }
    }

    #[test]
    fn no_json_panics(value in values()) {
        if let Ok(options) = QuorumOptions::from_json(&value) {
            assert!((1..=options.children().len()).contains(&options.vote_threshold()));
        }
    }
}

/// Valid arrays, some of them in each other.
fn nodes() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just("").prop_map(|_| json!({"driver": "null-co", "size": 512})),
        "[a-z]{1,8}".prop_map(Value::String),
    ];
    let array = |child: prop::strategy::BoxedStrategy<Value>| {
        (prop::collection::vec(child, 1..5), any::<usize>(), any::<[bool; 4]>()).prop_map(
            |(mut children, threshold, [fifo, rewrite, read_only, qemu])| {
                // A second mention of a node would be a second vote.
                for at in (0..children.len()).rev() {
                    if children[at].is_string() && children[..at].contains(&children[at]) {
                        children[at] = json!({"driver": "null-co"});
                    }
                }
                json!({
                    "driver": "quorum", "vote-threshold": threshold % children.len() + 1,
                    "children": children, "read-only": read_only,
                    "read-pattern": if fifo { "fifo" } else { "quorum" },
                    "rewrite-corrupted": rewrite && !fifo,
                    "overlap": if qemu { "qemu" } else { "serialise" },
                })
            },
        )
    };
    let child = leaf.prop_recursive(3, 12, 4, move |inner| array(inner.boxed()));
    array(child.boxed())
}

/// Texts that are nearly options.
fn dotted() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("driver"),
        Just("vote-threshold"),
        Just("children.0"),
        Just("children.1"),
        Just("children.0.driver"),
        Just("children.0.vote-threshold"),
        Just("children.0.children.0"),
        Just("children.0.a.0"),
        Just("children.0.a.1.b"),
        Just("read-pattern"),
        Just("blkverify"),
        Just("read-only"),
        Just("node-name"),
        Just("cache.direct"),
        Just(""),
        Just("."),
        Just(".."),
    ];
    let value = prop_oneof![
        Just("quorum"),
        Just("1"),
        Just("2"),
        Just("on"),
        Just("fifo"),
        Just("x"),
        Just(",,"),
        Just("0x"),
        Just("-"),
        Just("é"),
        Just("="),
        Just("0é"),
    ];
    let entry = (key, value).prop_map(|(key, value)| format!("{key}={value}"));
    prop::collection::vec(entry, 0..8).prop_map(|entries| {
        format!("driver=quorum,vote-threshold=1,children.0=a,{}", entries.join(","))
    })
}

/// JSON of any shape, with an array's names in it.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "quorum|fifo|a|b|\\PC{0,4}".prop_map(Value::from),
    ];
    let name = "driver|node-name|children|vote-threshold|blkverify|read-pattern|cache|\\PC{0,3}";
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
