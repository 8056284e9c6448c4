//! `quorate diff`.

use super::{
    COMMIT, DiffArgs, Format, Host,
    args::Layer,
    describe,
    error::CliError,
    exit, failure,
    fuzz::bar,
    output,
    target::{self, Target},
    values,
};
use crate::{
    catalog,
    diff::{self, BySeed, Pace, Tally, Twin, errno, script, suited},
    fuzz::{self, Ended, Failed, Fuzz, Judge, Observer, OnFailure, Shard, Source},
    load,
    model::Scenario,
    runner::Scratch,
    shrink::{NotShrunk, Shrink},
};
use clap::ValueEnum;
use indicatif::ProgressBar;
use quorate_qemu::Program;
use quorate_reports::{Colour, Verdict, thousands, timeline};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    num::NonZeroU64,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// What came of one layer.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    layer: &'static str,
    #[serde(flatten)]
    tally: Tally,
    seconds: f64,
    /// By what replays it.
    differences: BTreeMap<String, Difference>,
    /// Why it ended.
    #[serde(serialize_with = "word_of")]
    ended: Ended,
}

/// What differs, and where that is kept.
#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Difference {
    check: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

pub(super) fn diff(args: &DiffArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let program = match &args.qemu {
        Some(directory) => Program::find_in(directory)?,
        None => Program::find()?,
    };
    output::probe_directory(&args.output)?;
    let targets = args.scenario.iter().map(|name| source(name)).collect::<Result<Vec<_>, _>>()?;
    let layers = layers(args, !targets.is_empty())?;
    if !program.is_known() {
        let word = describe::warning(host.err_colour);
        let version = program.version();
        writeln!(host.err, "{word}: QEMU {version} was never compared with before")
            .map_err(CliError::Output)?;
    }
    // What keeps it from starting is said once, and not of every case.
    diff::probe(&program)?;
    host.catch_interrupt();
    let mut rows = Vec::new();
    for layer in layers {
        let row = compare(layer, &targets, &program, args, host)?;
        if args.format == Format::Text {
            let text = text(&row, &program);
            host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
            host.out.flush().map_err(CliError::Output)?;
        }
        let is_over = row.ended == Ended::Interrupted;
        rows.push(row);
        if is_over {
            break;
        }
    }
    if args.format == Format::Json {
        let version = program.version().to_string();
        let all = Compared { qemu: version, commit: COMMIT, layers: &rows };
        host.out.write_all(describe::json(&all).as_bytes()).map_err(CliError::Output)?;
    }
    if rows.iter().any(|row| !row.differences.is_empty()) {
        return Ok(exit::VIOLATED);
    }
    match rows.iter().any(|row| row.ended == Ended::Interrupted) {
        true => Ok(exit::INTERRUPTED),
        false if rows.iter().all(|row| row.tally.cases == 0) => Err(CliError::NothingCompared),
        false => Ok(exit::HELD),
    }
}

/// Those that are asked for, or that go with scenarios somebody names.
fn layers(args: &DiffArgs, is_named: bool) -> Result<Vec<Layer>, CliError> {
    let goes = |layer: &Layer| !is_named || layer.runs_scenarios();
    let Some(asked) = &args.layer else {
        return Ok(Layer::value_variants().iter().copied().filter(goes).collect());
    };
    match asked.iter().find(|layer| !goes(layer)) {
        Some(layer) => Err(CliError::NoScenarios { layer: layer.word() }),
        None => Ok(asked.clone()),
    }
}

/// Everything, for machines.
#[derive(Serialize)]
struct Compared<'a> {
    qemu: String,
    commit: &'static str,
    layers: &'a [Row],
}

/// What a name, a seed or a file means: a profile, or a case.
fn source(name: &str) -> Result<Source, CliError> {
    if target::split(name)?.1.is_none() {
        let source = target::source(name)?;
        if source.scenario.random.is_some() {
            return Ok(source);
        }
    }
    let Target { scenario, token } = target::resolve(name, None)?;
    Ok(Source { name: token, scenario })
}

/// What compares the cases of a layer.
enum Comparison {
    Scenarios(Arc<Twin>),
    Seeds(Arc<BySeed>),
}

