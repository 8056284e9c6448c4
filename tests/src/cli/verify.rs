//! Runs that are repeated elsewhere: in another thread, in another process, on another machine.

use super::{Answer, file, in_host, path_text, quorate, temporary};
use quorate_scenarios::cli::{self, exit};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A small profile, and what a process of its own is to say of its seed 3, one after the other.
struct Bench {
    directory: TempDir,
    profile: String,
    token: String,
    honest: String,
}

impl Bench {
    fn new() -> Self {
        let directory = temporary();
        let profile = file(&directory, "small.toml", PROFILE);
        let token = format!("{profile}:3");
        let honest = quorate(&["trace", &token, "--format", "jsonl"]).out;
        Self { directory, profile, token, honest }
    }

    /// The same, but that from a line on it is another run.
    fn other(&self, from: usize) -> String {
        let key = "\"digest\":\"";
        let change = |(number, line): (usize, &str)| match line.split_once(key) {
            Some((before, digest)) if number >= from => {
                let first = digest[..1].chars().find_map(|c| c.to_digit(16)).expect("it is hex");
                format!("{before}{key}{:x}{}\n", first ^ (1 + from as u32 % 15), &digest[1..])
            }
            _ => line.to_owned() + "\n",
        };
        self.honest.lines().enumerate().map(change).collect()
    }

    fn answer(&self, args: &[&str], answers: &[&str]) -> Answer {
        for (name, answer) in ["first", "second", "third"].into_iter().zip(answers) {
            file(&self.directory, name, answer);
        }
        let process = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/process.sh");
        in_host(args, Some(PathBuf::from(process)))
    }

    fn replay(&self, answers: &[&str]) -> Answer {
        self.answer(&["replay", &self.token, "--verify"], answers)
    }

    fn fuzz(&self, answers: &[&str]) -> Answer {
        let output = path_text(&self.directory.path().join("failures"));
        let args = ["fuzz", "--scenario", &self.profile, "--seeds", "3..4", "--output", &output];
        self.answer(&args, answers)
    }
}

#[test]
fn a_run_that_repeats_is_said_to() {
    let bench = Bench::new();
    let replay = bench.replay(&[&bench.honest]);
    assert_eq!((replay.code, replay.err.as_str()), (exit::HELD, ""));
    let said = "the same in another thread and in a process of its own, event by event\n";
    assert!(replay.out.ends_with(said), "{}", replay.out);
    let fuzz = bench.fuzz(&[&bench.honest]);
    assert_eq!((fuzz.code, fuzz.err.as_str()), (exit::HELD, ""));
}

#[test]
fn a_run_that_does_not_repeat_is_shown_from_both_sides() {
    let bench = Bench::new();
    let other = bench.other(20);
    let third = bench.other(25);
    for (answers, again) in [
        ([&other, &other], "a third run, there too, is like the second"),
        (
            [&other, &bench.honest],
            "that does not repeat: a third run, there too, is like the first",
        ),
        ([&other, &third], "a third run, there too, is yet another one"),
    ] {
        let replay = bench.replay(&answers.map(String::as_str));
        assert_eq!((replay.code, replay.err.as_str()), (exit::VIOLATED, ""));
        let line = bench.honest.lines().nth(20).expect("there are as many");
        let line = line.split(",\"digest\"").next().expect("there is a first part");
        let sides = [format!("  here   {line}"), format!("  there  {line}")];
        for part in [
            "NONDETERMINISTIC  small\n",
            "verdict  nondeterministic\n",
            "the same run is another one: the first 19 events are the same, the next one is not",
            again,
            &sides[0],
            &sides[1],
            &format!("replay {} --verify\n", bench.token),
        ] {
            assert!(
                unwrapped(&replay.out).contains(&unwrapped(part)),
                "'{part}' in\n{}",
                replay.out
            );
        }
        assert_eq!(replay.out.matches("  both   {").count(), 8, "beside it, and below");
    }
}

fn of_another_commit(trace: &str) -> String {
    let commit = format!("\"commit\":\"{}\"", cli::COMMIT);
    assert!(trace.contains(&commit));
    trace.replacen(&commit, "\"commit\":\"abc\"", 1)
}

/// As if no line were broken.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_fuzz_keeps_what_it_saw_of_a_run_that_does_not_repeat() {
    let bench = Bench::new();
    let other = bench.other(20);
    let fuzz = bench.fuzz(&[&other, &bench.honest]);
    assert_eq!((fuzz.code, fuzz.err.as_str()), (exit::VIOLATED, ""));
    assert!(fuzz.out.contains("nondeterministic  1"), "{}", fuzz.out);
    let saved = bench.directory.path().join("failures/nondeterministic-small-3.toml");
    let text = fs::read_to_string(&saved).expect("it was saved");
    for part in ["class nondeterministic", "in the fuzz its digest was ", "that does not repeat"] {
        let text = unwrapped(&text.replace('#', ""));
        assert!(text.contains(part), "'{part}' in\n{text}");
    }
    assert_eq!(
        (text.matches("#   both   {").count(), text.matches("#   there  {").count()),
        (4, 4)
    );
    // What was seen is a comment: the rest is the run.
    assert_eq!(quorate(&["replay", &path_text(&saved)]).code, exit::HELD);
}

