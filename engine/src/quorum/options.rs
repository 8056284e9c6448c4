//! What an array is to be: parsed, checked, and impossible to get wrong afterwards.
//!
//! Options come from three places: a [builder](QuorumOptions::builder), the JSON of QMP's
//! `blockdev-add`, and the dotted text of QEMU's command lines. All three end in one validation, in
//! QEMU 10.0.2's order. Nothing is opened here, and no child is looked at.

use crate::{device::BlockDevice, event::NodeName};
use serde_json::{Map, Value};
use std::{fmt, sync::Arc};

mod dotted;
mod draft;
mod error;
mod json;
mod warning;

pub(crate) use dotted::{number, on_off};
pub(crate) use draft::{DetectZeroes, Discard, Generic, check_node_name};
pub use error::OptionsError;
pub(crate) use error::QMP_CLASS;
pub(crate) use json::{GENERIC, Object, generic, not_a_choice, wrong_type};
pub use warning::Warning;

use draft::{Draft, DraftChild};

/// How an array reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadPattern {
    /// From all children, and the version with the most votes is returned.
    Quorum,
    /// From one child after the other until one succeeds.
    Fifo,
}

/// What happens to requests whose extents overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// They take turns.
    Serialise,
    /// They race, as in QEMU.
    Qemu,
}

/// Where a child comes from.
#[derive(Clone)]
pub enum ChildSpec {
    /// An open device.
    Device {
        /// The name of its node.
        node_name: NodeName,
        /// The device.
        device: Arc<dyn BlockDevice>,
    },
    /// A reference to an existing node.
    Node(NodeName),
    /// The definition of a node, as `blockdev-add` takes it, `driver` included.
    Inline(Map<String, Value>),
}

impl ChildSpec {
    /// What stands for the child in the JSON of its array.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Device { node_name, .. } | Self::Node(node_name) => node_name.as_str().into(),
            Self::Inline(definition) => Value::Object(definition.clone()),
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { node_name, .. } => write!(f, "Device({node_name})"),
            Self::Node(node_name) => write!(f, "Node({node_name})"),
            Self::Inline(definition) => f.debug_tuple("Inline").field(definition).finish(),
        }
    }
}

/// The options of an array, of which no refused combination exists.
///
/// ```
/// # use quorate_engine::quorum::options::QuorumOptions;
/// let options = QuorumOptions::builder("q", 2).node("a").node("b").node("c").build()?;
/// assert_eq!(options.vote_threshold(), 2);
///
/// let refused = QuorumOptions::builder("q", 4).node("a").node("b").node("c").build();
/// assert_eq!(refused.unwrap_err().to_string(), "threshold may not exceed children count");
/// # Ok::<(), quorate_engine::quorum::options::OptionsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct QuorumOptions {
    node_name: NodeName,
    vote_threshold: usize,
    read_pattern: ReadPattern,
    rewrite_corrupted: bool,
    blkverify: bool,
    overlap: Overlap,
    /// `read-only` and the options that only matter to children, as they were given.
    generic: Map<String, Value>,
    children: Vec<ChildSpec>,
}

impl QuorumOptions {
    /// Options of an array with the defaults: reads vote, nothing is rewritten or verified, and
    /// overlapping requests take turns.
    pub fn builder(node_name: impl Into<NodeName>, vote_threshold: usize) -> QuorumBuilder {
        let threshold = i128::try_from(vote_threshold).expect("a usize has at most 64 bits");
        let name = node_name.into().as_str().to_owned();
        QuorumBuilder {
            read_only: false,
            name,
            draft: Draft { threshold: Ok(threshold), ..Draft::default() },
            children: Vec::new(),
        }
    }

    /// Options from the object that QMP's `blockdev-add` takes; `driver` may be absent.
    ///
    /// # Errors
    /// What QEMU refuses over QMP, in its words, and what the engine refuses beyond that.
    pub fn from_json(value: &Value) -> Result<Self, OptionsError> {
        json::parse(value)
    }

    /// The same, or `None` if nobody names the node, whatever else is wrong but the types.
    pub(crate) fn from_json_named(value: &Value) -> Result<Option<Self>, OptionsError> {
        json::parse_named(value)
    }

    /// Options from the text that `qemu-io --image-opts` takes: `driver=quorum,vote-threshold=2,
    /// children.0.driver=…`, where two commas are one comma in a value.
    ///
    /// Definitions come out as JSON: nested quorums with typed values, others with texts.
    ///
    /// # Errors
    /// What QEMU refuses there, in its words, and what the engine refuses beyond that.
    pub fn from_dotted(text: &str) -> Result<Self, OptionsError> {
        dotted::parse(text)
    }

    /// The name of the array's node; empty where nobody named it.
    #[must_use]
    pub fn node_name(&self) -> &NodeName {
        &self.node_name
    }

    /// How many children have to agree.
    #[must_use]
    pub fn vote_threshold(&self) -> usize {
        self.vote_threshold
    }

    /// How the array reads.
    #[must_use]
    pub fn read_pattern(&self) -> ReadPattern {
        self.read_pattern
    }

