//! Options: whatever the engine or QEMU refuses, both refuse in the same words, or differ as decided.
//!
//! The rows that need no node are those of the engine's own tests; here both sides are asked.

use super::{Medium, qemu, rows, say};
use futures_util::{FutureExt, future::BoxFuture};
use quorate_engine::{
    BlockDevice, Image, Limits, Memory,
    graph::{Graph, Opener},
    quorum::{error::OpenError, options::QuorumOptions},
};
use quorate_qemu::{Daemon, Program, Version};
use rows::{DELETE, changed, joined};
use serde_json::{Map, Value, json};
use std::{fmt, sync::Arc};

/// What one side makes of a node's options.
#[derive(Debug, PartialEq, Eq)]
enum Opened {
    Taken,
    Refused { class: String, text: String },
}

/// Where the engine differs from QEMU on purpose, as ARCHITECTURE.md has it in its table of deviations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// S15, D7.
    Narrowed,
    /// S14.
    Ignored,
    /// S17.
    TwoVotes,
    /// Above the driver.
    NotHere,
    /// Known to whoever opens nodes.
    Driver,
    /// Not QEMU's.
    OurOwn,
    /// Texts are read as a whole first.
    Order,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Narrowed => {
                "QEMU keeps 32 bits of a threshold, and another is in force than was asked for"
            }
            Self::Ignored => "QEMU takes options that do nothing with fifo",
            Self::TwoVotes => "QEMU gives one node two votes",
            Self::NotHere => {
                "QEMU's block layer does for any node what the engine leaves to children"
            }
            Self::Driver => "the engine knows no list of drivers, and says it as qemu-io does",
            Self::OurOwn => "QEMU has no such option",
            Self::Order => "the engine opens no child before all options are known to be right",
        })
    }
}

