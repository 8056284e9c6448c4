//! What runs on the servers: the volume-file server and the bricks.

use super::{
    disk::Disk,
    watched::Watched,
    wire::{Ask, Given, Reply, Request, Where, receive},
};
use madsim::{
    net::{Endpoint, Receiver, Sender},
    rand::{Rng, thread_rng},
    task,
    time::{TimeHandle, sleep},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// Tells whoever asks where a volume's brick is.
pub(super) async fn volume_files(volumes: Arc<BTreeMap<String, SocketAddr>>, endpoint: Endpoint) {
    while let Ok((sender, mut receiver, _)) = endpoint.accept1().await {
        let volumes = volumes.clone();
        task::spawn(async move {
            while let Some(Where(volume)) = receive(&mut receiver).await {
                let brick: Option<SocketAddr> = volumes.get(&volume).copied();
                // Whoever asked may be gone.
                let _ = sender.send(Box::new(brick)).await;
            }
        });
    }
}

/// What a brick has that outlives its process.
pub(super) struct Store {
    disk: Mutex<Disk>,
    /// How long messages are on their way beside what the network takes.
    latency: Mutex<Range<Duration>>,
}

impl Store {
    pub(super) fn new(disk: Disk) -> Self {
        Self { disk: Mutex::new(disk), latency: Mutex::default() }
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("nothing panics under this lock")
    }

    pub(super) fn set_latency(&self, latency: Range<Duration>) {
        *self.latency.lock().expect("nothing panics under this lock") = latency;
    }

    /// How long a message takes.
    pub(super) fn latency(&self) -> Duration {
        let latency = self.latency.lock().expect("nothing panics under this lock").clone();
        if latency.is_empty() { latency.start } else { thread_rng().gen_range(latency) }
    }
}

/// Serves a disk.
pub(super) async fn disk(store: Arc<Store>, endpoint: Endpoint) {
    let clients = Clients::default();
    while let Ok((sender, receiver, _)) = endpoint.accept1().await {
        task::spawn(connection(store.clone(), clients.clone(), Arc::new(sender), receiver));
    }
}

/// Whether the last connection of each client is over.
type Clients = Arc<Mutex<BTreeMap<u64, Arc<Watched<bool>>>>>;

async fn connection(
    store: Arc<Store>,
    clients: Clients,
    sender: Arc<Sender>,
    mut receiver: Receiver,
) {
    let over = Over(Arc::new(Watched::new(false)));
    while let Some(Request { id, not_before, ask }) = receive(&mut receiver).await {
        let early = not_before.saturating_sub(elapsed());
        if !early.is_zero() {
            sleep(early).await;
        }
        let answer = match ask {
            Ask::Hello { client, waits } => {
                let before = {
                    let mut clients = clients.lock().expect("nothing panics under this lock");
                    clients.insert(client, over.0.clone())
                };
                if let Some(before) = before.filter(|_| waits) {
                    before.until(|over| over.then_some(())).await;
                }
                Ok(Given::Count(0))
            }
            Ask::Open { path } => store.disk().open(&path),
            Ask::Create { path } => store.disk().create(&path),
            Ask::Of(opened, what) => store.disk().ask(opened, &what),
        };
        reply(&store, &sender, Reply { id, answer }).await;
    }
}

/// Sends a reply. Slow ones overtake each other.
async fn reply(store: &Store, sender: &Arc<Sender>, reply: Reply) {
    let latency = store.latency();
    let sender = sender.clone();
    // The client may be gone.
    let send = async move { drop(sender.send(Box::new(reply)).await) };
    if latency.is_zero() {
        return send.await;
    }
    task::spawn(async move {
        sleep(latency).await;
        send.await;
    });
}

/// Says when a connection is over, however it ends.
struct Over(Arc<Watched<bool>>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.change(|over| *over = true);
    }
}

/// The time since the runtime began.
pub(super) fn elapsed() -> Duration {
    TimeHandle::current().elapsed()
}
