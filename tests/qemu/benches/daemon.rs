//! How many small cases a second the real QEMU can be asked for.
//!
//! `cargo bench -p quorate-qemu-tests --bench daemon`

use quorate_qemu::{Answer, Child, Daemon, Error, Program, Request};
use serde_json::json;
use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

/// A child that holds zeroes and keeps nothing; the requests that it answers later are the caller's.
struct Zeroes {
    waits: bool,
}

impl Child for Zeroes {
    fn bytes(&self) -> u64 {
        65536
    }

    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            _ if self.waits => Answer::Later,
            Request::Read { bytes, .. } => Answer::Now(Ok(vec![0; *bytes as usize])),
            _ => Answer::Now(Ok(Vec::new())),
        }
    }
}

fn main() -> ExitCode {
    let program = match Program::find() {
        Ok(program) => program,
        Err(missing) => {
            say(&format!("SKIP: {missing}"));
            return ExitCode::SUCCESS;
        }
    };
    say(&format!("QEMU {}, arrays of three children, one daemon", program.version()));
    match measure(&program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn measure(program: &Program) -> Result<(), Error> {
    let mut daemon = Daemon::start_leaping(program)?;
    let daemon = &mut daemon;
    each("an array opened, read once and removed", || {
        let client = open(daemon)?;
        read(daemon, client)?;
        close(daemon, client)
    })?;
    let client = open(daemon)?;
    each("a read of 512 bytes", || read(daemon, client))?;
    each("a read and its events", || {
        read(daemon, client)?;
        daemon.events().map(drop)
    })?;
    each("settle", || daemon.settle())?;
    each("rest", || daemon.rest())?;
    for name in CHILDREN {
        daemon.child(name).waits = true;
    }
    each("a read whose children are held, and released one after the other", || {
        let ticket = daemon.submit(client, &READ)?;
        daemon.until_held(3)?;
        for _ in 0..3 {
            daemon.release(0, &Ok(vec![0; 512]))?;
            daemon.rest()?;
        }
        daemon.wait(ticket).map(drop)
    })?;
    for name in CHILDREN {
        daemon.child(name).waits = false;
    }
    close(daemon, client)
}

const CHILDREN: [&str; 3] = ["c0", "c1", "c2"];
const READ: Request = Request::Read { offset: 0, bytes: 512 };

fn open(daemon: &mut Daemon<Zeroes>) -> Result<quorate_qemu::Client, Error> {
    let children = CHILDREN.map(|name| (name.into(), Zeroes { waits: false }));
    daemon.open(&json!({"driver": "quorum", "node-name": "q", "vote-threshold": 2}), children)
}

fn read(daemon: &mut Daemon<Zeroes>, client: quorate_qemu::Client) -> Result<(), Error> {
    daemon.request(client, &READ).map(drop)
}

fn close(daemon: &mut Daemon<Zeroes>, client: quorate_qemu::Client) -> Result<(), Error> {
    daemon.close(client).map(drop)
}

/// Does it for a few seconds, and says how often that was a second.
fn each(what: &str, mut once: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    let begun = now();
    let mut count = 0;
    while begun.elapsed() < LONG {
        once()?;
        count += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (rate, micros) = (f64::from(count) / seconds, seconds * 1e6 / f64::from(count));
    say(&format!("{rate:7.0}/s {micros:7.1} us  {what}"));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it measures how long things take")]
fn now() -> Instant {
    Instant::now()
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("stdout is there");
}

/// How long each thing is done.
const LONG: Duration = Duration::from_secs(3);
