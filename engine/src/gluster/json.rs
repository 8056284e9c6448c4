//! Options as `blockdev-add` takes them, with types, and as command lines leave them, in texts.
//!
//! As qemu_gluster_open and qemu_gluster_parse_json: common options, `debug` and `logfile`, then
//! `server`, `volume` and `path`, then each server. A text that stands for a flag or a number becomes
//! one first, so there is one set of rules.

use super::{
    error::GlusterOptionsError,
    options::{Cluster, DEBUG, DEBUG_MAX, GlusterOptions, Server},
    uri::{self, Located},
};
use crate::quorum::options::{
    DetectZeroes, Discard, GENERIC, Generic, Object, OptionsError, generic, not_a_choice, number,
    on_off, wrong_type,
};
use serde_json::{Map, Value, json};

pub(super) fn parse(value: &Value) -> Result<GlusterOptions, GlusterOptionsError> {
    let object = value.as_object().ok_or_else(|| wrong_type("arguments", "object"))?;
    let object = &typed(object);
    let object = Object { object, path: "" };
    if let Some(driver) = object.text("driver")?.filter(|&driver| driver != DRIVER) {
        return Err(not_a_choice("driver", driver).into());
    }
    let generic = generic(&object)?;
    generic.check(Discard::Ignore)?;
    let debug = debug(&object)?;
    let logfile = object.text("logfile")?;
    let mut options = match object.text("filename")? {
        Some(filename) => by_uri(&object, filename)?,
        None => by_name(&object)?,
    };
    refuse(&generic)?;
    options.cluster.debug = debug;
    if let Some(logfile) = logfile {
        options.cluster.logfile = logfile.into();
    }
    options.node_name = generic.node_name.unwrap_or_default().into();
    options.read_only = generic.read_only == Some(true);
    options.auto_read_only = generic.auto_read_only == Some(true);
    options.force_share = generic.force_share == Some(true);
    options.direct = generic.cache_direct == Some(true);
    options.no_flush = generic.cache_no_flush == Some(true);
    options.unmap = generic.discard == Some(Ok(Discard::Unmap));
    options.checked()
}

/// The image that `filename` names.
fn by_uri(object: &Object<'_>, filename: &str) -> Result<GlusterOptions, GlusterOptionsError> {
    object.refuse_others(&[&GENERIC[..], &["debug", "logfile", "filename"]].concat())?;
    let Located { server, volume, path } = uri::parse(filename)?;
    Ok(GlusterOptions::new(vec![server], volume, path))
}

fn by_name(object: &Object<'_>) -> Result<GlusterOptions, GlusterOptionsError> {
    let values = server_values(object)?;
    let volume = text(object, "volume")?;
    let path = text(object, "path")?;
    let servers = values.iter().enumerate().map(|(at, value)| server(value, at));
    let servers = servers.collect::<Result<_, _>>()?;
    let known = ["debug", "logfile", "server", "volume", "path"];
    object.refuse_others(&[&GENERIC[..], &known].concat())?;
    Ok(GlusterOptions::new(servers, volume, path))
}

/// What QEMU takes and the engine cannot do.
fn refuse(generic: &Generic) -> Result<(), GlusterOptionsError> {
    if matches!(generic.detect_zeroes, Some(Ok(DetectZeroes::On | DetectZeroes::Unmap))) {
        return Err(GlusterOptionsError::Refused {
            option: "detect-zeroes",
            reason: "the engine does not look into what it writes, write zeroes as such",
        });
    }
    if generic.active == Some(false) {
        return Err(GlusterOptionsError::Refused {
            option: "active=off",
            reason: "an open image is active",
        });
    }
    Ok(())
}

/// The object with flags and numbers where texts stand for them. A text that does not is left to be
/// refused.
fn typed(object: &Map<String, Value>) -> Map<String, Value> {
    let flag = |value: &mut Value| {
        if let Some(flag) = value.as_str().and_then(on_off) {
            *value = flag.into();
        }
    };
    let mut object = object.clone();
    for (name, value) in &mut object {
        match name.as_str() {
            "active" | "auto-read-only" | "force-share" | "read-only" => flag(value),
            "cache" => value.as_object_mut().into_iter().flatten().for_each(|(_, v)| flag(v)),
            "discard" => match value.as_str() {
                Some("on") => *value = "unmap".into(),
                Some("off") => *value = "ignore".into(),
                _ => {}
            },
            _ => {}
        }
    }
    object
}

