//! Options: whatever the engine or QEMU refuses, both refuse in the same words, or differ as decided.
//!
//! The rows that need no node are those of the engine's own tests; here both sides are asked.

use super::{given_seed, qemu, rows, say};
use futures_util::FutureExt;
use quorate_qemu::{Program, Version};
use quorate_scenarios::diff::{
    Known,
    options::{self, Definition, Opened, Options},
};
use rows::{DELETE, changed, joined};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The rows in which they differ, no more and no less.
fn decided() -> Vec<(Value, Known)> {
    vec![
        (json!({"vote-threshold": (1_u64 << 32) + 2}), Known::Narrowed),
        (json!({"vote-threshold": -4_294_967_294_i64}), Known::Narrowed),
        (
            json!({"read-pattern": "fifo", "blkverify": true, "rewrite-corrupted": true}),
            Known::Ignored,
        ),
        (json!({"read-pattern": "fifo", "rewrite-corrupted": true}), Known::Ignored),
        (json!({"children": ["a", "b", "a"]}), Known::TwoVotes),
        (json!({"detect-zeroes": "on"}), Known::NotHere),
        (json!({"active": false}), Known::NotHere),
        (json!({"children": ["a", {"driver": "zz"}]}), Known::Driver),
        (json!({"overlap": "zz"}), Known::OurOwn),
        (json!({"cache": {}}), Known::EmptyCache),
        (json!({"node-name": "a", "vote-threshold": 0}), Known::Order),
    ]
}

/// Rows for which there have to be nodes, and QEMU's words; none where it takes them.
fn over_nodes() -> Vec<(Value, &'static str)> {
    let lengths = "Could not refresh total sector count: Input/output error";
    let read_only = "Block node is read-only";
    let null = |size: u64| json!({"driver": "null-co", "size": size, "read-zeroes": true});
    vec![
        (json!({}), ""),
        (json!({"children": ["a"], "vote-threshold": 1}), ""),
        (json!({"children": vec![null(512); 300]}), ""),
        (json!({"children": ["a", "zz"]}), "Cannot find device='zz' nor node-name='zz'"),
        (json!({"children": ["a", ""]}), "Cannot find device='' nor node-name=''"),
        (json!({"children": ["a", "big"]}), lengths),
        (json!({"children": ["big", "a"]}), lengths),
        (json!({"children": ["a", (null(65537))]}), lengths),
        (json!({"children": [(null(1000)), (null(1024))]}), ""),
        (json!({"children": ["a", "ro"]}), ""),
        (json!({"children": ["a", "ro"], "read-only": true}), ""),
        (json!({"children": ["a", "ro"], "read-only": true, "rewrite-corrupted": true}), read_only),
        (json!({"children": ["a", "ro"], "rewrite-corrupted": true}), read_only),
        (json!({"read-only": true, "rewrite-corrupted": true}), ""),
        (
            json!({"children": ["a", {"driver": "zz"}]}),
            "Parameter 'driver' does not accept value 'zz'",
        ),
        (json!({"node-name": DELETE}), "'node-name' must be specified for the root node"),
        (
            json!({"node-name": DELETE, "children": [], "vote-threshold": 0, "force-share": true}),
            "'node-name' must be specified for the root node",
        ),
        (json!({"cache": {}}), "Block format 'quorum' does not support the option 'cache'"),
        (json!({"node-name": "a", "vote-threshold": 0}), "Duplicate nodes with node-name='a'"),
        (json!({"node-name": "a"}), "Duplicate nodes with node-name='a'"),
        (
            json!({"children": ["a", "q"]}),
            "Making 'q' a children.1 child of 'q' would create a cycle",
        ),
        (json!({"children": ["a", "b"], "blkverify": true}), ""),
        (json!({"read-pattern": "fifo"}), ""),
        (json!({"rewrite-corrupted": true}), ""),
        (
            json!({"children": ["a", {
                "driver": "quorum", "children": ["b", "c"], "vote-threshold": 2,
            }]}),
            "",
        ),
    ]
}

