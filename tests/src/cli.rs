//! The command line: exit codes, what it says of bad input, and that machines can read it.

use quorate_reports::Colour;
use quorate_scenarios::{
    catalog,
    cli::{self, Host, exit},
};
use serde_json::Value;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};
use tempfile::TempDir;

mod diff;
mod doctor;
mod exhaust;
mod fuzz;
mod jobs;
mod places;
mod shrink;
mod verify;

/// What a command answered.
struct Answer {
    code: u8,
    out: String,
    err: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        self.out.parse().expect("it is one object")
    }
}

fn quorate(args: &[&str]) -> Answer {
    answer(args, &Arc::default())
}

fn answer(args: &[&str], stop: &Arc<AtomicBool>) -> Answer {
    answer_of(args, |host| host.stop = stop.clone())
}

/// The answer of a program that is this file, where it has another process do something.
fn in_host(args: &[&str], executable: Option<PathBuf>) -> Answer {
    answer_of(args, |host| host.executable = executable)
}

fn answer_of(args: &[&str], change: impl FnOnce(&mut Host<'_>)) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut host = host(&mut out, &mut err);
    change(&mut host);
    let code = cli::main_from(["quorate"].iter().chain(args), &mut host);
    let text = |bytes| String::from_utf8(bytes).expect("what people read is UTF-8");
    Answer { code, out: text(out), err: text(err) }
}

/// Where a test calls the command from.
pub(crate) fn host<'a>(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Host<'a> {
    Host {
        out,
        err,
        colour: Colour::Off,
        err_colour: Colour::Off,
        progress: false,
        program: "bin/quorate".into(),
        executable: None,
        arguments: None,
        stop: Arc::default(),
        catch_interrupt: false,
    }
}

/// A scenario file whose expectation is wrong on purpose: the read gives 0x32.
fn wrong_file(directory: &TempDir) -> String {
    let text = "version = 1\nname = \"wrong\"\n\
        [array]\nchildren = 3\nvote-threshold = 2\n\
        [[step]]\ndo = \"write\"\nbytes = \"1KiB\"\nfill = 0x32\n\
        [[step]]\ndo = \"read\"\nbytes = \"1KiB\"\nexpect = \"ok\"\nholds = 0x33\n";
    file(directory, "wrong.toml", text)
}

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a temporary directory takes files");
    path_text(&path)
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").into()
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("there is room for a temporary directory")
}

#[test]
fn list_names_the_whole_catalog() {
    let json = quorate(&["list", "--format", "json"]);
    assert_eq!((json.code, json.err.as_str()), (exit::HELD, ""));
    let listed = json.json();
    let listed: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(listed, catalog::names());
    let names = quorate(&["list", "--format", "names"]).out;
    assert_eq!(names.lines().collect::<Vec<_>>(), catalog::names());
    let text = quorate(&["list"]).out;
    for name in catalog::names() {
        let lines = text.lines().filter(|line| line.trim_start().split(' ').next() == Some(name));
        assert_eq!(lines.count(), 1, "{name} in\n{text}");
    }
}

#[test]
fn run_says_what_it_came_to() {
    let held = quorate(&["run", "read-corrupt"]);
    assert_eq!((held.code, held.err.as_str()), (exit::HELD, ""));
    assert!(held.out.starts_with("held  read-corrupt, "), "{}", held.out);

    let json = quorate(&["run", "random-budget", "--seed", "7", "--format", "json"]);
    let json = json.json();
    assert_eq!(json["token"], "random-budget:7");
    assert_eq!(json["verdict"], "held");
    let digest = json["digest"].as_str().expect("a digest");
    let replay = quorate(&["replay", "random-budget:7", "--check-digest", digest]);
    assert_eq!(replay.code, exit::HELD);
    let other = quorate(&["replay", "random-budget:8", "--check-digest", digest]);
    assert_eq!(other.code, exit::VIOLATED);
    assert!(other.out.contains(&format!("the digest should be {digest}")), "{}", other.out);
}

