//! What is refused, as rows: for the engine's own tests, and for those that put them to the real QEMU.

use serde_json::{Map, Value, json};

/// See [`refused_changes`].
pub(crate) type Change = (&'static str, Option<&'static str>, Option<&'static str>, &'static str);

/// Changes of an array of three, and the words in which `qemu-storage-daemon` 10.0.2 refuses it over QMP.
pub(crate) fn refused_json() -> Vec<(Value, &'static str)> {
    let not_integer = "Invalid parameter type for 'vote-threshold', expected: integer";
    let too_low = "Parameter 'vote-threshold' expects a value >= 1";
    let too_high = "threshold may not exceed children count";
    let alone =
        "blkverify=on can only be set if there are exactly two files and vote-threshold is 2";
    let not_a_child = "Invalid parameter type for 'null', expected: BlockdevRef";
    vec![
        (json!({"children": []}), "Number of provided children must be 1 or more"),
        (
            json!({"children": [], "vote-threshold": 0, "blkverify": true}),
            "Number of provided children must be 1 or more",
        ),
        (json!({"children": DELETE}), "Parameter 'children' is missing"),
        (json!({"children": "a"}), "Invalid parameter type for 'children', expected: array"),
        (json!({"children": {"0": "a"}}), "Invalid parameter type for 'children', expected: array"),
        (json!({"children": [null]}), not_a_child),
        (json!({"children": ["a", 1.5]}), not_a_child),
        (json!({"children": [[]]}), not_a_child),
        (json!({"children": [{}]}), "Parameter 'children[0].driver' is missing"),
        (
            json!({"children": ["a", {"driver": 1}]}),
            "Invalid parameter type for 'children[1].driver', expected: string",
        ),
        (json!({"vote-threshold": DELETE}), "Parameter 'vote-threshold' is missing"),
        (json!({"vote-threshold": "2"}), not_integer),
        (json!({"vote-threshold": 1.5}), not_integer),
        (json!({"vote-threshold": 2.0}), not_integer),
        (json!({"vote-threshold": null}), not_integer),
        (json!({"vote-threshold": 1_u64 << 63}), not_integer),
        (json!({"vote-threshold": 1e20}), not_integer),
        (json!({"vote-threshold": 0}), too_low),
        (json!({"vote-threshold": -1}), too_low),
        (json!({"vote-threshold": i64::MIN}), too_low),
        (json!({"vote-threshold": 1_u64 << 31}), too_low),
        (json!({"vote-threshold": 1_u64 << 32}), too_low),
        (json!({"vote-threshold": 4}), too_high),
        (json!({"vote-threshold": (1_u64 << 32) + 4}), too_high),
        (json!({"blkverify": true}), alone),
        (json!({"children": ["a", "b"], "vote-threshold": 1, "blkverify": true}), alone),
        (json!({"blkverify": true, "rewrite-corrupted": true}), alone),
        (
            json!({"children": ["a", "b"], "blkverify": true, "rewrite-corrupted": true}),
            "rewrite-corrupted=on cannot be used with blkverify=on",
        ),
        (json!({"blkverify": "on"}), "Invalid parameter type for 'blkverify', expected: boolean"),
        (
            json!({"rewrite-corrupted": 1}),
            "Invalid parameter type for 'rewrite-corrupted', expected: boolean",
        ),
        (
            json!({"read-pattern": "bogus"}),
            "Parameter 'read-pattern' does not accept value 'bogus'",
        ),
        (
            json!({"read-pattern": null}),
            "Invalid parameter type for 'read-pattern', expected: string",
        ),
        (json!({"foo": 1}), "Parameter 'foo' is unexpected"),
        (json!({"children.0": "a"}), "Parameter 'children.0' is unexpected"),
        (json!({"cache.direct": true}), "Parameter 'cache.direct' is unexpected"),
        (json!({"cache": {"foo": 1}}), "Parameter 'cache.foo' is unexpected"),
        (
            json!({"cache": {"direct": "on"}}),
            "Invalid parameter type for 'cache.direct', expected: boolean",
        ),
        (json!({"driver": 1}), "Invalid parameter type for 'driver', expected: string"),
        (json!({"driver": "qourum"}), "Parameter 'driver' does not accept value 'qourum'"),
        (json!({"node-name": ""}), "Invalid node-name: ''"),
        (json!({"node-name": "1q"}), "Invalid node-name: '1q'"),
        (json!({"node-name": "#block1"}), "Invalid node-name: '#block1'"),
        (json!({"node-name": "a".repeat(32)}), "Node name too long"),
        (json!({"node-name": "1q", "vote-threshold": 0}), "Invalid node-name: '1q'"),
        (json!({"force-share": true}), "force-share=on can only be used with read-only images"),
        (
            json!({"force-share": true, "node-name": "1q"}),
            "force-share=on can only be used with read-only images",
        ),
        (json!({"discard": "on"}), "Parameter 'discard' does not accept value 'on'"),
        (json!({"detect-zeroes": "zz"}), "Parameter 'detect-zeroes' does not accept value 'zz'"),
        (
            json!({"detect-zeroes": "unmap", "vote-threshold": 0}),
            "setting detect-zeroes to unmap is not allowed without setting discard operation to \
             unmap",
        ),
        (
            json!({"children": ["a", {
                "driver": "quorum", "children": ["b"], "vote-threshold": 5,
            }]}),
            too_high,
        ),
        // Of a node inside another one discards pass, unless it says otherwise.
        (
            json!({"children": ["a", {
                "driver": "quorum", "children": ["b"], "vote-threshold": 5, "detect-zeroes": "unmap",
            }]}),
            too_high,
        ),
        (
            json!({"children": ["a", {
                "driver": "quorum", "children": ["b"], "vote-threshold": 5, "detect-zeroes": "unmap",
                "discard": "ignore",
            }]}),
            "setting detect-zeroes to unmap is not allowed without setting discard operation to \
             unmap",
        ),
        (
            json!({"vote-threshold": 0, "children": [{
                "driver": "quorum", "children": [], "vote-threshold": "x",
            }]}),
            "Invalid parameter type for 'children[0].vote-threshold', expected: integer",
        ),
        (
            json!({"children": ["a", {"driver": "quorum", "children": [{"driver": "quorum"}]}]}),
            "Parameter 'children[1].children[0].children' is missing",
        ),
    ]
}

