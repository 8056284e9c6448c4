//! QEMU's own tests: what became of each of their cases, and what a scenario over NBD cannot ask the real QEMU.

use super::{Medium, qemu, say};
use futures_util::FutureExt;
use quorate_engine::{Errno, Memory, graph::Graph};
use quorate_qemu::{Answer, Child, Daemon, Error, Event, Program, Request};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

const IOTESTS: &str = include_str!("../IOTESTS.md");
/// What 148 hears, by the array's pattern.
const RATE_LIMITS: [(&str, &str); 2] = [
    ("quorum", include_str!("../../../scenarios/catalog/event-rate-limit.toml")),
    ("fifo", include_str!("../../../scenarios/catalog/event-rate-limit-in-fifo-pattern.toml")),
];
const SECTOR: u64 = 512;
/// What 312 makes of qcow2 images, as a scenario.
const MAP: &str =
    include_str!("../../../scenarios/catalog/status-of-children-whose-maps-differ.toml");

fn catalog() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/catalog")
}

/// The scenarios that the document names for each test, by its number.
fn named() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut named = BTreeMap::<_, BTreeSet<_>>::new();
    for section in IOTESTS.split("\n## ").skip(1) {
        let number = section.split([':', ' ']).next().expect("a title begins with a number");
        let words = section.split('`').skip(1).step_by(2);
        let scenarios = words.filter(|word| catalog().join(format!("{word}.toml")).exists());
        named.entry(number).or_default().extend(scenarios);
    }
    named
}

#[test]
fn the_scenarios_of_a_test_are_those_that_cover_it() {
    let mut covering = BTreeMap::<_, BTreeSet<_>>::new();
    for file in fs::read_dir(catalog()).expect("it is there") {
        let path = file.expect("it can be listed").path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "toml"))
        else {
            continue;
        };
        let text = fs::read_to_string(&path).expect("it is text");
        let covers = text.lines().find(|line| line.starts_with("covers = ")).unwrap_or_default();
        for test in covers.split("\"iotest ").skip(1) {
            let number = test.split('"').next().expect("a split has a first part").to_owned();
            let name = name.to_string_lossy().into_owned();
            covering.entry(number).or_default().insert(name);
        }
    }
    let named = named();
    for number in ["041", "071", "081", "099", "148", "312"] {
        let named: BTreeSet<_> = named[number].iter().map(ToString::to_string).collect();
        assert_eq!(named, covering[number], "IOTESTS.md and the catalog on {number}");
    }
}

/// 312 with its qcow2 images, whose clusters are unallocated, known to be zero or full of zeroes; but for the job, which
/// asks for no more than this map does.
#[test]
fn the_map_of_312_is_that_of_its_scenario() {
    let Some(program) = qemu() else { return };
    let place = tempfile::tempdir().expect("it can be made");
    let image = |child: usize| place.path().join(format!("{child}.qcow2"));
    let mut array = "driver=quorum,vote-threshold=2".to_owned();
    for child in 0..3 {
        let path = image(child);
        done(program.img().args(["create", "-q", "-f", "qcow2"]).arg(&path).arg("10M"));
        array += &format!(",children.{child}.driver=qcow2,children.{child}.file.driver=file");
        array += &format!(",children.{child}.file.filename={}", path.display());
    }
    let io = |options: &str, command: &str| {
        done(program.io().args(["-c", command, "--image-opts", options]));
    };
    let one = |child: usize, command: &str| {
        let options =
            format!("driver=qcow2,file.driver=file,file.filename={}", image(child).display());
        io(&options, command);
    };
    let mut theirs = map(&program, &array);
    for (child, runs) in [(0, 1), (1, 3), (2, 2)] {
        one(child, &format!("write -P 0 64k {}k", runs * 64));
    }
    io(&array, "write -P 0 1M 256k");
    for (child, runs) in [(0, 1), (1, 3), (2, 2)] {
        one(child, &format!("write -z 1088k {}k", runs * 64));
        one(child, &format!("write -z 1344k {}k", runs * 64));
    }
    one(0, "write -P 0 2M 64k");
    one(1, "write -z 2M 192k");
    one(2, "write -P 0 2M 128k");
    for command in
        ["write -P 1 2368k 64k", "read -P 1 2368k 64k", "write -z 2368k 64k", "read -P 0 2368k 64k"]
    {
        io(&array, command);
    }
    theirs.extend(map(&program, &array));
    let ours = MAP
        .split("\nextent = \"")
        .skip(1)
        .map(|rest| rest.split('"').next().expect("a split has a first part").to_owned());
    let ours: Vec<_> = ours.collect();
    assert_eq!(theirs, ours, "QEMU {}", program.version());
    say(&format!("qemu {}: the map of 312 compared, {} runs", program.version(), ours.len()));
}

