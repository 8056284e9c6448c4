//! Connections that images share.

use super::{
    api::{Connected, Gfapi, Volume},
    device::Gluster,
    error::GlusterError,
    json::DRIVER,
    notice::Notices,
    options::{Cluster, GlusterOptions},
};
use crate::{
    device::BlockDevice,
    graph::Opener,
    quorum::{error::OpenError, resolver::unknown_driver},
};
use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// A way to open images, which share a connection for as long as somebody has one of them open.
///
/// Two images share it if their [`Cluster`]s are equal: the servers in their order, the volume, and
/// what is logged where. QEMU goes by the volume's name alone, and so takes two volumes of one name
/// for one; a quorum of them has one replica there and no error.
pub struct Client {
    gfapi: Arc<dyn Gfapi>,
    notices: Arc<dyn Notices>,
    connections: Mutex<BTreeMap<Cluster, WeakShared<Connecting>>>,
}

type Connecting = BoxFuture<'static, Connected>;

/// A share of a connection, which ends with the last one.
pub(super) struct Connection {
    pub(super) volume: Arc<dyn Volume>,
    /// Never polled: who comes next finds the volume in it.
    _share: Shared<Connecting>,
}

impl Client {
    /// No connection yet. What images have to say beside their answers goes to `notices`.
    #[must_use]
    pub fn new(gfapi: Arc<dyn Gfapi>, notices: Arc<dyn Notices>) -> Self {
        Self { gfapi, notices, connections: Mutex::default() }
    }

    pub(super) fn notices(&self) -> Arc<dyn Notices> {
        self.notices.clone()
    }

    /// Joins the connection to the cluster, or makes one. Who comes while it is being made waits for
    /// it, and hears of its failure; the next one tries again.
    pub(super) async fn connect(
        &self,
        options: &GlusterOptions,
    ) -> Result<Connection, GlusterError> {
        let share = self.share(options.cluster());
        let connected = share.clone().await;
        let volume = connected.map_err(|refusal| GlusterError::Connect {
            options: Box::new(options.clone()),
            refusal,
        })?;
        Ok(Connection { volume, _share: share })
    }

    fn share(&self, cluster: &Cluster) -> Shared<Connecting> {
        // Let go of after the lock: one of them may be the last share by then.
        let mut alive = Vec::new();
        let mut connections = self.connections.lock().expect("nothing panics under this lock");
        connections.retain(|_, share| share.upgrade().map(|share| alive.push(share)).is_some());
        let there = connections.get(cluster).and_then(WeakShared::upgrade);
        there.unwrap_or_else(|| {
            let (gfapi, cluster) = (self.gfapi.clone(), cluster.clone());
            let key = cluster.clone();
            let share = async move { gfapi.connect(&cluster).await }.boxed().shared();
            connections.insert(key, share.downgrade().expect("it has not been polled"));
            share
        })
    }
}

/// Opens nodes of the driver `gluster`, so that `children.0.driver=gluster,…` works.
impl Opener for Client {
    fn open<'a>(
        &'a self,
        driver: &'a str,
        options: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Arc<dyn BlockDevice>, OpenError>> {
        Box::pin(async move {
            if driver != DRIVER {
                return Err(unknown_driver(driver));
            }
            let options = GlusterOptions::from_json(&Value::Object(options.clone()))?;
            Ok(Gluster::open(options, self).await? as Arc<dyn BlockDevice>)
        })
    }
}
