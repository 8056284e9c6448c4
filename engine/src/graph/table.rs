//! The nodes and the edges between them. Nothing here opens, closes or waits.

use crate::{
    device::BlockDevice,
    event::NodeName,
    quorum::{
        Quorum,
        error::{ChangeError, OpenError},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Nodes by name.
#[derive(Default)]
pub(super) struct Table {
    nodes: BTreeMap<NodeName, Node>,
    named: u64,
}

/// What a node is.
pub(super) struct Node {
    pub(super) driver: String,
    pub(super) children: Vec<(String, NodeName)>,
    /// `None` while it is being opened.
    device: Option<Device>,
    /// Whether it stays without a parent.
    owned: bool,
    /// The number of the next child, counted as quorum_add_child and quorum_del_child do.
    next_child: usize,
}

/// What is behind a node.
#[derive(Clone)]
pub(super) enum Device {
    Quorum(Arc<Quorum>),
    Other(Arc<dyn BlockDevice>),
}

impl Device {
    pub(super) fn block_device(&self) -> Arc<dyn BlockDevice> {
        match self {
            Self::Quorum(quorum) => quorum.clone(),
            Self::Other(device) => device.clone(),
        }
    }

    pub(super) fn quorum(&self) -> Option<Arc<Quorum>> {
        match self {
            Self::Quorum(quorum) => Some(quorum.clone()),
            Self::Other(_) => None,
        }
    }
}

impl Table {
    /// A name that no user can give.
    pub(super) fn fresh_name(&mut self) -> NodeName {
        self.named += 1;
        format!("#block{:03}", self.named).into()
    }

    pub(super) fn reserve(
        &mut self,
        name: &NodeName,
        driver: &str,
        owned: bool,
    ) -> Result<(), OpenError> {
        if self.nodes.contains_key(name) {
            return Err(OpenError::Duplicate(name.clone()));
        }
        let node = Node {
            driver: driver.into(),
            children: Vec::new(),
            device: None,
            owned,
            next_child: 0,
        };
        self.nodes.insert(name.clone(), node);
        Ok(())
    }

    pub(super) fn opened(&mut self, name: &NodeName, device: Device) {
        let node = self.nodes.get_mut(name).expect("the name is reserved while its node is opened");
        assert!(node.device.is_none(), "a node is opened once");
        node.device = Some(device);
    }

    /// Takes a node out whatever its state, and every node that nobody holds any more. Answers the
    /// devices to close, parents before children.
    pub(super) fn forget(&mut self, name: &str) -> Vec<Arc<dyn BlockDevice>> {
        for node in self.nodes.values_mut() {
            node.children.retain(|(_, child)| child.as_str() != name);
        }
        let mut devices = Vec::new();
        let mut going = vec![NodeName::from(name)];
        while let Some(name) = going.pop() {
            let Some(node) = self.nodes.remove(&name) else { continue };
            devices.extend(node.device.map(|device| device.block_device()));
            let children = node.children.into_iter().rev().map(|(_, child)| child);
            going.extend(children.filter(|child| self.is_orphan(child)));
        }
        devices
    }

    pub(super) fn disown(&mut self, name: &str) -> Result<Vec<Arc<dyn BlockDevice>>, ChangeError> {
        let node = self.node(name).filter(|node| node.device.is_some());
        let node = node.ok_or_else(|| ChangeError::NotThere(name.into()))?;
        if !node.owned {
            return Err(ChangeError::NotOwned(name.into()));
        }
        if !self.parents(name).is_empty() {
            return Err(ChangeError::InUse(name.into()));
        }
        Ok(self.forget(name))
    }

    /// A new edge of an array that is being opened.
    pub(super) fn link(&mut self, parent: &NodeName, index: usize, child: &NodeName) {
        let node = self.nodes.get_mut(parent).expect("the parent's name is reserved");
        node.children.push((child_name(index), child.clone()));
        node.next_child = index + 1;
    }

    /// The same to a node that is there.
    pub(super) fn link_existing(
        &mut self,
        parent: &NodeName,
        index: usize,
        child: &NodeName,
    ) -> Result<Arc<dyn BlockDevice>, OpenError> {
        if self.is_below(parent.as_str(), child.as_str()) {
            let (node, parent) = (child.clone(), parent.clone());
            return Err(OpenError::Cycle { node, child: child_name(index), parent });
        }
        let device = self.device(child.as_str()).map(Device::block_device);
        let device = device.ok_or_else(|| OpenError::NotFound(child.clone()))?;
        self.link(parent, index, child);
        Ok(device)
    }

    /// A new edge of an array that is open, under the name that it is going to have.
    pub(super) fn link_new(
        &mut self,
        parent: &str,
        array: Option<Arc<Quorum>>,
        node: &str,
    ) -> Result<(Arc<Quorum>, Arc<dyn BlockDevice>), ChangeError> {
        let device = self.device(node).map(Device::block_device);
        let device = device.ok_or_else(|| ChangeError::NoNode(node.into()))?;
        let array = array.ok_or_else(|| ChangeError::NotAnArray(parent.into()))?;
        if !self.parents(node).is_empty() {
            return Err(ChangeError::HasParent(node.into()));
        }
        if array.options().blkverify() {
            return Err(ChangeError::Blkverify);
        }
        let below = self.is_below(parent, node);
        let above = self.nodes.get_mut(parent);
        let above = above.ok_or_else(|| ChangeError::NoParent(parent.into()))?;
        let child = child_name(above.next_child);
        if below {
            return Err(ChangeError::Cycle { node: node.into(), child, parent: parent.into() });
        }
        above.children.push((child, node.into()));
        above.next_child += 1;
        Ok((array, device))
    }

    /// Sets what a child is called, once its array has said so.
    pub(super) fn rename(&mut self, parent: &str, child: &str, name: &str) {
        let edges = self.nodes.get_mut(parent).into_iter().flat_map(|node| &mut node.children);
        for (old, _) in edges.filter(|(_, node)| node.as_str() == child) {
            *old = name.into();
        }
    }

    /// Takes out the edge to a node, and every node that nobody holds any more. Answers the devices
    /// to close. The name only tells edges to the same node apart: a new one may still be called by
    /// the number that it was expected to get.
    pub(super) fn unlink(
        &mut self,
        parent: &str,
        name: &str,
        child: &NodeName,
    ) -> Vec<Arc<dyn BlockDevice>> {
        let Some(node) = self.nodes.get_mut(parent) else { return Vec::new() };
        let mut edges = node.children.iter();
        let exact = edges.position(|(edge, node)| edge == name && node == child);
        let at = exact.or_else(|| node.children.iter().position(|(_, node)| node == child));
        let Some(at) = at else { return Vec::new() };
        let (name, child) = node.children.remove(at);
        // As quorum_del_child: the number of the newest child is given out again.
        if node.next_child.checked_sub(1).is_some_and(|newest| child_name(newest) == name) {
            node.next_child -= 1;
        }
        if self.is_orphan(&child) { self.forget(child.as_str()) } else { Vec::new() }
    }

    pub(super) fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    pub(super) fn device(&self, name: &str) -> Option<&Device> {
        self.node(name)?.device.as_ref()
    }

    /// The array behind a node that is to have its children changed, if it is an array.
    pub(super) fn parent(&self, name: &str) -> Result<Option<Arc<Quorum>>, ChangeError> {
        let device = self.device(name).ok_or_else(|| ChangeError::NoParent(name.into()))?;
        Ok(device.quorum())
    }

    pub(super) fn parents(&self, name: &str) -> Vec<NodeName> {
        let holds = |node: &Node| node.children.iter().any(|(_, child)| child.as_str() == name);
        self.nodes.iter().filter(|(_, node)| holds(node)).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn names(&self) -> Vec<NodeName> {
        self.nodes.keys().cloned().collect()
    }

    pub(super) fn is_first_non_filter(&self, node: &str, candidate: &str) -> bool {
        match self.device(node) {
            None => false,
            Some(Device::Other(_)) => node == candidate,
            Some(Device::Quorum(_)) => self.nodes[node]
                .children
                .iter()
                .any(|(_, child)| self.is_first_non_filter(child.as_str(), candidate)),
        }
    }

    /// Whether `name` is `top` or somewhere below it.
    fn is_below(&self, name: &str, top: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut going = vec![top];
        while let Some(at) = going.pop() {
            if at == name {
                return true;
            }
            if seen.insert(at) {
                let children = self.node(at).into_iter().flat_map(|node| &node.children);
                going.extend(children.map(|(_, child)| child.as_str()));
            }
        }
        false
    }

    fn is_orphan(&self, name: &NodeName) -> bool {
        let owned = self.nodes.get(name).is_some_and(|node| node.owned);
        !owned && self.parents(name.as_str()).is_empty()
    }
}

fn child_name(index: usize) -> String {
    format!("children.{index}")
}
