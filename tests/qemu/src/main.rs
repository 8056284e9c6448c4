//! The engine beside the real QEMU, and what drives it.
//!
//! Where there is no QEMU these say so and pass, unless `QUORATE_REQUIRE` names `qemu`.

mod corpus;
mod daemon;
mod errno;
mod findings;
mod io;
mod iotests;
mod models;
mod options;
#[path = "../../gfapi/src/require.rs"]
mod require;
#[path = "../../engine/src/options/rows.rs"]
mod rows;
mod scripts;
mod twin;

use quorate_qemu::{Answer, Child, Program, Request};
use std::{
    env,
    io::{Write, stderr},
};

/// The machine's QEMU, if it has one.
///
/// # Panics
/// It has none, and one is required.
#[track_caller]
fn qemu() -> Option<Program> {
    match Program::find() {
        Ok(program) => {
            if !program.is_known() {
                say(&format!("QEMU {} was never compared with before", program.version()));
            }
            Some(program)
        }
        Err(missing) => {
            require::skip("qemu", &format!("{missing}; 0 compared"));
            None
        }
    }
}

/// Says something that the test harness would keep to itself.
fn say(text: &str) {
    writeln!(stderr(), "{text}").expect("stderr is there");
}

/// The seed that whoever runs this wants to be tried, too.
///
/// # Panics
/// It is no number.
fn given_seed() -> Option<u64> {
    let given = env::var("QUORATE_SEED").ok()?;
    Some(given.parse().expect("QUORATE_SEED is a number"))
}

/// A child in memory that keeps its reads waiting if it is told to.
#[derive(Debug)]
struct Medium {
    bytes: Vec<u8>,
    holds_reads: bool,
}

impl Medium {
    fn full(letter: u8) -> Self {
        Self { bytes: vec![letter; 8192], holds_reads: false }
    }

    fn read(&self, offset: u64, bytes: u32) -> Vec<u8> {
        let start = usize::try_from(offset).expect("it is small");
        self.bytes[start..start + bytes as usize].to_vec()
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let start = usize::try_from(offset).expect("it is small");
        self.bytes[start..start + data.len()].copy_from_slice(data);
    }
}

impl Child for Medium {
    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Read { .. } if self.holds_reads => return Answer::Later,
            Request::Read { offset, bytes } => return Answer::Now(Ok(self.read(*offset, *bytes))),
            Request::Write { offset, data, .. } => self.write(*offset, data),
            Request::Zeroes { offset, bytes, .. } => self.write(*offset, &vec![0; *bytes as usize]),
            Request::Discard { .. } | Request::Flush => {}
            Request::Status { .. } => unreachable!("it does not offer that"),
        }
        Answer::Now(Ok(Vec::new()))
    }
}
