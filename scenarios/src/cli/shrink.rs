//! `quorate shrink`.

use super::{
    COMMIT, Host, ShrinkArgs,
    error::CliError,
    exit,
    failure::{self, Size},
    fresh,
    output::{self, Pending},
    run, target,
};
use crate::{
    catalog,
    fuzz::attempt,
    load, metamorphic,
    model::{Children, Scenario},
    shrink::{Apart, Shrink, Shrunk, emit},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_reports::{Verdict, card, thousands, timeline};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::NamedTempFile;

pub(super) fn shrink(args: &ShrinkArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let target::Target { scenario, token } = target::resolve(&args.run, None)?;
    let own = Some(Path::new(target::split(&args.run)?.0));
    let (output, test) = (args.output.as_deref(), args.test.as_deref());
    refuse_taken("--output", output, [own, test])?;
    refuse_taken("--test", test, [own, output])?;
    let file = output.map(Pending::new).transpose()?;
    let test = test.map(Pending::new).transpose()?;
    run::warn(&scenario, host)?;
    host.catch_interrupt();
    let bar = bar(host.progress);
    let mut hear = |runs: u64, best: &Scenario| {
        bar.set_position(runs);
        bar.set_message(sizes(best).map(|(word, size)| format!("{size} {word}")).join(", "));
    };
    let apart = apart(host);
    let shrink = Shrink { engine: None, judge: None, watchdog: args.watchdog, apart };
    let shrunk = shrink.shrink(&scenario, &host.stop, &mut hear);
    let elapsed = bar.elapsed();
    bar.finish_and_clear();
    let mut shrunk =
        shrunk.map_err(|source| CliError::NotShrunk { token: token.clone(), source })?;
    let stem = stem(card::class(&shrunk.run), &token);
    shrunk.scenario.name.clone_from(&stem);
    shrunk.run.name.clone_from(&stem);
    let path = place(args, &token, &stem);
    let is_replaced = path.exists();
    let text = text(&shrunk, &token, &path);
    let verified = verify(&shrunk, &text, host)
        .map_err(|why| CliError::Unverified { token: token.clone(), why })?;
    match file {
        Some(file) => file.write(text.as_bytes())?,
        None => {
            let (directory, name) = (path.parent(), path.file_name());
            let name = name.expect("it ends with a name").to_string_lossy();
            output::save_in(directory.unwrap_or(Path::new("")), &name, text.as_bytes())?;
        }
    }
    if let Some(test) = test {
        test.write(emit::test(&shrunk.scenario, &shrunk.property).as_bytes())?;
    }
    let mut text = timeline::render(&shrunk.run, host.colour);
    let shown = path.display().to_string();
    text.push('\n');
    text +=
        &failure::card_below_timeline(Size::Minimal, &shrunk.run, &shrunk.scenario, host, &shown);
    text += &format!("\n{}", table(&scenario, &shrunk.scenario));
    let runs = thousands(shrunk.runs);
    text += &format!("{runs} scenarios were run, in {:.1} s\n", elapsed.as_secs_f64());
    let replaced = if is_replaced { ", in the place of an older one" } else { "" };
    text += &format!("saved as {shown}{replaced}; {verified}\n");
    if let Some(test) = &args.test {
        text += &format!("and as a test in {}\n", test.display());
    }
    if !shrunk.is_minimal {
        text += "interrupted: it may get smaller yet\n";
    }
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(if shrunk.is_minimal { exit::HELD } else { exit::INTERRUPTED })
}

/// Runs a scenario in a process of its own, to see whether it comes back; if it cannot be had, it does.
fn apart(host: &Host<'_>) -> Option<Apart> {
    let executable = host.executable.clone()?;
    let comes_back = move |scenario: &Scenario| -> io::Result<bool> {
        let mut file = NamedTempFile::with_suffix(".toml")?;
        file.write_all(load::write(scenario).as_bytes())?;
        fresh::comes_back(&executable, &file.path().to_string_lossy(), APART)
    };
    Some(Arc::new(move |scenario| comes_back(scenario).unwrap_or(true)))
}

fn bar(watched: bool) -> ProgressBar {
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{spinner} {human_pos} runs, {elapsed}: {msg}");
    let style = style.expect("the template is a constant");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// What it is called: after its class and where it comes from, which may be a file that is called so.
fn stem(class: &str, token: &str) -> String {
    let token = token.strip_suffix(".toml").unwrap_or(token);
    let stem = failure::stem(class, token.strip_suffix(".min").unwrap_or(token));
    let own = stem.strip_prefix(&format!("{class}-")).expect("it begins with the class");
    if own.starts_with(&format!("{class}-")) { own.into() } else { stem }
}

/// Where it goes: beside the file that it comes from, or to where failures are saved.
fn place(args: &ShrinkArgs, token: &str, stem: &str) -> PathBuf {
    if let Some(output) = &args.output {
        let is_name = output.to_str().is_some_and(|name| catalog::text(name).is_some());
        return if is_name { Path::new(".").join(output) } else { output.clone() };
    }
    let from = Path::new(token);
    match from.is_file() {
        true if token.ends_with(".min.toml") => from.into(),
        true => from.with_extension("min.toml"),
        false => Path::new(DIRECTORY).join(format!("{stem}.min.toml")),
    }
}

fn text(shrunk: &Shrunk, token: &str, path: &Path) -> String {
    let Shrunk { scenario, run, property, .. } = shrunk;
    let rows = [
        ("fails", property.check.as_str()),
        ("of", token),
        ("commit", COMMIT),
        ("verdict", run.verdict.word()),
        ("digest", &run.trace.digest.to_string()),
        ("replay", &failure::command(run, "quorate", &path.display().to_string())),
    ];
    let what = "What `quorate shrink` has left of a run that fails.";
    let header = failure::header(what, &rows, &run.violations);
    format!("{header}\n{}", load::write(scenario))
}

/// A file that is needed for something else is left alone.
fn refuse_taken(
    option: &'static str,
    path: Option<&Path>,
    needed: [Option<&Path>; 2],
) -> Result<(), CliError> {
    let taken = path.filter(|path| needed.iter().flatten().any(|needed| is_one(path, needed)));
    taken.map_or(Ok(()), |path| Err(CliError::Taken { option, path: path.into() }))
}

/// Whether two paths are one file, be it there or not.
fn is_one(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        _ => one == other,
    }
}

/// How the text has shown to be what it should, in a file of its own; or why it has not.
fn verify(shrunk: &Shrunk, text: &str, host: &Host<'_>) -> Result<&'static str, String> {
    let no_file = |error: io::Error| format!("it could not be written to be tried: {error}");
    let mut file = NamedTempFile::with_suffix(".toml").map_err(no_file)?;
    file.write_all(text.as_bytes()).map_err(no_file)?;
    let path = file.path();
    let read = load::file(path).map_err(|error| error.to_string())?;
    if read != shrunk.scenario {
        return Err("read back, it is another scenario".into());
    }
    if shrunk.run.verdict == Verdict::Nondeterministic {
        return Ok("read back, it is the same scenario; its run is another one each time");
    }
    let token = path.display().to_string();
    let run = attempt::run_within(&read, &token, None, PATIENCE);
    if shrunk.run.verdict == Verdict::Timeout && run.verdict == Verdict::Timeout {
        return Ok("read back, it does not come back either");
    }
    if run.trace.digest != shrunk.run.trace.digest {
        return Err("run again, it is another run".into());
    }
    let Some(executable) = &host.executable else {
        return Ok("read back, it fails in the same way");
    };
    let no_process = |error| format!("it could not be run in another process: {error}");
    if let Some(otherwise) = fresh::repeated(executable, &run).map_err(no_process)? {
        return Err(otherwise.violations[0].reason.clone());
    }
    let check = shrunk.property.check.as_str();
    let is_law = metamorphic::place(check).is_some();
    if is_law && !fresh::breaks(executable, &token, check).map_err(no_process)? {
        return Err(format!("in a process of its own it keeps to the law '{check}'"));
    }
    Ok("read back in a process of its own, it fails in the same way")
}

/// What there was, and what is left.
fn table(before: &Scenario, after: &Scenario) -> String {
    let mut text = format!("{:<9}{:>8}{:>8}\n", "", "before", "after");
    for ((word, before), (_, after)) in sizes(before).into_iter().zip(sizes(after)) {
        text += &format!("{word:<9}{before:>8}{after:>8}\n");
    }
    text
}

/// What a scenario has how many of.
fn sizes(scenario: &Scenario) -> [(&'static str, usize); 5] {
    let children = match &scenario.array.children {
        Children::Count(count) => *count as usize,
        Children::Named(names) => names.len(),
    };
    [
        ("clients", scenario.scripts().filter(|steps| !steps.is_empty()).count()),
        ("steps", scenario.scripts().flatten().count()),
        ("rules", scenario.rules.len()),
        ("children", children),
        ("bytes", load::write(scenario).len()),
    ]
}

/// Where failures are saved, if nobody says.
const DIRECTORY: &str = "quorate-failures";
/// How long a run that comes back takes at most, where what fails is that it does not.
const APART: Duration = Duration::from_secs(1);
/// How long to wait for a run that does not come back.
const PATIENCE: Duration = Duration::from_secs(10);