/// Changes of an array of three that QEMU takes or has other words for, and the words in which the engine
/// refuses them after all else.
pub(crate) fn refused_here_only() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"vote-threshold": (1_u64 << 32) + 2}), "threshold may not exceed children count"),
        (
            json!({"vote-threshold": -4_294_967_294_i64}),
            "Parameter 'vote-threshold' expects a value >= 1",
        ),
        (
            json!({"read-pattern": "fifo", "blkverify": true, "rewrite-corrupted": true}),
            "blkverify=on cannot be used with read-pattern=fifo, which compares nothing",
        ),
        (
            json!({"read-pattern": "fifo", "rewrite-corrupted": true}),
            "rewrite-corrupted=on cannot be used with read-pattern=fifo, which never votes",
        ),
        (
            json!({"children": ["a", "b", "a"]}),
            "Node 'a' cannot be two children of one quorum: it would have two votes",
        ),
        (
            json!({"children": ["a", "a"], "vote-threshold": 3}),
            "threshold may not exceed children count",
        ),
        (json!({"overlap": "zz"}), "Parameter 'overlap' does not accept value 'zz'"),
        (
            json!({"detect-zeroes": "on"}),
            "detect-zeroes is not supported on a quorum: leave it off here and set it on the \
             children",
        ),
        (
            json!({"active": false}),
            "active=off is not supported on a quorum: an open array is active",
        ),
    ]
}

/// Arrays in which every option is wrong from one on, in the order of the schema, and which one that is.
pub(crate) fn all_wrong_from() -> Vec<(&'static str, Value)> {
    let wrong = [
        ("node-name", json!(1)),
        ("discard", json!("zz")),
        ("cache", json!(1)),
        ("active", json!(1)),
        ("read-only", json!(1)),
        ("auto-read-only", json!(1)),
        ("force-share", json!(1)),
        ("detect-zeroes", json!("zz")),
        ("blkverify", json!(1)),
        ("children", json!(1)),
        ("vote-threshold", json!("1")),
        ("rewrite-corrupted", json!(1)),
        ("read-pattern", json!("zz")),
        ("zzz", json!(1)),
    ];
    let from = |first: usize| {
        let mut object = array();
        // The schema's order counts, and not that of the object.
        object.extend(
            wrong[first..].iter().rev().map(|(name, value)| ((*name).into(), value.clone())),
        );
        (wrong[first].0, object.into())
    };
    (0..wrong.len()).map(from).collect()
}