#[test]
fn a_profile_without_a_seed_gets_seed_0() {
    let implied = quorate(&["run", "random-budget"]).out;
    assert_eq!(implied, quorate(&["run", "random-budget", "--seed", "0"]).out);
    assert!(implied.starts_with("held  random-budget:0, "));
}

#[test]
fn what_does_not_hold_is_a_card_and_exit_code_100() {
    let directory = temporary();
    let wrong = wrong_file(&directory);
    let run = quorate(&["run", &wrong]);
    assert_eq!((run.code, run.err.as_str()), (exit::VIOLATED, ""));
    assert!(run.out.starts_with("EXPECTATIONS  wrong\nverdict  violated"), "{}", run.out);
    assert_eq!(run.out.matches(&format!("bin/quorate replay {wrong}")).count(), 1);

    let replay = quorate(&["replay", &wrong]);
    assert_eq!(replay.code, exit::VIOLATED);
    assert_eq!(replay.out.matches("µs  guest").count(), 1, "the timeline, and no excerpt of it");
    assert_eq!(replay.out.matches("Byte 0 of the data is 0x32").count(), 2, "beside it, and below");
    let below = run.out.rsplit_once("array   3 children").expect("the card has the options").1;
    assert!(replay.out.ends_with(below), "{}", replay.out);
    assert!(replay.out.starts_with("wrong  "), "{}", replay.out);

    let json = quorate(&["run", &wrong, "--format", "json"]).json();
    assert_eq!(json["verdict"], "violated");
    assert_eq!(json["violations"][0]["check"], "expectations");
    assert_eq!(quorate(&["trace", &wrong]).code, exit::VIOLATED);
}

#[test]
fn an_array_that_cannot_be_safe_is_warned_of() {
    let directory = temporary();
    for (options, why) in [
        ("vote-threshold = 1", "vote-threshold 1 of 3 children is not a majority"),
        ("vote-threshold = 2\nread-pattern = \"fifo\"", "read-pattern fifo with writes"),
    ] {
        let text = format!("version = 1\nname = \"unsafe\"\n[array]\nchildren = 3\n{options}\n");
        let run = quorate(&["run", &file(&directory, "unsafe.toml", &text)]);
        assert_eq!(run.code, exit::HELD);
        assert!(run.err.starts_with(&format!("warning: {why}")), "{}", run.err);
    }
}

