//! The node table: names, parents, cycles, and changes of an array's children.
//!
//! Every text is that of `qemu-storage-daemon` 10.0.2, but for that of an array which a definition
//! inside it refers to: QEMU aborts there.

use crate::options::rows::refused_changes;
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use quorate_engine::{
    BlockDevice, Errno, Event, Extent, ExtentKind, Flags, IoFuture, Limits, Memory, OpType,
    Prealloc, Sectors,
    graph::{Graph, Opener},
    quorum::{error::OpenError, options::QuorumOptions},
};
use serde_json::{Map, Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

#[test]
fn children_change_in_the_words_of_x_blockdev_change() {
    let graph = started();
    for (parent, child, node, text) in refused_changes() {
        assert_eq!(change(&graph, parent, child, node), text, "{parent} {child:?} {node:?}");
    }
    open(&graph, json!({"node-name": "outer", "children": ["q"], "vote-threshold": 1}));
    assert_eq!(change(&graph, "q", None, Some("q")), "The node q already has a parent");
    let cycle = "Making 'outer' a children.3 child of 'q' would create a cycle";
    assert_eq!(change(&graph, "q", None, Some("outer")), cycle);
}

#[test]
fn the_newest_number_is_given_out_again_and_gaps_stay() {
    let graph = started();
    for (child, node, after) in [
        (None, Some("c3"), "c0 c1 inl c3"),
        (Some("children.1"), None, "c0 inl c3"),
        (None, Some("c4"), "c0 inl c3 c4"),
        (Some("children.4"), None, "c0 inl c3"),
        (None, Some("c4"), "c0 inl c3 c4"),
        (Some("children.0"), None, "inl c3 c4"),
    ] {
        assert_eq!(change(&graph, "q", child, node), "", "{child:?} {node:?}");
        let names: Vec<_> = graph.children("q").into_iter().map(|(_, node)| node).collect();
        assert_eq!(names, after.split(' ').map(Into::into).collect::<Vec<_>>());
        let array = graph.quorum("q").expect("it is open").children();
        let array: Vec<_> = array.into_iter().map(|c| (c.name.to_string(), c.node_name)).collect();
        assert_eq!(array, graph.children("q"), "table and array agree");
    }
    let names: Vec<_> = graph.children("q").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["children.2", "children.3", "children.4"]);
    assert_eq!(change(&graph, "q", Some("children.2"), None), "");
    assert!(graph.device("inl").is_none(), "it was the array's own");
    let last = "The number of children cannot be lower than the vote threshold 2";
    assert_eq!(change(&graph, "q", Some("children.3"), None), last);
    assert_eq!(graph.children("q").len(), 2, "a refused removal removes nothing");
}

#[test]
fn nodes_are_removed_in_the_words_of_blockdev_del() {
    let graph = started();
    open(&graph, json!({"node-name": "outer", "children": ["q"], "vote-threshold": 1}));
    for (node, text) in [
        ("zz", "Failed to find node with node-name='zz'"),
        ("c0", "Block device c0 is in use"),
        ("q", "Block device q is in use"),
        ("inl", "Node inl is not owned by the monitor"),
        ("outer", ""),
        ("q", ""),
        ("c0", ""),
        ("c0", "Failed to find node with node-name='c0'"),
        ("inl", "Failed to find node with node-name='inl'"),
    ] {
        assert_eq!(said(graph.remove(node)), text, "{node}");
    }
}