#[test]
fn a_process_without_an_answer_is_no_repetition() {
    let bench = Bench::new();
    for answer in [bench.replay(&[]), bench.fuzz(&[])] {
        assert_eq!((answer.code, answer.err.as_str()), (exit::VIOLATED, ""));
        for part in ["gives no trace", "exit status: 3", "'nothing is left to be said'"] {
            assert!(unwrapped(&answer.out).contains(part), "'{part}' in\n{}", answer.out);
        }
    }
    // The program may have been built anew in the meantime.
    let replay = bench.replay(&[&of_another_commit(&bench.honest)]);
    assert_eq!(replay.code, exit::USAGE);
    assert!(replay.err.contains("its file is of commit abc by now"), "{}", replay.err);
    let nowhere = Some(bench.directory.path().join("no/such/program"));
    let replay = in_host(&["replay", &bench.token, "--verify"], nowhere.clone());
    assert_eq!((replay.code, replay.out.as_str()), (exit::USAGE, ""));
    assert!(replay.err.contains("in a process of its own: No such file"), "{}", replay.err);
    // A fuzz says so, and what it has run stands.
    let args = ["fuzz", "--scenario", &bench.profile, "--seeds", "4", "--verify-fresh", "1"];
    let fuzz = in_host(&args, nowhere);
    assert_eq!(fuzz.code, exit::HELD);
    assert!(fuzz.err.starts_with("warning: cannot run '"), "{}", fuzz.err);
}

#[test]
fn another_digest_is_followed_up() {
    let bench = Bench::new();
    let args = ["replay", &bench.token, "--check-digest", "00112233445566778899aabbccddeeff"];
    let answer = bench.answer(&args, &[&bench.honest]);
    assert_eq!(answer.code, exit::VIOLATED);
    for part in
        ["held  ", "the same in another thread and in a process", "the digest should be 001122"]
    {
        assert!(answer.out.contains(part), "'{part}' in\n{}", answer.out);
    }
    let answer = bench.answer(&args, &[&bench.other(9)]);
    assert!(answer.out.contains("NONDETERMINISTIC"), "{}", answer.out);
}

#[test]
fn a_trace_of_another_machine_is_compared() {
    let bench = Bench::new();
    let trace = |name: &str, text: &str| file(&bench.directory, name, text);
    let against = |path: &str| quorate(&["replay", &bench.token, "--against", path]);
    let same = against(&trace("same", &bench.honest));
    assert_eq!((same.code, same.err.as_str()), (exit::HELD, ""));
    assert!(same.out.contains("the same in '"), "{}", same.out);

    let other = against(&trace("other", &bench.other(12)));
    assert_eq!(other.code, exit::VIOLATED);
    assert!(other.out.contains("NONDETERMINISTIC"), "{}", other.out);
    assert!(other.out.contains("the first 11 events are the same"), "{}", other.out);

    // Of another commit it may well be another run.
    let elder = against(&trace("elder", &of_another_commit(&bench.other(12))));
    assert_eq!(elder.code, exit::VIOLATED);
    assert!(elder.out.contains("AGAINST  small\nverdict  violated\n"), "{}", elder.out);
    assert!(elder.out.contains("that trace is of commit abc, and this"), "{}", elder.out);

    for (path, said) in [
        (trace("text", "no trace\n"), "line 1 is none of a trace"),
        (trace("cut", &bench.honest[..bench.honest.len() / 2]), "it is cut short"),
        (trace("seed", &bench.honest.replacen(":3\"", ":4\"", 1)), "small.toml:4', and not of '"),
        (path_text(&bench.directory.path().join("nowhere")), "No such file"),
    ] {
        let refused = against(&path);
        assert_eq!((refused.code, refused.out.as_str()), (exit::USAGE, ""));
        assert!(refused.err.contains(said), "'{said}' in\n{}", refused.err);
    }
}

const PROFILE: &str = "version = 1\nname = \"small\"\n[array]\nchildren = 3\nvote-threshold = 2\n\
    [disk]\nbytes = \"8KiB\"\n[random]\nchildren = [3]\nrequests = 8\nbytes-max = \"2KiB\"\n";

#[test]
fn a_law_can_be_tried_on_a_run() {
    let held = quorate(&["replay", "read-corrupt", "--law", "neutrality"]);
    assert_eq!((held.code, held.err.as_str()), (exit::HELD, ""), "{}", held.out);
    let unknown = quorate(&["replay", "read-corrupt", "--law", "gravity"]);
    assert_eq!(unknown.code, exit::USAGE);
    for part in ["gravity", "determinism", "permutation"] {
        assert!(unknown.err.contains(part), "{}", unknown.err);
    }
}
