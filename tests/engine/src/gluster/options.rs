//! Options from JSON, as QMP and as command lines have it.
//!
//! Texts are QEMU 10.0.2's where it has one. Its two forms word the same fault differently; there is
//! one form here, and its words are QMP's.

use super::{image, plain};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use quorate_engine::{
    Errno, GlusterOptions, QuorumOptions,
    gluster::options::{Cluster, Server},
    quorum::options::ChildSpec,
};
use serde_json::{Map, Value, json};

#[test]
fn defaults_are_those_of_qemu() {
    let options = taken(&json!({}));
    assert_eq!(options, image(plain));
    let server = Server::Inet { host: "h".into(), port: 24007 };
    let (servers, volume) = (vec![server], "v".to_owned());
    assert_eq!(options.cluster(), &Cluster { servers, volume, debug: 4, logfile: "-".into() });
    assert_eq!(options.path(), "i");
    assert_eq!(options.node_name().as_str(), "");
    let flags = [
        options.read_only(),
        options.auto_read_only(),
        options.direct(),
        options.no_flush(),
        options.unmap(),
    ];
    assert_eq!(flags, [false; 5]);
}

#[test]
fn values_with_types_and_texts_mean_the_same() {
    for (typed, texts, changed) in [
        (json!({"debug": 9}), json!({"debug": "0x9"}), image(|image| image.debug(9))),
        (json!({"debug": -1}), json!({"debug": "-1"}), image(|image| image.debug(0))),
        (json!({"debug": 1_000}), json!({"debug": "10"}), image(|image| image.debug(9))),
        (json!({"logfile": "l"}), json!({"logfile": "l"}), image(|image| image.logfile("l"))),
        (json!({"read-only": true}), json!({"read-only": "yes"}), image(|i| i.read_only(true))),
        (
            json!({"auto-read-only": true}),
            json!({"auto-read-only": "on"}),
            image(|image| image.auto_read_only(true)),
        ),
        (
            json!({"cache": {"direct": true, "no-flush": false}}),
            json!({"cache": {"direct": "on", "no-flush": "off"}}),
            image(|image| image.direct(true)),
        ),
        (
            json!({"cache": {"no-flush": true}}),
            json!({"cache": {"no-flush": "true"}}),
            image(|image| image.no_flush(true)),
        ),
        (json!({"discard": "unmap"}), json!({"discard": "on"}), image(|image| image.unmap(true))),
        (json!({"discard": "ignore"}), json!({"discard": "off"}), image(plain)),
        (json!({"detect-zeroes": "off"}), json!({"detect-zeroes": "off"}), image(plain)),
        (json!({"active": true}), json!({"active": "on"}), image(plain)),
        (json!({"node-name": "g"}), json!({"driver": "gluster", "node-name": "g"}), {
            image(|image| image.node_name("g"))
        }),
    ] {
        assert_eq!(taken(&typed), changed, "{typed}");
        assert_eq!(taken(&texts), changed, "{texts}");
    }
}

#[test]
fn servers_are_taken_in_their_order_and_under_their_old_names() {
    let options = taken(&json!({"server": [
        {"type": "unix", "path": "/run/a"},
        {"type": "unix", "socket": "/run/b"},
        {"type": "inet", "host": "fe80::1%eth0", "port": "1"},
        {"type": "tcp", "host": "h", "port": "0"},
    ]}));
    assert_eq!(
        options.cluster().servers,
        [
            Server::Unix { path: "/run/a".into() },
            Server::Unix { path: "/run/b".into() },
            Server::Inet { host: "fe80::1%eth0".into(), port: 1 },
            Server::Inet { host: "h".into(), port: 24007 },
        ]
    );
}

