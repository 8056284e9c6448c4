//! Which image a URI names.
//!
//! QEMU's answers are those of the rules of its 10.0 driver over GLib 2.74, which parses its URIs.
//! Where ours differ a row says both, and why.

use super::image;
use proptest::prelude::{Strategy, prop, prop_oneof, proptest};
use quorate_engine::{
    Errno,
    gluster::options::{GlusterOptions, Server},
};

/// `host:port volume image` or `socket volume image`.
#[test]
fn uris_that_qemu_takes_too_mean_the_same() {
    for (uri, means) in [
        ("gluster://h/v/i", "h:24007 v i"),
        ("gluster+tcp://h/v/i", "h:24007 v i"),
        ("Gluster+TCP://h/v/i", "h:24007 v i"),
        ("gluster:/v/i", "localhost:24007 v i"),
        ("gluster:v/i", "localhost:24007 v i"),
        ("gluster+tcp:/v/i", "localhost:24007 v i"),
        ("gluster+unix:/v/i?socket=/p", "/p v i"),
        ("gluster+unix:v/i?socket=/p", "/p v i"),
        ("gluster+unix:/v/i?socket=/a%20b", "/a b v i"),
        ("gluster+unix:/v/i?socket=/a=b", "/a=b v i"),
        ("gluster+unix:/v/i?socket=/a%26b", "/a&b v i"),
        ("gluster+unix:/v/i?socket=/a&", "/a v i"),
        ("gluster+unix:/v/i?so%63ket=/a", "/a v i"),
        ("gluster+unix:/v/i?socket=a+b", "a+b v i"),
        ("gluster+unix:/v/i?socket=a#f", "a v i"),
        ("gluster://h/v/dir/i", "h:24007 v dir/i"),
        ("gluster://h//v//i", "h:24007 v i"),
        ("gluster://h///v///d//i", "h:24007 v d//i"),
        ("gluster://h/v/i/", "h:24007 v i/"),
        ("gluster://h/v%2Fi", "h:24007 v i"),
        ("gluster://h/v%2fd%2fi", "h:24007 v d/i"),
        ("gluster://h/%2Fv/i", "h:24007 v i"),
        ("gluster://h/v/a%20b", "h:24007 v a b"),
        ("gluster://h/v/i%3Fx", "h:24007 v i?x"),
        ("gluster://h/v/%C3%A9", "h:24007 v é"),
        ("gluster://h/v/a+b:c...", "h:24007 v a+b:c..."),
        ("gluster://h/v/i?", "h:24007 v i"),
        ("gluster://u:p@h/v/i", "h:24007 v i"),
        ("gluster://h/v/i#frag", "h:24007 v i"),
        ("gluster://h:/v/i", "h:24007 v i"),
        ("gluster://h:0/v/i", "h:24007 v i"),
        ("gluster://h:1/v/i", "h:1 v i"),
        ("gluster://h:0024/v/i", "h:24 v i"),
        ("gluster://h:65535/v/i", "h:65535 v i"),
        ("gluster://h%41/v/i", "hA:24007 v i"),
        ("gluster://127.0.0.1/v/i", "127.0.0.1:24007 v i"),
        ("gluster://[::1]/v/i", "[::1]:24007 v i"),
        ("gluster://[fe80::1]:24008/v/i", "[fe80::1]:24008 v i"),
    ] {
        assert_eq!(meaning(uri), means, "{uri}");
    }
    let options = GlusterOptions::from_uri("gluster://[::1]/v/i").unwrap();
    let server = Server::Inet { host: "::1".into(), port: 24007 };
    assert_eq!(options.cluster().servers, [server], "without its brackets");
}

