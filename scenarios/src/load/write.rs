//! Scenarios as files, laid out as people write them: a table for each thing, and what belongs to it
//! on a line of its own.

use crate::model::Scenario;
use toml::{Table, Value};

/// A scenario as a file of its own.
///
/// # Panics
/// Never: whatever a scenario holds can be written as TOML.
#[must_use]
pub fn write(scenario: &Scenario) -> String {
    let table = Table::try_from(scenario);
    let table = table.expect("a scenario is made of tables, lists and plain values");
    let mut text = String::new();
    section(&mut text, "", &table);
    text
}

/// The keys of a table, and below them the tables that have a heading of their own.
fn section(text: &mut String, path: &str, table: &Table) {
    let (headed, plain): (Vec<_>, Vec<_>) =
        table.iter().partition(|(key, value)| is_headed(path, key, value));
    for (key, value) in plain {
        *text += &format!("{key} = {}\n", shown(key, value));
    }
    for (key, value) in headed {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(table) if key == "child" => {
                for (number, disk) in table {
                    headed_section(text, &format!("[{path}.{number}]"), &path, disk);
                }
            }
            Value::Table(_) => headed_section(text, &format!("[{path}]"), &path, value),
            Value::Array(items) => {
                for item in items {
                    headed_section(text, &format!("[[{path}]]"), &path, item);
                }
            }
            _ => unreachable!("only tables and lists of them have headings"),
        }
    }
}

fn headed_section(text: &mut String, heading: &str, path: &str, value: &Value) {
    let gap = if text.is_empty() { "" } else { "\n" };
    *text += &format!("{gap}{heading}\n");
    section(text, path, value.as_table().expect("a list with a heading is one of tables"));
}

/// Whether the value gets a heading rather than a line.
fn is_headed(path: &str, key: &str, value: &Value) -> bool {
    let is_whole = match value {
        Value::Table(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_table),
        _ => false,
    };
    let has_headings = match path {
        "" => true,
        "array" => key == "inner",
        "client" => key == "step",
        "expect" => key == "media",
        "random" => key == "mix",
        _ => false,
    };
    is_whole && has_headings
}

/// The value as it stands behind its key.
fn shown(key: &str, value: &Value) -> String {
    match (key, value) {
        ("fill" | "holds", Value::Integer(byte)) => format!("{byte:#04x}"),
        _ => without_quotes(key, value).to_string(),
    }
}

/// Sizes without a unit as plain numbers.
fn without_quotes(key: &str, value: &Value) -> Value {
    match value {
        Value::String(digits) if SIZES.contains(&key) => {
            digits.parse().map_or_else(|_| value.clone(), Value::Integer)
        }
        Value::Table(table) => {
            let plain = |(key, value): (&String, &Value)| (key.clone(), without_quotes(key, value));
            Value::Table(table.iter().map(plain).collect())
        }
        _ => value.clone(),
    }
}

/// Keys whose values are sizes.
const SIZES: [&str; 7] = ["bytes", "offset", "length", "unit", "max-transfer", "bytes-max", "span"];
