//! What drives QEMU: requests both ways, held answers, and ends of every kind.

use super::{Medium, qemu};
use quorate_engine::{Errno, Extent, ExtentKind, Limits, ZeroFlags};
use quorate_qemu::{
    Abilities, Answer, Child, Client, Daemon, Error, Program, Request, Version, extents, status,
};
use serde_json::json;
use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::symlink, net::UnixStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Has a test start a daemon there and hold it until it is killed.
const HOLD: &str = "QUORATE_QEMU_TEST_HOLD";

/// A daemon with an array `q` over children `c0`, `c1`, … that are full of these letters.
fn array(program: &Program, letters: &[u8], threshold: usize) -> (Daemon<Medium>, Client) {
    let mut daemon = Daemon::start(program).expect("it starts");
    let names: Vec<_> = (0..letters.len()).map(|index| format!("c{index}")).collect();
    for (name, &letter) in names.iter().zip(letters) {
        daemon.serve(name, Medium::full(letter)).expect("it is a node");
    }
    let node = json!({
        "driver": "quorum", "node-name": "q", "children": names, "vote-threshold": threshold,
    });
    daemon.obey("blockdev-add", &node).expect("the array opens");
    let client = daemon.export("q").expect("it is exported");
    (daemon, client)
}

/// Keeps what it is asked.
struct Listening {
    medium: Medium,
    abilities: Abilities,
    asked: Vec<Request>,
}

impl Child for Listening {
    fn bytes(&self) -> u64 {
        self.medium.bytes()
    }

    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn answer(&mut self, request: &Request) -> Answer {
        self.asked.push(request.clone());
        self.medium.answer(request)
    }
}

/// A daemon and a client of its one child, `c0`, which has these abilities.
fn listening(program: &Program, abilities: Abilities) -> (Daemon<Listening>, Client) {
    let mut daemon = Daemon::start(program).expect("it starts");
    let child = Listening { medium: Medium::full(b'A'), abilities, asked: Vec::new() };
    daemon.serve("c0", child).expect("it is a node");
    let client = if abilities.read_only {
        daemon.export_read_only("c0").expect("it is exported")
    } else {
        daemon.export("c0").expect("it is exported")
    };
    daemon.child("c0").asked.clear();
    (daemon, client)
}

fn zeroes(offset: u64, bytes: u32, fua: bool, may_unmap: bool) -> Request {
    Request::Zeroes { offset, bytes, fua, may_unmap, no_fallback: false }
}

#[test]
fn a_child_is_asked_for_what_it_can_do() {
    let Some(program) = qemu() else { return };
    let fast =
        Request::Zeroes { offset: 0, bytes: 512, fua: false, may_unmap: true, no_fallback: true };
    let discard = Request::Discard { offset: 512, bytes: 1024 };
    let write = |offset, bytes, fua| Request::Write { offset, data: vec![b'B'; bytes], fua };
    let none = || Ok(Vec::new());
    let all = Abilities { fast_zeroes: true, discards: true, ..Abilities::default() };
    let without = Abilities { fua: false, zeroes: false, ..Abilities::default() };
    let coarse = Abilities { block_bytes: 512, request_bytes_max: 1024, ..all };
    let (read_only, read) =
        (Abilities { read_only: true, ..all }, Request::Read { offset: 0, bytes: 512 });
    for (abilities, request, reply, asked) in [
        (all, fast.clone(), none(), vec![fast.clone()]),
        (all, discard.clone(), none(), vec![discard.clone()]),
        // QEMU does without what only saves space.
        (without, discard.clone(), none(), vec![]),
        (without, fast, Err(Errno::ENOTSUP), vec![]),
        (without, write(5, 7, true), none(), vec![write(5, 7, false), Request::Flush]),
        (
            without,
            zeroes(0, 512, false, true),
            none(),
            vec![Request::Write { offset: 0, data: vec![0; 512], fua: false }],
        ),
        (
            coarse,
            Request::Read { offset: 700, bytes: 1 },
            Ok(vec![b'A']),
            vec![Request::Read { offset: 512, bytes: 512 }],
        ),
        (
            coarse,
            write(0, 2048, false),
            none(),
            vec![write(0, 1024, false), write(1024, 1024, false)],
        ),
        (read_only, read.clone(), Ok(vec![b'A'; 512]), vec![read]),
    ] {
        let (mut daemon, client) = listening(&program, abilities);
        assert_eq!(daemon.request(client, &request).expect("it lives"), reply, "{request:?}");
        assert_eq!(daemon.child("c0").asked, asked, "{request:?} of {abilities:?}");
        daemon.shut(client).expect("it ends");
        if abilities.read_only {
            let refused = daemon.export("c0").expect_err("it is not written to").to_string();
            assert!(refused.contains("read-only"), "{refused}");
        }
        daemon.retire("c0").expect("nobody uses it");
    }
}