#[test]
fn json_is_refused_as_by_qemu() {
    let Some(program) = qemu() else { return };
    let mut both = Options::start(&program).expect("it starts");
    let rows: Vec<_> = [rows::refused_json(), over_nodes()].concat();
    let all = rows.into_iter().map(|(changes, text)| (changes, Some(text)));
    let ours_only = rows::refused_here_only().into_iter().map(|(changes, _)| (changes, None));
    let mut wrong = Vec::new();
    let mut differences = decided();
    let (mut compared, mut differ) = (0, 0);
    for (changes, text) in all.chain(ours_only) {
        let node = Definition::Json(changed(&changes));
        let (ours, theirs) = (both.ours(&node), both.theirs(&node).expect("QEMU lives"));
        if text.is_some_and(|text| in_words(text) != theirs) {
            wrong.push(format!("{changes}: not {text:?} but {theirs:?}"));
        }
        let known = differences.iter().position(|(row, _)| *row == changes);
        match known.map(|at| differences.remove(at)) {
            None if ours == theirs => compared += 1,
            Some((_, difference)) if ours != theirs => {
                differ += 1;
                let compared = both.compare_definition(&node).expect("QEMU lives");
                assert_eq!((compared.known, compared.difference), (vec![difference], None));
                say(&format!("qemu: {changes} differs: {}", difference.why()));
            }
            None => wrong.push(format!("{changes}: ours is {ours:?}, QEMU's {theirs:?}")),
            Some(_) => wrong.push(format!("{changes}: no difference any more")),
        }
    }
    assert!(differences.is_empty(), "nothing was asked for {differences:?}");
    assert!(wrong.is_empty(), "QEMU {}:\n{}", program.version(), wrong.join("\n"));
    say(&format!(
        "qemu {}: {compared} definitions compared, and {differ} that differ as decided",
        program.version(),
    ));
}

#[test]
fn changes_of_children_are_refused_as_by_qemu() {
    let Some(program) = qemu() else { return };
    let null = |name| json!({"driver": "null-co", "node-name": name, "size": 65536});
    let arrays = [
        json!({
            "driver": "quorum", "node-name": "q", "children": ["c0", "c1", (null("inl"))],
            "vote-threshold": 2,
        }),
        json!({
            "driver": "quorum", "node-name": "b", "children": [(null("b0")), (null("b1"))],
            "vote-threshold": 2, "blkverify": true,
        }),
    ];
    let nodes = [["c0", "c1", "c3", "c4"].map(null).as_slice(), &arrays].concat();
    let graph = options::graph(nodes.clone());
    let mut daemon = options::daemon(&program, nodes).expect("it starts");
    let rows = rows::refused_changes();
    for &(parent, child, node, text) in &rows {
        let mut change = Map::from_iter([("parent".into(), parent.into())]);
        change.extend(child.map(|child| ("child".into(), child.into())));
        change.extend(node.map(|node| ("node".into(), node.into())));
        let theirs = match daemon.ask("x-blockdev-change", &change.clone().into()) {
            Ok(answer) => answer.expect_err("a refused row"),
            Err(error) => panic!("{error}"),
        };
        let ours = graph.change(parent, child, node).now_or_never().expect("nothing is waited for");
        let ours = ours.expect_err("a refused row");
        assert_eq!(theirs.text, text, "{change:?}");
        assert_eq!((ours.to_string().as_str(), ours.class()), (text, theirs.class.as_str()));
    }
    say(&format!("qemu {}: {} changes of children compared", program.version(), rows.len()));
}

#[test]
fn json_types_are_checked_in_the_order_of_qemu() {
    let Some(program) = qemu() else { return };
    let mut both = Options::start(&program).expect("it starts");
    let rows = rows::all_wrong_from();
    for (option, mut node) in rows.clone() {
        if program.version() < HAS_ACTIVE {
            node.as_object_mut().expect("a definition is an object").remove("active");
        }
        let node = Definition::Json(node);
        let (ours, theirs) = (both.ours(&node), both.theirs(&node).expect("QEMU lives"));
        assert_eq!(ours, theirs, "all is wrong from {option} on");
    }
    say(&format!(
        "qemu {}: {} definitions with more than one mistake compared",
        program.version(),
        rows.len()
    ));
}

#[test]
fn dotted_text_is_refused_as_by_qemu_io() {
    let Some(program) = qemu() else { return };
    let mut both = Options::start(&program).expect("it starts");
    let named = rows::refused_dotted().into_iter();
    // There are no nodes to refer to.
    let inline =
        |start: &str| start.replace("=a", ".driver=null-co").replace("=b", ".driver=null-co");
    let named = named.map(|(start, rest, text)| (joined(&inline(start), rest), text));
    let taken = TAKEN
        .iter()
        .map(|rest| (joined(&inline("driver=quorum,children.0=a,children.1=b"), rest), ""));
    let all = named.chain(taken);
    let mut compared = 0;
    for (options, text) in all {
        let definition = dotted(&options);
        assert_eq!(refusal(&program, &options), text, "qemu-io {}", program.version());
        assert_eq!(both.ours(&definition), in_words(text), "{options}");
        // A blank would end the options of a command.
        if !options.contains(' ') && !options.is_empty() {
            let theirs = both.theirs(&definition).expect("QEMU lives");
            assert_eq!(theirs, in_words(text), "qemu-io opens {options} by a command");
        }
        compared += 1;
    }
    let definition = dotted(DIFFERS);
    let ours = "Block format 'quorum' does not support the option 'foo'";
    assert_eq!(both.ours(&definition), in_words(ours));
    let theirs = both.theirs(&definition).expect("QEMU lives");
    assert_eq!(theirs, in_words("Cannot find device='zz' nor node-name='zz'"));
    let compared_again = both.compare_definition(&definition).expect("QEMU lives");
    assert_eq!((compared_again.known, compared_again.difference), (vec![Known::Order], None));
    say(&format!("qemu: {DIFFERS} differs: {}", Known::Order.why()));
    say(&format!(
        "qemu {}: {compared} texts of options compared, and 1 that differs as decided",
        program.version(),
    ));
}

