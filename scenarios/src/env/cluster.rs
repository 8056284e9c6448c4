//! What simulated and real clusters have in common: the driver over them.

use super::EnvironmentError;
use crate::model::Disturbance;
use quorate_engine::{
    BlockDevice,
    gluster::{Client, Gluster, GlusterOptions, Notice, options::Server},
};
use quorate_sim::Outside;
use std::{fmt, sync::Arc, time::Duration};

pub(super) use quorate_engine::gluster::options::PORT;

/// The options of an image of a volume.
pub(super) fn options(
    (host, port): (&str, u16),
    volume: &str,
    file: &str,
) -> Result<GlusterOptions, EnvironmentError> {
    let server = Server::Inet { host: host.into(), port };
    let options = GlusterOptions::builder(volume, file).server(server).logfile("/dev/null").build();
    options.map_err(|error| failed(&error))
}

/// Opens an image.
pub(super) async fn open(
    client: &Client,
    options: GlusterOptions,
) -> Result<Arc<dyn BlockDevice>, EnvironmentError> {
    let image = Gluster::open(options, client).await;
    Ok(image.map_err(|error| failed(&error))?)
}

/// A disk on gluster that is none.
pub(super) fn failed(why: &dyn fmt::Display) -> EnvironmentError {
    let remedy = "look whether its volume is started and its brick runs; `quorate doctor` says what is there";
    EnvironmentError::Failed { why: why.to_string(), remedy }
}

/// What an image has to say beside its answers shows in these.
pub(super) fn unheard(_: Notice) {}

/// Waits until a client knows what has befallen the brick of its volume, as far as it can.
pub(super) async fn told(
    probe: &dyn BlockDevice,
    outside: &Outside,
    what: Disturbance,
) -> Result<(), String> {
    let reached = match what {
        Disturbance::Kill | Disturbance::Cut | Disturbance::Fail => false,
        Disturbance::Start | Disturbance::Resume | Disturbance::Await | Disturbance::Mend => true,
        // One that stands still is known by its silence, a full one by an error.
        Disturbance::Pause | Disturbance::Fill | Disturbance::Free => return Ok(()),
        Disturbance::Slow => return slowed(probe, outside).await,
    };
    for _ in 0..TRIES {
        if probe.pread(0, 512).await.is_ok() == reached {
            return Ok(());
        }
        outside.sleep(MOMENT).await;
    }
    let time = MOMENT * TRIES;
    let state = if reached { "cannot be reached" } else { "can still be reached" };
    Err(format!("{time:?} after the step \"{}-brick\" the brick {state}", what.word()))
}

/// Waits until an answer takes as long as it is to take.
async fn slowed(probe: &dyn BlockDevice, outside: &Outside) -> Result<(), String> {
    for _ in 0..TRIES {
        if outside.outlasts(SLOW, probe.pread(0, 512)).await {
            return Ok(());
        }
        outside.sleep(MOMENT).await;
    }
    Err(format!("the brick still answers within {SLOW:?}"))
}

/// A brick that is slow takes longer than this.
const SLOW: Duration = Duration::from_millis(8);
/// A file beside the image, of 512 bytes. It keeps the connection, too, where the image is ejected.
pub(super) const PROBE: &str = "probe";
const MOMENT: Duration = Duration::from_millis(10);
const TRIES: u32 = 2000;
