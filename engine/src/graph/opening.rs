//! Opening nodes: their names are taken first, and given back if it comes to nothing.

use crate::{
    device::BlockDevice,
    event::NodeName,
    graph::{Graph, close, lent::Lent, table::Device},
    quorum::{
        Quorum,
        error::OpenError,
        options::{ChildSpec, DRIVER, OptionsError, QuorumOptions, check_node_name},
        resolver::{Resolver, Resolving, driver},
    },
};
use serde_json::{Map, Value};
use std::sync::Arc;

impl Graph {
    pub(super) async fn open_quorum(
        &self,
        options: QuorumOptions,
        edge: Option<Edge<'_>>,
    ) -> Result<Arc<Quorum>, OpenError> {
        let mut reserved = self.reserve(options.node_name().as_str(), DRIVER, edge)?;
        let name = reserved.name.clone();
        let resolver = Children { graph: self, parent: &name };
        let options = options.named(name.clone());
        match Quorum::open(options, &resolver, self.events.clone()).await {
            Ok(quorum) => {
                let quorum = Arc::new(quorum);
                reserved.keep(Device::Quorum(quorum.clone()));
                Ok(quorum)
            }
            Err(error) => {
                let orphans = reserved.forget();
                close(orphans).await;
                Err(error)
            }
        }
    }

    /// Opens a node of any driver but `quorum`.
    pub(super) async fn open_definition(
        &self,
        definition: &Map<String, Value>,
        edge: Option<Edge<'_>>,
    ) -> Result<(NodeName, Arc<dyn BlockDevice>), OpenError> {
        let name = match definition.get("node-name") {
            None => "",
            Some(name) => {
                let wrong =
                    OptionsError::WrongType { name: "node-name".into(), expected: "string" };
                let name = name.as_str().ok_or(wrong)?;
                check_node_name(name)?;
                name
            }
        };
        let driver = driver(definition);
        let mut reserved = self.reserve(name, driver, edge)?;
        let device = self.opener.open(driver, definition).await?;
        reserved.keep(Device::Other(device.clone()));
        Ok((reserved.name.clone(), device))
    }

    fn reserve(
        &self,
        name: &str,
        driver: &str,
        edge: Option<Edge<'_>>,
    ) -> Result<Reserved<'_>, OpenError> {
        let mut table = self.table();
        let name = if name.is_empty() { table.fresh_name() } else { name.into() };
        table.reserve(&name, driver, edge.is_none())?;
        if let Some(Edge { parent, index }) = edge {
            table.link(parent, index, &name);
        }
        Ok(Reserved { graph: self, name, kept: false })
    }
}

/// The place of a node below the array that defines it.
#[derive(Clone, Copy)]
pub(super) struct Edge<'a> {
    pub(super) parent: &'a NodeName,
    pub(super) index: usize,
}

/// Resolves the children of one array.
struct Children<'a> {
    graph: &'a Graph,
    parent: &'a NodeName,
}

impl Resolver for Children<'_> {
    fn resolve<'a>(&'a self, child: &'a ChildSpec, index: usize) -> Resolving<'a> {
        Box::pin(async move {
            let edge = Edge { parent: self.parent, index };
            let (name, device) = match child {
                ChildSpec::Inline(definition) if driver(definition) == DRIVER => {
                    let options = QuorumOptions::from_json(&definition.clone().into())?;
                    let quorum = self.graph.open_quorum(options, Some(edge)).await?;
                    (quorum.options().node_name().clone(), quorum as Arc<dyn BlockDevice>)
                }
                ChildSpec::Inline(definition) => {
                    self.graph.open_definition(definition, Some(edge)).await?
                }
                ChildSpec::Device { node_name, device } => {
                    if !node_name.as_str().is_empty() {
                        check_node_name(node_name.as_str())?;
                    }
                    let mut reserved = self.graph.reserve(node_name.as_str(), "", Some(edge))?;
                    reserved.keep(Device::Other(device.clone()));
                    (reserved.name.clone(), device.clone())
                }
                ChildSpec::Node(name) => {
                    let mut table = self.graph.table();
                    (name.clone(), table.link_existing(self.parent, index, name)?)
                }
            };
            Ok((name, Arc::new(Lent(device)) as Arc<dyn BlockDevice>))
        })
    }
}

/// A name that is taken while its node is being opened.
struct Reserved<'a> {
    graph: &'a Graph,
    name: NodeName,
    kept: bool,
}

impl Reserved<'_> {
    fn keep(&mut self, device: Device) {
        self.kept = true;
        self.graph.table().opened(&self.name, device);
    }

    fn forget(&mut self) -> Vec<Arc<dyn BlockDevice>> {
        self.kept = true;
        self.graph.table().forget(self.name.as_str())
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Dropping the devices is all that can be done where nothing can be awaited.
            let orphans = self.forget();
            drop(orphans);
        }
    }
}
