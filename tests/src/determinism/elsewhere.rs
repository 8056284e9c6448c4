//! The command in processes of its own: whatever surrounds it, it writes the same.

use super::process;
use crate::cli::host;
use quorate_scenarios::cli::{self, exit};
use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::Command,
};

/// What it is asked for: a fuzz of every profile on several threads, and one run in all detail.
const COMMANDS: [&str; 2] =
    ["fuzz --seeds 32 --jobs 3 --verify-fresh 0", "trace swarm-any:7 --format jsonl"];

/// What surrounds it.
const PLACES: [&str; 8] = [
    "exec \"$@\"",
    "unset HOME USER LANG PATH PWD; exec \"$@\"",
    "LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8 TZ=Asia/Kathmandu exec \"$@\"",
    "RUST_BACKTRACE=full RUST_LOG=trace RUST_MIN_STACK=9000000 exec \"$@\"",
    "COLUMNS=20 TERM=dumb CLICOLOR_FORCE=1 exec \"$@\"",
    "MADSIM_TEST_SEED=9 MADSIM_TEST_NUM=3 MADSIM_TEST_JOBS=2 MADSIM_ALLOW_SYSTEM_THREAD=1 exec \"$@\"",
    "PADDING=$(printf '%0100000d' 0) exec \"$@\"",
    "cd \"${TMPDIR:-/tmp}\" && umask 0777 && ulimit -n 64 && exec \"$@\" <&- 2>&-",
];

/// What the command writes in a process that a shell starts like this.
fn said(place: &str, command: &str) -> String {
    let directory = tempfile::tempdir().expect("there is room");
    let to = directory.path().join("out");
    // Where every permission is masked, the file is there already.
    fs::write(&to, "").expect("a temporary directory takes files");
    let child = process(THIS);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", place, "sh"]).arg(child.get_program()).args(child.get_args());
    let ended = shell.env(COMMAND, command).env(TO, &to).output().expect("there is a shell");
    assert!(ended.status.success(), "{place}: {ended:?}");
    fs::read_to_string(&to).expect("it was written")
}

/// Does as the processes of this test are told.
fn call(command: &str, to: &Path) {
    let (mut err, mut out) = (io::stderr(), Vec::new());
    let mut host = host(&mut out, &mut err);
    let code = cli::main_from(["quorate"].into_iter().chain(command.split(' ')), &mut host);
    assert_eq!(code, exit::HELD);
    let mut file = fs::OpenOptions::new().write(true).open(to).expect("it is there");
    file.write_all(&out).expect("there is room");
}

#[test]
fn whatever_surrounds_a_process_it_says_the_same() {
    if let (Ok(command), Some(to)) = (env::var(COMMAND), env::var_os(TO)) {
        return call(&command, Path::new(&to));
    }
    for command in COMMANDS {
        // How fast it was is no part of it.
        let timeless = |place| -> Vec<String> {
            let said = said(place, command);
            let lines = said.lines().filter(|line| !line.contains("seeds/s"));
            lines.map(String::from).collect()
        };
        let usual = timeless(PLACES[0]);
        assert!(usual.iter().any(|line| line.contains("digest")), "{usual:?}");
        for place in &PLACES[1..] {
            assert_eq!(timeless(place), usual, "{command} with {place}");
        }
    }
}

const THIS: &str = "determinism::elsewhere::whatever_surrounds_a_process_it_says_the_same";
/// What a process of this test is to do.
const COMMAND: &str = "QUORATE_TEST_COMMAND";
/// The file where it says what came of it.
const TO: &str = "QUORATE_TEST_TO";
