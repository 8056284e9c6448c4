//! The node table: who is called what, and who is whose child.
//!
//! It answers what an array by itself cannot know: whether a name is taken, whether a node already
//! has a parent, whether an edge would close a cycle, and who may be replaced. It does no input or
//! output but to open and close. Absent on purpose: permissions, filters, and users of a node other
//! than arrays.

use crate::{
    device::BlockDevice,
    event::{EventSink, NodeName},
    quorum::{
        Quorum,
        error::{ChangeError, OpenError},
        options::{DRIVER, QuorumOptions, check_node_name},
        resolver::unknown_driver,
    },
};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, MutexGuard};

mod lent;
mod opening;
mod table;

use lent::Lent;
use table::{Device, Table};

/// Opens the nodes of every driver but `quorum`.
pub trait Opener: Send + Sync {
    /// Opens a node. The options are the whole definition, as `blockdev-add` takes it.
    fn open<'a>(
        &'a self,
        driver: &'a str,
        options: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>>;
}

/// Knows no driver.
impl Opener for () {
    fn open<'a>(
        &'a self,
        driver: &'a str,
        _: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>> {
        Box::pin(async move { Err(unknown_driver(driver)) })
    }
}

/// A table of nodes.
///
/// A node that was [added](Graph::add) or opened by itself stays until it is removed. Every other
/// belongs to the arrays above it, and is closed and forgotten when the last of them lets go.
pub struct Graph {
    opener: Arc<dyn Opener>,
    events: Arc<dyn EventSink>,
    table: Mutex<Table>,
}

impl Graph {
    /// An empty table. Every array opened in it reports to `events`.
    #[must_use]
    pub fn new(opener: Arc<dyn Opener>, events: Arc<dyn EventSink>) -> Self {
        Self { opener, events, table: Mutex::default() }
    }

    /// Adds a device that is open already. [`Graph::remove`] closes it.
    ///
    /// # Errors
    /// The name is not one, or taken.
    pub fn add(
        &self,
        node_name: impl Into<NodeName>,
        device: Arc<dyn BlockDevice>,
    ) -> Result<(), OpenError> {
        let name = node_name.into();
        check_node_name(name.as_str())?;
        let mut table = self.table();
        table.reserve(&name, "", true)?;
        table.opened(&name, Device::Other(device));
        Ok(())
    }

    /// Opens an array with everything that is defined inside it. An array without a name gets one.
    ///
    /// Devices in the options are the table's from then on, as if the array had opened them.
    /// Where it fails, everything that it opened is closed again. Dropping the future forgets the
    /// new nodes without closing them.
    ///
    /// # Errors
    /// A child cannot be opened, or a name is unknown or taken.
    pub async fn open(&self, options: QuorumOptions) -> Result<Arc<Quorum>, OpenError> {
        self.open_quorum(options, None).await
    }

    /// Opens a node of any driver, as `blockdev-add` does.
    ///
    /// # Errors
    /// As QEMU words them where it has words: for options, names and children.
    pub async fn open_json(
        &self,
        value: &Value,
    ) -> Result<(NodeName, Arc<dyn BlockDevice>), OpenError> {
        let driver = value.get("driver").and_then(Value::as_str).unwrap_or(DRIVER);
        let Some(definition) = value.as_object().filter(|_| driver != DRIVER) else {
            // As qmp_blockdev_add: after all types, and before anything else.
            let options = QuorumOptions::from_json_named(value)?.ok_or(OpenError::Unnamed)?;
            let name = options.node_name().clone();
            let quorum = self.open(options).await?;
            return Ok((name, quorum));
        };
        if !definition.contains_key("node-name") {
            return Err(OpenError::Unnamed);
        }
        self.open_definition(definition, None).await
    }

    /// Closes and forgets a node, as `blockdev-del` does, and with it every node that was defined
    /// inside it and has no other parent.
    ///
    /// # Errors
    /// There is no such node, it was defined inside an array, or it is a child.
    pub async fn remove(&self, node_name: &str) -> Result<(), ChangeError> {
        let orphans = self.table().disown(node_name)?;
        close(orphans).await;
        Ok(())
    }