#[test]
fn drawn_definitions_come_to_what_they_come_to_in_qemu() {
    let Some(program) = qemu() else { return };
    for seed in [Some(SEED), given_seed()].into_iter().flatten() {
        let mut both = Options::start(&program).expect("it starts");
        let mut known: BTreeMap<Known, u64> = BTreeMap::new();
        for seed in seed..seed + DEFINITIONS {
            let compared = both.compare(seed).expect("QEMU answers");
            for why in compared.known {
                *known.entry(why).or_default() += 1;
            }
            if let Some(difference) = compared.difference {
                panic!(
                    "QEMU {}: {difference}\nQUORATE_SEED={seed} cargo test -p quorate-qemu-tests \
                     drawn_definitions",
                    program.version(),
                );
            }
        }
        say(&format!(
            "qemu {}: {DEFINITIONS} definitions compared from seed {seed} on",
            program.version(),
        ));
        for (known, count) in known {
            say(&format!("known, {count} times: {}", known.why()));
        }
    }
}

/// What it is, and a change of a definition that comes to the same.
type Mistake = (&'static str, fn(&mut Map<String, Value>));

const MISTAKES: [Mistake; 4] = [
    ("a threshold that may exceed the children", |array| {
        let count = array.get("children").and_then(Value::as_array).map_or(0, Vec::len);
        let threshold = array.get("vote-threshold").and_then(Value::as_u64).unwrap_or(0);
        if count > 0 && threshold > count as u64 {
            array.insert("vote-threshold".into(), count.into());
        }
    }),
    ("blkverify of any number of children", |array| {
        array.retain(|option, value| option != "blkverify" || *value != true);
    }),
    ("types that are not looked at where there is a default", |array| {
        array.retain(|option, value| option != "rewrite-corrupted" || value.is_boolean());
    }),
    ("names that may be taken", |array| {
        if array.get("node-name").is_some_and(|name| name == "a") {
            array.insert("node-name".into(), "q".into());
        }
    }),
];

#[test]
fn wrong_answers_to_definitions_are_noticed() {
    let Some(program) = qemu() else { return };
    let mut both = Options::start(&program).expect("it starts");
    let mut noticed = BTreeMap::new();
    for seed in SEED..SEED + DEFINITIONS {
        let Definition::Json(node) = options::definition(seed, program.version()) else { continue };
        let definition = Definition::Json(node.clone());
        let theirs = both.theirs(&definition).expect("QEMU lives");
        if both.ours(&definition) != theirs {
            continue;
        }
        for (name, make) in MISTAKES {
            let mut mistaken = node.as_object().expect("a definition is an object").clone();
            make(&mut mistaken);
            if both.ours(&Definition::Json(mistaken.into())) != theirs {
                noticed.entry(name).or_insert(seed - SEED);
            }
        }
    }
    for (name, cases) in &noticed {
        say(&format!("{name}: noticed in definition {cases}"));
    }
    let missed = MISTAKES.iter().filter(|(name, _)| !noticed.contains_key(name));
    let missed: Vec<_> = missed.map(|(name, _)| name).collect();
    assert!(missed.is_empty(), "{DEFINITIONS} definitions were no answer to {missed:?}");
}

/// A row's words: none where the node is taken.
fn in_words(text: &str) -> Opened {
    if text.is_empty() {
        return Opened::Taken;
    }
    Opened::Refused { class: "GenericError".into(), text: text.into() }
}

fn dotted(options: &str) -> Definition {
    Definition::Dotted(options.split(',').map(Into::into).collect())
}

/// Why a `qemu-io` of its own does not open it; empty if it does.
fn refusal(program: &Program, options: &str) -> String {
    program.refuses(options).expect("it is there").unwrap_or_default()
}

/// The first version with the option `active`.
const HAS_ACTIVE: Version = Version { major: 10, minor: 0, micro: 0 };
/// A text with two mistakes that each side finds another of.
const DIFFERS: &str = "driver=quorum,vote-threshold=1,children.0=zz,foo=1";
const SEED: u64 = 1;
/// So many definitions are compared from each seed on.
const DEFINITIONS: u64 = 3000;
/// What both sides take, odd as it is.
const TAKEN: [&str; 8] = [
    "vote-threshold=1",
    "vote-threshold=0x1",
    "vote-threshold=+1",
    "vote-threshold=01",
    "vote-threshold= 1",
    "vote-threshold=2,blkverify=yes",
    "vote-threshold=2,blkverify",
    "vote-threshold=2,noblkverify",
];