/// The runs of an image, in the words of a scenario.
fn map(program: &Program, options: &str) -> Vec<String> {
    let map = done(program.img().args(["map", "--output=json", "--image-opts", options]));
    let map: Value = serde_json::from_str(&map).expect("it is JSON");
    let runs = map.as_array().expect("it is a list").iter().map(|run| {
        let kind = if run["zero"] == true { "zero" } else { "data" };
        let bytes = run["length"].as_u64().expect("a length is a number");
        format!("{kind} {}KiB", bytes / 1024)
    });
    runs.collect()
}

/// What a command says that succeeds.
#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().expect("it is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{failed}");
    said
}

/// 081: repairs go through an array that takes no writes itself, as `rewrite-through-a-read-only-array` has it.
#[test]
fn a_read_only_array_repairs_its_children_in_qemu() {
    let Some(program) = qemu() else { return };
    let mut daemon = Daemon::start(&program).expect("it starts");
    for child in ["c0", "c1", "c2"] {
        let medium = Medium { bytes: vec![0x32; 10 << 20], holds_reads: false };
        daemon.serve(child, medium).expect("it opens");
    }
    daemon.child("c1").bytes[1 << 20..2 << 20].fill(0x42);
    let array = json!({
        "driver": "quorum", "node-name": "q", "children": ["c0", "c1", "c2"],
        "vote-threshold": 2, "rewrite-corrupted": true, "read-only": true,
    });
    daemon.obey("blockdev-add", &array).expect("it opens");
    let client = daemon.export_read_only("q").expect("it is there");
    let read = Request::Read { offset: 0, bytes: 10 << 20 };
    let reply = daemon.request(client, &read).expect("it answers").expect("two agree");
    assert!(reply.iter().all(|byte| *byte == 0x32));
    let told = daemon.events().expect("it lives");
    assert_eq!(told.len(), 1, "{told:?}");
    let of = |key: &str| told[0].data[key].clone();
    assert_eq!((told[0].name.as_str(), of("node-name")), ("QUORUM_REPORT_BAD", json!("c1")));
    assert_eq!((of("sector-num"), of("sectors-count")), (json!(0), json!(20480)));
    assert!(daemon.child("c1").bytes.iter().all(|byte| *byte == 0x32), "it is repaired");
}

