//! `quorate fuzz`.

use super::{
    COMMIT, Format, FuzzArgs, Host, describe,
    error::CliError,
    exit, failure, fresh, jobs, merge,
    output::{self, Pending},
    target, values,
};
use crate::{
    catalog,
    fuzz::{
        self, Ended, Failed, Fuzz, Observer, OnFailure, Outcome, Source,
        part::Part,
        record::{Record, VERSION},
    },
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use quorate_reports::{Colour, Verdict, summary::Summary};
use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
};

pub(super) fn fuzz(args: &FuzzArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    output::probe_directory(&args.output)?;
    let save = args.save_summary.as_deref().map(Pending::new).transpose()?;
    let fuzz = plan(args)?;
    let part = Part::of(&fuzz);
    let bar = bar(&fuzz, host.progress && args.format == Format::Text);
    host.catch_interrupt();
    let stop = host.stop.clone();
    let mut screen = Screen {
        out: (args.format == Format::Text).then_some(&mut *host.out),
        colour: host.colour,
        program: host.program.clone(),
        directory: args.output.clone(),
        bar,
        refused: None,
    };
    let mut outcome = fuzz::run(fuzz, &stop, &mut screen);
    screen.bar.finish_and_clear();
    let unverified = match (&host.executable, outcome.ended) {
        (None, _) | (_, Ended::Interrupted) => Vec::new(),
        (Some(executable), _) => verify(args, executable, &mut outcome, &mut screen),
    };
    let refused = screen.refused.take();
    for error in unverified {
        let word = describe::warning(host.err_colour);
        writeln!(host.err, "{word}: {error}").map_err(CliError::Output)?;
    }
    let ended = outcome.ended;
    let record = record(part, outcome);
    if let Some(save) = save {
        save.write(describe::json(&record).as_bytes())?;
    }
    let text = match args.format {
        Format::Json => describe::json(&record),
        Format::Text => merge::text(&record, host.colour) + ending(ended),
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    if let Some(error) = refused {
        // A failure outranks the file that it could not be saved in.
        let text = error.render(host.err_colour);
        host.err.write_all(text.as_bytes()).map_err(CliError::Output)?;
    }
    Ok(match describe::exit_code_of(&record.summary) {
        exit::HELD if ended == Ended::Interrupted => exit::INTERRUPTED,
        code => code,
    })
}

fn plan(args: &FuzzArgs) -> Result<Fuzz, CliError> {
    let named = args.scenario.iter().map(|name| target::source(name));
    let sources = match args.scenario.is_empty() {
        false => named.collect::<Result<Vec<Source>, CliError>>()?,
        true => catalog::all()
            .filter(|scenario| scenario.random.is_some())
            .map(|scenario| Source { name: scenario.name.clone(), scenario })
            .collect(),
    };
    let seeds = match (&args.seeds, args.time) {
        (Some(values::Seeds(seeds)), _) => seeds.clone(),
        (None, Some(_)) => 0..u64::MAX,
        (None, None) => 0..SEEDS,
    };
    Ok(Fuzz {
        sources,
        seeds,
        time: args.time,
        jobs: jobs(args.jobs),
        shard: args.shard,
        on_failure: if args.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop },
        failures_max: usize::try_from(args.max_failures.get()).unwrap_or(usize::MAX),
        watchdog: args.watchdog,
        samples: usize::from(args.verify_fresh),
        engine: None,
        judge: None,
    })
}

/// Shows how a fuzz gets on.
pub(super) fn bar(fuzz: &Fuzz, watched: bool) -> ProgressBar {
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let (length, template) = match fuzz.time {
        Some(_) => (None, "{spinner} {human_pos} runs, {rate}/s, {elapsed}{msg}"),
        None => {
            (Some(fuzz.runs()), "{bar:30} {human_pos}/{human_len} runs, {rate}/s, {eta} left{msg}")
        }
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
        // A bar that cannot be drawn is not missed.
        let _ = write!(to, "{:.0}", state.per_sec());
    };
    let style = style.with_key("rate", rate);
    ProgressBar::with_draw_target(length, target).with_style(style)
}

/// Shows a fuzz as it gets on, and saves what fails.
struct Screen<'a> {
    /// Where failures are shown, if for people.
    out: Option<&'a mut dyn Write>,
    colour: Colour,
    program: String,
    directory: PathBuf,
    bar: ProgressBar,
    /// Why the first failure that could not be saved or shown could not.
    refused: Option<CliError>,
}

impl Observer for Screen<'_> {
    fn progressed(&mut self, runs: u64, failed: u64) {
        self.bar.set_position(runs);
        if failed > 0 {
            self.bar.set_message(format!(", {failed} did not hold"));
        }
    }

    fn failed(&mut self, failed: &Failed) -> Option<String> {
        let name = failure::file_name(failed);
        let path = self.directory.join(&name).display().to_string();
        let text = failure::file_text(failed, &path);
        let saved = output::save_in(&self.directory, &name, text.as_bytes());
        let file = saved.map_err(|error| self.refused.get_or_insert(error)).is_ok();
        let file = file.then_some(path);
        let replay = file.as_deref().unwrap_or(&failed.token);
        let card = failure::card(&failed.run, &failed.scenario, &self.program, replay, self.colour);
        if let Some(out) = &mut self.out {
            let shown = self.bar.suspend(|| {
                writeln!(out, "{card}")?;
                out.flush()
            });
            if let Err(error) = shown {
                self.refused.get_or_insert(CliError::Output(error));
            }
        }
        file
    }
}

/// Repeats some of the runs in processes of their own. Gives back why others could not be.
fn verify(
    args: &FuzzArgs,
    executable: &Path,
    outcome: &mut Outcome,
    screen: &mut Screen<'_>,
) -> Vec<CliError> {
    let mut unverified = Vec::new();
    for (token, digest) in &outcome.samples {
        match fresh::differs(executable, token, *digest, args.watchdog) {
            Ok(None) => {}
            Ok(Some(failed)) => {
                let Summary { failures, verdicts, .. } = &mut outcome.summary;
                failures.insert(fuzz::noted(&failed, screen.failed(&failed)));
                *verdicts.entry(Verdict::Held).or_insert(1) -= 1;
                *verdicts.entry(Verdict::Nondeterministic).or_default() += 1;
            }
            Err(error) => unverified.push(error),
        }
    }
    unverified
}

fn record(part: Part, outcome: Outcome) -> Record {
    let Outcome { summary, digest, ended, .. } = outcome;
    let complete = ended == Ended::Complete;
    Record { version: VERSION, commit: COMMIT.into(), parts: vec![part], complete, digest, summary }
}

fn ending(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "",
        Ended::TimeUp => "  time was up\n",
        Ended::Interrupted => "  interrupted: this is what was run so far\n",
        Ended::Failures => "  stopped after a failure: --keep-going runs all seeds\n",
        Ended::Stuck => "  stopped: a run did not come back, and its thread cannot be ended\n",
    }
}

/// How many seeds to run if nobody says.
const SEEDS: u64 = 10_000;