#[test]
fn arrays_are_opened_in_the_words_of_blockdev_add() {
    let graph = started();
    let before = graph.nodes();
    let null = |name| json!({"driver": "null-co", "node-name": name});
    let array = |name, child| {
        json!({
            "driver": "quorum", "node-name": name, "children": [child], "vote-threshold": 1,
        })
    };
    for (node, text) in [
        (array("x", json!("zz")), "Cannot find device='zz' nor node-name='zz'"),
        (array("x", json!("")), "Cannot find device='' nor node-name=''"),
        (array("x", json!("x")), "Making 'x' a children.0 child of 'x' would create a cycle"),
        (
            array("x", array("y", json!("x"))),
            "Making 'x' a children.0 child of 'y' would create a cycle",
        ),
        (array("x", null("x")), "Duplicate nodes with node-name='x'"),
        (array("x", null("c2")), "Duplicate nodes with node-name='c2'"),
        (array("x", null("1x")), "Invalid node-name: '1x'"),
        (array("c0", json!("c2")), "Duplicate nodes with node-name='c0'"),
        (array("x", array("y", json!("zz"))), "Cannot find device='zz' nor node-name='zz'"),
        (
            json!({"driver": "quorum", "children": ["c2"], "vote-threshold": 1}),
            "'node-name' must be specified for the root node",
        ),
        (
            json!({"driver": "quorum", "children": [], "vote-threshold": 0}),
            "'node-name' must be specified for the root node",
        ),
        (json!({"driver": "null-co"}), "'node-name' must be specified for the root node"),
        (
            array("x", json!({"driver": "absent"})),
            "Could not open '/nonexist': No such file or directory",
        ),
    ] {
        let error = ready(graph.open_json(&node)).map(|_| ()).expect_err("this is refused");
        assert_eq!(error.to_string(), text, "{node}");
        assert_eq!(error.errno(), Errno::EINVAL, "{node}");
        assert_eq!(graph.nodes(), before, "{node} left something behind");
    }
}

#[test]
fn what_was_opened_for_nothing_is_closed() {
    let opener = Arc::new(Disks::default());
    let graph = Graph::new(opener.clone(), Arc::new(()));
    let inner = json!({
        "driver": "quorum", "children": [{"driver": "null-co"}], "vote-threshold": 1,
    });
    let node = json!({
        "driver": "quorum", "node-name": "x", "vote-threshold": 1, "children": [inner, "zz"],
    });
    let error = ready(graph.open_json(&node)).map(|_| ()).expect_err("there is no zz");
    assert_eq!(error, OpenError::NotFound("zz".into()).of_child(1));
    assert_eq!(opener.closed.load(Ordering::Relaxed), 1);
    assert!(graph.nodes().is_empty());
}

/// Its events carry that name.
#[test]
fn an_array_that_nobody_named_knows_the_name_it_was_given() {
    let graph = Graph::new(Arc::new(Disks::default()), Arc::new(()));
    graph.add("c0", Disk::zeroed(65536)).expect("the name is free");
    let inner = json!({"driver": "quorum", "children": ["c0"], "vote-threshold": 1});
    open(&graph, json!({"node-name": "q", "children": [inner], "vote-threshold": 1}));
    let inner = graph.quorum("#block001").expect("the table named it");
    assert_eq!(inner.options().node_name().as_str(), "#block001");
}

#[test]
fn an_array_closes_its_own_children_only() {
    let opener = Arc::new(Disks::default());
    let graph = Graph::new(opener.clone(), Arc::new(()));
    graph.add("c0", opener.disk()).expect("the name is free");
    open(
        &graph,
        json!({"node-name": "q", "children": ["c0", {"driver": "null-co"}], "vote-threshold": 1}),
    );
    assert_eq!(graph.nodes(), ["#block001".into(), "c0".into(), "q".into()]);
    assert_eq!(graph.driver("#block001").as_deref(), Some("null-co"));
    assert_eq!(graph.parents("c0"), ["q".into()]);
    assert_eq!(said(graph.remove("q")), "");
    assert_eq!(opener.closed.load(Ordering::Relaxed), 1);
    assert_eq!(graph.nodes(), ["c0".into()]);
    assert_eq!(said(graph.remove("c0")), "");
    assert_eq!(opener.closed.load(Ordering::Relaxed), 2);
}

