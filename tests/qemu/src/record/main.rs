//! Records what the real QEMU makes of the cases of `corpus.jsonl`: `record 2026-11-22`, by the day's date.
//!
//! The cases are those that are there; with `--anew` others are drawn from the profiles of the catalog. Either way
//! the file is the same, but for the date, as long as QEMU does the same (and, for `--anew`, profiles and engine).

mod drawn;

use quorate_qemu::Program;
use quorate_scenarios::{
    diff::{
        Pace, Twin,
        corpus::{Corpus, Recorded, Source},
    },
    model::Scenario,
    runner::Scratch,
};
use std::{env, error::Error, fs, io::Write, process::ExitCode};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus.jsonl");

fn main() -> ExitCode {
    let given: Vec<String> = env::args().skip(1).collect();
    let (date, is_anew) = match &given[..] {
        [date] if is_date(date) => (date, false),
        [date, anew] if is_date(date) && anew == "--anew" => (date, true),
        _ => return fail("usage: record 2026-11-22 [--anew], with the date of the day", 2),
    };
    match record(date, is_anew) {
        Ok(said) => match writeln!(std::io::stdout(), "{said}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string(), 1),
        },
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn fail(why: &str, code: u8) -> ExitCode {
    // Who cannot be told gets the code at least.
    let _ = writeln!(std::io::stderr(), "{why}");
    code.into()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.iter().all(is_number)
}

fn record(date: &str, is_anew: bool) -> Result<String, Box<dyn Error>> {
    let program = Program::find()?;
    let twin = Twin::new(&program, Pace::Ordered);
    let scenarios: Vec<Scenario> = match is_anew {
        true => drawn::scenarios(&twin)?,
        false => {
            let old = Corpus::parse(&fs::read_to_string(FILE)?)?;
            old.cases.into_iter().map(|case| case.scenario).collect()
        }
    };
    let known = "QEMU is known to do something else than the engine here: draw anew";
    let asked = |scenario| asked(&twin, scenario)?.ok_or_else(|| known.to_owned());
    let cases = scenarios.iter().map(asked).collect::<Result<_, _>>()?;
    let source = Source { qemu: program.version().to_string(), recorded: date.into() };
    let corpus = Corpus { source, cases };
    fs::write(FILE, corpus.to_string())?;
    Ok(format!("{} cases of QEMU {}: {FILE}", corpus.cases.len(), corpus.source.qemu))
}

/// What QEMU makes of it, unless that is known to be something else than what the engine does.
fn asked(twin: &Twin, scenario: &Scenario) -> Result<Option<Recorded>, String> {
    let name = &scenario.name;
    let both = twin.compare(scenario, &mut Scratch::default());
    let both = both.map_err(|why| format!("{name}: {why:?}"))?;
    match &both.violation {
        Some(difference) => Err(format!("{name}: {}: {}", difference.check, difference.reason)),
        None => Ok(Recorded::of_qemu(&both)),
    }
}
