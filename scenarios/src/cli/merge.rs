//! `quorate merge`.

use super::{Format, Host, MergeArgs, describe, error::CliError, output::Pending};
use crate::fuzz::{
    part,
    record::{Record, VERSION},
};
use quorate_reports::{Colour, summary};
use std::{fs, path::Path};

pub(super) fn merge(args: &MergeArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let save = args.save_summary.as_deref().map(Pending::new).transpose()?;
    let mut merged: Option<Record> = None;
    for path in &args.files {
        let record = read(path)?;
        match &mut merged {
            None => merged = Some(record),
            Some(merged) => merged
                .merge(record)
                .map_err(|source| CliError::Merge { path: path.clone(), source })?,
        }
    }
    let record = merged.expect("clap asks for at least one file");
    if let Some(save) = save {
        save.write(describe::json(&record).as_bytes())?;
    }
    let missing = missing(&record);
    let text = match args.format {
        Format::Json => describe::json(&record),
        Format::Text if record.complete => text(&record, host.colour),
        Format::Text => text(&record, host.colour) + "  not all seeds were run\n",
    };
    if let Some(missing) = missing {
        let word = describe::warning(host.err_colour);
        writeln!(host.err, "{word}: {missing}").map_err(CliError::Output)?;
    }
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(describe::exit_code_of(&record.summary))
}

/// The record for people.
pub(super) fn text(record: &Record, colour: Colour) -> String {
    let text = summary::render(&record.summary, colour);
    format!("{text}\n  digest of all runs  {}\n", record.digest)
}

/// The shards without which the record is of a part only.
fn missing(record: &Record) -> Option<String> {
    let shards: Vec<String> =
        part::missing(&record.parts).iter().map(|shard| shard.to_string()).collect();
    (!shards.is_empty()).then(|| format!("shards missing: {}", shards.join(", ")))
}

fn read(path: &Path) -> Result<Record, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|source| CliError::ReadSummary { path: path.into(), source })?;
    let record: Record = serde_json::from_str(&text)
        .map_err(|source| CliError::Summary { path: path.into(), source })?;
    match record.version {
        VERSION => Ok(record),
        version => Err(CliError::SummaryVersion { path: path.into(), version }),
    }
}