#[test]
fn explain_says_what_why_and_how_it_ends() {
    let text = quorate(&["explain", "read-corrupt"]).out;
    for part in [
        "Covers rule 2: the order in which the losers of a vote are reported.\n\
         Covers iotest 081: QEMU's test of the quorum driver.\n",
        "array   3 children, vote-threshold 2, read-pattern quorum",
        "client  0: write 0+10K of 0x32 → ok; corrupt c1 0+10K with 0x42; read 0+10K → ok, 0x32, \
         bad c1\n        read 0+20\n",
        "It ends: held, with 1 event:\n  bad c1 read 0+20\n",
    ] {
        assert!(text.contains(part), "'{part}' in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn explain_says_of_a_profile_what_it_draws() {
    let text = quorate(&["explain", "random-any"]).out;
    let found = text.find("disks ").expect("it says what the disks are");
    let rest = &text[found..];
    for part in [
        "disks   64KiB each\n\
         random  1, 2, 3, 4, 5 or 6 children, vote-threshold anything from 1 to all of them\n",
        "read-pattern quorum (2 in 3) or fifo (1 in 3), rewrite-corrupted off or on, overlap\n",
        "40 requests of up to 4KiB by 4 clients: 8 read : 7 write : 1 fua : 2 zeroes",
        "faults at 1:8 of operations: fail, fail-flush,",
        "It ends with seed 0: held",
    ] {
        assert!(rest.contains(part), "'{part}' in\n{text}");
    }
    // The array of the file, of which a profile says nothing.
    assert!(!text.contains("array   "), "{text}");
    let fixed = quorate(&["explain", "random-blkverify"]).out;
    assert!(fixed.contains("array   blkverify\n"), "{fixed}");
}

#[test]
fn explain_shows_what_a_seed_draws() {
    let text = quorate(&["explain", "random-any:3"]).out;
    for part in [
        "random-any:3: Random requests",
        "array   2 children, vote-threshold 2, read-pattern quorum, overlap serialise",
        "client  0: flush; read 36K+512; flush; write 45K+3K fua;",
        "It ends: held",
    ] {
        assert!(text.contains(part), "'{part}' in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn trace_is_for_people_or_for_machines() {
    let timeline = quorate(&["trace", "read-corrupt"]).out;
    assert!(timeline.contains("* 0.2 bad c1 read 0+20"), "{timeline}");
    let lines = quorate(&["trace", "random-budget:3", "--format", "jsonl"]).out;
    let lines: Vec<Value> = lines.lines().map(|l| l.parse().expect("an object")).collect();
    assert_eq!(lines[0]["token"], "random-budget:3");
    assert_eq!(lines.last().expect("there is an end")["verdict"], "held");

    let directory = temporary();
    let path = path_text(&directory.path().join("trace.txt"));
    let to_file = quorate(&["trace", "read-corrupt", "--output", &path, "--colour", "always"]);
    assert_eq!((to_file.code, to_file.out.as_str()), (exit::HELD, ""));
    assert_eq!(fs::read_to_string(&path).expect("it was written"), timeline);
}

#[test]
fn a_run_is_exported_as_a_file_of_its_own() {
    let directory = temporary();
    let place = |name: &str| path_text(&directory.path().join(name));
    for (args, name) in [
        (&["random-any", "--seed", "5"][..], "expanded.toml"),
        (&["random-any:5", "--scripted"], "scripted.toml"),
        (&["adding-a-shorter-child-is-refused", "--scripted"], "refused.toml"),
        (&["same-node-twice-is-refused", "--scripted"], "not-opened.toml"),
    ] {
        let path = place(name);
        let printed = quorate(&[&["export"], args].concat());
        let saved = quorate(&[&["export"], args, &["-o", &path]].concat());
        assert_eq!((printed.code, saved.code, &*saved.out), (exit::HELD, exit::HELD, ""));
        assert_eq!(fs::read_to_string(&path).expect("it was written"), printed.out);
        let digest = |answer: Answer| answer.json()["digest"].clone();
        let run = |args: &[&str]| digest(quorate(&[&["run", "--format", "json"], args].concat()));
        let args: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--scripted").collect();
        let token = args.join("").replace("--seed", ":");
        let original = digest(quorate(&["run", &token, "--format", "json"]));
        assert_eq!(run(&[&path]), original, "{name}");
        // Only of a script the seed does not matter.
        if name == "expanded.toml" {
            assert_ne!(run(&[&path, "--seed", "6"]), original);
        } else {
            assert_eq!(run(&[&path, "--seed", "6"]), original, "{name}");
            assert!(printed.out.starts_with("# The run "), "{}", printed.out);
        }
    }
    assert_eq!(quorate(&["explain", &place("scripted.toml")]).code, exit::HELD);
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    assert!(!quorate(&["trace", "read-corrupt"]).out.contains('\u{1b}'));
    assert!(quorate(&["trace", "read-corrupt", "--colour=always"]).out.contains('\u{1b}'));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = quorate(&["completions", shell]);
        assert_eq!(script.code, exit::HELD);
        assert!(script.out.contains("keep-going"), "{shell}");
    }
}

#[test]
fn help_is_no_error_and_documents_the_exit_codes() {
    for command in [&["--help"][..], &["fuzz", "--help"], &["exhaust", "--help"]] {
        let help = quorate(command);
        assert_eq!((help.code, help.err.as_str()), (exit::HELD, ""));
        assert!(help.out.contains("100  a run did not hold"), "{}", help.out);
    }
    assert_eq!(quorate(&[]).code, exit::USAGE);
}

#[test]
fn bad_input_is_refused_with_place_and_remedy() {
    let directory = temporary();
    let bad = "version = 1\nname = \"bad\"\n[array]\nchildren = 3\nvote-threshold = 4\n";
    let bad = file(&directory, "bad.toml", bad);
    let key = "version = 1\nname = \"key\"\n[array]\nchilden = 3\nvote-threshold = 2\n";
    let key = file(&directory, "key.toml", key);
    let clash = file(&directory, "clash.toml", CLASH);
    let order = "version = 1\nname = \"order\"\n[array]\nchildren = 3\nvote-threshold = 2\n\
                 [schedule]\nkind = \"latest\"\n";
    let order = file(&directory, "order.toml", order);
    let latin = path_text(&directory.path().join("latin.toml"));
    fs::write(&latin, b"name = \"caf\xe9\"").expect("a temporary directory takes files");
    let clash_0 = format!("{clash}:0");
    let taken = file(&directory, "taken", "");
    let inside_file = format!("{taken}/x");
    let nowhere = path_text(&directory.path().join("no/such/trace"));
    let place = path_text(directory.path());
    for (args, said) in [
        (&["run", "read-corupt"][..], &["'read-corupt'", "did you mean 'read-corrupt'"][..]),
        (&["explain", "zzz"], &["no scenario 'zzz'", "`quorate list` names what there is"]),
        (&["run", "no/such.toml"], &["'no/such.toml'", "No such file", "quorate list"]),
        (&["run", &place], &["cannot read the scenario file", "directory"]),
        (&["run", &bad], &["bad.toml:5:18", "between 1 and the number of children, 3"]),
        (&["run", &key], &["key.toml:4:1", "childen", "children"]),
        (
            &["replay", "4711"],
            &["'4711' is a seed, but of which", "write profile:4711", "random-any"],
        ),
        (&["replay", "nosuch:5"], &["no scenario 'nosuch'", "take a seed, are random-any, "]),
        (&["run", &latin], &["not UTF-8 text", "save it in the encoding UTF-8"]),
        (&["fuzz", "--time", "0s"], &["'0s'", "must be above zero", "60s"]),
        (&["run", "read-corrupt", "--watchdog", "0s"], &["'0s'", "must be above zero"]),
        (&["fuzz", "--max-failures", "0"], &["'0'", "must be above zero", "such as 100"]),
        (&["fuzz", "--max-failures", "x"], &["'x'", "a whole number from 1"]),
        (&["run", &clash], &[&clash_0, "rule 'corrupt-0': the name is taken", "change the rule"]),
        (&["replay", "random-budget:x"], &["'x' in 'random-budget:x' is no seed", "17"]),
        (&["replay", "random-budget:18446744073709551616"], &["is no seed", "0 to 18446744"]),
        (&["run", "random-budget", "--seed", "-1"], &["'-1'", "a whole number from 0"]),
        (&["run", "random-budget:1", "--seed", "2"], &["names its seed already", "leave out"]),
        (&["replay", "read-corrupt", "--check-digest", "12"], &["32 hexadecimal digits"]),
        (&["fuzz", "--shard", "5/4"], &["'5/4'", "write 1/4, 2/4, 3/4 or 4/4"]),
        (&["fuzz", "--shard", "0/4"], &["'0/4'", "write 1/4"]),
        (&["fuzz", "--seeds", "9..3"], &["'9..3'", "no seed in it", "3..9"]),
        (&["fuzz", "--seeds", "0"], &["'0'", "no seed in it"]),
        (&["fuzz", "--seeds", "-5"], &["'-5'", "a whole number from 0"]),
        (&["fuzz", "--time", "60"], &["'60'", "60s, 5m"]),
        (&["fuzz", "--jobs", "0"], &["'0'", "1..=1024"]),
        (&["fuzz", "--scenario", "random-buget"], &["did you mean 'random-budget'"]),
        (&["fuzz", "--output", &taken], &["cannot save failures", "--output DIR"]),
        (&["fuzz", "--save-summary", &nowhere], &["cannot write", "a directory that exists"]),
        (&["trace", "read-corrupt", "--output", &nowhere], &["cannot write", "No such file"]),
        (&["trace", "read-corrupt", "--output", &inside_file], &["cannot write", "Not a direct"]),
        (&["trace", "read-corrupt", "--output", &place], &["cannot write", "is a directory"]),
        (&["shrink", "read-corrupt", "-o", &nowhere], &["cannot write", "No such file"]),
        (&["shrink", "read-corrupt", "--test", &place], &["cannot write", "is a directory"]),
        (
            &["shrink", "read-corrupt"],
            &["cannot be shrunk: its run holds", "name a run that fails"],
        ),
        (&["export", "read-corrupt", "-o", &nowhere], &["cannot write", "No such file"]),
        (&["export", "read-corrupt", "--scripted", "-o", &place], &["cannot write", "is a direct"]),
        (&["export", "random-any:1", "--seed", "2"], &["names its seed already", "leave out"]),
        (&["export", "read-corupt"], &["did you mean 'read-corrupt'"]),
        (
            &["run", &order],
            &["order.toml:7:8", "unknown variant `latest`", "`earliest`, `uniform`"],
        ),
        (&["exhaust", "--children", "7"], &["'7'", "from 1 to 6"]),
        (&["exhaust", "--children", "0"], &["'0'", "from 1 to 6"]),
        (&["exhaust", "--children", "x"], &["'x'", "a whole number from 1 to 6"]),
        (&["exhaust", "--operations", "raed"], &["'raed'", "read-fifo"]),
        (
            &["exhaust", "--children", "2", "--operations", "read,pairs-qemu"],
            &["'pairs-qemu' takes 3 children", "write --children 3 or more"],
        ),
        (&["exhaust", "--jobs", "0"], &["'0'", "1..=1024"]),
        (&["exhaust", "--check", "12"], &["'12'", "64 hexadecimal digits"]),
        (&["merge", &nowhere], &["cannot read the summary", "--save-summary FILE"]),
        (&["merge", &bad], &["is no summary of a fuzz", "line 1", "--save-summary FILE"]),
    ] {
        let refused = quorate(args);
        assert_eq!((refused.code, refused.out.as_str()), (exit::USAGE, ""), "{args:?}");
        for part in said {
            assert!(refused.err.contains(part), "{args:?}: '{part}' in\n{}", refused.err);
        }
    }
    let mut left: Vec<_> = fs::read_dir(directory.path())
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["bad.toml", "clash.toml", "key.toml", "latin.toml", "order.toml", "taken"],
        "nothing else was written"
    );
}

#[test]
fn a_full_disk_is_said() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut err = Vec::new();
    let mut full = Full;
    let mut host = host(&mut full, &mut err);
    let code = cli::main_from(["quorate", "run", "read-corrupt"], &mut host);
    assert_eq!(code, exit::USAGE);
    let err = String::from_utf8(err).expect("text");
    assert!(err.contains("cannot write to standard output: no storage space"), "{err}");
}

/// A profile with a rule of the name of one that it draws.
const CLASH: &str = "version = 1\nname = \"clash\"\n[array]\nchildren = 3\nvote-threshold = 2\n\
    [[rule]]\nname = \"corrupt-0\"\non = [\"read\"]\nchild = 0\n\
    do = { fault = \"short\", bytes = 1 }\n\
    [random]\nchildren = [3]\nrequests = 10\nbytes-max = \"2KiB\"\nfaults = [\"corrupt\"]\n";
