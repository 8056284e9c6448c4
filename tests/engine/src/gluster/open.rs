//! Opening images, and opening them as the children of an array.

use super::{Bed, FILE, NAME, image, plain};
use crate::task::now;
use futures_lite::future::block_on;
use quorate_engine::{
    BlockDevice, Errno, Flags, GlusterOptions, QuorumOptions,
    gluster::{Notice, options::Server},
    graph::Graph,
};
use serde_json::json;
use std::sync::Arc;

#[test]
fn an_image_is_opened_as_its_options_say() {
    for (read_only, direct, mode) in [
        (false, false, "open i rw"),
        (false, true, "open i rw direct"),
        (true, false, "open i ro"),
        (true, true, "open i ro direct"),
    ] {
        let bed = Bed::holding(&[7; 3]);
        let options = image(|image| image.read_only(read_only).direct(direct));
        let opened = bed.try_open(options.clone()).expect("nothing is in the way");
        assert_eq!(opened.options(), &options);
        assert_eq!(opened.limits().read_only, read_only);
        assert_eq!(bed.fake.journal(), ["connect h:24007 v", mode, "stat", "seek data 3"]);
        assert_eq!(bed.told(), []);
    }
}

/// G02 and S41: QEMU of 2013 went on with no file, 10.0.2 still seeks in it.
#[test]
fn whatever_fails_on_the_way_is_an_error_and_leaves_nothing() {
    let unconnected = "Gluster connection for volume v, path i failed to connect: {}\nhint: failed \
                       on h:24007. Please refer to gluster logs for more info";
    let unopened = "Could not open 'v/i on h:24007': {}";
    let lengthless = "Could not refresh total sector count of 'v/i on h:24007': {}";
    for (call, errno, expected, text, reason) in [
        ("connect", 107, "ENOTCONN", unconnected, "Transport endpoint is not connected"),
        ("connect", 0, "EIO", unconnected, "gluster gives no reason"),
        ("open", 2, "ENOENT", unopened, "No such file or directory"),
        ("open", 13, "EACCES", unopened, "Permission denied"),
        ("open", 0, "EIO", unopened, "gluster gives no reason"),
        ("stat", 77, "EBADFD", lengthless, "File descriptor in bad state"),
    ] {
        let bed = Bed::holding(&[7; 3]);
        bed.fake.answer(call, -1, errno);
        let error = bed.try_open(image(plain)).err().expect("it was refused");
        assert_eq!(error.errno(), expected.parse().unwrap(), "{call} {errno}");
        assert_eq!(error.to_string(), text.replace("{}", reason));
        let asked = bed.fake.journal();
        let left: &[&str] = match call {
            "connect" => &["connect h:24007 v"],
            "open" => &["connect h:24007 v", "open i rw", "disconnect h:24007 v"],
            _ => &["connect h:24007 v", "open i rw", "stat", "drop", "disconnect h:24007 v"],
        };
        assert_eq!(asked, left);
    }
}

#[test]
fn an_image_that_takes_no_writes_is_opened_read_only_if_that_was_allowed() {
    for (errno, degrades) in [(13, true), (30, true), (2, false), (1, false), (0, false)] {
        let bed = Bed::holding(&[7; 3]);
        bed.fake.answer("open i rw", -1, errno);
        let opened = bed.try_open(image(|image| image.auto_read_only(true)));
        assert_eq!(opened.is_ok(), degrades, "{errno}");
        let Ok(opened) = opened else { continue };
        assert!(opened.limits().read_only);
        assert_eq!(now(opened.pwrite(0, vec![1].into(), Flags::NONE)), Err(Errno::EPERM));
        let errno = Errno::from_number(errno).unwrap();
        assert_eq!(bed.told(), [Notice::OpenedReadOnly { image: NAME.into(), errno }]);
        assert_eq!(bed.fake.journal()[1..3], ["open i rw", "open i ro"]);
    }
    let bed = Bed::holding(&[7; 3]);
    bed.fake.answer("open i rw", -1, 30);
    let error = bed.try_open(image(plain)).err().expect("nobody allowed it");
    assert_eq!(error.errno(), Errno::EROFS);
    // The first reason is why it is not open for writing, which was asked for.
    bed.fake.answer("open i rw", -1, 30);
    bed.fake.answer("open i ro", -1, 5);
    let error = bed.try_open(image(|image| image.auto_read_only(true))).err().unwrap();
    assert_eq!(error.errno(), Errno::EROFS);
    assert_eq!(bed.told(), []);
}

