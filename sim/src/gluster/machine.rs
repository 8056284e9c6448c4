//! A process on a machine of its own: a madsim node.

use super::watched::Watched;
use madsim::{
    net::{Endpoint, NetSim},
    runtime::Handle,
    task::NodeId,
};
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
};

/// A process, which can die, stand still, and be out of reach of the client.
///
/// Its methods must be called inside the madsim runtime that it was made in.
pub(super) struct Machine {
    node: NodeId,
    client: NodeId,
    pub(super) address: SocketAddr,
    state: Mutex<State>,
    /// Whether it has got so far as to take connections.
    listens: Arc<Watched<bool>>,
}

#[derive(Clone, Copy)]
struct State {
    run: Run,
    partitioned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Runs,
    Stands,
    Dead,
}

impl Machine {
    /// Starts what `serve` makes of its end of the network, and again at every start.
    pub(super) fn new<F>(
        name: &str,
        client: NodeId,
        address: SocketAddr,
        serve: impl Fn(Endpoint) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Handle::current();
        let node = runtime.create_node().name(name).ip(address.ip());
        let listens = Arc::new(Watched::new(false));
        let told = listens.clone();
        let run = move || {
            let (serve, told) = (serve.clone(), told.clone());
            async move {
                let endpoint = Endpoint::bind(address).await;
                let endpoint = endpoint.expect("the address is this node's alone");
                told.change(|listens| *listens = true);
                serve(endpoint).await;
            }
        };
        let node = node.init(run).build().id();
        let state = Mutex::new(State { run: Run::Runs, partitioned: false });
        Self { node, client, address, state, listens }
    }

    /// Waits until it takes connections for the first time.
    pub(super) async fn listening(&self) {
        self.listens.until(|listens| listens.then_some(())).await;
    }

    pub(super) fn kill(&self) {
        if self.state().run != Run::Dead {
            // What stands still would be dropped under the runtime's lock otherwise.
            Handle::current().resume(self.node);
            Handle::current().kill(self.node);
            self.state().run = Run::Dead;
        }
    }

    pub(super) fn start(&self) {
        if self.state().run == Run::Dead {
            Handle::current().restart(self.node);
            self.state().run = Run::Runs;
        }
    }

    pub(super) fn pause(&self) {
        if self.state().run == Run::Runs {
            Handle::current().pause(self.node);
            self.state().run = Run::Stands;
        }
    }

    pub(super) fn resume(&self) {
        if self.state().run == Run::Stands {
            Handle::current().resume(self.node);
            self.state().run = Run::Runs;
        }
    }

    /// Loses what goes from here to the client and back.
    pub(super) fn partition(&self) {
        let net = NetSim::current();
        net.clog_link(self.client, self.node);
        net.clog_link(self.node, self.client);
        self.state().partitioned = true;
    }

    pub(super) fn heal(&self) {
        let net = NetSim::current();
        net.unclog_link(self.client, self.node);
        net.unclog_link(self.node, self.client);
        self.state().partitioned = false;
    }

    /// Whether whoever knocks hears something, were it that nobody is there.
    pub(super) fn is_reachable(&self) -> bool {
        !self.state().partitioned
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

/// Runs something on a node of the current runtime.
pub(super) fn spawn(node: NodeId, work: impl Future<Output = ()> + Send + 'static) {
    // Without a runtime nothing runs any more, and nobody waits for it.
    if let Ok(handle) = Handle::try_current() {
        drop(handle.get_node(node).expect("nodes stay").spawn(work));
    }
}

/// The n-th address of the simulated network.
pub(super) fn address(n: u32, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from((FIRST + n).to_be_bytes()), port)
}

/// 10.0.0.1.
const FIRST: u32 = 0x0a00_0001;
