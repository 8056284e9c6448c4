//! Over real servers: libgfapi, glusterd and its bricks as they are installed.
//!
//! `lives` and `contained` try the glusterds of `quorate-glusterd` from outside. The rest is the wrapper over one
//! of them, for which this runs itself once more in a namespace; it takes root.

#![expect(clippy::unwrap_used, reason = "tests, although the lint does not see it")]

#[path = "real/behaviour.rs"]
mod behaviour;
#[path = "real/cases.rs"]
mod cases;
#[path = "real/contained.rs"]
mod contained;
#[path = "real/faults.rs"]
mod faults;
#[path = "real/lives.rs"]
mod lives;
#[path = "real/promises.rs"]
mod promises;
#[path = "real/refused.rs"]
mod refused;
#[path = "real/register.rs"]
mod register;
mod require;
#[path = "real/volume.rs"]
mod volume;
#[path = "real/workload.rs"]
mod workload;

use quorate_glusterd::{Glusterd, Place, namespace};
use std::{env, process::ExitCode, time::Duration};

fn main() -> ExitCode {
    if let Some(place) = env::var_os(lives::HOLD) {
        return lives::hold(&place.into_string().expect("it is a place"));
    }
    let outside = [lives::CASES, contained::CASES, register::CASES].concat();
    let inside =
        [behaviour::CASES, refused::CASES, promises::CASES, faults::CASES, workload::CASES]
            .concat();
    if cases::listed(&outside, &inside) {
        return ExitCode::SUCCESS;
    }
    cases::watch(Duration::from_secs(900));
    let held = if namespace::inside() {
        let its = Glusterd::start(&Place::Namespace, &volume::wanted(), volume::PATIENT);
        cases::run("real gluster", &inside, &its.unwrap_or_else(|error| panic!("{error}")))
    } else {
        let held = cases::run("glusterds", &outside, &());
        let arguments = env::args_os().skip(1);
        held & (!lives::namespaces()
            || namespace::enter(arguments).expect("nothing is missing") == 0)
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