#[test]
fn images_are_children_of_an_array_that_a_command_line_defines() {
    let bed = Bed::new();
    for host in ["a", "b", "c"] {
        bed.fake.put(&format!("{host}:24007 v d/i"), &[7; 512]);
    }
    bed.fake.put("c:24007 v d/i", &[8; 512]);
    let graph = Graph::new(Arc::new(bed.client), Arc::new(()));
    let options = QuorumOptions::from_dotted(
        "driver=quorum,vote-threshold=2,cache.no-flush=on,\
         children.0.driver=gluster,children.0.filename=gluster://a/v/d/i,children.0.debug=0x2,\
         children.1.driver=gluster,children.1.volume=v,children.1.path=d/i,\
         children.1.server.0.type=inet,children.1.server.0.host=b,children.1.server.0.port=24007,\
         children.2.driver=gluster,children.2.filename=gluster://c/v/d/i,children.2.discard=on",
    );
    block_on(async {
        let array = graph.open(options.unwrap()).await.unwrap();
        assert_eq!(array.pread(0, 512).await.unwrap(), vec![7; 512]);
        array.pwrite(0, vec![9; 512].into(), Flags::NONE).await.unwrap();
        array.flush().await.unwrap();
        graph.remove("zz").await.unwrap_err();
    });
    for host in ["a", "b", "c"] {
        assert_eq!(bed.fake.get(&format!("{host}:24007 v d/i")).unwrap(), [9; 512]);
    }
    let asked = bed.fake.journal();
    assert!(!asked.iter().any(|line| line == "fsync"), "they inherit what they do not say");
}

#[test]
fn a_node_that_cannot_be_opened_says_why_in_its_own_words() {
    let bed = Bed::holding(&[7; 512]);
    let graph = Graph::new(Arc::new(bed.client), Arc::new(()));
    let open = |node| block_on(graph.open_json(&node)).err().expect("a refused row");
    let error = open(json!({"driver": "gluster", "node-name": "g", "volume": "v"}));
    assert_eq!(error.to_string(), "Parameter 'server' is missing");
    assert_eq!(error.errno(), Errno::EINVAL);
    let error = open(json!({"driver": "glutser", "node-name": "g"}));
    assert_eq!(error.to_string(), "Unknown driver 'glutser'");
    let error = open(json!({"driver": "gluster", "node-name": "g", "filename": "gluster://h/v/x"}));
    assert_eq!(error.to_string(), "Could not open 'v/x on h:24007': No such file or directory");
    assert_eq!(error.errno(), Errno::ENOENT);
    let node = json!({"driver": "gluster", "node-name": "g", "filename": "gluster://h/v/i"});
    let (name, device) = block_on(graph.open_json(&node)).expect("there is such an image");
    assert_eq!((name.as_str(), now(device.length())), ("g", Ok(512)));
    block_on(graph.remove("g")).expect("it is nobody's child");
    let asked = bed.fake.journal();
    assert_eq!(asked[asked.len() - 3..], ["close", "drop", "disconnect h:24007 v"]);
}

#[test]
fn every_server_is_handed_over_in_its_order() {
    let bed = Bed::new();
    bed.fake.put("h:24007,[::1]:1,/run/g v i", &[1]);
    let options = image(|image| {
        image
            .server(Server::Inet { host: "::1".into(), port: 1 })
            .server(Server::Unix { path: "/run/g".into() })
    });
    assert_eq!(options.to_string(), "v/i on h:24007, [::1]:1, /run/g");
    assert!(bed.try_open(options).is_ok());
    let missing = GlusterOptions::from_uri("gluster://h/v/i").unwrap();
    assert_eq!(missing.to_string(), NAME);
    assert_eq!(FILE, "h:24007 v i");
}
