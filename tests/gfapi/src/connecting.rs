//! Connecting: what libgfapi is told, whom it is told to ask, and how long that takes.

use super::fake::{Fake, How, What, library};
use futures_lite::future::{block_on, poll_once};
use quorate_engine::gluster::{
    api::{Gfapi, Refusal},
    options::{Cluster, Server},
};
use quorate_gfapi::Patience;
use std::{
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    time::Duration,
};

#[test]
fn libgfapi_is_told_everything_before_it_connects() {
    let fake = Fake::new("told", b"");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glusterd.socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let path = path.to_str().unwrap();
    let Server::Inet { port, .. } = fake.server() else { panic!("it has a port") };
    let servers = vec![fake.server(), Server::Unix { path: path.into() }, fake.server()];
    fake.connect(servers, Patience::USUAL).unwrap();
    let mut expected = vec![
        "new told".to_owned(),
        format!("server tcp 127.0.0.1 {port}"),
        format!("server unix {path} 0"),
        "logging /dev/null 4".into(),
        "option *-write-behind resync-failed-syncs-after-fsync on".into(),
        "init".into(),
    ];
    fake.wait_for("ended");
    expected.extend(["volfile".into(), "fini".into(), "ended".into()]);
    assert_eq!(fake.journal(), expected, "each server once");
}

#[test]
fn a_volume_that_is_not_there_is_refused_with_its_error_number() {
    for errno in [libc::ENOENT, libc::EIO, 0] {
        let fake = Fake::new(&format!("init {errno}"), b"");
        fake.how(How::Refused(errno));
        let refused = fake.connect(vec![fake.server()], Patience::USUAL).err();
        assert_eq!(refused, Some(Refusal { errno, text: None }));
        fake.wait_for("ended");
    }
}

/// libgfapi would free what its timer looks at two minutes later.
#[test]
fn what_was_never_initialised_is_not_ended() {
    let fake = Fake::new("unloggable", b"");
    let (servers, logfile) = (vec![fake.server()], "/nowhere/log".into());
    let cluster = Cluster { servers, volume: "unloggable".into(), debug: 4, logfile };
    let refused = block_on(library(Patience::USUAL).connect(&cluster)).err().unwrap();
    assert_eq!(refused.errno, libc::ENOENT);
    assert_eq!(refused.text.unwrap(), r#"gluster cannot log to "/nowhere/log""#);
    let refused = fake.journal();
    assert_eq!(refused.last().unwrap(), "logging /nowhere/log 4");
    // What is ended is another one, of which it is known when.
    drop(fake.volume());
    fake.wait_for("volfile");
    fake.wait_for("ended");
    let since = fake.journal().split_off(refused.len());
    let ends = since.iter().filter(|line| *line == "fini").count();
    assert_eq!((&*since[0], ends), ("new unloggable", 1), "{since:?}");
}

/// The same: it fails before it has begun where libgfapi is there and gluster's translators are not.
#[test]
fn what_is_being_initialised_is_not_ended() {
    let fake = Fake::new("unbegun", b"");
    fake.how(How::Unbegun);
    let refused = fake.connect(vec![fake.server()], Patience::USUAL).err();
    assert_eq!(refused, Some(Refusal { errno: libc::ENOENT, text: None }));
    fake.wait_for("volfile");
    assert!(!fake.journal().contains(&"fini".into()));
    fake.how(How::Inside);
    fake.initialised();
    fake.wait_for("ended");
}

#[test]
fn a_name_with_a_nul_is_refused() {
    let fake = Fake::new("a\0nul", b"");
    let refused = fake.connect(vec![fake.server()], Patience::USUAL).err().unwrap();
    assert_eq!(refused.errno, libc::EINVAL);
    assert_eq!(refused.text.unwrap(), r#""a\0nul" has a NUL byte in it"#);
}

#[test]
fn patience_with_a_volume_ends() {
    let fake = Fake::new("slow", b"");
    fake.how(How::Held);
    let volume = Duration::from_millis(50);
    let patience = Patience { volume, ..Patience::USUAL };
    let refused = fake.connect(vec![fake.server()], patience).err().unwrap();
    assert_eq!(refused.errno, libc::ETIMEDOUT);
    assert_eq!(refused.text.unwrap(), "the volume was not there within 50ms");
    // The library is still at it. What it comes to is let go.
    fake.wait_in_flight(1);
    assert_eq!(fake.in_flight(), [What::Init]);
    fake.answer(0);
    fake.wait_for("fini");
    fake.answer(0);
    fake.wait_for("ended");
}

#[test]
fn a_connection_that_nobody_waits_for_any_more_is_let_go() {
    let fake = Fake::new("abandoned", b"");
    fake.how(How::Held);
    let (servers, logfile) = (vec![fake.server()], "-".into());
    let cluster = Cluster { servers, volume: "abandoned".into(), debug: 0, logfile };
    let library = library(Patience::USUAL);
    assert!(block_on(poll_once(library.connect(&cluster))).is_none());
    fake.wait_for("init");
    fake.answer(0);
    fake.wait_for("fini");
    fake.answer(0);
    fake.wait_for("ended");
}

#[test]
fn a_server_that_does_not_answer_is_asked_last() {
    let (silent, _full) = silent();
    let fake = Fake::new("silent", b"");
    let patience = Patience { server: Duration::from_millis(200), ..Patience::USUAL };
    let port = |server: &Server| match server {
        Server::Inet { port, .. } => *port,
        Server::Unix { path } => panic!("{path}"),
    };
    let servers = vec![refuses(), silent.clone(), fake.server()];
    fake.connect(servers.clone(), patience).unwrap();
    let asked: Vec<_> =
        fake.journal().into_iter().filter(|line| line.starts_with("server")).collect();
    let order = [&servers[2], &servers[1], &servers[0]];
    let expected = order.map(|server| format!("server tcp 127.0.0.1 {}", port(server)));
    assert_eq!(asked, expected);
}

#[test]
fn a_server_that_answers_is_not_kept_waiting_for_the_next() {
    let (silent, _full) = silent();
    let fake = Fake::new("first", b"");
    let patience = Patience { server: Duration::MAX, volume: Duration::MAX };
    assert!(fake.connect(vec![refuses(), fake.server(), silent], patience).is_ok());
}

#[test]
fn servers_that_are_not_there_are_named() {
    let (silent, _full) = silent();
    let fake = Fake::new("nobody", b"");
    let patience = Patience { server: Duration::from_millis(200), ..Patience::USUAL };
    let nowhere = Server::Unix { path: "/nowhere/glusterd.socket".into() };
    let refuses = refuses();
    let servers = vec![refuses.clone(), silent.clone(), nowhere];
    let refused = fake.connect(servers, patience).err().unwrap();
    assert_eq!(refused.errno, libc::ENOTCONN);
    let expected = format!(
        "{refuses}: Connection refused (os error 111); {silent}: no answer within 200ms; \
         /nowhere/glusterd.socket: No such file or directory (os error 2)"
    );
    assert_eq!(refused.text.unwrap(), expected);
    assert_eq!(fake.journal(), [""; 0], "libgfapi, which would wait 42 s, is not asked");
}

/// A port where nobody listens: one of the system's, so that no other test gets it.
fn refuses() -> Server {
    Server::Inet { host: "127.0.0.1".into(), port: 1 }
}

/// A port where connections are neither taken nor refused: so many wait there that no more do.
fn silent() -> (Server, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    (Server::Inet { host: "127.0.0.1".into(), port: address.port() }, (listener, waiting))
}
