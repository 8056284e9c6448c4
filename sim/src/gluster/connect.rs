//! Connecting to a volume, in bounded time.

use super::{
    link::{Client, Link, establish, place},
    machine::spawn,
    mount::Mount,
    serve::elapsed,
    watched::Slot,
    wire::dial,
    world::{Inner, Site},
};
use futures_util::future::BoxFuture;
use madsim::time::{sleep, timeout};
use quorate_engine::{
    Errno,
    gluster::{
        api::{Connected, Gfapi, Refusal},
        options::{Cluster, PORT, Server},
    },
};
use std::{
    future::pending,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// The client's way to clusters.
pub(super) struct Reach(pub(super) Arc<Inner>);

impl Gfapi for Reach {
    fn connect<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Connected> {
        Box::pin(async move {
            let (world, cluster) = (self.0.clone(), cluster.clone());
            let (node, slot) = (world.client, Arc::new(Slot::empty()));
            let told = slot.clone();
            spawn(node, async move { told.fill(connect(&world, &cluster).await) });
            slot.take().await
        })
    }
}

/// Asks the first server that answers, which knows best.
async fn connect(world: &Inner, cluster: &Cluster) -> Connected {
    let began = elapsed();
    let mut said = Vec::new();
    for server in &cluster.servers {
        match answers(world, server, began).await {
            Ok(site) => {
                let mounted = timeout(VOLUME, mount(world, &site, &cluster.volume)).await;
                return mounted.unwrap_or_else(|_| {
                    let text = format!("the volume was not there within {VOLUME:?}");
                    Err(Refusal { errno: Errno::ETIMEDOUT.number(), text: Some(text) })
                });
            }
            Err(text) => said.push(format!("{server}: {text}")),
        }
    }
    Err(Refusal { errno: Errno::ENOTCONN.number(), text: Some(said.join("; ")) })
}

/// Whether a server takes a connection; all are tried at once, so what is silent costs its time once.
async fn answers(world: &Inner, server: &Server, began: Duration) -> Result<Arc<Site>, String> {
    let refused = || io::Error::from_raw_os_error(ECONNREFUSED).to_string();
    let site = match server {
        Server::Inet { host, port } => match world.site(host) {
            Some(_) if *port != PORT => return Err(refused()),
            site => site.ok_or("the name has no address")?,
        },
        Server::Unix { path } => {
            let missing = || io::Error::from_raw_os_error(Errno::ENOENT.number()).to_string();
            world.site(path).ok_or_else(missing)?
        }
    };
    if !site.server.is_reachable() {
        let left = (began + SERVER).saturating_sub(elapsed());
        sleep(left).await;
        return Err(format!("no answer within {SERVER:?}"));
    }
    match dial(site.server.address).await {
        Ok(_) => Ok(site),
        Err(_) => Err(refused()),
    }
}

async fn mount(world: &Inner, site: &Site, volume: &str) -> Connected {
    let refusal = |errno: Errno| Refusal { errno: errno.number(), text: None };
    let known = place(site.server.address, volume).await.map_err(refusal)?;
    if known.is_none() {
        return Err(refusal(Errno::ENOENT));
    }
    let shared = site.bricks[volume].0.clone();
    if !shared.machine.is_reachable() {
        return pending().await;
    }
    let number = world.clients.fetch_add(1, Ordering::Relaxed);
    let client = Client { number, node: world.client };
    // Whatever is wrong with a brick, this is what is said of it.
    let ends = establish(&shared, client, false).await.map_err(|_| refusal(Errno::EIO))?;
    Ok(Arc::new(Mount::new(Link::new(shared, client, ends))))
}

/// How long to wait for a server to take a connection, and then for the volume, as `quorate-gfapi` has
/// it by default.
const SERVER: Duration = Duration::from_secs(5);
const VOLUME: Duration = Duration::from_secs(30);

const ECONNREFUSED: i32 = 111;
