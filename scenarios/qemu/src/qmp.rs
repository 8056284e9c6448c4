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
    /// The answer to the command with this number.
    Answer(u64, Result<Value, Refusal>),
    /// An event.
    Event(Event),
}

/// The line of a command.
pub(crate) fn command(number: u64, name: &str, arguments: &Value) -> Vec<u8> {
    let line = json!({"execute": name, "arguments": arguments, "id": number});
    let mut line = line.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Takes a line off the front of what has arrived, if it is there as a whole.
pub(crate) fn take_line(arrived: &mut Vec<u8>) -> Result<Option<Line>, String> {
    let Some(end) = arrived.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let line: Vec<u8> = arrived.drain(..=end).collect();
    let no_line = || format!("no line of QMP: {:?}", String::from_utf8_lossy(&line));
    let mut object: Map<String, Value> = serde_json::from_slice(&line).map_err(|_| no_line())?;
    let number = object.get("id").and_then(Value::as_u64).ok_or_else(no_line);
    if let Some(answer) = object.remove("return") {
        return Ok(Some(Line::Answer(number?, Ok(answer))));
    }
    if let Some(error) = object.get("error") {
        let text = |key: &str| Some(error.get(key)?.as_str()?.to_owned());
        let (class, text) = text("class").zip(text("desc")).ok_or_else(no_line)?;
        return Ok(Some(Line::Answer(number?, Err(Refusal { class, text }))));
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