#[test]
fn a_filename_stands_for_volume_path_and_server() {
    let object = json!({"driver": "gluster", "filename": "gluster://h/v/i", "debug": "4"});
    assert_eq!(GlusterOptions::from_json(&object).unwrap(), image(plain));
    for (name, value) in [("volume", json!("v")), ("path", json!("i")), ("server", json!([]))] {
        let mut object = object.clone();
        object[name] = value;
        let error = GlusterOptions::from_json(&object).unwrap_err();
        assert_eq!(error.to_string(), format!("Parameter '{name}' is unexpected"));
    }
    let error = GlusterOptions::from_json(&json!({"filename": "foo"})).unwrap_err();
    assert!(error.to_string().starts_with("invalid URI foo: "), "{error}");
}

#[test]
fn options_are_refused_in_the_words_of_qemu() {
    let missing = |name| format!("Parameter '{name}' is missing");
    let wrong = |name, type_| format!("Invalid parameter type for '{name}', expected: {type_}");
    let at = |text, index| format!("{text}\nhint: check in 'server' array index '{index}'");
    let unix = json!({"type": "unix", "path": "/run/g"});
    for (changes, text) in [
        (json!({"server": DELETE}), missing("server")),
        (json!({"server": []}), missing("server")),
        (json!({"server": [], "volume": DELETE, "path": DELETE}), missing("server")),
        (json!({"volume": DELETE, "path": DELETE}), missing("volume")),
        (json!({"path": DELETE, "server": [{}]}), missing("path")),
        (json!({"server": [{}]}), missing("server[0].type")),
        (json!({"server": [unix, {"type": "inet", "port": "1"}]}), missing("server[1].host")),
        (json!({"server": [{"type": "inet", "host": "h"}]}), missing("server[0].port")),
        (json!({"server": [{"type": "unix"}]}), missing("server[0].path")),
        (
            json!({"server": [unix, {"type": "rdma"}]}),
            at("Parameter 'type' may be 'inet' or 'unix'", 1),
        ),
        (json!({"server": [{"type": "fd"}]}), at("Parameter 'type' may be 'inet' or 'unix'", 0)),
        (
            json!({"server": [{"type": "unix", "path": "a", "socket": "b"}]}),
            at("Conflicting parameters 'path' and 'socket'", 0),
        ),
        (inet(json!({"to": 2})), at("Parameter 'to' not supported", 0)),
        (inet(json!({"ipv4": true})), at("Parameters 'ipv4/ipv6' not supported", 0)),
        (inet(json!({"ipv6": true})), at("Parameters 'ipv4/ipv6' not supported", 0)),
        (inet(json!({"x": 1})), "Parameter 'server[0].x' is unexpected".into()),
        (inet(json!({"port": 24007})), wrong("server[0].port", "string")),
        (inet(json!({"host": 1})), wrong("server[0].host", "string")),
        (json!({"server": {}}), wrong("server", "array")),
        (json!({"server": ["h"]}), wrong("server[0]", "object")),
        (json!({"volume": 1}), wrong("volume", "string")),
        (json!({"debug": true}), wrong("debug", "integer")),
        (json!({"debug": 1.5}), wrong("debug", "integer")),
        (json!({"debug": "x"}), "Parameter 'debug' expects a number".into()),
        (json!({"logfile": 1}), wrong("logfile", "string")),
        (json!({"read-only": "maybe"}), wrong("read-only", "boolean")),
        (json!({"cache": {"direct": 1}}), wrong("cache.direct", "boolean")),
        (json!({"discard": "x"}), "Parameter 'discard' does not accept value 'x'".into()),
        (json!({"driver": "file"}), "Parameter 'driver' does not accept value 'file'".into()),
        (json!({"node-name": "1"}), "Invalid node-name: '1'".into()),
        (
            json!({"force-share": true}),
            "force-share=on can only be used with read-only images".into(),
        ),
        (json!({"x": 1}), "Parameter 'x' is unexpected".into()),
        (json!({"debug": "x", "server": []}), "Parameter 'debug' expects a number".into()),
    ] {
        assert_eq!(refused(&changes), text, "{changes}");
    }
    let error = GlusterOptions::from_json(&json!([])).unwrap_err();
    assert_eq!(error.to_string(), wrong("arguments", "object"));
    assert_eq!(error.errno(), Errno::EINVAL);
}