/// 148: what the monitor lets pass of the same errors, a second and a bit apart.
#[test]
fn the_rate_limit_of_148_is_that_of_its_scenarios() {
    let Some(program) = qemu() else { return };
    let mut arrays: Vec<_> = RATE_LIMITS
        .iter()
        .map(|(pattern, scenario)| {
            let mut daemon = Daemon::start(&program).expect("it starts");
            for child in 0..3 {
                daemon
                    .serve(&format!("c{child}"), Failing { sector: 10 + child })
                    .expect("it opens");
            }
            let array = json!({
                "driver": "quorum", "node-name": "q", "children": ["c0", "c1", "c2"],
                "vote-threshold": 2, "read-pattern": pattern,
            });
            daemon.obey("blockdev-add", &array).expect("it opens");
            let client = daemon.export("q").expect("it is there");
            (daemon, client, heard(scenario), Vec::new())
        })
        .collect();
    let groups: [&[u64]; 8] = [&[0, 0, 0, 0], &[0], &[0], &[0], &[0, 1, 2], &[0], &[1], &[2]];
    for group in groups {
        for (daemon, client, _, _) in &mut arrays {
            for child in group {
                let read = Request::Read { offset: (10 + child) * SECTOR, bytes: 512 };
                daemon.request(*client, &read).expect("it answers").expect("two agree");
            }
        }
        // Nothing comes of this name: the limit of a second is waited for.
        let (daemon, ..) = arrays.first_mut().expect("there are two");
        daemon.set_patience(Duration::from_millis(1200));
        assert!(matches!(daemon.until_event("SHUTDOWN"), Err(Error::Silent { .. })));
        daemon.set_patience(Duration::from_secs(10));
        for (daemon, _, _, told) in &mut arrays {
            told.extend(daemon.events().expect("it lives").iter().map(line));
        }
    }
    for (_, _, heard, told) in &arrays {
        assert_eq!(told, heard, "QEMU {}", program.version());
    }
    let told: usize = arrays.iter().map(|(_, _, _, told)| told.len()).sum();
    say(&format!("qemu {}: {told} events got past the limit of 148", program.version()));
}

/// A child that fails to read one sector.
struct Failing {
    sector: u64,
}

impl Child for Failing {
    fn bytes(&self) -> u64 {
        1 << 20
    }

    fn answer(&mut self, request: &Request) -> Answer {
        Answer::Now(match request {
            Request::Read { offset, .. } if *offset == self.sector * SECTOR => Err(Errno::EIO),
            Request::Read { bytes, .. } => Ok(vec![0; *bytes as usize]),
            Request::Write { .. }
            | Request::Zeroes { .. }
            | Request::Discard { .. }
            | Request::Flush => Ok(Vec::new()),
            Request::Status { .. } => unreachable!("it does not offer that"),
        })
    }
}