impl Comparison {
    fn of(layer: Layer, program: &Program) -> Self {
        match layer {
            Layer::Ordered => Self::Scenarios(Arc::new(Twin::new(program, Pace::Ordered))),
            Layer::Fast => Self::Scenarios(Arc::new(Twin::new(program, Pace::Fast))),
            Layer::Errno => Self::Seeds(Arc::new(BySeed::errnos(program))),
            Layer::Options => Self::Seeds(Arc::new(BySeed::options(program))),
        }
    }

    fn judge(&self) -> Arc<dyn Judge> {
        match self {
            Self::Scenarios(twin) => twin.clone(),
            Self::Seeds(seeds) => seeds.clone(),
        }
    }

    fn tally(&self) -> Tally {
        match self {
            Self::Scenarios(twin) => twin.tally(),
            Self::Seeds(seeds) => seeds.tally(),
        }
    }
}

fn compare(
    layer: Layer,
    targets: &[Source],
    program: &Program,
    args: &DiffArgs,
    host: &mut Host<'_>,
) -> Result<Row, CliError> {
    let comparison = Comparison::of(layer, program);
    let (profiles, cases): (Vec<_>, Vec<_>) =
        targets.iter().cloned().partition(|source| source.scenario.random.is_some());
    let is_watched = host.progress && args.format == Format::Text;
    let mut screen = Screen {
        host,
        args,
        layer,
        program,
        bar: ProgressBar::hidden(),
        differences: BTreeMap::new(),
        refused: None,
    };
    let mut row = Row {
        layer: layer.word(),
        tally: Tally::default(),
        seconds: 0.0,
        differences: BTreeMap::new(),
        ended: Ended::Complete,
    };
    for Source { name, scenario } in cases {
        if screen.host.stop.load(Ordering::Relaxed) {
            row.ended = Ended::Interrupted;
            break;
        }
        let judge = comparison.judge();
        let run = fuzz::judged(&*judge, &scenario, &name, &mut Scratch::default());
        if run.verdict != Verdict::Held {
            screen.take(&Failed { token: name, scenario, run });
        }
    }
    if row.ended == Ended::Complete && (!profiles.is_empty() || targets.is_empty()) {
        let fuzz = plan(layer, profiles, args, comparison.judge());
        screen.bar = bar(&fuzz, is_watched);
        let stop = screen.host.stop.clone();
        let outcome = fuzz::run(fuzz, &stop, &mut screen);
        (row.seconds, row.ended) = (outcome.summary.elapsed.as_secs_f64(), outcome.ended);
    }
    screen.bar.finish_and_clear();
    if let Some(error) = screen.refused.take() {
        return Err(error);
    }
    row.differences = screen.differences;
    row.tally = comparison.tally();
    Ok(row)
}

fn plan(layer: Layer, profiles: Vec<Source>, args: &DiffArgs, judge: Arc<dyn Judge>) -> Fuzz {
    let sources = match (layer.runs_scenarios(), profiles.is_empty()) {
        // The seed is all that it is about.
        (false, _) => vec![Source { name: layer.word().into(), scenario: errno::case(0) }],
        (true, false) => profiles,
        (true, true) => catalog::all()
            .filter(|scenario| scenario.random.as_ref().is_some_and(|random| random.bricks == 0))
            .map(|scenario| Source { name: scenario.name.clone(), scenario })
            .collect(),
    };
    let seeds = match (&args.seeds, args.time) {
        (Some(values::Seeds(seeds)), _) => seeds.clone(),
        (None, Some(_)) => 0..u64::MAX,
        (None, None) => 0..SEEDS,
    };
    Fuzz {
        sources,
        seeds,
        time: args.time,
        // Half of the time a daemon is waited for, or waits.
        jobs: args.jobs.map_or_else(|| 2 * super::jobs(None), usize::from),
        shard: Shard { number: 1, count: NonZeroU64::MIN },
        on_failure: OnFailure::KeepGoing,
        failures_max: if args.keep_going { KEPT_MAX } else { 1 },
        watchdog: WATCHDOG,
        samples: 0,
        engine: None,
        judge: Some(judge),
    }
}

