//! This program once more, in private namespaces beside a glusterd.
//!
//! Nothing is touched outside of them but a directory for bricks, and nothing outlives this process: the
//! kernel ends the namespaces' first process with it, and everything else there with that.

use crate::{Error, Own, lifeline::Lifeline, missing, owned, shell::SERVE, shell::Shell};
use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder},
    os::unix::{fs::DirBuilderExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Whether this process is in such a namespace.
#[must_use]
pub fn inside() -> bool {
    Path::new(BRICKS).exists()
}

/// Runs this program in namespaces of its own with these arguments, and says how that ended: 128 and the
/// number of the signal where one ended it.
///
/// # Errors
/// The machine lacks something, or it cannot be started.
pub fn enter(arguments: impl IntoIterator<Item = OsString>) -> Result<u8, Error> {
    let missing = missing::namespace();
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    let program = env::current_exe();
    let program =
        program.map_err(|source| Error::Process { program: "this program".into(), source })?;
    let bricks = env::temp_dir().join(owned::name());
    let made = DirBuilder::new().mode(0o700).create(&bricks);
    made.map_err(|source| Error::Directory { path: bricks.clone(), source })?;
    // Bricks that are just being ended may still add to it.
    let remove = "for try in 1 2 3 4 5 6 7 8 9; do rm -rf \"$1\" && break; sleep 0.1; done";
    let lifeline = Lifeline::tie(remove, &[&*bricks.to_string_lossy()])?;
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"])
        .args(["--kill-child", "sh", "-c", include_str!("namespace.sh"), "sh"])
        .arg(&bricks)
        .arg(program)
        .args(arguments)
        .status();
    drop(lifeline);
    let status = status.map_err(|source| Error::Process { program: "setpriv".into(), source })?;
    let signal = || status.signal().map_or(1, |signal| 128 + signal);
    Ok(u8::try_from(status.code().unwrap_or_else(signal)).unwrap_or(1))
}

/// The glusterd of the namespace.
pub(crate) fn own(patience: Duration) -> Result<Own, Error> {
    let bricks = fs::read_to_string(BRICKS).map_err(|_| Error::Outside)?;
    let mut serve = Command::new("sh");
    serve.args(["-c", SERVE, "sh", HOST, &bricks]);
    let shell = Shell::start(serve, patience)?;
    let host = shell.ready()?;
    Ok(Own { shell, host, bricks: PathBuf::from(bricks), lifeline: None })
}

/// glusterd's address. It takes no brick at 127.0.0.1.
const HOST: &str = "127.1.1.1";

/// Where the directory for bricks is named. In the namespace /run is private.
const BRICKS: &str = "/run/quorate-bricks";
