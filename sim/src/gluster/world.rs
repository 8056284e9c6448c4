//! Clusters, and the client's way to them.

use super::{
    brick::{Brick, Settings, Shared},
    connect::Reach,
    disk::Disk,
    machine::{Machine, address},
    serve::{self, Store},
};
use madsim::{runtime::Handle, task::NodeId, time::sleep};
use quorate_engine::gluster::{api::Gfapi, options::PORT};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Simulated clusters, and one machine from which they are used.
///
/// It is made, and everything of it called, inside one madsim runtime.
pub struct World(Arc<Inner>);

pub(super) struct Inner {
    pub(super) client: NodeId,
    machines: AtomicU32,
    /// How many connections there were.
    pub(super) clients: AtomicU64,
    sites: Mutex<BTreeMap<String, Arc<Site>>>,
}

/// A cluster.
pub(super) struct Site {
    pub(super) server: Arc<Machine>,
    pub(super) bricks: BTreeMap<String, Brick>,
}

/// What a volume is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name.
    pub name: String,
    /// How much fits on its brick.
    pub capacity: u64,
    /// How its clients behave.
    pub settings: Settings,
}

impl VolumeSpec {
    /// A volume of 1 GiB with the default settings.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), capacity: 1 << 30, settings: Settings::default() }
    }
}

/// A cluster's volume-file server, which clients ask where a volume's brick is.
#[derive(Clone)]
pub struct VolumeFileServer(Arc<Machine>);

impl World {
    /// No cluster yet.
    ///
    /// # Panics
    /// Outside of a madsim runtime.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it does something to the runtime")]
    pub fn new() -> Self {
        let node = Handle::current().create_node().name("client").ip(address(0, 0).ip()).build();
        Self(Arc::new(Inner {
            client: node.id(),
            machines: AtomicU32::new(0),
            clients: AtomicU64::new(0),
            sites: Mutex::default(),
        }))
    }

    /// Adds a cluster that is reached under this host, or by this path of a socket, starts its
    /// machines, and waits until they take connections. Its volumes have one brick each.
    ///
    /// # Panics
    /// There is one already.
    pub async fn add_cluster(&self, host: &str, volumes: impl IntoIterator<Item = VolumeSpec>) {
        let volumes: Vec<_> = volumes.into_iter().map(|spec| (self.address(BRICK), spec)).collect();
        let addresses = volumes.iter().map(|(address, spec)| (spec.name.clone(), *address));
        let known = Arc::new(addresses.collect::<BTreeMap<_, _>>());
        let serve = move |endpoint| serve::volume_files(known.clone(), endpoint);
        let server = self.address(PORT);
        let server = Arc::new(Machine::new(host, self.0.client, server, serve));
        let bricks =
            volumes.into_iter().map(|(address, VolumeSpec { name, capacity, settings })| {
                let store = Arc::new(Store::new(Disk::new(capacity)));
                let served = store.clone();
                let serve = move |endpoint| serve::disk(served.clone(), endpoint);
                let machine =
                    Machine::new(&format!("{host}:{name}"), self.0.client, address, serve);
                let shared = Shared::new(name.clone(), server.clone(), machine, store, settings);
                (name, Brick(Arc::new(shared)))
            });
        let site = Arc::new(Site { bricks: bricks.collect(), server: server.clone() });
        let other = self.0.sites().insert(host.into(), site.clone());
        assert!(other.is_none(), "there is a cluster at {host} already");
        site.server.listening().await;
        for Brick(shared) in site.bricks.values() {
            shared.machine.listening().await;
        }
    }

    /// The brick of a volume.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn brick(&self, host: &str, volume: &str) -> Brick {
        let brick = self.site(host).bricks.get(volume).cloned();
        brick.unwrap_or_else(|| panic!("there is no volume {volume} at {host}"))
    }

    /// The volume-file server of a cluster.
    ///
    /// # Panics
    /// There is no such cluster.
    #[must_use]
    pub fn server(&self, host: &str) -> VolumeFileServer {
        VolumeFileServer(self.site(host).server.clone())
    }

    /// The client's way to the clusters.
    #[must_use]
    pub fn gfapi(&self) -> Arc<dyn Gfapi> {
        Arc::new(Reach(self.0.clone()))
    }

    /// Ends every machine, and lets go of what their disks hold. A runtime by itself keeps what sleeps
    /// in it for ever.
    pub async fn end(self) {
        let sites: Vec<_> = self.0.sites().values().cloned().collect();
        for site in sites {
            site.server.kill();
            for Brick(shared) in site.bricks.values() {
                shared.machine.kill();
                shared.store.disk().clear();
            }
        }
        Handle::current().kill(self.0.client);
        // What was killed is gone after its next turn.
        sleep(Duration::from_millis(1)).await;
    }

    fn address(&self, port: u16) -> std::net::SocketAddr {
        address(1 + self.0.machines.fetch_add(1, Ordering::Relaxed), port)
    }

    fn site(&self, host: &str) -> Arc<Site> {
        self.0.site(host).unwrap_or_else(|| panic!("there is no cluster at {host}"))
    }
}

impl VolumeFileServer {
    /// The process dies. Clients that are connected go on; no connection comes about.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// A process that died is started again.
    pub fn start(&self) {
        self.0.start();
    }

    /// The process stands still. It takes connections and does not answer.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// It goes on.
    pub fn resume(&self) {
        self.0.resume();
    }

    /// It cannot be reached: nothing is heard of it.
    pub fn partition(&self) {
        self.0.partition();
    }

    /// It can be reached again.
    pub fn heal(&self) {
        self.0.heal();
    }
}

impl Inner {
    pub(super) fn site(&self, host: &str) -> Option<Arc<Site>> {
        self.sites().get(host).cloned()
    }

    fn sites(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Site>>> {
        self.sites.lock().expect("nothing panics under this lock")
    }
}

/// Where bricks listen.
const BRICK: u16 = 49152;
