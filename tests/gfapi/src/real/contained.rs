//! A glusterd in a container, and one that is there already.

use super::{
    cases::{self, Case},
    faults::{CONTAINED, disturb},
    lives::{left_of, runs},
    require,
    volume::{PATIENT, wanted},
};
use quorate_glusterd::{Disturbance, Error, Glusterd, Host, Place, Wanted, image, missing};
use std::{net::TcpListener, process, time::Duration};

pub(crate) const CASES: &[Case<()>] = &[
    ("a_server_that_is_not_there_is_named_in_time", a_server_that_is_not_there_is_named_in_time),
    ("a_container_is_disturbed_like_a_namespace", a_container_is_disturbed_like_a_namespace),
    ("a_cluster_that_is_there_is_used_as_it_is", a_cluster_that_is_there_is_used_as_it_is),
];

/// Whether containers can be had; if not, that is said. Their image is made only where they are required,
/// as that takes minutes.
pub(crate) fn containers() -> bool {
    let lacking = missing::sentence(&missing::container()).or_else(|| {
        if image::is_there() {
            return None;
        }
        if !require::required("container") {
            return Some("there is no image yet: quorate doctor --image makes it".into());
        }
        image::make().err().map(|error| format!("{error}: {}", error.remedy()))
    });
    if let Some(reason) = &lacking {
        require::skip("container", reason);
    }
    lacking.is_none()
}

fn a_server_that_is_not_there_is_named_in_time((): &()) {
    if let Some(reason) = missing::sentence(&missing::existing()) {
        return require::skip("gluster", &reason);
    }
    let said = |port| {
        let host = Host { name: "127.0.0.1".into(), port, volumes: Vec::new() };
        let patience = Duration::from_millis(500);
        match Glusterd::start(&Place::Host(host), &[Wanted::default()], patience) {
            Err(Error::Unreachable { said }) => said,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(said(1), "127.0.0.1:1: Connection refused (os error 111)");
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(said(port), "the volume was not there within 500ms");
}

fn a_container_is_disturbed_like_a_namespace((): &()) {
    if !containers() {
        return;
    }
    let its = Glusterd::start(&Place::Container, &wanted(), PATIENT).unwrap();
    for (name, case) in CONTAINED {
        cases::say(&format!("  in a container: {name}"));
        case(&its);
    }
}

fn a_cluster_that_is_there_is_used_as_it_is((): &()) {
    if !containers() {
        return;
    }
    let its = Glusterd::start(&Place::Container, &[Wanted::default()], PATIENT).unwrap();
    let host = |volumes: &[&str]| {
        let volumes = volumes.iter().map(ToString::to_string).collect();
        Place::Host(Host { name: its.server().0.into(), port: its.server().1, volumes })
    };
    let start =
        |place: &Place, wanted: &[Wanted]| Glusterd::start(place, wanted, Duration::from_secs(10));
    let one = &[Wanted::default()];

    let there = start(&host(&[its.volume(0)]), one).unwrap();
    assert_eq!((there.server(), there.volume(0)), (its.server(), its.volume(0)));
    assert_eq!(there.brick_file(0, "any"), None);
    let refused = there.disturb(0, &Disturbance::Kill).unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused}");
    assert!(refused.remedy().contains("--gluster namespace"), "{}", refused.remedy());

    let unknown = start(&host(&[]), one).unwrap_err();
    assert!(
        matches!(&unknown, Error::NoVolume { volume, .. } if volume == "quorate-0"),
        "{unknown}"
    );
    let few = start(&host(&["v"]), &[Wanted::default(), Wanted::default()]).unwrap_err();
    assert!(matches!(few, Error::TooFewVolumes { wanted: 2, named: 1, .. }), "{few}");
    let small = start(&host(&[]), &[Wanted { space: Some(1 << 20), ..Wanted::default() }]);
    assert!(matches!(small, Err(Error::AsTheyAre { .. })));

    disturb(&its, 0, &Disturbance::Kill);
    let stopped = start(&host(&[its.volume(0)]), one).unwrap_err();
    assert!(matches!(stopped, Error::NoVolume { .. }), "{stopped}");
    let brick = its.volume(0).to_owned();
    drop(its);
    assert_eq!(left_of(process::id()), Vec::<String>::new());
    assert!(!runs("", &brick));
}