/// A number or the text of one, and the nearest that gluster takes.
fn debug(object: &Object<'_>) -> Result<u8, OptionsError> {
    let wide = match object.object.get("debug") {
        None => return Ok(DEBUG),
        Some(Value::String(text)) => number("debug", text)?,
        Some(value) => value.as_i64().ok_or_else(|| wrong_type("debug", "integer"))?.into(),
    };
    let debug = wide.clamp(0, DEBUG_MAX.into());
    Ok(u8::try_from(debug).expect("it is between 0 and 9"))
}

fn server_values<'a>(object: &Object<'a>) -> Result<&'a [Value], OptionsError> {
    let missing = || OptionsError::Missing("server".into());
    let servers = object.object.get("server").ok_or_else(missing)?;
    let servers = servers.as_array().ok_or_else(|| wrong_type("server", "array"))?;
    if servers.is_empty() { Err(missing()) } else { Ok(servers) }
}

fn server(value: &Value, at: usize) -> Result<Server, GlusterOptionsError> {
    let path = format!("server[{at}]");
    let object = value.as_object().ok_or_else(|| wrong_type(&path, "object"))?;
    let object = Object { object, path: &path };
    match text(&object, "type")?.as_str() {
        // The second name is of before 2016.
        "inet" | "tcp" => {
            let host = text(&object, "host")?;
            let port = text(&object, "port")?;
            if object.object.contains_key("to") {
                return Err(GlusterOptionsError::Address(" 'to'", at));
            }
            if object.object.contains_key("ipv4") || object.object.contains_key("ipv6") {
                return Err(GlusterOptionsError::Address("s 'ipv4/ipv6'", at));
            }
            object.refuse_others(&["type", "host", "port"])?;
            Ok(Server::Inet { host, port: self::port(&port)? })
        }
        "unix" => {
            let path = match (object.text("path")?, object.text("socket")?) {
                (Some(_), Some(_)) => return Err(GlusterOptionsError::TwoPaths(at)),
                (Some(path), None) | (None, Some(path)) => path.into(),
                (None, None) => text(&object, "path")?,
            };
            object.refuse_others(&["type", "path", "socket"])?;
            Ok(Server::Unix { path })
        }
        _ => Err(GlusterOptionsError::ServerType(at)),
    }
}

/// Digits and nothing else. QEMU takes spaces before them, too.
fn port(text: &str) -> Result<u16, GlusterOptionsError> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok());
    port.ok_or_else(|| GlusterOptionsError::Port(text.into()))
}

fn text(object: &Object<'_>, name: &str) -> Result<String, OptionsError> {
    let missing = || OptionsError::Missing(object.full(name));
    Ok(object.text(name)?.ok_or_else(missing)?.into())
}

pub(super) fn print(options: &GlusterOptions) -> Value {
    let mut node = Map::new();
    node.insert("driver".into(), DRIVER.into());
    if !options.node_name.as_str().is_empty() {
        node.insert("node-name".into(), options.node_name.as_str().into());
    }
    if options.unmap {
        node.insert("discard".into(), "unmap".into());
    }
    if options.direct || options.no_flush {
        let cache = json!({"direct": options.direct, "no-flush": options.no_flush});
        node.insert("cache".into(), cache);
    }
    let flags = [
        ("read-only", options.read_only),
        ("auto-read-only", options.auto_read_only),
        ("force-share", options.force_share),
    ];
    node.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.into(), on.into())));
    let Cluster { servers, volume, debug, logfile } = &options.cluster;
    let server = |server: &Server| match server {
        Server::Inet { host, port } => {
            json!({"type": "inet", "host": host, "port": port.to_string()})
        }
        Server::Unix { path } => json!({"type": "unix", "path": path}),
    };
    node.insert("volume".into(), volume.as_str().into());
    node.insert("path".into(), options.path.as_str().into());
    node.insert("server".into(), servers.iter().map(server).collect());
    node.insert("debug".into(), (*debug).into());
    node.insert("logfile".into(), logfile.as_str().into());
    Value::Object(node)
}

/// The driver that all of this is about.
pub(super) const DRIVER: &str = "gluster";
