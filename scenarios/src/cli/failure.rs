//! A failure as people see it and as a file keeps it.

use super::{COMMIT, Host, describe};
use crate::{fuzz::Failed, load, metamorphic, model::Scenario};
use quorate_reports::{
    Colour, Run, Verdict, Violation,
    card::{self, Card, Excerpt},
    reason,
};

/// The failure card; `replay` is what to hand to the command of this name.
pub(super) fn card(
    run: &Run,
    scenario: &Scenario,
    program: &str,
    replay: &str,
    colour: Colour,
) -> String {
    card_with(Excerpt::Shown, Size::Full, run, scenario, (program, replay), colour)
}

/// The failure card of a run on other disks than simulated ones, which only the same command may show
/// `again`.
pub(super) fn card_elsewhere(
    run: &Run,
    scenario: &Scenario,
    again: &str,
    colour: Colour,
) -> String {
    let (options, commit) = (describe::options(scenario), COMMIT);
    let (shrink, excerpt) = (None, Excerpt::Shown);
    card::render(&Card { run, commit, options: &options, replay: again, shrink, excerpt }, colour)
}

/// The failure card below the whole timeline.
pub(super) fn card_below_timeline(
    size: Size,
    run: &Run,
    scenario: &Scenario,
    host: &Host<'_>,
    replay: &str,
) -> String {
    card_with(Excerpt::LeftOut, size, run, scenario, (&host.program, replay), host.colour)
}

/// Whether a failure can still be made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It is as it was found.
    Full,
    /// It is as small as it gets.
    Minimal,
}

fn card_with(
    excerpt: Excerpt,
    size: Size,
    run: &Run,
    scenario: &Scenario,
    (program, replay): (&str, &str),
    colour: Colour,
) -> String {
    let options = describe::options(scenario);
    let shrink = format!("{} shrink {}", quoted(program), quoted(replay));
    let shrink = (size == Size::Full).then_some(shrink.as_str());
    let replay = command(run, program, replay);
    let card = Card { run, commit: COMMIT, options: &options, replay: &replay, shrink, excerpt };
    card::render(&card, colour)
}

/// The command that replays a run.
pub(super) fn command(run: &Run, program: &str, replay: &str) -> String {
    let law = run.violations.first().map(|found| found.check);
    let how = match law.filter(|check| metamorphic::place(check).is_some()) {
        _ if run.verdict == Verdict::Nondeterministic => " --verify".into(),
        Some(law) => format!(" --law {law}"),
        None => String::new(),
    };
    format!("{} replay {}{how}", quoted(program), quoted(replay))
}

/// `class-profile-seed.toml`, in characters that every file system takes.
pub(super) fn file_name(failed: &Failed) -> String {
    let token = &failed.token;
    let token = if token.contains(':') { token.clone() } else { format!("{token}:0") };
    stem(failed.class(), &token) + ".toml"
}

/// `class-profile-seed`, or without a seed if the token has none.
pub(super) fn stem(class: &str, token: &str) -> String {
    let (source, seed) = match token.rsplit_once(':') {
        Some((source, seed)) => (source, format!("-{seed}")),
        None => (token, String::new()),
    };
    let name = source.rsplit(['/', '\\']).next().unwrap_or(source);
    let name = name.strip_suffix(".toml").unwrap_or(name);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{class}-{name}{seed}").chars().map(plain).collect()
}

/// The concrete scenario under a header that says what it is.
pub(super) fn file_text(failed: &Failed, path: &str) -> String {
    let Failed { token, scenario, run } = failed;
    let rows = [
        ("class", failed.class()),
        ("run", token),
        ("commit", COMMIT),
        ("verdict", run.verdict.word()),
        ("digest", &run.trace.digest.to_string()),
        ("replay", &command(run, "quorate", path)),
        ("shrink", &format!("quorate shrink {}", quoted(path))),
    ];
    let header = header("A failure that `quorate fuzz` has found.", &rows, &run.violations);
    format!("{header}\n{}", load::write(scenario))
}

/// What stands above a scenario that fails: what it is, rows of a word and a value, what does not hold.
pub(super) fn header(what: &str, rows: &[(&str, &str)], violations: &[Violation]) -> String {
    let mut text = format!("# {what}\n#\n");
    for (word, value) in rows {
        text += &format!("# {word:<8} {}\n", value.replace(char::is_control, " "));
    }
    let mut violations: Vec<_> = violations.iter().collect();
    violations.sort_by_key(|violation| violation.entry.unwrap_or(usize::MAX));
    for violation in violations.into_iter().take(VIOLATIONS_MAX) {
        text += "#\n";
        for line in reason(&format!("{}: {}", violation.check, violation.reason), WIDTH) {
            text += format!("# {}", line.replace(char::is_control, " ")).trim_end();
            text.push('\n');
        }
    }
    text
}

/// As a shell takes it for one word.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+=@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

const VIOLATIONS_MAX: usize = 3;
const WIDTH: usize = 96;
