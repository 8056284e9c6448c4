//! A cluster that is there already: its volumes are looked for, and left as they are.

use crate::{Error, Host, Volume, Wanted};
use futures_lite::future::block_on;
use quorate_engine::gluster::{
    api::{Gfapi, Refusal},
    options::{Cluster, Server},
};
use quorate_gfapi::{Libgfapi, Patience};
use std::{io, time::Duration};

/// A volume for each that is wanted, through libgfapi.
pub(crate) fn volumes(
    host: &Host,
    wanted: &[Wanted],
    patience: Duration,
) -> Result<Vec<Volume>, Error> {
    let usual = Wanted::default().options;
    let is_usual = |(name, value): (&String, &String)| usual.get(name) == Some(value);
    if wanted.iter().any(|wanted| wanted.space.is_some() || !wanted.options.iter().all(is_usual)) {
        return Err(Error::AsTheyAre { host: host.to_string() });
    }
    let (all, named) = (wanted.len(), host.volumes.len());
    if named != 0 && named < all {
        return Err(Error::TooFewVolumes { host: host.to_string(), wanted: all, named });
    }
    let names = (0..all).map(|n| match host.volumes.get(n) {
        Some(name) => name.clone(),
        None => format!("quorate-{n}"),
    });
    names
        .map(|name| {
            find(host, &name, patience)?;
            Ok(Volume::new(name, Wanted::default()))
        })
        .collect()
}

fn find(host: &Host, volume: &str, patience: Duration) -> Result<(), Error> {
    let library = Libgfapi::load(Patience { server: patience, volume: patience });
    let library = library.map_err(|error| Error::Missing(vec![error.into()]))?;
    let server = Server::Inet { host: host.name.clone(), port: host.port };
    let cluster = Cluster {
        servers: vec![server],
        volume: volume.into(),
        debug: 0,
        logfile: "/dev/null".into(),
    };
    let connected = block_on(library.connect(&cluster));
    connected.map(drop).map_err(|Refusal { errno, text }| {
        let said = text.unwrap_or_else(|| io::Error::from_raw_os_error(errno).to_string());
        match io::Error::from_raw_os_error(errno).kind() {
            // A volume that is stopped is an I/O error, which has no kind.
            io::ErrorKind::NotConnected | io::ErrorKind::TimedOut => Error::Unreachable { said },
            _ => Error::NoVolume { host: host.to_string(), volume: volume.into(), said },
        }
    })
}
