//! A brick as a test sees it: what can happen to it, and what is on it.

use super::{link::Wire, machine::Machine, serve::Store, watched::Watched};
use bytes::Bytes;
use quorate_engine::Errno;
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

/// The brick of a volume, and the connections that clients have to it. Clones are handles to the same
/// one.
///
/// Everything takes effect at once, but for what clients have to find out.
#[derive(Clone)]
pub struct Brick(pub(super) Arc<Shared>);

/// What is known of a volume.
pub(super) struct Shared {
    pub(super) volume: String,
    pub(super) server: Arc<Machine>,
    pub(super) machine: Machine,
    pub(super) store: Arc<Store>,
    settings: Mutex<Settings>,
    wires: Watched<Vec<Weak<Wire>>>,
}

/// How clients of a volume behave. Changes take effect at once, as `gluster volume set` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Writes are acknowledged before the brick has them (`performance.write-behind`).
    pub write_behind: bool,
    /// What a failed fsync could not write stays in the cache and is tried again
    /// (`resync-failed-syncs-after-fsync`). Otherwise it is lost.
    pub keep_failed: bool,
    /// A connection that is silent for twice as long is given up (`network.ping-timeout`).
    pub ping_timeout: Duration,
    /// After a partition the client may be back before that has arrived which it had sent, and was told
    /// to have failed. Otherwise it waits. Real ones do not: a write that failed then undoes later ones.
    pub stragglers: bool,
    /// With which error reads and writes fail before anything comes of them, if they do
    /// (`debug.error-gen client`). The real one draws it.
    pub fails: Option<Errno>,
}

/// As gluster has them by default, with what QEMU and `quorate-gfapi` ask for: `keep_failed`.
impl Default for Settings {
    fn default() -> Self {
        let ping_timeout = Duration::from_secs(42);
        let (stragglers, fails) = (false, None);
        Self { write_behind: true, keep_failed: true, ping_timeout, stragglers, fails }
    }
}

impl Brick {
    /// The process dies (`SIGKILL`). What it has written stays.
    pub fn kill(&self) {
        self.0.machine.kill();
    }

    /// A process that died is started again.
    pub fn start(&self) {
        self.0.machine.start();
    }

    /// The process stands still (`SIGSTOP`). Its machine takes connections and data for it.
    pub fn pause(&self) {
        self.0.machine.pause();
    }

    /// It goes on.
    pub fn resume(&self) {
        self.0.machine.resume();
    }

    /// What goes to the clients and back is dropped on the way.
    pub fn partition(&self) {
        self.0.machine.partition();
    }

    /// It arrives again. What was sent meanwhile is sent again in growing intervals.
    pub fn heal(&self) {
        self.0.machine.heal();
    }

    /// Aborts the connections of all clients.
    pub fn cut(&self) {
        self.0.alive().iter().for_each(|wire| wire.break_off());
    }

    /// Messages take so long beside what the network takes, each for itself. Requests stay in order,
    /// answers do not.
    pub fn slow(&self, latency: Range<Duration>) {
        self.0.store.set_latency(latency);
    }

    /// Changes the settings of the volume.
    pub fn set(&self, settings: Settings) {
        *self.0.settings() = settings;
    }

    /// The settings of the volume.
    #[must_use]
    pub fn settings(&self) -> Settings {
        *self.0.settings()
    }

    /// The disk has so much space from now on. When it is used up there is this error: `ENOSPC`, or
    /// `EDQUOT` of a quota.
    pub fn limit(&self, bytes: u64, errno: Errno) {
        self.0.store.disk().limit(bytes, errno);
    }

    /// The disk is full from now on.
    pub fn fill_up(&self) {
        let used = self.used();
        self.limit(used, Errno::ENOSPC);
    }

    /// How much space is taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.store.disk().used()
    }

    /// Puts a file on the disk behind gluster's back, with the directories that it is in.
    pub fn put(&self, path: &str, contents: &[u8]) {
        self.0.store.disk().put(path, contents);
    }

    /// Changes bytes of a file behind gluster's back. Whether there is such a file.
    #[must_use]
    pub fn overwrite(&self, path: &str, offset: u64, data: &[u8]) -> bool {
        self.0.store.disk().meddle(path, |image| image.force(offset, data))
    }

    /// Changes the length of a file behind gluster's back. Whether there is such a file.
    #[must_use]
    pub fn truncate(&self, path: &str, bytes: u64) -> bool {
        self.0.store.disk().meddle(path, |image| image.truncate(bytes))
    }

    /// What the disk has of a file.
    #[must_use]
    pub fn contents(&self, path: &str) -> Option<Bytes> {
        self.0.store.disk().contents(path)
    }

    /// Whether there are clients, and all of them are connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.wires.look(|wires| all_up(wires))
    }

    /// Waits until [`Brick::is_connected`].
    pub async fn connected(&self) {
        self.0.wires.until(|wires| all_up(wires).then_some(())).await;
    }
}

impl Shared {
    pub(super) fn new(
        volume: String,
        server: Arc<Machine>,
        machine: Machine,
        store: Arc<Store>,
        settings: Settings,
    ) -> Self {
        let (settings, wires) = (Mutex::new(settings), Watched::new(Vec::new()));
        Self { volume, server, machine, store, settings, wires }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().expect("nothing panics under this lock")
    }

    /// How long a client waits for anything to be heard: for as long as it takes to ask whether the
    /// other side is there, and then for an answer to that.
    pub(super) fn silence(&self) -> Duration {
        self.settings().ping_timeout * 2
    }

    pub(super) fn add(&self, wire: &Arc<Wire>) {
        self.wires.change(|wires| {
            wires.retain(|wire| wire.strong_count() > 0);
            wires.push(Arc::downgrade(wire));
        });
    }

    /// A connection has come or gone.
    pub(super) fn changed(&self) {
        self.wires.change(|_| ());
    }

    fn alive(&self) -> Vec<Arc<Wire>> {
        self.wires.look(|wires| wires.iter().filter_map(Weak::upgrade).collect())
    }
}

fn all_up(wires: &[Weak<Wire>]) -> bool {
    let mut alive =
        wires.iter().filter_map(Weak::upgrade).filter(|wire| !wire.is_over()).peekable();
    alive.peek().is_some() && alive.all(|wire| wire.is_up())
}
