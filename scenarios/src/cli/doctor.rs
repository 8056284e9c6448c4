//! `quorate doctor`.

use super::{
    DoctorArgs, Format, Host,
    args::Surroundings::{self, Container, Files, Gluster, Namespace, Qemu, Sim},
    describe,
    error::CliError,
    exit,
};
use crate::diff;
use clap::ValueEnum;
use quorate_glusterd::{Leftover, image, leftovers, missing};
use quorate_qemu::Program;
use serde::Serialize;
use std::{env, io, iter};

/// What is found.
#[derive(Serialize)]
struct Findings {
    environments: Vec<Finding>,
    /// What is left of programs that are gone.
    leftovers: Vec<String>,
}

/// What is found of one environment.
#[derive(Serialize)]
struct Finding {
    environment: String,
    about: &'static str,
    there: bool,
    missing: Vec<Lacking>,
    /// What is still to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip)]
    which: Surroundings,
}

#[derive(Serialize)]
struct Lacking {
    what: String,
    remedy: String,
}

pub(super) fn doctor(args: &DoctorArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    if args.image {
        image::make().map_err(|source| CliError::Glusterd { source })?;
    }
    let mut left = leftovers();
    if args.clean {
        left.iter().try_for_each(|leftover| {
            let named = |source| CliError::Leftover { leftover: leftover.to_string(), source };
            leftover.remove().map_err(named)
        })?;
        left = leftovers();
    }
    let findings = Findings {
        environments: [Sim, Files, Namespace, Container, Surroundings::Host, Qemu]
            .map(finding)
            .into(),
        leftovers: left.iter().map(Leftover::to_string).collect(),
    };
    let text = match args.format {
        Format::Json => describe::json(&findings),
        Format::Text => text(&findings, host),
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    let required = [Sim, Files].into_iter().chain(args.require.iter().copied());
    let lacking: Vec<_> = required.filter(|which| !findings.has(*which)).map(name).collect();
    if lacking.is_empty() {
        return Ok(exit::HELD);
    }
    Err(CliError::Lacking { environments: lacking.join(", ") })
}

impl Findings {
    fn has(&self, which: Surroundings) -> bool {
        let enough = |finding: &&Finding| match which {
            Gluster => [Namespace, Container].contains(&finding.which),
            one => finding.which == one,
        };
        self.environments.iter().filter(enough).any(|finding| finding.there)
    }
}

fn finding(which: Surroundings) -> Finding {
    let gluster = |missing: Vec<missing::Missing>| {
        missing.iter().map(|m| Lacking { what: m.to_string(), remedy: m.remedy() }).collect()
    };
    let (about, missing): (_, Vec<_>) = match which {
        Sim => ("simulated disks, and clusters of them", Vec::new()),
        Files => ("files of this machine", files().err().into_iter().collect()),
        Namespace => ("real gluster of this machine", gluster(missing::namespace())),
        Container => ("real gluster in a container", gluster(missing::container())),
        Gluster | Surroundings::Host => {
            ("real gluster that is there already", gluster(missing::existing()))
        }
        Qemu => ("the real QEMU, to compare with", qemu().err().into_iter().collect()),
    };
    let there = missing.is_empty();
    let no_image = there && which == Container && !image::is_there();
    Finding {
        environment: name(which),
        about,
        there,
        missing,
        note: no_image.then_some(NO_IMAGE),
        which,
    }
}

/// Whether there is a place for files.
fn files() -> Result<(), Lacking> {
    let made =
        tempfile::tempfile().and_then(|mut file| io::Write::write_all(&mut file, b"quorate"));
    made.map_err(|error| Lacking {
        what: format!("{} takes no files: {error}", env::temp_dir().display()),
        remedy: "set TMPDIR to a directory with room, where you may write".into(),
    })
}

/// Whether there is a QEMU that `quorate diff` can compare with.
fn qemu() -> Result<(), Lacking> {
    let lacking = |what: String, remedy: &str| Lacking { what, remedy: remedy.into() };
    let program = Program::find().map_err(|missing| {
        lacking(missing.to_string(), "or name its directory: quorate diff --qemu DIR")
    })?;
    diff::probe(&program)
        .map_err(|error| lacking(error.to_string(), "look whether it runs by hand"))
}

fn text(findings: &Findings, host: &Host<'_>) -> String {
    let mut text = String::new();
    for Finding { environment, about, there, missing, note, .. } in &findings.environments {
        let name = describe::strong(&format!("{environment:<9}"), host.colour);
        let there = if *there { "ready" } else { "not here" };
        text += &format!("{name}  {there:<8}  {about}\n");
        let lines = missing.iter().flat_map(|Lacking { what, remedy }| {
            iter::once(what.clone()).chain(iter::once(format!("  {remedy}")))
        });
        for line in lines.chain(note.map(Into::into)) {
            text += &format!("             {line}\n");
        }
    }
    for leftover in &findings.leftovers {
        text += &format!("left over: {leftover}; quorate doctor --clean removes it\n");
    }
    text
}

fn name(which: Surroundings) -> String {
    let value = which.to_possible_value().expect("none is hidden");
    value.get_name().into()
}

const NO_IMAGE: &str =
    "its image is made at the first use, which takes minutes: quorate doctor --image";