/// The start and the rest of options, and the words in which `qemu-io --image-opts` 10.0.2 refuses them.
pub(crate) fn refused_dotted() -> Vec<(&'static str, &'static str, &'static str)> {
    let number = "Parameter 'vote-threshold' expects a number";
    let too_low = "Parameter 'vote-threshold' expects a value >= 1";
    let no_children = "Number of provided children must be 1 or more";
    let not_an_array = "Option children is not a valid array";
    let two = "driver=quorum,children.0=a,children.1=b";
    vec![
        ("", "", "Must specify either driver or file"),
        ("", "vote-threshold=1,children.0=a", "Must specify either driver or file"),
        ("", "quorum:foo", "Must specify either driver or file"),
        ("", "driver=quorum,,x", "Unknown driver 'quorum,x'"),
        ("", "driver=", "Unknown driver ''"),
        ("", "driver=quorum", no_children),
        ("", "driver=quorum,vote-threshold=abc", no_children),
        ("", "driver=quorum,children=foo", no_children),
        ("", "driver=quorum,children.00=a", not_an_array),
        ("", "driver=quorum,children.1=a,vote-threshold=abc", not_an_array),
        ("", "driver=quorum,children.0=a,children.2=b", not_an_array),
        ("", "driver=quorum,children.0=a,children.x=1", not_an_array),
        ("", "driver=quorum,children.0=a,children.=1", not_an_array),
        ("", "driver=quorum,children.0=a,children.0.driver=b", not_an_array),
        (two, "", too_low),
        (two, "vote-threshold=0", too_low),
        (two, "vote-threshold=-1", too_low),
        (two, "vote-threshold=2147483648", too_low),
        (two, "vote-threshold=18446744073709551615", too_low),
        (two, "vote-threshold=-9223372036854775809", too_low),
        (two, "vote-threshold", number),
        (two, "vote-threshold=", number),
        (two, "vote-threshold=abc", number),
        (two, "vote-threshold=1k", number),
        (two, "vote-threshold=1.5", number),
        (two, "vote-threshold=1 ", number),
        (two, "vote-threshold=08", number),
        (two, "vote-threshold=0x", number),
        (two, "vote-threshold=0x-1", number),
        (two, "vote-threshold=++1", number),
        (two, "vote-threshold=18446744073709551616z", number),
        (
            two,
            "vote-threshold=99999999999999999999",
            "Value '99999999999999999999' is too large for parameter 'vote-threshold'",
        ),
        (two, "vote-threshold=3", "threshold may not exceed children count"),
        (two, "vote-threshold=1,vote-threshold=9", "threshold may not exceed children count"),
        (
            two,
            "vote-threshold=1,blkverify=on,rewrite-corrupted=on,foo=1",
            "blkverify=on can only be set if there are exactly two files and vote-threshold is 2",
        ),
        (
            two,
            "vote-threshold=2,blkverify=on,rewrite-corrupted=on",
            "rewrite-corrupted=on cannot be used with blkverify=on",
        ),
        (two, "vote-threshold=2,blkverify=maybe", "Parameter 'blkverify' expects 'on' or 'off'"),
        (two, "vote-threshold=2,blkverify=1", "Parameter 'blkverify' expects 'on' or 'off'"),
        (two, "vote-threshold=2,blkverify=On", "Parameter 'blkverify' expects 'on' or 'off'"),
        (
            two,
            "vote-threshold=abc,rewrite-corrupted=zz,blkverify=zz",
            "Parameter 'blkverify' expects 'on' or 'off'",
        ),
        (
            two,
            "vote-threshold=abc,rewrite-corrupted=zz",
            "Parameter 'rewrite-corrupted' expects 'on' or 'off'",
        ),
        (two, "vote-threshold=0,read-pattern=zz", too_low),
        (
            two,
            "vote-threshold=2,read-pattern=zz,blkverify=on,rewrite-corrupted=on",
            "Please set read-pattern as fifo or quorum",
        ),
        (two, "vote-threshold=2,foo=1", "Block format 'quorum' does not support the option 'foo'"),
        (two, "vote-threshold=0,foo=1", too_low),
        (two, "vote-threshold=1,=1", "Block format 'quorum' does not support the option ''"),
        (two, "discard=zz,vote-threshold=0", "Invalid discard option"),
        (two, "node-name=1,discard=zz", "Invalid discard option"),
        (two, "node-name=1,vote-threshold=0", "Invalid node-name: '1'"),
        (two, "detect-zeroes=zz,vote-threshold=0", "invalid parameter value: zz"),
        (two, "force-share=on,discard=zz", "force-share=on can only be used with read-only images"),
        (
            two,
            "force-share=zz,cache.direct=zz,read-only=zz,auto-read-only=zz",
            "Parameter 'auto-read-only' expects 'on' or 'off'",
        ),
        (two, "read-only=zz,node-name=1", "Parameter 'read-only' expects 'on' or 'off'"),
        (two, "vote-threshold=1,children.2.size=3", "Must specify either driver or file"),
        (
            two,
            "vote-threshold=1,children.2.driver=quorum,children.2.vote-threshold=0,\
             children.2.children.0=c",
            too_low,
        ),
        (
            two,
            "vote-threshold=1,children.2.driver=quorum,children.2.vote-threshold=1,\
             children.2.children.0.driver=null-co,children.2.foo=1",
            "Block format 'quorum' does not support the option 'foo'",
        ),
    ]
}

