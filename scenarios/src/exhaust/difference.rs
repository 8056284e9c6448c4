//! A case in which an array does not do what it must.

use super::journal::Entry;
use serde::Serialize;
use std::fmt;

/// A case in which an array does not do what it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The array and the request, or the two of them.
    pub title: String,
    /// What is wrong.
    pub why: String,
    /// What happens, line by line; for a single request beside what must happen.
    pub story: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n  {}\n", self.title, self.why)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// What the array does beside what was told, and where they part if nothing else is said.
pub(super) fn of(title: String, told: &[Entry], lived: &[Entry], why: String) -> Difference {
    let lines = |entries: &[Entry]| entries.iter().map(|e| e.what.to_string()).collect();
    let (must, does): (Vec<String>, Vec<String>) = (lines(told), lines(lived));
    let count = must.len().max(does.len());
    let parted = (0..count).find(|&at| must.get(at) != does.get(at));
    let why = match parted.map(|at| (must.get(at), does.get(at))) {
        _ if !why.is_empty() => format!("The array {why}."),
        Some((Some(due), Some(comes))) => format!("'{comes}' comes where '{due}' is due."),
        Some((Some(due), None)) => format!("Nothing comes where '{due}' is due."),
        Some((None, Some(comes))) => format!("'{comes}' comes behind the end."),
        _ => "Both are the same.".into(),
    };
    let width = must.iter().map(|line| line.chars().count()).max().unwrap_or(0).max(HEADS.0.len());
    let row = |mark, must: &str, does: &str| format!("{mark} {must:width$}   {does}");
    let mut story = Vec::new();
    if count > 0 {
        story.push(row(' ', HEADS.0, HEADS.1));
    }
    for at in 0..count {
        let text = |side: &[String]| side.get(at).cloned().unwrap_or_default();
        let mark = if must.get(at) == does.get(at) { ' ' } else { '!' };
        story.push(row(mark, &text(&must), &text(&does)).trim_end().into());
    }
    Difference { title, why, story }
}

/// What stands above the two sides.
const HEADS: (&str, &str) = ("what must happen", "what the array does");