    /// Whether children that lost a vote are overwritten with what won.
    #[must_use]
    pub fn rewrite_corrupted(&self) -> bool {
        self.rewrite_corrupted
    }

    /// Whether any difference between the two children is a fault of the program above.
    #[must_use]
    pub fn blkverify(&self) -> bool {
        self.blkverify
    }

    /// What happens to requests whose extents overlap.
    #[must_use]
    pub fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.generic.get("read-only") == Some(&Value::Bool(true))
    }

    /// The children, in the order of their indices.
    #[must_use]
    pub fn children(&self) -> &[ChildSpec] {
        &self.children
    }

    /// What is allowed and not safe.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        warning::warnings(self)
    }

    /// The node as `blockdev-add` takes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.to_json_with(self.children.iter().map(ChildSpec::to_json))
    }

    /// The node as `blockdev-add` takes it, with other children than it was opened with.
    #[must_use]
    pub(crate) fn to_json_with(&self, children: impl IntoIterator<Item = Value>) -> Value {
        let mut node = Map::new();
        node.insert("driver".into(), DRIVER.into());
        if !self.node_name.as_str().is_empty() {
            node.insert("node-name".into(), self.node_name.as_str().into());
        }
        node.extend(self.generic.clone());
        node.insert("blkverify".into(), self.blkverify.into());
        node.insert("children".into(), children.into_iter().collect());
        node.insert("vote-threshold".into(), self.vote_threshold.into());
        node.insert("rewrite-corrupted".into(), self.rewrite_corrupted.into());
        node.insert("read-pattern".into(), read_pattern_name(self.read_pattern).into());
        // Ours alone: the default is left out, so that QEMU takes the object too.
        if self.overlap == Overlap::Qemu {
            node.insert("overlap".into(), "qemu".into());
        }
        Value::Object(node)
    }

    /// The same options under the name that a node table gave the node.
    pub(crate) fn named(self, node_name: NodeName) -> Self {
        Self { node_name, ..self }
    }
}

/// Options of an array in the making.
#[must_use]
#[derive(Debug)]
pub struct QuorumBuilder {
    name: String,
    read_only: bool,
    draft: Draft,
    children: Vec<DraftChild>,
}

impl QuorumBuilder {
    /// Adds an open device.
    pub fn child(self, node_name: impl Into<NodeName>, device: Arc<dyn BlockDevice>) -> Self {
        self.spec(ChildSpec::Device { node_name: node_name.into(), device })
    }

    /// Adds a reference to an existing node.
    pub fn node(self, node_name: impl Into<NodeName>) -> Self {
        self.spec(ChildSpec::Node(node_name.into()))
    }

    /// Adds a node of its own, as `blockdev-add` would take it.
    pub fn definition(self, definition: Map<String, Value>) -> Self {
        self.spec(ChildSpec::Inline(definition))
    }

    /// Sets how the array reads.
    pub fn read_pattern(mut self, read_pattern: ReadPattern) -> Self {
        self.draft.read_pattern = Ok(read_pattern);
        self
    }

    /// Sets whether children that lost a vote are overwritten with what won.
    pub fn rewrite_corrupted(mut self, rewrite_corrupted: bool) -> Self {
        self.draft.rewrite_corrupted = Ok(rewrite_corrupted);
        self
    }

    /// Sets whether any difference between the two children is a fault of the program above.
    pub fn blkverify(mut self, blkverify: bool) -> Self {
        self.draft.blkverify = Ok(blkverify);
        self
    }

    /// Sets what happens to requests whose extents overlap.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.draft.overlap = Ok(overlap);
        self
    }

    /// Sets whether writes are refused.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// What QEMU refuses over QMP, in its words, and what the engine refuses beyond that.
    pub fn build(self) -> Result<QuorumOptions, OptionsError> {
        let generic = Generic {
            node_name: Some(self.name),
            read_only: self.read_only.then_some(true),
            ..Generic::default()
        };
        Draft { generic: Ok(generic), children: Ok(self.children), ..self.draft }.validate()
    }

    fn spec(mut self, child: ChildSpec) -> Self {
        self.children.push(DraftChild::Spec(child));
        self
    }
}

fn read_pattern_name(read_pattern: ReadPattern) -> &'static str {
    match read_pattern {
        ReadPattern::Quorum => "quorum",
        ReadPattern::Fifo => "fifo",
    }
}

fn read_pattern_named(name: &str) -> Option<ReadPattern> {
    let all = [ReadPattern::Quorum, ReadPattern::Fifo];
    all.into_iter().find(|&pattern| read_pattern_name(pattern) == name)
}

fn overlap_named(name: &str) -> Result<Overlap, OptionsError> {
    match name {
        "serialise" => Ok(Overlap::Serialise),
        "qemu" => Ok(Overlap::Qemu),
        _ => Err(OptionsError::NotAChoice { name: "overlap", value: name.into() }),
    }
}

/// The driver that all of this is about.
pub(crate) const DRIVER: &str = "quorum";