/// A change of children: the parent, the child to remove, the node to add, and the words in which
/// `x-blockdev-change` refuses it where
///
/// - `q` is an array over `c0`, `c1` and one defined inside it, with threshold 2,
/// - `b` is one that verifies two children of its own,
/// - `c3` and `c4` are nodes that nobody uses.
pub(crate) fn refused_changes() -> Vec<Change> {
    vec![
        ("zz", None, None, "Cannot find device='zz' nor node-name='zz'"),
        ("zz", Some("children.0"), Some("c3"), "Cannot find device='zz' nor node-name='zz'"),
        ("q", None, None, "Either child or node must be specified"),
        ("c3", None, None, "Either child or node must be specified"),
        ("q", Some("zz"), Some("zz"), "The parameters child and node are in conflict"),
        ("q", Some("zz"), None, "Node 'q' does not have child 'zz'"),
        ("q", Some("c0"), None, "Node 'q' does not have child 'c0'"),
        ("c3", Some("children.0"), None, "Node 'c3' does not have child 'children.0'"),
        ("q", None, Some("zz"), "Node 'zz' not found"),
        ("c3", None, Some("zz"), "Node 'zz' not found"),
        ("c3", None, Some("c4"), "The node c3 does not support adding a child"),
        ("c3", None, Some("c0"), "The node c3 does not support adding a child"),
        ("q", None, Some("c1"), "The node c1 already has a parent"),
        ("q", None, Some("q"), "Making 'q' a children.3 child of 'q' would create a cycle"),
        ("b", None, Some("c1"), "The node c1 already has a parent"),
        ("b", None, Some("c3"), "Cannot add a child to a quorum in blkverify mode"),
        ("b", None, Some("b"), "Cannot add a child to a quorum in blkverify mode"),
        (
            "b",
            Some("children.0"),
            None,
            "The number of children cannot be lower than the vote threshold 2",
        ),
    ]
}

/// The whole of the options of such a row.
pub(crate) fn joined(start: &str, rest: &str) -> String {
    let options = if start.is_empty() { rest.into() } else { format!("{start},{rest}") };
    options.trim_end_matches(',').into()
}

/// An array of three, with these members changed.
pub(crate) fn changed(changes: &Value) -> Value {
    let mut object = array();
    for (name, value) in changes.as_object().expect("changes are an object") {
        if value == DELETE {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    object.into()
}

/// An array of three.
fn array() -> Map<String, Value> {
    let array = json!({
        "driver": "quorum", "node-name": "q", "children": ["a", "b", "c"], "vote-threshold": 2,
    });
    array.as_object().expect("an object").clone()
}

/// Stands for a member that is to be absent.
pub(crate) const DELETE: &str = "(absent)";