#[test]
fn a_child_tells_what_reads_as_zeroes() {
    let Some(program) = qemu() else { return };
    /// Holds zeroes from a byte on, and fails once it is told to.
    struct Telling(u64, Option<Errno>);
    impl Child for Telling {
        fn bytes(&self) -> u64 {
            8192
        }
        fn abilities(&self) -> Abilities {
            Abilities { tells_status: true, ..Abilities::default() }
        }
        fn answer(&mut self, request: &Request) -> Answer {
            let data = self.0;
            let reply = match request {
                Request::Status { offset, bytes } if *offset < data => status(&[Extent {
                    bytes: u64::from(*bytes).min(data - offset),
                    kind: ExtentKind::Data,
                }]),
                Request::Status { bytes, .. } => {
                    status(&[Extent { bytes: u64::from(*bytes), kind: ExtentKind::Zero }])
                }
                Request::Read { bytes, .. } => vec![b'A'; *bytes as usize],
                _ => Vec::new(),
            };
            Answer::Now(self.1.map_or(Ok(reply), Err))
        }
    }
    let mut daemon = Daemon::start_leaping(&program).expect("it starts");
    let children = ["c0", "c1", "c2"].into_iter().zip([512, 1024, 2048]);
    let children = children.map(|(name, data)| (name.into(), Telling(data, None)));
    let array = json!({"driver": "quorum", "node-name": "q", "vote-threshold": 2});
    let client = daemon.open(&array, children).expect("it opens");
    let asking = daemon.ask_status("q").expect("it is exported");
    let ask = Request::Status { offset: 0, bytes: 4096 };
    let told = daemon.request(asking, &ask).expect("it lives").expect("it is told");
    let (data, zeroes) = (ExtentKind::Data, ExtentKind::Zero);
    // S16: not what two of three say, but what every child does.
    assert_eq!(
        extents(&told),
        [Extent { bytes: 2048, kind: data }, Extent { bytes: 2048, kind: zeroes },]
    );
    let read = Request::Read { offset: 3, bytes: 5 };
    assert_eq!(daemon.request(client, &read).expect("it lives"), Ok(b"AAAAA".to_vec()));
    for name in ["c0", "c1", "c2"] {
        daemon.child(name).1 = Some(Errno::ENOSPC);
    }
    assert_eq!(daemon.request(client, &read).expect("it lives"), Err(Errno::ENOSPC));
    // What is not known is data.
    let told = daemon.request(asking, &ask).expect("it lives").expect("it is told");
    assert_eq!(extents(&told), [Extent { bytes: 4096, kind: data }]);
    daemon.close(client).expect("it closes");
}

#[test]
fn abilities_are_the_nearest_to_limits() {
    assert_eq!(
        Limits::from(Abilities::from(Limits::NONE)),
        Limits {
            max_transfer: Some(32 << 20),
            zeroes: Some(ZeroFlags { fua: false, may_unmap: true, no_fallback: true }),
            ..Limits::NONE
        }
    );
    let exact = Limits {
        request_alignment: 4096,
        max_transfer: Some(12288),
        write_fua: true,
        zeroes: None,
        read_only: true,
    };
    assert_eq!(Limits::from(Abilities::from(exact)), exact);
}