/// S40 and others: QEMU takes these, and they fail later or mean something else.
#[test]
fn what_qemu_lets_pass_is_refused() {
    for port in [" 24007", "24007 ", "+1", "0x10", "-0", "", "65536", "abc", "-1", "24007x"] {
        let text = format!("'{port}' is not a valid port number: write 1 to 65535, or 0 for 24007");
        assert_eq!(refused(&inet(json!({"port": port}))), text);
    }
    let empty = |what| format!("The {what} of a gluster image must not be empty");
    let nul = |what| format!("The {what} of a gluster image must not contain a zero byte");
    for (changes, text) in [
        (json!({"volume": ""}), empty("volume")),
        (json!({"path": ""}), empty("path")),
        (json!({"logfile": ""}), empty("logfile")),
        (inet(json!({"host": ""})), empty("host")),
        (json!({"server": [{"type": "unix", "path": ""}]}), empty("socket")),
        (json!({"volume": "a\0b"}), nul("volume")),
        (json!({"path": "a\0b"}), nul("path")),
        (inet(json!({"host": "a\0b"})), nul("host")),
        (
            json!({"volume": "v/w"}),
            "'v/w' is not a gluster volume: its name contains a slash".into(),
        ),
        (
            json!({"detect-zeroes": "on"}),
            "detect-zeroes is not supported on a gluster image: the engine does not look into \
             what it writes, write zeroes as such"
                .into(),
        ),
        (
            json!({"active": false}),
            "active=off is not supported on a gluster image: an open image is active".into(),
        ),
    ] {
        assert_eq!(refused(&changes), text, "{changes}");
    }
}

#[test]
fn a_builder_refuses_what_json_does() {
    let builder = || GlusterOptions::builder("v", "i");
    let error = builder().build().unwrap_err();
    assert_eq!(error.to_string(), "Parameter 'server' is missing");
    let error = builder().server(Server::Unix { path: "".into() }).build().unwrap_err();
    assert_eq!(error.to_string(), "The socket of a gluster image must not be empty");
    let named = builder().server(Server::Unix { path: "s".into() }).node_name("1").build();
    assert_eq!(named.unwrap_err().to_string(), "Invalid node-name: '1'");
    assert_eq!(image(|image| image.debug(200)).cluster().debug, 9);
    let zero = builder().server(Server::Inet { host: "h".into(), port: 0 }).build();
    assert_eq!(zero.unwrap(), image(plain), "0 is 24007 here, too");
}

#[test]
fn a_definition_of_a_command_line_is_read() {
    let quorum = QuorumOptions::from_dotted(
        "driver=quorum,vote-threshold=1,read-only=on,children.0.driver=gluster,\
         children.0.volume=v,children.0.path=i,children.0.server.0.type=inet,\
         children.0.server.0.host=h,children.0.server.0.port=24007,children.0.debug=7,\
         children.0.cache.direct=on,children.0.discard=on,children.0.auto-read-only=off",
    );
    let quorum = quorum.unwrap();
    let [ChildSpec::Inline(definition)] = quorum.children() else { panic!("one definition") };
    let options = GlusterOptions::from_json(&definition.clone().into()).unwrap();
    assert_eq!(options, image(|i| i.read_only(true).debug(7).direct(true).unmap(true)));
}

/// G15: QEMU once opened it by the name that people see.
#[test]
fn an_image_is_opened_again_by_the_json_that_it_shows() {
    let options = image(|image| image.server(Server::Unix { path: "/run/g".into() }).debug(7));
    let shown = json!({
        "driver": "gluster", "volume": "v", "path": "i", "debug": 7, "logfile": "-",
        "server": [
            {"type": "inet", "host": "h", "port": "24007"}, {"type": "unix", "path": "/run/g"},
        ],
    });
    assert_eq!(options.to_json(), shown);
    assert_eq!(GlusterOptions::from_json(&shown).unwrap(), options);
}

