//! The failure card: one failure on one screen, with the command that replays it.

use crate::{
    colour::{Colour, Tone},
    run::{Run, Violation},
    timeline, words,
};

/// A failed run, and what only the caller knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    /// The run.
    pub run: &'a Run,
    /// The commit that it is of.
    pub commit: &'a str,
    /// The options of the array and of the run, expanded, in lines.
    pub options: &'a str,
    /// The command that replays it.
    pub replay: &'a str,
    /// The command that makes it smaller, where there is something to be made smaller.
    pub shrink: Option<&'a str>,
    /// Whether the entries that show it are part of the card.
    pub excerpt: Excerpt,
}

/// Whether a card shows the entries that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// It does.
    Shown,
    /// The whole timeline stands above it.
    LeftOut,
}

/// What a failed run is filed under: its first failed check, or else its verdict.
#[must_use]
pub fn class(run: &Run) -> &str {
    first(run).map_or(run.verdict.word(), |violation| violation.check)
}

/// The card.
#[must_use]
pub fn render(card: &Card<'_>, colour: Colour) -> String {
    let Card { run, commit, options, replay, shrink, excerpt } = card;
    let violation = first(run);
    let mut text = format!(
        "{}  {}\n",
        colour.paint(Tone::Bad, &class(run).to_uppercase()),
        colour.paint(Tone::Strong, &run.name)
    );
    let request = violation.and_then(|v| v.request).map(|r| format!(", request {r}"));
    let verdict = run.verdict.word().to_owned() + &request.unwrap_or_default();
    let others = (run.violations.len() as u64).saturating_sub(1);
    let others = match others {
        0 => String::new(),
        more => format!(", and {}", words::counted(more, "more violation", "more violations")),
    };
    for (word, value) in [
        ("verdict", verdict + &others),
        ("run", run.token.clone()),
        ("commit", (*commit).into()),
        ("digest", run.trace.digest.to_string()),
    ] {
        let gap = " ".repeat(GAP + WORD_WIDTH - word.len());
        text += &format!("{}{gap}{value}\n", colour.paint(Tone::Faint, word));
    }
    if let Some(violation) = violation {
        text += "\n";
        for line in words::reason(&violation.reason, WIDTH) {
            text += &format!("{}\n", colour.paint(Tone::Strong, &line));
        }
    }
    if *excerpt == Excerpt::Shown {
        text += &format!("\n{}", timeline::excerpt(run, violation, colour));
    }
    text += "\n";
    let lines: Vec<_> = options.lines().collect();
    for line in lines.iter().take(OPTIONS_MAX) {
        text += &format!("{line}\n");
    }
    if lines.len() > OPTIONS_MAX {
        let more = words::counted((lines.len() - OPTIONS_MAX) as u64, "line", "lines");
        text += &format!("{}\n", colour.paint(Tone::Faint, &format!("… {more} more")));
    }
    for (word, command) in [("replay", Some(*replay)), ("shrink", *shrink)] {
        if let Some(command) = command {
            let word = colour.paint(Tone::Faint, word);
            text += &format!("\n{word}\n  {}\n", colour.paint(Tone::Good, command));
        }
    }
    text
}

/// The violation that the trace shows first.
fn first(run: &Run) -> Option<&Violation> {
    run.violations.iter().min_by_key(|violation| violation.entry.unwrap_or(usize::MAX))
}

const WORD_WIDTH: usize = "verdict".len();
const GAP: usize = 2;
const WIDTH: usize = 96;
const OPTIONS_MAX: usize = 10;