#[test]
fn only_a_child_that_nobody_else_sees_can_be_replaced() {
    let graph = started();
    open(&graph, json!({"node-name": "p", "children": ["c0", "c3"], "vote-threshold": 1}));
    open(&graph, json!({"node-name": "outer", "children": ["p"], "vote-threshold": 1}));
    for (array, candidate, can) in [
        ("q", "q", true),
        ("q", "c1", true),
        ("q", "inl", true),
        ("q", "c0", false),
        ("p", "c0", false),
        ("p", "c3", true),
        ("outer", "p", true),
        ("outer", "c3", false),
        ("q", "c3", false),
        ("q", "c5", false),
        ("q", "zz", false),
        ("c0", "c0", false),
    ] {
        assert_eq!(graph.can_replace(array, candidate), can, "{candidate} of {array}");
    }
}

#[test]
fn first_non_filters_are_the_leaves() {
    let graph = started();
    open(&graph, json!({"node-name": "outer", "children": ["q"], "vote-threshold": 1}));
    for (node, candidate, is) in [
        ("outer", "c0", true),
        ("outer", "inl", true),
        ("outer", "q", false),
        ("outer", "outer", false),
        ("q", "c3", false),
        ("c3", "c3", true),
        ("zz", "zz", false),
    ] {
        assert_eq!(graph.is_first_non_filter(node, candidate), is, "{candidate} below {node}");
    }
}

#[test]
fn an_array_below_another_name_is_voted_on() {
    let (graph, _) = disagreeing();
    let array = graph.device("q").expect("it is open");
    assert_eq!(ready(array.pread(0, 1)), Ok(b"A".as_slice().into()), "two of three say so");
}

#[test]
fn a_child_without_a_name_is_reported_by_the_one_it_was_given() {
    let (graph, events) = disagreeing();
    let array = graph.device("q").expect("it is open");
    ready(array.pread(0, 1)).expect("two of three agree");
    let told = events.lock().expect("nothing panics with it").clone();
    let (op, sectors) = (OpType::Read, Sectors { first: 0, count: 1 });
    assert_eq!(
        told,
        [Event::ReportBad { op, node_name: "#block001".into(), error: None, sectors }]
    );
}

#[test]
fn an_addition_that_fails_leaves_nothing_behind() {
    let graph = started();
    graph.add("short", Disk::zeroed(512)).expect("the name is free");
    let before = graph.children("q");
    for _ in 0..2 {
        let refused = "The node short is 512 bytes long, the children of the quorum 65536";
        assert_eq!(change(&graph, "q", None, Some("short")), refused);
        assert_eq!(graph.children("q"), before);
        assert!(graph.parents("short").is_empty(), "the node is free");
    }
    assert_eq!(change(&graph, "q", None, Some("c3")), "");
    let newest = graph.children("q").pop().expect("it has children");
    assert_eq!(newest, ("children.3".into(), "c3".into()), "no number was used up");
    assert_eq!(said(graph.remove("short")), "");
}

/// An array `q` of three nameless devices of which the first alone holds a B, the others an A; and what
/// it reports.
fn disagreeing() -> (Graph, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let told = events.clone();
    let tell = move |event| told.lock().expect("nothing panics with it").push(event);
    let graph = Graph::new(Arc::new(()), Arc::new(tell));
    let mut options = QuorumOptions::builder("q", 2);
    for letter in [b"B", b"A", b"A"] {
        let device = Arc::new(Memory::new(512));
        ready(device.pwrite(0, letter.as_slice().into(), Flags::NONE)).expect("it fits");
        options = options.child("", device);
    }
    ready(graph.open(options.build().expect("the options are valid"))).expect("all is there");
    (graph, events)
}

