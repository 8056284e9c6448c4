//! Options whose text is understood and whose values are not checked yet, and the checks.

use crate::{
    event::NodeName,
    quorum::options::{
        ChildSpec, DRIVER, OptionsError, Overlap, QuorumOptions, ReadPattern, dotted,
        error::DEPTH_MAX, json,
    },
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Options before they are checked.
///
/// A field that could not be understood holds its error, which comes up when its turn comes: the
/// order of all checks is that of [`Draft::validate`].
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) generic: Result<Generic, OptionsError>,
    pub(super) children: Result<Vec<DraftChild>, OptionsError>,
    pub(super) threshold: Result<i128, OptionsError>,
    pub(super) read_pattern: Result<ReadPattern, OptionsError>,
    pub(super) rewrite_corrupted: Result<bool, OptionsError>,
    pub(super) blkverify: Result<bool, OptionsError>,
    pub(super) overlap: Result<Overlap, OptionsError>,
    /// An option that nobody knows.
    pub(super) unknown: Option<String>,
    /// How many definitions this one is inside of.
    pub(super) depth: usize,
}

/// Everything at its default, and no children.
impl Default for Draft {
    fn default() -> Self {
        Self {
            generic: Ok(Generic::default()),
            children: Ok(Vec::new()),
            threshold: Ok(0),
            read_pattern: Ok(ReadPattern::Quorum),
            rewrite_corrupted: Ok(false),
            blkverify: Ok(false),
            overlap: Ok(Overlap::Serialise),
            unknown: None,
            depth: 0,
        }
    }
}

/// A child before it is checked.
#[derive(Debug)]
pub(super) enum DraftChild {
    /// As it will stay, but for what a definition inherits.
    Spec(ChildSpec),
    /// A definition in dotted keys.
    Dotted(Vec<(String, String)>),
}

/// Options that every node has.
#[derive(Debug, Default)]
pub(crate) struct Generic {
    pub(crate) node_name: Option<String>,
    pub(crate) read_only: Option<bool>,
    pub(crate) auto_read_only: Option<bool>,
    pub(crate) force_share: Option<bool>,
    pub(crate) cache_direct: Option<bool>,
    pub(crate) cache_no_flush: Option<bool>,
    pub(crate) active: Option<bool>,
    pub(crate) discard: Option<Result<Discard, OptionsError>>,
    pub(crate) detect_zeroes: Option<Result<DetectZeroes, OptionsError>>,
}

/// Whether discards reach the image. Those of an array reach no child either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discard {
    Ignore,
    Unmap,
}

/// Whether writes of zeroes become zeroing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DetectZeroes {
    Off,
    On,
    Unmap,
}

impl Draft {
    /// As bdrv_open_common and quorum_open: the first check that fails decides.
    pub(super) fn validate(self) -> Result<QuorumOptions, OptionsError> {
        if self.depth > DEPTH_MAX {
            return Err(OptionsError::TooDeep);
        }
        let generic = self.generic?;
        generic.check(if self.depth == 0 { Discard::Ignore } else { Discard::Unmap })?;
        let children = self.children?;
        if children.is_empty() {
            return Err(OptionsError::NoChildren);
        }
        // As qemu_opts_absorb_qdict, which takes the options in the order of their hashes.
        let blkverify = self.blkverify?;
        let rewrite_corrupted = self.rewrite_corrupted?;
        let vote_threshold = threshold(self.threshold?, children.len())?;
        let read_pattern = self.read_pattern?;
        let overlap = self.overlap?;
        match read_pattern {
            ReadPattern::Quorum if blkverify && (children.len(), vote_threshold) != (2, 2) => {
                return Err(OptionsError::Blkverify);
            }
            ReadPattern::Quorum if blkverify && rewrite_corrupted => {
                return Err(OptionsError::BlkverifyRewrite);
            }
            ReadPattern::Fifo if blkverify => return Err(OptionsError::FifoBlkverify),
            ReadPattern::Fifo if rewrite_corrupted => return Err(OptionsError::FifoRewrite),
            ReadPattern::Quorum | ReadPattern::Fifo => {}
        }
        generic.refuse()?;
        one_vote_each(&children)?;
        let inherited = generic.inherited();
        let mut specs = Vec::with_capacity(children.len());
        for (index, child) in children.into_iter().enumerate() {
            let spec = child.validate(index, self.depth, &inherited);
            specs.push(spec.map_err(|error| error.of_child(index))?);
        }
        if let Some(option) = self.unknown {
            return Err(OptionsError::Unsupported(option));
        }
        Ok(QuorumOptions {
            node_name: generic.node_name.unwrap_or_default().into(),
            vote_threshold,
            read_pattern,
            rewrite_corrupted,
            blkverify,
            overlap,
            generic: inherited,
            children: specs,
        })
    }
}

