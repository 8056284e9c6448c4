//! QEMU's own driver, as `qemu.sh` has unpacked it.

use super::{Load, REST};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

pub(crate) struct Qemu {
    /// What it says of itself.
    pub(crate) version: String,
    root: PathBuf,
    modules: PathBuf,
}

impl Qemu {
    /// Where `qemu.sh` was told to put it.
    pub(crate) fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/qemu");
        let absent = || {
            "run tests/gfapi/benches/qemu.sh target/qemu first, which unpacks Debian's there"
                .to_owned()
        };
        let libraries = fs::read_dir(root.join("usr/lib")).map_err(|_| absent())?;
        let mut modules = libraries.flatten().map(|entry| entry.path().join("qemu"));
        let modules = modules.find(|path| path.join("block-gluster.so").exists());
        let mut qemu = Self { version: String::new(), modules: modules.ok_or_else(absent)?, root };
        let said = qemu.img().arg("--version").output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        qemu.version = said.lines().next().ok_or("it does not run")?.into();
        Ok(qemu)
    }

    /// How long it says that it took.
    pub(crate) fn bench(&self, load: &Load, uri: &str) -> Duration {
        let mut command = self.img();
        command.args(["bench", "-f", "raw"]);
        command.args(["-c", &load.count.to_string(), "-d", &load.depth.to_string()]);
        command.args(["-s", &load.bytes.to_string()]).args(load.write.then_some("-w")).arg(uri);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it has run before");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let took = out.lines().map_while(Result::ok).find_map(|line| {
            let seconds = line.strip_prefix("Run completed in ")?.strip_suffix(" seconds.")?;
            seconds.parse().map(Duration::from_secs_f64).ok()
        });
        // It goes on for ten seconds, in which it waits. The namespace ends it, if nothing else does.
        drop(child);
        thread::sleep(REST);
        took.expect("it says how long it took")
    }

    /// Line by line, to be heard before it ends.
    fn img(&self) -> Command {
        let triple = self.modules.parent().and_then(Path::file_name).expect("a folder of modules");
        let libraries = ["usr/lib", "lib"].map(|lib| self.root.join(lib).join(triple));
        let libraries = libraries.map(|path| path.display().to_string()).join(":");
        let mut command = Command::new("stdbuf");
        command.arg("-oL").arg(self.root.join("usr/bin/qemu-img"));
        command.env("QEMU_MODULE_DIR", &self.modules).env("LD_LIBRARY_PATH", libraries);
        command
    }
}
