//! What came of an exhaustion, for people.

use super::{Difference, Proof, describe};
use crate::exhaust::{
    Subject,
    together::{Hazard, Row},
};
use quorate_reports::{Colour, counted, thousands};

/// Everything was as it must be.
pub(super) fn proof(proof: &Proof, colour: Colour) -> String {
    let cases: u64 = proof.rows.iter().map(|row| row.cases).sum();
    let most = counted(proof.children as u64, "child", "children");
    let mut text = describe::strong(
        &format!("{} cases of up to {most}, none against the rules", thousands(cases)),
        colour,
    );
    text += "\n\n";
    text += &cases_table(proof);
    for (name, rows) in [("serialise", &proof.serialise), ("qemu", &proof.qemu)] {
        if !rows.is_empty() {
            text += &hazards(name, rows);
        }
    }
    for example in &proof.examples {
        let repairs = if example.meeting.rewrite_corrupted { ", with repairs" } else { "" };
        text += &format!("\nthe shortest way to '{}'{repairs}\n", example.hazard.word());
        for line in &example.story {
            text += &format!("  {line}\n");
        }
    }
    text + &format!("\ncertificate  {}\n", proof.certificate)
}

/// How many cases there were, with a column for each number of children.
fn cases_table(proof: &Proof) -> String {
    let mut table = vec![vec!["children".to_owned()]];
    table[0].extend((1..=proof.children).map(|n| n.to_string()));
    for subject in Subject::all() {
        let of = |n| proof.rows.iter().find(|r| (r.subject, r.children) == (*subject, n));
        let cells: Vec<String> = (1..=proof.children)
            .map(|n| of(n).map_or_else(String::new, |row| thousands(row.cases)))
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.push([vec![subject.word()], cells].concat());
        }
    }
    aligned(&table)
}

/// The meetings in which something goes wrong, and how many there are of the others.
fn hazards(overlap: &str, rows: &[Row]) -> String {
    let (harmed, safe): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|r| !r.hazards.is_empty());
    let mut text = format!("\nrequests at once, overlap {overlap}\n");
    if !harmed.is_empty() {
        let mut head = vec!["requests".to_owned(), "threshold".into(), "interleavings".into()];
        head.extend(Hazard::ALL.map(|hazard| hazard.word().into()));
        let lines = harmed.iter().map(|row| {
            let counts = Hazard::ALL.map(|hazard| {
                row.hazards.get(&hazard).map_or_else(|| "-".into(), |count| thousands(*count))
            });
            let vote_threshold = row.meeting.vote_threshold;
            let fixed =
                [row.meeting.words(), vote_threshold.to_string(), thousands(row.interleavings)];
            fixed.into_iter().chain(counts).collect()
        });
        let table: Vec<Vec<String>> = std::iter::once(head).chain(lines).collect();
        text += &aligned(&table);
    }
    let interleavings: u64 = safe.iter().map(|row| row.interleavings).sum();
    let others = if harmed.is_empty() { "all" } else { "the others" };
    text + &format!(
        "  no harm in {} of {others}\n",
        counted(interleavings, "interleaving", "interleavings")
    )
}

/// A case in which the array does not do what it must.
pub(super) fn difference(difference: &Difference, colour: Colour) -> String {
    let head = describe::strong("the array does not do what it must", colour);
    format!("{head}\n\n{difference}")
}

/// The first column to the left, the others to the right.
fn aligned(table: &[Vec<String>]) -> String {
    let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
    let mut text = String::new();
    for row in table {
        text += &format!("  {:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
