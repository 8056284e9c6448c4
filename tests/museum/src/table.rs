//! What came of the bugs, as a table.

use crate::{
    quorate::Size,
    trial::{Plan, Row},
};
use serde_json::{Value, json};

/// One line for people.
#[must_use]
pub fn line(row: &Row) -> String {
    let [caught, seeds, shrunk, build] = cells(row);
    let line =
        format!("{:4} {:42} {seeds:>20}  {shrunk:24} {build:>7}  {caught}", row.id, row.name);
    match &row.trouble {
        None => line.trim_end().to_owned(),
        Some(trouble) => {
            format!("{}\n     !! {}", line.trim_end(), trouble.replace('\n', "\n     "))
        }
    }
}

/// The head of those lines.
#[must_use]
pub fn head() -> String {
    let [caught, seeds, shrunk, build] = COLUMNS;
    format!("{:4} {:42} {seeds:>20}  {shrunk:24} {build:>7}  {caught}", "", "bug")
}

/// How many were caught.
#[must_use]
pub fn total(rows: &[Row], plan: Plan) -> String {
    let troubled = rows.iter().filter(|row| row.trouble.is_some()).count();
    let Plan { starts, seeds, .. } = plan;
    format!(
        "{} of {} bugs caught as they should be; seeds are means of {starts} starts, {seeds} seeds each \
         at most",
        rows.len() - troubled,
        rows.len(),
    )
}

/// A table in Markdown.
#[must_use]
pub fn markdown(rows: &[Row], plan: Plan) -> String {
    let [caught, seeds, shrunk, build] = COLUMNS;
    let mut text = format!("| | bug | {caught} | {seeds} | {shrunk} | {build} |\n");
    text += "|---|---|---|--:|---|--:|\n";
    for row in rows {
        let [caught, seeds, shrunk, build] = cells(row);
        let caught = if row.trouble.is_some() {
            format!("**not as it should be**: {caught}")
        } else {
            caught
        };
        let Row { id, name, .. } = row;
        text += &format!("| {id} | `{name}` | {caught} | {seeds} | {shrunk} | {build} |\n");
    }
    format!("{text}\n{}\n", total(rows, plan))
}

/// All of it for machines.
#[must_use]
pub fn json(rows: &[Row], plan: Plan) -> Value {
    json!({ "version": 1, "plan": plan, "bugs": rows })
}

fn cells(row: &Row) -> [String; 4] {
    let (least, most) = (row.seeds.iter().flatten().min(), row.seeds.iter().flatten().max());
    let seeds = match (row.mean(), least, most) {
        (Some(mean), Some(least), Some(most)) => format!("{mean:.0} ({least}..{most})"),
        _ => String::new(),
    };
    let shrunk = row.shrunk.map_or_else(String::new, |Size { steps, rules, children }| {
        format!("{steps}, {rules}, {children}")
    });
    [row.caught_by.join(", "), seeds, shrunk, format!("{:.0}", row.build_seconds)]
}

const COLUMNS: [&str; 4] = ["caught by", "seeds to detect", "steps, rules, children", "build s"];