#[test]
fn uris_that_qemu_refuses_too_are_refused_with_the_reason() {
    let path = "it does not name a volume and an image on it";
    let socket = "gluster+unix needs the parameter 'socket=path'";
    let both = "gluster+unix takes neither host nor port";
    let parameter = |name| {
        format!("it has the parameter '{name}', and only gluster+unix takes one, 'socket=path'")
    };
    let port = |text| format!("'{text}' is not a port: write 1 to 65535, or none for 24007");
    let syntax =
        |what| format!("{what}; every other character is written as % and two hexadecimal digits");
    let octet = |at| syntax(format!("invalid percent-encoded octet at index {at}"));
    let character = |at| syntax(format!("unexpected character at index {at}"));
    let text = |what| format!("its {what} is not UTF-8 without zero bytes");
    for (uri, fault) in [
        ("", path.into()),
        ("foo", path.into()),
        ("v/i", path.into()),
        ("gluster:", path.into()),
        ("gluster://h", path.into()),
        ("gluster://h/", path.into()),
        ("gluster://h/v", path.into()),
        ("gluster://h/v/", path.into()),
        ("gluster://h/v//", path.into()),
        ("gluster://h/v%2F", path.into()),
        ("nbd://h/v/i", "its scheme is 'nbd'".into()),
        ("gluster+://h/v/i", "its scheme is 'gluster+'".into()),
        ("gluster+rdma://h/v/i", "gluster has no RDMA any more, write gluster+tcp".into()),
        ("gluster+rdma:/v", "gluster has no RDMA any more, write gluster+tcp".into()),
        ("gluster://h/v/i?x", parameter("x")),
        ("gluster://h/v/i?x=1", parameter("x")),
        ("gluster://h/v/i?socket=p", parameter("socket")),
        ("gluster://h/v/i?=x", parameter("")),
        ("gluster://h/v/i?&", parameter("")),
        ("gluster+unix:/v/i", socket.into()),
        ("gluster+unix:/v/i?", socket.into()),
        ("gluster+unix:/v/i?socket", socket.into()),
        ("gluster+unix:/v/i?sock=a", parameter("sock")),
        ("gluster+unix:/v/i?Socket=a", parameter("Socket")),
        ("gluster+unix:/v/i?socket=a&x=1", parameter("x")),
        ("gluster+unix:/v/i?&socket=a", parameter("")),
        ("gluster+unix://h/v/i?socket=a", both.into()),
        ("gluster+unix://h:0/v/i?socket=a", both.into()),
        ("gluster+unix://:0/v/i?socket=a", both.into()),
        ("gluster://h:65536/v/i", port("65536")),
        ("gluster://h:99999999999999999999/v/i", port("99999999999999999999")),
        ("gluster://h:-1/v/i", character(12)),
        ("gluster://h:+1/v/i", character(12)),
        ("gluster://h:24007x/v/i", character(17)),
        ("gluster://::1/v/i", character(11)),
        ("gluster://[::1/v/i", character(14)),
        ("gluster://[1]/v/i", syntax("invalid IPv6 address at index 11".into())),
        (
            "gluster://[v1.x]/v/i",
            "'[v1.x]' is not an address; a link-local one cannot be given in \
                                  a URI"
                .into(),
        ),
        ("gluster://h/v/i%", octet(15)),
        ("gluster://h/v/i%2", octet(15)),
        ("gluster://h/v/i%zz", octet(15)),
        ("gluster+unix:/v/i?socket=/a%2", octet(27)),
        ("gluster://h/v/i%00", text("path")),
        ("gluster://h/v/i%ff", text("path")),
        ("gluster://h%00/v/i", text("host")),
        ("gluster+unix:/v/i?socket=%00", text("parameter")),
        (" gluster://h/v/i", character(0)),
    ] {
        assert_eq!(meaning(uri), fault, "{uri}");
    }
}

#[test]
fn uris_are_read_otherwise_than_by_qemu_for_a_reason() {
    let dots = "its path contains '.' or '..'; write the path without them";
    let strict = |at| {
        format!(
            "unexpected character at index {at}; every other character is written as % and two \
             hexadecimal digits"
        )
    };
    for (uri, qemu, ours, why) in [
        ("gluster+unix:///v/i?socket=/p", "refused", "/p v i".into(), "S30: as documented"),
        ("gluster+unix://@/v/i?socket=/p", "refused", "/p v i".into(), "S30: no host either"),
        ("gluster:///v/i", ":24007 v i", "localhost:24007 v i".into(), "S31: no host"),
        ("gluster://:1/v/i", ":1 v i", "localhost:1 v i".into(), "S31: no host"),
        ("//h/v/i", "refused", "h:24007 v i".into(), "S32: the scheme is optional"),
        ("//h:1/v/i", "refused", "h:1 v i".into(), "S32: the scheme is optional"),
        ("/v/i", "refused", "localhost:24007 v i".into(), "S32: the scheme is optional"),
        ("///v/i", "refused", "localhost:24007 v i".into(), "S31 and S32"),
        (
            "gluster+unix:/v/i?socket=a&socket=b",
            "b v i",
            "it names two sockets".into(),
            "S34: the last one wins",
        ),
        (
            "gluster+unix:/v/i?socket=",
            " v i",
            "gluster+unix needs the parameter 'socket=path'".into(),
            "a socket without a path",
        ),
        ("gluster://h/../v/i", "h:24007 v i", dots.into(), "gluster resolves them differently"),
        ("gluster://h/v/d/../i", "h:24007 v i", dots.into(), "gluster resolves them differently"),
        ("gluster://h/v/%2e%2e/i", "refused", dots.into(), "the same, and says so"),
        ("gluster://h/./v/i", "h:24007 v i", dots.into(), "gluster resolves them differently"),
        ("gluster://h/v/a b", "h:24007 v a b", strict(15), "no URI: QEMU 7.2 refuses it"),
        ("gluster://h/v/é", "h:24007 v é", strict(14), "no URI: QEMU 7.2 refuses it"),
        ("gluster://h h/v/i", "h h:24007 v i", strict(11), "no URI: QEMU 7.2 refuses it"),
        (
            "gluster://[fe80::1%25eth0]/v/i",
            "[fe80::1%eth0]:24007 v i",
            strict(18),
            "no URI by RFC 3986: JSON takes such an address",
        ),
    ] {
        assert_eq!(meaning(uri), ours, "{uri}: {why}");
        assert_ne!(qemu, ours, "{uri} is no deviation");
    }
}

