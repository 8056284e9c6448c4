//! Scripts that show a case with QEMU's tools alone.

use crate::qemu;
use quorate_reports::{Outcome, Run, What};
use quorate_scenarios::{
    catalog, diff::script::script, fuzz::attempt, model::Scenario, runner::Scratch,
};
use std::{fs, process::Command};

/// A scenario of the catalog, and its run.
fn case(name: &str) -> (Scenario, Run) {
    let scenario = catalog::scenario(name).expect("it is in the catalog");
    let run = attempt::run(&scenario, name, None, &mut Scratch::default(), None);
    (scenario, run)
}

/// What a script says, and its exit code.
fn shown(script: &str) -> (String, i32) {
    let place = tempfile::tempdir().expect("it can be made");
    let file = place.path().join("case.sh");
    fs::write(&file, script).expect("there is room");
    let output = Command::new("bash").arg(&file).output().expect("there is a bash");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (text.concat(), output.status.code().expect("it ends by itself"))
}

#[test]
fn every() {
    let Some(_) = qemu() else { return };
    let only = std::env::var("ONLY").ok();
    for name in catalog::names() {
        if only.as_ref().is_some_and(|o| o != name) {
            continue;
        }
        let (scenario, run) = case(name);
        if scenario.random.is_some() || scenario.gluster.is_some() {
            continue;
        }
        match script(&scenario, &run) {
            Err(e) => crate::say(&format!("U {name}: {e}")),
            Ok(s) => {
                let (text, code) = shown(&s);
                crate::say(&format!(
                    "{code} {name}: {} ({} bytes)",
                    text.lines().last().unwrap_or(""),
                    s.len()
                ));
                if only.is_some() {
                    crate::say(&s);
                    crate::say(&text);
                } else if code != 1 {
                    crate::say(&text);
                }
            }
        }
    }
}
