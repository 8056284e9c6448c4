//! The long-lived `qemu-io`.

use super::qemu;
use quorate_qemu::{Cache, Error, Io};
use std::{fs, time::Duration};

const READ_FAILS: &str = "driver=blkdebug,image.driver=null-co,inject-error.0.event=none,\
                          inject-error.0.errno=117,inject-error.0.iotype=read";
const FLUSH_FAILS: &str = "driver=blkdebug,image.driver=null-co,inject-error.0.event=none,\
                           inject-error.0.errno=58,inject-error.0.iotype=flush";

#[test]
fn any_error_is_told_by_its_text() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    assert_eq!(io.open(Cache::Writeback, READ_FAILS).expect("it lives"), None);
    let said = io.run("read 0 512").expect("it lives");
    assert_eq!(said, "read failed: Structure needs cleaning\n");
    assert_eq!(io.run("write -q 0 512").expect("it lives"), "");
    io.close().expect("it lives");
}

#[test]
fn a_flush_that_fails_shows_in_a_write_that_is_to_be_durable() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    for (cache, said) in
        [(Cache::Writeback, ""), (Cache::Writethrough, "write failed: Unknown error 58\n")]
    {
        let array = format!(
            "driver=quorum,vote-threshold=1,{}",
            FLUSH_FAILS.split(',').map(|o| format!("children.0.{o}")).collect::<Vec<_>>().join(",")
        );
        assert_eq!(io.open(cache, &array).expect("it lives"), None);
        assert_eq!(io.run("write -q 0 512").expect("it lives"), said);
        assert_eq!(io.run("flush").expect("it lives"), "", "it says nothing of a flush");
        io.close().expect("it lives");
    }
}

#[test]
fn the_reason_of_a_refusal_is_the_same_for_options_and_json() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    let why = Some("Parameter 'vote-threshold' expects a value >= 1".to_owned());
    let text = "driver=quorum,vote-threshold=0,children.0.driver=null-co";
    assert_eq!(io.refuses(text).expect("it lives"), why);
    let json = r#"json:{"driver":"quorum","vote-threshold":0,"children":[{"driver":"null-co"}]}"#;
    assert_eq!(io.refuses(json).expect("it lives"), why);
    assert_eq!(io.refuses(&text.replace("=0", "=1")).expect("it lives"), None);
}

#[test]
fn one_that_has_ended_is_started_again() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    let first = io.process_id();
    let ended = io.run("quit");
    let Err(Error::IoDied { status, asked, .. }) = ended else { panic!("{ended:?}") };
    assert!(status.success());
    assert_eq!(asked, "quit");
    assert_eq!(io.process_id(), None);
    assert_eq!(io.run("read 0 1").expect("it lives"), "no file open, try 'help open'\n");
    assert_ne!(io.process_id(), first);
}

#[test]
fn one_that_hangs_is_an_error_and_gone() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    io.set_patience(Duration::from_millis(200));
    let silent = io.run("sleep 60000");
    assert!(matches!(&silent, Err(Error::IoSilent { .. })), "{silent:?}");
    assert_eq!(io.process_id(), None);
    assert_eq!(io.run("flush").expect("it is started again"), "no file open, try 'help open'\n");
}

#[test]
fn what_it_would_take_for_two_commands_is_refused() {
    let Some(program) = qemu() else { return };
    let mut io = Io::start(&program).expect("it starts");
    for command in [format!("read {}", " ".repeat(1018)), "read 0 1\nread 0 1".to_owned()] {
        let refused = io.run(&command).expect_err("it is not one command").to_string();
        assert!(refused.contains("commands of one line and at most 1022 bytes"), "{refused}");
    }
    let longest = format!("flush{}", " ".repeat(1017));
    assert_eq!(io.run(&longest).expect("it is one"), "no file open, try 'help open'\n");
    assert_eq!(io.run("flush").expect("it lives"), "no file open, try 'help open'\n");
}

#[test]
fn nothing_is_left_of_one_that_is_dropped() {
    let Some(program) = qemu() else { return };
    let io = Io::start(&program).expect("it starts");
    let running = format!("/proc/{}", io.process_id().expect("it runs"));
    assert!(fs::exists(&running).expect("there is a /proc"));
    drop(io);
    assert!(!fs::exists(&running).expect("there is a /proc"));
}