#[test]
fn every_request_arrives_with_its_flags() {
    let Some(program) = qemu() else { return };
    let (mut daemon, client) = listening(&program, Abilities::default());
    assert_eq!(daemon.bytes(client), 8192);
    let data = b"quorate".to_vec();
    let asked = [
        Request::Write { offset: 700, data: data.clone(), fua: false },
        Request::Read { offset: 699, bytes: 9 },
        Request::Write { offset: 1000, data, fua: true },
        zeroes(700, 3, false, false),
        zeroes(1024, 512, true, true),
        Request::Flush,
    ];
    let replies = asked.clone().map(|asked| daemon.request(client, &asked).expect("it lives"));
    assert_eq!(replies[1], Ok(b"AquorateA".to_vec()));
    assert_eq!(daemon.child("c0").asked, asked);
    daemon.shut(client).expect("it ends");
    let child = daemon.retire("c0").expect("nobody uses it");
    assert_eq!(child.medium.read(699, 9), b"A\0\0\0rateA");
}

#[test]
fn errors_pass_as_far_as_nbd_carries_them() {
    let Some(program) = qemu() else { return };
    /// Fails all reads.
    struct Failing(Errno);
    impl Child for Failing {
        fn bytes(&self) -> u64 {
            512
        }
        fn answer(&mut self, request: &Request) -> Answer {
            let read = matches!(request, Request::Read { .. });
            Answer::Now(if read { Err(self.0) } else { Ok(Vec::new()) })
        }
    }
    let mut daemon = Daemon::start(&program).expect("it starts");
    daemon.serve("c0", Failing(Errno::EIO)).expect("it is a node");
    let client = daemon.export("c0").expect("it is exported");
    for (number, came) in
        [(1, 1), (5, 5), (12, 12), (22, 22), (28, 28), (75, 75), (95, 95), (108, 108), (117, 22)]
    {
        daemon.child("c0").0 = Errno::from_number(number).expect("it is one");
        let reply = daemon.request(client, &Request::Read { offset: 0, bytes: 512 });
        assert_eq!(reply.expect("it lives"), Err(Errno::from_number(came).expect("it is one")));
    }
}

#[test]
fn a_read_waits_for_the_child_that_is_held() {
    let Some(program) = qemu() else { return };
    let (mut daemon, client) = array(&program, b"AAB", 2);
    daemon.child("c2").holds_reads = true;
    let ticket = daemon.submit(client, &Request::Read { offset: 0, bytes: 512 }).expect("sent");
    daemon.until_held(1).expect("c2 is asked");
    daemon.settle().expect("it lives");
    assert_eq!(daemon.reply(ticket), None, "two of three agree, and the third is waited for");
    assert_eq!(daemon.held()[0].child, "c2");
    daemon.release(0, &Ok(vec![b'B'; 512])).expect("it is answered");
    assert_eq!(daemon.wait(ticket).expect("it lives"), Ok(vec![b'A'; 512]));
    let events = daemon.events().expect("it lives");
    let bad: Vec<_> = events.iter().filter(|event| event.name == "QUORUM_REPORT_BAD").collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].data["node-name"], "c2");
}

