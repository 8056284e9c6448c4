//! What is to be done once this process is gone, however it ended.

use crate::Error;
use std::{
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

/// A shell that waits for the end of its input: for this value to be dropped, or this process to end.
/// Nothing else has the other end of it, as what is started here inherits nothing.
#[derive(Debug)]
pub(crate) struct Lifeline {
    shell: Child,
    held: Option<ChildStdin>,
}

impl Lifeline {
    /// Has the script done, with these arguments, in the end.
    pub(crate) fn tie(script: &str, arguments: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new("sh");
        // What ends this process and everything in its group, as a terminal does, is not for it.
        command.arg("-c").arg(format!("trap '' HUP INT TERM; cat >/dev/null; {script}")).arg("sh");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Process { program: "sh".into(), source })?;
        let held = shell.stdin.take();
        Ok(Self { shell, held })
    }
}

/// When this is over, so is the script.
impl Drop for Lifeline {
    fn drop(&mut self) {
        self.held = None;
        // If it cannot be waited for it is not ours any more.
        let _ = self.shell.wait();
    }
}
