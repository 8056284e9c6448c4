//! A client's connection to a brick, which comes back when it breaks.

use super::{
    brick::Shared,
    machine::spawn,
    serve::elapsed,
    watched::{Slot, Watched},
    wire::{Ask, Given, Opened, Reply, Request, What, Where, dial, receive},
};
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use madsim::{
    net::{Receiver, Sender},
    task::NodeId,
    time::{sleep, timeout},
};
use quorate_engine::{Errno, Result};
use std::{collections::BTreeMap, mem, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

/// The connection of one client. It ends when this is dropped.
pub(super) struct Link(pub(super) Arc<Wire>);

/// What those who use the connection have of it.
pub(super) struct Wire {
    pub(super) shared: Arc<Shared>,
    client: Client,
    state: Watched<State>,
}

/// Who connects, and where it lives.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) number: u64,
    pub(super) node: NodeId,
}

/// The two ends of a connection.
pub(super) type Ends = (Sender, Receiver);

#[derive(Default)]
struct State {
    /// None while there is no connection.
    sender: Option<Sender>,
    sent: u64,
    pending: BTreeMap<u64, Arc<Slot<Result<Given>>>>,
    /// Since when something is pending and nothing was heard.
    quiet_since: Duration,
    /// Whether somebody looks after that.
    guarded: bool,
    /// Whether it was a partition that broke the connection.
    cut_off: bool,
    over: bool,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, client: Client, ends: Ends) -> Self {
        let wire = Arc::new(Wire { shared, client, state: Watched::new(State::default()) });
        let receiver = wire.take_up(ends);
        wire.shared.add(&wire);
        spawn(client.node, keep(wire.clone(), receiver));
        Self(wire)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.state.touch(|state| state.over = true);
        self.0.break_off();
    }
}

