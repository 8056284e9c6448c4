//! Simulated gluster clusters: bricks and volume-file servers as nodes of madsim, a client's machine, and
//! the client's side of gluster over their network.
//!
//! [`World::gfapi`] is a [`Gfapi`](quorate_engine::gluster::api::Gfapi), so the engine's driver works over
//! it as over libgfapi. [`Brick`] and [`VolumeFileServer`] are what can happen to the servers.
//!
//! - `connect`, `mount`, `file`: the calls, and the order in which they take effect,
//! - `cache`: what a client keeps: write-behind and the file's length,
//! - `link`: a connection to a brick, how it breaks and comes back,
//! - `serve`, `disk`, `image`: what runs on the servers, and what outlives it,
//! - `machine`: a node that can die, stand still, and be out of reach.
//!
//! **A run with bricks replays from its seed only**: madsim's network draws how long each message takes
//! from the dice that its scheduler uses, too, so whatever is taken out of a scenario shifts all the rest.
//! Two runs of one seed are the same event by event. Time is madsim's, in which nothing that sleeps takes
//! less than a millisecond.
//!
//! Tasks of the client's side run on a node of their own. They wait with timers for as long as a volume is
//! connected, and keep no run from ending.
//!
//! # What is modelled
//!
//! As measured with GlusterFS 10.3 over volumes of one brick. Calls are those of `quorate-gfapi`, which
//! sees to order and to offsets that no file has; so overlapping calls take turns, and a seek waits for
//! what was acknowledged.
//!
//! - Reads: short where the file ends, 0 behind it, rubbish in the rest of the buffer. Nothing is `EINVAL`
//!   but for a write of nothing.
//! - `O_DIRECT`: whole sectors, or `EINVAL`, of a write when it reaches the brick.
//! - Zeroing extends the file, discarding never; discarding on a full brick is `ENOSPC`.
//! - Write-behind: a write is acknowledged, then sent. What fails stays in the cache, is sent again when
//!   the file is next used, and fails whatever has to wait for it: an overlapping read, any stat, seek or
//!   change, fsync and close. After a failed fsync it is lost, unless it is to be kept
//!   ([`Settings::keep_failed`]), and after a close. Once more than 1 MiB is acknowledged and not on the
//!   brick, writes wait, and fail by themselves. A close with nothing cached asks nobody.
//! - Without write-behind a write fails by itself, and is short where the brick gets full.
//! - A brick that dies: what is in flight is `ENOTCONN`, and so are later reads, writes, fsyncs and opens;
//!   what needs a descriptor of the brick's is `EBADFD`. The client is back three seconds after the brick
//!   at the latest.
//! - A brick that stands still or cannot be reached: calls hang, and are `ENOTCONN` after twice the ping
//!   timeout. What was sent is done nevertheless, once the brick goes on.
//! - Connecting: the first server that answers is asked; one that says nothing costs five seconds. No
//!   server is `ENOTCONN`, no such volume `ENOENT`, a brick that is not there `EIO` (also of a volume that
//!   was stopped), one that does not answer `ETIMEDOUT` after thirty seconds.
//! - To come back, a client asks the volume-file server again.
//! - A length is believed for a second unless this client has changed or read the file.
//!
//! # Differences from a real cluster
//!
//! - No host crashes: what a brick has written outlives it in its host's page cache, and an fsync has
//!   nothing to do but to be told of failures. Power cuts are the fault decorator's.
//! - A brick does what it is asked in the order of arrival. Slow answers overtake each other
//!   ([`Brick::slow`]), as those of io-threads do, though what they answer was done in order.
//! - What was sent is lost with the brick's process only; a real one may lose it when a connection is
//!   aborted.
//! - What was sent over a connection that broke is done before the client is back; after a partition the
//!   client is therefore as late again as the partition was long (and ten seconds at most), and then up to
//!   three seconds. Real clients do not wait, so that a write which failed can undo one that succeeded
//!   since: [`Settings::stragglers`].
//! - A brick that is killed while nothing reaches the client is missed at once, not by the ping.
//! - Pings are not sent: a connection is silent while something is pending and nothing is heard. One whose
//!   messages take longer than twice the ping timeout would survive in reality.
//! - Write-behind sends at once and does not merge writes. Whoever uses a file next, by whichever handle,
//!   is told of its errors.
//! - quick-read, read-ahead and io-cache are off: bytes that change behind gluster's back are seen at once,
//!   where the real ones can serve old bytes of a small file for a second.
//! - Space is given out in blocks of 4 KiB and nothing else takes any. Directories are there as long as a
//!   file is in them. Whoever may open a file may write it; logs are not written.
//! - Nothing changes in the graph of a client: a volume has the bricks that it was made with, and one
//!   client's machine has all connections.

mod brick;
mod cache;
mod connect;
mod disk;
mod file;
mod image;
mod link;
mod machine;
mod mount;
mod order;
mod serve;
mod watched;
mod wire;
mod world;

pub use brick::{Brick, Settings};
pub use world::{VolumeFileServer, VolumeSpec, World};