/// What a scenario says is heard.
fn heard(scenario: &str) -> Vec<String> {
    let list = scenario.split("heard = [").nth(1).expect("it says what is heard");
    let list = list.split(']').next().expect("a split has a first part");
    list.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// An event in the words of a scenario.
fn line(event: &Event) -> String {
    assert_eq!(event.name, "QUORUM_REPORT_BAD");
    assert_eq!(event.data["error"], "Input/output error");
    let of = |key: &str| event.data[key].to_string();
    let (node, op) = (text(&event.data["node-name"]), text(&event.data["type"]));
    format!("bad {node} {op} {}+{} EIO", of("sector-num"), of("sectors-count"))
}

/// 041: which child a copy of the array may take the place of.
#[test]
fn a_job_may_replace_whom_the_node_table_says() {
    let Some(program) = qemu() else { return };
    let (graph, mut daemon) = (Graph::new(Arc::new(()), Arc::new(())), daemon(&program, &[]));
    for name in ["c0", "c1", "c2", "c3", "c4", "c5", "copy"] {
        graph.add(name, Arc::new(Memory::new(65536))).expect("the name is free");
        let null =
            json!({"driver": "null-co", "node-name": name, "size": 65536, "read-zeroes": true});
        daemon.obey("blockdev-add", &null).expect("it opens");
    }
    let arrays: [(&str, &[&str]); 4] =
        [("q", &["c0", "c1", "c2"]), ("p", &["c2", "c3"]), ("in", &["c5"]), ("outer", &["in"])];
    for (name, children) in arrays {
        let array = json!({
            "driver": "quorum", "node-name": name, "children": children, "vote-threshold": 1,
        });
        let opened = graph.open_json(&array).now_or_never().expect("nothing is waited for");
        opened.expect("the children are there");
        daemon.obey("blockdev-add", &array).expect("it opens");
    }
    let mut compared = 0;
    for source in ["q", "p", "outer"] {
        for candidate in ["q", "p", "outer", "in", "c0", "c1", "c2", "c3", "c4", "c5", "zz"] {
            let theirs = replaces(&mut daemon, source, candidate);
            let ours = graph.can_replace(source, candidate);
            assert_eq!(theirs.is_ok(), ours, "{candidate} of {source}: {theirs:?}");
            if let Err(text) = theirs {
                let known = ["cannot be guaranteed", "Failed to find node with node-name='zz'"];
                assert!(known.iter().any(|known| text.contains(known)), "{candidate}: {text}");
            }
            compared += 1;
        }
    }
    say(&format!("qemu {}: {compared} questions of who may be replaced", program.version()));
}

/// Whether a mirror of `source` to `copy` may replace `candidate`; nothing is replaced.
fn replaces<C: Child>(daemon: &mut Daemon<C>, source: &str, candidate: &str) -> Result<(), String> {
    let job = json!({
        "job-id": "mirror", "device": source, "target": "copy", "sync": "full",
        "replaces": candidate,
    });
    match daemon.ask("blockdev-mirror", &job).expect("the daemon lives") {
        Err(refusal) => Err(refusal.text),
        Ok(_) => {
            let cancel = json!({"device": "mirror", "force": true});
            daemon.obey("block-job-cancel", &cancel).expect("it runs");
            daemon.until_event("BLOCK_JOB_CANCELLED").expect("it ends");
            daemon.events().expect("the daemon lives");
            Ok(())
        }
    }
}

/// 041's `test_complete`: the copy is the array's second child, and holds what the array does.
#[test]
fn a_finished_job_puts_the_copy_in_the_place_of_the_child() {
    let Some(program) = qemu() else { return };
    let place = tempfile::tempdir().expect("it can be made");
    let path = |name: &str| place.path().join(name);
    let files = [("c0", b'A'), ("c1", b'Z'), ("c2", b'A'), ("copy", 0)];
    let nodes: Vec<_> = files
        .iter()
        .map(|(name, fill)| {
            fs::write(path(name), [*fill; 65536]).expect("there is space");
            json!({"driver": "file", "node-name": name, "filename": path(name).to_string_lossy()})
        })
        .collect();
    let mut daemon = daemon(&program, &nodes);
    let array = json!({
        "driver": "quorum", "node-name": "q", "children": ["c0", "c1", "c2"], "vote-threshold": 2,
    });
    daemon.obey("blockdev-add", &array).expect("it opens");
    let job = json!({
        "job-id": "mirror", "device": "q", "target": "copy", "sync": "full", "replaces": "c1",
    });
    daemon.obey("blockdev-mirror", &job).expect("it may");
    daemon.until_event("BLOCK_JOB_READY").expect("it copies");
    daemon.obey("job-complete", &json!({"id": "mirror"})).expect("it is ready");
    daemon.until_event("BLOCK_JOB_COMPLETED").expect("it ends");
    assert_eq!(fs::read(path("copy")).expect("it is there"), [b'A'; 65536]);
    assert_eq!(fs::read(path("c1")).expect("it is there"), [b'Z'; 65536], "it was let go");
    let children = |daemon: &mut Daemon<_>| -> Vec<String> {
        let graph = daemon.obey("x-debug-query-block-graph", &json!({})).expect("it is known");
        let nodes = graph["nodes"].as_array().expect("it is a list");
        let id = |name: &str| {
            let node = nodes.iter().find(|node| node["name"] == name);
            node.map(|node| node["id"].clone()).unwrap_or_default()
        };
        let q = id("q");
        let edges = graph["edges"].as_array().expect("it is a list");
        let below = edges.iter().filter(|edge| edge["parent"] == q);
        let named = below.map(|edge| {
            let node = nodes.iter().find(|node| node["id"] == edge["child"]);
            let name = node.map(|node| node["name"].clone()).unwrap_or_default();
            format!("{} {}", text(&edge["name"]), text(&name))
        });
        let mut named: Vec<_> = named.collect();
        named.sort();
        named
    };
    let after = children(&mut daemon);
    assert_eq!(after, ["children.0 c0", "children.1 copy", "children.2 c2"]);
}

fn daemon(program: &Program, nodes: &[Value]) -> Daemon<Medium> {
    let mut daemon = Daemon::start(program).expect("it starts");
    for node in nodes {
        daemon.obey("blockdev-add", node).expect("it opens");
    }
    daemon
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is text")
}