/// What is reported of 100 reads of `q`, of which every child's part fails.
fn told_of_failing_reads(daemon: &mut Daemon<Medium>) -> Vec<String> {
    for (name, letter) in [("c0", b'A'), ("c1", b'A'), ("c2", b'A')] {
        daemon.serve(name, Medium::full(letter)).expect("it is a node");
    }
    let node = json!({
        "driver": "quorum", "node-name": "q", "children": ["c0", "c1", "c2"], "vote-threshold": 2,
    });
    daemon.obey("blockdev-add", &node).expect("the array opens");
    let client = daemon.export("q").expect("it is exported");
    for name in ["c0", "c1", "c2"] {
        daemon.child(name).holds_reads = true;
    }
    let mut told = Vec::new();
    for _ in 0..100 {
        let read = Request::Read { offset: 0, bytes: 512 };
        let ticket = daemon.submit(client, &read).expect("it lives");
        daemon.until_held(3).expect("all are asked");
        for _ in 0..3 {
            daemon.release(0, &Err(Errno::EIO)).expect("it lives");
        }
        assert_eq!(daemon.wait(ticket).expect("it lives"), Err(Errno::EIO));
        told.extend(daemon.events().expect("it lives").into_iter().map(|event| event.name));
    }
    told
}

#[test]
fn where_time_leaps_every_event_comes() {
    let Some(program) = qemu() else { return };
    let count = |told: &[String], name| told.iter().filter(|told| *told == name).count();
    let mut leaping = Daemon::start_leaping(&program).expect("it starts");
    let told = told_of_failing_reads(&mut leaping);
    assert_eq!(count(&told, "QUORUM_REPORT_BAD"), 300, "{told:?}");
    assert_eq!(count(&told, "QUORUM_FAILURE"), 100, "{told:?}");
    let mut plain = Daemon::start(&program).expect("it starts");
    let told = told_of_failing_reads(&mut plain);
    let failures = count(&told, "QUORUM_FAILURE");
    assert!(failures < 100 && count(&told, "QUORUM_REPORT_BAD") < 300, "{told:?}");
}

#[test]
fn one_daemon_has_one_array_after_the_other() {
    let Some(program) = qemu() else { return };
    let mut daemon = Daemon::start(&program).expect("it starts");
    for letter in b'A'..=b'E' {
        daemon.serve("c", Medium::full(letter)).expect("it is a node");
        let node = json!({
            "driver": "quorum", "node-name": "q", "children": ["c"], "vote-threshold": 1,
        });
        daemon.obey("blockdev-add", &node).expect("the array opens");
        let client = daemon.export("q").expect("it is exported");
        let reply = daemon.request(client, &Request::Read { offset: 0, bytes: 1 });
        assert_eq!(reply.expect("it lives"), Ok(vec![letter]));
        daemon.shut(client).expect("it ends");
        daemon.obey("blockdev-del", &json!({"node-name": "q"})).expect("nobody uses it");
        daemon.retire("c").expect("nobody uses it");
    }
    assert_eq!(daemon.obey("query-named-block-nodes", &json!({})).expect("it lives"), json!([]));
}

#[test]
fn an_array_is_opened_and_closed_in_one_go() {
    let Some(program) = qemu() else { return };
    let mut daemon = Daemon::start(&program).expect("it starts");
    let children = || [("c0".into(), Medium::full(b'A')), ("c1".into(), Medium::full(b'A'))];
    let array = |threshold: usize| {
        json!({
            "driver": "quorum", "node-name": "q", "vote-threshold": threshold,
        })
    };
    for _ in 0..20 {
        let client = daemon.open(&array(2), children()).expect("it opens");
        let write = Request::Write { offset: 0, data: vec![b'B'], fua: false };
        assert_eq!(daemon.request(client, &write).expect("it lives"), Ok(Vec::new()));
        for child in daemon.close(client).expect("nobody else uses it") {
            assert_eq!(child.read(0, 2), b"BA");
        }
        assert_eq!(daemon.events().expect("it lives"), []);
    }
    let refused = daemon.open(&array(3), children()).expect_err("two children are less");
    assert!(refused.to_string().contains("threshold"), "{refused}");
    assert_eq!(daemon.obey("query-named-block-nodes", &json!({})).expect("it lives"), json!([]));
}