/// Shows a comparison as it gets on, and makes of each difference the least that shows it.
struct Screen<'a, 'h> {
    host: &'a mut Host<'h>,
    args: &'a DiffArgs,
    layer: Layer,
    program: &'a Program,
    bar: ProgressBar,
    differences: BTreeMap<String, Difference>,
    /// Why the first difference that could not be saved or shown could not.
    refused: Option<CliError>,
}

impl Observer for Screen<'_, '_> {
    fn progressed(&mut self, runs: u64, failed: u64) {
        self.bar.set_position(runs);
        if failed > 0 {
            self.bar.set_message(format!(", {failed} differ"));
        }
    }

    fn failed(&mut self, failed: &Failed) -> Option<String> {
        self.take(failed)
    }
}

impl Screen<'_, '_> {
    /// Takes a difference: shrinks it, saves and shows what is left. The first file.
    fn take(&mut self, failed: &Failed) -> Option<String> {
        let token = match self.layer.runs_scenarios() {
            true => failed.token.clone(),
            false => failed.scenario.seed.to_string(),
        };
        let least = self.least(failed);
        let first = least.run.violations.first();
        let check = first.map_or("qemu", |violation| violation.check);
        let reason = first.map(|violation| violation.reason.clone()).unwrap_or_default();
        let mut difference = Difference { check, reason, files: Vec::new() };
        if self.layer.runs_scenarios() && least.run.verdict == Verdict::Violated {
            match self.save(&least, &mut difference) {
                Ok(()) => {}
                Err(error) => drop(self.refused.get_or_insert(error)),
            }
        }
        if self.args.format == Format::Text {
            let text = shown(self.layer, &token, &difference, &self.host.program);
            let out = &mut self.host.out;
            let written = self.bar.suspend(|| {
                out.write_all(text.as_bytes())?;
                out.flush()
            });
            if let Err(error) = written {
                self.refused.get_or_insert(CliError::Output(error));
            }
        }
        let file = difference.files.first().cloned();
        self.differences.insert(token, difference);
        file
    }

    /// The least that shows the same, as far as it can be had.
    fn least(&mut self, failed: &Failed) -> Failed {
        if !self.layer.runs_scenarios() {
            return failed.clone();
        }
        // Another one, as what is tried is not counted.
        let judge = Comparison::of(self.layer, self.program).judge();
        let shrink = Shrink { engine: None, judge: Some(judge), watchdog: WATCHDOG, apart: None };
        let bar = self.bar.clone();
        let mut hear = |runs: u64, _: &Scenario| bar.set_message(format!(", shrinking: {runs}"));
        match shrink.shrink(&failed.scenario, &self.host.stop, &mut hear) {
            Ok(shrunk) => {
                Failed { token: failed.token.clone(), scenario: shrunk.scenario, run: shrunk.run }
            }
            // It came out otherwise this time: what was seen is what there is.
            Err(NotShrunk::Holds | NotShrunk::Endless) => failed.clone(),
        }
    }

    /// Saves it as a scenario, and as a script if there can be one.
    fn save(&self, least: &Failed, difference: &mut Difference) -> Result<(), CliError> {
        let Failed { token, scenario, run } = least;
        let stem = failure::stem(difference.check, token);
        let mut scenario = scenario.clone();
        scenario.name.clone_from(&stem);
        let directory = &self.args.output;
        let path = |name: &str| directory.join(name).display().to_string();
        let name = format!("{stem}.toml");
        let again =
            format!("quorate diff {} --layer {}", failure::quoted(&path(&name)), self.layer.word());
        let rows = [
            ("differs", difference.check),
            ("of", token.as_str()),
            ("commit", COMMIT),
            ("again", again.as_str()),
        ];
        let what = "What `quorate diff` has left of a difference from QEMU.";
        let header = failure::header(what, &rows, &run.violations);
        let text = format!("{header}\n{}", load::write(&scenario));
        output::save_in(directory, &name, text.as_bytes())?;
        difference.files.push(path(&name));
        if let Ok(script) = suited(&scenario).map_or_else(
            |why| Err(why.to_owned()),
            |scenario| script::script(&scenario, run).map_err(|why| why.to_string()),
        ) {
            let name = format!("{stem}.sh");
            output::save_in(directory, &name, script.as_bytes())?;
            difference.files.push(path(&name));
        }
        if let Comparison::Scenarios(twin) = Comparison::of(self.layer, self.program)
            && let Ok(both) = twin.compare(&scenario, &mut Scratch::default())
        {
            let theirs = both.theirs_as_run(&stem);
            let name = format!("{stem}.qemu.txt");
            let text = timeline::render(&theirs, Colour::Off);
            output::save_in(directory, &name, text.as_bytes())?;
            difference.files.push(path(&name));
        }
        Ok(())
    }
}