    /// Adds a node to an array or removes a child from it, as `x-blockdev-change` does.
    ///
    /// A removed child that was defined inside an array is closed before this returns; the array
    /// itself has let go of it at the first poll.
    ///
    /// # Errors
    /// In QEMU's words and order.
    pub async fn change(
        &self,
        parent: &str,
        child: Option<&str>,
        node: Option<&str>,
    ) -> Result<(), ChangeError> {
        let array = self.table().parent(parent)?;
        match (child, node) {
            (None, None) => Err(ChangeError::Neither),
            (Some(_), Some(_)) => Err(ChangeError::Both),
            (Some(child), None) => {
                let no_child =
                    || ChangeError::NoChild { parent: parent.into(), child: child.into() };
                let gone = array.ok_or_else(no_child)?.remove_child(child)?;
                let orphans = self.table().unlink(parent, child, &gone.node_name);
                close(orphans).await;
                Ok(())
            }
            (None, Some(node)) => self.attach(parent, array, node).await,
        }
    }

    /// The device of a node.
    #[must_use]
    pub fn device(&self, node_name: &str) -> Option<Arc<dyn BlockDevice>> {
        self.table().device(node_name).map(Device::block_device)
    }

    /// The array behind a node, if it is one.
    #[must_use]
    pub fn quorum(&self, node_name: &str) -> Option<Arc<Quorum>> {
        self.table().device(node_name)?.quorum()
    }

    /// The driver of a node; empty for a device that was added open.
    #[must_use]
    pub fn driver(&self, node_name: &str) -> Option<String> {
        Some(self.table().node(node_name)?.driver.clone())
    }

    /// The children of a node: what each is called there, and its node.
    #[must_use]
    pub fn children(&self, node_name: &str) -> Vec<(String, NodeName)> {
        self.table().node(node_name).map_or_else(Vec::new, |node| node.children.clone())
    }

    /// The arrays that a node is a child of.
    #[must_use]
    pub fn parents(&self, node_name: &str) -> Vec<NodeName> {
        self.table().parents(node_name)
    }

    /// Every node, in the order of their names.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeName> {
        self.table().names()
    }

    /// Whether `candidate` is the first node below `node` that is not an array.
    ///
    /// As of 2014, when a quorum counted as a filter.
    #[must_use]
    pub fn is_first_non_filter(&self, node: &str, candidate: &str) -> bool {
        self.table().is_first_non_filter(node, candidate)
    }

    /// Whether a job that copies `quorum` may put its copy in the place of `candidate`.
    ///
    /// As QEMU since 2020: of the array itself, and of a child of it that nobody else can see.
    /// Anybody else who reads the candidate would find the array's data in place of its own.
    #[must_use]
    pub fn can_replace(&self, quorum: &str, candidate: &str) -> bool {
        let table = self.table();
        table.device(quorum).is_some_and(|device| device.quorum().is_some())
            && (quorum == candidate || table.parents(candidate) == [NodeName::from(quorum)])
    }

    async fn attach(
        &self,
        parent: &str,
        array: Option<Arc<Quorum>>,
        node: &str,
    ) -> Result<(), ChangeError> {
        let (array, device) = self.table().link_new(parent, array, node)?;
        // The edge is there before the array has the child: nobody else can take it meanwhile.
        let mut linked = Linked { graph: self, parent, node, kept: false };
        let name = array.add_child(node.into(), Arc::new(Lent(device))).await?;
        linked.kept = true;
        self.table().rename(parent, node, name.as_str());
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds the table")
    }
}

/// An edge that is there while the array has yet to take the child.
struct Linked<'a> {
    graph: &'a Graph,
    parent: &'a str,
    node: &'a str,
    kept: bool,
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let orphans = self.graph.table().unlink(self.parent, "", &self.node.into());
            drop(orphans);
        }
    }
}

async fn close(devices: Vec<Arc<dyn BlockDevice>>) {
    for device in devices {
        // As bdrv_close, which has nobody to tell.
        let _ = device.close().await;
    }
}
