//! The list of bugs: `museum.toml`.

use serde::Deserialize;
use std::{collections::BTreeSet, fmt};
use thiserror::Error;

/// A bug of the past, or one of its kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub struct Bug {
    /// `Q…` and `G…` as in the history of QEMU's drivers, `S…` alive in QEMU 10.0.2, `X…` of the same list
    /// without a number there, `M…` of the museum's own.
    pub id: String,
    /// What it is called; also the name of its patch.
    pub name: String,
    /// The commit that mended it in QEMU, and its year.
    pub mended: Option<(String, u16)>,
    /// What went wrong.
    pub story: String,
    /// Where it shows.
    pub shows: Shows,
    /// Whether it is one of the few that are tried on every change.
    pub quick: bool,
}

/// Where a bug shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// In a fuzz of all profiles. These are the classes of failure that are to be expected; other checks
    /// may notice, too.
    Seeds(Vec<String>),
    /// In each of these tests.
    Tests(Vec<Test>),
    /// Nowhere: this engine cannot have it. Says why.
    Impossible(String),
}

/// A test of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The program that it is part of, as `cargo test --test` calls it.
    pub program: String,
    /// What it is called there.
    pub name: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.program, self.name)
    }
}

/// A bug as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    name: String,
    commit: Option<String>,
    year: Option<u16>,
    story: String,
    seeds: Option<Vec<String>>,
    test: Option<OneOrMore>,
    impossible: Option<String>,
    #[serde(default)]
    quick: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    bug: Vec<Bug>,
}

/// Why the list is of no use.
#[derive(Debug, Error)]
pub enum ListError {
    /// It is no TOML of this form.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Two bugs share an id or a name.
    #[error("'{0}' is there twice: give each bug an id and a name of its own")]
    Twice(String),
}

impl TryFrom<Entry> for Bug {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let Entry { id, name, commit, year, story, seeds, test, impossible, quick } = entry;
        let shows = match (seeds, test, impossible) {
            (Some(classes), None, None) if !classes.is_empty() => Shows::Seeds(classes),
            (None, Some(OneOrMore::One(test)), None) => Shows::Tests(vec![named(&id, &test)?]),
            (None, Some(OneOrMore::More(tests)), None) if !tests.is_empty() => {
                Shows::Tests(tests.iter().map(|test| named(&id, test)).collect::<Result<_, _>>()?)
            }
            (None, None, Some(why)) => Shows::Impossible(why),
            _ => {
                return Err(format!(
                    "{id} needs exactly one of: seeds = [\"the checks that find it\"], test = \"the \
                     test that finds it\", impossible = \"why this engine cannot have it\""
                ));
            }
        };
        let mended = match (commit, year) {
            (Some(commit), Some(year)) => Some((commit, year)),
            (None, None) => None,
            _ => return Err(format!("{id} needs both commit and year, or neither")),
        };
        Ok(Self { id, name, mended, story, shows, quick })
    }
}

fn named(id: &str, test: &str) -> Result<Test, String> {
    let (program, name) = test.split_once("::").ok_or_else(|| {
        format!("{id}: a test is named with its program, as in engine::vote::{test}")
    })?;
    Ok(Test { program: program.into(), name: name.into() })
}

impl Bug {
    /// Whether there is a patch that brings it back.
    #[must_use]
    pub fn is_expressed(&self) -> bool {
        !matches!(self.shows, Shows::Impossible(_))
    }
}

/// Reads the list.
///
/// # Errors
/// It is malformed, or names something twice.
pub fn parse(text: &str) -> Result<Vec<Bug>, ListError> {
    let List { bug: bugs } = toml::from_str(text)?;
    let mut seen = BTreeSet::new();
    for word in bugs.iter().flat_map(|bug| [&bug.id, &bug.name]) {
        if !seen.insert(word) {
            return Err(ListError::Twice(word.clone()));
        }
    }
    Ok(bugs)
}