proptest! {
    #[test]
    fn options_survive_json(options in images()) {
        assert_eq!(GlusterOptions::from_json(&options.to_json()).unwrap(), options);
        assert_eq!(options.clone().change().build().unwrap(), options);
    }

    #[test]
    fn no_json_panics(object in prop::collection::btree_map(key(), value(), 0..8)) {
        let object = Value::Object(object.into_iter().collect::<Map<_, _>>());
        if let Ok(options) = GlusterOptions::from_json(&object) {
            assert_eq!(GlusterOptions::from_json(&options.to_json()).unwrap(), options);
        }
    }
}

fn images() -> impl Strategy<Value = GlusterOptions> {
    let inet = ("[^\0]{1,6}", 1..=u16::MAX).prop_map(|(host, port)| Server::Inet { host, port });
    let unix = "[^\0]{1,6}".prop_map(|path| Server::Unix { path });
    let servers = prop::collection::vec(prop_oneof![inet, unix], 1..4);
    let texts = ("[^\0/]{1,6}", "[^\0]{1,6}", "[^\0]{1,6}", "([a-z]{1,6})?");
    (servers, texts, 0..20_u8, any::<[bool; 5]>()).prop_map(
        |(servers, (volume, path, logfile, name), debug, flags)| {
            let [read_only, auto_read_only, direct, no_flush, unmap] = flags;
            let builder = GlusterOptions::builder(volume, path)
                .logfile(logfile)
                .node_name(name)
                .debug(debug)
                .read_only(read_only)
                .auto_read_only(auto_read_only)
                .direct(direct)
                .no_flush(no_flush)
                .unmap(unmap);
            let builder = servers.into_iter().fold(builder, |builder, s| builder.server(s));
            builder.build().expect("the strategy makes good images")
        },
    )
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "driver",
        "node-name",
        "discard",
        "cache",
        "read-only",
        "debug",
        "logfile",
        "filename",
        "server",
        "volume",
        "path",
        "x",
    ])
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "gluster",
        "on",
        "unmap",
        "v",
        "",
        "/",
        "inet",
        "unix",
        "1",
        "\0",
        "gluster://h/v/i",
        "é",
    ]);
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let name = prop::sample::select(vec!["type", "host", "port", "path", "socket", "direct"]);
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let member = (name.clone().prop_map(str::to_owned), inner.clone());
        let members = prop::collection::vec(member, 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            members.prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn taken(changes: &Value) -> GlusterOptions {
    GlusterOptions::from_json(&changed(changes))
        .unwrap_or_else(|error| panic!("{changes}: {error}"))
}

fn refused(changes: &Value) -> String {
    let error = GlusterOptions::from_json(&changed(changes)).expect_err("a refused row");
    assert_eq!(error.errno(), Errno::EINVAL);
    error.to_string()
}

/// A good definition with these members in place of its own.
fn changed(changes: &Value) -> Value {
    let mut object = json!({
        "volume": "v", "path": "i",
        "server": [{"type": "inet", "host": "h", "port": "24007"}],
    });
    let members = object.as_object_mut().expect("it is one");
    for (name, value) in changes.as_object().expect("changes are members") {
        match value.as_str() {
            Some(DELETE) => drop(members.remove(name)),
            _ => drop(members.insert(name.clone(), value.clone())),
        }
    }
    object
}

/// Changes to the only server.
fn inet(changes: Value) -> Value {
    let mut server = json!({"type": "inet", "host": "h", "port": "1"});
    let members = server.as_object_mut().expect("it is one");
    members.extend(changes.as_object().expect("changes are members").clone());
    json!({"server": [server]})
}

const DELETE: &str = "(delete)";
