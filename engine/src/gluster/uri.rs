//! Which image a URI names: `gluster[+tcp|+unix]://[host[:port]]/volume/path[?socket=path]`.
//!
//! As qemu_gluster_parse_uri, in its order: syntax, scheme, path, parameters, server. Userinfo and
//! fragment are ignored as there.

use super::{
    error::{GlusterOptionsError, UriFault},
    options::{PORT, Server},
};
use fluent_uri::{
    UriRef,
    component::{Authority, Host},
    pct_enc::{EStr, Encoder, encoder::Query},
};

/// What a URI says.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) server: Server,
    pub(super) volume: String,
    pub(super) path: String,
}

/// A name and what stands behind its `=`.
type Parameter = (String, Option<String>);

pub(super) fn parse(uri: &str) -> Result<Located, GlusterOptionsError> {
    locate(uri).map_err(|fault| GlusterOptionsError::Uri { uri: uri.into(), fault })
}

fn locate(text: &str) -> Result<Located, UriFault> {
    let uri = UriRef::parse(text).map_err(|error| UriFault::Syntax(error.to_string()))?;
    let unix = match uri.scheme().map(|scheme| scheme.as_str().to_ascii_lowercase()).as_deref() {
        None | Some("gluster" | "gluster+tcp") => false,
        Some("gluster+unix") => true,
        Some("gluster+rdma") => return Err(UriFault::Rdma),
        Some(other) => return Err(UriFault::Scheme(other.into())),
    };
    let path = decode(uri.path(), "path")?;
    // A word that is no URI at all could be one without a scheme.
    let (volume, path) = split(&path)
        .filter(|_| uri.scheme().is_some() || path.starts_with('/'))
        .ok_or(UriFault::Path)?;
    if [volume].into_iter().chain(path.split('/')).any(|part| part == "." || part == "..") {
        return Err(UriFault::Dots);
    }
    let parameters = parameters(uri.query())?;
    let server = match unix {
        true => unix_server(&parameters, uri.authority())?,
        false => inet_server(&parameters, uri.authority())?,
    };
    Ok(Located { server, volume: volume.into(), path: path.into() })
}

/// The volume and the image on it. Slashes between them do not count, those at the end do.
fn split(path: &str) -> Option<(&str, &str)> {
    let (volume, path) = path.trim_start_matches('/').split_once('/')?;
    let path = path.trim_start_matches('/');
    (!path.is_empty()).then_some((volume, path))
}

fn inet_server(
    parameters: &[Parameter],
    authority: Option<Authority<'_>>,
) -> Result<Server, UriFault> {
    if let Some((name, _)) = parameters.first() {
        return Err(UriFault::Parameter(name.clone()));
    }
    let host = authority.map(host).transpose()?.filter(|host| !host.is_empty());
    let port = authority.map(port).transpose()?.flatten();
    Ok(Server::Inet {
        host: host.unwrap_or_else(|| "localhost".into()),
        port: port.unwrap_or(PORT),
    })
}

fn unix_server(
    parameters: &[Parameter],
    authority: Option<Authority<'_>>,
) -> Result<Server, UriFault> {
    if let Some((other, _)) = parameters.iter().find(|(name, _)| name != "socket") {
        return Err(UriFault::Parameter(other.clone()));
    }
    let path = match parameters {
        [] | [(_, None)] => return Err(UriFault::NoSocket),
        [(_, Some(path))] if path.is_empty() => return Err(UriFault::NoSocket),
        [(_, Some(path))] => path.clone(),
        _ => return Err(UriFault::TwoSockets),
    };
    // `gluster+unix:///v/i` has a host, which is empty.
    if authority.is_some_and(|server| !server.host().is_empty() || server.port().is_some()) {
        return Err(UriFault::HostAndSocket);
    }
    Ok(Server::Unix { path })
}

fn host(authority: Authority<'_>) -> Result<String, UriFault> {
    let text = authority.host();
    match authority.host_parsed() {
        Host::RegName(name) => decode(name, "host"),
        Host::IpvFuture { .. } => Err(UriFault::Address(text.into())),
        // The brackets are the URI's, not the address's.
        _ => Ok(text.trim_matches(['[', ']']).into()),
    }
}

fn port(authority: Authority<'_>) -> Result<Option<u16>, UriFault> {
    authority.port_to_u16().map_err(|_| {
        UriFault::Port(authority.port().map_or_else(String::new, |port| port.as_str().into()))
    })
}

/// As g_uri_parse_params: names and values between `&`, one of which may be the last character.
fn parameters(query: Option<&EStr<Query>>) -> Result<Vec<Parameter>, UriFault> {
    let Some(query) = query else { return Ok(Vec::new()) };
    let mut parts: Vec<_> = query.split('&').collect();
    parts.pop_if(|part| part.is_empty());
    let parameter = |part: &EStr<Query>| {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(decode(value, "parameter")?)),
            None => (part, None),
        };
        Ok((decode(name, "parameter")?, value))
    };
    parts.into_iter().map(parameter).collect()
}

fn decode<E: Encoder>(part: &EStr<E>, what: &'static str) -> Result<String, UriFault> {
    let text = part.decode().to_string().map_err(|_| UriFault::Text(what))?;
    if text.contains('\0') { Err(UriFault::Text(what)) } else { Ok(text.into_owned()) }
}