impl DraftChild {
    fn validate(
        self,
        index: usize,
        depth: usize,
        inherited: &Map<String, Value>,
    ) -> Result<ChildSpec, OptionsError> {
        let mut definition = match self {
            Self::Spec(ChildSpec::Inline(definition)) => definition,
            Self::Spec(other) => return Ok(other),
            Self::Dotted(entries) => dotted::definition(entries, depth + 1)?,
        };
        // As bdrv_inherited_options: what the definition does not say, its parent does.
        for (option, value) in inherited {
            definition.entry(option).or_insert_with(|| value.clone());
        }
        json::check_definition(&definition, &format!("children[{index}]"), depth + 1)?;
        Ok(ChildSpec::Inline(definition))
    }

    fn reference(&self) -> Option<&NodeName> {
        match self {
            Self::Spec(ChildSpec::Device { node_name, .. } | ChildSpec::Node(node_name)) => {
                Some(node_name)
            }
            Self::Spec(ChildSpec::Inline(_)) | Self::Dotted(_) => None,
        }
    }
}

impl Generic {
    /// As bdrv_open_common, then bdrv_assign_node_name. Where nothing is said of discards, they are as by
    /// bdrv_inherited_options: a child's pass.
    pub(crate) fn check(&self, discard_unsaid: Discard) -> Result<(), OptionsError> {
        if self.force_share == Some(true) && self.read_only != Some(true) {
            return Err(OptionsError::SharedWritable);
        }
        let discard = self.discard.clone().transpose()?;
        let detect_zeroes = self.detect_zeroes.clone().transpose()?;
        let discard = discard.unwrap_or(discard_unsaid);
        if detect_zeroes == Some(DetectZeroes::Unmap) && discard != Discard::Unmap {
            return Err(OptionsError::UnmapWithoutDiscard);
        }
        self.node_name.as_deref().map_or(Ok(()), check_node_name)
    }

    /// What QEMU takes and the engine cannot do.
    fn refuse(&self) -> Result<(), OptionsError> {
        if matches!(self.detect_zeroes, Some(Ok(DetectZeroes::On | DetectZeroes::Unmap))) {
            return Err(OptionsError::Refused {
                option: "detect-zeroes",
                reason: "leave it off here and set it on the children",
            });
        }
        if self.active == Some(false) {
            return Err(OptionsError::Refused {
                option: "active=off",
                reason: "an open array is active",
            });
        }
        Ok(())
    }

    /// What definitions of children inherit. None of it changes the array, but for `read-only`.
    fn inherited(&self) -> Map<String, Value> {
        let mut inherited = Map::new();
        let mut put = |name: &str, value: Option<bool>| {
            value.map(|value| inherited.insert(name.into(), value.into()));
        };
        put("read-only", self.read_only);
        put("auto-read-only", self.auto_read_only);
        put("force-share", self.force_share);
        let mut cache = Map::new();
        let mut put = |name: &str, value: Option<bool>| {
            value.map(|value| cache.insert(name.into(), value.into()));
        };
        put("direct", self.cache_direct);
        put("no-flush", self.cache_no_flush);
        if !cache.is_empty() {
            inherited.insert("cache".into(), cache.into());
        }
        inherited
    }
}

/// Whether a node may be called this.
///
/// # Errors
/// The refusals of bdrv_assign_node_name.
pub(crate) fn check_node_name(name: &str) -> Result<(), OptionsError> {
    let letter_first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !letter_first || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c)) {
        return Err(OptionsError::NodeName(name.into()));
    }
    if name.len() > NODE_NAME_BYTES_MAX {
        return Err(OptionsError::NodeNameTooLong);
    }
    Ok(())
}

/// The threshold, if it fits.
///
/// QEMU narrows it to 32 bits first, and so takes 2^32 + 2 for 2. What it then refuses as too low
/// is called too low here as well.
fn threshold(wide: i128, children: usize) -> Result<usize, OptionsError> {
    let narrow = u32::try_from(wide & 0xffff_ffff).expect("32 bits are left").cast_signed();
    if wide < 1 || narrow < 1 {
        return Err(OptionsError::ThresholdTooLow);
    }
    let threshold = usize::try_from(wide).ok().filter(|&threshold| threshold <= children);
    threshold.ok_or(OptionsError::ThresholdTooHigh)
}

fn one_vote_each(children: &[DraftChild]) -> Result<(), OptionsError> {
    let mut seen = BTreeSet::new();
    let named = children.iter().filter_map(DraftChild::reference);
    match named.filter(|name| !name.as_str().is_empty()).find(|&name| !seen.insert(name)) {
        Some(twice) => Err(OptionsError::SameNode(twice.clone())),
        None => Ok(()),
    }
}

/// Whether a definition is one of an array.
pub(super) fn is_quorum(definition: &Map<String, Value>) -> bool {
    definition.get("driver").and_then(Value::as_str) == Some(DRIVER)
}

/// As in QEMU, whose field has 32 bytes with the zero that ends it.
const NODE_NAME_BYTES_MAX: usize = 31;
