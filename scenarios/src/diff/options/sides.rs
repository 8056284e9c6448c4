//! The two sides: what each makes of a definition, over the same nodes.

use futures_util::{FutureExt, future::BoxFuture};
use quorate_engine::{
    BlockDevice, Image, Limits, Memory,
    graph::{Graph, Opener},
    quorum::{error::OpenError, options::QuorumOptions},
};
use quorate_qemu::{Answer, Child, Daemon, Error, Io, Program, Request};
use serde_json::{Map, Value, json};
use std::{fmt, sync::Arc};

/// What one side makes of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A node.
    Taken,
    /// Nothing.
    Refused {
        /// The class of the error; that of texts is not told.
        class: String,
        /// Why, for people.
        text: String,
    },
    /// The end of the process.
    Died,
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("a node"),
            Self::Refused { class, text } => write!(f, "'{text}' ({class})"),
            Self::Died => f.write_str("the end of the process"),
        }
    }
}

/// Where a definition comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// `blockdev-add`.
    Json(Value),
    /// A list of options on a command line.
    Dotted(Vec<String>),
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(value) => write!(f, "blockdev-add {value}"),
            Self::Dotted(options) => write!(f, "qemu-io --image-opts '{}'", options.join(",")),
        }
    }
}

/// Our side.
pub(super) struct Ours(Graph);

impl Ours {
    pub(super) fn new() -> Self {
        Self(graph(nodes()))
    }

    /// What we make of it, and the error itself.
    pub(super) fn open(&self, definition: &Definition) -> (Opened, Option<OpenError>) {
        let opened = match definition {
            Definition::Json(node) => now(self.open_json(node)),
            Definition::Dotted(options) => now(self.open_dotted(&options.join(","))),
        };
        match opened {
            Ok(()) => (Opened::Taken, None),
            Err(error) => {
                let refused = refused(error.class(), &error.to_string());
                (refused, Some(error))
            }
        }
    }

    async fn open_json(&self, node: &Value) -> Result<(), OpenError> {
        // What is no array by its driver is to be refused as an array.
        if node["driver"] != "quorum" {
            QuorumOptions::from_json(node)?;
        }
        let (name, _) = self.0.open_json(node).await?;
        self.0.remove(name.as_str()).await.expect("nobody uses it");
        Ok(())
    }

    async fn open_dotted(&self, options: &str) -> Result<(), OpenError> {
        // There are no nodes to refer to where a command line is opened.
        let graph = graph([]);
        graph.open(QuorumOptions::from_dotted(options)?).await.map(drop)
    }
}

/// QEMU's side.
#[derive(Debug)]
pub(super) struct Theirs {
    program: Program,
    /// None once it has ended.
    daemon: Option<Daemon<Nobody>>,
    io: Io,
}

impl Theirs {
    pub(super) fn start(program: &Program) -> Result<Self, Error> {
        let daemon = Some(daemon(program, nodes())?);
        Ok(Self { program: program.clone(), daemon, io: Io::start(program)? })
    }

    pub(super) fn open(&mut self, definition: &Definition) -> Result<Opened, Error> {
        let opened = match definition {
            Definition::Json(node) => self.open_json(node),
            Definition::Dotted(options) => self.open_dotted(&options.join(",")),
        };
        match opened {
            Err(Error::Died { .. } | Error::IoDied { .. }) => Ok(Opened::Died),
            opened => opened,
        }
    }

    fn open_json(&mut self, node: &Value) -> Result<Opened, Error> {
        let mut daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => daemon(&self.program, nodes())?,
        };
        let opened = match daemon.ask("blockdev-add", node)? {
            Ok(_) => {
                daemon.obey("blockdev-del", &json!({"node-name": node["node-name"]}))?;
                Opened::Taken
            }
            Err(refusal) => refused(&refusal.class, &refusal.text),
        };
        self.daemon = Some(daemon);
        Ok(opened)
    }

    fn open_dotted(&mut self, options: &str) -> Result<Opened, Error> {
        let refusal = self.io.refuses(options)?;
        Ok(refusal.map_or(Opened::Taken, |text| refused(CLASS, &text)))
    }
}

fn refused(class: &str, text: &str) -> Opened {
    Opened::Refused { class: class.into(), text: unnumbered(text) }
}

/// A text without the numbers of nodes that nobody has named: they count what was opened before.
fn unnumbered(text: &str) -> String {
    let mut parts = text.split(UNNAMED);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        // It has three digits or more.
        text + UNNAMED + if part.len() - rest.len() < 3 { part } else { rest }
    })
}

/// A node table of ours with these nodes, which knows the driver `null-co`.
///
/// # Panics
/// A node cannot be opened.
#[must_use]
pub fn graph(nodes: impl IntoIterator<Item = Value>) -> Graph {
    let graph = Graph::new(Arc::new(Null), Arc::new(()));
    for node in nodes {
        now(graph.open_json(&node)).expect("the nodes are right");
    }
    graph
}

/// A daemon with these nodes.
///
/// # Errors
/// It does not start, or a node cannot be opened.
pub fn daemon(
    program: &Program,
    nodes: impl IntoIterator<Item = Value>,
) -> Result<Daemon<Nobody>, Error> {
    let mut daemon = Daemon::start(program)?;
    for node in nodes {
        daemon.obey("blockdev-add", &node)?;
    }
    Ok(daemon)
}

/// The nodes that are there.
fn nodes() -> impl Iterator<Item = Value> {
    node_names().map(|name| {
        let mut node = node(name);
        node["node-name"] = name.into();
        node
    })
}

/// The definition of a node that is as the one of this name, or as any.
pub(super) fn node(name: &str) -> Value {
    let known = NODES.iter().find(|node| node.0 == name);
    let (_, bytes, read_only) = known.unwrap_or(&NODES[0]);
    let mut node = json!({"driver": "null-co", "size": bytes, "read-zeroes": true});
    if *read_only {
        node["read-only"] = true.into();
    }
    node
}

/// The names of the nodes that are there.
pub(super) fn node_names() -> impl Iterator<Item = &'static str> {
    NODES.iter().map(|node| node.0)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory answers at once")
}

/// Opens what QEMU's `null-co` is.
struct Null;

impl Opener for Null {
    fn open<'a>(
        &'a self,
        driver: &'a str,
        options: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>> {
        // A command line has no other types than texts.
        let size = options.get("size");
        let bytes = size.and_then(|size| size.as_u64().or_else(|| size.as_str()?.parse().ok()));
        let read_only = [Value::Bool(true), "on".into()];
        let read_only = options.get("read-only").is_some_and(|given| read_only.contains(given));
        let limits = Limits { read_only, ..Limits::NONE };
        Box::pin(async move {
            if driver != "null-co" {
                return ().open(driver, options).await;
            }
            let image = Image::new(bytes.unwrap_or(1 << 30));
            Ok(Arc::new(Memory::with_image(image, limits)) as Arc<dyn BlockDevice>)
        })
    }
}

/// Stands for the children of a daemon that is served none.
#[derive(Debug)]
pub enum Nobody {}

impl Child for Nobody {
    fn bytes(&self) -> u64 {
        match *self {}
    }

    fn answer(&mut self, _: &Request) -> Answer {
        match *self {}
    }
}

/// Name, length, and whether it takes no writes.
const NODES: [(&str, u64, bool); 5] = [
    ("a", 65536, false),
    ("b", 65536, false),
    ("c", 65536, false),
    ("big", 131_072, false),
    ("ro", 65536, true),
];
/// How the name begins that a node gets without one.
const UNNAMED: &str = "#block";
/// The class of every refusal here.
const CLASS: &str = "GenericError";