#[test]
fn at_rest_all_is_there_that_comes_by_itself() {
    let Some(program) = qemu() else { return };
    let (mut daemon, client) = array(&program, b"AAB", 2);
    for name in ["c0", "c1", "c2"] {
        daemon.child(name).holds_reads = true;
    }
    for _ in 0..200 {
        let read = Request::Read { offset: 0, bytes: 512 };
        let ticket = daemon.submit(client, &read).expect("it lives");
        for held in (0..3).rev() {
            daemon.rest().expect("it lives");
            assert_eq!((daemon.held().len(), daemon.reply(ticket)), (held + 1, None));
            let letter = daemon.child(&daemon.held()[held].child.clone()).bytes[0];
            daemon.release(held, &Ok(vec![letter; 512])).expect("it lives");
        }
        daemon.rest().expect("it lives");
        assert_eq!(daemon.reply(ticket), Some(Ok(vec![b'A'; 512])));
    }
    daemon.obey("quit", &json!({})).expect("it can be told to");
    let ended = loop {
        if let Err(error) = daemon.rest() {
            break error;
        }
    };
    assert!(matches!(ended, Error::Died { status, .. } if status.success()), "{ended}");
}

#[test]
fn a_daemon_that_dies_is_an_error_with_its_last_words() {
    let Some(program) = qemu() else { return };
    let mut daemon = Daemon::start(&program).expect("it starts");
    for (name, letter) in [("c0", b'A'), ("c1", b'B')] {
        daemon.serve(name, Medium::full(letter)).expect("it is a node");
    }
    let node = json!({
        "driver": "quorum", "node-name": "q", "children": ["c0", "c1"], "vote-threshold": 2,
        "blkverify": true,
    });
    daemon.obey("blockdev-add", &node).expect("the array opens");
    let client = daemon.export("q").expect("it is exported");
    let died = daemon.request(client, &Request::Read { offset: 0, bytes: 512 });
    let error = died.expect_err("QEMU exits where blkverify finds a difference");
    assert!(matches!(&error, Error::Died { status, .. } if status.code() == Some(1)), "{error}");
    assert!(error.to_string().contains("contents mismatch at offset 0"), "{error}");
    let again = daemon.settle().expect_err("it is still dead");
    assert_eq!(again.to_string(), error.to_string());
}

#[test]
fn a_refused_command_is_an_error_with_class_and_text() {
    let Some(program) = qemu() else { return };
    let mut daemon: Daemon<Medium> = Daemon::start(&program).expect("it starts");
    let error = daemon.obey("zz", &json!({})).expect_err("there is no such command");
    assert_eq!(
        error.to_string(),
        "zz {} is refused: The command zz has not been found (CommandNotFound)",
    );
    let error = daemon.export("zz").expect_err("there is no such node");
    assert!(error.to_string().contains("Cannot find device='' nor node-name='zz'"), "{error}");
}

#[test]
fn nothing_is_left_of_a_daemon_that_is_dropped() {
    let Some(program) = qemu() else { return };
    let place = tempfile::tempdir().expect("it can be made");
    let place = place.path();
    let daemon: Daemon<Medium> = Daemon::start_in(&program, place).expect("it starts");
    let pid = daemon.process_id();
    assert!(fs::exists(format!("/proc/{pid}")).expect("there is a /proc"));
    assert_eq!(fs::read_dir(place).expect("it is there").count(), 1);
    drop(daemon);
    assert!(!fs::exists(format!("/proc/{pid}")).expect("there is a /proc"));
    assert_eq!(fs::read_dir(place).expect("it is there").count(), 0);
}

