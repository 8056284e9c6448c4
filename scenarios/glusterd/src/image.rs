//! The image of the container, which is made on the machine that uses it.

use crate::{
    Error,
    container::{self, Tool},
};
use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

/// Whether it is there, as far as there is a podman or docker.
#[must_use]
pub fn is_there() -> bool {
    Tool::find().is_some_and(has)
}

/// Makes it again, which takes minutes, and shows on standard error how.
///
/// # Errors
/// There is no podman or docker, or neither a registry nor a tool that makes it of Debian's packages.
pub fn make() -> Result<(), Error> {
    make_with(container::tool()?)
}

pub(crate) fn has(tool: Tool) -> bool {
    tool.say(&["image", "inspect", NAME]).is_ok()
}

pub(crate) fn make_with(tool: Tool) -> Result<(), Error> {
    let failed = |said: String| Error::Image { tool: tool.name(), said };
    let directory = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let made = script(directory.path(), tool).map_err(|error| failed(error.to_string()))?;
    if made { Ok(()) } else { Err(failed("what was tried is above".into())) }
}

fn script(directory: &Path, tool: Tool) -> io::Result<bool> {
    fs::write(directory.join("Containerfile"), include_str!("../Containerfile"))?;
    fs::write(directory.join("image"), include_str!("../image"))?;
    let mut command = Command::new("sh");
    command
        .arg(directory.join("image"))
        .arg(tool.name())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.status().map(|status| status.success())
}

/// The image's name.
pub(crate) const NAME: &str = "quorate-gluster:latest";