/// The rows in which they differ, no more and no less.
fn decided() -> Vec<(Value, Difference)> {
    vec![
        (json!({"vote-threshold": (1_u64 << 32) + 2}), Difference::Narrowed),
        (json!({"vote-threshold": -4_294_967_294_i64}), Difference::Narrowed),
        (
            json!({"read-pattern": "fifo", "blkverify": true, "rewrite-corrupted": true}),
            Difference::Ignored,
        ),
        (json!({"read-pattern": "fifo", "rewrite-corrupted": true}), Difference::Ignored),
        (json!({"children": ["a", "b", "a"]}), Difference::TwoVotes),
        (json!({"detect-zeroes": "on"}), Difference::NotHere),
        (json!({"active": false}), Difference::NotHere),
        (json!({"children": ["a", {"driver": "zz"}]}), Difference::Driver),
        (json!({"overlap": "zz"}), Difference::OurOwn),
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
    let (graph, mut daemon) = (graph(&nodes()), daemon(&program, &nodes()));
    let rows: Vec<_> = [rows::refused_json(), over_nodes()].concat();
    let all = rows.into_iter().map(|(changes, text)| (changes, Some(text)));
    let ours_only = rows::refused_here_only().into_iter().map(|(changes, _)| (changes, None));
    let mut wrong = Vec::new();
    let mut differences = decided();
    let (mut compared, mut differ) = (0, 0);
    for (changes, text) in all.chain(ours_only) {
        let node = changed(&changes);
        let (ours, theirs) = (ours(&graph, &node), theirs(&mut daemon, &node));
        if text.is_some_and(|text| Opened::in_words(text) != theirs) {
            wrong.push(format!("{changes}: not {text:?} but {theirs:?}"));
        }
        let known = differences.iter().position(|(row, _)| *row == changes);
        match known.map(|at| differences.remove(at)) {
            None if ours == theirs => compared += 1,
            Some((_, difference)) if ours != theirs => {
                differ += 1;
                say(&format!("qemu: {changes} differs: {difference}"));
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
    let (graph, mut daemon) = (graph(&nodes), daemon(&program, &nodes));
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
    let (graph, mut daemon) = (graph(&nodes()), daemon(&program, &nodes()));
    let rows = rows::all_wrong_from();
    for (option, mut node) in rows.clone() {
        if program.version() < HAS_ACTIVE {
            node.as_object_mut().expect("a definition is an object").remove("active");
        }
        let node = &node;
        assert_eq!(ours(&graph, node), theirs(&mut daemon, node), "all is wrong from {option} on");
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
    let graph = graph(&nodes());
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
        let (ours, theirs) = (ours_dotted(&graph, &options), theirs_dotted(&program, &options));
        assert_eq!(theirs, text, "qemu-io {} and {options}", program.version());
        assert_eq!(ours, theirs, "{options}");
        compared += 1;
    }
    let (difference, options) = DIFFERS;
    let (ours, theirs) = (ours_dotted(&graph, options), theirs_dotted(&program, options));
    assert_eq!(ours, "Block format 'quorum' does not support the option 'foo'");
    assert_eq!(theirs, "Cannot find device='zz' nor node-name='zz'");
    say(&format!("qemu: {options} differs: {difference}"));
    say(&format!(
        "qemu {}: {compared} texts of options compared, and 1 that differs as decided",
        program.version(),
    ));
}

/// Why the engine does not open it; empty if it does.
fn ours_dotted(graph: &Graph, options: &str) -> String {
    let opened = async { graph.open(QuorumOptions::from_dotted(options)?).await };
    let opened = opened.now_or_never().expect("nothing is waited for");
    opened.map(drop).err().map_or_else(String::new, |error: OpenError| error.to_string())
}

fn theirs_dotted(program: &Program, options: &str) -> String {
    program.refuses(options).expect("it is there").unwrap_or_default()
}

impl Opened {
    /// A row's words: none where the node is taken.
    fn in_words(text: &str) -> Self {
        if text.is_empty() {
            return Self::Taken;
        }
        Self::Refused { class: "GenericError".into(), text: text.into() }
    }
}

fn ours(graph: &Graph, node: &Value) -> Opened {
    let opened = async {
        // That it is an array is said, so an unknown driver is not asked for.
        QuorumOptions::from_json(node)?;
        graph.open_json(node).await
    };
    match opened.now_or_never().expect("nothing is waited for") {
        Ok((name, _)) => {
            let removed = graph.remove(name.as_str()).now_or_never();
            removed.expect("nothing is waited for").expect("nobody uses it");
            Opened::Taken
        }
        Err(error) => Opened::Refused { class: error.class().into(), text: error.to_string() },
    }
}

fn theirs(daemon: &mut Daemon<Medium>, node: &Value) -> Opened {
    match daemon.ask("blockdev-add", node).expect("the daemon lives") {
        Ok(_) => {
            let name = json!({"node-name": node["node-name"]});
            daemon.obey("blockdev-del", &name).expect("nobody uses it");
            Opened::Taken
        }
        Err(refusal) => Opened::Refused { class: refusal.class, text: refusal.text },
    }
}

/// The nodes that the rows speak of.
fn nodes() -> Vec<Value> {
    let null = |name, bytes: u64, read_only| {
        json!({
            "driver": "null-co", "node-name": name, "size": bytes, "read-zeroes": true,
            "read-only": read_only,
        })
    };
    let plain = ["a", "b", "c"].map(|name| null(name, 65536, false));
    plain.into_iter().chain([null("big", 131_072, false), null("ro", 65536, true)]).collect()
}

fn graph(nodes: &[Value]) -> Graph {
    let graph = Graph::new(Arc::new(Null), Arc::new(()));
    for node in nodes {
        let opened = graph.open_json(node).now_or_never().expect("nothing is waited for");
        opened.expect("it opens");
    }
    graph
}

fn daemon(program: &Program, nodes: &[Value]) -> Daemon<Medium> {
    let mut daemon = Daemon::start(program).expect("it starts");
    for node in nodes {
        daemon.obey("blockdev-add", node).expect("it opens");
    }
    daemon
}

/// Opens what QEMU's `null-co` is.
struct Null;

impl Opener for Null {
    fn open<'a>(
        &'a self,
        driver: &'a str,
        options: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>> {
        let bytes = options.get("size").and_then(Value::as_u64).unwrap_or(1 << 30);
        let read_only = options.get("read-only") == Some(&Value::Bool(true));
        let limits = Limits { read_only, ..Limits::NONE };
        Box::pin(async move {
            if driver != "null-co" {
                return ().open(driver, options).await;
            }
            Ok(Arc::new(Memory::with_image(Image::new(bytes), limits)) as Arc<dyn BlockDevice>)
        })
    }
}

/// The first version with the option `active`.
const HAS_ACTIVE: Version = Version { major: 10, minor: 0, micro: 0 };
/// A text with two mistakes that each side finds another of.
const DIFFERS: (Difference, &str) =
    (Difference::Order, "driver=quorum,vote-threshold=1,children.0=zz,foo=1");
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
