//! Bytes as a shell can make them: each in a file, made where it is first wanted.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The files that there are by then.
#[derive(Default)]
pub(super) struct Payloads {
    names: BTreeMap<Bytes, String>,
}

impl Payloads {
    /// The file that has these bytes. What makes it is added to the script, if it is a new one.
    pub(super) fn name(&mut self, data: &Bytes, script: &mut String) -> String {
        if let Some(name) = self.names.get(data) {
            return name.clone();
        }
        let name = format!("p{}", self.names.len() + 1);
        script.push_str(&making(data, &name));
        self.names.insert(data.clone(), name.clone());
        name
    }
}

/// What makes a file with these bytes: as runs of equal ones, unless that is longer.
fn making(data: &[u8], name: &str) -> String {
    let runs: Vec<&[u8]> = data.chunk_by(|one, other| one == other).collect();
    let reps: Vec<String> =
        runs.iter().map(|run| format!("rep {:02x} {}", run[0], run.len())).collect();
    if reps.len() == 1 {
        return format!("{} >{name}\n", reps[0]);
    }
    let by_runs = format!("{{ {}; }} >{name}\n", reps.join("; "));
    let coded = STANDARD.encode(data);
    if by_runs.len() <= coded.len() + 32 {
        return by_runs;
    }
    let lines: Vec<&[u8]> = coded.as_bytes().chunks(LINE).collect();
    let lines: Vec<_> = lines.into_iter().map(String::from_utf8_lossy).collect();
    format!("base64 -d >{name} <<'END'\n{}\nEND\n", lines.join("\n"))
}

/// Characters in a line.
const LINE: usize = 76;
