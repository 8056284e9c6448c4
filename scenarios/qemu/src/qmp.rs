//! Lines of the monitor.

use serde_json::{Map, Value, json};
use std::fmt;

/// Something that QEMU tells unasked.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, such as `QUORUM_REPORT_BAD`.
    pub name: String,
    /// What it says.
    pub data: Map<String, Value>,
}

/// A command that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Such as `GenericError`.
    pub class: String,
    /// Why, for people.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.class)
    }
}

/// What a line says.
#[derive(Debug)]
pub(crate) enum Line {
    /// Who is there.
    Greeting,
    /// The answer to the next command. Answers come in the order of the commands.
    Answer(Result<Value, Refusal>),
    /// An event.
    Event(Event),
}

/// What a command is told by. QEMU reads it byte by byte, with several calls for each: so nothing is said that can be
/// left out.
pub(crate) fn command(name: &str, arguments: &Value) -> Vec<u8> {
    let mut command = json!({"execute": name});
    if arguments.as_object().is_some_and(|arguments| !arguments.is_empty()) {
        command["arguments"] = arguments.clone();
    }
    command.to_string().into_bytes()
}

/// The shortest that QEMU answers: it is refused, in its turn.
pub(crate) const NOTHING: &[u8] = b"{}";

/// Takes a line off the front of what has arrived, if it is there as a whole.
pub(crate) fn take_line(arrived: &mut Vec<u8>) -> Result<Option<Line>, String> {
    let Some(end) = arrived.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let line: Vec<u8> = arrived.drain(..=end).collect();
    let no_line = || format!("no line of QMP: {:?}", String::from_utf8_lossy(&line));
    let mut object: Map<String, Value> = serde_json::from_slice(&line).map_err(|_| no_line())?;
    if let Some(answer) = object.remove("return") {
        return Ok(Some(Line::Answer(Ok(answer))));
    }
    if let Some(error) = object.get("error") {
        let text = |key: &str| Some(error.get(key)?.as_str()?.to_owned());
        let (class, text) = text("class").zip(text("desc")).ok_or_else(no_line)?;
        return Ok(Some(Line::Answer(Err(Refusal { class, text }))));
    }
    if let Some(Value::String(name)) = object.remove("event") {
        let data = match object.remove("data") {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        return Ok(Some(Line::Event(Event { name, data })));
    }
    if object.contains_key("QMP") { Ok(Some(Line::Greeting)) } else { Err(no_line()) }
}
