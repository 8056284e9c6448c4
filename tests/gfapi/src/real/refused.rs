//! What the driver says of an image that cannot be had.

use super::{
    cases::Case,
    faults::disturb,
    volume::{PATIENCE, PATIENT, glusterd, library},
};
use futures_lite::future::block_on;
use quorate_engine::{
    Errno, Gluster, GlusterOptions, Prealloc,
    gluster::{Client, create, options::Server},
};
use quorate_gfapi::Patience;
use quorate_glusterd::{Disturbance, Glusterd, Place, Wanted};
use std::{net::TcpListener, sync::Arc, time::Duration};

pub(crate) const CASES: &[Case<Glusterd>] = &[
    ("an_unknown_volume_is_named", an_unknown_volume_is_named),
    ("an_unknown_file_is_named", an_unknown_file_is_named),
    ("a_server_that_cannot_be_reached_is_named", a_server_that_cannot_be_reached_is_named),
    ("a_file_that_one_may_not_open_is_named", a_file_that_one_may_not_open_is_named),
];

fn an_unknown_volume_is_named(its: &Glusterd) {
    let said = "Gluster connection for volume v9, path x.img failed to connect: No such file or \
                directory\nhint: failed on 127.1.1.1:24007. Please refer to gluster logs for more \
                info";
    refused(&image("v9", "x.img", glusterd(its)), PATIENCE, Errno::ENOENT, said);
}

fn an_unknown_file_is_named(its: &Glusterd) {
    let volume = its.volume(0);
    let said = |path| {
        format!("Could not open '{volume}/{path} on 127.1.1.1:24007': No such file or directory")
    };
    for path in ["x.img", "no/x.img"] {
        let image = image(volume, path, glusterd(its));
        refused(&image, PATIENCE, Errno::ENOENT, &said(path));
    }
}

fn a_server_that_cannot_be_reached_is_named(its: &Glusterd) {
    let silent = TcpListener::bind((its.server().0, 0)).unwrap();
    let at = |port| Server::Inet { host: its.server().0.into(), port };
    let port = silent.local_addr().unwrap().port();
    let impatient = Patience { volume: Duration::from_millis(300), ..PATIENCE };
    let unreachable = Errno::from_number(libc::ENOTCONN).unwrap();
    for (server, patience, errno, why) in [
        (at(1), PATIENCE, unreachable, "127.1.1.1:1: Connection refused (os error 111)"),
        (at(port), impatient, Errno::ETIMEDOUT, "the volume was not there within 300ms"),
    ] {
        let said = format!(
            "Gluster connection for volume {}, path x.img failed to connect: {}: {why}\nhint: \
             failed on {server}. Please refer to gluster logs for more info",
            its.volume(0),
            errno.message()
        );
        refused(&image(its.volume(0), "x.img", server), patience, errno, &said);
    }
}

/// The tests are root, who may open everything but this.
fn a_file_that_one_may_not_open_is_named(_: &Glusterd) {
    let mut at_once = Wanted::default();
    // Or else an open succeeds, and the first request fails.
    at_once.options.insert("performance.open-behind".into(), "off".into());
    let its = Glusterd::start(&Place::Namespace, &[at_once], PATIENT);
    let its = its.unwrap_or_else(|error| panic!("{error}"));
    let image = image(its.volume(0), "mine.img", glusterd(&its));
    let client = Client::new(Arc::new(library(PATIENCE)), Arc::new(()));
    block_on(create(&image, 4096, Prealloc::Off, &client)).unwrap();
    let locked = Disturbance::Set { option: "features.read-only".into(), value: "on".into() };
    for what in [locked, Disturbance::Kill, Disturbance::Start] {
        disturb(&its, 0, &what);
    }
    let volume = its.volume(0);
    let said =
        format!("Could not open '{volume}/mine.img on 127.1.1.1:24007': Read-only file system");
    refused(&image, PATIENCE, Errno::EROFS, &said);
}

#[track_caller]
fn refused(image: &GlusterOptions, patience: Patience, errno: Errno, said: &str) {
    let client = Client::new(Arc::new(library(patience)), Arc::new(()));
    let error = block_on(Gluster::open(image.clone(), &client)).err().expect("there is none");
    assert_eq!((error.errno(), error.to_string()), (errno, said.to_owned()));
}

fn image(volume: &str, path: &str, server: Server) -> GlusterOptions {
    let image = GlusterOptions::builder(volume, path).server(server);
    image.logfile("/dev/null").build().expect("it names an image")
}