impl Wire {
    /// Sends a request, whose answer comes into the slot.
    ///
    /// # Errors
    /// `ENOTCONN` while there is no connection.
    pub(super) fn submit(self: &Arc<Self>, ask: Ask) -> Result<Arc<Slot<Result<Given>>>> {
        let (now, latency) = (elapsed(), self.shared.store.latency());
        let slot = Arc::new(Slot::empty());
        let (sent, unguarded) = self.state.touch(|state| {
            let sender = state.sender.as_ref().ok_or(Errno::ENOTCONN)?;
            let id = state.sent + 1;
            let request = Request { id, not_before: now + latency, ask };
            // It waits for nothing.
            let sent = sender.send(Box::new(request)).now_or_never().is_some_and(|s| s.is_ok());
            state.sent = id;
            if state.pending.is_empty() {
                state.quiet_since = now;
            }
            state.pending.insert(id, slot.clone());
            let unguarded = !mem::replace(&mut state.guarded, true);
            Result::Ok((sent, unguarded))
        })?;
        if unguarded {
            spawn(self.client.node, guard(self.clone()));
        }
        if !sent {
            self.break_off();
        }
        Ok(slot)
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn call(self: &Arc<Self>, ask: Ask) -> Result<Given> {
        self.submit(ask)?.take().await
    }

    /// Asks something of a file.
    ///
    /// # Errors
    /// The brick's; while there is no connection `ENOTCONN` of what needs no descriptor of the brick's,
    /// and `EBADFD` of everything else.
    pub(super) async fn ask(self: &Arc<Self>, opened: Opened, what: What) -> Result<Given> {
        let errno = match what {
            What::Read { .. } | What::Write { .. } | What::Sync => Errno::ENOTCONN,
            _ => Errno::EBADFD,
        };
        let asked = self.submit(Ask::Of(opened, what)).map_err(|_| errno)?;
        asked.take().await
    }

    /// Ends the connection. Nobody hears what came of what is pending.
    pub(super) fn break_off(&self) {
        let cut_off = !self.shared.machine.is_reachable();
        let (sender, pending) = self.state.change(|state| {
            if state.sender.is_some() {
                state.cut_off = cut_off;
            }
            (state.sender.take(), mem::take(&mut state.pending))
        });
        drop(sender);
        pending.into_values().for_each(|slot| slot.fill(Err(Errno::ENOTCONN)));
        self.shared.changed();
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.look(|state| state.sender.is_some())
    }

    /// Whether the client is gone.
    pub(super) fn is_over(&self) -> bool {
        self.state.look(|state| state.over)
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        spawn(self.client.node, work);
    }

    fn take_up(&self, (sender, receiver): Ends) -> Receiver {
        self.state.change(|state| state.sender = Some(sender));
        self.shared.changed();
        receiver
    }

    /// Takes answers until the connection is over.
    async fn hear(&self, mut receiver: Receiver) {
        loop {
            let broken = pin!(self.state.until(|state| state.sender.is_none().then_some(())));
            let heard = pin!(receive::<Reply>(&mut receiver));
            // What comes over a connection that is broken nobody waits for.
            match select(broken, heard).await {
                Either::Left(_) => return,
                Either::Right((None, _)) => return self.break_off(),
                Either::Right((Some(Reply { id, answer }), _)) => {
                    let slot = self.state.touch(|state| {
                        state.quiet_since = elapsed();
                        state.pending.remove(&id)
                    });
                    slot.expect("each request is answered once").fill(answer);
                }
            }
        }
    }
}

/// Makes a connection.
///
/// # Errors
/// The volume-file server or the brick is not there, or is gone before it has answered. Nobody is told that
/// one of them does not answer: whoever calls has a limit.
pub(super) async fn establish(shared: &Shared, client: Client, cut_off: bool) -> Result<Ends> {
    let Some(brick) = place(shared.server.address, &shared.volume).await? else {
        return Err(Errno::ENOENT);
    };
    let (sender, mut receiver) = dial(brick).await.map_err(|_| Errno::ENOTCONN)?;
    let waits = !(cut_off && shared.settings().stragglers);
    let ask = Ask::Hello { client: client.number, waits };
    let hello = Request { id: 0, not_before: Duration::ZERO, ask };
    let sent = sender.send(Box::new(hello)).await;
    sent.map_err(|_| Errno::ENOTCONN)?;
    let heard: Option<Reply> = receive(&mut receiver).await;
    heard.map(|_| (sender, receiver)).ok_or(Errno::ENOTCONN)
}

/// Where the brick of a volume is, says the server.
pub(super) async fn place(server: SocketAddr, volume: &str) -> Result<Option<SocketAddr>> {
    let (sender, mut receiver) = dial(server).await.map_err(|_| Errno::ENOTCONN)?;
    let sent = sender.send(Box::new(Where(volume.into()))).await;
    sent.map_err(|_| Errno::ENOTCONN)?;
    receive(&mut receiver).await.ok_or(Errno::ENOTCONN)
}

/// Hears what comes, and tries again and again where there is no connection.
async fn keep(wire: Arc<Wire>, receiver: Receiver) {
    wire.hear(receiver).await;
    while !wire.is_over() {
        sleep(RECONNECT).await;
        let (patience, cut_off) = (wire.shared.silence(), wire.state.look(|state| state.cut_off));
        let ends = timeout(patience, establish(&wire.shared, wire.client, cut_off)).await;
        if let Ok(Ok(ends)) = ends
            && !wire.is_over()
        {
            let receiver = wire.take_up(ends);
            wire.hear(receiver).await;
        }
    }
}

/// Gives the connection up once something has been pending for too long and nothing was heard.
async fn guard(wire: Arc<Wire>) {
    loop {
        let since = wire.state.touch(|state| {
            state.guarded = !state.pending.is_empty();
            state.guarded.then_some(state.quiet_since)
        });
        let Some(since) = since else { return };
        match (since + wire.shared.silence()).checked_sub(elapsed()) {
            Some(left) if !left.is_zero() => sleep(left).await,
            _ => wire.break_off(),
        }
    }
}

/// How long a client waits before it tries to connect again.
const RECONNECT: Duration = Duration::from_secs(3);
