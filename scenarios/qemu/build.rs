//! Has the library built that `clock.rs` gives to QEMU, so that whatever links this package carries it.
//!
//! Cargo cannot make a library for another process a part of this one. The compiler is asked for it alone: so no
//! flags of the build around it, such as a sanitizer's, get into QEMU.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::{Command, ExitCode},
};

const SOURCE: &str = "clock/src/lib.rs";

fn main() -> ExitCode {
    let variable = |name: &str| env::var_os(name).unwrap_or_default();
    if let Err(error) = writeln!(io::stdout(), "cargo::rerun-if-changed={SOURCE}") {
        return fail(&format!("cargo does not listen: {error}"));
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args([
        "--edition",
        "2024",
        "--crate-name",
        "quorate_qemu_clock",
        "--crate-type",
        "cdylib",
    ]);
    rustc.args(["-C", "opt-level=2", "-C", "panic=abort", "-C", "strip=symbols"]);
    rustc.arg("--target").arg(variable("TARGET"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    rustc.arg("-o").arg(Path::new(&variable("OUT_DIR")).join("clock.so")).arg(SOURCE);
    match rustc.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => fail(&format!("{rustc:?} ended with {status}")),
        Err(error) => fail(&format!("{rustc:?} does not start: {error}")),
    }
}

fn fail(why: &str) -> ExitCode {
    // Who has closed it does not want to know.
    let _ = writeln!(io::stderr(), "cannot build {SOURCE}: {why}");
    ExitCode::FAILURE
}
