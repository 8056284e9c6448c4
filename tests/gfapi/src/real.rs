//! The wrapper over a real server: libgfapi, glusterd and its bricks as they are installed.
//!
//! Without arguments it runs itself once more in private namespaces beside a glusterd of its own, for
//! which it has to be root.

#![expect(clippy::unwrap_used, reason = "tests, although the lint does not see it")]

#[path = "real/behaviour.rs"]
mod behaviour;
#[path = "real/cases.rs"]
mod cases;
#[path = "real/faults.rs"]
mod faults;
#[path = "real/promises.rs"]
mod promises;
mod require;
#[path = "real/volume.rs"]
mod volume;

use quorate_glusterd::{Glusterd, Place, missing, namespace};
use std::{env, process::ExitCode, time::Duration};

fn main() -> ExitCode {
    let all = [behaviour::CASES, promises::CASES, faults::CASES].concat();
    let Some(chosen) = cases::chosen(&all) else { return ExitCode::SUCCESS };
    if !namespace::inside() {
        if let Some(reason) = missing::sentence(&missing::namespace()) {
            require::skip("gluster", &reason);
            return ExitCode::SUCCESS;
        }
        return namespace::enter(env::args_os().skip(1)).expect("nothing is missing");
    }
    cases::watch(Duration::from_secs(300));
    let glusterd = Glusterd::start(&Place::Namespace, &volume::wanted(), Duration::from_secs(60));
    cases::run("real gluster", &chosen, &glusterd.unwrap_or_else(|error| panic!("{error}")))
}
