//! The scenarios that come with the project.

use crate::{load, model::Scenario};
use include_dir::{Dir, include_dir};

mod covers;

pub use covers::meaning;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalog");

/// The names of all scenarios, in order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let files = FILES.files().filter_map(|file| file.path().to_str());
    let mut names: Vec<&str> = files.filter_map(|file| file.strip_suffix(".toml")).collect();
    names.sort_unstable();
    names
}

/// The text of a scenario's file.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    FILES.get_file(format!("{name}.toml"))?.contents_utf8()
}

/// A scenario by its name.
///
/// # Panics
/// If a file of the catalog is wrong, which the tests would have said.
#[must_use]
pub fn scenario(name: &str) -> Option<Scenario> {
    let parsed = load::parse(text(name)?, &format!("catalog/{name}.toml"));
    Some(parsed.unwrap_or_else(|error| panic!("catalog/{name}.toml: {error}")))
}

/// Every scenario, in order of name.
pub fn all() -> impl Iterator<Item = Scenario> {
    names().into_iter().filter_map(scenario)
}
