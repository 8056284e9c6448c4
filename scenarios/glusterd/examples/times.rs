//! How long it takes to have a glusterd, and to disturb its bricks.
//!
//! `cargo run -p quorate-glusterd --example times [namespace|container]`

use quorate_glusterd::{Disturbance, Error, Glusterd, Place, Wanted, namespace};
use std::{
    env,
    error::Error as StdError,
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let place = env::args().nth(1).unwrap_or_else(|| "namespace".into()).parse()?;
    if place == Place::Namespace && !namespace::inside() {
        return Ok(namespace::enter(["namespace".into()])?.into());
    }
    let small = Wanted { space: Some(16 << 20), ..Wanted::default() };
    let wanted = [Wanted::default(), Wanted::default(), small];
    let patience = Duration::from_secs(60);
    let mut its = timed("glusterd", || Glusterd::start(&place, &[], patience))?;
    timed("three volumes", || its.renew(&wanted))?;
    timed("the same again", || its.renew(&wanted))?;
    let option = "performance.write-behind".into();
    for (n, what) in [
        (0, Disturbance::Pause),
        (0, Disturbance::Resume),
        (0, Disturbance::Kill),
        (0, Disturbance::Start),
        (2, Disturbance::Fill),
        (2, Disturbance::Free),
        (0, Disturbance::Set { option, value: "off".into() }),
    ] {
        timed(&what.to_string(), || its.disturb(n, &what))?;
    }
    timed("again, other options", || its.renew(&wanted))?;
    its.disturb(0, &Disturbance::Kill)?;
    timed("again, one killed", || its.renew(&wanted))?;
    timed("drop", || {
        drop(its);
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
fn timed<T>(name: &str, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Box<dyn StdError>> {
    let start = Instant::now();
    let done = act()?;
    let took = start.elapsed().as_millis();
    writeln!(io::stdout(), "{took:>6} ms  {name}")?;
    Ok(done)
}