#[test]
fn a_refused_uri_is_shown_with_how_to_write_one() {
    let error = GlusterOptions::from_uri("foo").unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    let usage = "gluster[+tcp|+unix]://[host[:port]]/volume/path[?socket=path]";
    let text =
        format!("invalid URI foo: it does not name a volume and an image on it\nUsage: {usage}");
    assert_eq!(error.to_string(), text);
}

proptest! {
    #[test]
    fn no_text_panics(uri in prop_oneof!["\\PC{0,40}", nearly()]) {
        if let Ok(options) = GlusterOptions::from_uri(&uri) {
            let again = GlusterOptions::from_json(&options.to_json());
            assert_eq!(again.expect("it was taken before"), options);
        }
    }

    #[test]
    fn whatever_is_encoded_comes_back(
        volume in name("[^\0/]{1,8}"), path in name("[^\0/][^\0]{0,12}"), host in "[^\0]{1,8}",
        port in 1..=u16::MAX, socket in "[^\0]{1,12}",
    ) {
        let place = format!("{}/{}", encoded(&volume), encoded(&path));
        // A host of digits and dots alone could be an address, and is none the less the same text.
        let uri = format!("gluster://{}:{port}/{place}", encoded(&host));
        let inet = GlusterOptions::builder(&volume, &path).server(Server::Inet { host, port });
        assert_eq!(GlusterOptions::from_uri(&uri).expect(&uri), inet.build().unwrap());
        let uri = format!("gluster+unix:///{place}?socket={}", encoded(&socket));
        let unix = GlusterOptions::builder(&volume, &path).server(Server::Unix { path: socket });
        assert_eq!(GlusterOptions::from_uri(&uri).expect(&uri), unix.build().unwrap());
    }
}

/// Texts of which no part is a dot or two.
fn name(pattern: &'static str) -> impl Strategy<Value = String> {
    let dots = |name: &String| name.split('/').any(|part| part == "." || part == "..");
    pattern.prop_filter("dots are refused", move |name| !dots(name))
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Texts that are nearly URIs.
fn nearly() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "gluster", "+tcp", "+unix", "+rdma", ":", "//", "/", "h", "v", "i", "[", "::1", "]", "%",
        "%2F", "%00", "%ff", "?", "socket", "=", "&", "#", "@", ".", "..", "65536", "0", " ", "é",
    ]);
    let parts = prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
    parts.prop_map(|rest| format!("gluster{rest}"))
}

/// What the URI says, or what is wrong with it.
fn meaning(uri: &str) -> String {
    match GlusterOptions::from_uri(uri) {
        Ok(options) => {
            let defaults = image(|builder| builder);
            let of = |options: &GlusterOptions| {
                let cluster = options.cluster();
                (cluster.debug, cluster.logfile.clone(), options.read_only(), options.direct())
            };
            assert_eq!(of(&options), of(&defaults));
            let [server] = &options.cluster().servers[..] else { panic!("a URI has one server") };
            format!("{server} {} {}", options.cluster().volume, options.path())
        }
        Err(error) => {
            let text = error.to_string();
            let fault = text.strip_prefix(&format!("invalid URI {uri}: ")).expect("it says which");
            fault.split_once("\nUsage: ").expect("it says how").0.into()
        }
    }
}
