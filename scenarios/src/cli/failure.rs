//! A failure as people see it and as a file keeps it.

use super::{COMMIT, Host, describe};
use crate::{fuzz::Failed, load, model::Scenario};
use quorate_reports::{
    Colour, Run, Verdict,
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
    card_with(Excerpt::Shown, run, scenario, program, replay, colour)
}

/// The failure card below the whole timeline.
pub(super) fn card_below_timeline(
    run: &Run,
    scenario: &Scenario,
    host: &Host<'_>,
    replay: &str,
) -> String {
    card_with(Excerpt::LeftOut, run, scenario, &host.program, replay, host.colour)
}

fn card_with(
    excerpt: Excerpt,
    run: &Run,
    scenario: &Scenario,
    program: &str,
    replay: &str,
    colour: Colour,
) -> String {
    let options = describe::options(scenario);
    let replay = command(run, program, replay);
    let card = Card { run, commit: COMMIT, options: &options, replay: &replay, excerpt };
    card::render(&card, colour)
}

/// The command that replays a run.
fn command(run: &Run, program: &str, replay: &str) -> String {
    let verify = if run.verdict == Verdict::Nondeterministic { " --verify" } else { "" };
    format!("{} replay {}{verify}", quoted(program), quoted(replay))
}

/// `class-profile-seed.toml`, in characters that every file system takes.
pub(super) fn file_name(failed: &Failed) -> String {
    let (source, seed) = failed.token.rsplit_once(':').unwrap_or((&failed.token, "0"));
    let name = source.rsplit(['/', '\\']).next().unwrap_or(source);
    let name = name.strip_suffix(".toml").unwrap_or(name);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let stem: String = format!("{}-{name}-{seed}", failed.class()).chars().map(plain).collect();
    stem + ".toml"
}

/// The concrete scenario under a header that says what it is.
pub(super) fn file_text(failed: &Failed, path: &str) -> String {
    let Failed { token, scenario, run } = failed;
    let mut text = String::from("# A failure that `quorate fuzz` has found.\n#\n");
    for (word, value) in [
        ("class", failed.class()),
        ("run", token),
        ("commit", COMMIT),
        ("verdict", run.verdict.word()),
        ("digest", &run.trace.digest.to_string()),
        ("replay", &command(run, "quorate", path)),
    ] {
        text += &format!("# {word:<8} {}\n", value.replace(char::is_control, " "));
    }
    let mut violations: Vec<_> = run.violations.iter().collect();
    violations.sort_by_key(|violation| violation.entry.unwrap_or(usize::MAX));
    for violation in violations.into_iter().take(VIOLATIONS_MAX) {
        text += "#\n";
        for line in reason(&format!("{}: {}", violation.check, violation.reason), WIDTH) {
            text += format!("# {}", line.replace(char::is_control, " ")).trim_end();
            text.push('\n');
        }
    }
    format!("{text}\n{}", load::write(scenario))
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+=@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

const VIOLATIONS_MAX: usize = 3;
const WIDTH: usize = 96;
