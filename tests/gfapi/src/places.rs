//! Where a glusterd is to run, as people write it.

use quorate_glusterd::{Host, Place};

#[test]
fn places_are_read_and_written() {
    let host = |name: &str, port| Place::Host(Host { name: name.into(), port, volumes: vec![] });
    for (text, place, written) in [
        ("namespace", Place::Namespace, "namespace"),
        ("container", Place::Container, "container"),
        ("10.0.0.1", host("10.0.0.1", 24007), "10.0.0.1:24007"),
        ("storage_1.example:1", host("storage_1.example", 1), "storage_1.example:1"),
        ("[fe80::1%eth0]", host("fe80::1%eth0", 24007), "[fe80::1%eth0]:24007"),
        ("[::1]:65535", host("::1", 65535), "[::1]:65535"),
    ] {
        assert_eq!(text.parse(), Ok(place.clone()));
        assert_eq!(place.to_string(), written);
        assert_eq!(written.parse(), Ok(place));
    }
}

#[test]
fn what_names_no_place_is_refused() {
    for (text, why) in [
        ("", "the host has no name"),
        (":24007", "the host has no name"),
        ("[]:1", "the host has no name"),
        ("Namespace Container", "no host has this name"),
        ("-v", "no host has this name"),
        ("a/b", "no host has this name"),
        ("::1", "an IPv6 address is written in brackets"),
        ("[::1", "the bracket is not closed"),
        ("[::1]24007", "something follows the bracket that is no port"),
        ("a:", "a port is a number from 1 to 65535"),
        ("a:0", "a port is a number from 1 to 65535"),
        ("a:65536", "a port is a number from 1 to 65535"),
        ("a:+1x", "a port is a number from 1 to 65535"),
    ] {
        let refused = text.parse::<Place>().unwrap_err();
        assert_eq!(refused.to_string(), format!("'{text}' is no place for a glusterd: {why}"));
        let remedy = refused.remedy();
        assert!(["namespace", "container", "HOST[:PORT]"].iter().all(|name| remedy.contains(name)));
    }
}
