//! Connecting: the rows of `init` in table 3.1, and what is the simulator's own.

use super::volume::{
    EIO, ENOENT, ENOTCONN, ETIMEDOUT, HOST, cluster, connect, create, error, ok, plain_volume,
    read, simulate, spec, timed, volume, write,
};
use quorate_engine::gluster::{
    api::Refusal,
    options::{Cluster, PORT, Server},
};
use quorate_sim::gluster::World;
use std::time::Duration;

/// Row 19.
#[test]
fn a_volume_that_is_missing_is_missing() {
    simulate(async |world| {
        let (refused, took) = timed(connect(world, HOST, "v9")).await;
        assert_eq!(refused.err(), Some(Refusal { errno: ENOENT, text: None }));
        assert!(took < 0.1, "{took}");
    });
}

/// Row 20.
#[test]
fn a_volume_without_its_brick_is_an_error() {
    simulate(async |world| {
        let brick = world.brick(HOST, "v0");
        brick.kill();
        let (refused, took) = timed(connect(world, HOST, "v0")).await;
        assert_eq!(refused.err(), Some(Refusal { errno: EIO, text: None }));
        assert!(took < 0.1, "{took}");
        brick.start();
        madsim::time::sleep(Duration::from_millis(10)).await;
        assert!(connect(world, HOST, "v0").await.is_ok());
    });
}

/// Row 21.
#[test]
fn servers_are_asked_in_order() {
    simulate(async |world| {
        let refuses = Server::Inet { host: HOST.into(), port: 1 };
        let unknown = Server::Inet { host: "nowhere".into(), port: PORT };
        let socket = Server::Unix { path: "/run/no.socket".into() };
        let servers = vec![refuses, unknown, socket];
        let lost = Cluster { servers, ..cluster(HOST, "v0") };
        let refused = world.gfapi().connect(&lost).await.err().unwrap();
        let text = "a:1: Connection refused (os error 111); nowhere:24007: the name has no address; \
                    /run/no.socket: No such file or directory (os error 2)";
        assert_eq!(refused, Refusal { errno: ENOTCONN, text: Some(text.into()) });
        let servers = [lost.servers, cluster(HOST, "v0").servers].concat();
        let found = Cluster { servers, ..cluster(HOST, "v0") };
        assert!(world.gfapi().connect(&found).await.is_ok());
        world.server(HOST).kill();
        assert_eq!(connect(world, HOST, "v0").await.err().map(|r| r.errno), Some(ENOTCONN));
        world.server(HOST).start();
        madsim::time::sleep(Duration::from_millis(10)).await;
        assert!(connect(world, HOST, "v0").await.is_ok());
    });
}

/// Row 22, but that `quorate-gfapi` does not wait for 42 s.
#[test]
fn a_server_that_cannot_be_reached_costs_five_seconds() {
    simulate(async |world| {
        world.add_cluster("b", ["v0"].map(spec)).await;
        world.server(HOST).partition();
        let (refused, took) = timed(connect(world, HOST, "v0")).await;
        let text = Some("a:24007: no answer within 5s".into());
        assert_eq!(refused.err(), Some(Refusal { errno: ENOTCONN, text }));
        assert!((5.0..5.1).contains(&took), "{took}");
        let servers = [HOST, HOST, "b"].map(|host| cluster(host, "v0").servers).concat();
        let two = Cluster { servers, ..cluster(HOST, "v0") };
        let (connected, took) = timed(world.gfapi().connect(&two)).await;
        assert!(connected.is_ok());
        assert!((5.0..5.1).contains(&took), "{took}");
        world.server(HOST).heal();
        assert!(connect(world, HOST, "v0").await.is_ok());
    });
}

/// What takes connections and says nothing.
#[test]
fn who_does_not_answer_is_given_up() {
    for stands in [
        |world: &World| world.server(HOST).pause(),
        |world: &World| world.brick(HOST, "v0").pause(),
        |world: &World| world.brick(HOST, "v0").partition(),
    ] {
        simulate(async |world| {
            stands(world);
            let (refused, took) = timed(connect(world, HOST, "v0")).await;
            let text = Some("the volume was not there within 30s".into());
            assert_eq!(refused.err(), Some(Refusal { errno: ETIMEDOUT, text }));
            assert!((30.0..30.1).contains(&took), "{took}");
            world.server(HOST).resume();
            world.brick(HOST, "v0").resume();
            world.brick(HOST, "v0").heal();
            assert!(connect(world, HOST, "v0").await.is_ok());
        });
    }
}

/// Row 25.
#[test]
fn a_socket_of_this_machine_is_a_server() {
    simulate(async |world| {
        world.add_cluster("/run/glusterd.socket", ["v0"].map(spec)).await;
        let servers = vec![Server::Unix { path: "/run/glusterd.socket".into() }];
        let local = Cluster { servers, ..cluster(HOST, "v0") };
        let volume = world.gfapi().connect(&local).await.expect("it is there");
        create(&*volume, "f", vec![1; 10]).await;
        assert!(world.brick("/run/glusterd.socket", "v0").contents("f").is_some());
        assert!(world.brick(HOST, "v0").contents("f").is_none());
    });
}

#[test]
fn volumes_of_one_name_on_two_clusters_are_two_volumes() {
    simulate(async |world| {
        world.add_cluster("b", ["v0"].map(spec)).await;
        let (a, b) = (connect(world, HOST, "v0").await, connect(world, "b", "v0").await);
        let a = create(&*a.unwrap(), "f", vec![1; 100]).await;
        let b = create(&*b.unwrap(), "f", vec![2; 100]).await;
        assert_eq!(read(&*a, 0, 100).await, [1; 100].as_slice());
        assert_eq!(read(&*b, 0, 100).await, [2; 100].as_slice());
        world.brick("b", "v0").kill();
        assert_eq!(a.fsync().await, ok(0));
        assert_eq!(b.fsync().await, error(ENOTCONN));
    });
}

/// Clients ask it for the brick's port each time that they connect.
#[test]
fn without_a_volume_file_server_clients_go_on_but_do_not_come_back() {
    simulate(async |world| {
        let (volume, brick) = plain_volume(world).await;
        let file = create(&*volume, "f", vec![1; 100]).await;
        world.server(HOST).kill();
        assert_eq!(write(&*file, 0, vec![2; 100]).await, ok(100));
        brick.cut();
        madsim::time::sleep(Duration::from_secs(20)).await;
        assert!(!brick.is_connected());
        world.server(HOST).start();
        let ((), took) = timed(brick.connected()).await;
        assert!(took < 3.1, "{took}");
        assert_eq!(write(&*file, 0, vec![3; 100]).await, ok(100));
    });
}

#[test]
fn a_connect_that_was_dropped_leaves_no_connection() {
    simulate(async |world| {
        let gfapi = world.gfapi();
        let cluster = cluster(HOST, "v0");
        let brick = world.brick(HOST, "v0");
        let connect = gfapi.connect(&cluster);
        let dropped = madsim::time::timeout(Duration::from_millis(2), connect).await;
        assert!(dropped.is_err(), "two milliseconds are too few");
        madsim::time::sleep(Duration::from_secs(1)).await;
        assert!(!brick.is_connected());
        let _volume = volume(world).await;
        assert!(brick.is_connected());
    });
}
