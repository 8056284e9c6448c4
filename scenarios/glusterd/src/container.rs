//! A glusterd in a container of podman or docker.
//!
//! Its first process ends when the input of its shell does, so it does not outlive this process; a lifeline
//! sees to it that nothing is left of it then.

use crate::{
    Error, Own, image, lifeline::Lifeline, missing, owned, place::PORT, shell::SERVE, shell::Shell,
};
use std::{
    net::{TcpStream, ToSocketAddrs},
    path::PathBuf,
    process::Command,
    time::Duration,
};

/// A program that runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Podman,
    Docker,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// The first that is there; docker is there if its daemon answers.
    pub(crate) fn find() -> Option<Self> {
        [Self::Podman, Self::Docker].into_iter().find(|tool| tool.say(&["version"]).is_ok())
    }

    /// What it says to these arguments, or why it does not do so.
    pub(crate) fn say(self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(self.name()).args(arguments).output();
        let output = output.map_err(|error| error.to_string())?;
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.trim().into()) } else { Err(err.trim().into()) }
    }
}

/// Starts one.
pub(crate) fn own(patience: Duration) -> Result<Own, Error> {
    let tool = tool()?;
    if !image::has(tool) {
        image::make_with(tool)?;
    }
    run(tool, &[], patience).or_else(|error| match (&error, tool) {
        // Of podman's two usual runtimes crun is the default, which does not work with every kernel's cgroups.
        (Error::Container { .. }, Tool::Podman) if missing::program("runc") => {
            run(tool, &["--runtime", "runc"], patience).map_err(|_| error)
        }
        _ => Err(error),
    })
}

/// The tool to use, if nothing is missing.
pub(crate) fn tool() -> Result<Tool, Error> {
    let missing = missing::container();
    Tool::find().filter(|_| missing.is_empty()).ok_or(Error::Missing(missing))
}

fn run(tool: Tool, options: &[&str], patience: Duration) -> Result<Own, Error> {
    let name = owned::name();
    let failed = |said| Error::Container { tool: tool.name(), said };
    let remove = format!("{0} kill \"$1\"; {0} rm --force --volumes \"$1\"", tool.name());
    let lifeline = Lifeline::tie(&remove, &[&name])?;
    let mut command = Command::new(tool.name());
    command.args(options);
    // Mounting and trusted attributes take privileges. Limits that are higher than this process's own are
    // not for everybody to give.
    command.args(["run", "--interactive", "--rm", "--pull=never", "--name", &name]);
    command.args(["--privileged", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024"]);
    command.args(["--label", LABEL, "--volume", "/bricks", "--entrypoint", "sh", image::NAME]);
    command.args(["-c", include_str!("container.sh"), "sh", SERVE]);
    let shell = Shell::start(command, patience)?;
    let host = shell.ready().map_err(|error| match error {
        Error::Gone { said, .. } => failed(said),
        other => other,
    })?;
    let pid = tool.say(&["inspect", "--format", "{{.State.Pid}}", &name]).map_err(failed)?;
    reach(&host, patience)?;
    let bricks = PathBuf::from(format!("/proc/{pid}/root/bricks"));
    Ok(Own { shell, host, bricks, lifeline: Some(lifeline) })
}

/// Makes sure that glusterd can be reached from here.
fn reach(host: &str, patience: Duration) -> Result<(), Error> {
    let unreachable = |error| Error::Unreachable { said: format!("{host}:{PORT}: {error}") };
    let mut addresses = (host, PORT).to_socket_addrs().map_err(unreachable)?;
    let address = addresses.next().expect("an address has an address");
    TcpStream::connect_timeout(&address, patience).map(drop).map_err(unreachable)
}

/// Which containers are ours.
pub(crate) const LABEL: &str = "quorate";
