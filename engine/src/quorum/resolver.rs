//! Where an array gets its children from.

use super::{
    error::OpenError,
    options::{ChildSpec, OptionsError},
};
use crate::{device::BlockDevice, event::NodeName};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The answer to a question for a child.
pub type Resolving<'a> = BoxFuture<'a, Result<(NodeName, Arc<dyn BlockDevice>), OpenError>>;

/// Opens the children of an array.
pub trait Resolver: Send + Sync {
    /// Opens one child, and says what its node is called.
    fn resolve<'a>(&'a self, child: &'a ChildSpec, index: usize) -> Resolving<'a>;
}

/// Resolves nothing but devices that are open already.
impl Resolver for () {
    fn resolve<'a>(&'a self, child: &'a ChildSpec, _: usize) -> Resolving<'a> {
        let resolved = match child {
            ChildSpec::Device { node_name, device } => Ok((node_name.clone(), device.clone())),
            ChildSpec::Node(name) => Err(OpenError::NotFound(name.clone())),
            ChildSpec::Inline(definition) => Err(unknown_driver(driver(definition))),
        };
        Box::pin(async { resolved })
    }
}

/// The driver that a definition names.
pub(crate) fn driver(definition: &Map<String, Value>) -> &str {
    definition.get("driver").and_then(Value::as_str).unwrap_or_default()
}

/// The error of a driver that nobody can open.
pub(crate) fn unknown_driver(driver: &str) -> OpenError {
    OptionsError::UnknownDriver(driver.into()).into()
}
