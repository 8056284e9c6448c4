//! Connecting to a volume, in bounded time.

use crate::{
    Patience,
    file::{Mounted, c_text},
    instance::Uninitialised,
};
use glusterfs_sys::Api;
use libc::{ENOTCONN, ETIMEDOUT};
use quorate_engine::gluster::{
    api::{Connected, Refusal},
    options::{Cluster, Server},
};
use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// Blocks until the volume is there, or what is known to be missing, or patience is over.
pub(crate) fn connect(api: &'static Api, patience: Patience, cluster: &Cluster) -> Connected {
    let servers = by_answer(&cluster.servers, patience.server)?;
    let (volume, logfile) = (c_text(&cluster.volume)?, c_text(&cluster.logfile)?);
    let hosts: Vec<_> = servers.iter().map(|s| c_text(host(s))).collect::<Result<_, _>>()?;
    let debug = cluster.debug;
    let (tell, told) = mpsc::channel();
    quorate_pool::detach(move || {
        let connect = || {
            let client = Uninitialised::new(api, &volume)?;
            for (server, host) in servers.iter().zip(&hosts) {
                client.server(server, host)?;
            }
            client.logging(&logfile, debug).map_err(|refusal| {
                let text = Some(format!("gluster cannot log to {logfile:?}"));
                Refusal { text, ..refusal }
            })?;
            client.keep_what_fails_to_sync()?;
            client.init()
        };
        // If nobody is patient any more, the instance ends here.
        let _ = tell.send(connect());
    });
    match told.recv_timeout(patience.volume) {
        Ok(instance) => Ok(Arc::new(Mounted(Arc::new(instance?)))),
        Err(_) => {
            let text = format!("the volume was not there within {:?}", patience.volume);
            Err(Refusal { errno: ETIMEDOUT, text: Some(text) })
        }
    }
}

/// The servers, those that answer first, otherwise in their order.
///
/// Which one to ask first is known when every one before it has refused. libgfapi refuses a server that
/// it is given twice.
fn by_answer(servers: &[Server], patience: Duration) -> Result<Vec<Server>, Refusal> {
    let mut distinct: Vec<Server> = Vec::new();
    for server in servers {
        if !distinct.contains(server) {
            distinct.push(server.clone());
        }
    }
    let (tell, told) = mpsc::channel();
    for (i, server) in distinct.iter().cloned().enumerate() {
        let tell = tell.clone();
        quorate_pool::detach(move || {
            // Nobody may be interested any more.
            let _ = tell.send((i, try_server(&server, patience)));
        });
    }
    // Once all have answered nothing more is waited for.
    drop(tell);
    let mut answers: Vec<Option<io::Result<()>>> = distinct.iter().map(|_| None).collect();
    let deadline = now().checked_add(patience);
    let left = || deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(now()));
    while let Some(None) = answers.iter().find(|answer| !matches!(answer, Some(Err(_)))) {
        let Ok((i, answer)) = told.recv_timeout(left()) else { break };
        // A server that was waited for in vain has not answered.
        answers[i] = Some(answer).filter(|a| !timed_out(a));
    }
    if !answers.iter().any(|answer| matches!(answer, Some(Ok(())))) {
        let each = distinct.iter().zip(&answers).map(|(server, answer)| match answer {
            Some(Err(error)) => format!("{server}: {error}"),
            _ => format!("{server}: no answer within {patience:?}"),
        });
        let text = each.collect::<Vec<_>>().join("; ");
        return Err(Refusal { errno: ENOTCONN, text: Some(text) });
    }
    let mut order: Vec<_> = distinct.into_iter().zip(answers).collect();
    order.sort_by_key(|(_, answer)| match answer {
        Some(Ok(())) => 0,
        None => 1,
        Some(Err(_)) => 2,
    });
    Ok(order.into_iter().map(|(server, _)| server).collect())
}

/// Whether somebody listens there.
fn try_server(server: &Server, patience: Duration) -> io::Result<()> {
    match server {
        Server::Inet { host, port } => {
            let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, patience) {
                    Ok(_) => return Ok(()),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        }
        Server::Unix { path } => UnixStream::connect(path).map(drop),
    }
}

fn timed_out(answer: &io::Result<()>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn host(server: &Server) -> &str {
    match server {
        Server::Inet { host, .. } => host,
        Server::Unix { path } => path,
    }
}

#[expect(clippy::disallowed_methods, reason = "the real library needs real deadlines")]
fn now() -> Instant {
    Instant::now()
}
