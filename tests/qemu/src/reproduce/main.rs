//! Shows a defect of the machine's QEMU, step by step, and says whether it has it.
//!
//! - `array`: an array in QEMU whose children do as they are told, and which tells all that happens,
//! - `overlap`, `members`, `lost`, `votes`, `reports`, `options`, `around`, `status`, `cycle`, `zeroes`: what there is to
//!   show, by what it is about.

#![forbid(unsafe_code)]

mod around;
mod array;
mod client;
mod cycle;
mod lost;
mod members;
mod options;
mod overlap;
mod reports;
mod status;
mod votes;
mod zeroes;

use quorate_qemu::{Error, Program};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

/// Something that QEMU does and should not.
struct Finding {
    /// As in `FINDINGS.md`.
    id: &'static str,
    title: &'static str,
    /// What the engine does in its place.
    ours: &'static str,
    /// The scenarios of the catalog that show that.
    scenarios: &'static [&'static str],
    /// Shows it; whether it could be seen.
    show: fn(&Program) -> Result<bool, Error>,
}

const FINDINGS: [&[Finding]; 11] = [
    &client::FINDINGS,
    &overlap::FINDINGS,
    &members::FINDINGS,
    &lost::FINDINGS,
    &around::FINDINGS,
    &options::FINDINGS,
    &status::FINDINGS,
    &votes::FINDINGS,
    &reports::FINDINGS,
    &cycle::FINDINGS,
    &zeroes::FINDINGS,
];

/// Numbers under which some of these are known, too.
const SAME: [(&str, &str); 5] =
    [("S03", "D1"), ("S05", "D3"), ("S07", "D4"), ("S10", "D5"), ("S15", "D7")];

const USAGE: &str = "\
usage: reproduce            lists what can be shown
       reproduce ID ...     shows these, such as D1
       reproduce all        shows everything
The last line of each is its verdict. Exit code 0: tried; 2: could not be tried";

fn main() -> ExitCode {
    let mut findings: Vec<_> = FINDINGS.into_iter().flatten().collect();
    // By letter and number.
    findings.sort_by_key(|finding| (&finding.id[..1], finding.id.len(), finding.id));
    let asked: Vec<String> = env::args().skip(1).collect();
    if asked.is_empty() {
        for Finding { id, title, .. } in findings {
            let same = SAME.iter().find(|(_, of)| of == id);
            let same = same.map_or_else(String::new, |(same, _)| format!(" ({same})"));
            tell(&format!("{id:4} {title}{same}"));
        }
        return ExitCode::SUCCESS;
    }
    if asked.iter().any(|asked| asked == "--help") {
        tell(USAGE);
        return ExitCode::SUCCESS;
    }
    let all = asked == ["all"];
    let is = |finding: &Finding, asked: &str| {
        let same = SAME.iter().find(|(same, _)| same.eq_ignore_ascii_case(asked));
        finding.id.eq_ignore_ascii_case(same.map_or(asked, |(_, of)| of))
    };
    if let Some(unknown) =
        asked.iter().find(|asked| !all && !findings.iter().any(|finding| is(finding, asked)))
    {
        return fail(&format!(
            "there is no '{unknown}': without arguments all are listed\n{USAGE}"
        ));
    }
    let program = match Program::find() {
        Ok(program) => program,
        Err(missing) => return fail(&missing.to_string()),
    };
    // A daemon that aborts must not leave its memory in a file: what is started here inherits the limit.
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    if let Err(error) = setrlimit(Resource::Core, none) {
        return fail(&format!("cannot keep QEMU from leaving core files: {error}"));
    }
    findings.retain(|finding| all || asked.iter().any(|asked| is(finding, asked)));
    for finding in findings {
        if let Err(error) = show(finding, &program) {
            return fail(&format!("{} could not be tried: {error}", finding.id));
        }
    }
    ExitCode::SUCCESS
}

fn show(finding: &Finding, program: &Program) -> Result<(), Error> {
    let Finding { id, title, ours, scenarios, show } = finding;
    tell(&format!("{id}: {title}"));
    let seen = show(program)?;
    let scenarios = scenarios.iter().map(|name| format!("`quorate run {name}`"));
    let mut scenarios = scenarios.collect::<Vec<_>>().join(", ");
    if !scenarios.is_empty() {
        scenarios = format!(" ({scenarios})");
    }
    tell(&format!("  Quorate: {ours}{scenarios}"));
    let verdict = if seen { "reproduced" } else { "not reproduced" };
    tell(&format!("{id} {verdict} on QEMU {}", program.version()));
    Ok(())
}

/// One line to whoever watches.
fn tell(line: &str) {
    // Who has closed it does not want to know more.
    let _ = writeln!(io::stdout(), "{line}");
}

fn fail(why: &str) -> ExitCode {
    // As above.
    let _ = writeln!(io::stderr(), "{why}");
    ExitCode::from(2)
}