/// A difference, for people.
fn shown(layer: Layer, token: &str, difference: &Difference, program: &str) -> String {
    let Difference { check, reason, files } = difference;
    let mut text = format!("{} layer: {check} differs in {token}\n", layer.word());
    for line in reason.lines() {
        writeln!(text, "  {line}").expect("a string takes everything");
    }
    let program = failure::quoted(program);
    let again = match (files.first(), layer.runs_scenarios()) {
        (Some(file), _) => {
            format!("{program} diff {} --layer {}", failure::quoted(file), layer.word())
        }
        (None, true) => {
            format!("{program} diff {} --layer {}", failure::quoted(token), layer.word())
        }
        (None, false) => {
            let next = token.parse::<u64>().map_or(0, |seed| seed.saturating_add(1));
            format!("{program} diff --layer {} --seeds {token}..{next}", layer.word())
        }
    };
    writeln!(text, "  again: {again}").expect("a string takes everything");
    for file in files.iter().skip(1) {
        let named = failure::quoted(file);
        let line = match Path::new(file).extension().is_some_and(|end| end == "sh") {
            true => format!("  with QEMU's own tools: bash {named}\n"),
            false => format!("  what happened in QEMU: {named}\n"),
        };
        text += &line;
    }
    text.push('\n');
    text
}

/// A layer, for people.
fn text(row: &Row, program: &Program) -> String {
    let Row { layer, tally, seconds, differences, .. } = row;
    let differ = match differences.len() {
        0 => "no difference".into(),
        1 => "1 difference".into(),
        many => format!("{many} differences"),
    };
    let mut text = format!(
        "{layer}, QEMU {}: {} requests of {} cases compared",
        program.version(),
        thousands(tally.requests),
        thousands(tally.cases),
    );
    if tally.child_ios > 0 {
        let (asked, events) = (thousands(tally.child_ios), thousands(tally.events));
        text += &format!(", {asked} requests to children, {events} events");
    }
    text += &format!(": {differ}\n");
    for (known, count) in &tally.known {
        text += &format!("  known, in {} of them: {}\n", thousands(*count), known.why());
    }
    if tally.taken_out > 0 {
        let out = thousands(tally.taken_out);
        text += &format!("  taken out: {out} requests that NBD cannot ask\n");
    }
    for (why, count) in &tally.left_out {
        text += &format!("  left out {}: {why}\n", thousands(*count));
    }
    if row.ended != Ended::Complete {
        text += &format!("  {}\n", ended(row.ended));
    }
    if *seconds > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "rates for people")]
        let rate = |count: u64| count as f64 / seconds;
        text += &format!(
            "  {:.0} cases/s, {:.0} requests/s, {seconds:.1} s\n",
            rate(tally.cases),
            rate(tally.requests),
        );
    }
    text
}

/// Why a layer ended, in a word.
fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::TimeUp => "time was up",
        Ended::Interrupted => "interrupted",
        Ended::Failures => "stopped after a difference: --keep-going goes on",
        Ended::Stuck => "stopped: a run did not come back",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn word_of<S: Serializer>(why: &Ended, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(ended(*why))
}

/// How many seeds of each layer, if nobody says.
const SEEDS: u64 = 1000;
/// How many differences are kept at most.
const KEPT_MAX: usize = 100;
/// A daemon that does nothing for 10 s is given up before.
const WATCHDOG: Duration = Duration::from_secs(60);