#[test]
fn a_daemon_ends_with_a_process_that_is_killed() {
    let Some(program) = qemu() else { return };
    if let Some(place) = env::var_os(HOLD) {
        let _held: Daemon<Medium> = Daemon::start_in(&program, place.as_ref()).expect("it starts");
        writeln!(io::stdout(), "{HOLD}").expect("somebody listens");
        io::stdin().read_to_end(&mut Vec::new()).expect("it is a pipe");
        unreachable!("this process is killed");
    }
    let place = tempfile::tempdir().expect("it can be made");
    let mut holder = Command::new(env::current_exe().expect("it is a file"))
        .args(["--exact", "daemon::a_daemon_ends_with_a_process_that_is_killed", "--nocapture"])
        .env(HOLD, place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run again");
    let lines = BufReader::new(holder.stdout.take().expect("it is piped")).lines();
    let mut lines = lines.map(|line| line.expect("it is text"));
    assert!(lines.any(|line| line.ends_with(HOLD)), "the daemon starts there, too");
    let private = fs::read_dir(place.path()).expect("it is there").next().expect("one directory");
    let exports = private.expect("it can be read").path().join("exports");
    let mut export = UnixStream::connect(exports).expect("the daemon listens");
    // QEMU itself hangs up after 10 s of silence.
    export.set_read_timeout(Some(Duration::from_secs(8))).expect("it is a time");
    let mut greeting = [0; 18];
    export.read_exact(&mut greeting).expect("it greets");
    assert!(greeting.starts_with(b"NBDMAGIC"));
    holder.kill().expect("it is ours");
    holder.wait().expect("it is ours");
    assert_eq!(export.read(&mut greeting).expect("the daemon is gone"), 0);
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 0);
}

#[test]
fn a_place_with_too_long_a_name_is_refused_with_the_remedy() {
    let Some(program) = qemu() else { return };
    let place = tempfile::tempdir().expect("it can be made");
    let deep = place.path().join("d".repeat(100));
    fs::create_dir(&deep).expect("it can be made");
    let refused = Daemon::<Medium>::start_in(&program, &deep);
    let text = refused.expect_err("no socket's name is that long").to_string();
    assert!(text.contains("107 bytes: set TMPDIR to a directory whose name is shorter"), "{text}");
    assert_eq!(fs::read_dir(&deep).expect("it is there").count(), 0, "nothing is left there");
}

#[test]
fn what_is_missing_is_named_with_the_remedy() {
    let remedy = "apt-get install qemu-utils";
    let place = tempfile::tempdir().expect("it can be made");
    let lack = |text: &str| {
        let missing = Program::find_in(place.path()).expect_err("something is missing").to_string();
        assert!(missing.starts_with(text) && missing.contains(remedy), "{missing}");
    };
    let link = |program: &str, to: &Path| symlink(to, place.path().join(program));
    lack("qemu-storage-daemon does not start (No such file or directory");
    link("qemu-storage-daemon", Path::new("/bin/false")).expect("it is free");
    lack("qemu-storage-daemon --version says");
    if qemu().is_none() {
        return;
    }
    let path = env::var_os("PATH").expect("a program was found in it");
    let mut daemons = env::split_paths(&path).map(|path| path.join("qemu-storage-daemon"));
    let daemon = daemons.find(|daemon| daemon.exists()).expect("it was found");
    fs::remove_file(place.path().join("qemu-storage-daemon")).expect("it is ours");
    link("qemu-storage-daemon", &daemon).expect("it is free");
    lack("qemu-io does not start (No such file or directory");
    link("qemu-io", Path::new("/bin/false")).expect("it is free");
    let version = Program::find().expect("it was found").version();
    lack(&format!("QEMU {version} opens no quorum, and says"));
}

#[test]
fn versions_are_found_in_what_qemu_says() {
    let debian = "qemu-storage-daemon version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
    let found = Version::in_words(debian).map(|version| version.to_string());
    assert_eq!(found.as_deref(), Some("7.2.22"));
    let plain = Version::in_words("qemu-storage-daemon version 10.0.2\n");
    assert_eq!(plain, Some(Version { major: 10, minor: 0, micro: 2 }));
    for text in ["", "version", "version 10", "version 10.0", "version x.0.2", "10.0.2"] {
        assert_eq!(Version::in_words(text), None, "{text}");
    }
}