/// `q` of c0, c1 and its own `inl`, at threshold 2; a verifying `b`; c2 to c5 without a parent.
fn started() -> Graph {
    let graph = Graph::new(Arc::new(Disks::default()), Arc::new(()));
    for name in ["c0", "c1", "c2", "c3", "c4", "c5"] {
        graph.add(name, Disk::zeroed(65536)).expect("the name is free");
    }
    let inline = json!({"driver": "null-co", "node-name": "inl"});
    open(&graph, json!({"node-name": "q", "children": ["c0", "c1", inline], "vote-threshold": 2}));
    let own = json!({"driver": "null-co"});
    open(
        &graph,
        json!({"node-name": "b", "children": [own, own], "vote-threshold": 2, "blkverify": true}),
    );
    graph
}

#[test]
fn the_name_of_an_open_device_is_checked() {
    let graph = started();
    let disk = || Disk::zeroed(65536);
    let options = QuorumOptions::builder("d", 1).child("#block001", disk()).build();
    let refused = ready(graph.open(options.expect("the options are valid"))).map(drop);
    assert_eq!(said(async { refused }), "Invalid node-name: '#block001'");
    let options = QuorumOptions::builder("d", 1).child("", disk()).build();
    ready(graph.open(options.expect("the options are valid"))).expect("it gets a name");
}

#[track_caller]
fn open(graph: &Graph, node: Value) {
    let options = QuorumOptions::from_json(&node).expect("the options are valid");
    ready(graph.open(options)).expect("the children are there");
}

#[track_caller]
fn change(graph: &Graph, parent: &str, child: Option<&str>, node: Option<&str>) -> String {
    said(graph.change(parent, child, node))
}

/// What an error says; nothing where there is none.
#[track_caller]
fn said<E: ToString>(change: impl Future<Output = Result<(), E>>) -> String {
    ready(change).err().map_or_else(String::new, |error| error.to_string())
}

#[track_caller]
fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here has to wait")
}

/// Opens a disk for every driver but `absent`, and counts how many were closed.
#[derive(Default)]
struct Disks {
    closed: Arc<AtomicUsize>,
}

impl Disks {
    fn disk(&self) -> Arc<dyn BlockDevice> {
        Arc::new(Disk { bytes: 65536, closed: self.closed.clone() })
    }
}

impl Opener for Disks {
    fn open<'a>(
        &'a self,
        driver: &'a str,
        _: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>> {
        let text = "Could not open '/nonexist': No such file or directory".into();
        let absent = OpenError::Device { errno: Errno::ENOENT, text };
        Box::pin(async move { if driver == "absent" { Err(absent) } else { Ok(self.disk()) } })
    }
}

/// A disk of zeroes that forgets what is written to it.
pub(crate) struct Disk {
    bytes: u64,
    closed: Arc<AtomicUsize>,
}

impl Disk {
    pub(crate) fn zeroed(bytes: u64) -> Arc<dyn BlockDevice> {
        Arc::new(Self { bytes, closed: Arc::default() })
    }
}

impl BlockDevice for Disk {
    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn length(&self) -> IoFuture<'_, u64> {
        answer(self.bytes)
    }

    fn pread(&self, _: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        answer(vec![0; bytes].into())
    }

    fn pwrite(&self, _: u64, _: Bytes, _: Flags) -> IoFuture<'_, ()> {
        answer(())
    }

    fn pwrite_zeroes(&self, _: u64, _: u64, _: Flags) -> IoFuture<'_, ()> {
        answer(())
    }

    fn pdiscard(&self, _: u64, _: u64) -> IoFuture<'_, ()> {
        answer(())
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        answer(())
    }

    fn block_status(&self, _: u64, bytes: u64) -> IoFuture<'_, Extent> {
        answer(Extent { bytes, kind: ExtentKind::Zero })
    }

    fn truncate(&self, _: u64, _: Prealloc) -> IoFuture<'_, ()> {
        answer(())
    }

    fn close(&self) -> IoFuture<'_, ()> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        answer(())
    }
}

fn answer<'a, T: Send + 'a>(value: T) -> IoFuture<'a, T> {
    Box::pin(async { Ok(value) })
}
